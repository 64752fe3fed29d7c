"""Sealed batches (docs/sealed-format.md): a fresh data key each, immutable, 16 bytes a record."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kmsfast.crypto import blob
from kmsfast.crypto.column import as_column, chunks_of
from kmsfast.crypto.keys import _Held
from kmsfast.crypto.native import (
    TAG_LEN,
    check,
    checked_int,
    checked_threads,
    ffi,
    forget,
    lib,
)
from kmsfast.errors import FrameError, InvalidCiphertext, KmsError, ValidationError

if TYPE_CHECKING:
    import numpy as np
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["HEADER_LEN", "SealedName", "SealedReader", "SealedWriter", "parse_header"]

HEADER_LEN: Final = 136
_BLOB_AT: Final = 8
_DATA_KEY: Final = 32
_MAX_RECORD_SIZE: Final = 2**32 - 1


class SealedName(NamedTuple):
    """What the header of a sealed batch says."""

    key_id: bytes
    version: int
    flags: int
    record_size: int


def parse_header(header: bytes) -> SealedName:
    """Reads a header of 136 bytes without keys.

    Raises:
        FrameError: not a sealed batch, or of a version that this release does not know.
    """
    if header[:1] != b"\xf5":
        raise FrameError("not a sealed batch (the first byte is not f5)")
    if len(header) < HEADER_LEN:
        raise FrameError(
            f"only {len(header)} of the {HEADER_LEN} bytes of the header of a sealed batch"
        )
    if len(header) > HEADER_LEN:
        raise FrameError(
            f"{len(header)} bytes given as the header of a sealed batch, which has {HEADER_LEN}"
        )
    if header[1] != 1 or header[3] != 0:
        raise FrameError(
            f"a sealed batch of frame version {header[1]}, flags {header[3]}, which this release "
            "does not know; a newer release wrote it, or it was changed"
        )
    if header[2] != 2:
        raise FrameError(f"suite {header[2]} is not that of sealed batches, which is 2")
    name = blob.parse_key(header[_BLOB_AT:])
    return SealedName(*name, record_size=int.from_bytes(header[4:8], "big"))


def _record_error(status: int) -> KmsError:
    if status == lib.KF_REC_TRUNCATED:
        return FrameError(f"shorter than the {TAG_LEN} bytes of an empty sealed record")
    return InvalidCiphertext(
        "the record does not open: it was changed, moved, dropped or cut off, or is of another "
        "batch"
    )


def _no_chunks(values: Any) -> Any:
    return values if chunks_of(values) is None else values.combine_chunks()


def _given(data_key: bytes) -> Any:
    """A data key as C takes it.

    Raises:
        InvalidCiphertext: it has another length than that of a sealed batch.
    """
    if len(data_key) != _DATA_KEY:
        raise InvalidCiphertext(
            f"the header's blob has {len(data_key)} bytes of plaintext; a data key has {_DATA_KEY}"
        )
    return ffi.from_buffer("uint8_t[]", data_key)


class _Batch(_Held):
    """A batch's data key in the arena."""

    __slots__ = ()

    @property
    def _live(self) -> int:
        if not self._handle:
            raise ValidationError(f"the {type(self).__name__} was closed; make another one")
        return self._handle


