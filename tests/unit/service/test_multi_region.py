"""Related multi-Region keys: what they share, what is each one's own, and how they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from clocks import Clock, in_days
from wrapping import FOREVER, bring

import kmsfast
from kmsfast.errors import (
    ForeignArn,
    IncorrectKeyMaterial,
    InvalidState,
    KeyDisabled,
    KeyNotFound,
    ReplicaExists,
    StoreIntegrity,
    UnsupportedOperation,
    ValidationError,
)

HERE, THERE, THIRD = "us-east-1", "eu-west-1", "ap-south-1"


@pytest.fixture
def primary(kms: kmsfast.Kms) -> kmsfast.Key:
    return kms.create_key(
        multi_region=True, alias="alias/here", tags={"where": "here"}, description="primary"
    )


@pytest.fixture
def replica(primary: kmsfast.Key) -> kmsfast.Key:
    return primary.replicate(THERE, description="replica", tags={"where": "there"})


def test_what_a_replica_shares_and_what_is_its_own(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key
) -> None:
    assert replica.id == primary.id
    assert replica.id.startswith("mrk-")
    assert replica.arn == primary.arn.replace(HERE, THERE)
    assert replica.regions == primary.regions == (HERE, THERE)
    assert [v.material_id for v in replica.versions()] == [
        v.material_id for v in primary.versions()
    ]
    assert (replica.description, replica.tags, replica.aliases) == (
        "replica", {"where": "there"}, ()
    )  # fmt: skip
    replica.disable()
    assert (primary.state, replica.state) == ("Enabled", "Disabled")
    there = kms.at(THERE)
    there.create_alias("alias/there", replica)
    assert [key.arn for key in there.keys()] == [replica.arn]
    for other, name in ((kms, "alias/there"), (there, "alias/here")):
        with pytest.raises(KeyNotFound):
            other.key(name)


def test_a_key_of_another_region_is_none_of_this_one(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key
) -> None:
    """Though related keys have one id."""
    with pytest.raises(ForeignArn, match=f"Invalid arn {THERE}"):
        kms.create_alias("alias/a", replica)
    with pytest.raises(ForeignArn, match=f"Invalid arn {THERE}"):
        kms.update_alias("alias/here", replica)
    kms.at(HERE).create_alias("alias/a", primary)
    assert primary.aliases == ("alias/a", "alias/here")


def test_one_decrypts_what_the_other_encrypted(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key, path: Path, clock: Clock
) -> None:
    for key, other in ((primary, replica), (replica, primary)):
        blobs = [key.encrypt(b"one", {"a": "b"}), *key.encrypt_batch([b"two"], {"a": "b"})]
        assert other.decrypt_batch(blobs, {"a": "b"}) == [b"one", b"two"]
    blob = primary.encrypt(b"x")
    with kmsfast.open(path, region=THERE, clock=clock) as there:
        assert there.decrypt(blob) == b"x"
    single = kms.create_key().encrypt(b"x")
    with pytest.raises(KeyNotFound):
        kms.at(THERE).decrypt(single)


@pytest.mark.parametrize(
    ("spec", "usage"),
    [("ECC_NIST_P256", "SIGN_VERIFY"), ("RSA_2048", "ENCRYPT_DECRYPT"), ("HMAC_256", None)],
)
def test_keys_of_other_kinds(kms: kmsfast.Kms, spec: str, usage: str | None) -> None:
    key = kms.create_key(spec=spec, usage=usage, multi_region=True)
    replica = key.replicate(THERE)
    if spec == "HMAC_256":
        assert replica.mac(b"x") == key.mac(b"x")
    elif usage == "SIGN_VERIFY":
        key.verify(b"x", replica.sign(b"x"))
    else:
        sealed = replica.encrypt(b"x", algorithm="RSAES_OAEP_SHA_256")
        assert key.decrypt(sealed, algorithm="RSAES_OAEP_SHA_256") == b"x"


def test_a_rotation_of_the_primary_is_one_of_all(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key
) -> None:
    third, old = primary.replicate(THIRD), replica.encrypt(b"old")
    primary.rotate()
    assert {key.current_version for key in (primary, replica, third)} == {2}
    assert third.decrypt(replica.encrypt(b"new")) == b"new"
    assert third.decrypt(old) == b"old"
    assert primary.replicate("eu-west-2").decrypt(old) == b"old"
    for refused in (replica.rotate, replica.enable_rotation, replica.disable_rotation):
        with pytest.raises(UnsupportedOperation, match="is not a multi-region primary"):
            refused()


@pytest.mark.parametrize("first", ["primary", "replica"])
def test_rotation_by_time_is_shared(
    primary: kmsfast.Key, replica: kmsfast.Key, clock: Clock, first: str
) -> None:
    primary.enable_rotation(90)
    assert replica.rotation == primary.rotation
    assert primary.replicate(THIRD).rotation == primary.rotation
    clock.forward(days=91)
    key, other = (primary, replica) if first == "primary" else (replica, primary)
    blob = key.encrypt(b"x")
    assert kmsfast.inspect(blob).key_version == 2
    assert other.decrypt(blob) == b"x"
    assert other.rotation == key.rotation
    primary.disable_rotation()
    assert not replica.rotation.enabled


def test_a_disabled_primary_does_not_rotate(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key, clock: Clock
) -> None:
    primary.enable_rotation(90)
    primary.disable()
    clock.forward(days=91)
    epoch = kms._ring.epoch[0]
    for _ in range(3):
        assert kmsfast.inspect(replica.encrypt(b"x", {"a": "b"})).key_version == 1
    assert kms._ring.epoch[0] == epoch  # nor does it write
    primary.enable()
    assert kmsfast.inspect(replica.encrypt(b"x", {"a": "b"})).key_version == 2


def test_what_cannot_be_replicated(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key
) -> None:
    for key in (replica, kms.create_key()):
        with pytest.raises(UnsupportedOperation) as refused:
            key.replicate(THIRD)
        assert refused.value.message == f"{key.arn} is not a multi-region primary key."
    for region in (THERE, HERE):
        with pytest.raises(ReplicaExists, match=rf"{region}.* already exists") as exists:
            primary.replicate(region)
        assert exists.value.code == "AlreadyExistsException"
    for region in ("nowhere", "cn-north-1"):
        with pytest.raises(ValidationError, match=r"region|partition"):
            primary.replicate(region)
    primary.disable()
    with pytest.raises(KeyDisabled):
        primary.replicate(THIRD)
    assert primary.regions == (HERE, THERE)
    assert kms.at(THIRD).keys() == []


def test_another_primary(primary: kmsfast.Key, replica: kmsfast.Key) -> None:
    third = primary.replicate(THIRD)
    with pytest.raises(UnsupportedOperation, match="is not a multi-region primary key"):
        replica.update_primary_region(THIRD)
    with pytest.raises(UnsupportedOperation, match="is the primary key already"):
        primary.update_primary_region(HERE)
    with pytest.raises(KeyNotFound, match="eu-west-2"):
        primary.update_primary_region("eu-west-2")
    replica.disable()
    with pytest.raises(KeyDisabled):
        primary.update_primary_region(THERE)
    replica.enable()
    primary.update_primary_region(THERE)
    for key in (primary, replica, third):
        assert key.regions == (THERE, HERE, THIRD)
    replica.rotate()
    assert third.decrypt(primary.encrypt(b"x")) == b"x"
    assert primary.current_version == 2
    with pytest.raises(UnsupportedOperation):
        primary.rotate()


def test_a_primary_is_deleted_after_its_replicas(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key, clock: Clock
) -> None:
    primary.schedule_deletion(10)
    assert (primary.state, primary.deletion_date) == ("PendingReplicaDeletion", None)
    for use in (lambda: primary.encrypt(b"x"), primary.enable, lambda: primary.replicate(THIRD)):
        with pytest.raises(InvalidState, match="is pending replica deletion"):
            use()
    assert replica.decrypt(replica.encrypt(b"x")) == b"x"
    clock.forward(days=400)
    assert primary.state == "PendingReplicaDeletion"
    replica.schedule_deletion(7)
    clock.forward(days=8)
    assert primary.state == "PendingDeletion"
    assert primary.regions == (HERE,)
    assert primary.deletion_date is not None
    assert (primary.deletion_date.timestamp() - clock()) / 86_400 == pytest.approx(9)
    assert kms.at(THERE).keys() == []
    with pytest.raises(KeyNotFound):
        kms.at(THERE).key(primary.id)
    clock.forward(days=9.5)
    with pytest.raises(KeyNotFound):
        primary.encrypt(b"x")


def test_the_deletion_of_a_primary_is_cancelled(
    primary: kmsfast.Key, replica: kmsfast.Key, clock: Clock
) -> None:
    primary.schedule_deletion(7)
    primary.cancel_deletion()
    assert primary.state == "Disabled"
    replica.schedule_deletion(7)
    clock.forward(days=8)
    primary.enable()
    assert (primary.state, primary.regions) == ("Enabled", (HERE,))


def test_a_replica_that_was_deleted_is_made_again(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key, clock: Clock
) -> None:
    blob = replica.encrypt(b"x")
    replica.create_grant(["Decrypt"], grantee_principal="arn:aws:iam::000000000000:user/ada")
    assert replica.last_usage().use is not None
    replica.schedule_deletion(7)
    with pytest.raises(ReplicaExists):
        primary.replicate(THERE)
    clock.forward(days=8)
    with pytest.raises(KeyNotFound):
        replica.decrypt(blob)
    again = primary.replicate(THERE)
    assert (again.grants(), again.last_usage().use) == ([], None)
    assert again.decrypt(blob) == b"x"
    assert [key.state for key in kms.at(THERE).keys()] == ["Enabled"]


def test_a_replica_ends_with_its_grants_and_uses(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key, path: Path, clock: Clock
) -> None:
    for key in (primary, replica):
        key.create_grant(["Decrypt"], grantee_principal="arn:aws:iam::111122223333:user/a")
    replica.encrypt(b"x")
    assert replica.last_usage().use is not None
    replica.schedule_deletion(7)
    clock.forward(days=8)
    assert primary.regions == (HERE,)
    with kms._app.store.directory._database.read() as connection:
        arns = [arn for (arn,) in connection.execute("SELECT key_arn FROM key_usage")]
    assert replica.arn not in arns
    assert len(primary.grants()) == 1
    kmsfast.open(path, clock=clock).close()
    again = primary.replicate(THERE)
    assert (again.grants(), again.last_usage().use) == ([], None)


def test_a_deletion_that_waits_outlives_the_material(kms: kmsfast.Kms, clock: Clock) -> None:
    """Material that goes makes a key pending import, but ends no deletion."""
    found = []
    for way in ("expires", "is deleted"):
        key = kms.create_key(origin="EXTERNAL", multi_region=True)
        until = {"valid_to": in_days(clock, 2)} if way == "expires" else FOREVER
        bring(key, b"1" * 32, **until)
        replica = key.replicate(THERE)
        key.schedule_deletion(7)
        if way == "is deleted":
            key.delete_imported_key_material()
        found.append((key, replica))
    clock.forward(days=3)
    for key, replica in found:
        assert key.state == "PendingReplicaDeletion"
        assert not key.versions()[0].is_present
        replica.schedule_deletion(7)
    clock.forward(days=8)
    for key, _ in found:
        assert key.state == "PendingDeletion"
        key.cancel_deletion()
        assert key.state == "PendingImport"


def test_a_replica_that_goes_meanwhile_is_not_there(
    primary: kmsfast.Key, replica: kmsfast.Key, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the key and that at what it has."""
    ring = replica._ring
    for use in (replica.grants, replica.versions):
        replica.schedule_deletion(7)
        found = ring.key(replica._raw_id)
        with monkeypatch.context() as patch:
            patch.setattr(ring, "key", lambda *_, found=found: found)
            clock.forward(days=7)
            assert primary.regions == (HERE,)
            with pytest.raises(KeyNotFound, match=f"Key '{replica.arn}' does not exist"):
                use()
        primary.replicate(THERE)


