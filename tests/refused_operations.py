"""Calls of each operation that fail, by the names of boto3, and on any client of these names.

A row is the operation, what is wrong, and a call; keys are made by the client that fails.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

from botocore_model import kms_model
from constraint_cases import needed, request_of, shape
from every_operation import GRANTEE, MESSAGE, SIGNING, alias, blob, mac_key, new, signer

Wrong = Callable[[Any], dict[str, Any]]

NOBODY = "12345678-1234-1234-1234-123456789012"
BY_ALIAS = "no such key, by alias"
NAMES = {
    "no such key, by id": NOBODY,
    "no such key, by ARN": f"arn:aws:kms:us-east-1:000000000000:key/{NOBODY}",
    BY_ALIAS: "alias/no-such-alias",
    "no name of a key": "no key",
}
NO_STORE = "cks-0123456789abcdef0"
# What the calls say beside what the model requires, so that they fail by the name alone.
BESIDE: dict[str, dict[str, Any]] = {
    "CreateAlias": {"AliasName": "alias/of-nothing"},
    "CreateGrant": {"GranteePrincipal": GRANTEE},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
}
# Cases of members that Python's methods do not have.
BY_API_ALONE = {
    ("GenerateRandom", "no such key store"), ("ListKeys", "no marker"),
    ("ListAliases", "no marker"), *(("ListAliases", what) for what in NAMES),
}  # fmt: skip


def disabled(kms: Any, **members: Any) -> str:
    made = new(kms, **members)
    kms.disable_key(KeyId=made)
    return made


def doomed(kms: Any, **members: Any) -> str:
    made = new(kms, **members)
    kms.schedule_key_deletion(KeyId=made, PendingWindowInDays=7)
    return made


def required(operation: str) -> dict[str, Any]:
    """What an operation asks for, valid by its shape."""
    request = request_of(operation)
    return {
        name: base64.b64decode(value)
        if shape(request["members"][name]["shape"])["type"] == "blob"
        else value
        for name, value in needed(request).items()
    }


def of_names() -> Iterator[tuple[str, str, Wrong]]:
    """Every operation that names a key, an alias's key or a key store, which is not there."""
    for operation in sorted(kms_model()["operations"]):
        members = request_of(operation)["members"]
        for name in ("KeyId", "DestinationKeyId", "TargetKeyId"):
            if name not in members or operation in {"Decrypt", "ReEncrypt", "RetireGrant"}:
                continue
            for what, value in NAMES.items():
                request = required(operation) | BESIDE.get(operation, {}) | {name: value}
                if operation == "UpdateAlias":
                    continue
                yield operation, what, lambda _, request=request: request
        if "CustomKeyStoreId" in members and operation != "CreateKey":
            request = required(operation) | {"CustomKeyStoreId": NO_STORE}
            yield operation, "no such key store", lambda _, request=request: request


def of_states() -> Iterator[tuple[str, str, Wrong]]:
    """Uses of keys that are disabled, will be deleted, or are for something else."""
    uses: dict[str, dict[str, Any]] = {
        "Encrypt": {"Plaintext": MESSAGE},
        "GenerateDataKey": {"KeySpec": "AES_256"},
        "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
        "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
        "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
        "RotateKeyOnDemand": {},
        "EnableKeyRotation": {},
    }
    for operation, given in uses.items():
        for what, make in (("disabled", disabled), ("doomed", doomed), ("a signer", signer)):
            yield operation, what, lambda kms, m=make, g=given: {"KeyId": m(kms), **g}
    pair = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
    mac = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
    yield "Sign", "disabled", lambda kms: {
        "KeyId": disabled(kms, **pair), "Message": MESSAGE, **SIGNING}  # fmt: skip
    yield "Sign", "no digest", lambda kms: {
        "KeyId": signer(kms), "Message": MESSAGE, **SIGNING, "MessageType": "DIGEST"}  # fmt: skip
    yield "Sign", "another algorithm", lambda kms: {
        "KeyId": signer(kms), "Message": MESSAGE, "SigningAlgorithm": "RSASSA_PSS_SHA_256",
    }  # fmt: skip
    yield "Verify", "another signature", lambda kms: {
        "KeyId": signer(kms), "Message": MESSAGE, "Signature": b"no signature", **SIGNING,
    }  # fmt: skip
    yield "GenerateMac", "disabled", lambda kms: {
        "KeyId": disabled(kms, **mac), "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_256",
    }  # fmt: skip
    yield "VerifyMac", "another MAC", lambda kms: {
        "Message": MESSAGE, "Mac": bytes(32), **mac_key(kms)}  # fmt: skip
    yield "GetPublicKey", "a symmetric key", lambda kms: {"KeyId": new(kms)}
    yield "DeriveSharedSecret", "a signer", lambda kms: {
        "KeyId": signer(kms), "KeyAgreementAlgorithm": "ECDH", "PublicKey": b"x"}  # fmt: skip
    yield "Encapsulate", "a signer", lambda kms: {
        "KeyId": signer(kms), "EncapsulationAlgorithm": "ML_KEM"}  # fmt: skip
    yield "ReplicateKey", "of one region", lambda kms: {
        "KeyId": new(kms), "ReplicaRegion": "eu-west-1"}  # fmt: skip
    yield "UpdatePrimaryRegion", "of one region", lambda kms: {
        "KeyId": new(kms), "PrimaryRegion": "eu-west-1"}  # fmt: skip
    yield "EnableKey", "doomed", lambda kms: {"KeyId": doomed(kms)}
    yield "ScheduleKeyDeletion", "doomed", lambda kms: {"KeyId": doomed(kms)}
    yield "CancelKeyDeletion", "not doomed", lambda kms: {"KeyId": new(kms)}
    yield "ScheduleKeyDeletion", "too soon", lambda kms: {
        "KeyId": new(kms), "PendingWindowInDays": 3}  # fmt: skip
    yield "GetParametersForImport", "made here", lambda kms: {
        "KeyId": new(kms), "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048",
    }  # fmt: skip
    yield "ImportKeyMaterial", "another token", lambda kms: {
        "KeyId": new(kms, Origin="EXTERNAL"), "ImportToken": b"x", "EncryptedKeyMaterial": b"x",
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }  # fmt: skip
    yield "DeleteImportedKeyMaterial", "made here", lambda kms: {"KeyId": new(kms)}


