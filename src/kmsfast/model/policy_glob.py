"""Patterns of policies: ``*``, ``?`` and policy variables.

Rules:
- a pattern is a sequence of tokens: literal text, STAR (any text), ONE (any character), Variable;
- variables are replaced when a request is there; what replaces them is literal, whatever it holds;
- nothing backtracks: matching reads the text once, however the pattern is made;
- variables exist in documents of version 2012-10-17 only (page "Variables and tags").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["ONE", "STAR", "Token", "Variable", "glob", "resolved", "template", "wildcards"]

_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_DEFAULTED: Final = re.compile(r"([^,]+), *'([^']*)'")
_LITERALS: Final = frozenset("*?$")


class _Wildcard(Enum):
    STAR = "*"
    ONE = "?"


STAR: Final = _Wildcard.STAR
ONE: Final = _Wildcard.ONE


@dataclass(frozen=True, slots=True)
class Variable:
    """``${key}`` or ``${key, 'default'}``.

    Attributes:
        name: the condition key in lower case; names of keys have no case.
    """

    name: str
    default: str | None


Token = str | _Wildcard | Variable
_Chunk = tuple["str | _Wildcard", ...]


def wildcards(text: str) -> tuple[Token, ...]:
    """The tokens of text in which ``*`` and ``?`` are wildcards."""
    parts = re.split(r"([*?])", text)
    return tuple(
        STAR if part == "*" else ONE if part == "?" else part for part in parts if part != ""
    )


def template(text: str, *, wild: bool, variables: bool) -> tuple[Token, ...]:
    """The tokens of a value.

    Args:
        wild: ``*`` and ``?`` are wildcards.
        variables: ``${...}`` are variables; ``${*}``, ``${?}`` and ``${$}`` stand for a character.

    Raises:
        ValueError: a variable without a name.
    """
    plain = wildcards if wild else _literal
    if not variables or "${" not in text:
        return plain(text)
    tokens: list[Token] = []
    end = 0
    for found in _VARIABLE.finditer(text):
        tokens.extend(plain(text[end : found.start()]))
        tokens.append(_variable(found[1]))
        end = found.end()
    tokens.extend(plain(text[end:]))
    return tuple(tokens)


def _literal(text: str) -> tuple[Token, ...]:
    return (text,) if text else ()


def _variable(inside: str) -> Token:
    if inside in _LITERALS:
        return inside
    defaulted = _DEFAULTED.fullmatch(inside)
    name, default = (defaulted[1], defaulted[2]) if defaulted else (inside, None)
    if not name.strip():
        raise ValueError("${} names no condition key")
    return Variable(name.strip().lower(), default)


def resolved(
    tokens: Iterable[Token], value_of: Callable[[str], Sequence[str]]
) -> tuple[Token, ...] | None:
    """The tokens with each variable replaced; None when one has no value and no default.

    Only keys of one value can be variables (page "Single-valued vs. multivalued context keys").
    """
    out: list[Token] = []
    for token in tokens:
        if isinstance(token, Variable):
            values = value_of(token.name)
            value = values[0] if len(values) == 1 else token.default
            if value is None:
                return None
            out.append(value)
        else:
            out.append(token)
    return tuple(out)


def glob(tokens: Sequence[Token]) -> Callable[[str], bool]:
    """A test whether the tokens, which hold no variable any more, match the whole of a text."""
    chunks = _chunks(tokens)
    first, last = chunks[0], chunks[-1]
    if len(chunks) == 1:
        if ONE not in first:
            return "".join(map(str, first)).__eq__
        size = _length(first)
        return lambda text: len(text) == size and _at(first, text, 0)
    if len(chunks) == 2 and not last and ONE not in first:
        prefix = "".join(map(str, first))
        return lambda text: text.startswith(prefix)
    middle = [(_finder(chunk), _length(chunk)) for chunk in chunks[1:-1] if chunk]
    first_len, last_len = _length(first), _length(last)

    def matches(text: str) -> bool:
        position, end = first_len, len(text) - last_len
        if end < position or not _at(first, text, 0) or not _at(last, text, end):
            return False
        # The first place where a chunk fits leaves the most for those after it.
        for find, length in middle:
            position = find(text, position, end)
            if position < 0:
                return False
            position += length
        return True

    return matches


def _chunks(tokens: Iterable[Token]) -> list[_Chunk]:
    """The pieces between the stars; literals that follow each other are joined."""
    chunks: list[list[str | _Wildcard]] = [[]]
    for token in tokens:
        if isinstance(token, Variable):
            raise TypeError(f"the variable {token.name} was not resolved")
        if token is STAR:
            chunks.append([])
        elif isinstance(token, str) and chunks[-1] and isinstance(chunks[-1][-1], str):
            chunks[-1][-1] += token
        else:
            chunks[-1].append(token)
    return [tuple(chunk) for chunk in chunks]


def _length(chunk: _Chunk) -> int:
    return sum(len(part) if isinstance(part, str) else 1 for part in chunk)


def _at(chunk: _Chunk, text: str, position: int) -> bool:
    for part in chunk:
        if isinstance(part, str):
            if not text.startswith(part, position):
                return False
            position += len(part)
        else:
            position += 1
    return True


def _finder(chunk: _Chunk) -> Callable[[str, int, int], int]:
    """The first place of a chunk in text[start:end], or -1: as str.find has it."""
    if len(chunk) == 1 and isinstance(chunk[0], str):
        wanted = chunk[0]
        return lambda text, start, end: text.find(wanted, start, end)
    return _shift_and(
        [None if part is ONE else char for part in chunk for char in _characters(part)]
    )


def _characters(part: str | _Wildcard) -> str:
    """A part of a chunk, as many characters as it matches."""
    return part if isinstance(part, str) else part.value


def _shift_and(wanted: Sequence[str | None]) -> Callable[[str, int, int], int]:
    """Baeza-Yates and Gonnet, "A new approach to text searching" (1992); None is any character.

    Bit i of the state says that the last i + 1 characters are the first i + 1 that are wanted.
    """
    places: dict[str | None, list[int]] = {None: []}
    for place, char in enumerate(wanted):
        places.setdefault(char, []).append(place)
    anything = _bits(places.pop(None), len(wanted))
    masks = {char: anything | _bits(found, len(wanted)) for char, found in places.items()}
    last = 1 << (len(wanted) - 1)

    def find(text: str, start: int, end: int) -> int:
        state = 0
        for at in range(start, end):
            state = (state << 1 | 1) & masks.get(text[at], anything)
            if state & last:
                return at - len(wanted) + 1
        return -1

    return find


def _bits(places: Iterable[int], size: int) -> int:
    """A number of so many bits with those at the places set."""
    data = bytearray((size + 7) // 8)
    for place in places:
        data[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(data, "little")
