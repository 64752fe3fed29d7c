"""Nearly right values: what is wrong lies anywhere, and mostly there is little of it.

Made from a number, so that a failure is found again by it; plain code, since a law of bytes wants
thousands of tries in a second and not the smallest of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgpack

__all__ = ["Near"]

T = TypeVar("T")
_NUMBERS = [0, 1, 2, -1, 31, 32, 127, 128, 1024, 1 << 16, 1 << 20, 1 << 31, 1 << 32, (1 << 64) - 1]
_STRINGS = ["", "a", "alias/a", "ü\0", "x" * 300, "0001-01-01T00:00:00+23:59", "NaN", "9" * 20]
_BYTES = [b"", b"\0", b"abc", bytes(96), b"\xff\xff\xff\xff"]


class Near:
    """Values from a seed; how often they are wrong is chosen from it as well."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._wrong = self._random.choice([0.0, 0.0, 0.03, 0.1, 0.4])

    def chance(self, of: float) -> bool:
        return self._random.random() < of

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def one_of(self, values: Sequence[T]) -> T:
        return self._random.choice(values)

    def blob(self, most: int) -> bytes:
        return self._random.randbytes(self._random.randint(0, most))

    def right(self, value: T) -> T | Any:
        """The value, or anything else."""
        return self.anything() if self.chance(self._wrong) else value

    def some(self, makers: Mapping[str, Callable[[], Any]], each: float) -> dict[str, Any]:
        """A map that has each member with that chance."""
        return {name: self.right(make()) for name, make in makers.items() if self.chance(each)}

    def anything(self, depth: int = 0) -> Any:
        kind = self.number(0, 8 if depth < 3 else 6)
        if kind < 2:
            return self.one_of([None, True, False])
        if kind < 4:
            return self.one_of([*_NUMBERS, self.number(-(1 << 63), (1 << 64) - 1)])
        if kind == 4:
            return self.one_of(_STRINGS)
        if kind < 7:
            return self.one_of([*_BYTES, self.blob(40)])
        inner = [self.anything(depth + 1) for _ in range(self.number(0, 4))]
        if kind == 7:
            return inner
        return {self.one_of(_STRINGS): each for each in inner}

    def packed(self, value: Any) -> bytes:
        """MessagePack; where it is wrong, bytes are others, or the end is not there."""
        body: bytes = msgpack.packb(value)
        if not self.chance(self._wrong):
            return body
        changed = bytearray(body)
        for _ in range(self.number(0, 2)):
            changed[self.number(0, len(body) - 1)] = self.number(0, 255)
        return bytes(changed) if self.chance(0.7) else bytes(changed[: self.number(0, len(body))])
