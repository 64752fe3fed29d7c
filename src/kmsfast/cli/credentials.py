"""Secrets of access keys on their way to the user: to the terminal once, or into a file of its own.

Rules:
- the file is made before the access key, with mode 0600, and never one that is there already; when
  no access key comes of it, it is removed;
- it is a credentials file of the AWS SDKs (``AWS_SHARED_CREDENTIALS_FILE``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kmsfast.cli.show import facts, print_json

if TYPE_CHECKING:
    from kmsfast.service.principals import NewAccessKey

__all__ = ["credentials_option", "hand_out"]

credentials_option = click.option(
    "--credentials", type=click.Path(path_type=Path, dir_okay=False),
    help="Write the access key to this new file, for AWS clients, and do not show its secret.",
)  # fmt: skip


def hand_out(
    make: Callable[[], NewAccessKey], path: Path | None, *, as_json: bool = False
) -> NewAccessKey:
    """Makes an access key and gives it out.

    Args:
        path: where to; None: standard output.

    Raises:
        UsageError: the file is there already.
    """
    made = make() if path is None else _written(make, path)
    shown = {"arn": made.arn, "access_key_id": made.id}
    if path is None:
        shown["secret_access_key"] = made.secret
    else:
        shown["credentials"] = str(path)
    if as_json:
        print_json(shown)
    else:
        facts({name.replace("_", " "): value for name, value in shown.items()})
        if path is None:
            click.echo("the secret is shown this once; nobody can ask for it again")
    return made


def _written(make: Callable[[], NewAccessKey], path: Path) -> NewAccessKey:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise click.UsageError(
            f"{path} is there already; --credentials writes a new file and changes none"
        ) from None
    try:
        with open(descriptor, "w", encoding="ascii") as stream:  # noqa: PTH123 - opened above
            made = make()
            stream.write(
                f"[default]\naws_access_key_id = {made.id}\naws_secret_access_key = {made.secret}\n"
            )
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return made