class SealedWriter(_Batch):
    """Seals one batch, record after record; C counts the nonces.

    Args:
        handle: the key version that wraps the batch's data key.
        context: canonical encryption context.
        record_size: bytes of every record but the last; 0 when they vary.
    """

    __slots__ = ("_turn", "header", "record_size")

    def __init__(self, handle: int, context: bytes, record_size: int = 0) -> None:
        self.record_size = checked_int(record_size, 0, _MAX_RECORD_SIZE, "record_size")
        out, header = ffi.new("uint64_t *"), ffi.new("uint8_t[]", HEADER_LEN)
        check(lib.kf_sealed_create(out, header, handle, record_size, context, len(context)))
        self._begin(out[0], header)

    @classmethod
    def of_data_key(
        cls, data_key: bytes, wrapped: bytes, context: bytes, record_size: int = 0
    ) -> SealedWriter:
        """Seals a batch under a fresh data key that another process has made and wrapped.

        Args:
            data_key: 32 bytes, for this batch alone; they are wiped.
            wrapped: its blob, under the same context.
        """
        writer = cls.__new__(cls)
        writer.record_size = checked_int(record_size, 0, _MAX_RECORD_SIZE, "record_size")
        out, header = ffi.new("uint64_t *"), ffi.new("uint8_t[]", HEADER_LEN)
        given = _given(data_key)
        if len(wrapped) != HEADER_LEN - _BLOB_AT:
            raise FrameError(f"{len(wrapped)} bytes are no blob of a data key of 32 bytes")
        check(lib.kf_arena_open(0))
        try:
            check(
                lib.kf_sealed_begin(
                    out, header, given, wrapped, writer.record_size, context, len(context)
                )
            )
        finally:
            forget(data_key)
        writer._begin(out[0], header)
        return writer

    def _begin(self, handle: int, header: Any) -> None:
        super().__init__(handle)
        self.header = bytes(ffi.buffer(header))
        self._turn = threading.Lock()

    def seal(self, values: Any, *, last: bool, threads: int = 1) -> Any:
        """The next records as ciphertext and tag each, the same kind.

        Args:
            last: no more follow; there is at least one, since it ends the batch.

        Raises:
            ValidationError: nulls, records of another size than the batch's, no record that could
                be the last, or a batch that was ended or closed.
        """
        checked_threads(threads)
        column = as_column(_no_chunks(values))
        if column.skip is not None:
            raise ValidationError("a sealed batch holds no nulls; use blobs for columns with nulls")
        if last and column.num == 0:
            raise ValidationError("the last records of a sealed batch are none; it ends with one")
        sink = column.plan(TAG_LEN)
        self._seal(sink, column, last=last, threads=threads)
        return sink.finish(())

    def seal_block(self, block: memoryview, out: memoryview, *, last: bool, threads: int) -> int:
        """The next records, back to back in ``block``, into ``out``.

        All have ``record_size`` bytes but the last of the batch, which may be shorter or empty.

        Returns:
            Number of bytes written.

        Raises:
            ValidationError: as :meth:`seal`, or ``out`` is too small.
        """
        checked_threads(threads)
        records = _Block(block, self.record_size, out, TAG_LEN)
        self._seal(records, records, last=last, threads=threads)
        return records.ends[records.num]

    def _seal(self, sink: Any, column: Any, *, last: bool, threads: int) -> None:
        with self._turn:
            status = lib.kf_sealed_seal(
                self._live, sink.out, sink.out_len, sink.offsets, sink.ptrs, column.struct,
                column.num, last, threads,
            )  # fmt: skip
        if status == lib.KF_ERR_ARGUMENT:
            raise ValidationError(
                f"every record of this sealed batch has {self.record_size} bytes, but for its last "
                "one, which may be shorter"
            )
        check(status)


