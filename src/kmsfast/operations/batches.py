"""Operations by number on many records: one request, a result or an error for each record.

Rules:
- what concerns the request is asked once: the permission for the key that is named, its state, the
  form of the options; what fails of it is an error of the request;
- blobs name their keys: each distinct key version is asked for its permission, and the records of
  those that are refused fail one by one;
- answers have the form of their columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from kmsfast.app import Application
from kmsfast.crypto.blob import parse_key
from kmsfast.crypto.column import Packed
from kmsfast.crypto.native import BLOB_OVERHEAD
from kmsfast.errors import KmsError, ValidationError
from kmsfast.model.key import KeyMetadata, require, require_usage
from kmsfast.model.keyspec import KeyUsage
from kmsfast.operations.names import any_name
from kmsfast.operations.numbered import SINGLES, common, signing_options
from kmsfast.operations.requests import Given
from kmsfast.wire.socket_columns import Column, packed, write_column
from kmsfast.wire.socket_frames import MAX_FRAME
from kmsfast.wire.socket_requests import ByNumber

__all__ = ["BATCHES", "Batch", "Batched", "Permits", "given_of", "names_its_keys"]

_AROUND: Final = 256  # bytes of an answer beside its columns' data

Permits = Callable[[str, Mapping[str, Any]], tuple[Application, Given]]
"""The service that has the key, and the request with its ARN, when the caller may make it."""


@dataclass(slots=True)
class Batch:
    """A batch that is permitted for the key that it names.

    Attributes:
        given: as AWS has it, without the records.
        permits: asks for more.
        keys: ARNs of the keys that were asked for so far.
    """

    app: Application
    given: Given
    call: ByNumber
    permits: Permits
    threads: int
    keys: list[str] = field(default_factory=list)

    def key(self, member: str = "KeyId") -> KeyMetadata:
        """The key that the request names."""
        found = any_name(self.app, self.given[member])
        self.keys.append(found.arn)
        return found

    def permit(self, prefix: bytes) -> None:
        """Passes when the caller may open blobs of the key version that starts them so.

        Raises:
            KmsError: it may not, or there is no such key.
        """
        call = self.call
        single = SINGLES[call.operation.name].given(call)
        one = {**single, "CiphertextBlob": prefix + bytes(BLOB_OVERHEAD - len(prefix))}
        app, _ = self.permits(call.operation.name, one)
        name = parse_key(prefix)
        arn = app.ring.key(name.key_id, multi_region=bool(name.flags & 1)).arn
        if arn not in self.keys:
            self.keys.append(arn)


@dataclass(frozen=True, slots=True)
class Batched:
    """What came of a batch.

    Attributes:
        values: as the answer has them.
        errors: of the records that failed, by index.
        refused: records that are answered with no: signatures and MACs that do not verify.
    """

    values: Any
    num: int
    errors: Mapping[int, KmsError] = field(default_factory=dict)
    refused: int = 0


def _encrypt(batch: Batch) -> Batched:
    key, column = _encrypting(batch, "Encrypt"), batch.call.payload
    made = batch.app.encryption.encrypt_batch(
        key.raw_id, column.values, batch.call.context, batch.call.options.aad, batch.threads
    )
    return Batched(write_column(made, column), column.num)


def _decrypt(batch: Batch) -> Batched:
    column: Column = batch.call.payload
    named = batch.call.key is not None
    only = _encrypting(batch, "Decrypt").raw_id if named else None
    made = batch.app.encryption.decrypt_batch(
        _cuttable(column.values),
        batch.call.context,
        batch.call.options.aad,
        batch.threads,
        errors="return",
        only=only,
        permit=None if named else batch.permit,
    )
    return _with_errors(made.values, column, made.errors)


def _re_encrypt(batch: Batch) -> Batched:
    column: Column = batch.call.payload
    key = batch.key("DestinationKeyId")
    made = batch.app.encryption.re_encrypt_batch(
        _cuttable(column.values),
        key.raw_id,
        batch.call.context,
        batch.call.options.to_context,
        batch.threads,
        permit=batch.permit,
    )
    return _with_errors(made.values, column, made.errors)


def _data_keys(batch: Batch) -> Batched:
    count, width = _counted(batch.call, copies=2, overhead=BLOB_OVERHEAD)
    key = batch.key()
    with_plaintext = batch.call.operation.name == "GenerateDataKey"
    made = batch.app.encryption.data_keys(
        key.raw_id, count, width, batch.call.context, with_plaintext=with_plaintext
    )
    blobs = packed(count, width + BLOB_OVERHEAD, b"".join(blob for _, blob in made))
    if not with_plaintext:
        return Batched(blobs, count)
    plain = packed(count, width, b"".join(plaintext or b"" for plaintext, _ in made))
    return Batched([plain, blobs], count)


def _random(batch: Batch) -> Batched:
    count, width = _counted(batch.call)
    made = b"".join(batch.app.encryption.random(width) for _ in range(count))
    return Batched(packed(count, width, made), count)


def _sign(batch: Batch) -> Batched:
    column: Column = batch.call.payload
    made = batch.app.signing.sign_batch(
        batch.key().raw_id, column.values, signing_options(batch.app, batch.call), batch.threads
    )
    return Batched(write_column(made, column), column.num)


def _verify(batch: Batch) -> Batched:
    messages, signatures, absent = _pair(batch.call.payload)
    found = batch.app.signing.verify_batch(
        batch.key().raw_id,
        messages.values,
        signatures.values,
        signing_options(batch.app, batch.call),
        batch.threads,
    )
    return _answered(found, messages.num, absent)


def _mac(batch: Batch) -> Batched:
    column: Column = batch.call.payload
    made = batch.app.macs.mac_batch(
        batch.key().raw_id, column.values, batch.call.options.algorithm, batch.threads
    )
    return Batched(write_column(made, column), column.num)


def _verify_mac(batch: Batch) -> Batched:
    messages, macs, absent = _pair(batch.call.payload)
    found = batch.app.macs.verify_batch(
        batch.key().raw_id,
        messages.values,
        macs.values,
        batch.call.options.algorithm,
        threads=batch.threads,
    )
    return _answered(found, messages.num, absent)


BATCHES: Final[Mapping[str, Callable[[Batch], Batched]]] = {
    "Encrypt": _encrypt,
    "Decrypt": _decrypt,
    "ReEncrypt": _re_encrypt,
    "GenerateDataKey": _data_keys,
    "GenerateDataKeyWithoutPlaintext": _data_keys,
    "GenerateRandom": _random,
    "Sign": _sign,
    "Verify": _verify,
    "GenerateMac": _mac,
    "VerifyMac": _verify_mac,
}
"""By the names that :data:`kmsfast.wire.socket_operations.NUMBERS` gives them."""


def names_its_keys(call: ByNumber) -> bool:
    """Whether the keys that need a permission are those that the records name."""
    name = call.operation.name
    return name == "ReEncrypt" or (name == "Decrypt" and call.key is None)


def given_of(call: ByNumber) -> dict[str, Any]:
    """The members that AWS has for a batch, without its records."""
    names = {
        "Sign": ("SigningAlgorithm", "MessageType"),
        "Verify": ("SigningAlgorithm", "MessageType"),
        "GenerateMac": ("MacAlgorithm",),
        "VerifyMac": ("MacAlgorithm",),
        "ReEncrypt": (
            "DestinationKeyId", "SourceEncryptionContext", "DestinationEncryptionContext",
        ),
    }.get(call.operation.name, ())  # fmt: skip
    every = SINGLES[call.operation.name].given(call)
    return {**common(call), **{name: every[name] for name in names if name in every}}


def _encrypting(batch: Batch, operation: str) -> KeyMetadata:
    """The key that is named, when it is for the operation; in the order of AWS."""
    key = batch.key()
    require_usage(key, KeyUsage.ENCRYPT_DECRYPT, operation)
    require(key, "use")
    return key


def _cuttable(values: Any) -> Any:
    """Records that may be shorter than a blob: then each fails, not the batch."""
    if isinstance(values, np.ndarray) and values.shape[1] < BLOB_OVERHEAD:
        num, width = values.shape
        return Packed(values.reshape(-1), np.arange(num + 1, dtype=np.int64) * width)
    return values


def _with_errors(values: Any, column: Column, errors: Mapping[int, KmsError]) -> Batched:
    written = write_column(values, column, errors)
    if column.absent is None or not errors:
        return Batched(written, column.num, errors)
    places = np.flatnonzero(~column.absent)
    return Batched(written, column.num, {int(places[i]): each for i, each in errors.items()})


def _pair(columns: tuple[Column, Column]) -> tuple[Column, Column, Any]:
    """Two columns without the records that either lacks."""
    first, second = columns
    masks = [each.absent for each in columns if each.absent is not None]
    absent = np.logical_or.reduce(masks) if masks else None
    return first.without(absent), second.without(absent), absent


def _answered(found: Any, num: int, absent: Any) -> Batched:
    """Whether each verifies, as a byte; what is absent does not."""
    flags = np.zeros(num, np.uint8)
    flags[slice(None) if absent is None else ~absent] = found
    return Batched(flags.tobytes(), num, refused=int(num - flags.sum()))


def _counted(call: ByNumber, copies: int = 1, overhead: int = 0) -> tuple[int, int]:
    """How many records of how many bytes are asked for.

    Raises:
        ValidationError: more than fit into a frame.
    """
    count, width = call.payload
    if count * (copies * width + overhead) > MAX_FRAME - _AROUND:
        raise ValidationError(
            f"{count} times {width} bytes do not fit into one answer of {MAX_FRAME} bytes; ask for "
            "fewer"
        )
    return count, width
