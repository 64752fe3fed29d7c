"""What a Python user would write instead: loops over one AEAD, HMAC or EC key object."""

import hmac
from collections.abc import Callable, Sequence
from os import urandom

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

NONCE_LEN = 12


class CryptographyLoop:
    """``cryptography``'s AESGCM, made once; records are nonce || ciphertext || tag.

    Its one key serves a limited number of random nonces and its records name no key: it does less
    than a blob, which is in its favour.
    """

    def __init__(self) -> None:
        self._aead = AESGCM(AESGCM.generate_key(256))

    def encrypt(self, values: Sequence[bytes], aad: bytes) -> list[bytes]:
        """Every record under a fresh random nonce."""
        encrypt, out = self._aead.encrypt, []
        for value in values:
            nonce = urandom(NONCE_LEN)
            out.append(nonce + encrypt(nonce, value, aad))
        return out

    def decrypt(self, records: Sequence[bytes], aad: bytes) -> list[bytes]:
        """The values again."""
        decrypt = self._aead.decrypt
        return [decrypt(record[:NONCE_LEN], record[NONCE_LEN:], aad) for record in records]


class TinkLoop:
    """tink's AEAD primitive (AES256_GCM template)."""

    def __init__(self) -> None:
        import tink  # type: ignore[import-untyped]
        from tink import aead

        aead.register()
        handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
        self._aead = handle.primitive(aead.Aead)

    def encrypt(self, values: Sequence[bytes], aad: bytes) -> list[bytes]:
        """Every record under a fresh random nonce, drawn by tink."""
        encrypt = self._aead.encrypt
        return [encrypt(value, aad) for value in values]

    def decrypt(self, records: Sequence[bytes], aad: bytes) -> list[bytes]:
        """The values again."""
        decrypt = self._aead.decrypt
        return [decrypt(record, aad) for record in records]


# One object has the key; a copy of it per message is the fastest that each library has.


def hmac_loop(key: bytes, values: Sequence[bytes]) -> list[bytes]:
    """HMAC-SHA-256 by the standard library."""
    keyed, out = hmac.new(key, digestmod="sha256"), []
    for value in values:
        one = keyed.copy()
        one.update(value)
        out.append(one.digest())
    return out


def cryptography_hmac_loop(key: bytes, values: Sequence[bytes]) -> list[bytes]:
    """HMAC-SHA-256 by ``cryptography``."""
    keyed, out = HMAC(key, SHA256()), []
    for value in values:
        one = keyed.copy()
        one.update(value)
        out.append(one.finalize())
    return out


PEERS: dict[str, Callable[[], CryptographyLoop | TinkLoop]] = {
    "cryptography": CryptographyLoop,
    "tink": TinkLoop,
}


_PREHASHED = ec.ECDSA(utils.Prehashed(SHA256()))


def ecdsa_key(scalar: bytes) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of a private scalar."""
    return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())


def ecdsa_sign_loop(key: ec.EllipticCurvePrivateKey, digests: Sequence[bytes]) -> list[bytes]:
    """A signature of each digest, DER."""
    sign = key.sign
    return [sign(digest, _PREHASHED) for digest in digests]


def ecdsa_verify_loop(
    key: ec.EllipticCurvePublicKey, digests: Sequence[bytes], signatures: Sequence[bytes]
) -> None:
    """Verifies each; the first that is not valid raises."""
    verify = key.verify
    for digest, signature in zip(digests, signatures, strict=True):
        verify(signature, digest, _PREHASHED)


class AwsLcKey:
    """A P-256 key of AWS-LC, by the one package that brings it to Python, ``awscrt``.

    Raises:
        ImportError: awscrt is not installed.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        from awscrt.crypto import EC  # type: ignore[import-not-found]

        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self._key = EC.new_key_from_der_data(der)

    def sign(self, digests: Sequence[bytes]) -> list[bytes]:
        """A signature of each digest, DER."""
        sign = self._key.sign
        return [sign(digest) for digest in digests]

    def verify(self, digests: Sequence[bytes], signatures: Sequence[bytes]) -> bool:
        """Whether all are valid."""
        verify, num = self._key.verify, 0
        for digest, signature in zip(digests, signatures, strict=True):
            num += verify(digest, signature)
        return num == len(digests)


def encryption_sdk_message(value: bytes, context: dict[str, str]) -> bytes:
    """A message of the AWS Encryption SDK for Python that commits to its key.

    Raises:
        ImportError: it is not installed.
    """
    from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
    from aws_encryption_sdk.identifiers import AlgorithmSuite, EncryptionKeyType, WrappingAlgorithm
    from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
    from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider

    class Provider(RawMasterKeyProvider):  # type: ignore[misc]
        provider_id = "bench"

        def _get_raw_key(self, _key_id: str) -> WrappingKey:
            wrapping = WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING
            return WrappingKey(wrapping, urandom(32), EncryptionKeyType.SYMMETRIC)

    provider = Provider()
    provider.add_master_key("bench")
    client = EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    message: bytes = client.encrypt(
        source=value,
        key_provider=provider,
        encryption_context=context,
        algorithm=AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY,
    )[0]
    return message


class CedarPolicies:
    """Cedar's engine, by ``cedarpy``, with policies that were parsed before.

    Raises:
        ImportError: cedarpy is not installed.
    """

    def __init__(self, policies: str) -> None:
        import cedarpy  # type: ignore[import-not-found]

        self._ask = cedarpy.is_authorized
        self._policies = cedarpy.PolicySet.from_str(policies)
        self._entities = cedarpy.Entities.from_json_str("[]")
        self._allow = cedarpy.Decision.Allow

    def allows(self, user: str, action: str, key: str, context: dict[str, object]) -> bool:
        """Whether the user may do that with the key."""
        request = {
            "principal": {"type": "User", "id": user},
            "action": {"type": "Action", "id": action},
            "resource": {"type": "Key", "id": key},
            "context": context,
        }
        return bool(self._ask(request, self._policies, self._entities).decision == self._allow)
