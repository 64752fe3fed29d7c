"""Keys of other types than symmetric encryption keys, as the API shows and refuses them."""

from __future__ import annotations

from typing import Any

import pytest
from api import Api, unblob

DRY_RUN = (
    "DryRunOperationException",
    "The request would have succeeded, but the DryRun option is set.",
)
USAGES = {
    "SIGN_VERIFY": ("SigningAlgorithms", "RSA_2048"),
    "ENCRYPT_DECRYPT": ("EncryptionAlgorithms", "RSA_2048"),
    "GENERATE_VERIFY_MAC": ("MacAlgorithms", "HMAC_256"),
    "KEY_AGREEMENT": ("KeyAgreementAlgorithms", "ECC_NIST_P256"),
    "ENCAPSULATE_DECAPSULATE": ("EncapsulationAlgorithms", "ML_KEM_768"),
}


def make(api: Api, usage: str, spec: str | None = None) -> str:
    arn: str = api.create_key(KeySpec=spec or USAGES[usage][1], KeyUsage=usage)["Arn"]
    return arn


@pytest.mark.parametrize("usage", USAGES)
def test_the_metadata_lists_the_algorithms_of_the_usage_alone(api: Api, usage: str) -> None:
    member, spec = USAGES[usage]
    found = api("DescribeKey", KeyId=make(api, usage))["KeyMetadata"]
    assert (found["KeySpec"], found["CustomerMasterKeySpec"], found["KeyUsage"]) == (
        spec, spec, usage,
    )  # fmt: skip
    assert [name for name, _ in USAGES.values() if name in found] == [member]
    assert found[member]
    assert "CurrentKeyMaterialId" not in found
    if spec != "HMAC_256":
        public = api("GetPublicKey", KeyId=found["KeyId"])
        assert [name for name, _ in USAGES.values() if name in public] == [member]
        assert public["KeyId"] == found["Arn"]
    else:
        assert api.refused("GetPublicKey", KeyId=found["KeyId"])[0] == (
            "UnsupportedOperationException"
        )


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "Encrypt": ("ENCRYPT_DECRYPT", {"Plaintext": b"x", "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}),
    "Sign": ("SIGN_VERIFY", {"Message": b"x", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}),
    "Verify": (
        "SIGN_VERIFY",
        {"Message": b"x", "SigningAlgorithm": "RSASSA_PSS_SHA_256", "Signature": b"x"},
    ),
    "GenerateMac": ("GENERATE_VERIFY_MAC", {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256"}),
    "VerifyMac": (
        "GENERATE_VERIFY_MAC",
        {"Message": b"x", "MacAlgorithm": "HMAC_SHA_256", "Mac": b"x"},
    ),
    "DeriveSharedSecret": (
        "KEY_AGREEMENT",
        {"KeyAgreementAlgorithm": "ECDH", "PublicKey": b"x"},
    ),
    "Encapsulate": ("ENCAPSULATE_DECAPSULATE", {"EncapsulationAlgorithm": "ML_KEM"}),
    "Decapsulate": (
        "ENCAPSULATE_DECAPSULATE",
        {"EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": b"x"},
    ),
}


@pytest.mark.parametrize("operation", CALLS)
def test_usage_comes_before_state(api: Api, operation: str) -> None:
    usage, members = CALLS[operation]
    other = "SIGN_VERIFY" if usage != "SIGN_VERIFY" else "GENERATE_VERIFY_MAC"
    arn = make(api, other)
    wrong = (
        "InvalidKeyUsageException",
        f"{arn} key usage is {other} which is not valid for {operation}.",
    )
    assert api.refused(operation, KeyId=arn, **members) == wrong
    api("DisableKey", KeyId=arn)
    assert api.refused(operation, KeyId=arn, **members) == wrong
    if operation != "DeriveSharedSecret":
        right = make(api, usage)
        api("DisableKey", KeyId=right)
        assert api.refused(operation, KeyId=right, **members) == (
            "DisabledException", f"{right} is disabled.",
        )  # fmt: skip


def test_rsa_encryption(api: Api) -> None:
    arn = make(api, "ENCRYPT_DECRYPT")
    how = {"KeyId": arn, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    sealed = api("Encrypt", Plaintext=b"x" * 190, **how)
    assert sealed["EncryptionAlgorithm"] == "RSAES_OAEP_SHA_256"
    opened = api("Decrypt", CiphertextBlob=sealed["CiphertextBlob"], **how)
    assert unblob(opened["Plaintext"]) == b"x" * 190
    assert opened.keys() == {"KeyId", "Plaintext", "EncryptionAlgorithm"}
    assert api.refused("Encrypt", Plaintext=b"x" * 191, **how) == (
        "ValidationException",
        (
            "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than "
            "190 bytes."
        ),
    )
    incompatible = (
        "InvalidKeyUsageException",
        "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.",
    )
    assert api.refused("Encrypt", KeyId=arn, Plaintext=b"x") == incompatible
    assert api.refused("Decrypt", KeyId=arn, CiphertextBlob=b"x") == incompatible
    assert api.refused("Decrypt", CiphertextBlob=bytes(256), **how) == (
        "InvalidCiphertextException", None,
    )  # fmt: skip
    assert api.refused("Encrypt", Plaintext=b"x", DryRun=True, **how) == DRY_RUN
    symmetric = api.create_key()["Arn"]
    moved = api(
        "ReEncrypt", CiphertextBlob=sealed["CiphertextBlob"], SourceKeyId=arn,
        SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256", DestinationKeyId=symmetric,
    )  # fmt: skip
    assert "SourceKeyMaterialId" not in moved
    assert len(moved["DestinationKeyMaterialId"]) == 64
    back = api(
        "ReEncrypt", CiphertextBlob=moved["CiphertextBlob"], DestinationKeyId=arn,
        DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_1",
    )  # fmt: skip
    assert back["DestinationEncryptionAlgorithm"] == "RSAES_OAEP_SHA_1"
    again = api(
        "Decrypt", KeyId=arn, CiphertextBlob=back["CiphertextBlob"],
        EncryptionAlgorithm="RSAES_OAEP_SHA_1",
    )  # fmt: skip
    assert unblob(again["Plaintext"]) == b"x" * 190


def test_a_key_that_cannot_have_made_a_blob(api: Api) -> None:
    blob = api("Encrypt", KeyId=api.create_key()["Arn"], Plaintext=b"x")["CiphertextBlob"]
    for usage in ("SIGN_VERIFY", "GENERATE_VERIFY_MAC"):
        assert api.refused("Decrypt", KeyId=make(api, usage), CiphertextBlob=blob)[0] == (
            "IncorrectKeyException"
        )


def test_signing(api: Api) -> None:
    arn = make(api, "SIGN_VERIFY", "ECC_NIST_P256")
    how = {"KeyId": arn, "SigningAlgorithm": "ECDSA_SHA_256"}
    made = api("Sign", Message=b"x", **how)
    assert made.keys() == {"KeyId", "Signature", "SigningAlgorithm"}
    assert api("Verify", Message=b"x", Signature=unblob(made["Signature"]), **how) == {
        "KeyId": arn, "SignatureValid": True, "SigningAlgorithm": "ECDSA_SHA_256",
    }  # fmt: skip
    assert api.refused("Verify", Message=b"y", Signature=unblob(made["Signature"]), **how) == (
        "KMSInvalidSignatureException", None,
    )  # fmt: skip
    assert api.refused("Sign", Message=b"x", MessageType="DIGEST", **how) == (
        "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.",
    )  # fmt: skip
    for other in ("ECDSA_SHA_384", "SM2DSA"):
        assert api.refused("Sign", KeyId=arn, Message=b"x", SigningAlgorithm=other) == (
            "InvalidKeyUsageException",
            f"Algorithm {other} is incompatible with key spec ECC_NIST_P256.",
        )
    assert api.refused("Sign", Message=b"x", DryRun=True, **how) == DRY_RUN


def test_macs(api: Api) -> None:
    arn = make(api, "GENERATE_VERIFY_MAC")
    how = {"KeyId": arn, "MacAlgorithm": "HMAC_SHA_256", "Message": b"x"}
    mac = unblob(api("GenerateMac", **how)["Mac"])
    assert len(mac) == 32
    assert api("VerifyMac", Mac=mac, **how) == {
        "KeyId": arn, "MacValid": True, "MacAlgorithm": "HMAC_SHA_256",
    }  # fmt: skip
    assert api.refused("VerifyMac", Mac=mac[:-1] + b"x", **how)[1] is None
    assert api.refused("GenerateMac", **{**how, "MacAlgorithm": "HMAC_SHA_512"}) == (
        "InvalidKeyUsageException",
        "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.",
    )
    assert api.refused("GenerateMac", DryRun=True, **how) == DRY_RUN


def test_encapsulation(api: Api) -> None:
    arn = make(api, "ENCAPSULATE_DECAPSULATE")
    how = {"KeyId": arn, "EncapsulationAlgorithm": "ML_KEM"}
    made = api("Encapsulate", **how)
    secret, blob = unblob(made["SharedSecret"]), unblob(made["SharedSecretCiphertextBlob"])
    assert made.keys() == {*how, "SharedSecret", "SharedSecretCiphertextBlob"}
    assert (made["KeyId"], len(secret), len(blob)) == (arn, 32, 1088)
    assert api("Decapsulate", SharedSecretCiphertextBlob=blob, **how) == {
        **how, "SharedSecret": made["SharedSecret"],
    }  # fmt: skip
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    other = api("Decapsulate", SharedSecretCiphertextBlob=changed, **how)["SharedSecret"]
    assert len(unblob(other)) == 32
    assert other != made["SharedSecret"]
    assert api.refused("Decapsulate", SharedSecretCiphertextBlob=blob[:-1], **how) == (
        "InvalidCiphertextException", None,
    )  # fmt: skip
    carried = {"SharedSecretCiphertextBlob": blob}
    for operation, more in (("Encapsulate", {}), ("Decapsulate", carried)):
        assert api.refused(operation, DryRun=True, **how, **more) == DRY_RUN
        wrong = {**how, "EncapsulationAlgorithm": "ECDH"}
        assert api.refused(operation, **wrong, **more)[0] == "ValidationException"


def test_only_symmetric_encryption_keys_rotate(api: Api) -> None:
    arn = make(api, "SIGN_VERIFY")
    for operation in (
        "EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand", "ListKeyRotations",
    ):  # fmt: skip
        assert api.refused(operation, KeyId=arn) == ("UnsupportedOperationException", None)
    assert api("GetKeyRotationStatus", KeyId=arn)["KeyRotationEnabled"] is False


def test_data_key_pairs(api: Api) -> None:
    arn = api.create_key()["Arn"]
    how = {"KeyId": arn, "KeyPairSpec": "ECC_NIST_P256", "EncryptionContext": {"a": "b"}}
    made = api("GenerateDataKeyPair", **how)
    opened = api(
        "Decrypt", CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext={"a": "b"}
    )
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    assert opened["KeyMaterialId"] == made["KeyMaterialId"]
    assert "PrivateKeyPlaintext" not in api("GenerateDataKeyPairWithoutPlaintext", **how)
    assert api.refused("GenerateDataKeyPair", DryRun=True, **how) == DRY_RUN
    assert api.refused("GenerateDataKeyPair", KeyId=arn, KeyPairSpec="SM2")[0] == (
        "UnsupportedOperationException"
    )
    signer = make(api, "SIGN_VERIFY", "ECC_NIST_P256")
    assert api.refused("GenerateDataKeyPair", **{**how, "KeyId": signer}) == (
        "InvalidKeyUsageException",
        f"{signer} key usage is SIGN_VERIFY which is not valid for GenerateDataKeyPair.",
    )


def test_key_agreement(api: Api) -> None:
    mine, other = make(api, "KEY_AGREEMENT"), make(api, "KEY_AGREEMENT")
    public = unblob(api("GetPublicKey", KeyId=other)["PublicKey"])
    how = {"KeyId": mine, "KeyAgreementAlgorithm": "ECDH"}
    found = api("DeriveSharedSecret", PublicKey=public, **how)
    assert len(unblob(found["SharedSecret"])) == 32
    assert (found["KeyId"], found["KeyOrigin"]) == (mine, "AWS_KMS")
    assert api.refused("DeriveSharedSecret", PublicKey=b"x", **how)[0] == "ValidationException"
    assert api.refused("DeriveSharedSecret", PublicKey=public, DryRun=True, **how) == DRY_RUN
