"""Whole files and pipes in the sealed stream format, in constant memory.

Rules:
- what a file is, its first bytes say: a sealed stream, a single blob, a Parquet file;
- rewrap opens the old stream and seals a new one at the same time; when the old one turns out to
  be damaged the new one gets no final record, so that nobody takes it for complete.
"""

from __future__ import annotations

import threading
from io import RawIOBase
from queue import Queue
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

from kmsfast.errors import BatchError, KmsError, ValidationError
from kmsfast.tables.report import Context

if TYPE_CHECKING:
    from kmsfast.local import Kms

__all__ = ["Peeked", "decrypt_file", "kind_of", "read_blob", "rewrap_file"]

Kind = Literal["sealed", "blob", "parquet", "other"]

#: Bytes of the header of a sealed stream (docs/sealed-format.md).
HEADER_LEN = 136
#: A file that is one blob is read whole; larger ones are no blobs that anyone made.
MAX_BLOB = 64 << 20
#: Pieces of a stream that wait between the two halves of rewrap.
WAITING = 2


def kind_of(start: bytes) -> Kind:
    """What a file is that starts with these bytes (4 are enough)."""
    if start[:1] == b"\xf5" and start[2:3] == b"\x02":
        return "sealed"
    if start[:1] == b"\xf5":
        return "blob"
    return "parquet" if start[:4] == b"PAR1" else "other"


class Peeked(RawIOBase):
    """A reader whose first bytes were looked at already.

    Attributes:
        start: the first bytes, up to the length of a sealed header.
    """

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self.start = _read_full(source, HEADER_LEN)
        self._waiting = self.start

    def read(self, size: int = -1) -> bytes:
        """As of a file: at most `size` bytes, all if negative, none at the end."""
        if not self._waiting:
            return self._source.read(size)
        if size < 0:
            data, self._waiting = self._waiting + self._source.read(), b""
            return data
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        return data

    def readinto(self, buffer: Any) -> int:
        """As of a file."""
        if not self._waiting:
            got: int = self._source.readinto(buffer)  # type: ignore[attr-defined]
            return got
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """Of the file that is read."""
        return self._source.fileno()


def decrypt_file(
    kms: Kms, source: Peeked, target: BinaryIO, context: Context, *, threads: int = 1
) -> None:
    """Opens a sealed stream, or a file that is one blob.

    Raises:
        ValidationError: neither of them.
        InvalidCiphertext: damaged, cut off, or another context. What `target` got until then is
            authentic, but not all.
    """
    kind = kind_of(source.start)
    if kind == "sealed":
        kms.decrypt_stream(cast(BinaryIO, source), target, context, threads=threads)
        return
    target.write(kms.decrypt(read_blob(source), context))


def read_blob(source: Peeked) -> bytes:
    """A file that is one blob.

    Raises:
        ValidationError: it is not, or it is too large to be one.
    """
    if not source.start:
        raise ValidationError("it is empty; the encryption of an empty file has 152 bytes")
    if kind_of(source.start) != "blob":
        raise ValidationError(
            "it is not encrypted by kmsfast (it starts with neither a sealed stream nor a blob); "
            "for cells of a CSV file name them with --columns"
        )
    blob = source.read(MAX_BLOB + 1)
    if len(blob) > MAX_BLOB:
        raise ValidationError(
            f"a single blob of more than {MAX_BLOB >> 20} MiB; use the Python API"
        )
    return blob


def rewrap_file(kms: Kms, source: Peeked, target: BinaryIO, context: Context) -> None:
    """A sealed stream, or a file that is one blob, under the newest version of its key.

    Raises:
        ValidationError: neither of them.
        InvalidCiphertext: damaged, cut off, or another context.
    """
    import kmsfast

    if kind_of(source.start) != "sealed":
        try:
            (renewed,) = kms.rewrap_batch([read_blob(source)], context)
        except BatchError as error:
            raise error.errors[0] from None
        target.write(renewed)
        return
    key = kms.key(kmsfast.inspect(source.start).key_id)
    channel = _Channel()

    def unseal() -> None:
        try:
            kms.decrypt_stream(cast(BinaryIO, source), cast(BinaryIO, channel), context)
        except BaseException as error:  # noqa: BLE001 - handed to the reading half
            channel.fail(error)
        else:
            channel.end()

    thread = threading.Thread(target=unseal, name="kmsfast-unseal", daemon=True)
    thread.start()
    try:
        key.encrypt_stream(cast(BinaryIO, channel), target, context)
    finally:
        channel.abandon()
        thread.join()


class _Abandoned(KmsError):
    """The reading half is gone."""


class _Channel:
    """A pipe between two threads that carries an exception of the writing half."""

    def __init__(self) -> None:
        self._pieces: Queue[bytes | BaseException] = Queue(WAITING)
        self._rest = memoryview(b"")
        self._ended = self._abandoned = False

    def write(self, data: bytes) -> int:
        if self._abandoned:
            raise _Abandoned("the new stream cannot be written")
        if data:
            self._pieces.put(bytes(data))
        return len(data)

    def end(self) -> None:
        self._pieces.put(b"")

    def fail(self, error: BaseException) -> None:
        self._pieces.put(error)

    def abandon(self) -> None:
        """The reader stops; wakes a writer that waits for room."""
        self._abandoned = True
        while not self._pieces.empty():
            self._pieces.get_nowait()

    def read(self, size: int = -1) -> bytes:
        parts: list[bytes] = []
        while size != 0 and not self._ended:
            if not self._rest:
                self._fetch()
                continue
            part = self._rest[: size if size > 0 else None]
            self._rest = self._rest[len(part) :]
            parts.append(bytes(part))
            size -= len(part) if size > 0 else 0
        return b"".join(parts)

    def _fetch(self) -> None:
        piece = self._pieces.get()
        if isinstance(piece, BaseException):
            raise piece
        self._rest = memoryview(piece)
        self._ended = not piece


def _read_full(source: BinaryIO, size: int) -> bytes:
    """Up to `size` bytes; fewer only at the end, also from a pipe."""
    data = b""
    while len(data) < size and (piece := source.read(size - len(data))):
        data += piece
    return data
