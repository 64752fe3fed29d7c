"""Encrypting, decrypting and data keys, cold and warm."""

from __future__ import annotations

from typing import Any

import pytest
from api import Api, unblob
from clocks import Clock

from kmsfast.operations import OPERATIONS

ARN = "arn:aws:kms:eu-central-1:111122223333"
CONTEXT = {"table": "orders", "column": "email"}
DRY_RUN = ("DryRunOperationException",
           "The request would have succeeded, but the DryRun option is set.")  # fmt: skip
SILENT = ("InvalidCiphertextException", None)
WRONG_KEY = (
    "IncorrectKeyException",
    "The key ID in the request does not identify a CMK that can perform this operation.",
)


@pytest.fixture
def arn(api: Api) -> str:
    made = api.create_key()
    api("CreateAlias", AliasName="alias/orders", TargetKeyId=made["KeyId"])
    return made["Arn"]


def is_warm(api: Api, operation: str, **members: Any) -> bool:
    warm = OPERATIONS[operation].warm
    assert warm is not None
    return warm(api.app, members) is not None


def test_there_and_back(api: Api, arn: str) -> None:
    for name in ("alias/orders", arn, arn.rpartition("/")[2], f"{ARN}:alias/orders"):
        for context in ({}, {"EncryptionContext": {}}, {"EncryptionContext": CONTEXT}):
            for _ in range(3):  # cold, then warm
                sealed = api("Encrypt", KeyId=name, Plaintext=b"secret", **context)
                assert sealed.keys() == {"CiphertextBlob", "KeyId", "EncryptionAlgorithm"}
                assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (
                    arn, "SYMMETRIC_DEFAULT",
                )  # fmt: skip
                for named in ({}, {"KeyId": name}):
                    opened = api(
                        "Decrypt", CiphertextBlob=sealed["CiphertextBlob"], **context, **named
                    )
                    assert unblob(opened["Plaintext"]) == b"secret"
                    assert (opened["KeyId"], opened["EncryptionAlgorithm"]) == (
                        arn, "SYMMETRIC_DEFAULT",
                    )  # fmt: skip
                    assert len(opened["KeyMaterialId"]) == 64


