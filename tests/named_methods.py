"""Python's objects as a client that is called by the names of AWS, for what they have methods for.

An answer has the members that the objects tell. kms is an open key store, in this process or
behind a socket, or one of asyncio whose methods wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore_model import kms_model

import kmsfast

Answer = dict[str, Any]


class NamedMethods:
    """Operations as methods of boto3's names."""

    def __init__(self, kms: Any) -> None:
        self._kms = kms

    def __getattr__(self, name: str) -> Callable[..., Answer]:
        method = METHODS[_OPERATIONS[name]]
        return lambda **members: _bare(method(self._kms, **members) or {})


def _bare(answer: Mapping[str, Any]) -> Answer:
    return {name: value for name, value in answer.items() if value is not None}


def _operations() -> dict[str, str]:
    from botocore import xform_name

    return {xform_name(name): name for name in kms_model()["operations"]}


_OPERATIONS = _operations()


def _facts(key: Any) -> Any:
    """What a key is: attributes, or what is awaited."""
    return key.describe() if hasattr(key, "get_tags") else key


def _metadata(key: Any) -> Answer:
    facts = _facts(key)
    return _bare(
        {
            "KeyId": facts.id, "Arn": facts.arn, "KeyState": str(facts.state),
            "KeySpec": str(facts.spec), "KeyUsage": str(facts.usage), "Origin": str(facts.origin),
            "KeyManager": str(facts.manager), "Description": facts.description,
            "MultiRegion": facts.multi_region, "CreationDate": facts.created_at,
            "DeletionDate": facts.deletion_date, "ValidTo": facts.valid_to,
        }
    )  # fmt: skip


def _pairs(tags: Any) -> dict[str, str] | None:
    return None if tags is None else {each["TagKey"]: each["TagValue"] for each in tags}


def _create_key(kms: Any, **given: Any) -> Answer:
    named = {
        "spec": given.get("KeySpec"), "usage": given.get("KeyUsage"), "origin": given.get("Origin"),
        "description": given.get("Description"), "tags": _pairs(given.get("Tags")),
        "multi_region": given.get("MultiRegion"), "policy": given.get("Policy"),
        "custom_key_store_id": given.get("CustomKeyStoreId"), "xks_key_id": given.get("XksKeyId"),
    }  # fmt: skip
    return {"KeyMetadata": _metadata(kms.create_key(**_bare(named)))}


def _ending(kms: Any, KeyId: str, PendingWindowInDays: int = 30) -> Answer:
    key = kms.key(KeyId)
    key.schedule_deletion(PendingWindowInDays)
    facts = _facts(key)
    return {
        "KeyId": key.arn, "DeletionDate": facts.deletion_date, "KeyState": str(facts.state),
        "PendingWindowInDays": PendingWindowInDays,
    }  # fmt: skip


def _grant(kms: Any, KeyId: str, Operations: list[str], **given: Any) -> Answer:
    bound = given.get("Constraints", {})
    made = kms.key(KeyId).create_grant(
        Operations, grantee_principal=given.get("GranteePrincipal"),
        retiring_principal=given.get("RetiringPrincipal"), name=given.get("Name"),
        encryption_context_subset=bound.get("EncryptionContextSubset"),
    )  # fmt: skip
    return {"GrantId": made.grant_id, "GrantToken": made.grant_token}


def _grants(found: Any) -> Answer:
    return {
        "Grants": [
            {
                "GrantId": each.id, "Operations": sorted(each.operations),
                "GranteePrincipal": each.grantee, "CreationDate": each.created_at,
                "IssuingAccount": each.issuing_account,
            }
            for each in found
        ]
    }  # fmt: skip


def _data_key(kms: Any, method: str, KeyId: str, **given: Any) -> Answer:
    size = given.get("NumberOfBytes") or {"AES_256": 32, "AES_128": 16}[given["KeySpec"]]
    key = kms.key(KeyId)
    made = getattr(key, method)(size, given.get("EncryptionContext"))
    return {
        "KeyId": made.key_arn, "CiphertextBlob": made.ciphertext_blob, "Plaintext": made.plaintext,
    }  # fmt: skip


