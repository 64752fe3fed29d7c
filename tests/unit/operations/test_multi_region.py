"""Multi-Region keys as the API shows them."""

from __future__ import annotations

import pytest
from api import Api, unblob
from clocks import Clock
from importer import Importer

ADA = "arn:aws:iam::111122223333:user/ada"
GRANT = {"GranteePrincipal": ADA, "RetiringPrincipal": ADA, "Operations": ["Decrypt"]}
HERE, THERE, THIRD = "eu-central-1", "eu-west-1", "us-west-2"


@pytest.fixture
def there(api: Api) -> Api:
    api.app.deployment.serve_regions([HERE, THERE, THIRD])
    return Api(api.app.beside(THERE))


def test_replicas(api: Api, there: Api) -> None:
    primary = api.create_key(MultiRegion=True, Description="here")
    assert primary["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": primary["Arn"], "Region": HERE},
        "ReplicaKeys": [],
    }
    tags = [{"TagKey": "a", "TagValue": "b"}]
    made = api("ReplicateKey", KeyId=primary["KeyId"], ReplicaRegion=THERE, Tags=tags)
    replica = made["ReplicaKeyMetadata"]
    assert set(made) == {"ReplicaKeyMetadata", "ReplicaPolicy", "ReplicaTags"}
    assert made["ReplicaTags"] == tags
    assert "111122223333:root" in made["ReplicaPolicy"]
    assert replica["Arn"] == primary["Arn"].replace(HERE, THERE)
    assert (replica["Description"], replica["KeyState"]) == ("", "Creating")
    assert not replica["Enabled"]
    assert replica["CurrentKeyMaterialId"] == primary["CurrentKeyMaterialId"]
    related = {
        "PrimaryKey": {"Arn": primary["Arn"], "Region": HERE},
        "ReplicaKeys": [{"Arn": replica["Arn"], "Region": THERE}],
    }
    shown = [each("DescribeKey", KeyId=primary["KeyId"])["KeyMetadata"] for each in (api, there)]
    assert shown[1] == {**replica, "Enabled": True, "KeyState": "Enabled"}
    assert [each["MultiRegionConfiguration"] for each in shown] == [
        {"MultiRegionKeyType": "PRIMARY", **related},
        {"MultiRegionKeyType": "REPLICA", **related},
    ]
    blob = api("Encrypt", KeyId=primary["Arn"], Plaintext=b"x")["CiphertextBlob"]
    opened = there("Decrypt", CiphertextBlob=unblob(blob))
    assert opened["KeyId"] == replica["Arn"]


def test_refusals(api: Api, there: Api) -> None:
    primary = api.create_key(MultiRegion=True)
    name = {"KeyId": primary["KeyId"]}
    replica = api("ReplicateKey", **name, ReplicaRegion=THERE)["ReplicaKeyMetadata"]
    not_primary = f"{replica['Arn']} is not a multi-region primary key."
    for refused in (
        there.refused("ReplicateKey", **name, ReplicaRegion=THIRD),
        there.refused("UpdatePrimaryRegion", **name, PrimaryRegion=THIRD),
        there.refused("EnableKeyRotation", **name),
        there.refused("DisableKeyRotation", **name),
        there.refused("RotateKeyOnDemand", **name),
    ):
        assert refused == ("UnsupportedOperationException", not_primary)
    assert api.refused("ReplicateKey", **name, ReplicaRegion=THERE) == (
        "AlreadyExistsException",
        f"{replica['Arn']} already exists.",
    )
    code, message = api.refused("ReplicateKey", **name, ReplicaRegion="sa-east-1")
    assert code == "ValidationException"
    assert "sa-east-1 is not served" in (message or "")
    single = api.create_key()
    assert api.refused("ReplicateKey", KeyId=single["KeyId"], ReplicaRegion=THERE) == (
        "UnsupportedOperationException",
        f"{single['Arn']} is not a multi-region primary key.",
    )
    assert api.refused("ReplicateKey", KeyId=replica["Arn"], ReplicaRegion=THIRD) == (
        "NotFoundException",
        f"Invalid arn {THERE}",
    )