def test_the_second_call_needs_no_store(api: Api, arn: str) -> None:
    members = {"KeyId": "alias/orders", "Plaintext": b"x", "EncryptionContext": CONTEXT}
    assert not is_warm(api, "Encrypt", **members)
    blob = api("Encrypt", **members)["CiphertextBlob"]
    assert is_warm(api, "Encrypt", **members)
    assert not is_warm(api, "Encrypt", **{**members, "KeyId": arn})
    assert is_warm(api, "Encrypt", **{**members, "EncryptionContext": {"never": "seen"}})
    assert not is_warm(api, "Encrypt", **members, DryRun=True)
    opening = {"CiphertextBlob": unblob(blob), "EncryptionContext": CONTEXT}
    assert not is_warm(api, "Decrypt", **opening)
    api("Decrypt", CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert is_warm(api, "Decrypt", **opening)
    assert not is_warm(api, "Decrypt", **opening, KeyId=arn)
    data_key = {"KeyId": "alias/orders", "KeySpec": "AES_128", "EncryptionContext": CONTEXT}
    assert is_warm(api, "GenerateDataKey", **data_key)


@pytest.mark.parametrize(
    "change", ["disable", "delete", "alias", "rotation due", "rotated"],
)  # fmt: skip
def test_no_change_is_missed_by_warm_calls(api: Api, arn: str, clock: Clock, change: str) -> None:
    api("EnableKeyRotation", KeyId=arn, RotationPeriodInDays=90)
    for _ in range(2):
        blob = api("Encrypt", KeyId="alias/orders", Plaintext=b"x")["CiphertextBlob"]
        before = api("Decrypt", CiphertextBlob=blob, KeyId="alias/orders")["KeyMaterialId"]
    if change in {"disable", "delete"}:
        api("DisableKey" if change == "disable" else "ScheduleKeyDeletion", KeyId=arn)
        code = "DisabledException" if change == "disable" else "KMSInvalidStateException"
        assert api.refused("Encrypt", KeyId="alias/orders", Plaintext=b"x")[0] == code
        assert api.refused("GenerateDataKey", KeyId="alias/orders", NumberOfBytes=1)[0] == code
        assert api.refused("Decrypt", CiphertextBlob=blob)[0] == code
        return
    if change == "alias":
        other = api.create_key()["Arn"]
        api("UpdateAlias", AliasName="alias/orders", TargetKeyId=other)
        assert api("Encrypt", KeyId="alias/orders", Plaintext=b"x")["KeyId"] == other
        assert api.refused("Decrypt", CiphertextBlob=blob, KeyId="alias/orders") == WRONG_KEY
        return
    if change == "rotation due":
        clock.forward(days=90)
    else:
        api("RotateKeyOnDemand", KeyId=arn)
    fresh = api("Encrypt", KeyId="alias/orders", Plaintext=b"x")["CiphertextBlob"]
    assert api("Decrypt", CiphertextBlob=fresh)["KeyMaterialId"] != before
    assert api("Decrypt", CiphertextBlob=blob)["KeyMaterialId"] == before


def test_what_does_not_open_says_nothing(api: Api, arn: str) -> None:
    blob = unblob(
        api("Encrypt", KeyId=arn, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    )
    open_it = lambda data, context=CONTEXT: api.refused(
        "Decrypt", CiphertextBlob=data, EncryptionContext=context
    )
    for _ in range(2):
        assert open_it(blob, {}) == SILENT
        assert open_it(blob, {"table": "orders"}) == SILENT
        for i in (0, 1, 2, 3, 23, 24, 55, 56, 80, len(blob) - 1):
            changed = bytearray(blob)
            changed[i] ^= 2
            assert open_it(bytes(changed)) == SILENT, i
        for size in (1, 24, 95, len(blob) - 1):
            assert open_it(blob[:size]) == SILENT
        api("Decrypt", CiphertextBlob=blob, EncryptionContext=CONTEXT)


def test_a_blob_of_another_key(api: Api, arn: str) -> None:
    other = api.create_key()["Arn"]
    blob = api("Encrypt", KeyId=other, Plaintext=b"x")["CiphertextBlob"]
    for operation, member in (("Decrypt", "KeyId"), ("ReEncrypt", "SourceKeyId")):
        more = {"DestinationKeyId": arn} if operation == "ReEncrypt" else {}
        assert api.refused(
            operation, CiphertextBlob=blob, **{member: "alias/orders"}, **more
        ) == WRONG_KEY  # fmt: skip
        unknown = bytearray(unblob(blob))
        unknown[4] ^= 1
        code, message = api.refused(operation, CiphertextBlob=bytes(unknown), **more)
        assert code == "AccessDeniedException"
        assert message is not None
        assert message.startswith("The ciphertext refers to a customer master key")


def test_data_keys(api: Api, arn: str) -> None:
    for members, size in (
        ({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1024}, 1024),
        ({"NumberOfBytes": 1}, 1),
    ):  # fmt: skip
        for _ in range(2):
            made = api("GenerateDataKey", KeyId=arn, EncryptionContext=CONTEXT, **members)
            assert made.keys() == {"CiphertextBlob", "Plaintext", "KeyId", "KeyMaterialId"}
            assert len(unblob(made["Plaintext"])) == size
            opened = api(
                "Decrypt", CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT
            )
            assert opened["Plaintext"] == made["Plaintext"]
            assert opened["KeyMaterialId"] == made["KeyMaterialId"]
            bare = api("GenerateDataKeyWithoutPlaintext", KeyId=arn, **members)
            assert bare.keys() == {"CiphertextBlob", "KeyId", "KeyMaterialId"}
            opened = api("Decrypt", CiphertextBlob=bare["CiphertextBlob"])
            assert len(unblob(opened["Plaintext"])) == size
    for members in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        for _ in range(2):
            assert api.refused("GenerateDataKey", KeyId=arn, **members) == (
                "ValidationException", "Please specify either number of bytes or key spec.",
            )  # fmt: skip


def test_reencryption(api: Api, arn: str) -> None:
    other = api.create_key()["Arn"]
    blob = api("Encrypt", KeyId=arn, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    members = {"CiphertextBlob": blob, "DestinationKeyId": other}
    made = api("ReEncrypt", **members, SourceEncryptionContext=CONTEXT)
    assert made["SourceKeyId"] == arn
    assert made["KeyId"] == other
    assert made["SourceEncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    assert made["DestinationEncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    opened = api("Decrypt", CiphertextBlob=made["CiphertextBlob"], KeyId=other)
    assert unblob(opened["Plaintext"]) == b"x"
    assert opened["KeyMaterialId"] == made["DestinationKeyMaterialId"]
    source = api("Decrypt", CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert source["KeyMaterialId"] == made["SourceKeyMaterialId"]
    assert api.refused("ReEncrypt", **members) == SILENT
    api("DisableKey", KeyId=other)
    assert api.refused("ReEncrypt", **members, SourceEncryptionContext=CONTEXT) == (
        "DisabledException", f"{other} is disabled.",
    )  # fmt: skip


def test_dry_runs_check_everything_and_do_nothing(api: Api, arn: str) -> None:
    blob = api("Encrypt", KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    for operation, members in (
        ("Encrypt", {"KeyId": arn, "Plaintext": b"x"}),
        ("Decrypt", {"CiphertextBlob": blob}),
        ("ReEncrypt", {"CiphertextBlob": blob, "DestinationKeyId": arn}),
        ("GenerateDataKey", {"KeyId": arn, "KeySpec": "AES_256"}),
        ("GenerateDataKeyWithoutPlaintext", {"KeyId": arn, "KeySpec": "AES_256"}),
    ):
        assert api.refused(operation, **members, DryRun=True) == DRY_RUN
        api(operation, **members, DryRun=False)
    assert api.refused("Decrypt", CiphertextBlob=b"no blob", DryRun=True) == SILENT
    ignoring = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert api.refused("Decrypt", KeyId=arn, **ignoring) == DRY_RUN
    assert api.refused("Decrypt", KeyId=arn, CiphertextBlob=b"x", **ignoring) == DRY_RUN
    assert api.refused("ReEncrypt", SourceKeyId=arn, DestinationKeyId=arn, **ignoring) == DRY_RUN
    missing = (
        "1 validation error detected: Value null at '{}' failed to satisfy constraint: "
        "Member must not be null"
    )
    for operation, member, members in (
        ("Decrypt", "keyId", ignoring),
        ("ReEncrypt", "sourceKeyId", {"DestinationKeyId": arn, **ignoring}),
        ("Decrypt", "ciphertextBlob", {"KeyId": arn}),
        ("ReEncrypt", "ciphertextBlob", {"DestinationKeyId": arn}),
    ):
        assert api.refused(operation, **members) == ("ValidationException", missing.format(member))
    api("DisableKey", KeyId=arn)
    assert api.refused("Encrypt", KeyId=arn, Plaintext=b"x", DryRun=True)[0] == "DisabledException"
    assert api.refused("Decrypt", KeyId=arn, **ignoring)[0] == "DisabledException"


def test_algorithms_of_other_keys(api: Api, arn: str) -> None:
    blob = api("Encrypt", KeyId=arn, Plaintext=b"x", EncryptionAlgorithm="SYMMETRIC_DEFAULT")
    wrong = ("InvalidKeyUsageException",
        "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.")  # fmt: skip
    rsa = "RSAES_OAEP_SHA_1"
    assert api.refused("Encrypt", KeyId=arn, Plaintext=b"x", EncryptionAlgorithm=rsa) == wrong
    data = {"CiphertextBlob": blob["CiphertextBlob"]}
    assert api.refused("Decrypt", **data, EncryptionAlgorithm=rsa) == wrong
    for member in ("SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm"):
        assert api.refused("ReEncrypt", **data, DestinationKeyId=arn, **{member: rsa}) == wrong


def test_recipients_are_refused(api: Api, arn: str) -> None:
    blob = api("Encrypt", KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    recipient = {"Recipient": {"AttestationDocument": b"x"}}
    for operation, members in (
        ("Decrypt", {"CiphertextBlob": blob}),
        ("GenerateDataKey", {"KeyId": arn, "KeySpec": "AES_256"}),
        ("GenerateRandom", {"NumberOfBytes": 8}),
    ):
        assert api.refused(operation, **members, **recipient)[0] == "UnsupportedOperationException"


def test_random_bytes(api: Api) -> None:
    for size in (1, 1024):
        found = {api("GenerateRandom", NumberOfBytes=size)["Plaintext"] for _ in range(2)}
        assert {len(unblob(text)) for text in found} == {size}
    assert api.refused("GenerateRandom") == ("ValidationException", "NumberOfBytes is required.")
    assert api.refused("GenerateRandom", NumberOfBytes=8, CustomKeyStoreId="cks-1")[0] == (
        "CustomKeyStoreNotFoundException"
    )


def test_contexts_have_at_most_8192_bytes(api: Api) -> None:
    """Names and values together, as UTF-8; where the answer comes from memory as well."""
    key = api.create_key()["KeyId"]
    longest, longer = ({"\u00e9" * 1000: "x" * (8192 - 2000 + more)} for more in (0, 1))
    for _ in range(2):
        blob = api("Encrypt", KeyId=key, Plaintext=b"x", EncryptionContext=longest)
        given = unblob(blob["CiphertextBlob"])
        api("Decrypt", CiphertextBlob=given, EncryptionContext=longest)
        for operation, members in (
            ("Encrypt", {"KeyId": key, "Plaintext": b"x", "EncryptionContext": longer}),
            ("Decrypt", {"CiphertextBlob": given, "EncryptionContext": longer}),
            ("GenerateDataKey", {"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": longer}),
            ("ReEncrypt", {"CiphertextBlob": given, "SourceEncryptionContext": longest,
                           "DestinationKeyId": key, "DestinationEncryptionContext": longer}),
        ):  # fmt: skip
            code, message = api.refused(operation, **members)
            assert code == "ValidationException"
            assert message is not None
            assert message.endswith("EncryptionContext has 8193 bytes; at most 8192 are allowed")
