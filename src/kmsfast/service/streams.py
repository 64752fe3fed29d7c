"""Files and pipes of any size as sealed streams (docs/sealed-format.md), in constant memory.

Rules:
- records of 64 KiB, a few MiB of them in each call of the C core;
- one block is read ahead, since the last record is sealed differently from the others;
- decryption writes only what was authenticated; whoever needs all or nothing writes to a new file
  and renames it when the call has returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

import numpy as np

from kmsfast.crypto.sealed import HEADER_LEN, SealedReader, SealedWriter
from kmsfast.errors import InvalidCiphertext, ValidationError
from kmsfast.service.encryption import Encryption

__all__ = ["RECORD_SIZE", "decrypt_stream", "encrypt_stream"]

RECORD_SIZE: Final = 65_536
_BLOCK: Final = 4 << 20
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
        for block, last in _blocks(src, _BLOCK):
            _seal(writer, dst, block, last=last, threads=threads)


def decrypt_stream(
    encryption: Encryption, src: BinaryIO, dst: BinaryIO, context: Context, *, threads: int = 1
) -> None:
    """Opens a sealed stream and writes its plaintext to ``dst``.

    Raises:
        FrameError: not a sealed stream.
        InvalidCiphertext: a record does not open, or the stream was cut off.
        ValidationError: a sealed batch with records of another size.
    """
    with encryption.sealed_reader(_read(src, HEADER_LEN), context) as reader:
        if reader.record_size != RECORD_SIZE:
            raise ValidationError(
                f"not a stream: its records have {reader.record_size} bytes (0: they vary), those "
                f"of a stream {RECORD_SIZE}; or its header was changed"
            )
        first = 0
        for block, last in _blocks(src, _BLOCK // RECORD_SIZE * _WIDTH):
            first += _open(reader, dst, block, first=first, last=last, threads=threads)


def _seal(writer: SealedWriter, dst: BinaryIO, block: bytes, *, last: bool, threads: int) -> None:
    full, tail = _records(block, RECORD_SIZE)
    if len(full):
        ends_here = last and tail is None
        _write(dst, writer.seal(full, last=ends_here, threads=threads).reshape(-1).data)
    if tail is not None:
        _write(dst, writer.seal(tail, last=True).reshape(-1).data)


def _open(
    reader: SealedReader, dst: BinaryIO, block: bytes, *, first: int, last: bool, threads: int
) -> int:
    """Writes the plaintext of a block of records; returns how many there were."""
    full, tail = _records(block, _WIDTH)
    parts = ([full] if len(full) else []) + ([] if tail is None else [tail])
    at = first
    for part in parts:
        ends_here = last and part is parts[-1]
        if part.shape[1] < _TAG_LEN:
            raise _cut_off(at)
        opened, failed = reader.open(part, first=at, last=ends_here, threads=threads)
        good = min(failed, default=len(part))
        _write(dst, opened[:good].reshape(-1).data)
        if failed:
            raise _cut_off(at + good)
        at += len(part)
    return at - first


def _records(block: bytes, width: int) -> tuple[Any, Any]:
    """The block's records of full width as rows, and the shorter rest as one row; None: no rest."""
    data = np.frombuffer(block, np.uint8)
    num = len(data) // width
    full = data[: num * width].reshape(num, width)
    rest = data[num * width :]
    return full, rest.reshape(1, -1) if len(rest) or not num else None


def _blocks(src: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Blocks of ``size`` bytes, and whether each is the last; that one may be shorter or empty."""
    block = _read(src, size)
    while len(block) == size:
        following = _read(src, size)
        yield block, not following
        if not following:
            return
        block = following
    yield block, True


def _read(src: BinaryIO, size: int) -> bytes:
    """``size`` bytes; fewer only at the end, also of a pipe."""
    data = src.read(size)
    if data is None:
        raise ValidationError("the source is non-blocking; streams are read from blocking sources")
    if len(data) == size or not data:
        return data
    parts, missing = [data], size - len(data)
    while missing and (data := src.read(missing)):
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


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
