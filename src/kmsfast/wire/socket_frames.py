"""Frames of the socket (docs/socket.md): bytes to checked values, and values to bytes.

Rules:
- a frame is one MessagePack array of nil, booleans, integers, str, bin, arrays and maps whose keys
  are strings; anything else is :class:`MalformedFrame`, the one error of this module;
- memory and time are bounded by the bytes that are there, not by those that are declared: a frame
  is measured before any object is made of it;
- no map has a key twice, and nothing is nested deeper than MAX_DEPTH.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgpack

from kmsfast.errors import KmsError

__all__ = [
    "HEADER",
    "MAX_BEFORE_HELLO",
    "MAX_DEPTH",
    "MAX_FRAME",
    "MAX_INFLIGHT",
    "MAX_ITEMS",
    "MAX_LIST",
    "MAX_MESSAGE",
    "MalformedFrame",
    "decode",
    "encode",
    "length_of",
    "with_length",
]

HEADER: Final = 4
"""Bytes of a frame's length, big-endian."""

MAX_BEFORE_HELLO: Final = 4096
"""Bytes of the client's hello, and of any frame before it."""

MAX_FRAME: Final = 16 << 20
MAX_MESSAGE: Final = 1 << 30
"""Bytes of a payload with all its chunks."""

MAX_ITEMS: Final = 1 << 20
"""Records of a column."""

MAX_LIST: Final = 1 << 16
"""Elements of an array, and so of a column that is a list."""

MAX_INFLIGHT: Final = 1024
MAX_DEPTH: Final = 16
"""Containers within each other, the frame's array included."""

# Of all arrays and maps of a frame: two columns and their associated data, and what is beside them.
_MAX_ELEMENTS: Final = 4 * MAX_LIST
_CONTAINERS: Final = frozenset({list, dict})
_KINDS: Final = frozenset({type(None), bool, int, str, bytes, *_CONTAINERS})


class MalformedFrame(KmsError, ValueError):
    """Bytes that are no frame of this protocol; the connection that sent them ends."""

    code = "SerializationException"


class _Checks:
    """What msgpack calls for each container, innermost first; raises where a rule is broken."""

    __slots__ = ("_depths", "_elements")

    def __init__(self) -> None:
        self._depths: dict[int, int] = {}
        self._elements = 0

    def of_list(self, values: list[Any]) -> list[Any]:
        self._check(values, values)
        return values

    def of_map(self, pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a map has a key twice")
        if not all(type(name) is str for name in found):
            raise ValueError("a key of a map is no string")
        self._check(found, list(found.values()))
        return found

    def _check(self, container: Any, values: list[Any]) -> None:
        self._elements += len(values)
        if self._elements > _MAX_ELEMENTS:
            raise ValueError(f"it has more than {_MAX_ELEMENTS} elements")
        kinds = set(map(type, values))
        if not kinds <= _KINDS:
            raise ValueError("it has a float or an extension type")
        inner = 0
        if kinds & _CONTAINERS:
            # Their ids are theirs: they live in ``container``.
            inner = max(self._depths.pop(id(each)) for each in values if type(each) in _CONTAINERS)
        if inner >= MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
        self._depths[id(container)] = inner + 1


def decode(body: bytes) -> list[Any]:
    """The array of a frame, from what follows its length.

    Raises:
        MalformedFrame: anything else.
    """
    checks = _Checks()
    try:
        _measure(body)
        value = msgpack.unpackb(
            body,
            object_pairs_hook=checks.of_map,
            list_hook=checks.of_list,
            max_array_len=MAX_LIST,
            max_map_len=MAX_LIST,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        # Of the error only the form: what it is about may be plaintext.
        known = type(error) is ValueError
        reason = str(error) if known else type(error).__name__
        raise MalformedFrame(f"The frame is not well-formed: {reason}") from None
    if type(value) is not list:
        raise MalformedFrame("The frame is not an array")
    return value


def _measure(body: bytes) -> None:
    """Passes when the bytes are one value and nothing else; makes no objects."""
    unpacker = msgpack.Unpacker(max_buffer_size=max(len(body), 1))
    unpacker.feed(body)
    unpacker.skip()
    if unpacker.tell() != len(body):
        raise ValueError("bytes follow the array")


def encode(*values: Any) -> bytes:
    """The frame of these values, with its length; buffers (memoryview) become bin."""
    return with_length(msgpack.packb(values))


def with_length(*parts: bytes) -> bytes:
    """A frame of an encoded array."""
    size = sum(map(len, parts))
    return b"".join((size.to_bytes(HEADER, "big"), *parts))


def length_of(header: Iterable[int], limit: int) -> int:
    """The length that a frame's first four bytes say.

    Raises:
        MalformedFrame: more than the limit, or none.
    """
    size = int.from_bytes(bytes(header), "big")
    if not 1 <= size <= limit:
        raise MalformedFrame(f"A frame has 1 to {limit} bytes, not {size}")
    return size