def _data_key_pair(kms: Any, method: str, KeyId: str, KeyPairSpec: str, **given: Any) -> Answer:
    made = getattr(kms.key(KeyId), method)(KeyPairSpec, given.get("EncryptionContext"))
    return {
        "KeyId": made.key_arn, "KeyPairSpec": str(made.spec), "PublicKey": made.public_key,
        "PrivateKeyPlaintext": made.private_key, "PrivateKeyCiphertextBlob": made.private_key_blob,
    }  # fmt: skip


def _sign(kms: Any, KeyId: str, Message: bytes, SigningAlgorithm: str, **given: Any) -> Answer:
    key = kms.key(KeyId)
    kind = given.get("MessageType", "RAW")
    signature = key.sign(Message, algorithm=SigningAlgorithm, message_type=kind)
    return {"KeyId": key.arn, "Signature": signature, "SigningAlgorithm": SigningAlgorithm}


def _verify(
    kms: Any, KeyId: str, Message: bytes, Signature: bytes, SigningAlgorithm: str, **given: Any
) -> Answer:
    key = kms.key(KeyId)
    kind = given.get("MessageType", "RAW")
    key.verify(Message, Signature, algorithm=SigningAlgorithm, message_type=kind)
    return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": SigningAlgorithm}


def _mac(kms: Any, KeyId: str, Message: bytes, MacAlgorithm: str) -> Answer:
    key = kms.key(KeyId)
    return {
        "KeyId": key.arn, "Mac": key.mac(Message, algorithm=MacAlgorithm),
        "MacAlgorithm": MacAlgorithm,
    }  # fmt: skip


def _verify_mac(kms: Any, KeyId: str, Message: bytes, Mac: bytes, MacAlgorithm: str) -> Answer:
    key = kms.key(KeyId)
    key.verify_mac(Message, Mac, algorithm=MacAlgorithm)
    return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": MacAlgorithm}


def _parameters(kms: Any, KeyId: str, WrappingAlgorithm: str, WrappingKeySpec: str) -> Answer:
    key = kms.key(KeyId)
    made = key.get_parameters_for_import(
        wrapping_algorithm=WrappingAlgorithm, wrapping_key_spec=WrappingKeySpec
    )
    return {
        "KeyId": key.arn, "PublicKey": made.public_key, "ImportToken": made.import_token,
        "ParametersValidTo": made.valid_to,
    }  # fmt: skip


def _imported(
    kms: Any, KeyId: str, ImportToken: bytes, EncryptedKeyMaterial: bytes, **given: Any
) -> Answer:
    made = kms.key(KeyId).import_key_material(
        ImportToken, EncryptedKeyMaterial, expiration_model=given["ExpirationModel"]
    )
    return {"KeyId": made.key_arn, "KeyMaterialId": made.material_id}


def _unimported(kms: Any, KeyId: str) -> Answer:
    made = kms.key(KeyId).delete_imported_key_material()
    return {"KeyId": made.key_arn, "KeyMaterialId": made.material_id}


def _rotation(kms: Any, KeyId: str) -> Answer:
    key = kms.key(KeyId)
    found = key.get_rotation() if hasattr(key, "get_rotation") else key.rotation
    return {
        "KeyId": key.arn, "KeyRotationEnabled": found.enabled,
        "RotationPeriodInDays": found.period_days, "NextRotationDate": found.next_rotation,
    }  # fmt: skip


def _versions(kms: Any, KeyId: str, **_: Any) -> Answer:
    """Of a listing that shows rotations, not the first version."""
    found = kms.key(KeyId).versions()[1:]
    return {"Rotations": [{"KeyMaterialId": each.material_id} for each in found]}


def _tags(kms: Any, KeyId: str) -> Answer:
    key = kms.key(KeyId)
    found = key.get_tags() if hasattr(key, "get_tags") else key.tags
    return {"Tags": [{"TagKey": name, "TagValue": value} for name, value in found.items()]}


def _replicate(kms: Any, KeyId: str, ReplicaRegion: str) -> Answer:
    made = kms.key(KeyId).replicate(ReplicaRegion)
    return {"ReplicaKeyMetadata": {"KeyId": made.id, "Arn": made.arn}}


def _last_usage(kms: Any, KeyId: str) -> Answer:
    found = kms.key(KeyId).last_usage()
    return {
        "KeyId": found.key_arn.rpartition("/")[2], "KeyCreationDate": found.created_at,
        "TrackingStartDate": found.tracking_start,
        "KeyLastUsage": {} if found.use is None else {"Operation": found.use.operation},
    }  # fmt: skip


