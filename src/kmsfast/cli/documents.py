"""Documents that commands read: policies and grants."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["file_type", "text_of"]

#: More than any document that is allowed, so that the error can say how much too long it is.
_MAX_FILE = 1 << 20

file_type = click.Path(path_type=Path, readable=False, allow_dash=True)


def text_of(path: Path) -> str:
    """The text of a file, ``-`` for standard input.

    Raises:
        UsageError: too long, or not UTF-8.
    """
    with click.open_file(str(path), "rb") as stream:
        data: bytes = stream.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise click.UsageError(f"{path} has more than {_MAX_FILE} bytes; that is no policy")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path} is not UTF-8 at byte {error.start}") from None
