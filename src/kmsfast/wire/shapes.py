"""The shapes of requests: each reads one JSON value, and says which constraints it fails.

Rules:
- a value of another JSON type raises SerializationError at once; values that fail constraints are
  collected, so that all of them are reported together, as AWS does;
- blobs come out as bytes, timestamps as aware datetimes, all else as it went in;
- members that are null or unknown are as if they were not there.
"""

from __future__ import annotations

import re
import sys
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kmsfast.wire.refusals import SerializationError, failure

__all__ = ["Blob", "Choice", "Flag", "ListOf", "MapOf", "Moment", "Number", "Shape", "Structure",
           "Text", "not_a"]  # fmt: skip

Shape = Callable[[Any, str, list[str]], Any]
"""Reads a value at a path; failed constraints are added to the list."""

_NOT_NULL: Final = "Member must not be null"
# What AWS calls the types of JSON values that it cannot convert.
_TOKENS: Final[Mapping[type, str]] = {
    str: "STRING_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE", bytes: "BINARY_VALUE",
    type(None): "NULL_VALUE",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Bounds:
    """A range of lengths or of values, and how AWS words it."""

    low: float
    high: float
    what: str

    @property
    def at_most(self) -> str:
        return f"Member must have {self.what} less than or equal to {self.high}"

    @property
    def at_least(self) -> str:
        return f"Member must have {self.what} greater than or equal to {self.low}"

    def words(self) -> list[str]:
        """All constraints, in the order in which AWS lists them for members of lists."""
        words = [self.at_most] if self.high != _UNBOUNDED else []
        return [*words, self.at_least] if self.low != -_UNBOUNDED else words

    def failed(self, measure: float) -> list[str]:
        if measure < self.low:
            return [self.at_least]
        return [self.at_most] if measure > self.high else []


_UNBOUNDED: Final = float("inf")


def _lengths(model: Mapping[str, Any]) -> _Bounds:
    return _bounds(model, "length")


def _bounds(model: Mapping[str, Any], what: str) -> _Bounds:
    return _Bounds(model.get("min", -_UNBOUNDED), model.get("max", _UNBOUNDED), what)


class Text:
    """A string within its length and pattern."""

    __slots__ = ("_bounds", "_hidden", "_high", "_low", "_match", "_pattern")

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._bounds = _lengths(model)
        self._low, self._high = self._bounds.low, self._bounds.high
        self._pattern: str | None = model.get("pattern")
        # Classes as \w are those of ASCII in the model's patterns.
        self._match = re.compile(self._pattern or "", re.ASCII).fullmatch
        self._hidden = bool(model.get("sensitive"))

    def __call__(self, value: Any, path: str, failures: list[str]) -> str:
        """The string."""
        if type(value) is not str:
            raise not_a("String", value)
        if not self._low <= len(value) <= self._high or (
            self._pattern is not None and self._match(value) is None
        ):
            failures += [
                failure(value, path, words, hidden=self._hidden) for words in self.failed(value)
            ]
        return value

    def failed(self, value: str) -> list[str]:
        """The constraints that the value fails, in the order in which AWS reports them."""
        words = [] if self._pattern is None or self._match(value) else [self._pattern_words()]
        return words + self._bounds.failed(len(value))

    def words(self) -> list[str]:
        """All constraints, in the order in which AWS lists them for members of lists."""
        return self._bounds.words() + ([] if self._pattern is None else [self._pattern_words()])

    def _pattern_words(self) -> str:
        return f"Member must satisfy regular expression pattern: {self._pattern}"


class Choice:
    """A string of an enumeration."""

    __slots__ = ("_names", "_words")

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._names = frozenset(model["enum"])
        self._words = f"Member must satisfy enum value set: [{', '.join(model['enum'])}]"

    def __call__(self, value: Any, path: str, failures: list[str]) -> str:
        """The string."""
        if type(value) is not str:
            raise not_a("String", value)
        if value not in self._names:
            failures.append(failure(value, path, self._words))
        return value

    def failed(self, value: str) -> list[str]:
        """The constraints that the value fails."""
        return [] if value in self._names else [self._words]

    def words(self) -> list[str]:
        """All constraints."""
        return [self._words]


class Blob:
    """Bytes, in base64."""

    __slots__ = ("_bounds", "_high", "_low")

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._bounds = _lengths(model)
        self._low, self._high = self._bounds.low, self._bounds.high

    @property
    def sizes(self) -> range:
        """How many bytes a value may have."""
        low = 0 if self._low == -_UNBOUNDED else int(self._low)
        return range(low, sys.maxsize if self._high == _UNBOUNDED else int(self._high) + 1)

    def __call__(self, value: Any, path: str, failures: list[str]) -> bytes:
        """The bytes."""
        if type(value) is not str:
            raise not_a("Blob", value)
        try:
            data = a2b_base64(value, strict_mode=True)
        except ValueError:
            raise SerializationError(f"The value of '{path}' is not base64") from None
        if not self._low <= len(data) <= self._high:
            failures += self.failed(data, path)
        return data

    def failed(self, data: bytes, path: str) -> list[str]:
        """The constraints that the bytes fail, in words that do not repeat them."""
        return [failure(data, path, words, hidden=True) for words in self._bounds.failed(len(data))]


class Number:
    """An integer within its range."""

    __slots__ = ("_bounds",)

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._bounds = _bounds(model, "value")

    def __call__(self, value: Any, path: str, failures: list[str]) -> int:
        """The integer."""
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise not_a("Integer", value)
        failures += [failure(value, path, words) for words in self._bounds.failed(value)]
        return value


class Flag:
    """True or false."""

    __slots__ = ()

    def __init__(self, _model: Mapping[str, Any]) -> None:
        """No constraints."""

    def __call__(self, value: Any, _path: str, _failures: list[str]) -> bool:
        """The truth value."""
        if type(value) is not bool:
            raise not_a("Boolean", value)
        return value


class Moment:
    """Seconds since 1970-01-01 UTC."""

    __slots__ = ()

    def __init__(self, _model: Mapping[str, Any]) -> None:
        """No constraints."""

    def __call__(self, value: Any, path: str, _failures: list[str]) -> datetime:
        """The time, in UTC."""
        if type(value) not in {int, float}:
            raise not_a("Timestamp", value)
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, ValueError, OSError):
            raise SerializationError(f"The value of '{path}' is not a time") from None


