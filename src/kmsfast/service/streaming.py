"""Sealed streams as methods of keys and key stores, wherever their keys are."""

from __future__ import annotations

from typing import Any, BinaryIO

from kmsfast.service import streams
from kmsfast.service.encryption import Context

__all__ = ["OpensStreams", "SealsStreams"]


class SealsStreams:
    """The part of a key that seals streams, by its ``sealed_writer``."""

    __slots__ = ()

    sealed_writer: Any

    def encrypt_stream(
        self, src: BinaryIO, dst: BinaryIO, context: Context = None, *, threads: int = 1
    ) -> None:
        """All of ``src`` as a sealed stream into ``dst``, in constant memory; sealed here."""
        with self.sealed_writer(context, streams.RECORD_SIZE) as writer:
            streams.seal(writer, src, dst, threads)


class OpensStreams:
    """The part of a key store that opens streams, by its ``sealed_reader``."""

    __slots__ = ()

    sealed_reader: Any

    def decrypt_stream(
        self, src: BinaryIO, dst: BinaryIO, context: Context = None, *, threads: int = 1
    ) -> None:
        """Opens a sealed stream from ``src`` into ``dst``, in constant memory; opened here.

        Raises:
            FrameError: no sealed stream.
            InvalidCiphertext: changed or cut off; what was written until then is authentic.
        """
        with self.sealed_reader(streams.read_header(src), context) as reader:
            streams.unseal(reader, src, dst, threads)
