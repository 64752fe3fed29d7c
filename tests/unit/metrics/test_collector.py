"""Metrics of a program that uses kmsfast in its own process: counts are exact."""

from __future__ import annotations

import os
import threading
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from clocks import Clock, in_days
from pairs import AllKeys
from prometheus_client import CollectorRegistry
from scrapes import Scrape, scrape
from wrapping import wrap

import kmsfast
from kmsfast.metrics import Collector
from kmsfast.metrics.table import TABLE

OAEP = "RSAES_OAEP_SHA_256"
EXPIRATION = "kmsfast_seconds_until_key_material_expiration"
DELETION = "kmsfast_seconds_until_key_deletion"


def imported(kms: kmsfast.Kms, clock: Clock, days: float, **options: object) -> kmsfast.Key:
    """A key whose material expires in so many days."""
    key = kms.create_key(origin="EXTERNAL", **options)  # type: ignore[arg-type]
    asked = key.get_parameters_for_import(wrapping_algorithm=OAEP, wrapping_key_spec="RSA_2048")
    material = wrap(asked.public_key, OAEP, os.urandom(32))
    key.import_key_material(asked.import_token, material, valid_to=in_days(clock, days))
    return key


def change(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    return after.value(name, **labels) - before.value(name, **labels)


def test_every_metric_is_in_the_table(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    kms.decrypt_batch(key.encrypt_batch([b"a", b"b"]))
    found = {each.name for each in Collector(kms).collect()}
    assert found == set(TABLE)
    assert {each.name for each in Collector(kms).describe()} == set(TABLE)


def test_a_registry_refuses_a_second_collector(kms: kmsfast.Kms) -> None:
    registry = CollectorRegistry()
    registry.register(Collector(kms))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(Collector(kms))


def test_single_records_and_batches(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    before = scrape(kms)
    blob = key.encrypt(b"one")
    for _ in range(4):
        kms.decrypt(blob)
    blobs = key.encrypt_batch([b"x"] * 5 + [None, b"y"])
    broken = [*blobs[:3], blobs[3][:-1] + bytes([blobs[3][-1] ^ 1])]
    kms.decrypt_batch(broken, errors="return")
    after = scrape(kms)

    def changed(what: str, operation: str) -> float:
        return change(before, after, f"kmsfast_core_{what}", operation=operation)

    assert (changed("calls_total", "seal"), changed("records_total", "seal")) == (2, 7)
    assert (changed("calls_total", "open"), changed("records_total", "open")) == (5, 8)
    assert changed("records_refused_total", "open") == 1
    assert changed("records_refused_total", "seal") == 0
    assert (changed("batch_records_count", "seal"), changed("batch_records_sum", "seal")) == (1, 6)
    assert (changed("batch_records_count", "open"), changed("batch_records_sum", "open")) == (1, 4)
    assert changed("batch_duration_seconds_count", "open") == 1
    assert 0 < changed("batch_duration_seconds_sum", "open") < 5
    buckets = {
        float(edge): number - before.value(f"{SEALS}_bucket", operation="seal", le=edge)
        for (edge,), number in after.all(f"{SEALS}_bucket", operation="seal").items()
    }
    assert [buckets[edge] for edge in (1, 4, 8, 1 << 20, float("inf"))] == [0, 0, 1, 1, 1]


SEALS = "kmsfast_core_batch_records"


def test_other_kinds_of_calls(kms: kmsfast.Kms) -> None:
    signer, mac = kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY"), kms.create_key(
        spec="HMAC_256"
    )  # fmt: skip
    key = kms.create_key()
    before = scrape(kms)
    signature = signer.sign(b"message")
    signer.verify(b"message", signature)
    mac.mac_batch([b"a", None, b"b"])
    tag = mac.mac(b"a")
    mac.verify_mac(b"a", tag)
    with pytest.raises(kmsfast.InvalidMac):
        mac.verify_mac(b"b", tag)
    key.generate_data_key()
    kms.open_batch(key.seal_batch([b"a", b"b"]))
    after = scrape(kms)
    records = {
        name: change(before, after, "kmsfast_core_records_total", operation=name)
        for name in (
            "sign",
            "verify",
            "mac",
            "verify_mac",
            "data_key",
            "sealed_seal",
            "sealed_open",
        )
    }
    assert records == {
        "sign": 1, "verify": 1, "mac": 3, "verify_mac": 2, "data_key": 1, "sealed_seal": 2,
        "sealed_open": 2,
    }  # fmt: skip
    assert change(before, after, "kmsfast_core_records_refused_total", operation="verify_mac") == 1


def test_threads_are_counted_together(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    blob = key.encrypt(b"x")
    before = scrape(kms)

    def work() -> None:
        for _ in range(500):
            kms.decrypt(blob)

    threads = [threading.Thread(target=work) for _ in range(40)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert change(before, scrape(kms), "kmsfast_core_records_total", operation="open") == 20_000


def test_the_arena(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    before = scrape(kms)
    for _ in range(3):
        key.encrypt(b"x")
    after = scrape(kms)
    assert change(before, after, "kmsfast_cache_loads_total", cache="arena") == 1
    # Two for each context that is bound to a version for the first time, else one for each record.
    assert change(before, after, "kmsfast_cache_uses_total", cache="arena") >= 3
    assert after.value("kmsfast_arena_slots") > after.value("kmsfast_arena_slots_used") > 0


def test_keys_by_kind(all_keys: AllKeys) -> None:
    kms = all_keys.kms
    expected = Counter((str(k.spec), str(k.state), str(k.origin)) for k in kms.keys())
    found: Counter[tuple[str, str, str]] = Counter()
    labels = ("us-east-1", "000000000000", "CUSTOMER")
    for (account, manager, origin, region, spec, state), number in (
        scrape(kms).all("kmsfast_keys").items()
    ):
        assert (region, account, manager) == labels
        found[spec, state, origin] += int(number)
    assert found == expected


def test_keys_of_all_regions_and_states(kms: kmsfast.Kms) -> None:
    kms.create_key().disable()
    kms.create_key().schedule_deletion(7)
    kms.create_key(origin="EXTERNAL")
    kms.at("eu-west-1", "111122223333").create_key(multi_region=True)
    kms.key("alias/aws/s3")
    found = scrape(kms).all("kmsfast_keys", spec="SYMMETRIC_DEFAULT")
    assert found == {
        ("000000000000", "CUSTOMER", "AWS_KMS", "us-east-1", "Disabled"): 1,
        ("000000000000", "CUSTOMER", "AWS_KMS", "us-east-1", "PendingDeletion"): 1,
        ("000000000000", "CUSTOMER", "EXTERNAL", "us-east-1", "PendingImport"): 1,
        ("000000000000", "AWS", "AWS_KMS", "us-east-1", "Enabled"): 1,
        ("111122223333", "CUSTOMER", "AWS_KMS", "eu-west-1", "Enabled"): 1,
    }


def test_what_ends_when(kms: kmsfast.Kms, clock: Clock) -> None:
    late, soon = imported(kms, clock, 30), imported(kms, clock, 2, multi_region=True)
    going = kms.create_key()
    going.schedule_deletion(7)
    clock.forward(days=1)
    found = scrape(kms)
    assert found.all(EXPIRATION) == {(late.arn,): 29 * 86_400, (soon.arn,): 86_400}
    assert found.all(DELETION) == {(going.arn,): 6 * 86_400}
    assert found.value("kmsfast_keys_with_expiring_material") == 2
    few = scrape(kms, most_keys=1)
    assert few.all(EXPIRATION) == {(soon.arn,): 86_400}
    assert few.value("kmsfast_keys_with_expiring_material") == 2
    none = scrape(kms, most_keys=0)
    assert not none.all(EXPIRATION)
    assert not none.all(DELETION)
    clock.forward(days=2)
    assert scrape(kms).value(EXPIRATION, key_arn=soon.arn) == 0  # nobody has asked for it since
    assert soon.state == "PendingImport"
    after = scrape(kms)
    assert after.all(EXPIRATION) == {(late.arn,): 27 * 86_400}
    assert after.value("kmsfast_keys_with_expiring_material") == 1
    clock.forward(seconds=timedelta(days=5).total_seconds())
    with pytest.raises(kmsfast.KeyNotFound):
        going.disable()
    assert not scrape(kms).all(DELETION)
    assert not scrape(kms).all("kmsfast_keys", state="Deleted")


def test_keys_are_counted_once_in_an_epoch(
    kms: kmsfast.Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    deployment = kms._app.deployment
    census = deployment.census
    monkeypatch.setattr(deployment, "census", lambda most: taken.append(most) or census(most))
    registry = CollectorRegistry()
    registry.register(Collector(kms))
    labels = {
        "region": "us-east-1", "account": "000000000000", "state": "Enabled",
        "spec": "SYMMETRIC_DEFAULT", "origin": "AWS_KMS", "manager": "CUSTOMER",
    }  # fmt: skip
    for number in (1, 2):
        kms.create_key()
        for _ in range(3):
            assert registry.get_sample_value("kmsfast_keys", labels) == number
    assert len(taken) == 2


def test_nothing_of_aliases_tags_and_contexts_is_shown(kms: kmsfast.Kms) -> None:
    key = kms.create_key(
        alias="alias/orders-alias", tags={"team": "orders-tag"}, description="orders"
    )
    key.encrypt(b"orders plaintext", {"table": "orders-context"})
    text = scrape(kms).text
    assert "orders" not in text
    assert key.id not in text


def test_a_store_that_cannot_be_read(path: Path) -> None:
    kms = kmsfast.open(path, create=True)
    registry = CollectorRegistry()
    registry.register(Collector(kms))
    assert registry.get_sample_value("kmsfast_store_readable") == 1
    kms.create_key()
    kms.close()
    assert registry.get_sample_value("kmsfast_store_readable") == 0
    assert registry.get_sample_value("kmsfast_arena_slots") is not None


def test_buckets_grow_and_end_in_the_count(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    for size in (1, 2, 3, 1000):
        key.encrypt_batch([b"x"] * size)
    found = scrape(kms)
    for name in ("kmsfast_core_batch_records", "kmsfast_core_batch_duration_seconds"):
        by_edge = {
            float(edge): number
            for (edge,), number in found.all(f"{name}_bucket", operation="seal").items()
        }
        counts = [by_edge[edge] for edge in sorted(by_edge)]
        assert all(low <= high for low, high in pairwise(counts))
        assert counts[-1] == found.value(f"{name}_count", operation="seal")


def test_options(kms: kmsfast.Kms) -> None:
    for wrong in (-1, True, 1.5, 1_000_001):
        with pytest.raises(kmsfast.ValidationError, match="most_keys must be between"):
            Collector(kms, most_keys=wrong)  # type: ignore[arg-type]
