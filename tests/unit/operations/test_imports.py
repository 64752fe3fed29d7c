"""Keys of origin EXTERNAL through the API: parameters, imports, deletions, rotations."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api import Api, unblob
from clocks import Clock
from importer import FOREVER, OAEP, Importer

NEW = {"ImportType": "NEW_KEY_MATERIAL", **FOREVER}


@pytest.fixture
def key(api: Api) -> dict[str, Any]:
    return api.create_key(Origin="EXTERNAL")


@pytest.fixture
def importer(api: Api, key: dict[str, Any]) -> Importer:
    return Importer(api, key["KeyId"])


def test_metadata_and_rotations(
    api: Api, key: dict[str, Any], importer: Importer, clock: Clock
) -> None:
    key_id = key["KeyId"]
    until = (datetime.fromtimestamp(clock(), UTC) + timedelta(days=300)).timestamp()
    assert importer.valid_to == clock() + 24 * 3600
    assert (key["Origin"], key["KeyState"], key["Enabled"]) == ("EXTERNAL", "PendingImport", False)
    assert not {"CurrentKeyMaterialId", "ExpirationModel", "ValidTo"} & set(key)
    assert api("ListKeyRotations", KeyId=key_id)["Rotations"] == []

    ids = [importer.bring(os.urandom(32), ValidTo=until)]
    full = api("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert full["CurrentKeyMaterialId"] == ids[0]
    assert (full["ExpirationModel"], full["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", until)
    ids.append(importer.bring(os.urandom(32), KeyMaterialDescription="second", **NEW))
    api("RotateKeyOnDemand", KeyId=key_id)
    # The first material still expires, and the key with it.
    full = api("DescribeKey", KeyId=key_id)["KeyMetadata"]
    assert (full["CurrentKeyMaterialId"], full["ValidTo"]) == (ids[1], until)
    waiting = {"ImportType": "NEW_KEY_MATERIAL", "ValidTo": until - 1}
    ids.append(importer.bring(os.urandom(32), **waiting))
    assert api("DescribeKey", KeyId=key_id)["KeyMetadata"]["ValidTo"] == until
    gone = api("DeleteImportedKeyMaterial", KeyId=key["Arn"], KeyMaterialId=ids[0])
    assert gone == {"KeyId": key["Arn"], "KeyMaterialId": ids[0]}

    everything = api("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    found = everything["Rotations"]
    assert [item["KeyMaterialId"] for item in found] == ids
    assert [item["KeyMaterialState"] for item in found] == [
        "NON_CURRENT", "CURRENT", "PENDING_ROTATION",
    ]  # fmt: skip
    states = [item["ImportState"] for item in found]
    assert states == ["PENDING_IMPORT", "IMPORTED", "IMPORTED"]
    assert [item.get("RotationType") for item in found] == [None, "ON_DEMAND", None]
    assert found[1]["KeyMaterialDescription"] == "second"
    assert found[1]["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert found[2]["ValidTo"] == until - 1
    only = api("ListKeyRotations", KeyId=key_id)["Rotations"]
    assert [item["KeyMaterialId"] for item in only] == ids[1:2]


def test_the_id_of_a_material_is_its_own(api: Api, importer: Importer) -> None:
    first, second, third = (os.urandom(32) for _ in range(3))
    ids = [importer.bring(first), importer.bring(second, **NEW)]
    # Material that waits can go; what comes in its place has another id.
    api("DeleteImportedKeyMaterial", KeyId=importer.key_id, KeyMaterialId=ids[1])
    assert importer.bring(third, **NEW) not in ids
    api("DeleteImportedKeyMaterial", KeyId=importer.key_id,
        KeyMaterialId=importer.bring(third))  # fmt: skip
    assert importer.bring(second, **NEW) == ids[1]
    other = Importer(api, api.create_key(Origin="EXTERNAL")["KeyId"])
    assert other.bring(first) != ids[0]
    sealed = api("Encrypt", KeyId=importer.key_id, Plaintext=b"x")["CiphertextBlob"]
    for _ in range(2):  # the second is answered from memory
        opened = api("Decrypt", CiphertextBlob=unblob(sealed))
        assert opened["KeyMaterialId"] == ids[0]
        made = api("GenerateDataKey", KeyId=importer.key_id, KeySpec="AES_256")
        assert made["KeyMaterialId"] == ids[0]


def test_rotations_are_limited(api: Api, importer: Importer) -> None:
    importer.bring(os.urandom(32))
    code, message = api.refused("RotateKeyOnDemand", KeyId=importer.key_id)
    arn = api("DescribeKey", KeyId=importer.key_id)["KeyMetadata"]["Arn"]
    assert code == "KMSInvalidStateException"
    assert message == f"No available key material pending rotation for the key: {arn}."
    for _ in range(25):
        importer.bring(os.urandom(32), **NEW)
        api("RotateKeyOnDemand", KeyId=importer.key_id)
    importer.bring(os.urandom(32), **NEW)
    code, message = api.refused("RotateKeyOnDemand", KeyId=importer.key_id)
    assert code == "LimitExceededException"
    assert message == (
        "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
        f"rotations can be performed for this key: {arn}"
    )


def test_what_is_refused(api: Api, importer: Importer, clock: Clock) -> None:
    material = os.urandom(32)
    assert importer.refused(material, ExpirationModel="KEY_MATERIAL_EXPIRES") == (
        "ValidationException",
        "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES",
    )
    assert importer.refused(material, ValidTo=clock() - 1)[0] == "ValidationException"
    assert importer.refused(os.urandom(31)) == (
        "IncorrectKeyMaterialException",
        "the key material of a SYMMETRIC_DEFAULT key has 32 bytes, not 31",
    )
    assert importer.refused(material, ImportType="EXISTING_KEY_MATERIAL", **FOREVER)[0] == (
        "IncorrectKeyMaterialException"
    )
    named = importer.bring(material)
    other = {**FOREVER, "KeyMaterialId": "0" * 64}
    assert importer.refused(material, **other)[0] == "IncorrectKeyMaterialException"
    assert importer.refused(material, KeyMaterialId=named, **NEW)[0] == "ValidationException"
    importer.bring(os.urandom(32), **NEW)
    assert importer.refused(os.urandom(32), **NEW)[0] == "KMSInvalidStateException"
    request = importer.request(material)
    for member, code in (
        ("ImportToken", "InvalidImportTokenException"),
        ("EncryptedKeyMaterial", "InvalidCiphertextException"),
    ):
        data = request[member]
        changed = data[:-1] + bytes([data[-1] ^ 1])
        assert api.refused("ImportKeyMaterial", **{**request, member: changed})[0] == code
    clock.forward(days=1)
    assert importer.refused(material)[0] == "ExpiredImportTokenException"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"WrappingAlgorithm": "RSAES_PKCS1_V1_5"}, "UnsupportedOperationException"),
        ({"WrappingAlgorithm": "SM2PKE"}, "UnsupportedOperationException"),
        ({"WrappingKeySpec": "SM2"}, "UnsupportedOperationException"),
        ({"WrappingKeySpec": "RSA_1024"}, "ValidationException"),
        ({"KeyId": "alias/mine"}, "NotFoundException"),
    ],
)
def test_parameters_that_are_refused(
    api: Api, key: dict[str, Any], members: dict[str, str], code: str
) -> None:
    request = {"KeyId": key["KeyId"], "WrappingAlgorithm": OAEP, "WrappingKeySpec": "RSA_2048"}
    assert api.refused("GetParametersForImport", **request | members)[0] == code


def test_keys_whose_material_was_made_here(api: Api) -> None:
    made = api.create_key()
    for operation, members in (
        ("GetParametersForImport", {"WrappingAlgorithm": OAEP, "WrappingKeySpec": "RSA_2048"}),
        ("ImportKeyMaterial", {"ImportToken": b"x", "EncryptedKeyMaterial": b"x", **FOREVER}),
        ("DeleteImportedKeyMaterial", {}),
    ):
        code, message = api.refused(operation, KeyId=made["KeyId"], **members)
        assert code == "UnsupportedOperationException"
        assert message == (
            f"{made['Arn']} origin is AWS_KMS which is not valid for this operation."
        )
