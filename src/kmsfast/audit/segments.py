"""The files of an audit log: which there are, and where what was finished ends."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from kmsfast.audit.frames import (
    MAGIC,
    NO_CHAIN,
    Frame,
    Header,
    Kind,
    frames,
    segment_name,
    segment_number,
    unpack,
)
from kmsfast.errors import AuditUnusable, FrameError

__all__ = [
    "create_segment",
    "last_chain",
    "open_segment",
    "read_header",
    "segments",
    "sync_directory",
    "whole_end",
    "write_whole",
]

_CHAIN_LEN: Final = 32
_FIRST_READ: Final = 4096  # more than a header has


def segments(directory: Path) -> list[int]:
    """The numbers of the segments, in order."""
    numbers = (segment_number(path.name) for path in directory.iterdir())
    return sorted(number for number in numbers if number is not None)


def read_header(directory: Path, number: int) -> Header:
    """The first record of a segment.

    Raises:
        OSError: the file cannot be read. FrameError: it does not begin with one.
    """
    with (directory / segment_name(number)).open("rb") as file:
        data = file.read(_FIRST_READ)
    for frame in frames(data, len(MAGIC), NO_CHAIN):
        if frame.kind == Kind.HEADER:
            header: Header = unpack(Header, frame.body)
            return header
        break
    raise FrameError(f"segment {number} does not begin with a header", len(MAGIC))


def create_segment(directory: Path, number: int, first: bytes) -> int:
    """Makes a segment with its first record, on the disk: a descriptor to append to it.

    A file of its name is no segment of the log yet, for the mark is not in it: it goes.

    Raises:
        OSError: the disk is full, for example.
    """
    path = directory / segment_name(number)
    write_whole(path, MAGIC + first)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        sync_directory(directory)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_segment(directory: Path, number: int) -> int:
    """A descriptor to append to a segment.

    Raises:
        AuditUnusable: it is not there.
    """
    path = directory / segment_name(number)
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise AuditUnusable(
            f"{path} is missing, which the audit log ends in; restore it from a backup, or begin "
            "a new log with 'kmsfast audit restart'"
        ) from None


def last_chain(descriptor: int, offset: int) -> bytes | None:
    """The hash that ends at ``offset``; None: the file is not as long."""
    if offset < _CHAIN_LEN:
        return None
    chain = os.pread(descriptor, _CHAIN_LEN, offset - _CHAIN_LEN)
    return chain if len(chain) == _CHAIN_LEN else None


def whole_end(descriptor: int, offset: int, chain: bytes) -> tuple[int, int, bytes]:
    """Where the whole records that follow ``offset`` end, how many they are, and the last hash."""
    size = os.fstat(descriptor).st_size
    data = _read(descriptor, offset, size - offset)
    last: Frame | None = None
    num = 0
    with suppress(FrameError):  # the rest is no record: it was never finished
        for frame in frames(data, 0, chain):
            if frame.chain != frame.computed:
                break
            last, num = frame, num + 1
    return (offset, 0, chain) if last is None else (offset + last.end, num, last.chain)


def write_whole(path: Path, data: bytes) -> None:
    """Makes a file, in place of one that is there; as a whole, and on the disk, or not at all.

    Whoever calls it holds a lock that keeps others from making the same file.

    Raises:
        OSError: the disk is full, for example.
    """
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)


def sync_directory(directory: Path) -> None:
    """Returns when the directory's entries are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(descriptor: int, offset: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.pread(descriptor, size, offset)):
        parts.append(part)
        offset, size = offset + len(part), size - len(part)
    return b"".join(parts)
