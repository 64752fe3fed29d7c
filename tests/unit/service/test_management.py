"""The life of keys and aliases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from clocks import Clock

import kmsfast
from kmsfast.errors import (
    AliasExists,
    InvalidAliasName,
    InvalidArn,
    InvalidKeyId,
    InvalidState,
    KeyDisabled,
    KeyNotFound,
    LimitExceeded,
    MalformedPolicyDocument,
    NotAuthorized,
    TagError,
    ValidationError,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": '
    '{"AWS": "000000000000"}, "Action": "kms:*", "Resource": "*"}]}'
)


def test_a_new_key(kms: kmsfast.Kms) -> None:
    key = kms.create_key(
        description="orders", alias="alias/orders", tags={"team": "x"}, policy=POLICY
    )
    assert key.state == "Enabled"
    assert (key.description, key.aliases, key.tags) == ("orders", ("alias/orders",), {"team": "x"})
    assert (key.created_at, key.current_version, key.policy) == (START, 1, POLICY)
    assert not key.rotation.enabled
    assert key.deletion_date is None
    assert [(v.number, v.origin) for v in key.versions()] == [(1, "created")]
    assert kms.keys() == [key]
    assert key.id in key.arn


@pytest.mark.parametrize("multi_region", [False, True])
def test_every_name_of_a_key_finds_it(kms: kmsfast.Kms, multi_region: bool) -> None:
    kms.create_key(alias="alias/other")
    key = kms.create_key(alias="alias/a", multi_region=multi_region)
    assert key.multi_region == multi_region == key.id.startswith("mrk-")
    alias_arn = key.arn.rpartition(":")[0] + ":alias/a"
    assert {kms.key(name) for name in (key.id, key.arn, "alias/a", alias_arn)} == {key}
    assert kms.decrypt(key.encrypt(b"x")) == b"x"
    assert kmsfast.inspect(key.encrypt(b"x")).key_id == key.id


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("d40a839e-4116-44be-8e10-f9512aa0b299", KeyNotFound),
        ("mrk-d40a839e411644be8e10f9512aa0b299", KeyNotFound),
        ("alias/none", KeyNotFound),
        (
            "arn:aws:kms:us-east-1:000000000000:key/d40a839e-4116-44be-8e10-f9512aa0b299",
            KeyNotFound,
        ),
        ("arn:aws:kms:us-east-1:000000000000:alias/none", KeyNotFound),
        ("x", InvalidKeyId),
        ("", InvalidKeyId),
        (7, InvalidKeyId),
        ("key/d40a839e-4116-44be-8e10-f9512aa0b299", InvalidKeyId),
        ("D40A839E-4116-44BE-8E10-F9512AA0B299", InvalidKeyId),
        ("arn:aws:kms:eu-west-1:000000000000:alias/a", InvalidArn),
        ("arn:aws:kms:us-east-1:111111111111:alias/a", InvalidArn),
        ("alias/a b", InvalidAliasName),
    ],
)
def test_names_of_nothing(kms: kmsfast.Kms, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        kms.key(name)


def test_the_id_of_one_kind_is_not_that_of_the_other(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    with pytest.raises(KeyNotFound):
        kms.key("mrk-" + key.id.replace("-", ""))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"alias": "orders"}, InvalidAliasName),
        ({"alias": "alias/aws/x"}, NotAuthorized),
        ({"tags": {"aws:x": "1"}}, TagError),
        ({"description": "x" * 8193}, ValidationError),
        ({"rotation_period_days": 89}, ValidationError),
        ({"policy": ""}, ValidationError),
        ({"policy": {"a": 1}}, ValidationError),
        ({"policy": "{}"}, MalformedPolicyDocument),
        ({"policy": POLICY.replace("000000000000", "everyone")}, MalformedPolicyDocument),
        ({"policy": POLICY.replace("kms:*", "\u0142")}, ValidationError),
        ({"policy": POLICY + " " * 32_768}, LimitExceeded),
        ({"policy": " " * 131_073}, ValidationError),
    ],
)
def test_a_wrong_parameter_makes_no_key(kms: kmsfast.Kms, wrong: dict, error: type) -> None:
    with pytest.raises(error):
        kms.create_key(**wrong)
    assert kms.keys() == []


# ---- states ---------------------------------------------------------------------------------


def test_a_disabled_key_neither_encrypts_nor_decrypts(kms: kmsfast.Kms) -> None:
    key = kms.create_key(alias="alias/a")
    blob = key.encrypt(b"x")
    key.disable()
    assert key.state == "Disabled"
    for use in (
        lambda: key.encrypt(b"x"), lambda: key.encrypt_batch([b"x"]), lambda: kms.decrypt(blob),
        lambda: key.decrypt(blob), lambda: kms.decrypt_batch([blob], errors="raise"),
        key.generate_data_key, key.generate_data_key_without_plaintext, key.rotate,
        lambda: key.seal_batch([b"x"]), key.enable_rotation, key.disable_rotation,
    ):  # fmt: skip
        with pytest.raises((KeyDisabled, kmsfast.BatchError), match="is disabled"):
            use()
    key.update_description("still changeable")
    key.tag({"a": "b"})
    key.enable()
    assert kms.decrypt(blob) == b"x"


def test_deletion_waits_and_can_be_cancelled(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key(alias="alias/a")
    blob = key.encrypt(b"x")
    key.schedule_deletion(7)
    assert (key.state, key.deletion_date) == ("PendingDeletion", START + timedelta(days=7))
    for use in (
        lambda: key.encrypt(b"x"), lambda: kms.decrypt(blob), key.rotate, key.enable, key.disable,
        lambda: key.tag({"a": "b"}), lambda: key.update_description("x"), key.schedule_deletion,
        lambda: kms.create_alias("alias/b", key),
    ):  # fmt: skip
        with pytest.raises(InvalidState, match=r"is pending deletion\. .*cancel-deletion"):
            use()
    clock.forward(days=6.999)
    key.cancel_deletion()
    assert (key.state, key.deletion_date) == ("Disabled", None)
    with pytest.raises(InvalidState, match="not pending deletion"):
        key.cancel_deletion()
    clock.forward(days=3650)
    key.enable()
    assert kms.decrypt(blob) == b"x"


@pytest.mark.parametrize("days", [0, 6, 31, True, 7.5])
def test_waiting_periods_out_of_range(kms: kmsfast.Kms, days: int) -> None:
    key = kms.create_key()
    with pytest.raises(ValidationError):
        key.schedule_deletion(days)
    assert key.state == "Enabled"


def test_a_deleted_key_is_gone_with_all_its_rows(kms: kmsfast.Kms, clock: Clock) -> None:
    kept = kms.create_key(alias="alias/kept")
    key = kms.create_key(alias="alias/a", tags={"a": "b"}, policy=POLICY)
    blobs = [key.encrypt(b"x"), kept.encrypt(b"y")]
    key.schedule_deletion(7)
    clock.forward(days=7)
    for use in (
        lambda: kms.decrypt(blobs[0]), lambda: key.state, key.cancel_deletion, key.versions,
        lambda: kms.key(key.id), lambda: key.encrypt(b"x"),
    ):  # fmt: skip
        with pytest.raises(KeyNotFound, match="does not exist; it was deleted on 2026-01-08"):
            use()
    with pytest.raises(KeyNotFound, match="is not found"):
        kms.key("alias/a")
    result = kms.decrypt_batch(blobs, errors="return")
    assert result.values == [None, b"y"]
    assert "deleted" in str(result.errors[0])
    assert kms.keys() == [kept]
    assert [alias.name for alias in kms.aliases()] == ["alias/kept"]
    with kms._app.store.directory._database.read() as db:
        for table, rows in (("key_versions", 1), ("aliases", 1), ("tags", 0), ("policies", 0)):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == rows
    clock.forward(days=-100)
    with pytest.raises(KeyNotFound, match="deleted"):
        kms.decrypt(blobs[0])
    kms.create_key(alias="alias/a")


def test_opening_purges_what_is_due(path, clock: Clock) -> None:
    with kmsfast.open(path, create=True, clock=clock) as kms:
        kms.create_key(alias="alias/a").schedule_deletion(7)
    clock.forward(days=8)
    with kmsfast.open(path, clock=clock) as kms, kms._app.store.directory._database.read() as db:
        assert db.execute("SELECT count(*) FROM key_versions").fetchone()[0] == 0
    assert b"alias/a" not in (path / "store.db").read_bytes()  # secure_delete


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_jumps_deletes_nothing_early(
    kms: kmsfast.Kms, clock: Clock, years: int
) -> None:
    key = kms.create_key(alias="alias/a")
    clock.forward(days=365 * years)
    key.schedule_deletion(7)
    clock.forward(days=-3650)
    assert key.state == "PendingDeletion"
    clock.forward(days=3656.9)
    key.cancel_deletion()


# ---- rotation -------------------------------------------------------------------------------


def test_old_versions_decrypt(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    blobs = []
    for number in range(1, 6):
        blobs.append(key.encrypt(b"%d" % number))
        assert kmsfast.inspect(blobs[-1]).key_version == number
        key.rotate()
    assert kms.decrypt_batch(blobs) == [b"1", b"2", b"3", b"4", b"5"]
    assert [(v.number, v.origin) for v in key.versions()][1:3] == [
        (2, "on demand"),
        (3, "on demand"),
    ]


@pytest.mark.parametrize("one", [True, False])
def test_automatic_rotation_is_done_by_the_encryption_that_finds_it_due(
    kms: kmsfast.Kms, clock: Clock, one: bool
) -> None:
    key = kms.create_key(rotation_period_days=90)
    assert key.rotation.next_rotation == START + timedelta(days=90)

    def version() -> int:
        blob = key.encrypt(b"x") if one else key.encrypt_batch([b"x"])[0]
        assert kms.decrypt(blob) == b"x"
        return kmsfast.inspect(blob).key_version

    assert [version(), version()] == [1, 1]
    clock.forward(days=89.9)
    assert version() == 1
    clock.forward(days=0.1)
    assert [version(), version()] == [2, 2]
    assert key.versions()[-1].origin == "automatic"
    clock.forward(days=90 * 3 + 1)  # missed periods make one version, and the rhythm stays
    assert [version(), version()] == [3, 3]
    assert key.rotation.next_rotation == START + timedelta(days=90 * 5)
    key.disable_rotation()
    clock.forward(days=1000)
    assert version() == 3
    assert key.rotation == kmsfast.RotationStatus(False, None, None)
    key.enable_rotation(2560)
    now = datetime.fromtimestamp(clock.now, UTC)
    assert key.rotation.next_rotation == now + timedelta(days=2560)


def test_decrypting_does_not_rotate(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key(rotation_period_days=90)
    blob = key.encrypt(b"x")
    clock.forward(days=100)
    kms.decrypt(blob)
    assert key.current_version == 1


def test_rotating_on_demand_leaves_the_rhythm(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key(rotation_period_days=90)
    clock.forward(days=10)
    key.rotate()
    assert key.rotation.next_rotation == START + timedelta(days=90)


# ---- tags and aliases -----------------------------------------------------------------------


def test_tags_change(kms: kmsfast.Kms) -> None:
    key = kms.create_key(tags={"a": "1", "b": "2"})
    key.tag({"b": "3", "c": "4"})
    key.untag(["a", "none"])
    assert key.tags == {"b": "3", "c": "4"}
    key.untag("b")
    assert key.tags == {"c": "4"}
    with pytest.raises(TagError):
        key.tag({f"k{i}": "" for i in range(50)})
    assert key.tags == {"c": "4"}


def test_aliases_move_between_keys_of_one_type(kms: kmsfast.Kms) -> None:
    pair = {"spec": "RSA_2048", "usage": "ENCRYPT_DECRYPT"}
    kinds: list[dict[str, str]] = [
        {}, pair, {"spec": "ECC_NIST_P256", "usage": "SIGN_VERIFY"},
        {"spec": "HMAC_256", "usage": "GENERATE_VERIFY_MAC"},
    ]  # fmt: skip
    keys = [kms.create_key(**kind) for kind in kinds]
    for key in keys:
        kms.create_alias("alias/a", key)
        for other in keys:
            if other is not key:
                with pytest.raises(ValidationError, match="cannot be moved"):
                    kms.update_alias("alias/a", other)
        assert key.aliases == ("alias/a",)
        kms.delete_alias("alias/a")
    kms.create_alias("alias/a", keys[2])
    kms.update_alias("alias/a", kms.create_key(spec="RSA_2048", usage="SIGN_VERIFY"))


def test_a_key_has_50_aliases_at_most(kms: kmsfast.Kms) -> None:
    key, other = kms.create_key(), kms.create_key(alias="alias/other")
    for i in range(50):
        kms.create_alias(f"alias/{i}", key)
    for use in (
        lambda: kms.create_alias("alias/50", key), lambda: kms.update_alias("alias/other", key),
    ):  # fmt: skip
        with pytest.raises(LimitExceeded, match="is 50, current usage is 50"):
            use()
    assert (len(key.aliases), other.aliases) == (50, ("alias/other",))
    kms.update_alias("alias/7", key)
    kms.delete_alias("alias/7")
    kms.update_alias("alias/other", key)


def test_an_alias_ends_with_its_key(kms: kmsfast.Kms, clock: Clock) -> None:
    for take in (
        lambda: kms.create_alias("alias/a", kms.create_key()),
        lambda: kms.create_key(alias="alias/a"),
    ):
        old = kms.create_key(alias="alias/a")
        old.schedule_deletion(7)
        with pytest.raises(AliasExists):
            kms.create_key(alias="alias/a")
        clock.forward(days=7)
        take()
        key = kms.key("alias/a")
        assert key.id != old.id
        key.schedule_deletion(7)
        clock.forward(days=7)
        for gone in (
            lambda: kms.update_alias("alias/a", kms.create_key()),
            lambda: kms.delete_alias("alias/a"),
        ):
            with pytest.raises(KeyNotFound, match=r"Alias .* is not found"):
                gone()


def test_aliases_move_between_keys(kms: kmsfast.Kms, clock: Clock) -> None:
    one, two = kms.create_key(alias="alias/a"), kms.create_key()
    clock.forward(days=1)
    kms.update_alias("alias/a", two)
    assert (one.aliases, two.aliases) == ((), ("alias/a",))
    (alias,) = kms.aliases()
    assert (alias.key_id, alias.name) == (two.id, "alias/a")
    assert alias.updated_at - alias.created_at == timedelta(days=1)
    kms.update_alias("alias/a", two.id)
    kms.create_alias("alias/b", "alias/a")
    assert two.aliases == ("alias/a", "alias/b")
    with pytest.raises(AliasExists, match=r"already exists; .*alias update"):
        kms.create_alias("alias/b", one)
    kms.delete_alias("alias/a")
    for use in (
        lambda: kms.delete_alias("alias/a"), lambda: kms.update_alias("alias/a", one),
        lambda: kms.key("alias/a"),
    ):  # fmt: skip
        with pytest.raises(KeyNotFound):
            use()
    assert two.aliases == ("alias/b",)


def test_keys_are_hashable_names(kms: kmsfast.Kms) -> None:
    key = kms.create_key(alias="alias/a")
    assert {key, kms.key("alias/a")} == {key}
    assert key != kms.create_key()
    assert key.arn in repr(key)


def test_rotation_on_demand_is_limited(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key(rotation_period_days=90)
    clock.forward(days=91)
    key.encrypt(b"rotates by its period, which does not count")
    for _ in range(25):
        key.rotate()
    with pytest.raises(LimitExceeded, match=f"limit has been reached.*: {key.arn}"):
        key.rotate()
    assert key.current_version == 27
    clock.forward(days=90)
    key.encrypt(b"and goes on")
    assert key.current_version == 28
