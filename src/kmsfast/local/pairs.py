"""What keys do beside encrypting: sign, verify, share secrets, and make key pairs for elsewhere.

Rules: those of :mod:`kmsfast.local`. A message that comes alone takes a short path as well, where C
signs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final

from kmsfast.crypto.pkcs8 import public_pem
from kmsfast.doors import Call, Entry, Outcome
from kmsfast.errors import InvalidSignature, StaleHandle
from kmsfast.local.base import KeyBase
from kmsfast.local.members import Member
from kmsfast.local.recorded import CONTEXT, operation, operation_with_call
from kmsfast.local.remembered import NOTHING_TO_SIGN, Context, Signing, Verifying, same
from kmsfast.model.message import MessageType

if TYPE_CHECKING:
    from kmsfast.service.asymmetric import DataKeyPair
    from kmsfast.service.encapsulation import Encapsulated
    from kmsfast.service.signers import Batch, Bools

__all__ = ["PairUses"]

SIGNING: Final[dict[str, Member]] = {
    "algorithm": "SigningAlgorithm",
    "message_type": "MessageType",
}
OF_PAIR: Final[dict[str, Member]] = {"spec": "KeyPairSpec", "context": CONTEXT}


def false_signatures(found: Bools) -> Outcome:
    """What came of a batch of signatures that were verified."""
    wrong = len(found) - int(found.sum())
    return Outcome({}, wrong, InvalidSignature() if wrong else None)


class PairUses(KeyBase):
    """The part of :class:`kmsfast.Key` for key pairs."""

    __slots__ = ()

    def sign(
        self,
        message: bytes,
        *,
        algorithm: str | None = None,
        message_type: str = MessageType.RAW,
        encoding: str | None = None,
        deterministic: bool = False,
    ) -> bytes:
        """The signature of a message.

        Args:
            message: 1 to 4,096 bytes; of a longer one its digest or, for ML-DSA, its mu.
            algorithm: as AWS names it; may be left out where only one fits key and message type.
            message_type: RAW, DIGEST, or EXTERNAL_MU for ML-DSA (64 bytes, FIPS 204 section 6.2).
            encoding: of an ECDSA signature: "der" (the default, as in AWS) or "raw", r and s side
                by side (IEEE P1363).
            deterministic: ECDSA nonces by RFC 6979; the default is hedged with fresh randomness.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound, InvalidKeyUsage: the key does not sign so.
            ValidationError: an unknown name, or a message of another length.
        """
        said = algorithm, message_type, encoding, deterministic
        epoch, known, lengths, sign, tick = self._signing
        if (
            epoch == self._epoch[0]
            and same(said, known)
            and type(deterministic) is bool
            and type(message) is bytes
            and len(message) in lengths
        ):
            try:
                made = sign(message)
            except StaleHandle:  # evicted since: the service loads it again
                self._signing = NOTHING_TO_SIGN
            else:
                tick()
                return made
        return self._sign(message, *said)

    @operation_with_call("Sign", members=SIGNING)
    def _sign(  # noqa: PLR0917 - as the public one, in the order of what is remembered
        self,
        call: Call,
        message: bytes,
        algorithm: str | None,
        message_type: str,
        encoding: str | None,
        deterministic: bool,
    ) -> bytes:
        options = self._app.signing.options(
            algorithm, message_type, encoding, deterministic=deterministic
        )
        window = self._usage.watch(self)
        made = self._app.signing.sign(self._raw_id, message, options)
        ready = self._app.signing.ready(self._raw_id, options)
        if ready is not None:
            epoch, lengths, sign, _ = ready
            said = algorithm, message_type, encoding, deterministic

            def remember(entry: Entry) -> None:
                self._signing = Signing(epoch, said, lengths, sign, entry.tick)
                self._forget_after(window)

            call.afterwards = remember
        return made

    def verify(
        self,
        message: bytes,
        signature: bytes,
        *,
        algorithm: str | None = None,
        message_type: str = MessageType.RAW,
        encoding: str | None = None,
    ) -> None:
        """Passes when it is the signature of the message by this key.

        Raises:
            InvalidSignature: it is not. The others: as :meth:`sign`.
        """
        said = algorithm, message_type, encoding
        epoch, known, lengths, verify, tick = self._verifying
        if (
            epoch == self._epoch[0]
            and same(said, known)
            and type(message) is type(signature) is bytes
            and len(message) in lengths
            and verify(message, signature)
        ):
            tick()
            return
        self._verify(message, signature, *said)

    @operation_with_call("Verify", members=SIGNING)
    def _verify(  # noqa: PLR0917 - as the public one, in the order of what is remembered
        self,
        call: Call,
        message: bytes,
        signature: bytes,
        algorithm: str | None,
        message_type: str,
        encoding: str | None,
    ) -> None:
        options = self._app.signing.options(algorithm, message_type, encoding)
        window = self._usage.watch(self)
        self._app.signing.verify(self._raw_id, message, signature, options)
        ready = self._app.signing.ready(self._raw_id, options)
        if ready is not None:
            epoch, lengths, _, verify = ready
            said = algorithm, message_type, encoding

            def remember(entry: Entry) -> None:
                self._verifying = Verifying(epoch, said, lengths, verify, entry.tick)
                self._forget_after(window)

            call.afterwards = remember

    @operation("Sign", members={"algorithm": "SigningAlgorithm"})
    def sign_stream(
        self,
        source: BinaryIO,
        *,
        algorithm: str | None = None,
        encoding: str | None = None,
        deterministic: bool = False,
    ) -> bytes:
        """The signature of all that ``source`` gives: the same as :meth:`sign` would give.

        A message of any length, which is hashed here; for ED25519_SHA_512 of at most 4,096 bytes.
        ED25519_PH_SHA_512 signs its SHA-512 digest.

        Raises:
            As :meth:`sign`.
        """
        options = self._app.signing.options(
            algorithm, MessageType.RAW, encoding, deterministic=deterministic
        )
        return self._app.signing.sign_stream(self._raw_id, source, options)

    @operation("Verify", members={"algorithm": "SigningAlgorithm"})
    def verify_stream(
        self,
        source: BinaryIO,
        signature: bytes,
        *,
        algorithm: str | None = None,
        encoding: str | None = None,
    ) -> None:
        """Passes when it is the signature of all that ``source`` gives (:meth:`sign_stream`).

        Raises:
            InvalidSignature: it is not. The others: as :meth:`sign`.
        """
        options = self._app.signing.options(algorithm, MessageType.RAW, encoding)
        self._app.signing.verify_stream(self._raw_id, source, signature, options)

    @operation("Sign", members=SIGNING, records="digests")
    def sign_batch(
        self,
        digests: Any,
        *,
        algorithm: str | None = None,
        message_type: str = MessageType.DIGEST,
        encoding: str | None = None,
        deterministic: bool = False,
        threads: int = 1,
    ) -> Batch:
        """A signature for each digest, or for each message with message_type RAW.

        Args:
            digests: a list of bytes, numpy uint8 of (n, 32), or any batch that encrypts; no nulls.
                Messages may have any length here.
            encoding: of ECDSA signatures; None: "der" for a list, "raw" for an array.
            threads: for P-256, whose signatures C makes; the GIL is released.

        Returns:
            A list of bytes; of an array and "raw" an array, numpy uint8 of (n, 64) for P-256.

        Raises:
            As :meth:`sign`; nothing is signed then.
        """
        options = self._app.signing.options(
            algorithm, message_type, encoding, deterministic=deterministic
        )
        return self._app.signing.sign_batch(self._raw_id, digests, options, threads)

    @operation("Verify", members=SIGNING, records="digests", outcome=false_signatures)
    def verify_batch(
        self,
        digests: Any,
        signatures: Any,
        *,
        algorithm: str | None = None,
        message_type: str = MessageType.DIGEST,
        encoding: str | None = None,
        threads: int = 1,
    ) -> Bools:
        """Whether each is the signature of its digest: numpy bool of (n,).

        Args:
            encoding: of ECDSA signatures; None: "der" in a list, "raw" in an array.

        Raises:
            As :meth:`sign`. Signatures that do not verify do not raise: ask ``.all()``.
        """
        options = self._app.signing.options(algorithm, message_type, encoding)
        return self._app.signing.verify_batch(self._raw_id, digests, signatures, options, threads)

    @operation("GetPublicKey")
    def public_key_der(self) -> bytes:
        """The public key, as a DER SubjectPublicKeyInfo (RFC 5280).

        Raises:
            UnsupportedOperation: a symmetric or HMAC key.
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
        """
        return self._app.asymmetric.public_key(self._raw_id)

    def public_key_pem(self) -> str:
        """The public key, as PEM (RFC 7468).

        Raises:
            As :meth:`public_key_der`.
        """
        return public_pem(self.public_key_der()).decode()

    @operation("DeriveSharedSecret", secret=True)
    def derive_shared_secret(self, public_key: bytes) -> bytes:
        """The raw secret of ECDH (SP 800-56A 5.7.1.2); only for deriving keys from it.

        Args:
            public_key: of the other side, as a DER SubjectPublicKeyInfo.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound, InvalidKeyUsage: the key does not derive.
            ValidationError: no public key, or one on another curve.
        """
        return self._app.asymmetric.derive_shared_secret(self._raw_id, public_key)

    @operation("Encapsulate", secret=True)
    def encapsulate(self, *, algorithm: str | None = None) -> Encapsulated:
        """A fresh shared secret of 32 bytes, and what carries it to whoever can decapsulate it.

        Args:
            algorithm: ML_KEM, the only one; None is the same.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound, InvalidKeyUsage: the key does not encapsulate.
            ValidationError: no algorithm of that name.
        """
        return self._app.encapsulation.encapsulate(self._raw_id, algorithm)

    @operation("Decapsulate", secret=True)
    def decapsulate(self, ciphertext: bytes, *, algorithm: str | None = None) -> bytes:
        """The shared secret, 32 bytes, that a ciphertext carries (FIPS 203).

        A ciphertext of the right length that was changed, or is of another key, gives a secret as
        well, one that nobody else has: only its use shows that it is not the common one.

        Args:
            ciphertext: of :meth:`encapsulate`, or made with the public key.
            algorithm: ML_KEM, the only one; None is the same.

        Raises:
            InvalidCiphertext: it does not have the length of the key's ciphertexts.
            KeyDisabled, InvalidState, KeyNotFound, InvalidKeyUsage: the key does not decapsulate.
            ValidationError: no algorithm of that name, or no bytes.
        """
        return self._app.encapsulation.decapsulate(self._raw_id, ciphertext, algorithm)

    @operation("GenerateDataKeyPair", members=OF_PAIR, secret=True)
    def generate_data_key_pair(self, spec: str, context: Context = None) -> DataKeyPair:
        """A fresh key pair for use elsewhere, its private key in the clear and as a blob.

        Args:
            spec: of any pair: RSA_2048, ECC_NIST_P256, ML_DSA_65 and so on.
            context: needed again to decrypt the private key (:meth:`decrypt`).

        Raises:
            KeyDisabled, InvalidState, KeyNotFound, InvalidKeyUsage: the key cannot encrypt it.
            ValidationError, UnsupportedOperation: no spec of a pair, or one that is not offered.
        """
        return self._app.asymmetric.data_key_pair(self._raw_id, spec, context, with_plaintext=True)

    @operation("GenerateDataKeyPairWithoutPlaintext", members=OF_PAIR)
    def generate_data_key_pair_without_plaintext(
        self, spec: str, context: Context = None
    ) -> DataKeyPair:
        """A fresh key pair, its private key as a blob alone.

        Raises:
            As :meth:`generate_data_key_pair`.
        """
        return self._app.asymmetric.data_key_pair(self._raw_id, spec, context, with_plaintext=False)
