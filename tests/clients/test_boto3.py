"""boto3, unchanged but for the endpoint, on every operation that is offered."""

from __future__ import annotations

import json
import os
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from serving import Served
from wrapping import openssl, private_key, wrap

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


def test_multi_region_keys(kms: Any) -> None:
    """One region here; tests/clients/test_regions.py has several."""
    name = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    with pytest.raises(kms.exceptions.ClientError, match="sa-east-1 is not served"):
        kms.replicate_key(KeyId=name, ReplicaRegion="sa-east-1")
    with pytest.raises(kms.exceptions.AlreadyExistsException):
        kms.replicate_key(KeyId=name, ReplicaRegion="us-east-1")
    with pytest.raises(kms.exceptions.NotFoundException, match="sa-east-1"):
        kms.update_primary_region(KeyId=name, PrimaryRegion="sa-east-1")


def test_grants(kms: Any, key: str) -> None:
    role = "arn:aws:iam::000000000000:role/app"
    wanted = {
        "KeyId": key, "GranteePrincipal": role, "RetiringPrincipal": role, "Name": "app",
        "Operations": ["Decrypt", "GenerateDataKey"],
        "Constraints": {"EncryptionContextSubset": CONTEXT},
    }  # fmt: skip
    with pytest.raises(kms.exceptions.DryRunOperationException) as dry:
        kms.create_grant(**wanted, DryRun=True)
    assert dry.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    made = kms.create_grant(**wanted)
    assert kms.create_grant(**wanted)["GrantId"] == made["GrantId"]
    others = [
        kms.create_grant(KeyId=key, GranteePrincipal=role, Operations=["Decrypt"], Name=f"{i}")
        for i in range(4)
    ]
    listed = [item for page in kms.get_paginator("list_grants").paginate(
        KeyId=key, PaginationConfig={"PageSize": 2}) for item in page["Grants"]]  # fmt: skip
    assert {item["GrantId"] for item in listed} == {each["GrantId"] for each in [made, *others]}
    (mine,) = kms.list_grants(KeyId=key, GrantId=made["GrantId"])["Grants"]
    assert abs(mine["CreationDate"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert mine["Constraints"] == wanted["Constraints"]
    assert mine in kms.list_retirable_grants(RetiringPrincipal=role)["Grants"]
    sealed = kms.encrypt(
        KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT, GrantTokens=[made["GrantToken"]]
    )["CiphertextBlob"]
    opened = kms.decrypt(
        CiphertextBlob=sealed, EncryptionContext=CONTEXT, GrantTokens=[made["GrantToken"]]
    )
    assert opened["Plaintext"] == b"x"
    with pytest.raises(kms.exceptions.InvalidGrantTokenException):
        kms.decrypt(CiphertextBlob=sealed, EncryptionContext=CONTEXT, GrantTokens=["x"])
    kms.retire_grant(GrantToken=made["GrantToken"])
    kms.revoke_grant(KeyId=key, GrantId=others[0]["GrantId"])
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 3
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    with pytest.raises(kms.exceptions.InvalidGrantIdException):
        kms.revoke_grant(KeyId=key, GrantId="x")
    with pytest.raises(kms.exceptions.InvalidArnException, match="does not refer to a valid"):
        kms.create_grant(KeyId=key, GranteePrincipal="arn:aws:s3:::x", Operations=["Decrypt"])


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


def test_last_usage(kms: Any, key: str) -> None:
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"] == {}
    for _ in range(2):  # the second is answered from memory
        request = kms.encrypt(KeyId=key, Plaintext=b"x")["ResponseMetadata"]["RequestId"]
        used = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
        assert (used["Operation"], used["KmsRequestId"]) == ("Encrypt", request)
        assert abs(datetime.now(UTC) - used["Timestamp"]) < timedelta(minutes=1)


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


@pytest.mark.parametrize(
    ("algorithm", "spec"),
    [
        ("RSAES_OAEP_SHA_1", "RSA_2048"),
        ("RSAES_OAEP_SHA_256", "RSA_3072"),
        ("RSA_AES_KEY_WRAP_SHA_1", "RSA_2048"),
        ("RSA_AES_KEY_WRAP_SHA_256", "RSA_4096"),
    ],
)
def test_imports(kms: Any, algorithm: str, spec: str) -> None:
    made = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
    key, material = made["Arn"], os.urandom(32)
    assert (made["KeyState"], made["Enabled"], made["Origin"]) == (
        "PendingImport", False, "EXTERNAL",
    )  # fmt: skip
    asked = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec
    )
    assert asked["KeyId"] == key
    assert timedelta(hours=23) < asked["ParametersValidTo"] - datetime.now(UTC) < timedelta(days=1)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)

    def bring(**given: Any) -> str:
        done = kms.import_key_material(
            KeyId=key,
            ImportToken=asked["ImportToken"],
            EncryptedKeyMaterial=wrap(asked["PublicKey"], algorithm, given.pop("material")),
            **given,
        )
        assert done["KeyId"] == key
        return done["KeyMaterialId"]

    first = bring(material=material, ValidTo=until)
    found = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (found["KeyState"], found["ExpirationModel"], found["ValidTo"]) == (
        "Enabled", "KEY_MATERIAL_EXPIRES", until,
    )  # fmt: skip
    assert found["CurrentKeyMaterialId"] == first
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    gone = kms.delete_imported_key_material(KeyId=key)
    assert (gone["KeyId"], gone["KeyMaterialId"]) == (key, first)
    with pytest.raises(kms.exceptions.KMSInvalidStateException, match="is pending import"):
        kms.decrypt(CiphertextBlob=blob)
    forever = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    assert bring(material=material, KeyMaterialId=first, **forever) == first
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == first
    second = bring(material=os.urandom(32), ImportType="NEW_KEY_MATERIAL", **forever)
    assert kms.rotate_key_on_demand(KeyId=key)["KeyId"] == key
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == second
    assert kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"] != blob
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"


@pytest.mark.parametrize(
    ("spec", "options", "sign"),
    [
        ("RSA_2048", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
         "RSASSA_PKCS1_V1_5_SHA_256"),
        ("ECC_NIST_P256", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "ECDSA_SHA_256"),
        ("ECC_NIST_P521", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
         "ECDSA_SHA_512"),
    ],
)  # fmt: skip
def test_imported_private_keys(kms: Any, spec: str, options: list[str], sign: str) -> None:
    der = private_key(*options)
    key = kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    asked = kms.get_parameters_for_import(
        KeyId=key["KeyId"], WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    done = kms.import_key_material(
        KeyId=key["KeyId"],
        ImportToken=asked["ImportToken"],
        EncryptedKeyMaterial=wrap(asked["PublicKey"], "RSA_AES_KEY_WRAP_SHA_256", der),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    assert "KeyMaterialId" not in done
    public = kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]
    assert public == openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", given=der)
    signature = kms.sign(KeyId=key["KeyId"], Message=b"message", SigningAlgorithm=sign)["Signature"]
    assert kms.verify(
        KeyId=key["KeyId"], Message=b"message", SigningAlgorithm=sign, Signature=signature
    )["SignatureValid"]


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


def test_recipients_are_not_offered(kms: Any) -> None:
    with pytest.raises(kms.exceptions.UnsupportedOperationException, match="attestation"):
        kms.generate_random(
            NumberOfBytes=1,
            Recipient={"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"},
        )


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
