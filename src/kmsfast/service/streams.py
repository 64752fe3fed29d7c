"""Files and pipes of any size as sealed streams (docs/sealed-format.md), in constant memory.

Rules:
- records of 64 KiB, 16 for each thread in a call of the C core: what is read, sealed and written
  stays in the processor's cache, and its buffers are used again;
- one block is read ahead, since the last record is sealed differently from the others;
- decryption writes only what was authenticated; whoever needs all or nothing writes to a new file
  and renames it when the call has returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

import numpy as np

from kmsfast.crypto.column import Packed
from kmsfast.crypto.sealed import HEADER_LEN, SealedReader
from kmsfast.errors import InvalidCiphertext, ValidationError
from kmsfast.service.encryption import Encryption

__all__ = ["RECORD_SIZE", "decrypt_stream", "encrypt_stream"]

RECORD_SIZE: Final = 65_536
_RECORDS: Final = 16
_TAG_LEN: Final = 16
_WIDTH: Final = RECORD_SIZE + _TAG_LEN

Context = Mapping[str, str] | None


def encrypt_stream(
    encryption: Encryption, raw_id: bytes, src: BinaryIO, dst: BinaryIO, context: Context, *,
    threads: int = 1,
) -> None:  # fmt: skip
    """Seals all that ``src`` gives and writes the stream to ``dst``."""
    with encryption.sealed_writer(raw_id, context, RECORD_SIZE) as writer:
        _write(dst, writer.header)
        blocks = _Blocks(src, RECORD_SIZE, _RECORDS * threads)
        out = np.empty(_RECORDS * threads * _WIDTH, np.uint8)
        for block, last in blocks:
            sealed = writer.seal(block, last=last, threads=threads, out=out)
            _write(dst, sealed.data.data)


def decrypt_stream(
    encryption: Encryption, src: BinaryIO, dst: BinaryIO, context: Context, *, threads: int = 1
) -> None:
    """Opens a sealed stream and writes its plaintext to ``dst``.

    Raises:
        FrameError: not a sealed stream.
        InvalidCiphertext: a record does not open, or the stream was cut off.
        ValidationError: a sealed batch with records of another size.
    """
    header = np.empty(HEADER_LEN, np.uint8)
    size = _fill(src, header)
    with encryption.sealed_reader(header[:size].tobytes(), context) as reader:
        if reader.record_size != RECORD_SIZE:
            raise ValidationError(
                f"not a stream: its records have {reader.record_size} bytes (0: they vary), those "
                f"of a stream {RECORD_SIZE}; or its header was changed"
            )
        _open_all(reader, src, dst, threads)


def _open_all(reader: SealedReader, src: BinaryIO, dst: BinaryIO, threads: int) -> None:
    first = 0
    out = np.empty(_RECORDS * threads * RECORD_SIZE, np.uint8)
    for block, last in _Blocks(src, _WIDTH, _RECORDS * threads):
        num = len(block.offsets) - 1
        # The stream ends in less than a record: those before it are good, and not the last.
        cut = int(block.offsets[num] - block.offsets[num - 1]) < _TAG_LEN
        whole = Packed(block.data, block.offsets[: num + (not cut)])
        opened, failed = reader.open(
            whole, first=first, last=last and not cut, threads=threads, out=out
        )
        good = min(failed, default=num - cut)
        _write(dst, opened.data[: opened.offsets[good]].data)
        first += good
        if good < num:
            raise _cut_off(first)


class _Blocks:
    """Iterates over blocks of records, each with whether it is the last.

    All records have ``width`` bytes but the last one, which may be shorter, and empty if there is
    nothing else. A block is good until the next one is asked for.
    """

    def __init__(self, src: BinaryIO, width: int, num: int) -> None:
        self._src, self._width = src, width
        self._offsets = np.arange(num + 1, dtype=np.int64) * width
        self._buffers = np.empty((2, num * width), np.uint8)

    def __iter__(self) -> Iterator[tuple[Packed, bool]]:
        now, ahead = self._buffers
        size = _fill(self._src, now)
        while size == now.size:
            following = _fill(self._src, ahead)
            yield Packed(now, self._offsets), not following
            if not following:
                return
            now, ahead, size = ahead, now, following
        records = max(1, -(-size // self._width))
        yield Packed(now[:size], np.minimum(self._offsets[: records + 1], size)), True


def _fill(src: BinaryIO, buffer: Any) -> int:
    """Reads until the buffer is full; fewer bytes only at the end, also of a pipe."""
    view, size = memoryview(buffer), 0
    while size < len(view):
        got = _read_some(src, view[size:])
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