def of_ciphertexts() -> Iterator[tuple[str, str, Wrong]]:
    yield "Decrypt", "no blob", lambda _: {"CiphertextBlob": b"no blob"}
    yield "Decrypt", "cut off", lambda kms: {"CiphertextBlob": blob(kms)[:-1]}
    yield "Decrypt", "another context", lambda kms: {
        "CiphertextBlob": blob(kms), "EncryptionContext": {"a": "b"}}  # fmt: skip
    yield "Decrypt", "another key", lambda kms: {
        "CiphertextBlob": blob(kms), "KeyId": new(kms)}  # fmt: skip
    yield "ReEncrypt", "no blob", lambda kms: {
        "CiphertextBlob": b"no blob", "DestinationKeyId": new(kms)}  # fmt: skip
    yield "ReEncrypt", "no such key", lambda kms: {
        "CiphertextBlob": blob(kms), "DestinationKeyId": NOBODY}  # fmt: skip
    yield "ReEncrypt", "to a signer", lambda kms: {
        "CiphertextBlob": blob(kms), "DestinationKeyId": signer(kms)}  # fmt: skip


def of_others() -> Iterator[tuple[str, str, Wrong]]:
    yield "CreateAlias", "taken", lambda kms: {
        "AliasName": alias(kms), "TargetKeyId": new(kms)}  # fmt: skip
    yield "CreateAlias", "reserved", lambda kms: {
        "AliasName": "alias/aws/mine", "TargetKeyId": new(kms)}  # fmt: skip
    yield "DeleteAlias", "no such alias", lambda _: {"AliasName": "alias/no-such-alias"}
    yield "UpdateAlias", "no such alias", lambda kms: {
        "AliasName": "alias/no-such-alias", "TargetKeyId": new(kms)}  # fmt: skip
    yield "UpdateAlias", "a key of another kind", lambda kms: {
        "AliasName": alias(kms), "TargetKeyId": signer(kms)}  # fmt: skip
    yield "CreateKey", "a reserved tag", lambda _: {
        "Tags": [{"TagKey": "aws:x", "TagValue": "y"}]}  # fmt: skip
    yield "CreateKey", "no such usage", lambda _: {
        "KeySpec": "HMAC_256", "KeyUsage": "ENCRYPT_DECRYPT"}  # fmt: skip
    yield "CreateKey", "a policy that is none", lambda _: {"Policy": "nonsense"}
    yield "CreateKey", "no such key store", lambda _: {
        "Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": NO_STORE}  # fmt: skip
    yield "PutKeyPolicy", "a policy that is none", lambda kms: {
        "KeyId": new(kms), "Policy": "nonsense"}  # fmt: skip
    yield "TagResource", "a reserved tag", lambda kms: {
        "KeyId": new(kms), "Tags": [{"TagKey": "aws:x", "TagValue": "y"}]}  # fmt: skip
    yield "CreateGrant", "no principal", lambda kms: {
        "KeyId": new(kms), "GranteePrincipal": "arn:aws:s3:::x", "Operations": ["Decrypt"],
    }  # fmt: skip
    yield "RevokeGrant", "no such grant", lambda kms: {
        "KeyId": new(kms), "GrantId": "0" * 64}  # fmt: skip
    yield "RetireGrant", "no such grant", lambda kms: {
        "KeyId": new(kms), "GrantId": "0" * 64}  # fmt: skip
    yield "RetireGrant", "no token", lambda _: {"GrantToken": "no token"}
    yield "ListRetirableGrants", "no principal", lambda _: {"RetiringPrincipal": "nobody"}
    yield "GenerateRandom", "none", lambda _: {"NumberOfBytes": 0}
    yield "GenerateRandom", "too many", lambda _: {"NumberOfBytes": 1025}
    yield "CreateCustomKeyStore", "no such proxy", lambda _: {
        "CustomKeyStoreName": "other", "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyUriEndpoint": "https://other.example.com", "XksProxyUriPath": "/kms/xks/v1",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyAuthenticationCredential": {
            "AccessKeyId": "ABCDEFGHIJKLMNOPQRST", "RawSecretAccessKey": "A" * 43,
        },
    }  # fmt: skip
    yield "ListKeys", "no marker", lambda _: {"Marker": "no marker"}
    yield "ListAliases", "no marker", lambda _: {"Marker": "no marker"}


CASES: list[tuple[str, str, Wrong]] = [
    *of_names(), *of_states(), *of_ciphertexts(), *of_others(),
]  # fmt: skip
