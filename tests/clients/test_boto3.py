"""boto3, unchanged but for the endpoint, on every operation that is offered."""

from __future__ import annotations

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from serving import Served

from kmsfast.operations import OPERATIONS

CONTEXT = {"table": "orders"}


def fresh_alias() -> str:
    return f"alias/test/{uuid.uuid4()}"


def test_every_operation_that_is_offered_is_called_here() -> None:
    from botocore import xform_name

    here = Path(__file__)
    source = here.read_text() + (here.parent / "test_key_stores.py").read_text()
    called = set(re.findall(r"kms\.(\w+)[(,]", source))
    called |= set(re.findall(r'get_paginator\("(\w+)"\)', source))
    assert {xform_name(name) for name in OPERATIONS} <= called


def test_keys(kms: Any) -> None:
    made = kms.create_key(
        Description="orders", Tags=[{"TagKey": "team", "TagValue": "x"}], MultiRegion=True
    )["KeyMetadata"]
    assert abs(made["CreationDate"] - datetime.now(UTC)) < timedelta(minutes=1)
    name = made["KeyId"]
    kms.update_key_description(KeyId=name, Description="invoices")
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["Description"] == "invoices"
    kms.disable_key(KeyId=name)
    with pytest.raises(kms.exceptions.DisabledException, match="is disabled"):
        kms.encrypt(KeyId=name, Plaintext=b"x")
    kms.enable_key(KeyId=name)
    gone = kms.schedule_key_deletion(KeyId=name, PendingWindowInDays=7)
    assert abs(gone["DeletionDate"] - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)
    with pytest.raises(kms.exceptions.KMSInvalidStateException):
        kms.enable_key(KeyId=name)
    assert kms.cancel_key_deletion(KeyId=name)["KeyId"] == made["Arn"]
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyState"] == "Disabled"
    listed = [item["KeyArn"] for page in kms.get_paginator("list_keys").paginate(
        PaginationConfig={"PageSize": 3}) for item in page["Keys"]]  # fmt: skip
    assert made["Arn"] in listed
    assert len(set(listed)) == len(listed)
    with pytest.raises(kms.exceptions.NotFoundException, match="Invalid keyId 'nonsense'"):
        kms.describe_key(KeyId="nonsense")


def test_aliases(kms: Any, key: str) -> None:
    name = fresh_alias()
    kms.create_alias(AliasName=name, TargetKeyId=key)
    with pytest.raises(kms.exceptions.AlreadyExistsException):
        kms.create_alias(AliasName=name, TargetKeyId=key)
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName=name, TargetKeyId=other)
    aliases = kms.get_paginator("list_aliases").paginate(KeyId=other).build_full_result()
    assert [(item["AliasName"], item["TargetKeyId"]) for item in aliases["Aliases"]] == [
        (name, other)
    ]
    kms.delete_alias(AliasName=name)
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId=name)


def test_encryption(kms: Any, key: str) -> None:
    for size in (1, 64, 4096):
        sealed = kms.encrypt(KeyId=key, Plaintext=bytes(size), EncryptionContext=CONTEXT)
        opened = kms.decrypt(
            CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT, KeyId=key
        )
        assert (opened["Plaintext"], opened["KeyId"]) == (bytes(size), key)
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])
    other = kms.create_key()["KeyMetadata"]["Arn"]
    with pytest.raises(kms.exceptions.IncorrectKeyException):
        kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT, KeyId=other)
    moved = kms.re_encrypt(
        CiphertextBlob=sealed["CiphertextBlob"],
        SourceEncryptionContext=CONTEXT,
        DestinationKeyId=other,
    )
    assert kms.decrypt(CiphertextBlob=moved["CiphertextBlob"])["Plaintext"] == bytes(4096)
    with pytest.raises(kms.exceptions.DryRunOperationException):
        kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True)
    with pytest.raises(kms.exceptions.ClientError, match="less than or equal to 4096") as caught:
        kms.encrypt(KeyId=key, Plaintext=bytes(4097))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert uuid.UUID(caught.value.response["ResponseMetadata"]["RequestId"])


def test_data_keys(kms: Any, key: str) -> None:
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT)
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == made["Plaintext"]
    bare = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=24)
    assert len(kms.decrypt(CiphertextBlob=bare["CiphertextBlob"])["Plaintext"]) == 24
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024


def test_rotation(kms: Any, key: str) -> None:
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=100)
    status = kms.get_key_rotation_status(KeyId=key)
    assert status["RotationPeriodInDays"] == 100
    assert status["NextRotationDate"] > datetime.now(UTC) + timedelta(days=99)
    kms.disable_key_rotation(KeyId=key)
    assert not kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    for _ in range(3):
        assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == key
    pages = kms.get_paginator("list_key_rotations").paginate(
        KeyId=key, PaginationConfig={"PageSize": 2}
    )
    kinds = [item["RotationType"] for page in pages for item in page["Rotations"]]
    assert kinds == ["ON_DEMAND"] * 3


def test_policies(kms: Any, key: str) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    assert json.loads(kms.get_key_policy(KeyId=key)["Policy"]) == policy
    assert kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    with pytest.raises(kms.exceptions.MalformedPolicyDocumentException):
        kms.put_key_policy(KeyId=key, Policy="nonsense")


