"""Options that several commands share, and the words they are written in."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

__all__ = [
    "ColumnNames",
    "OctalMode",
    "Pair",
    "context_option",
    "force_option",
    "key_option",
    "named_in",
    "pairs",
    "threads_option",
]

#: More threads than this do not make encryption faster than reading and writing.
MAX_THREADS = 64


class Pair(click.ParamType):  # type: ignore[type-arg]
    """``name=value``; the value may hold further equal signs and may be empty."""

    name = "NAME=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """The two parts."""
        name, sign, rest = str(value).partition("=")
        if not sign or not name:
            self.fail(f"{value!r} is not of the form NAME=VALUE", param, ctx)
        return name, rest


class ColumnNames(click.ParamType):  # type: ignore[type-arg]
    """Names separated by commas."""

    name = "NAME,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, each once."""
        if isinstance(value, tuple):
            return value
        names = tuple(str(value).split(","))
        if not all(names) or len(set(names)) != len(names):
            self.fail(f"{value!r} has an empty name or one that occurs twice", param, ctx)
        return names


class OctalMode(click.ParamType):  # type: ignore[type-arg]
    """Permissions of a file, as chmod takes them."""

    name = "MODE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        if isinstance(value, int):
            return value
        text = str(value)
        if not 1 <= len(text) <= 4 or set(text) - set("01234567"):
            self.fail(f"{value!r} is no mode; one is octal, like 0660", param, ctx)
        return int(text, 8)


def pairs(values: tuple[tuple[str, str], ...], option: str) -> dict[str, str]:
    """Pairs as a mapping.

    Raises:
        UsageError: a name occurs twice.
    """
    found = dict(values)
    if len(found) != len(values):
        raise click.UsageError(f"a name occurs twice in {option}")
    return found


def context_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--context``."""
    return click.option(
        "-c",
        "--context",
        type=Pair(),
        multiple=True,
        help="A pair of the encryption context; decryption needs the same pairs. Repeatable.",
    )(command)


def named_in(table: str) -> Callable[..., list[str]]:
    """Completion by the names that :mod:`kmsfast.model.keyspec` has under this one."""

    def complete(_context: Any, _parameter: Any, begun: str) -> list[str]:
        from kmsfast.model import keyspec

        names = [str(name) for name in getattr(keyspec, table)]
        return [name for name in names if name.startswith(begun.upper())]

    return complete


def key_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--key``."""
    return click.option(
        "-k",
        "--key",
        "key_name",
        required=True,
        envvar="KMSFAST_KEY",
        metavar="KEY",
        help="Id, ARN or alias of the key.  [env: KMSFAST_KEY]",
    )(command)


def force_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--force``."""
    return click.option("-f", "--force", is_flag=True, help="Replace the output if it exists.")(
        command
    )


def threads_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--threads``."""
    return click.option(
        "--threads",
        type=click.IntRange(1, MAX_THREADS),
        default=_processors,
        show_default="processors, at most 4",
        help="Threads; 1 also keeps reading and writing in one.",
    )(command)


def _processors() -> int:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(count or 1, 4)
