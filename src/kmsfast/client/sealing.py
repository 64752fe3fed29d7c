"""Sealed batches and streams, sealed here under data keys of the server.

What is large does not travel: the server makes and wraps a data key, as envelope encryption has it,
and the records are sealed in this process. Format and results are those of the in-process key.
"""

from __future__ import annotations

from typing import Any

from kmsfast.client.asking import Context, Number, one_bin, one_data_key
from kmsfast.client.calls import Call, method
from kmsfast.crypto.sealed import SealedReader, SealedWriter, parse_header
from kmsfast.model.context import canonical
from kmsfast.service import sealing
from kmsfast.service.encryption import SealedBatch, as_bytes

__all__ = ["OpeningCalls", "SealingCalls"]

_DATA_KEY = 32
_BLOB_AT = 8  # of a header


class SealingCalls:
    """The part of a key that seals."""

    arn: str

    @method
    def sealed_writer(self, context: Context = None, record_size: int = 0) -> Call[SealedWriter]:
        """Seals one batch piece by piece; see :meth:`kmsfast.Key.sealed_writer`."""
        return (yield from self._writer(context, record_size))

    @method
    def seal_batch(
        self, values: Any, context: Context = None, *, threads: int = 1
    ) -> Call[SealedBatch]:
        """Records sealed together; see :meth:`kmsfast.Key.seal_batch`."""
        size = sealing.record_size(values)
        with (yield from self._writer(context, size)) as writer:
            return SealedBatch(writer.header, writer.seal(values, last=True, threads=threads))

    def _writer(self, context: Context, record_size: int) -> Call[SealedWriter]:
        bound = canonical(context)
        plain, blob = yield from one_data_key(self.arn, context, _DATA_KEY)
        return SealedWriter.of_data_key(plain, blob, bound, record_size)


class OpeningCalls:
    """The part of a key store that opens what was sealed."""

    @method
    def sealed_reader(self, header: bytes, context: Context = None) -> Call[SealedReader]:
        """Opens a sealed batch piece by piece; see :meth:`kmsfast.Kms.sealed_reader`."""
        return (yield from self._reader(header, context))

    @method
    def open_batch(
        self, sealed: SealedBatch | tuple[bytes, Any], context: Context = None, *, threads: int = 1
    ) -> Call[Any]:
        """All records of a sealed batch; see :meth:`kmsfast.Kms.open_batch`."""
        header, values = sealed
        sealing.check_ended(values)
        with (yield from self._reader(header, context)) as reader:
            return sealing.open_all(reader, values, threads)

    @method
    def open_record(
        self, sealed: SealedBatch | tuple[bytes, Any], i: int, context: Context = None
    ) -> Call[bytes]:
        """Record i of a sealed batch, from 0."""
        header, values = sealed
        sealing.check_index(values, i)
        with (yield from self._reader(header, context)) as reader:
            return sealing.open_one(reader, values, i)

    def _reader(self, header: bytes, context: Context) -> Call[SealedReader]:
        header, bound = as_bytes(header, "the header of a sealed batch"), canonical(context)
        parse_header(header)
        plain = yield from one_bin(Number.DECRYPT, None, context, header[_BLOB_AT:])
        return SealedReader.of_data_key(plain, header, bound)
