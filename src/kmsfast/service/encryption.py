"""Encrypting and decrypting: one method per operation, for one record and for batches.

Contexts come in as the user gave them and leave as canonical bytes. A handle that went stale is
replaced and the call made again; nothing of a failed attempt is returned.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, NoReturn

from kmsfast.crypto import blob, sealed
from kmsfast.crypto.native import forget, with_handle
from kmsfast.errors import (
    BatchError,
    IncorrectKey,
    KmsError,
    MaterialElsewhere,
    ValidationError,
)
from kmsfast.model.context import canonical
from kmsfast.model.key import FLAG_MULTI_REGION, format_key_id, require_symmetric
from kmsfast.model.keyspec import KeyUsage
from kmsfast.model.outside_blob import is_outside
from kmsfast.model.outside_blob import parse as parse_outside
from kmsfast.service import kinds, sealing
from kmsfast.service.bindings import Bindings
from kmsfast.service.keyring import Keyring
from kmsfast.service.outside import OutsideKeys
from kmsfast.service.telling import tell

__all__ = ["BatchResult", "DataKey", "Encryption", "Errors", "Permit", "SealedBatch"]

Context = Mapping[str, str] | None
Errors = Literal["raise", "return"]
Permit = Callable[[bytes], object]
"""Passes when the key version that the 56 bytes at a blob's start name may be used."""
_PREFIX_LEN: Final = 56
_HEADER_LEN: Final = 24
_MAX_RANDOM: Final = 1024


class BatchResult(NamedTuple):
    """What came of a batch.

    Attributes:
        values: of the kind of the input; a failed record is null, None or zeros.
        errors: the error of each failed record, by its index.
    """

    values: Any
    errors: dict[int, KmsError]


class SealedBatch(NamedTuple):
    """Records sealed together (docs/sealed-format.md): 16 bytes longer each, and one header.

    Attributes:
        header: 136 bytes; needed to open any of the records.
        values: the sealed records, of the kind of the input.
    """

    header: bytes
    values: Any


class DataKey(NamedTuple):
    """A key for encryption elsewhere. Prints without its plaintext.

    Attributes:
        plaintext: the key; use it and forget it. None when it was not asked for.
        ciphertext_blob: the key as a blob; keep it beside the data.
        key_arn: the key that encrypted it.
    """

    plaintext: bytes | None
    ciphertext_blob: bytes
    key_arn: str

    def __repr__(self) -> str:
        size = "none" if self.plaintext is None else f"<secret {len(self.plaintext)} bytes>"
        return f"DataKey(plaintext={size}, key_arn={self.key_arn!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a DataKey holds a plaintext key and cannot be pickled or copied; send its "
            "ciphertext_blob, and decrypt it where it arrives"
        )