def _key_store(found: Any) -> Answer:
    return _bare(
        {
            "CustomKeyStoreId": found.id, "CustomKeyStoreName": found.name,
            "CustomKeyStoreType": str(found.type), "CreationDate": found.created_at,
            "ConnectionState": str(found.state),
        }
    )  # fmt: skip


def _key_stores(kms: Any, CustomKeyStoreId: str | None = None) -> Answer:
    found = (
        kms.custom_key_stores()
        if CustomKeyStoreId is None
        else [kms.custom_key_store(CustomKeyStoreId)]
    )
    return {"CustomKeyStores": [_key_store(each) for each in found]}


def _create_key_store(kms: Any, CustomKeyStoreName: str, **given: Any) -> Answer:
    said = given.get("XksProxyAuthenticationCredential")
    made = kms.create_custom_key_store(
        CustomKeyStoreName, type=given.get("CustomKeyStoreType", "AWS_CLOUDHSM"),
        uri_endpoint=given.get("XksProxyUriEndpoint"), uri_path=given.get("XksProxyUriPath"),
        credential=said
        and kmsfast.ProxyCredential(said["AccessKeyId"], said["RawSecretAccessKey"]),
    )  # fmt: skip
    return {"CustomKeyStoreId": made.id}


def _retire(kms: Any, KeyId: str | None = None, GrantId: str = "", GrantToken: str = "") -> None:
    kms.retire_grant(GrantToken) if KeyId is None else kms.key(KeyId).retire_grant(GrantId)


def _agreed(kms: Any, KeyId: str, KeyAgreementAlgorithm: str, PublicKey: bytes) -> Answer:
    key = kms.key(KeyId)
    return {
        "KeyId": key.arn, "SharedSecret": key.derive_shared_secret(PublicKey),
        "KeyAgreementAlgorithm": KeyAgreementAlgorithm,
    }  # fmt: skip


def _encapsulated(kms: Any, KeyId: str, EncapsulationAlgorithm: str) -> Answer:
    made = kms.key(KeyId).encapsulate(algorithm=EncapsulationAlgorithm)
    return {
        "KeyId": made.key_arn, "SharedSecret": made.shared_secret,
        "SharedSecretCiphertextBlob": made.ciphertext,
    }  # fmt: skip


def _re_encrypted(kms: Any, CiphertextBlob: bytes, DestinationKeyId: str, **given: Any) -> Answer:
    return {
        "CiphertextBlob": kms.re_encrypt(
            CiphertextBlob, DestinationKeyId, given.get("SourceEncryptionContext"),
            given.get("DestinationEncryptionContext"),
        )
    }  # fmt: skip


def _decrypted(kms: Any, CiphertextBlob: bytes, KeyId: str | None = None, **given: Any) -> Answer:
    opener = kms if KeyId is None else kms.key(KeyId)
    return {"Plaintext": opener.decrypt(CiphertextBlob, given.get("EncryptionContext"))}


def _encrypted(kms: Any, KeyId: str, Plaintext: bytes, **given: Any) -> Answer:
    key = kms.key(KeyId)
    return {
        "KeyId": key.arn, "CiphertextBlob": key.encrypt(Plaintext, given.get("EncryptionContext")),
    }  # fmt: skip


def _decapsulated(
    kms: Any, KeyId: str, SharedSecretCiphertextBlob: bytes, EncapsulationAlgorithm: str
) -> Answer:
    key = kms.key(KeyId)
    secret = key.decapsulate(SharedSecretCiphertextBlob, algorithm=EncapsulationAlgorithm)
    return {"KeyId": key.arn, "SharedSecret": secret}


def _simple(method: str, *members: str, answers: bool = False) -> Callable[..., Any]:
    """A method of a key that takes members in their order; its answer names the key or nothing."""

    def call(kms: Any, KeyId: str, **given: Any) -> Any:
        key = kms.key(KeyId)
        getattr(key, method)(*(given[name] for name in members if name in given))
        return {"KeyId": key.arn} if answers else {}

    return call


