"""Public keys, RSA encryption, key agreement and data key pairs: one method per operation.

Checks come in the order of AWS: parameters, key, usage, state, algorithm, lengths. RSA makes
standard ciphertexts (RFC 8017), which name no key and have no encryption context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from kmsfast.crypto import p256, pkcs8
from kmsfast.crypto.blob import seal_one
from kmsfast.errors import UnsupportedOperation, ValidationError
from kmsfast.model.context import canonical
from kmsfast.model.key import KeyMetadata, require
from kmsfast.model.keyspec import (
    KNOWN_ENCRYPTION_ALGORITHMS,
    KeySpec,
    KeyUsage,
    checked_pair_spec,
    enumerated,
    require_algorithm,
)
from kmsfast.model.message import checked_message
from kmsfast.service.encryption import as_bytes
from kmsfast.service.keyring import Keyring
from kmsfast.service.material import in_c

__all__ = ["Asymmetric", "DataKeyPair"]

Context = Mapping[str, str] | None


class DataKeyPair(NamedTuple):
    """A key pair for use elsewhere. Prints without its private key.

    Attributes:
        public_key: DER SubjectPublicKeyInfo (RFC 5280).
        private_key: DER PrivateKeyInfo (RFC 5958); use it and forget it. None when it was not
            asked for.
        private_key_blob: the same, as a blob; keep it beside the data.
        spec: what kind of pair it is.
        key_arn: the key that encrypted it.
    """

    public_key: bytes
    private_key: bytes | None
    private_key_blob: bytes
    spec: KeySpec
    key_arn: str

    def __repr__(self) -> str:
        size = "none" if self.private_key is None else f"<secret {len(self.private_key)} bytes>"
        return f"DataKeyPair(spec='{self.spec}', private_key={size}, key_arn={self.key_arn!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a DataKeyPair holds a private key and cannot be pickled or copied; send its "
            "private_key_blob, and decrypt it where it arrives"
        )


class Asymmetric:
    """Uses the key pairs of one store."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def public_key(self, raw_id: bytes) -> bytes:
        """The public key, as a DER SubjectPublicKeyInfo."""
        key = self._ring.key(raw_id)
        if key.public_key is None:
            raise UnsupportedOperation(
                f"{key.arn} is of spec {key.spec}, which has no public key: its keys are symmetric"
            )
        require(key, "use")
        return key.public_key

    def encrypt(
        self, raw_id: bytes, plaintext: Any, algorithm: str, context: Context, aad: Any
    ) -> bytes:
        """The RSA ciphertext of a plaintext."""
        _check_algorithm(algorithm, context, aad)
        data = checked_message(as_bytes(plaintext), "plaintext")
        key = self._encrypting(raw_id, algorithm, "Encrypt")
        from kmsfast.crypto import rsa

        most = rsa.max_plaintext(key.spec, algorithm)
        if len(data) > most:
            raise ValidationError(
                f"Algorithm {algorithm} and key spec {key.spec} cannot encrypt data larger than "
                f"{most} bytes."
            )
        made = rsa.encrypt(pkcs8.parse_public(key.public_key or b""), algorithm, data)
        self._ring.used(raw_id, "Encrypt")
        return made

    def decrypt(
        self, raw_id: bytes, ciphertext: Any, algorithm: str, context: Context, aad: Any
    ) -> bytes:
        """The plaintext of an RSA ciphertext.

        Raises:
            InvalidCiphertext: it does not open.
        """
        _check_algorithm(algorithm, context, aad)
        data = as_bytes(ciphertext, "the ciphertext")
        key = self._encrypting(raw_id, algorithm, "Decrypt")
        from kmsfast.crypto import rsa

        opened = rsa.decrypt(self._ring.private_key(key), algorithm, data)
        self._ring.used(raw_id, "Decrypt")
        return opened

    def derive_shared_secret(self, raw_id: bytes, public_key: Any) -> bytes:
        """The x-coordinate of the point that both sides of ECDH have in common."""
        der = as_bytes(public_key, "a public key")
        key = self._ring.usable(raw_id, KeyUsage.KEY_AGREEMENT, "DeriveSharedSecret")
        public = pkcs8.parse_public(der)
        from kmsfast.crypto import ec

        found = ec.spec_of(public)
        if found != key.spec:
            raise ValidationError(
                f"the public key is not of the spec of {key.arn}, {key.spec}: it is of "
                f"{found or 'another kind'}"
            )
        if in_c(key.spec):
            point = ec.point_of(public)
            secret = self._ring.with_version(key, lambda handle: p256.ecdh(handle, point))
        else:
            secret = ec.exchange(self._ring.private_key(key), public)
        self._ring.used(raw_id, "DeriveSharedSecret")
        return secret

    def data_key_pair(
        self, raw_id: bytes, spec: str, context: Context, *, with_plaintext: bool
    ) -> DataKeyPair:
        """A fresh key pair, its private key encrypted by a symmetric key."""
        known, bound = checked_pair_spec(spec), canonical(context)
        operation = "GenerateDataKeyPair" + ("" if with_plaintext else "WithoutPlaintext")
        self._ring.ready(raw_id, operation)  # before the work of making a pair
        private = pkcs8.family_of(known).generate(known)
        with pkcs8.exported(private) as der:
            blob = self._ring.with_current(
                raw_id, lambda handle: seal_one(handle, der, bound), operation
            )
            plaintext = bytes(bytearray(der)) if with_plaintext else None
        public = pkcs8.public_der(private.public_key())
        return DataKeyPair(public, plaintext, blob, known, self._ring.key(raw_id).arn)

    def _encrypting(self, raw_id: bytes, algorithm: str, operation: str) -> KeyMetadata:
        key = self._ring.usable(raw_id, KeyUsage.ENCRYPT_DECRYPT, operation)
        require_algorithm(key.spec, key.usage, algorithm)
        return key


def _check_algorithm(algorithm: str, context: Context, aad: Any) -> None:
    enumerated(algorithm, KNOWN_ENCRYPTION_ALGORITHMS, "encryptionAlgorithm")
    if context or aad:
        raise ValidationError(
            f"{algorithm} has no place for an encryption context or associated data; symmetric "
            "encryption keys have"
        )
