"""Accounts, regions and families take from quotas of their own."""

from __future__ import annotations

import pytest

from kmsfast.errors import Throttled
from kmsfast.model.quotas import Quotas
from kmsfast.service import request_quotas
from kmsfast.service.request_quotas import Charge, RequestQuotas

A, B = "111122223333", "444455556666"
HERE, THERE = "us-east-1", "eu-west-1"
RSA, KEY = Charge("rsa"), Charge("CreateKey")


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, *, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


def quotas_with(clock: Seconds, **figures: float) -> RequestQuotas:
    return RequestQuotas(Quotas(requests=figures), clock)


def left(quotas: RequestQuotas, account: str, region: str, *charges: Charge) -> int:
    """How many requests pass now."""
    for number in range(1000):
        try:
            quotas.take(account, region, charges)
        except Throttled:
            return number
    raise AssertionError("no end")


def test_each_account_region_and_family_has_its_own(clock: Seconds) -> None:
    quotas = quotas_with(clock, rsa=3, CreateKey=2)
    assert left(quotas, A, HERE, RSA) == 3
    assert left(quotas, A, HERE, KEY) == 2
    assert left(quotas, A, THERE, RSA) == 3
    assert left(quotas, B, HERE, RSA) == 3
    clock.forward(seconds=1)
    assert left(quotas, A, HERE, RSA) == 3


def test_the_refusal_is_that_of_aws_and_says_when_to_come_back(clock: Seconds) -> None:
    quotas = quotas_with(clock, CreateKey=0.1)
    quotas.take(A, HERE, (KEY,))
    clock.forward(seconds=4)
    with pytest.raises(Throttled) as caught:
        quotas.take(A, HERE, (KEY,))
    assert caught.value.code == "ThrottlingException"
    assert str(caught.value) == (
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
    )
    assert caught.value.retry_after == pytest.approx(6, abs=1e-5)
    clock.forward(seconds=caught.value.retry_after)
    quotas.take(A, HERE, (KEY,))


def test_a_request_takes_from_all_of_its_quotas_or_from_none(clock: Seconds) -> None:
    quotas = quotas_with(clock, rsa=5, CreateKey=1)
    quotas.take(A, HERE, (KEY,))
    for _ in range(9):
        with pytest.raises(Throttled):
            quotas.take(A, HERE, (RSA, KEY))
    assert left(quotas, A, HERE, RSA) == 5


def test_several_requests_in_one(clock: Seconds) -> None:
    quotas = quotas_with(clock, ReplicateKey=5, CreateKey=5)
    replicate = (Charge("ReplicateKey"), Charge("CreateKey", THERE, 2))
    assert left(quotas, A, HERE, *replicate) == 3  # the third takes the last of five, and one more
    assert left(quotas, A, THERE, KEY) == 0
    assert left(quotas, A, HERE, KEY) == 5
    clock.forward(seconds=0.4)
    assert left(quotas, A, THERE, KEY) == 1


def test_accounts_share_a_custom_key_store(clock: Seconds) -> None:
    quotas = RequestQuotas(Quotas(requests={"custom-key-store": 2}), clock)
    one, other = Charge("custom-key-store", of="cks-1"), Charge("custom-key-store", of="cks-2")
    assert left(quotas, A, HERE, one) == 2
    assert left(quotas, B, HERE, one) == 0
    assert left(quotas, B, HERE, other) == 2


def test_what_is_as_new_is_forgotten(clock: Seconds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_quotas, "_MOST", 8)
    quotas = quotas_with(clock, rsa=1)
    for number in range(100):
        quotas.take(f"{number:012d}", HERE, (RSA,))
        clock.forward(seconds=0.3)
        with pytest.raises(Throttled):
            quotas.take(f"{number:012d}", HERE, (RSA,))  # whoever is throttled stays so
    assert len(quotas._rates) <= 16