class ListOf:
    """Values of one shape.

    Failures of strings are reported for the list as a whole, those of structures one by one.
    """

    __slots__ = ("_bounds", "_each")

    def __init__(self, model: Mapping[str, Any], each: Shape) -> None:
        self._bounds, self._each = _lengths(model), each

    def __call__(self, value: Any, path: str, failures: list[str]) -> list[Any]:
        """The values."""
        if type(value) is not list:
            raise not_a("List", value)
        failures += [failure(value, path, words) for words in self._bounds.failed(len(value))]
        if isinstance(self._each, Text | Choice):
            return self._strings(self._each, value, path, failures)
        return [self._each(each, f"{path}.{i}.member", failures) for i, each in enumerate(value, 1)]

    def _strings(
        self, shape: Text | Choice, value: list[Any], path: str, failures: list[str]
    ) -> list[Any]:
        for each in value:
            if type(each) is not str and each is not None:
                raise not_a("String", each)
        if any(each is None or shape.failed(each) for each in value):
            words = ", ".join([*shape.words(), _NOT_NULL])
            failures.append(failure(value, path, f"Member must satisfy constraint: [{words}]"))
        return value


class MapOf:
    """Strings by strings."""

    __slots__ = ()

    def __init__(self, _model: Mapping[str, Any]) -> None:
        """No constraints."""

    def __call__(self, value: Any, _path: str, _failures: list[str]) -> dict[str, str]:
        """The pairs."""
        if type(value) is not dict:
            raise not_a("Map", value)
        for each in value.values():
            if type(each) is not str:
                raise not_a("String", each)
        return value


class Structure:
    """Members by name."""

    __slots__ = ("_members", "_required")

    def __init__(self, members: Mapping[str, Shape], required: Iterable[str]) -> None:
        self._members = {name: (shape, _camel(name)) for name, shape in members.items()}
        self._required = frozenset(required)

    def member(self, name: str) -> Shape:
        """The shape of a member."""
        return self._members[name][0]

    def __call__(self, value: Any, path: str, failures: list[str]) -> dict[str, Any]:
        """The members that were given."""
        if type(value) is not dict:
            raise not_a("Structure", value)
        prefix = f"{path}." if path else ""
        found = {}
        members = self._members
        for name, given in value.items():
            member = members.get(name)
            if member is not None and given is not None:
                shape, camel = member
                found[name] = shape(given, prefix + camel, failures)
        if not self._required <= found.keys():
            failures += [
                failure(None, prefix + camel, _NOT_NULL)
                for name, (_, camel) in members.items()
                if name in self._required and name not in found
            ]
        return found


def not_a(wanted: str, value: Any) -> SerializationError:
    """The error of a JSON value that is not of the type of its shape."""
    if type(value) is dict:
        return SerializationError("Start of structure or map found where not expected.")
    if type(value) is list:
        return SerializationError("Start of list found where not expected")
    token = f"{value}_VALUE".upper() if type(value) is bool else _TOKENS[type(value)]
    article = "an" if wanted[0] in "AEIOU" else "a"
    return SerializationError(f"{token} can not be converted to {article} {wanted}")


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]
