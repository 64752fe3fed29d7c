"""What key pairs and HMAC keys of a server do.

Rules: those of :mod:`.keys`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from kmsfast.client.asking import (
    Context,
    Number,
    checked,
    many,
    one_bin,
    one_truth,
    settled,
    truths,
)
from kmsfast.client.calls import Call, method
from kmsfast.client.columns import Batch, Kind, as_list, as_rows, of_one_width
from kmsfast.client.description import bytes_in, described, spec_in
from kmsfast.client.naming import named
from kmsfast.crypto.pkcs8 import public_pem
from kmsfast.errors import InvalidMac, InvalidSignature, ValidationError
from kmsfast.model.keyspec import KeySpec
from kmsfast.model.message import MessageType, checked_message
from kmsfast.service.asymmetric import DataKeyPair
from kmsfast.service.condensing import condensed
from kmsfast.service.encapsulation import Encapsulated
from kmsfast.service.encryption import as_bytes
from kmsfast.service.signing import SigningOptions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["PairCalls"]

_ML_KEM = "ML_KEM"


class _Pair(NamedTuple):
    """What hashing a message for a key pair needs of it."""

    spec: KeySpec
    public_key: bytes


class PairCalls:
    """The part of a key for signatures, MACs and shared secrets."""

    arn: str

    # ---- signatures -------------------------------------------------------------------------

    @method
    def sign(
        self,
        message: bytes,
        *,
        algorithm: str | None = None,
        message_type: str = MessageType.RAW,
        encoding: str | None = None,
        deterministic: bool = False,
    ) -> Call[bytes]:
        """The signature of a message; see :meth:`kmsfast.Key.sign`."""
        said = _options(algorithm, message_type, encoding, deterministic=deterministic)
        data = checked_message(as_bytes(message, "the message"))
        return (yield from one_bin(Number.SIGN, self.arn, None, data, **said))

    @method
    def verify(
        self,
        message: bytes,
        signature: bytes,
        *,
        algorithm: str | None = None,
        message_type: str = MessageType.RAW,
        encoding: str | None = None,
    ) -> Call[None]:
        """Passes when it is the signature of the message by this key.

        Raises:
            InvalidSignature: it is not. The others: as :meth:`kmsfast.Key.sign`.
        """
        said = _options(algorithm, message_type, encoding)
        data = checked_message(as_bytes(message, "the message"))
        pair = [data, as_bytes(signature, "the signature")]
        if not (yield from one_truth(Number.VERIFY, self.arn, pair, **said)):
            raise InvalidSignature(f"the signature is not that of this message by {self.arn}")

    def _condensed(
        self, source: BinaryIO, algorithm: str | None, encoding: str | None
    ) -> Call[tuple[bytes, dict[str, Any]]]:
        """What is signed of all that a source gives, and how; it is read and hashed here."""
        _options(algorithm, MessageType.RAW, encoding)
        answer = yield from named("GetPublicKey", KeyId=self.arn)
        pair = _Pair(spec_in(answer, "KeySpec"), bytes_in(answer, "PublicKey"))
        data, chosen, message_type = condensed(source, pair, algorithm)
        return data, _options(chosen, message_type, encoding)

    @method
    def sign_stream(
        self,
        source: BinaryIO,
        *,
        algorithm: str | None = None,
        encoding: str | None = None,
        deterministic: bool = False,
    ) -> Call[bytes]:
        """The signature of all that ``source`` gives; see :meth:`kmsfast.Key.sign_stream`."""
        data, said = yield from self._condensed(source, algorithm, encoding)
        said["deterministic"] = deterministic or None
        return (yield from one_bin(Number.SIGN, self.arn, None, data, **said))

    @method
    def verify_stream(
        self,
        source: BinaryIO,
        signature: bytes,
        *,
        algorithm: str | None = None,
        encoding: str | None = None,
    ) -> Call[None]:
        """Passes when it is the signature of all that ``source`` gives.

        Raises:
            InvalidSignature: it is not.
        """
        data, said = yield from self._condensed(source, algorithm, encoding)
        pair = [data, as_bytes(signature, "the signature")]
        if not (yield from one_truth(Number.VERIFY, self.arn, pair, **said)):
            raise InvalidSignature(f"the signature is not that of this message by {self.arn}")

    @method
    def sign_batch(
        self,
        digests: Any,
        *,
        algorithm: str | None = None,
        message_type: str = MessageType.DIGEST,
        encoding: str | None = None,
        deterministic: bool = False,
        threads: int = 1,
    ) -> Call[Any]:
        """A signature for each digest, or for each message with message_type RAW.

        Returns:
            A list of bytes; of an array and "raw" an array, numpy uint8 of (n, 64) for P-256.
        """
        del threads
        batch = Batch(digests, "messages")
        is_array = batch.kind is Kind.ROWS
        said = _options(algorithm, message_type, encoding, deterministic=deterministic)
        if encoding is None and is_array:
            said["raw"] = yield from self._is_ecdsa(algorithm)
        gathered = yield from many(Number.SIGN, self.arn, None, batch, **said)
        rebuild = as_rows if is_array and said.get("raw") else as_list
        return settled(gathered, rebuild, batch.num)

    @method
    def verify_batch(
        self,
        digests: Any,
        signatures: Any,
        *,
        algorithm: str | None = None,
        message_type: str = MessageType.DIGEST,
        encoding: str | None = None,
        threads: int = 1,
    ) -> Call[npt.NDArray[np.bool_]]:
        """Whether each is the signature of its digest: numpy bool of (n,)."""
        del threads
        messages, claims = Batch(digests, "messages"), Batch(signatures, "signatures")
        if messages.num != claims.num:
            raise ValidationError(f"there are {messages.num} messages and {claims.num} signatures")
        said = _options(algorithm, message_type, encoding)
        if encoding is None and claims.kind is not Kind.LIST:
            said["raw"] = yield from self._is_ecdsa(algorithm)
        return (yield from truths(Number.VERIFY, self.arn, messages, claims, **said))

    def _is_ecdsa(self, algorithm: str | None) -> Call[bool | None]:
        """Whether signatures have two forms; None: they have not."""
        if algorithm is None:
            answer = yield from named("DescribeKey", KeyId=self.arn)
            algorithm = next(iter(described(answer["KeyMetadata"]).algorithms), "")
        return True if algorithm.startswith("ECDSA") else None

    # ---- MACs -------------------------------------------------------------------------------

    @method
    def mac(self, message: bytes, *, algorithm: str | None = None) -> Call[bytes]:
        """The MAC of a message; see :meth:`kmsfast.Key.mac`."""
        data = checked_message(as_bytes(message, "the message"))
        return (yield from one_bin(Number.GENERATE_MAC, self.arn, None, data, algorithm=algorithm))

    @method
    def verify_mac(self, message: bytes, mac: bytes, *, algorithm: str | None = None) -> Call[None]:
        """Passes when ``mac`` is the MAC of the message; compared in constant time.

        Raises:
            InvalidMac: it is not.
        """
        pair = [checked_message(as_bytes(message, "the message")), as_bytes(mac, "the MAC")]
        if not (yield from one_truth(Number.VERIFY_MAC, self.arn, pair, algorithm=algorithm)):
            raise InvalidMac(f"the MAC is not that of this message by {self.arn}")

    @method
    def mac_batch(
        self, values: Any, *, algorithm: str | None = None, threads: int = 1
    ) -> Call[Any]:
        """The MAC of each record; see :meth:`kmsfast.Key.mac_batch`."""
        del threads
        batch = Batch(values)
        gathered = yield from many(Number.GENERATE_MAC, self.arn, None, batch, algorithm=algorithm)
        return settled(gathered, of_one_width(batch), batch.num)

    @method
    def verify_mac_batch(
        self, values: Any, macs: Any, *, algorithm: str | None = None, threads: int = 1
    ) -> Call[npt.NDArray[np.bool_]]:
        """Whether each is the MAC of its record: numpy bool of (n,); False where one is null."""
        del threads
        records, claims = Batch(values), Batch(macs, "macs")
        if records.num != claims.num:
            raise ValidationError(f"there are {records.num} records and {claims.num} MACs")
        number = Number.VERIFY_MAC
        return (yield from truths(number, self.arn, records, claims, algorithm=algorithm))

    # ---- pairs ------------------------------------------------------------------------------

    @method
    def public_key_der(self) -> Call[bytes]:
        """The public key, as a DER SubjectPublicKeyInfo (RFC 5280)."""
        answer = yield from named("GetPublicKey", KeyId=self.arn)
        return bytes_in(answer, "PublicKey")

    @method
    def public_key_pem(self) -> Call[str]:
        """The public key, as PEM (RFC 7468)."""
        answer = yield from named("GetPublicKey", KeyId=self.arn)
        return public_pem(bytes_in(answer, "PublicKey")).decode()

    @method
    def derive_shared_secret(self, public_key: bytes) -> Call[bytes]:
        """The raw secret of ECDH; see :meth:`kmsfast.Key.derive_shared_secret`."""
        answer = yield from named(
            "DeriveSharedSecret", KeyId=self.arn, KeyAgreementAlgorithm="ECDH",
            PublicKey=public_key,
        )  # fmt: skip
        return bytes_in(answer, "SharedSecret")

    @method
    def encapsulate(self, *, algorithm: str | None = None) -> Call[Encapsulated]:
        """A fresh shared secret, and what carries it; see :meth:`kmsfast.Key.encapsulate`."""
        answer = yield from named(
            "Encapsulate", KeyId=self.arn, EncapsulationAlgorithm=algorithm or _ML_KEM
        )
        carried = bytes_in(answer, "SharedSecretCiphertextBlob")
        return Encapsulated(bytes_in(answer, "SharedSecret"), carried, answer["KeyId"])

    @method
    def decapsulate(self, ciphertext: bytes, *, algorithm: str | None = None) -> Call[bytes]:
        """The shared secret that a ciphertext carries; see :meth:`kmsfast.Key.decapsulate`."""
        answer = yield from named(
            "Decapsulate", KeyId=self.arn, EncapsulationAlgorithm=algorithm or _ML_KEM,
            SharedSecretCiphertextBlob=as_bytes(ciphertext, "the ciphertext"),
        )  # fmt: skip
        return bytes_in(answer, "SharedSecret")

    @method
    def generate_data_key_pair(self, spec: str, context: Context = None) -> Call[DataKeyPair]:
        """A fresh key pair for use elsewhere, its private key in the clear and as a blob."""
        return (yield from self._pair("GenerateDataKeyPair", spec, context))

    @method
    def generate_data_key_pair_without_plaintext(
        self, spec: str, context: Context = None
    ) -> Call[DataKeyPair]:
        """A fresh key pair, its private key as a blob alone."""
        return (yield from self._pair("GenerateDataKeyPairWithoutPlaintext", spec, context))

    def _pair(self, operation: str, spec: str, context: Context) -> Call[DataKeyPair]:
        answer = yield from named(
            operation, KeyId=self.arn, KeyPairSpec=spec,
            EncryptionContext=checked(context),
        )  # fmt: skip
        plain = "PrivateKeyPlaintext"
        return DataKeyPair(
            bytes_in(answer, "PublicKey"), bytes_in(answer, plain) if plain in answer else None,
            bytes_in(answer, "PrivateKeyCiphertextBlob"), spec_in(answer, "KeyPairSpec"), self.arn,
        )  # fmt: skip


def _options(
    algorithm: str | None, message_type: str, encoding: str | None, *, deterministic: bool = False
) -> dict[str, Any]:
    """Options of the protocol, when every name is known to be one."""
    said = SigningOptions.checked(algorithm, message_type, encoding, deterministic=deterministic)
    return {
        "algorithm": said.algorithm,
        "digest": None if said.message_type is MessageType.RAW else True,
        "raw": None if said.encoding is None else said.encoding == "raw",
        "deterministic": said.deterministic or None,
    }
