"""Public keys, key agreement, key encapsulation, and key pairs for use elsewhere."""

from __future__ import annotations

from typing import Any, Final

from kmsfast.app import Application
from kmsfast.crypto.blob import parse_key
from kmsfast.model.key import KeyMetadata
from kmsfast.model.keyspec import checked_pair_spec
from kmsfast.operations.metadata import algorithms
from kmsfast.operations.names import any_name
from kmsfast.operations.requests import (
    Given,
    Operation,
    Result,
    refuse_dry_run,
    refuse_recipient,
)
from kmsfast.service.asymmetric import DataKeyPair

__all__ = ["OPERATIONS"]


def get_public_key(app: Application, given: Given) -> Result:
    """The public key of a pair, and what the pair is for."""
    key = any_name(app, given["KeyId"])
    return {
        "KeyId": key.arn,
        "PublicKey": app.asymmetric.public_key(key.raw_id),
        "CustomerMasterKeySpec": key.spec.value,
        "KeySpec": key.spec.value,
        "KeyUsage": key.usage.value,
        **algorithms(key),
    }


def derive_shared_secret(app: Application, given: Given) -> Result:
    """What a key and another party's public key have in common."""
    refuse_recipient(given)
    key = any_name(app, given["KeyId"])
    secret = app.asymmetric.derive_shared_secret(key.raw_id, given["PublicKey"])
    return {
        "KeyId": key.arn,
        "SharedSecret": secret,
        "KeyAgreementAlgorithm": given["KeyAgreementAlgorithm"],
        "KeyOrigin": key.origin.value,
    }


def encapsulate(app: Application, given: Given) -> Result:
    """A fresh shared secret, and what carries it."""
    key, algorithm = any_name(app, given["KeyId"]), given["EncapsulationAlgorithm"]
    made = app.encapsulation.encapsulate(key.raw_id, algorithm)
    refuse_dry_run(given)
    return {
        "KeyId": made.key_arn,
        "SharedSecret": made.shared_secret,
        "SharedSecretCiphertextBlob": made.ciphertext,
        "EncapsulationAlgorithm": algorithm,
    }


def decapsulate(app: Application, given: Given) -> Result:
    """The shared secret that was encapsulated."""
    key, algorithm = any_name(app, given["KeyId"]), given["EncapsulationAlgorithm"]
    ciphertext = given["SharedSecretCiphertextBlob"]
    secret = app.encapsulation.decapsulate(key.raw_id, ciphertext, algorithm)
    refuse_dry_run(given)
    return {"KeyId": key.arn, "SharedSecret": secret, "EncapsulationAlgorithm": algorithm}


def generate_data_key_pair(app: Application, given: Given) -> Result:
    """A fresh key pair, its private key in the clear and as a blob."""
    refuse_recipient(given)
    key, pair = _made(app, given, with_plaintext=True)
    return {**_shown(key, pair), "PrivateKeyPlaintext": pair.private_key}


def generate_data_key_pair_without_plaintext(app: Application, given: Given) -> Result:
    """A fresh key pair, its private key as a blob alone."""
    return _shown(*_made(app, given, with_plaintext=False))


OPERATIONS: Final = {
    "GetPublicKey": Operation(get_public_key),
    "DeriveSharedSecret": Operation(derive_shared_secret),
    "Encapsulate": Operation(encapsulate),
    "Decapsulate": Operation(decapsulate),
    "GenerateDataKeyPair": Operation(generate_data_key_pair),
    "GenerateDataKeyPairWithoutPlaintext": Operation(generate_data_key_pair_without_plaintext),
}


def _made(
    app: Application, given: Given, *, with_plaintext: bool
) -> tuple[KeyMetadata, DataKeyPair]:
    key, spec = any_name(app, given["KeyId"]), checked_pair_spec(given["KeyPairSpec"])
    operation = "GenerateDataKeyPair" + ("" if with_plaintext else "WithoutPlaintext")
    app.ring.ready(key.raw_id, operation)
    refuse_dry_run(given)
    context = given.get("EncryptionContext")
    return key, app.asymmetric.data_key_pair(
        key.raw_id, spec, context, with_plaintext=with_plaintext
    )


def _shown(key: KeyMetadata, pair: DataKeyPair) -> dict[str, Any]:
    return {
        "PrivateKeyCiphertextBlob": pair.private_key_blob,
        "PublicKey": pair.public_key,
        "KeyId": pair.key_arn,
        "KeyPairSpec": pair.spec.value,
        "KeyMaterialId": key.material_id(parse_key(pair.private_key_blob).version),
    }
