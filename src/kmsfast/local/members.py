"""Arguments of Python's methods as members of AWS's requests, for events and for policies.

Rules:
- only what a method's row names is kept, so no plaintext, message, signature, password or token is;
- an argument of a wrong type is left out here, and refused by the method itself;
- an iterator is read once and goes on to the method as a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from kmsfast.service.kinds import num_records

__all__ = [
    "Arguments", "Member", "Members", "key_name", "moment", "names", "pairs",
    "records_of", "tags",
]  # fmt: skip

Member = str | tuple[str, Callable[[Any], Any]]
"""The name of a member, and what makes its value of an argument."""

_TOO_LARGE: Final = 1 << 63


class Arguments(NamedTuple):
    """How a function is called."""

    positional: tuple[Any, ...]
    named: dict[str, Any]


class Members:
    """The members that the arguments of one function are.

    Args:
        function: whose arguments they are; its first ``skipped`` parameters are not.
        rows: members by the names of parameters.
    """

    def __init__(
        self, function: Callable[..., Any], rows: Mapping[str, Member], skipped: int
    ) -> None:
        code = function.__code__  # of every function that is written in Python
        known = code.co_varnames[skipped : code.co_argcount]
        only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        self._places = {name: place for place, name in enumerate(known)}
        ends = function.__defaults__ or ()
        self._defaults = dict(zip(known[len(known) - len(ends) :], ends, strict=True))
        self._defaults |= function.__kwdefaults__ or {}
        for name in rows:
            if name not in known and name not in only:
                raise TypeError(f"{function.__qualname__} has no parameter {name!r}")
        self._rows = [
            (name, member, _plain) if isinstance(member, str) else (name, *member)
            for name, member in rows.items()
            for member in [member]
        ]

    def value(self, name: str, called: Arguments) -> Any:
        """The value of a parameter; None when it is missing."""
        if name in called.named:
            return called.named[name]
        place = self._places.get(name, len(called.positional))
        if place < len(called.positional):
            return called.positional[place]
        return self._defaults.get(name)

    def of(self, called: Arguments) -> tuple[dict[str, Any], Arguments]:
        """The members, and the arguments without iterators that were read for them."""
        found: dict[str, Any] = {}
        for name, member, convert in self._rows:
            value = self.value(name, called)
            if value is None:
                continue
            if isinstance(value, Iterator):
                value = list(value)
                called = self._with(name, value, called)
            kept = convert(value)
            if kept is not None:
                found[member] = kept
        return found, called

    def _with(self, name: str, value: Any, called: Arguments) -> Arguments:
        if name in called.named:
            return Arguments(called.positional, {**called.named, name: value})
        place = self._places[name]
        before, after = called.positional[:place], called.positional[place + 1 :]
        return Arguments((*before, value, *after), called.named)


def records_of(values: Any) -> int:
    """How many records a batch has; 1 of what is none, which the method refuses."""
    if isinstance(values, list) or hasattr(values, "nbytes"):  # of numpy and Arrow
        return len(values)
    try:
        return num_records(values)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the method says
        return 1


def _plain(value: Any) -> Any:
    """Texts, truths and numbers of at most 64 bits."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | float):
        return value
    return value if isinstance(value, int) and -_TOO_LARGE <= value < _TOO_LARGE else None


def pairs(value: Any) -> dict[str, str] | None:
    """An encryption context."""
    if type(value) is not dict and not isinstance(value, Mapping):
        return None
    found = dict(value)
    texts = all(type(name) is str and type(each) is str for name, each in found.items())
    return found if texts else None


def names(value: Any) -> list[str] | None:
    """Several texts."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list | tuple | set | frozenset):
        return None
    return [str(each) for each in found if isinstance(each, str)]


def tags(value: Any) -> list[dict[str, str]] | None:
    """Tags as AWS has them."""
    found = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(found, list | tuple):
        return None
    return [
        {"TagKey": each[0], "TagValue": each[1]}
        for each in found
        if isinstance(each, tuple | list) and len(each) == 2 and all(type(e) is str for e in each)
    ]


def moment(value: Any) -> str | None:
    """A time."""
    return value.isoformat() if isinstance(value, datetime) else None


def key_name(value: Any) -> str | None:
    """The name of a key, or the ARN of a Key."""
    found = value if isinstance(value, str) else getattr(value, "arn", None)
    return found if isinstance(found, str) else None