def test_another_primary_and_rotations(api: Api, there: Api) -> None:
    name = {"KeyId": api.create_key(MultiRegion=True)["KeyId"]}
    api("ReplicateKey", **name, ReplicaRegion=THERE)
    api("EnableKeyRotation", **name, RotationPeriodInDays=100)
    status = there("GetKeyRotationStatus", **name)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 100)
    assert api("UpdatePrimaryRegion", **name, PrimaryRegion=THERE) == {}
    there("RotateKeyOnDemand", **name)
    rotations = [each("ListKeyRotations", **name)["Rotations"] for each in (api, there)]
    assert rotations[0] == rotations[1]
    assert len(rotations[0]) == 1
    assert api.refused("RotateKeyOnDemand", **name)[0] == "UnsupportedOperationException"


def test_deletion(api: Api, there: Api, clock: Clock) -> None:
    name = {"KeyId": api.create_key(MultiRegion=True)["KeyId"]}
    api("ReplicateKey", **name, ReplicaRegion=THERE)
    answer = api("ScheduleKeyDeletion", **name, PendingWindowInDays=9)
    assert (answer["KeyState"], answer["PendingWindowInDays"]) == ("PendingReplicaDeletion", 9)
    assert "DeletionDate" not in answer
    shown = api("DescribeKey", **name)["KeyMetadata"]
    assert (shown["PendingDeletionWindowInDays"], shown["Enabled"]) == (9, False)
    assert "DeletionDate" not in shown
    there("ScheduleKeyDeletion", **name, PendingWindowInDays=7)
    clock.forward(days=7.5)
    shown = api("DescribeKey", **name)["KeyMetadata"]
    assert shown["KeyState"] == "PendingDeletion"
    assert "PendingDeletionWindowInDays" not in shown
    assert shown["MultiRegionConfiguration"]["ReplicaKeys"] == []
    assert api("CancelKeyDeletion", **name)["KeyId"] == shown["Arn"]


def test_what_is_of_one_region_is_nothing_in_another(api: Api, there: Api) -> None:
    """Import tokens and markers, though the keys have one id."""
    key_id = api.create_key(MultiRegion=True, Origin="EXTERNAL")["KeyId"]
    Importer(api, key_id).bring(bytes(32))
    api("ReplicateKey", KeyId=key_id, ReplicaRegion=THERE)
    mine, theirs = Importer(api, key_id), Importer(there, key_id)
    mine.api, theirs.api = there, api
    for importer in (mine, theirs):
        assert importer.refused(bytes(32))[0] == "InvalidImportTokenException"
    mine.api = api
    mine.bring(bytes(32))
    Importer(there, key_id).bring(bytes(32))

    for each in (api, there):
        for _ in range(2):
            each("CreateGrant", KeyId=key_id, **GRANT)
    for operation, members in (
        ("ListGrants", {"KeyId": key_id}),
        ("ListAliases", {}),
        ("ListRetirableGrants", {"RetiringPrincipal": GRANT["RetiringPrincipal"]}),
    ):
        marker = api(operation, Limit=1, **members)["NextMarker"]
        code, _ = there.refused(operation, Marker=marker, **members)
        assert code == "InvalidMarkerException"
        api(operation, Marker=marker, **members)


def test_material_waits_for_all_related_keys(api: Api, there: Api) -> None:
    key_id = api.create_key(MultiRegion=True, Origin="EXTERNAL")["KeyId"]
    Importer(api, key_id).bring(bytes(32))
    api("ReplicateKey", KeyId=key_id, ReplicaRegion=THERE)
    Importer(there, key_id).bring(bytes(32))

    def states() -> list[str]:
        found = [
            each("ListKeyRotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
            for each in (api, there)
        ]
        shown = [[item["KeyMaterialState"] for item in each["Rotations"]] for each in found]
        assert shown[0] == shown[1]
        return shown[0]

    assert states() == ["CURRENT"]
    waiting = Importer(api, key_id).bring(
        b"2" * 32, ImportType="NEW_KEY_MATERIAL", ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"
    )
    assert states() == ["CURRENT", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"]
    assert api.refused("RotateKeyOnDemand", KeyId=key_id)[0] == "KMSInvalidStateException"
    assert Importer(there, key_id).bring(b"2" * 32) == waiting
    assert states() == ["CURRENT", "PENDING_ROTATION"]
    api("RotateKeyOnDemand", KeyId=key_id)
    assert states() == ["NON_CURRENT", "CURRENT"]