def test_listings_end_what_waited_for_replicas(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key, clock: Clock
) -> None:
    primary.schedule_deletion(7)
    replica.schedule_deletion(7)
    clock.forward(days=15)
    assert kms.keys() == []


def test_a_deleted_replica_leaves_the_arena(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key, clock: Clock
) -> None:
    replica.encrypt(b"x")
    ring = kms.at(THERE)._ring
    replica.schedule_deletion(7)
    clock.forward(days=8)
    assert primary.regions == (HERE,)  # which purges it, in another region's service
    with pytest.raises(KeyNotFound):
        replica.encrypt(b"x")
    assert ring._handles == {}


def test_imported_material_is_each_keys_own_but_the_same(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key(origin="EXTERNAL", multi_region=True)
    with pytest.raises(InvalidState):
        key.replicate(THERE)
    bring(key, b"1" * 32, **FOREVER)
    replica = key.replicate(THERE)
    assert replica.state == "PendingImport"
    with pytest.raises(IncorrectKeyMaterial):
        bring(replica, b"2" * 32, **FOREVER)
    with pytest.raises(UnsupportedOperation, match="is not a multi-region primary key"):
        bring(replica, b"2" * 32, import_type="NEW_KEY_MATERIAL", **FOREVER)
    bring(replica, b"1" * 32, **FOREVER)
    assert replica.decrypt(key.encrypt(b"x")) == b"x"
    replica.delete_imported_key_material()
    assert (key.state, replica.state) == ("Enabled", "PendingImport")
    bring(replica, b"1" * 32, **FOREVER)

    bring(key, b"2" * 32, import_type="NEW_KEY_MATERIAL", **FOREVER)
    with pytest.raises(InvalidState, match="No available key material pending rotation"):
        key.rotate()
    bring(replica, b"2" * 32, **FOREVER)
    key.rotate()
    assert (key.current_version, replica.current_version) == (2, 2)
    assert key.decrypt(replica.encrypt(b"new")) == b"new"

    bring(key, b"3" * 32, import_type="NEW_KEY_MATERIAL", **FOREVER)
    bring(replica, b"3" * 32, **FOREVER)
    waiting = key.versions()[-1].material_id
    replica.delete_imported_key_material(key_material_id=waiting)
    assert replica.state == "Enabled"
    key.delete_imported_key_material(key_material_id=waiting)
    assert len(key.versions()) == len(replica.versions()) == 2


def test_a_replica_taken_away_from_outside_is_noticed(
    kms: kmsfast.Kms, primary: kmsfast.Key, replica: kmsfast.Key, path: Path
) -> None:
    with kms._app.store.directory._database.write() as connection:
        connection.execute("DELETE FROM key_versions WHERE scope = 2")
        connection.execute("DELETE FROM tags WHERE scope = 2")
        connection.execute("DELETE FROM keys WHERE scope = 2")
    for use in (primary.rotate, lambda: primary.regions, lambda: primary.replicate(THIRD)):
        with pytest.raises(StoreIntegrity, match="changed from outside"):
            use()


def test_all_or_none(primary: kmsfast.Key, replica: kmsfast.Key, monkeypatch) -> None:
    monkeypatch.setattr("kmsfast.service.versions.related", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        primary.rotate()
    monkeypatch.undo()
    assert (primary.current_version, replica.current_version) == (1, 1)
