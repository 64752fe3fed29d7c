"""Costs of a store and its log, from real events and real keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clocks import Clock
from importer import OAEP
from wrapping import wrap

import kmsfast
from kmsfast import app
from kmsfast.audit.event import Caller, Event
from kmsfast.audit.frames import segment_name
from kmsfast.errors import ValidationError
from kmsfast.local import of_owner
from kmsfast.local.costs import Costs

ACCOUNT = "000000000000"
JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


class World:
    """A store whose clock can be moved, and what is written to its log."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.app = app.start(path, create=True, clock=clock)
        self.kms, self.clock = of_owner(self.app), clock
        self.recorder = self.app.deployment.recorder()

    def recorded(self, operation: str, *keys: str, records: int = 1, failed: int = 0,
                 error: str = "", account: str = ACCOUNT, region: str = "us-east-1",
                 **request: str) -> None:  # fmt: skip
        caller = Caller("IAMUser", f"arn:aws:iam::{account}:user/ann", account)
        self.recorder.record(
            Event(int(self.clock() * 1e6), operation, region, keys, caller, error, "", request, {},
                  records, failed)
        )  # fmt: skip

    def january(self, **more: str) -> Costs:
        return self.kms.cost(since=JANUARY, until=FEBRUARY, **more)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "store", Clock())
    with made.kms:
        yield made


def test_a_month_of_a_store(world: World) -> None:
    kms, clock = world.kms, world.clock
    orders = kms.create_key(alias="alias/orders")
    kms.key("alias/aws/s3")
    world.recorded("Encrypt", orders.arn, records=25_000)
    clock.forward(days=10)
    orders.rotate()
    gone = kms.create_key()
    clock.forward(days=1)
    world.recorded("ScheduleKeyDeletion", gone.arn)
    gone.schedule_deletion(30)
    signer = kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")
    world.recorded("Sign", signer.arn, records=100, failed=3)
    world.recorded("Sign", signer.arn, error="DisabledException")
    world.recorded("GenerateDataKeyPair", orders.arn, KeyPairSpec="RSA_3072")
    world.recorded("ListKeys")
    world.recorded("LookupEvents")  # not of AWS KMS
    world.recorded("Encrypt", orders.arn, records=10_000, account="111122223333")
    clock.forward(days=25)
    found = world.january()
    keys = found.bill.by_key()
    assert sorted(keys) == sorted(["", orders.arn, gone.arn, signer.arn])
    assert (keys[orders.arn].key_hours, keys[orders.arn].rotation_hours) == (744, 504)
    assert keys[gone.arn].key_hours == 24
    assert keys[signer.arn].key_hours == 20 * 24
    assert {str(of): count for of, count in keys[signer.arn].counts.items()} == {"asymmetric": 101}
    assert keys[signer.arn].failed == 4
    # 25,000 Encrypt, ListKeys and ScheduleKeyDeletion: 5,002 cost 0.03 for 10,000.
    total = found.bill.total()
    assert f"{total.requests:.8f}" == f"{0.015006 + 0.001515 + 0.0012:.8f}"
    assert f"{keys[''].requests:.10f}" == f"{0.000003 * 5_002 / 25_002:.10f}"
    assert found.aliases[orders.arn] == ("alias/orders",)
    assert found.notes == ()
    assert sum(use.requests for use in found.uses) == total.count == 25_104
    assert found.recorded_since == JANUARY


def test_a_deletion_that_was_cancelled_costs_all_the_time(world: World) -> None:
    key = world.kms.create_key()
    world.recorded("ScheduleKeyDeletion", key.arn)
    key.schedule_deletion(7)
    world.clock.forward(days=2)
    world.recorded("CancelKeyDeletion", key.arn)
    key.cancel_deletion()
    world.clock.forward(days=60)
    assert world.january().bill.total().key_hours == 744
    key.schedule_deletion(10)  # not recorded
    world.clock.forward(days=1)
    found = world.kms.cost(until=FEBRUARY + timedelta(days=90))
    assert [note for note in found.notes if "30 days before it" in note]
    assert found.bill.total().key_hours == (62 - 20) * 24


def test_a_recorded_deletion_that_is_not_the_one(world: World) -> None:
    key = world.kms.create_key()
    world.recorded("ScheduleKeyDeletion", key.arn)
    key.schedule_deletion(7)
    key.cancel_deletion()  # neither this is recorded
    world.clock.forward(days=50)
    key.schedule_deletion(30)  # nor this
    world.clock.forward(days=1)
    assert world.kms.cost().bill.total().key_hours == 50 * 24


def test_a_key_that_is_gone(world: World) -> None:
    key = world.kms.create_key()
    world.clock.forward(days=3)
    world.recorded("ScheduleKeyDeletion", key.arn)
    key.schedule_deletion(7)
    world.clock.forward(days=20)
    found = world.kms.cost()
    assert found.bill.total().key_hours == 72
    assert any("rotations of keys that are deleted" in note for note in found.notes)