class SealedReader(_Batch):
    """Opens records of one batch, by index.

    Raises:
        InvalidCiphertext: the header does not open under this key and context.
    """

    __slots__ = ("record_size",)

    def __init__(self, handle: int, header: bytes, context: bytes) -> None:
        self.record_size = parse_header(header).record_size
        out = ffi.new("uint64_t *")
        status = lib.kf_sealed_load(out, handle, header, context, len(context))
        if status == lib.KF_ERR_AUTH:
            raise InvalidCiphertext(
                "the sealed batch does not open: its header was changed, or the encryption context "
                "differs from the one it was sealed with"
            )
        check(status)
        super().__init__(out[0])

    @classmethod
    def of_data_key(cls, data_key: bytes, header: bytes, context: bytes) -> SealedReader:
        """Opens a batch whose data key another process has unwrapped; its 32 bytes are wiped."""
        reader = cls.__new__(cls)
        reader.record_size = parse_header(header).record_size
        out, given = ffi.new("uint64_t *"), _given(data_key)
        check(lib.kf_arena_open(0))
        try:
            check(lib.kf_sealed_resume(out, given, header, context, len(context)))
        finally:
            forget(data_key)
        _Batch.__init__(reader, out[0])
        return reader

    def open(
        self, values: Any, *, first: int, last: bool, threads: int = 1
    ) -> tuple[Any, dict[int, KmsError]]:
        """Records ``first`` and up, and the error of each that does not open (index in values).

        Args:
            first: index in the batch of the first of ``values``.
            last: the last of ``values`` must be the batch's final record.

        Raises:
            ValidationError: not a batch, or the reader was closed.
        """
        checked_threads(threads)
        checked_int(first, 0, 2**63 - 1, "first")
        column = as_column(_no_chunks(values))
        sink = column.plan(-TAG_LEN)
        status = np.full(column.num, lib.KF_REC_SKIPPED, np.uint8)
        given = ffi.from_buffer("uint8_t[]", status)
        bad = self._open(sink, given, column, first=first, last=last, threads=threads)
        failed = np.flatnonzero(status > lib.KF_REC_SKIPPED) if bad else ()
        errors: dict[int, KmsError] = {int(i): _record_error(int(status[i])) for i in failed}
        return sink.finish(errors), errors

    def open_block(
        self, block: memoryview, out: memoryview, *, first: int, last: bool, threads: int
    ) -> tuple[int, int, bool]:
        """Records ``first`` and up, back to back in ``block``, into ``out``.

        All have ``record_size`` bytes but the last of the batch, which may be shorter or empty.

        Args:
            last: the last of them must be the batch's final record.

        Returns:
            How many open before the first that does not, their bytes, and whether these are all.
        """
        checked_threads(threads)
        records = _Block(block, self.record_size + TAG_LEN, out, -TAG_LEN)
        status = ffi.new("uint8_t[]", records.num)
        bad = self._open(records, status, records, first=first, last=last, threads=threads)
        good = records.num
        if bad:
            good = next(i for i in range(records.num) if status[i] != lib.KF_REC_OK)
        return good, records.ends[good], not bad

    def _open(
        self, sink: Any, status: Any, column: Any, *, first: int, last: bool, threads: int
    ) -> int:
        """Fills the status of each record; returns how many do not open."""
        bad = ffi.new("int64_t *")
        check(
            lib.kf_sealed_open(
                self._live, sink.out, sink.out_len, sink.offsets, sink.ptrs, status, bad, first,
                column.struct, column.num, last, threads,
            )
        )  # fmt: skip
        return int(bad[0])


class _Block:
    """Records of one width in a buffer and their results in another, as C takes both.

    Attributes:
        num: records; one, which is empty, if there are no bytes.
        ends: where the result of each begins, and where the last one ends.
    """

    ptrs = ffi.NULL

    def __init__(self, block: memoryview, width: int, out: memoryview, delta: int) -> None:
        size = len(block)
        self.num = max(1, -(-size // width))
        begins = range(0, self.num * width, width)
        short = max(0, size - begins[-1] + delta)
        step = width + delta
        self.ends: list[int] = [*range(0, self.num * step, step), (self.num - 1) * step + short]
        self._keep = ffi.from_buffer("uint8_t[]", block), ffi.new("int64_t[]", [*begins, size])
        self.struct = ffi.new("struct kf_column *")
        self.struct.data, self.struct.offsets = self._keep
        self.struct.data_len = size
        self.out = ffi.from_buffer("uint8_t[]", out, require_writable=True)
        self.out_len, self.offsets = len(out), ffi.new("int64_t[]", self.ends)
