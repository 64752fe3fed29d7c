"""Signing and verifying: one method per operation, for one message and for batches.

Rules:
- checks come in the order of AWS: parameters, key, usage, state, algorithm, length of a digest;
- one message is verified or raises; a batch answers for each of its messages;
- messages that come alone have 1 to 4,096 bytes, as in AWS; those of a batch have any length;
- a batch is checked as a whole before anything is signed: it is signed whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from kmsfast.crypto.column import as_column, chunks_of
from kmsfast.crypto.native import checked_threads
from kmsfast.errors import InvalidSignature, ValidationError
from kmsfast.model.key import KeyMetadata
from kmsfast.model.keyspec import KeySpec, KeyUsage, enumerated
from kmsfast.model.message import (
    MAX_MESSAGE,
    MessageType,
    checked_message,
    checked_message_type,
    checked_signing_algorithm,
    length_of,
    signing_algorithm,
)
from kmsfast.service import kinds
from kmsfast.service.condensing import condensed
from kmsfast.service.encryption import as_bytes
from kmsfast.service.keyring import Keyring
from kmsfast.service.material import in_c
from kmsfast.service.signers import Form, bound_p256, signer_of

if TYPE_CHECKING:
    import numpy as np

    from kmsfast.service.signers import Batch, Bools
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["ENCODINGS", "Signing", "SigningOptions"]

ENCODINGS: Final = ("der", "raw")
_MAX_SIGNATURE: Final = 6144


@dataclass(frozen=True, slots=True)
class SigningOptions:
    """What a caller says of messages and signatures; every name is known to be one."""

    algorithm: str | None
    message_type: MessageType
    encoding: str | None
    deterministic: bool

    @staticmethod
    def checked(
        algorithm: str | None,
        message_type: str,
        encoding: str | None,
        *,
        deterministic: bool = False,
    ) -> SigningOptions:
        """The options, when their names are known.

        Raises:
            ValidationError: one is not, or deterministic is not bool.
        """
        try:
            if isinstance(deterministic, bool):
                return _checked(algorithm, message_type, encoding, deterministic)
        except TypeError:  # of what cannot be hashed, and so is no name
            raise ValidationError("algorithm, message_type and encoding must be str") from None
        raise ValidationError(f"deterministic must be bool, not {type(deterministic).__name__}")

    def form(self, key: KeyMetadata, like: Any = b"") -> Form:
        """How the key's signer is called.

        Args:
            like: ECDSA signatures that are made from an array, or are one, are raw by default.

        Raises:
            InvalidKeyUsage, ValidationError: the key does not sign so.
        """
        return _form(self, key.spec, isinstance(like, bytes | list))

    def check_length(self, algorithm: str, size: int, what: str = "Digest") -> None:
        """Passes when a digest or mu has the length of the algorithm's.

        Raises:
            ValidationError: it has another.
        """
        expected = length_of(algorithm, self.message_type)
        if expected is not None and size != expected:
            raise ValidationError(
                f"{what} is invalid length for algorithm {algorithm}.",
                hint=f"It has {size} bytes, not {expected}",
            )


# Both are asked for each message that comes alone, and have few answers.
@lru_cache(maxsize=128)
def _checked(
    algorithm: str | None, message_type: str, encoding: str | None, deterministic: bool
) -> SigningOptions:
    return SigningOptions(
        checked_signing_algorithm(algorithm),
        checked_message_type(message_type),
        None if encoding is None else enumerated(encoding, ENCODINGS, "encoding"),
        deterministic,
    )


@lru_cache(maxsize=256)
def _form(options: SigningOptions, spec: KeySpec, der_by_default: bool) -> Form:
    algorithm = signing_algorithm(spec, options.algorithm, options.message_type)
    is_ecdsa = algorithm.startswith("ECDSA")
    for asked, what in (
        (options.encoding is not None, "encoding"), (options.deterministic, "deterministic"),
    ):  # fmt: skip
        if asked and not is_ecdsa:
            raise ValidationError(f"{what} is a choice of ECDSA alone, not of {algorithm}")
    by_default = is_ecdsa and not der_by_default and options.encoding is None
    return Form(
        algorithm,
        hashed=options.message_type is not MessageType.RAW,
        raw=options.encoding == "raw" or by_default,
        deterministic=options.deterministic,
    )


class Signing:
    """Signs and verifies with the keys of one store.

    Attributes:
        options: makes the options of its methods (:meth:`SigningOptions.checked`).
    """

    options = staticmethod(SigningOptions.checked)

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def ready(
        self, raw_id: bytes, options: SigningOptions
    ) -> tuple[int, range, Callable[[bytes], bytes], Callable[[bytes, bytes], bool]] | None:
        """What signs and verifies messages while the epoch stands, of a key that C computes with.

        Returns:
            The epoch, the lengths that a message may have, what signs and what verifies; None for
            the other keys, whose private keys are kept by the keyring alone.
        """
        epoch = self._ring.settled()
        key = self._ring.usable(raw_id, KeyUsage.SIGN_VERIFY, "Sign")
        if not in_c(key.spec):
            return None
        form = options.form(key)
        size = length_of(form.algorithm, options.message_type)
        lengths = range(1, MAX_MESSAGE + 1) if size is None else range(size, size + 1)
        return self._ring.lasting(epoch, key), lengths, *bound_p256(self._ring, key, form)

    def sign(self, raw_id: bytes, message: Any, options: SigningOptions) -> bytes:
        """The signature of a message."""
        data = checked_message(as_bytes(message, "the message"))
        key = self._ring.usable(raw_id, KeyUsage.SIGN_VERIFY, "Sign")
        form = options.form(key)
        options.check_length(form.algorithm, len(data))
        made = signer_of(self._ring, key.spec).sign(key, data, form)
        self._ring.used(raw_id, "Sign")
        return made

    def verify(self, raw_id: bytes, message: Any, signature: Any, options: SigningOptions) -> None:
        """Passes when it is the signature of the message.

        Raises:
            InvalidSignature: it is not.
        """
        data = checked_message(as_bytes(message, "the message"))
        given = as_bytes(signature, "the signature")
        if not 1 <= len(given) <= _MAX_SIGNATURE:
            raise ValidationError(
                f"the signature has {len(given)} bytes; one has 1 to {_MAX_SIGNATURE}"
            )
        key = self._ring.usable(raw_id, KeyUsage.SIGN_VERIFY, "Verify")
        form = options.form(key)
        options.check_length(form.algorithm, len(data))
        if not signer_of(self._ring, key.spec).verify(key, data, given, form):
            raise InvalidSignature(
                f"the signature is not that of this message by {key.arn} and {form.algorithm}"
            )
        self._ring.used(raw_id, "Verify")

    def sign_stream(self, raw_id: bytes, source: BinaryIO, options: SigningOptions) -> bytes:
        """The signature of all that ``source`` gives."""
        key = self._ring.usable(raw_id, KeyUsage.SIGN_VERIFY, "Sign")
        data, condensed_options = _condensed(source, key, options)
        return self.sign(raw_id, data, condensed_options)

    def verify_stream(
        self, raw_id: bytes, source: BinaryIO, signature: Any, options: SigningOptions
    ) -> None:
        """Passes when it is the signature of all that ``source`` gives.

        Raises:
            InvalidSignature: it is not.
        """
        key = self._ring.usable(raw_id, KeyUsage.SIGN_VERIFY, "Verify")
        data, condensed_options = _condensed(source, key, options)
        self.verify(raw_id, data, signature, condensed_options)

    def sign_batch(
        self, raw_id: bytes, messages: Any, options: SigningOptions, threads: int
    ) -> Batch:
        """A signature for each message."""
        checked_threads(threads)
        data = _records(messages, "messages")
        key = self._ring.usable(raw_id, KeyUsage.SIGN_VERIFY, "Sign")
        form = options.form(key, like=data)
        _check_lengths(options, form, data)
        made = signer_of(self._ring, key.spec).sign_batch(key, data, form, threads)
        self._ring.used(raw_id, "Sign")
        return made

    def verify_batch(
        self,
        raw_id: bytes,
        messages: Any,
        signatures: Any,
        options: SigningOptions,
        threads: int,
    ) -> Bools:
        """Whether each is the signature of its message."""
        checked_threads(threads)
        data, given = _records(messages, "messages"), _records(signatures, "signatures")
        if len(data) != len(given):
            raise ValidationError(f"there are {len(data)} messages and {len(given)} signatures")
        key = self._ring.usable(raw_id, KeyUsage.SIGN_VERIFY, "Verify")
        form = options.form(key, like=given)
        _check_lengths(options, form, data)
        found = signer_of(self._ring, key.spec).verify_batch(key, data, given, form, threads)
        self._ring.used(raw_id, "Verify")
        return found


def _condensed(
    source: BinaryIO, key: KeyMetadata, options: SigningOptions
) -> tuple[bytes, SigningOptions]:
    data, algorithm, message_type = condensed(source, key, options.algorithm)
    return data, replace(options, algorithm=algorithm, message_type=message_type)


def _records(values: Any, what: str) -> Batch:
    """A batch of any kind as numpy uint8 of (n, width), if it is that, or as a list of bytes.

    Raises:
        ValidationError: not a batch, or one with nulls.
    """
    if type(values) is np.ndarray and values.dtype == np.uint8 and values.ndim == 2:
        return np.ascontiguousarray(values)
    if type(values) is list and all(type(record) is bytes for record in values):
        return values
    if chunks_of(values) is None:
        as_column(values, what)  # refuses what is no batch, and offsets that lead out of it
    found: list[bytes] = []
    for i, record in enumerate(kinds.to_list(values)):
        if record is None:
            raise ValidationError(f"{what}[{i}] is null")
        found.append(as_bytes(record, f"{what}[{i}]"))
    return found


def _check_lengths(options: SigningOptions, form: Form, messages: Batch) -> None:
    if not form.hashed:
        return
    if not isinstance(messages, list):
        options.check_length(form.algorithm, messages.shape[1])
        return
    for size in set(map(len, messages)):
        first = next(i for i, message in enumerate(messages) if len(message) == size)
        options.check_length(form.algorithm, size, f"Digest {first}")