def test_replicas_and_regions(world: World) -> None:
    key = world.kms.create_key(multi_region=True)
    key.rotate()
    world.clock.forward(days=1)
    replica = key.replicate("eu-west-1")
    world.recorded("Encrypt", replica.arn, region="eu-west-1", records=10)
    world.clock.forward(days=1)
    found = world.kms.cost()
    assert found.bill.total().key_hours == found.bill.total().rotation_hours == 72
    far = world.kms.cost(region="eu-west-1").bill.total()
    assert (far.key_hours, far.rotation_hours, far.count) == (24, 24, 10)
    assert world.kms.at(region="eu-west-1").cost().bill.total() == found.bill.total()
    assert world.kms.at(account="111122223333").cost().bill.lines == ()


def test_imported_material_is_billed_by_rotation(world: World) -> None:
    key = world.kms.create_key(origin="EXTERNAL")
    asked = key.get_parameters_for_import(wrapping_key_spec="RSA_2048", wrapping_algorithm=OAEP)

    def hours() -> tuple[int, int]:
        world.clock.forward(seconds=3600)
        total = world.kms.cost().bill.total()
        return total.key_hours, total.rotation_hours

    assert hours() == (1, 0)
    for number in (1, 2):
        key.import_key_material(
            asked.import_token, wrap(asked.public_key, OAEP, bytes([number] * 32)),
            expiration_model="KEY_MATERIAL_DOES_NOT_EXPIRE",
            **({"import_type": "NEW_KEY_MATERIAL"} if number > 1 else {}),
        )  # fmt: skip
        assert hours() == (1 + number, 0)  # the second waits for its rotation
    key.rotate()
    assert hours() == (4, 1)


def test_without_a_log_requests_are_not_known(world: World) -> None:
    world.kms.create_key().encrypt(b"x")
    world.clock.forward(days=1)
    found = world.kms.cost()
    assert found.recorded_since is None
    assert found.notes == (
        "no requests were recorded, so what they would have cost is not known (docs/audit.md)",
    )
    assert (found.bill.total().count, found.bill.total().key_hours) == (0, 24)


def test_a_log_that_begins_later_says_so(world: World) -> None:
    key = world.kms.create_key()
    world.clock.forward(days=5)
    world.recorded("Encrypt", key.arn)
    (note,) = world.kms.cost().notes
    assert note.startswith("requests before 2026-01-06T00:00:00Z were not recorded")
    assert world.kms.cost(since=JANUARY + timedelta(days=5)).notes == ()


def test_keys_of_the_log_that_are_nowhere(world: World) -> None:
    arn = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    world.recorded("Sign", arn)
    world.clock.forward(seconds=3600)
    (note,) = world.kms.cost().notes
    assert note.endswith("are priced as of symmetric keys: 1 such keys were used")
    made = {"KeyMetadata": {"Arn": arn, "KeySpec": "RSA_4096"}}
    caller = Caller("Root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    world.recorder.record(
        Event(int(world.clock() * 1e6), "CreateKey", "us-east-1", (arn,), caller, response=made)
    )
    world.clock.forward(seconds=3600)
    found = world.kms.cost()
    assert found.notes == ()
    assert f"{found.bill.total().requests:.6f}" == "0.000015"


def test_a_log_that_breaks_off_is_counted_up_to_there(world: World) -> None:
    for _ in range(3):
        world.recorded("ListKeys")
    world.recorder.close()
    path = world.app.deployment.trail.directory / segment_name(1)
    data = path.read_bytes()
    second = data.index(b"ListKeys", data.index(b"ListKeys") + 1)
    world.clock.forward(seconds=1)
    path.write_bytes(data[: second + 4])
    assert world.kms.cost().bill.total().count == 1
    path.write_bytes(data + b"\xff" * 40)
    assert world.kms.cost().bill.total().count == 3


def test_times_that_are_none(world: World) -> None:
    with pytest.raises(ValidationError, match="since needs a zone"):
        world.kms.cost(since=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValidationError, match="is after"):
        world.kms.cost(since=FEBRUARY)
    assert world.kms.cost().bill.lines == ()


def test_regions_that_are_none(world: World) -> None:
    with pytest.raises(ValidationError, match="is no region"):
        world.kms.cost(region="Paris")
    assert world.kms.cost(region="eu-west-9").notes[-1] == "the store has no keys in eu-west-9"


def test_other_prices(world: World, tmp_path: Path) -> None:
    world.kms.create_key()
    world.clock.forward(days=31)
    text = (Path(kmsfast.__file__).parent / "local" / "aws-prices.toml").read_text()
    path = tmp_path / "prices.toml"
    path.write_text(text.replace('month = "1.00"             #', 'month = "2.50"  #'))
    assert str(world.january(prices=str(path)).bill.total().keys) == "2.50"
    path.write_text("keys = 1")
    with pytest.raises(ValidationError, match=r"prices\.toml is no list of prices: keys must be"):
        world.january(prices=str(path))
    with pytest.raises(FileNotFoundError):
        world.january(prices=str(tmp_path / "none"))
