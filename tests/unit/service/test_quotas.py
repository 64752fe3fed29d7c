"""Quotas of resources: reached, named in AWS's words, and what an operator says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clocks import Clock

import kmsfast
from kmsfast.errors import LimitExceeded, ValidationError
from kmsfast.model.key import KeyMetadata
from kmsfast.store.repository import Repository

ADA = "arn:aws:iam::000000000000:user/ada"
POLICY = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, '
    '"Action": "kms:*", "Resource": "*"}]}'
)


@pytest.fixture
def limited(path: Path, clock: Clock) -> Callable[[str], kmsfast.Kms]:
    """Opens a store whose quotas.toml has this in its section of resources."""
    kmsfast.open(path, create=True, clock=clock).close()

    def opened(text: str) -> kmsfast.Kms:
        (path / "quotas.toml").write_text(f"[resources]\n{text}\n")
        return kmsfast.open(path, clock=clock)

    return opened


Limited = Callable[[str], kmsfast.Kms]


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(LimitExceeded) as caught:
        call()
    return str(caught.value)


def test_keys(limited: Limited, clock: Clock) -> None:
    full = "Key quota for this account in this region is 3, current usage is 3."
    with limited("keys = 3") as kms:
        kms.key("alias/aws/s3")  # is of AWS and does not count
        keys = [kms.create_key() for _ in range(3)]
        assert refused(kms.create_key) == full
        assert refused(lambda: kms.create_key(alias="alias/a")) == full
        keys[0].schedule_deletion(7)
        assert refused(kms.create_key) == full  # a key that waits is still there
        clock.forward(days=8)
        kms.create_key(alias="alias/a")
        assert refused(kms.create_key) == full
        assert len(kms.at("eu-west-1").keys()) == 0
        kms.at("eu-west-1").create_key()
        kms.at(account="111122223333").create_key()


def test_replicas_are_keys_of_their_region(limited: Limited) -> None:
    with limited("keys = 2") as kms:
        there = kms.at("eu-west-1")
        for _ in range(2):
            there.create_key()
        key = kms.create_key(multi_region=True)
        assert "is 2, current usage is 2" in refused(lambda: key.replicate("eu-west-1"))
        assert len(there.keys()) == 2
        key.replicate("eu-west-2")


def test_keys_are_counted_only_where_it_matters(
    limited: Limited, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []
    count = Repository.num_customer_keys

    def counting(rows: Repository) -> int:
        counted.append(count(rows))
        return counted[-1]

    monkeypatch.setattr(Repository, "num_customer_keys", counting)
    with limited("keys = 10") as kms:
        for _ in range(10):
            kms.create_key()
        assert counted == []
        for key in kms.keys()[:6]:
            key.schedule_deletion(7)
        clock.forward(days=8)
        for _ in range(6):
            kms.create_key()
        assert counted == [4]  # once, when the deleted ones might have been keys
        refused(kms.create_key)
        assert counted[1:] == [10]


def test_aliases_and_grants_of_a_key(limited: Limited) -> None:
    with limited("aliases-per-key = 1\ngrants-per-key = 2") as kms:
        key = kms.create_key(alias="alias/a")
        assert refused(lambda: kms.create_alias("alias/b", key)) == (
            "Aliases per key quota for this account in this region is 1, current usage is 1."
        )
        for _ in range(2):
            key.create_grant(["Decrypt"], grantee_principal=ADA)
        assert refused(lambda: key.create_grant(["Decrypt"], grantee_principal=ADA)) == (
            "Grants per key quota for this account in this region is 2, current usage is 2."
        )


def test_rotations_on_demand(limited: Limited) -> None:
    with limited("on-demand-rotations = 2") as kms:
        key = kms.create_key()
        for _ in range(2):
            key.rotate()
        assert "on-demand rotations limit" in refused(key.rotate)


def test_a_longer_policy_is_kept_and_decides(limited: Limited) -> None:
    longer = POLICY + " " * 40_000
    with limited("key-policy-bytes = 1000") as kms:
        assert refused(lambda: kms.create_key(policy=longer)) == (
            f"the key policy has {len(longer)} bytes; at most 1000 are allowed"
        )
        kms.create_key(policy=POLICY)
    with limited("key-policy-bytes = 50000") as kms:
        key = kms.create_key(policy=longer)
        assert key.policy == longer
        root = kms.principals.create_administrator()
        caller = kms._app.deployment.access.caller(root.id)
        found: KeyMetadata = kms._ring.find(key.arn)
        kms._app.authorizer.check(caller, "Decrypt", found)
    with limited("key-policy-bytes = 1000") as kms:  # what was accepted once stays
        caller = kms._app.deployment.access.caller(root.id)
        kms._app.authorizer.check(caller, "Decrypt", kms._ring.find(key.arn))
        assert "at most 1000" in refused(lambda: key_of(kms, key.arn).put_policy(longer))


def key_of(kms: kmsfast.Kms, arn: str) -> kmsfast.Key:
    return kms.key(arn)


def test_what_there_is(limited: Limited) -> None:
    with limited("keys = 7\n[requests]\nrsa = 2") as kms:
        kms.create_key()
        kms.key("alias/aws/s3")
        found = {each.name: each for each in kms.quotas()}
        assert (found["keys"].figure, found["keys"].aws, found["keys"].usage) == (7, 100_000, 1)
        assert (found["custom-key-stores"].usage, found["aliases-per-key"].usage) == (0, None)
        assert (found["rsa"].kind, found["rsa"].figure, found["rsa"].aws) == ("request", 2, 1000)
        assert found["symmetric"].figure == 100_000


def test_the_file_can_be_elsewhere(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    with pytest.raises(ValidationError, match="there is no file"):
        kmsfast.open(path, create=True, quotas=other)
    other.write_text("[resources]\nkeys = 1\n")
    with kmsfast.open(path, create=True, quotas=other) as kms:
        kms.create_key()
        refused(kms.create_key)
    other.write_text("[resources\n")
    with pytest.raises(ValidationError, match="is not TOML"):
        kmsfast.open(path, quotas=other)
    other.write_bytes(b"\xff")
    with pytest.raises(ValidationError, match="is not TOML"):
        kmsfast.open(path, quotas=other)
