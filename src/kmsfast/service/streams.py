"""Files and pipes of any size as sealed streams (docs/sealed-format.md), in constant memory.

Rules:
- records of 64 KiB, 16 for each thread in a call of the C core: what is read, sealed and written
  stays in the processor's cache, and its buffers are used again;
- with more than one thread, a file is read, sealed and written in a thread each. Not a pipe: a
  thread that waits for one cannot be ended;
- one block is read ahead, since the last record is sealed differently from the others;
- decryption writes only what was authenticated; whoever needs all or nothing writes to a new file
  and renames it when the call has returned.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from functools import partial
from itertools import cycle
from typing import BinaryIO, Final

from kmsfast.crypto.native import TAG_LEN
from kmsfast.crypto.sealed import HEADER_LEN, SealedReader, SealedWriter
from kmsfast.errors import InvalidCiphertext, ValidationError
from kmsfast.service.ahead import ahead

__all__ = ["RECORD_SIZE", "read_header", "seal", "unseal"]

RECORD_SIZE: Final = 65_536
_RECORDS: Final = 16
_WIDTH: Final = RECORD_SIZE + TAG_LEN

_Block = tuple[memoryview, bool]
_Pieces = Generator[memoryview, None, None]
_Change = Callable[[Iterable[_Block], int, int], _Pieces]


def seal(writer: SealedWriter, src: BinaryIO, dst: BinaryIO, threads: int) -> None:
    """Seals all that ``src`` gives and writes the stream to ``dst``.

    Args:
        writer: of a batch whose records have RECORD_SIZE bytes.
    """
    _write(dst, writer.header)
    _pass(src, RECORD_SIZE, partial(_sealed, writer), dst, threads)


def read_header(src: BinaryIO) -> bytes:
    """What a stream begins with; fewer bytes where it ends before."""
    header = memoryview(bytearray(HEADER_LEN))
    size = _fill(src, header)
    return bytes(header[:size])


def unseal(reader: SealedReader, src: BinaryIO, dst: BinaryIO, threads: int) -> None:
    """Opens what follows the header, by a reader of it, and writes the plaintext to ``dst``.

    Raises:
        InvalidCiphertext: a record does not open, or the stream was cut off.
        ValidationError: a sealed batch with records of another size.
    """
    if reader.record_size != RECORD_SIZE:
        raise ValidationError(
            f"not a stream: its records have {reader.record_size} bytes (0: they vary), those "
            f"of a stream {RECORD_SIZE}; or its header was changed"
        )
    _pass(src, _WIDTH, partial(_opened, reader), dst, threads)


def _pass(src: BinaryIO, width: int, change: _Change, dst: BinaryIO, threads: int) -> None:
    """Writes what ``change`` makes of the records of ``src``, which have ``width`` bytes."""
    overlap = threads > 1 and _is_file(src)
    workers = threads - overlap
    read = _blocks(src, _RECORDS * workers * width, 2 + overlap)
    with closing(ahead(read) if overlap else read) as blocks:
        made = change(blocks, workers, 1 + overlap)
        with closing(ahead(made) if overlap else made) as pieces:
            for piece in pieces:
                _write(dst, piece)


def _sealed(writer: SealedWriter, blocks: Iterable[_Block], threads: int, buffers: int) -> _Pieces:
    outs = cycle(_buffers(buffers, _RECORDS * threads * _WIDTH))
    for (block, last), out in zip(blocks, outs, strict=False):
        yield out[: writer.seal_block(block, out, last=last, threads=threads)]


def _opened(reader: SealedReader, blocks: Iterable[_Block], threads: int, buffers: int) -> _Pieces:
    outs = cycle(_buffers(buffers, _RECORDS * threads * RECORD_SIZE))
    first = 0
    for (block, last), out in zip(blocks, outs, strict=False):
        good, size, whole = reader.open_block(block, out, first=first, last=last, threads=threads)
        yield out[:size]
        first += good
        if not whole:
            raise _cut_off(first)


def _blocks(src: BinaryIO, size: int, buffers: int) -> Generator[_Block, None, None]:
    """Blocks of ``size`` bytes, each with whether it is the last, which may be shorter.

    The last one is empty only if there is nothing else. With two buffers a block is good until the
    next one is asked for, with three until the one after it is.
    """
    places = cycle(_buffers(buffers, size))
    now = next(places)
    filled = _fill(src, now)
    while filled == size and (following := _fill(src, after := next(places))):
        yield now, False
        now, filled = after, following
    yield now[:filled], True


def _buffers(num: int, size: int) -> list[memoryview]:
    return [memoryview(bytearray(size)) for _ in range(num)]


def _is_file(src: BinaryIO) -> bool:
    """Whether reading never waits for anybody."""
    try:
        return stat.S_ISREG(os.fstat(src.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False


def _fill(src: BinaryIO, buffer: memoryview) -> int:
    """Reads until the buffer is full; fewer bytes only at the end, also of a pipe."""
    size = 0
    while size < len(buffer):
        got = _read_some(src, buffer[size:])
        if not got:
            break
        size += got
    return size


def _read_some(src: BinaryIO, view: memoryview) -> int:
    try:
        got: int | None = src.readinto(view)  # type: ignore[attr-defined]
    except (AttributeError, NotImplementedError):  # a reader of another make has read alone
        data = src.read(len(view))
        got = None if data is None else len(data)
        if data:
            view[: len(data)] = data
    if got is None:
        raise ValidationError("the source is non-blocking; streams are read from blocking sources")
    return got


def _write(dst: BinaryIO, data: bytes | memoryview) -> None:
    """All of the bytes, also to a raw file that takes only some at a time."""
    rest = memoryview(data)
    while rest:
        written = dst.write(rest)
        rest = rest[len(rest) if written is None else written :]


def _cut_off(i: int) -> InvalidCiphertext:
    return InvalidCiphertext(
        f"record {i} of the stream does not open: it was changed or moved, or the stream was cut "
        "off; what was written before it is authentic, but not all"
    )
