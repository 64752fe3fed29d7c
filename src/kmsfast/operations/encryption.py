"""Encrypting, decrypting, data keys, random bytes.

Checks come in the order of AWS: parameters, key, usage, state, algorithm; then DryRun ends it.
Each operation on one record has a warm way, for keys that were used lately.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kmsfast.app import Application
from kmsfast.crypto.blob import parse_key
from kmsfast.errors import (
    CiphertextOfUnknownKey,
    IncorrectKey,
    InvalidCiphertext,
    KeyNotFound,
    ValidationError,
)
from kmsfast.model.key import KeyMetadata, require, require_symmetric, require_usage
from kmsfast.model.keyspec import KeyUsage, require_algorithm
from kmsfast.operations import usual
from kmsfast.operations.names import any_name, named_key
from kmsfast.operations.requests import (
    Given,
    Operation,
    Result,
    refuse_dry_run,
    refuse_recipient,
)
from kmsfast.operations.results import SYMMETRIC, decrypted, encrypted, generated, size_of
from kmsfast.service.singles import DataKeyOf, Opened, Sealed
from kmsfast.wire.refusals import failure, invalid

__all__ = ["OPERATIONS", "key_of"]

# Requests with other members than these take the way that looks at all of them.
_PLAIN_ENCRYPT: Final = frozenset({"KeyId", "Plaintext", "EncryptionContext", "GrantTokens"})
_PLAIN_DECRYPT: Final = frozenset({"KeyId", "CiphertextBlob", "EncryptionContext", "GrantTokens"})
_PLAIN_DATA_KEY: Final = frozenset(
    {"KeyId", "KeySpec", "NumberOfBytes", "EncryptionContext", "GrantTokens"}
)


def encrypt(app: Application, given: Given) -> Result:
    """One plaintext as a blob."""
    epoch, name, context = app.ring.epoch[0], given["KeyId"], given.get("EncryptionContext")
    key = any_name(app, name)
    algorithm = _check_use(key, given, "EncryptionAlgorithm", "Encrypt")
    sealed = _sealed(app, key, given["Plaintext"], algorithm, context)
    if _is_remembered(key):
        app.singles.remember_seal(epoch, name, key)
    return encrypted(Sealed(sealed, key.arn), algorithm)


def encrypt_warm(app: Application, given: Given) -> Result | None:
    """The same without a look into the store."""
    if not _PLAIN_ENCRYPT.issuperset(given):
        return None
    sealed = app.singles.seal_warm(
        given["KeyId"], given["Plaintext"], given.get("EncryptionContext")
    )
    return None if sealed is None else encrypted(sealed, SYMMETRIC)


def decrypt(app: Application, given: Given) -> Result:
    """The plaintext of a blob."""
    refuse_recipient(given)
    epoch, name, context = app.ring.epoch[0], given.get("KeyId"), given.get("EncryptionContext")
    if _ignores_ciphertext(given):
        if name is None:
            raise invalid([failure(None, "keyId", "Member must not be null")])
        _check_use(any_name(app, name), given, "EncryptionAlgorithm", "Decrypt")
        refuse_dry_run(given)
    data = _ciphertext(given)
    key = key_of(app, data, name)
    algorithm = _check_use(key, given, "EncryptionAlgorithm", "Decrypt")
    plaintext = _opened(app, key, data, algorithm, context)
    if not _is_remembered(key):
        return decrypted(Opened(plaintext, key.arn, None), algorithm)
    app.singles.remember_open(epoch, name, key, data)
    return decrypted(Opened(plaintext, key.arn, _material_of(key, data)), algorithm)


def decrypt_warm(app: Application, given: Given) -> Result | None:
    """The same without a look into the store."""
    data = given.get("CiphertextBlob")
    if data is None or not _PLAIN_DECRYPT.issuperset(given):
        return None
    opened = app.singles.open_warm(given.get("KeyId"), data, given.get("EncryptionContext"))
    return None if opened is None else decrypted(opened, SYMMETRIC)


def re_encrypt(app: Application, given: Given) -> Result:
    """A blob under another key or context, without its plaintext leaving the service."""
    source_name = given.get("SourceKeyId")
    if _ignores_ciphertext(given):
        if source_name is None:
            raise invalid([failure(None, "sourceKeyId", "Member must not be null")])
        _check_use(any_name(app, source_name), given, _SOURCE, "ReEncryptFrom")
        _check_use(any_name(app, given["DestinationKeyId"]), given, _DESTINATION, "ReEncryptTo")
        refuse_dry_run(given)
    data = _ciphertext(given)
    source = key_of(app, data, source_name)
    target = any_name(app, given["DestinationKeyId"])
    opening = _check_use(source, given, _SOURCE, "ReEncryptFrom")
    sealing = _check_use(target, given, _DESTINATION, "ReEncryptTo")
    contexts = given.get("SourceEncryptionContext"), given.get("DestinationEncryptionContext")
    plaintext = _opened(app, source, data, opening, contexts[0], operation="ReEncrypt")
    sealed = _sealed(app, target, plaintext, sealing, contexts[1], operation="ReEncrypt")
    for key in (source, target):
        app.ring.used(key.raw_id, "ReEncrypt")
    return {
        "CiphertextBlob": sealed,
        "SourceKeyId": source.arn,
        "KeyId": target.arn,
        "SourceEncryptionAlgorithm": opening,
        "DestinationEncryptionAlgorithm": sealing,
        "SourceKeyMaterialId": _material_of(source, data),
        "DestinationKeyMaterialId": _material_of(target, sealed),
    }


def generate_data_key(app: Application, given: Given) -> Result:
    """A fresh data key, in the clear and as a blob."""
    refuse_recipient(given)
    return _data_key(app, given, with_plaintext=True)


def generate_data_key_without_plaintext(app: Application, given: Given) -> Result:
    """A fresh data key as a blob alone."""
    return _data_key(app, given, with_plaintext=False)


def generate_random(app: Application, given: Given) -> Result:
    """Random bytes."""
    refuse_recipient(given)
    if "NumberOfBytes" not in given:
        raise ValidationError("NumberOfBytes is required.")
    if "CustomKeyStoreId" in given:
        made = app.outside.random(given["CustomKeyStoreId"], given["NumberOfBytes"])
        return {"Plaintext": made}
    return {"Plaintext": app.encryption.random(given["NumberOfBytes"])}


def generate_random_warm(app: Application, given: Given) -> Result | None:
    """The same, but for random bytes of a custom key store."""
    return None if "CustomKeyStoreId" in given else generate_random(app, given)


def _warm_data_key(*, with_plaintext: bool) -> Callable[[Application, Given], Result | None]:
    def warm(app: Application, given: Given) -> Result | None:
        if not _PLAIN_DATA_KEY.issuperset(given):
            return None
        made = app.singles.data_key_warm(
            given["KeyId"],
            size_of(given),
            given.get("EncryptionContext"),
            with_plaintext=with_plaintext,
        )
        return None if made is None else generated(made)

    return warm


OPERATIONS: Final = {
    "Encrypt": Operation(encrypt, encrypt_warm, usual.Encrypting),
    "Decrypt": Operation(decrypt, decrypt_warm, usual.Decrypting),
    "ReEncrypt": Operation(re_encrypt),
    "GenerateDataKey": Operation(
        generate_data_key, _warm_data_key(with_plaintext=True), usual.DataKeys
    ),
    "GenerateDataKeyWithoutPlaintext": Operation(
        generate_data_key_without_plaintext,
        _warm_data_key(with_plaintext=False),
        usual.BlobsOfDataKeys,
    ),
    "GenerateRandom": Operation(generate_random, generate_random_warm, usual.RandomBytes),
}

_SOURCE: Final = "SourceEncryptionAlgorithm"
_DESTINATION: Final = "DestinationEncryptionAlgorithm"


def _data_key(app: Application, given: Given, *, with_plaintext: bool) -> Result:
    size = size_of(given)
    epoch, name, context = app.ring.epoch[0], given["KeyId"], given.get("EncryptionContext")
    key = any_name(app, name)
    require_symmetric(key, "GenerateDataKey" + ("" if with_plaintext else "WithoutPlaintext"))
    require(key, "use")
    refuse_dry_run(given)
    made = app.encryption.data_key(key.raw_id, size, context, with_plaintext=with_plaintext)
    if _is_remembered(key):
        app.singles.remember_seal(epoch, name, key)
    material = _material_of(key, made.ciphertext_blob)
    return generated(DataKeyOf(made.plaintext, made.ciphertext_blob, key.arn, material))


def _check_use(key: KeyMetadata, given: Given, member: str, operation: str) -> str:
    """The algorithm that a request asks for, when the key is for it; in the order of AWS."""
    algorithm: str = given.get(member, SYMMETRIC)
    require_usage(key, KeyUsage.ENCRYPT_DECRYPT, operation)
    require(key, "use")
    require_algorithm(key.spec, key.usage, algorithm)
    return algorithm


def _sealed(
    app: Application,
    key: KeyMetadata,
    plaintext: bytes,
    algorithm: str,
    context: dict[str, str] | None,
    *,
    operation: str = "Encrypt",
) -> bytes:
    if key.is_asymmetric:
        return app.asymmetric.encrypt(key.raw_id, plaintext, algorithm, context, None)
    return app.encryption.encrypt(key.raw_id, plaintext, context, None, operation)


def _opened(
    app: Application,
    key: KeyMetadata,
    data: bytes,
    algorithm: str,
    context: dict[str, str] | None,
    *,
    operation: str = "Decrypt",
) -> bytes:
    if key.is_asymmetric:
        return app.asymmetric.decrypt(key.raw_id, data, algorithm, context, None)
    return app.encryption.decrypt(data, context, None, operation=operation)


def _ciphertext(given: Given) -> bytes:
    """The blob of a request.

    Raises:
        ValidationError: it has none.
    """
    if "CiphertextBlob" not in given:
        raise invalid([failure(None, "ciphertextBlob", "Member must not be null")])
    data: bytes = given["CiphertextBlob"]
    return data


def _ignores_ciphertext(given: Given) -> bool:
    return bool(given.get("DryRun")) and "IGNORE_CIPHERTEXT" in given.get("DryRunModifiers", ())


def key_of(app: Application, data: bytes, name: str | None) -> KeyMetadata:
    """The key that opens a ciphertext: the one that it names, since blobs name their key.

    Args:
        name: of the key that must have made it; None: any. An asymmetric key that decrypts is
            believed, since its ciphertexts name none.

    Raises:
        IncorrectKey: another one made it. CiphertextOfUnknownKey: it is not here.
        InvalidCiphertext: it has no version of that number. FrameError: no blob.
    """
    wanted = None if name is None else any_name(app, name)
    if wanted and wanted.is_asymmetric and wanted.usage is KeyUsage.ENCRYPT_DECRYPT:
        return wanted
    named = named_key(data)
    if wanted is not None and wanted.raw_id != named.key_id:
        raise IncorrectKey(
            "The key ID in the request does not identify a CMK that can perform this operation."
        )
    try:
        key = app.ring.key(named.key_id, multi_region=bool(named.flags & 1))
    except KeyNotFound:
        raise CiphertextOfUnknownKey(
            "The ciphertext refers to a customer master key that does not exist, does not exist in "
            "this region, or you are not allowed to access."
        ) from None
    if not 1 <= named.version <= key.current_version or named.flags != key.flags:
        raise InvalidCiphertext("the blob names a version that the key does not have")
    return key


def _is_remembered(key: KeyMetadata) -> bool:
    """Whether what a call needed of the key can be kept for warm calls: it is all here."""
    return not key.is_asymmetric and key.backing is None


def _material_of(key: KeyMetadata, data: bytes) -> str | None:
    """The id of the material that made a blob; only material that rotates has one."""
    return key.material_id(parse_key(data).version) if key.rotates else None
