r"""Segments and their records as bytes; no I/O here.

A segment is a file: 16 bytes ``kmsfast audit 1\\n``, then records. A record is

    u32 length of what follows, little-endian | u8 kind | body | SHA-256 (32 bytes)

and the hash is over the hash of the record before it (of the first one: 32 zero bytes), the length,
the kind and the body. So the records of all segments are one chain.

==============  ============================================================================
HEADER          first of each segment: segment, records before it, store id, public key, time
EVENT           what a caller did (:mod:`.event`)
CHECKPOINT      records before it, their last hash, time, signature
NOTE            what befell the log: repaired, or old segments removed
EVENTS          an event, and behind it what like events have of their own
==============  ============================================================================

Bodies are msgpack arrays, that of EVENTS several; times are whole microseconds since 1970-01-01
UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import IntEnum
from mmap import mmap
from typing import Any, Final, NamedTuple

import msgpack

from kmsfast.errors import FrameError

__all__ = [
    "EVENT_KINDS",
    "KIND_AT",
    "MAGIC",
    "NO_CHAIN",
    "Checkpoint",
    "Frame",
    "Header",
    "Kind",
    "Note",
    "body_of",
    "checkpoint_message",
    "ends_of",
    "event_bodies",
    "frames",
    "pack",
    "record",
    "segment_name",
    "segment_number",
    "unpack",
]

MAGIC: Final = b"kmsfast audit 1\n"
NO_CHAIN: Final = bytes(32)
_HEAD_LEN, _CHAIN_LEN = 5, 32
KIND_AT: Final = 4  # from where a record begins
_MAX_LEN: Final = 1 + (1 << 20) + _CHAIN_LEN
_SUFFIX: Final = ".log"
_DIGITS: Final = 8


class Kind(IntEnum):
    """The kind of a record."""

    HEADER = 0
    EVENT = 1
    CHECKPOINT = 2
    NOTE = 3
    EVENTS = 4


EVENT_KINDS: Final = frozenset({int(Kind.EVENT), int(Kind.EVENTS)})


class Header(NamedTuple):
    """The body of a segment's first record.

    Attributes:
        num_before: records in the segments before it.
        store_id: 16 bytes.
        public_key: that checks the checkpoints, x || y of P-256, 64 bytes.
    """

    segment: int
    num_before: int
    store_id: bytes
    public_key: bytes
    time: int


class Checkpoint(NamedTuple):
    """A signature over all that was logged so far.

    Attributes:
        num: records before it.
        chain: the hash of the last of them.
        signature: r || s, 64 bytes, of :func:`checkpoint_message`'s SHA-256.
    """

    num: int
    chain: bytes
    time: int
    signature: bytes


class Note(NamedTuple):
    """What befell the log itself.

    Attributes:
        what: ``repaired``: ``amount`` bytes of a record that was never finished were cut off;
            ``removed``: ``amount`` old segments were removed, so that the log begins with
            ``segment``, whose first record follows ``chain``.
    """

    what: str
    time: int
    amount: int
    segment: int
    chain: bytes


class Frame(NamedTuple):
    """A record as it lies in a file.

    Attributes:
        offset: where it begins.
        end: where the next one begins.
        chain: the hash that it carries.
        computed: the hash that it should carry.
    """

    offset: int
    end: int
    kind: int
    body: bytes
    chain: bytes
    computed: bytes


def frames(data: bytes | mmap, offset: int, before: bytes) -> Iterator[Frame]:
    """The records of a segment from ``offset`` on.

    A record whose hash is wrong is given like others, and the next one is compared with the hash
    that it carries.

    Args:
        offset: where a record begins.
        before: the hash of the record before it.

    Raises:
        FrameError: the bytes from here on are no record; ``args[1]`` is the offset.
    """
    size = len(data)
    while offset < size:
        length = int.from_bytes(data[offset : offset + 4], "little")
        end = offset + 4 + length
        if not 1 + _CHAIN_LEN <= length <= _MAX_LEN or end > size:
            raise FrameError(f"no record begins at byte {offset}", offset)
        covered = bytes(data[offset : end - _CHAIN_LEN])
        chain = bytes(data[end - _CHAIN_LEN : end])
        computed = hashlib.sha256(before + covered).digest()
        yield Frame(offset, end, covered[4], covered[_HEAD_LEN:], chain, computed)
        offset, before = end, chain


def ends_of(data: bytes) -> Iterator[int]:
    """Where the records of a segment end, by their lengths alone, as far as there are whole ones.

    The first one begins behind MAGIC.
    """
    offset, size = len(MAGIC), len(data)
    while offset + 4 <= size:
        length = int.from_bytes(data[offset : offset + 4], "little")
        offset += 4 + length
        if not 1 + _CHAIN_LEN <= length <= _MAX_LEN or offset > size:
            return
        yield offset


def body_of(data: bytes, start: int, end: int) -> bytes:
    """The body of a record that begins and ends there."""
    return data[start + _HEAD_LEN : end - _CHAIN_LEN]


def pack(values: Any) -> bytes:
    """The body of a record, or a value in one."""
    packed: bytes = msgpack.packb(values, unicode_errors="surrogatepass")
    return packed


def record(kind: Kind, body: bytes, before: bytes) -> tuple[bytes, bytes]:
    """A record that follows the hash ``before``: its bytes, and its own hash, which ends them."""
    covered = (1 + len(body) + _CHAIN_LEN).to_bytes(4, "little") + bytes([kind]) + body
    chain = hashlib.sha256(before + covered).digest()
    return covered + chain, chain


def unpack(kind: type[Any], body: bytes) -> Any:
    """The body as one of the tuples above.

    Raises:
        FrameError: it is not of that form.
    """
    try:
        values = msgpack.unpackb(body, use_list=False, unicode_errors="surrogatepass")
        return kind(*values)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise FrameError(f"a record does not hold a {kind.__name__.lower()}") from error


def checkpoint_message(store_id: bytes, num: int, chain: bytes, time: int) -> bytes:
    """What a checkpoint's signature is over."""
    numbers = num.to_bytes(8, "big") + time.to_bytes(8, "big")
    return b"kmsfast audit checkpoint v1" + store_id + numbers + chain


def segment_name(number: int) -> str:
    """The file name of a segment."""
    return f"{number:0{_DIGITS}d}{_SUFFIX}"


def segment_number(name: str) -> int | None:
    """The number of the segment that a file is; None: it is something else."""
    stem = name.removesuffix(_SUFFIX)
    if stem == name or not stem.isascii() or not stem.isdecimal():
        return None
    number = int(stem)
    return number if number > 0 and segment_name(number) == name else None


def event_bodies(data: bytes | mmap, offset: int = len(MAGIC)) -> Iterator[tuple[int, bytes]]:
    """The records of a segment's events, up to what is no record; hashes are not looked at.

    Yields:
        The kind and the body.
    """
    size, from_bytes = len(data), int.from_bytes
    while offset + _HEAD_LEN <= size:
        length = from_bytes(data[offset : offset + 4], "little")
        end = offset + 4 + length
        if not 1 + _CHAIN_LEN <= length <= _MAX_LEN or end > size:
            return
        kind = data[offset + KIND_AT]
        if kind in EVENT_KINDS:
            yield kind, data[offset + _HEAD_LEN : end - _CHAIN_LEN]
        offset = end
