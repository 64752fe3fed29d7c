"""Several outputs of one command: all of them appear, or none.

Rules:
- outputs that cannot be written together are refused before any work: one file twice, a file that
  is there already, results and JSON in one stream;
- outputs that are open together get their names only when everything is written;
- what appeared before another failed is removed. What was replaced (``--force``) stays replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from kmsfast.cli.inputs import STANDARD, opened_output
from kmsfast.errors import ValidationError

__all__ = ["check_outputs", "opened_outputs", "refuse_mixed", "write_each"]


def refuse_mixed(output: str | None, *, as_json: bool) -> None:
    """Passes unless a result and JSON about it would both go to standard output.

    Raises:
        UsageError: they would.
    """
    if as_json and output == STANDARD:
        raise click.UsageError("--json and --output - both write to standard output")


def check_outputs(names: Iterable[str], *, force: bool) -> None:
    """Passes when every output can be written and no two are the same file.

    Raises:
        ValidationError: two are the same, or one is a directory.
        OutputExists: one is there already and `force` is False.
    """
    from kmsfast.tables.output import checked_target

    seen: dict[str | Path, str] = {}
    for name in names:
        target: str | Path = STANDARD if name == STANDARD else checked_target(name, replace=force)
        if isinstance(target, Path) and target.exists() and not target.is_file():
            continue  # a device or pipe takes many
        if target in seen:
            raise ValidationError(
                f"{seen[target]} and {name} are the same output; each result needs its own"
            )
        seen[target] = name


@contextmanager
def opened_outputs(
    names: Sequence[str], *, force: bool, private: Sequence[str] = ()
) -> Iterator[list[BinaryIO]]:
    """The outputs, which get their names together when the block ends without an error.

    Args:
        names: of files, or ``-``.
        force: files that are there already may be replaced.
        private: those of the names whose files are for their owner alone.

    Raises:
        As :func:`check_outputs`.
    """
    check_outputs(names, force=force)
    with _removed_on_error() as appears, ExitStack() as stack:
        files = []
        for name in names:
            stack.enter_context(appears(name))
            one = opened_output(name, force=force, private=name in private)
            files.append(stack.enter_context(one))
        yield files
        for file in files:  # a full disk shows now, when no file has its name yet
            file.flush()


def write_each(results: Iterable[tuple[Path, bytes]], *, force: bool) -> None:
    """Writes results one after the other: many files, more than can be open together."""
    with _removed_on_error() as appears:
        for path, value in results:
            path.parent.mkdir(parents=True, exist_ok=True)
            with appears(str(path)), opened_output(str(path), force=force) as file:
                file.write(value)


@contextmanager
def _removed_on_error() -> Iterator[Callable[[str], _Appears]]:
    """Around outputs that appear one by one: an error removes those that did."""
    appeared: list[Path] = []
    try:
        yield lambda name: _Appears(name, appeared)
    except BaseException:
        for path in appeared:
            path.unlink(missing_ok=True)
        raise


class _Appears:
    """Around one output: notes its path when it is a new file and the block ends without error."""

    def __init__(self, name: str, appeared: list[Path]) -> None:
        self._path = Path(os.path.realpath(name))
        self._is_new = name != STANDARD and not self._path.exists()
        self._appeared = appeared

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._is_new:
            self._appeared.append(self._path)
