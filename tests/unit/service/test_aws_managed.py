"""Keys of predefined aliases: made on first use, and nobody's to change."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from clocks import Clock

import kmsfast
from kmsfast import app
from kmsfast.errors import AwsManaged, InvalidAliasName, KeyNotFound, NotAuthorized
from kmsfast.model.arn import Home
from kmsfast.model.aws_managed import PREDEFINED, policy_of
from kmsfast.model.policy_document import checked_key_policy


def test_the_first_use_makes_the_key(kms: kmsfast.Kms, path: Path, clock: Clock) -> None:
    assert kms.keys() == []
    key = kms.key("alias/aws/s3")
    assert (key.manager, key.state, key.spec) == ("AWS", "Enabled", "SYMMETRIC_DEFAULT")
    assert key.aliases == ("alias/aws/s3",)
    assert "S3 objects" in key.description
    blob = key.encrypt(b"x")
    with kmsfast.open(path, clock=clock) as other:
        assert other.key("alias/aws/s3") == key
        assert other.key(f"arn:aws:kms:us-east-1:000000000000:{PREDEFINED[0]}") != key
        assert other.decrypt(blob) == b"x"
    assert [alias.name for alias in kms.aliases()] == [PREDEFINED[0], "alias/aws/s3"]
    assert kms.at("eu-west-1").keys() == []
    assert kms.at("eu-west-1").key("alias/aws/s3") != key


@pytest.mark.parametrize("name", ["alias/aws/", "alias/aws/none", "alias/aws/S3", "alias/aws/s3/x"])
def test_no_other_alias_of_aws_is_made(kms: kmsfast.Kms, name: str) -> None:
    with pytest.raises((KeyNotFound, InvalidAliasName)):
        kms.key(name)
    assert kms.keys() == []


CHANGES: dict[str, Callable[[kmsfast.Kms, kmsfast.Key], object]] = {
    "disable": lambda _, key: key.disable(),
    "enable": lambda _, key: key.enable(),
    "delete": lambda _, key: key.schedule_deletion(),
    "rotate": lambda _, key: key.rotate(),
    "rotation off": lambda _, key: key.disable_rotation(),
    "rotation on": lambda _, key: key.enable_rotation(90),
    "describe": lambda _, key: key.update_description("mine"),
    "tag": lambda _, key: key.tag({"a": "b"}),
    "untag": lambda _, key: key.untag(["a"]),
    "alias": lambda kms, key: kms.create_alias("alias/mine", key),
    "policy": lambda kms, key: kms._app.policies.put(key._raw_id, policy_of("alias/aws/s3", HOME)),
    "on demand": lambda kms, key: kms._app.rotations.on_demand(key._raw_id),
}
HOME = Home()


@pytest.mark.parametrize("change", list(CHANGES))
def test_its_account_cannot_change_it(kms: kmsfast.Kms, change: str) -> None:
    key = kms.key("alias/aws/s3")
    before = kms._ring.key(key._raw_id)
    with pytest.raises(AwsManaged, match="AWS managed key") as refused:
        CHANGES[change](kms, key)
    assert refused.value.code == "AccessDeniedException"
    assert kms._ring.key(key._raw_id) == before


def test_nobody_writes_its_alias(kms: kmsfast.Kms) -> None:
    other = kms.create_key()
    for exists in (False, True):
        if exists:
            kms.key("alias/aws/s3")
        for write in (
            lambda: kms.create_alias("alias/aws/s3", other),
            lambda: kms.update_alias("alias/aws/s3", other),
            lambda: kms.delete_alias("alias/aws/s3"),
            lambda: kms.create_key(alias="alias/aws/s3"),
        ):
            with pytest.raises(NotAuthorized, match="reserved for aliases of AWS"):
                write()


def test_it_rotates_every_year(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.key("alias/aws/ebs")
    assert key.rotation.period_days == 365
    clock.forward(days=366)
    assert kmsfast.inspect(key.encrypt(b"x")).key_version == 2


def test_several_that_ask_first_get_one_key(path: Path) -> None:
    kmsfast.open(path, create=True).close()
    found: list[str] = []

    def work() -> None:
        running = app.start(path)
        found.append(running.ring.find("alias/aws/rds").id)
        running.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(found) == 4
    assert len(set(found)) == 1


@pytest.mark.parametrize("alias", PREDEFINED)
@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1"])
def test_policies_are_ones(alias: str, region: str) -> None:
    home = Home(region, "111122223333")
    document = policy_of(alias, home)
    assert checked_key_policy(document) == document
    condition = json.loads(document)["Statement"][0]["Condition"]["StringEquals"]
    assert condition["kms:CallerAccount"] == "111122223333"
    assert f".{region}.amazonaws.com" in condition["kms:ViaService"]
