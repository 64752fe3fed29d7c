"""Each operation of botocore's model, called on a client by boto3's names and members.

An entry of CALLS makes what its operation needs. refused_operations.py has calls that fail.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from typing import Any

from wrapping import wrap
from xks_proxy import ACCESS_KEY_ID, ENDPOINT, PATH, SECRET

MESSAGE = b"message"
SIGNING = {"MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"},
        ],
    }
)
GRANTEE = "arn:aws:iam::000000000000:role/worker"
ELSEWHERE = "eu-west-1"
Answer = dict[str, Any]


def new(kms: Any, **members: Any) -> str:
    """The id of a new key."""
    return kms.create_key(**members)["KeyMetadata"]["KeyId"]


def signer(kms: Any) -> str:
    return new(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")


def mac_key(kms: Any) -> dict[str, str]:
    made = new(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    return {"KeyId": made, "MacAlgorithm": "HMAC_SHA_256"}


def primary_moved(kms: Any) -> Answer:
    name = new(kms, MultiRegion=True)
    kms.replicate_key(KeyId=name, ReplicaRegion=ELSEWHERE)
    answer: Answer = kms.update_primary_region(KeyId=name, PrimaryRegion=ELSEWHERE)
    return answer


def kem_key(kms: Any) -> dict[str, str]:
    made = new(kms, KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    return {"KeyId": made, "EncapsulationAlgorithm": "ML_KEM"}


def alias(kms: Any) -> str:
    name = f"alias/walk/{uuid.uuid4()}"
    kms.create_alias(AliasName=name, TargetKeyId=new(kms))
    return name


def aliases_listed(kms: Any) -> Answer:
    key = new(kms)
    kms.create_alias(AliasName=f"alias/walk/{uuid.uuid4()}", TargetKeyId=key)
    return kms.list_aliases(KeyId=key)


def blob(kms: Any) -> bytes:
    return kms.encrypt(KeyId=new(kms), Plaintext=MESSAGE)["CiphertextBlob"]


def doomed(kms: Any) -> str:
    made = new(kms)
    kms.schedule_key_deletion(KeyId=made, PendingWindowInDays=7)
    return made


def rotating(kms: Any) -> str:
    made = new(kms)
    kms.enable_key_rotation(KeyId=made)
    return made


def verified(kms: Any) -> Answer:
    key = signer(kms)
    made = kms.sign(KeyId=key, Message=MESSAGE, **SIGNING)
    return kms.verify(KeyId=key, Message=MESSAGE, Signature=made["Signature"], **SIGNING)


def mac_verified(kms: Any) -> Answer:
    key = mac_key(kms)
    return kms.verify_mac(
        Message=MESSAGE, Mac=kms.generate_mac(Message=MESSAGE, **key)["Mac"], **key
    )


def agreed(kms: Any) -> Answer:
    how = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"}
    mine, other = new(kms, **how), new(kms, **how)
    public = kms.get_public_key(KeyId=other)["PublicKey"]
    return kms.derive_shared_secret(KeyId=mine, KeyAgreementAlgorithm="ECDH", PublicKey=public)


def decapsulated(kms: Any) -> Answer:
    key = kem_key(kms)
    made = kms.encapsulate(**key)
    found = kms.decapsulate(SharedSecretCiphertextBlob=made["SharedSecretCiphertextBlob"], **key)
    assert found["SharedSecret"] == made["SharedSecret"]
    return found


def asked(kms: Any) -> Answer:
    return kms.get_parameters_for_import(
        KeyId=new(kms, Origin="EXTERNAL"),
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        WrappingKeySpec="RSA_2048",
    )


def imported(kms: Any) -> Answer:
    given = asked(kms)
    return kms.import_key_material(
        KeyId=given["KeyId"],
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrap(given["PublicKey"], "RSAES_OAEP_SHA_256", os.urandom(32)),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )


def grant(kms: Any) -> dict[str, str]:
    key = new(kms)
    made = kms.create_grant(KeyId=key, GranteePrincipal=GRANTEE, Operations=["Decrypt"])
    return {"KeyId": key, "GrantId": made["GrantId"]}


def no_key_store(kms: Any) -> None:
    """There is no custom key store: a proxy can be that of one alone."""
    for each in kms.describe_custom_key_stores()["CustomKeyStores"]:
        name = {"CustomKeyStoreId": each["CustomKeyStoreId"]}
        if each["ConnectionState"] != "DISCONNECTED":
            kms.disconnect_custom_key_store(**name)
        kms.delete_custom_key_store(**name)


def key_store_created(kms: Any) -> Answer:
    no_key_store(kms)
    return kms.create_custom_key_store(
        CustomKeyStoreName="walk",
        CustomKeyStoreType="EXTERNAL_KEY_STORE",
        XksProxyUriEndpoint=ENDPOINT,
        XksProxyUriPath=PATH,
        XksProxyConnectivity="PUBLIC_ENDPOINT",
        XksProxyAuthenticationCredential={
            "AccessKeyId": ACCESS_KEY_ID, "RawSecretAccessKey": SECRET,
        },
    )  # fmt: skip


def key_store(kms: Any) -> dict[str, str]:
    return {"CustomKeyStoreId": key_store_created(kms)["CustomKeyStoreId"]}


def connected(kms: Any) -> dict[str, str]:
    made = key_store(kms)
    kms.connect_custom_key_store(**made)
    return made


def policy_put(kms: Any) -> Answer:
    return kms.put_key_policy(KeyId=new(kms), PolicyName="default", Policy=POLICY)


TAG = {"TagKey": "team", "TagValue": "orders"}
PAIR = {"KeyPairSpec": "ECC_NIST_P256"}
CALLS: dict[str, Callable[[Any], Answer]] = {
    "CancelKeyDeletion": lambda kms: kms.cancel_key_deletion(KeyId=doomed(kms)),
    "ConnectCustomKeyStore": lambda kms: kms.connect_custom_key_store(**key_store(kms)),
    "CreateAlias": lambda kms: kms.create_alias(
        AliasName=f"alias/walk/{uuid.uuid4()}", TargetKeyId=new(kms)
    ),
    "CreateCustomKeyStore": key_store_created,
    "CreateGrant": lambda kms: kms.create_grant(
        KeyId=new(kms), GranteePrincipal=GRANTEE, Operations=["Decrypt"]
    ),
    "CreateKey": lambda kms: kms.create_key(Description="walk", Tags=[TAG]),
    "Decapsulate": decapsulated,
    "Decrypt": lambda kms: kms.decrypt(CiphertextBlob=blob(kms)),
    "DeleteAlias": lambda kms: kms.delete_alias(AliasName=alias(kms)),
    "DeleteCustomKeyStore": lambda kms: kms.delete_custom_key_store(**key_store(kms)),
    "DeleteImportedKeyMaterial": lambda kms: kms.delete_imported_key_material(
        KeyId=imported(kms)["KeyId"]
    ),
    "DeriveSharedSecret": agreed,
    "DescribeCustomKeyStores": lambda kms: kms.describe_custom_key_stores(**key_store(kms)),
    "DescribeKey": lambda kms: kms.describe_key(KeyId=alias(kms)),
    "DisableKey": lambda kms: kms.disable_key(KeyId=new(kms)),
    "DisableKeyRotation": lambda kms: kms.disable_key_rotation(KeyId=rotating(kms)),
    "DisconnectCustomKeyStore": lambda kms: kms.disconnect_custom_key_store(**connected(kms)),
    "EnableKey": lambda kms: kms.enable_key(KeyId=new(kms)),
    "EnableKeyRotation": lambda kms: kms.enable_key_rotation(KeyId=new(kms)),
    "Encapsulate": lambda kms: kms.encapsulate(**kem_key(kms)),
    "Encrypt": lambda kms: kms.encrypt(KeyId=alias(kms), Plaintext=MESSAGE),
    "GenerateDataKey": lambda kms: kms.generate_data_key(KeyId=new(kms), KeySpec="AES_256"),
    "GenerateDataKeyPair": lambda kms: kms.generate_data_key_pair(KeyId=new(kms), **PAIR),
    "GenerateDataKeyPairWithoutPlaintext": lambda kms: kms.generate_data_key_pair_without_plaintext(
        KeyId=new(kms), **PAIR
    ),
    "GenerateDataKeyWithoutPlaintext": lambda kms: kms.generate_data_key_without_plaintext(
        KeyId=new(kms), KeySpec="AES_256"
    ),
    "GenerateMac": lambda kms: kms.generate_mac(Message=MESSAGE, **mac_key(kms)),
    "GenerateRandom": lambda kms: kms.generate_random(NumberOfBytes=32),
    "GetKeyLastUsage": lambda kms: kms.get_key_last_usage(KeyId=new(kms)),
    "GetKeyPolicy": lambda kms: kms.get_key_policy(KeyId=new(kms)),
    "GetKeyRotationStatus": lambda kms: kms.get_key_rotation_status(KeyId=rotating(kms)),
    "GetParametersForImport": asked,
    "GetPublicKey": lambda kms: kms.get_public_key(KeyId=signer(kms)),
    "ImportKeyMaterial": imported,
    "ListAliases": aliases_listed,
    "ListGrants": lambda kms: kms.list_grants(KeyId=grant(kms)["KeyId"]),
    "ListKeyPolicies": lambda kms: kms.list_key_policies(KeyId=new(kms)),
    "ListKeyRotations": lambda kms: kms.list_key_rotations(KeyId=rotating(kms)),
    "ListKeys": lambda kms: kms.list_keys(Limit=1),
    "ListResourceTags": lambda kms: kms.list_resource_tags(KeyId=new(kms, Tags=[TAG])),
    "ListRetirableGrants": lambda kms: kms.list_retirable_grants(RetiringPrincipal=GRANTEE),
    "PutKeyPolicy": policy_put,
    "ReEncrypt": lambda kms: kms.re_encrypt(CiphertextBlob=blob(kms), DestinationKeyId=new(kms)),
    "ReplicateKey": lambda kms: kms.replicate_key(
        KeyId=new(kms, MultiRegion=True), ReplicaRegion=ELSEWHERE
    ),
    "RetireGrant": lambda kms: kms.retire_grant(**grant(kms)),
    "RevokeGrant": lambda kms: kms.revoke_grant(**grant(kms)),
    "RotateKeyOnDemand": lambda kms: kms.rotate_key_on_demand(KeyId=new(kms)),
    "ScheduleKeyDeletion": lambda kms: kms.schedule_key_deletion(KeyId=new(kms)),
    "Sign": lambda kms: kms.sign(KeyId=signer(kms), Message=MESSAGE, **SIGNING),
    "TagResource": lambda kms: kms.tag_resource(KeyId=new(kms), Tags=[TAG]),
    "UntagResource": lambda kms: kms.untag_resource(KeyId=new(kms, Tags=[TAG]), TagKeys=["team"]),
    "UpdateAlias": lambda kms: kms.update_alias(AliasName=alias(kms), TargetKeyId=new(kms)),
    "UpdateCustomKeyStore": lambda kms: kms.update_custom_key_store(
        NewCustomKeyStoreName="walked", **key_store(kms)
    ),
    "UpdateKeyDescription": lambda kms: kms.update_key_description(
        KeyId=new(kms), Description="walked"
    ),
    "UpdatePrimaryRegion": primary_moved,
    "Verify": verified,
    "VerifyMac": mac_verified,
}