class Encryption:
    """Uses the keys of one store.

    Attributes:
        bindings: for callers that encrypt and decrypt single records themselves.
    """

    def __init__(self, ring: Keyring, outside: OutsideKeys) -> None:
        self._ring, self._outside = ring, outside
        self.bindings = Bindings()

    # ---- with a key -------------------------------------------------------------------------

    def encrypt(
        self,
        raw_id: bytes,
        plaintext: Any,
        context: Context,
        aad: Any,
        operation: str = "Encrypt",
    ) -> bytes:
        """The blob of one record."""
        data, extra, bound = as_bytes(plaintext), as_bytes(aad, "aad"), canonical(context)
        try:
            return self._ring.with_current(raw_id, lambda h: blob.seal_one(h, data, bound, extra))
        except MaterialElsewhere:
            _refuse_aad(extra)
            return self._outside.encrypt(raw_id, data, bound, operation)

    def encrypt_batch(
        self, raw_id: bytes, values: Any, context: Context, aad: Any, threads: int
    ) -> Any:
        """One blob per record, of the kind of the input."""
        bound = canonical(context)
        return self._ring.with_current(
            raw_id, lambda h: blob.seal_batch(h, values, bound, aad=aad, threads=threads)
        )

    def data_key(
        self, raw_id: bytes, num_bytes: int, context: Context, *, with_plaintext: bool
    ) -> DataKey:
        """A fresh data key."""
        bound = canonical(context)
        operation = "GenerateDataKey" if with_plaintext else "GenerateDataKeyWithoutPlaintext"
        try:
            plaintext, sealed_key = self._ring.with_current(
                raw_id, lambda h: blob.data_key(h, num_bytes, bound, with_plaintext), operation
            )
        except MaterialElsewhere:
            plaintext, sealed_key = self._outside.data_key(raw_id, num_bytes, bound, operation)
            if not with_plaintext:
                forget(plaintext)
                plaintext = None
        return DataKey(plaintext, sealed_key, self._ring.key(raw_id).arn)

    def seal_batch(self, raw_id: bytes, values: Any, context: Context, threads: int) -> SealedBatch:
        """A sealed batch under a data key of its own.

        Raises:
            ValidationError: no records at all; the last record is what ends a batch.
        """
        with self.sealed_writer(raw_id, context, sealing.record_size(values)) as writer:
            return SealedBatch(writer.header, writer.seal(values, last=True, threads=threads))

    def sealed_writer(
        self, raw_id: bytes, context: Context, record_size: int
    ) -> sealed.SealedWriter:
        """Seals a batch piece by piece."""
        bound = canonical(context)
        return self._ring.with_current(raw_id, lambda h: sealed.SealedWriter(h, bound, record_size))

    # ---- with whatever key the ciphertext names ---------------------------------------------

    def decrypt(
        self,
        data: Any,
        context: Context,
        aad: Any,
        only: bytes | None = None,
        operation: str = "Decrypt",
    ) -> bytes:
        """The plaintext of one blob; ``only``: the one key that may have encrypted it."""
        whole, extra, bound = as_bytes(data, "a blob"), as_bytes(aad, "aad"), canonical(context)
        if is_outside(whole):
            _refuse_aad(extra)
            return self._outside.decrypt(whole, bound, only, operation)
        resolve, start = self._resolver(only), blob.start_of(whole)
        opened = with_handle(
            lambda: resolve(start),
            lambda handle: blob.open_one(handle, whole, bound, extra),
        )
        self._ring.opened([start])
        return opened

    def decrypt_batch(
        self,
        blobs: Any,
        context: Context,
        aad: Any,
        threads: int,
        *,
        errors: Errors,
        only: bytes | None = None,
        permit: Permit | None = None,
    ) -> Any:
        """The plaintexts, of the kind of the input.

        Args:
            permit: asked once about each key version that blobs name, before it is used.
        """
        if errors not in ("raise", "return"):
            raise ValidationError(f"errors must be 'raise' or 'return', not {errors!r}")
        self._ring.check_open()
        resolve, seen = _noting(_permitting(self._resolver(only), permit))
        values, failed = blob.open_batch(
            resolve, blobs, canonical(context), aad=aad, threads=threads
        )
        if len(failed) < kinds.num_records(blobs):
            self._ring.opened(seen)
        if errors == "return":
            return BatchResult(values, failed)
        if failed:
            raise BatchError(failed, values, kinds.num_records(blobs))
        return values

    def open_batch(self, batch: SealedBatch, context: Context, threads: int) -> Any:
        """All records of a sealed batch; its last record must be the one that ended it."""
        header, values = batch
        sealing.check_ended(values)
        with self.sealed_reader(header, context) as reader:
            return sealing.open_all(reader, values, threads)

    def open_record(self, batch: SealedBatch, i: int, context: Context) -> bytes:
        """One record of a sealed batch."""
        header, values = batch
        sealing.check_index(values, i)
        with self.sealed_reader(header, context) as reader:
            return sealing.open_one(reader, values, i)

    def sealed_reader(self, header: bytes, context: Context) -> sealed.SealedReader:
        """Opens a sealed batch piece by piece."""
        header, bound = as_bytes(header, "the header of a sealed batch"), canonical(context)
        sealed.parse_header(header)
        prefix = header[8 : 8 + _PREFIX_LEN]
        reader = with_handle(
            lambda: self._ring.resolve(prefix),
            lambda handle: sealed.SealedReader(handle, header, bound),
        )
        self._ring.opened([prefix])
        return reader

    def re_encrypt(
        self, data: Any, raw_id: bytes, source_context: Context, destination_context: Context
    ) -> bytes:
        """A blob under another key or context."""
        target = self._ring.usable(raw_id, KeyUsage.ENCRYPT_DECRYPT, "ReEncryptTo")
        require_symmetric(target, "ReEncryptTo")
        whole = as_bytes(data, "a blob")
        plaintext = self.decrypt(whole, source_context, None, operation="ReEncrypt")
        made = self.encrypt(raw_id, plaintext, destination_context, None, "ReEncrypt")
        source = parse_outside(whole).key_id if is_outside(whole) else header_key(whole)
        for each in (source, raw_id):
            self._ring.used(each, "ReEncrypt")
        return made

    def re_encrypt_batch(
        self,
        blobs: Any,
        raw_id: bytes,
        source_context: Context,
        destination_context: Context,
        threads: int,
        *,
        permit: Permit | None = None,
    ) -> BatchResult:
        """The blobs under another key or context, as the kind of the input.

        Args:
            blobs: a list, numpy uint8 of (n, width), or Packed.
            permit: as in :meth:`decrypt_batch`.
        """
        resolve, seen = _noting(_permitting(self._ring.resolve, permit))
        plain, failed = blob.open_batch(resolve, blobs, canonical(source_context), threads=threads)
        if len(failed) == kinds.num_records(blobs):
            return BatchResult(plain, failed)
        try:
            target = self._ring.usable(raw_id, KeyUsage.ENCRYPT_DECRYPT, "ReEncryptTo")
            require_symmetric(target, "ReEncryptTo")
            bound = canonical(destination_context)
            made = self._ring.with_current(
                raw_id, lambda h: blob.seal_batch(h, plain, bound, threads=threads), "ReEncrypt"
            )
        finally:
            kinds.wipe(plain)
        self._ring.opened(seen, "ReEncrypt")
        return BatchResult(made, failed)

    def data_keys(
        self, raw_id: bytes, count: int, num_bytes: int, context: Context, *, with_plaintext: bool
    ) -> list[tuple[bytes | None, bytes]]:
        """Fresh data keys, each as :meth:`data_key` gives it: plaintext, if asked for, and blob."""
        bound = canonical(context)
        operation = "GenerateDataKey" if with_plaintext else "GenerateDataKeyWithoutPlaintext"
        return self._ring.with_current(
            raw_id,
            lambda h: [blob.data_key(h, num_bytes, bound, with_plaintext) for _ in range(count)],
            operation,
        )

    def random(self, num_bytes: int) -> bytes:
        """Random bytes from the operating system, 1 to 1,024."""
        self._ring.check_open()
        if type(num_bytes) is not int or not 1 <= num_bytes <= _MAX_RANDOM:
            raise ValidationError(f"num_bytes must be 1 to {_MAX_RANDOM}, not {num_bytes!r}")
        return os.urandom(num_bytes)

    def rewrap_batch(self, blobs: Any, context: Context, threads: int) -> Any:
        """The blobs under the current version of their key; those that have it stay as they are.

        Raises:
            BatchError: some did not open; ``values`` has the others.
        """
        self._ring.check_open()
        resolve, seen = _noting(self._resolver(None))
        values, failed = blob.open_batch(resolve, blobs, canonical(context), threads=threads)
        old = {header for header in seen if not self._is_current(header)}
        if old and len(seen) == 1 and not failed:
            made = self.encrypt_batch(header_key(old.pop()), values, context, None, threads)
            self._ring.opened(seen, "ReEncrypt")
            return made
        rewrapped = self._rewrap_some(blobs, values, failed, old, context) if seen else blobs
        self._ring.opened(seen, "ReEncrypt")
        if failed:
            raise BatchError(failed, rewrapped, kinds.num_records(blobs))
        return rewrapped

    # ---- within -----------------------------------------------------------------------------

    def _resolver(self, only: bytes | None) -> Callable[[bytes], int]:
        if only is None:
            return self._resolve
        require_symmetric(self._ring.key(only), "Decrypt")

        def resolve(prefix: bytes) -> int:
            name = blob.parse_key(prefix)
            if name.key_id != only:
                named = format_key_id(name.key_id, bool(name.flags & FLAG_MULTI_REGION))
                raise IncorrectKey(
                    "The key ID in the request does not identify a CMK that can perform this "
                    "operation.",
                    hint=f"The blob names key {named}, not {self._ring.key(only).id}",
                )
            return self._ring.resolve(prefix)

        return resolve

    def _resolve(self, prefix: bytes) -> int:
        tell(prefix)
        return self._ring.resolve(prefix)

    def _is_current(self, header: bytes) -> bool:
        return self._ring.key(header_key(header)).current_version == int.from_bytes(
            header[20:24], "big"
        )

    def _rewrap_some(
        self, blobs: Any, values: Any, failed: Mapping[int, KmsError], old: set[bytes], context: Any
    ) -> Any:
        """Rewraps the records of the headers ``old``; the others stay, failed ones go."""
        if not old and not failed:
            return blobs
        records, plain = list(kinds.to_list(blobs)), kinds.to_list(values)
        groups: dict[bytes, list[int]] = {}
        for i, record in enumerate(records):
            if i in failed:
                records[i] = None
            elif record is not None and record[:_HEADER_LEN] in old:
                groups.setdefault(header_key(record), []).append(i)
        for raw_id, indices in groups.items():
            fresh = self.encrypt_batch(raw_id, [plain[i] for i in indices], context, None, 1)
            for i, made in zip(indices, fresh, strict=True):
                records[i] = made
        return kinds.from_list(records, blobs)


