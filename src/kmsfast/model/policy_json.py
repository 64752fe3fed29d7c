"""JSON of policy documents, read strictly and with the position of every value.

Rules:
- RFC 8259 and nothing more: no NaN, no Infinity, no comments, no trailing commas;
- a key that occurs twice in an object is a mistake, as the grammar of policies says;
- numbers stay as they are written: conditions compare text;
- depth is limited before it costs anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from json import loads
from typing import Any, Final, Literal

__all__ = ["Invalid", "Node", "Number", "parse", "position"]

MAX_DEPTH: Final = 16
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"', re.ASCII)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD: Final = re.compile(r"[A-Za-z0-9_+.-]+")
_NAMES: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}

Kind = Literal["string", "number", "boolean", "null", "list", "object"]


class Number(str):
    """A number as it is written."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it begins.

    Attributes:
        value: str, Number, bool, None, a list of nodes, or a dict of them.
        offset: characters before it.
        doubles: offsets of the keys of an object that occurred before.
    """

    kind: Kind
    value: Any
    offset: int
    doubles: tuple[tuple[str, int], ...] = ()


class Invalid(ValueError):
    """The text is no JSON. ``offset``: where that shows."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both from 1."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def parse(text: str) -> Node:
    """The one value of a text.

    Raises:
        Invalid: it is no JSON.
    """
    node, end = _value(text, _skip(text, 0), 0)
    if end != len(text):
        raise Invalid("there is more after the end of the document", end)
    return node


def _skip(text: str, offset: int) -> int:
    found = _SPACE.match(text, offset)
    return offset if found is None else found.end()


def _value(text: str, offset: int, depth: int) -> tuple[Node, int]:
    """The value at an offset, and the offset of what follows it and any space."""
    if depth > MAX_DEPTH:
        raise Invalid(f"it is nested more than {MAX_DEPTH} deep", offset)
    first = text[offset : offset + 1]
    if first == '"':
        value, end = _string(text, offset)
        return Node("string", value, offset), _skip(text, end)
    if first == "{":
        return _object(text, offset, depth)
    if first == "[":
        return _list(text, offset, depth)
    return _scalar(text, offset)


def _scalar(text: str, offset: int) -> tuple[Node, int]:
    number = _NUMBER.match(text, offset)
    word = _WORD.match(text, offset)
    if word is None:
        found = repr(text[offset]) if offset < len(text) else "the end"
        raise Invalid(f"a value is expected, not {found}", offset)
    if number is not None and number.end() == word.end():
        return Node("number", Number(number[0]), offset), _skip(text, word.end())
    if word[0] not in _NAMES:
        raise Invalid(f"{word[0]} is no value of JSON", offset)
    value = _NAMES[word[0]]
    kind: Kind = "null" if value is None else "boolean"
    return Node(kind, value, offset), _skip(text, word.end())


def _string(text: str, offset: int) -> tuple[str, int]:
    found = _STRING.match(text, offset)
    if found is None:
        raise Invalid(
            "the string is not closed, or has a control character or wrong escape", offset
        )
    if "\\" not in found[0]:
        return found[0][1:-1], found.end()
    value: str = loads(found[0])
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise Invalid("the string has half of a surrogate pair", offset)
    return value, found.end()


def _list(text: str, offset: int, depth: int) -> tuple[Node, int]:
    items: list[Node] = []
    at = _skip(text, offset + 1)
    if text[at : at + 1] == "]":
        return Node("list", items, offset), _skip(text, at + 1)
    while True:
        node, at = _value(text, at, depth + 1)
        items.append(node)
        at, more = _next(text, at, "]")
        if not more:
            return Node("list", items, offset), at


def _object(text: str, offset: int, depth: int) -> tuple[Node, int]:
    members: dict[str, Node] = {}
    doubles: list[tuple[str, int]] = []
    at = _skip(text, offset + 1)
    if text[at : at + 1] == "}":
        return Node("object", members, offset), _skip(text, at + 1)
    while True:
        if text[at : at + 1] != '"':
            raise Invalid("the name of a member is expected, in double quotes", at)
        name, end = _string(text, at)
        if name in members:
            doubles.append((name, at))
        at = _skip(text, end)
        if text[at : at + 1] != ":":
            raise Invalid(f"a colon is expected after {name!r}", at)
        members[name], at = _value(text, _skip(text, at + 1), depth + 1)
        at, more = _next(text, at, "}")
        if not more:
            return Node("object", members, offset, tuple(doubles)), at


def _next(text: str, at: int, closing: str) -> tuple[int, bool]:
    """Past a comma, or past the end of a list or an object."""
    found = text[at : at + 1]
    if found not in (",", closing) or not found:
        raise Invalid(f"a comma or {closing} is expected", at)
    return _skip(text, at + 1), found == ","