METHODS: dict[str, Callable[..., Any]] = {
    "CancelKeyDeletion": _simple("cancel_deletion", answers=True),
    "ConnectCustomKeyStore": lambda kms, CustomKeyStoreId: (
        kms.connect_custom_key_store(CustomKeyStoreId) and None
    ),
    "CreateAlias": lambda kms, AliasName, TargetKeyId: kms.create_alias(AliasName, TargetKeyId),
    "CreateCustomKeyStore": _create_key_store,
    "CreateGrant": _grant,
    "CreateKey": _create_key,
    "Decapsulate": _decapsulated,
    "Decrypt": _decrypted,
    "DeleteAlias": lambda kms, AliasName: kms.delete_alias(AliasName),
    "DeleteCustomKeyStore": lambda kms, CustomKeyStoreId: kms.delete_custom_key_store(
        CustomKeyStoreId
    ),
    "DeleteImportedKeyMaterial": _unimported,
    "DeriveSharedSecret": _agreed,
    "DescribeCustomKeyStores": _key_stores,
    "DescribeKey": lambda kms, KeyId: {"KeyMetadata": _metadata(kms.key(KeyId))},
    "DisableKey": _simple("disable"),
    "DisableKeyRotation": _simple("disable_rotation"),
    "DisconnectCustomKeyStore": lambda kms, CustomKeyStoreId: kms.disconnect_custom_key_store(
        CustomKeyStoreId
    ),
    "EnableKey": _simple("enable"),
    "EnableKeyRotation": _simple("enable_rotation", "RotationPeriodInDays"),
    "Encapsulate": _encapsulated,
    "Encrypt": _encrypted,
    "GenerateDataKey": lambda kms, **given: _data_key(kms, "generate_data_key", **given),
    "GenerateDataKeyPair": lambda kms, **given: _data_key_pair(
        kms, "generate_data_key_pair", **given
    ),
    "GenerateDataKeyPairWithoutPlaintext": lambda kms, **given: _data_key_pair(
        kms, "generate_data_key_pair_without_plaintext", **given
    ),
    "GenerateDataKeyWithoutPlaintext": lambda kms, **given: _data_key(
        kms, "generate_data_key_without_plaintext", **given
    ),
    "GenerateMac": _mac,
    "GenerateRandom": lambda kms, NumberOfBytes: {"Plaintext": kms.generate_random(NumberOfBytes)},
    "GetKeyLastUsage": _last_usage,
    "GetKeyPolicy": lambda kms, KeyId, **_: {"Policy": kms.key(KeyId).get_policy()},
    "GetKeyRotationStatus": _rotation,
    "GetParametersForImport": _parameters,
    "GetPublicKey": lambda kms, KeyId: {"PublicKey": kms.key(KeyId).public_key_der()},
    "ImportKeyMaterial": _imported,
    "ListAliases": lambda kms, KeyId: {
        "Aliases": [
            {"AliasName": each.name, "AliasArn": each.arn, "TargetKeyId": each.key_id}
            for each in kms.aliases()
            if each.key_id == KeyId
        ]
    },
    "ListGrants": lambda kms, KeyId: _grants(kms.key(KeyId).grants()),
    "ListKeyRotations": _versions,
    "ListKeys": lambda kms, **_: {
        "Keys": [{"KeyId": each.id, "KeyArn": each.arn} for each in kms.keys()]
    },
    "ListResourceTags": _tags,
    "ListRetirableGrants": lambda kms, RetiringPrincipal: _grants(
        kms.retirable_grants(RetiringPrincipal)
    ),
    "PutKeyPolicy": lambda kms, KeyId, Policy, **_: kms.key(KeyId).put_policy(Policy),
    "ReEncrypt": _re_encrypted,
    "ReplicateKey": _replicate,
    "RetireGrant": _retire,
    "RevokeGrant": _simple("revoke_grant", "GrantId"),
    "RotateKeyOnDemand": _simple("rotate", answers=True),
    "ScheduleKeyDeletion": _ending,
    "Sign": _sign,
    "TagResource": lambda kms, KeyId, Tags: kms.key(KeyId).tag(_pairs(Tags)),
    "UntagResource": _simple("untag", "TagKeys"),
    "UpdateAlias": lambda kms, AliasName, TargetKeyId: kms.update_alias(AliasName, TargetKeyId),
    "UpdateCustomKeyStore": lambda kms, CustomKeyStoreId, **given: kms.update_custom_key_store(
        CustomKeyStoreId, new_name=given.get("NewCustomKeyStoreName")
    ),
    "UpdateKeyDescription": _simple("update_description", "Description"),
    "UpdatePrimaryRegion": _simple("update_primary_region", "PrimaryRegion"),
    "Verify": _verify,
    "VerifyMac": _verify_mac,
}