def _refuse_aad(aad: bytes) -> None:
    if aad:
        raise ValidationError(
            "a key in a custom key store takes no associated data of single records; put it into "
            "the encryption context"
        )


def _permitting(resolve: Callable[[bytes], int], permit: Permit | None) -> Callable[[bytes], int]:
    """The same function, for key versions that are permitted; each is asked about once."""
    if permit is None:
        return resolve
    permitted: dict[bytes, KmsError | None] = {}

    def permitting(prefix: bytes) -> int:
        header = prefix[:_HEADER_LEN]
        if header not in permitted:
            try:
                permit(prefix)
                permitted[header] = None
            except KmsError as error:
                permitted[header] = error.with_traceback(None)
        refusal = permitted[header]
        if refusal is not None:
            raise refusal
        return resolve(prefix)

    return permitting


def _noting(resolve: Callable[[bytes], int]) -> tuple[Callable[[bytes], int], set[bytes]]:
    """The same function, and the headers for which it has found a key so far."""
    seen: set[bytes] = set()

    def noting(prefix: bytes) -> int:
        handle = resolve(prefix)
        seen.add(prefix[:_HEADER_LEN])
        return handle

    return noting, seen


def header_key(header: bytes) -> bytes:
    """The key id in a blob's header."""
    return header[4:20]


def as_bytes(data: Any, what: str = "plaintext") -> bytes:
    """bytes, bytearray or memoryview as bytes; None as none.

    Raises:
        ValidationError: anything else.
    """
    if type(data) is bytes:
        return data
    if isinstance(data, bytes | bytearray | memoryview):
        return memoryview(data).tobytes()  # a subclass's __len__ may say anything, this does not
    if data is None and what == "aad":
        return b""
    raise ValidationError(f"{what} must be bytes, not {type(data).__name__}")