def test_tags(kms: Any, key: str) -> None:
    tags = [{"TagKey": f"k{i}", "TagValue": "\u00e9"} for i in range(3)]
    kms.tag_resource(KeyId=key, Tags=tags)
    kms.untag_resource(KeyId=key, TagKeys=["k1"])
    found = kms.list_resource_tags(KeyId=key, Limit=1)
    assert (found["Tags"], found["Truncated"]) == ([tags[0]], True)
    rest = kms.get_paginator("list_resource_tags").paginate(KeyId=key).build_full_result()
    assert rest["Tags"] == [tags[0], tags[2]]
    with pytest.raises(kms.exceptions.TagException):
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "aws:x", "TagValue": ""}])


@pytest.mark.parametrize(
    ("spec", "algorithm", "kind"),
    [
        ("RSA_2048", "RSASSA_PSS_SHA_256", "RAW"),
        ("ECC_NIST_P256", "ECDSA_SHA_256", "DIGEST"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "RAW"),
        ("ML_DSA_44", "ML_DSA_SHAKE_256", "RAW"),
    ],
)
def test_signatures(kms: Any, spec: str, algorithm: str, kind: str) -> None:
    name = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    message = bytes(32)
    how = {"MessageType": kind, "SigningAlgorithm": algorithm}
    made = kms.sign(KeyId=name, Message=message, **how)
    found = kms.verify(KeyId=name, Message=message, Signature=made["Signature"], **how)
    assert (found["SignatureValid"], found["KeyId"]) == (True, name)
    with pytest.raises(kms.exceptions.KMSInvalidSignatureException) as caught:
        kms.verify(KeyId=name, Message=bytes(31) + b"x", Signature=made["Signature"], **how)
    assert caught.value.response["Error"]["Message"] == ""
    public = kms.get_public_key(KeyId=name)
    assert algorithm in public["SigningAlgorithms"]
    assert (public["KeySpec"], public["KeyUsage"]) == (spec, "SIGN_VERIFY")
    if spec == "ECC_NIST_P256":
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, utils
        from cryptography.hazmat.primitives.hashes import SHA256

        loaded: Any = serialization.load_der_public_key(public["PublicKey"])
        loaded.verify(made["Signature"], message, ec.ECDSA(utils.Prehashed(SHA256())))


def test_macs(kms: Any) -> None:
    name = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    how = {"KeyId": name, "MacAlgorithm": "HMAC_SHA_256"}
    made = kms.generate_mac(Message=b"message", **how)
    assert kms.verify_mac(Message=b"message", Mac=made["Mac"], **how)["MacValid"]
    with pytest.raises(kms.exceptions.KMSInvalidMacException):
        kms.verify_mac(Message=b"another", Mac=made["Mac"], **how)


def test_key_pairs(kms: Any, key: str) -> None:
    from cryptography.hazmat.primitives import serialization

    made = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert opened == made["PrivateKeyPlaintext"]
    private = serialization.load_der_private_key(opened, None)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public == made["PublicKey"]
    bare = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec="RSA_2048")
    assert "PrivateKeyPlaintext" not in bare


def test_key_agreement(kms: Any) -> None:
    secrets, names = [], []
    for _ in range(2):
        made = kms.create_key(KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")
        names.append(made["KeyMetadata"]["Arn"])
    for mine, other in (names, names[::-1]):
        public = kms.get_public_key(KeyId=other)["PublicKey"]
        found = kms.derive_shared_secret(KeyId=mine, KeyAgreementAlgorithm="ECDH", PublicKey=public)
        assert found["KeyOrigin"] == "AWS_KMS"
        secrets.append(found["SharedSecret"])
    assert secrets[0] == secrets[1]


def test_key_encapsulation(kms: Any) -> None:
    made = kms.create_key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
    assert made["KeyMetadata"]["EncapsulationAlgorithms"] == ["ML_KEM"]
    how = {"KeyId": made["KeyMetadata"]["Arn"], "EncapsulationAlgorithm": "ML_KEM"}
    sent = kms.encapsulate(**how)
    blob = sent["SharedSecretCiphertextBlob"]
    found = kms.decapsulate(SharedSecretCiphertextBlob=blob, **how)
    assert found["SharedSecret"] == sent["SharedSecret"]
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        kms.decapsulate(SharedSecretCiphertextBlob=blob[1:], **how)


def test_operations_that_are_not_offered(kms: Any, key: str) -> None:
    with pytest.raises(kms.exceptions.UnsupportedOperationException, match="grants"):
        kms.list_grants(KeyId=key)


def test_many_at_once(kms: Any, server: Served, key: str) -> None:
    def work(i: int) -> bool:
        name = f"{i}".encode()
        context = {"i": str(i % 3)}
        sealed = kms.encrypt(KeyId=key, Plaintext=name, EncryptionContext=context)
        if i % 10 == 0:
            kms.tag_resource(KeyId=key, Tags=[{"TagKey": f"{i}", "TagValue": ""}])
        opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
        return bool(opened["Plaintext"] == name)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
    assert server.process.poll() is None
