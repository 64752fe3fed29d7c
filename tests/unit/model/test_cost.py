"""A month's bill, computed by hand, and the laws of bills."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsfast.errors import ValidationError
from kmsfast.local.costs import prices as read_prices
from kmsfast.model.cost import Bill, KeyLife, Use, Window, billed
from kmsfast.model.keyspec import KeySpec
from kmsfast.model.prices import PriceClass, parsed_prices, price_class

ACCOUNT = "111122223333"
PRICES = read_prices()
JANUARY = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


def day(number: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 1, number, hour, minute, tzinfo=UTC)


def arn(name: str, region: str = "us-east-1") -> str:
    return f"arn:aws:kms:{region}:{ACCOUNT}:key/{name}"


NOON = day(5, 12)


def use(operation: str, key: str, requests: int, when: datetime = NOON, **more: str) -> Use:
    """Requests; key: ARN, two of them with a blank between, or empty."""
    region = key.split(":")[3] if key else "us-east-1"
    pair = more.get("pair", "")
    hour = int(when.timestamp()) // 3600
    return Use(hour, operation, region, tuple(key.split()), ACCOUNT, pair, requests, 0)


SYMMETRIC, RSA, ECC, GONE, MANAGED, RSA_3072, HMAC = map(
    arn, ("symmetric", "rsa", "ecc", "gone", "managed", "rsa3072", "hmac")
)
LIVES = [
    # All of January, 744 hours; three rotations, of which two are billed.
    KeyLife(SYMMETRIC, KeySpec.SYMMETRIC_DEFAULT, day(1), None, (day(11), day(21), day(26))),
    # From 16 January 12:30: 371.5 hours, of which the last is a whole one.
    KeyLife(RSA, KeySpec.RSA_2048, day(16, 12, 30)),
    # Made in the year before, and after the month.
    KeyLife(ECC, KeySpec.ECC_NIST_P256, datetime(2025, 3, 1, tzinfo=UTC)),
    KeyLife(HMAC, KeySpec.HMAC_256, datetime(2026, 2, 2, tzinfo=UTC)),
    # Its deletion was scheduled after one day.
    KeyLife(GONE, KeySpec.RSA_3072, day(1), day(2)),
    KeyLife(MANAGED, KeySpec.SYMMETRIC_DEFAULT, day(1), None, (day(2),), is_aws_managed=True),
]
USES = [
    use("Encrypt", SYMMETRIC, 30_000),
    use("Decrypt", SYMMETRIC, 12_000, day(31, 23)),
    use("GenerateDataKey", MANAGED, 5_000),
    use("GenerateMac", HMAC, 1_000),
    use("ListKeys", "", 2_000),
    use("DescribeKey", ECC, 0),
    use("Sign", RSA, 10_000),
    use("GetPublicKey", ECC, 5_000),
    use("Verify", ECC, 15_000),
    use("GenerateDataKeyPair", SYMMETRIC, 100, pair="RSA_2048"),
    use("GenerateDataKeyPairWithoutPlaintext", SYMMETRIC, 1_000, pair="ECC_NIST_P384"),
    use("Encrypt", SYMMETRIC, 70_000, datetime(2026, 2, 1, tzinfo=UTC)),  # of the next month
]


def eight(value: Decimal) -> str:
    return f"{value:.8f}"


def test_a_month_by_hand() -> None:
    bill = billed(PRICES, JANUARY, LIVES, USES, {})
    keys = bill.by_key()
    symmetric = keys[SYMMETRIC]
    assert (symmetric.key_hours, symmetric.rotation_hours) == (744, 504 + 264)
    assert eight(symmetric.keys) == "1.00000000"
    assert eight(symmetric.rotations) == "1.03225806"  # (21 + 11) of 31 days
    assert (keys[RSA].key_hours, eight(keys[RSA].keys)) == (372, "0.50000000")
    assert eight(keys[ECC].keys) == "1.00000000"
    assert eight(keys[GONE].keys) == "0.03225806"  # 24 of 744 hours
    assert (keys[MANAGED].keys, keys[MANAGED].rotations) == (0, 0)
    assert keys[HMAC].keys == 0
    # 50,000 standard requests, 20,000 of them free: 60 % of each cost 0.03 for 10,000.
    assert eight(keys[MANAGED].requests) == "0.00900000"
    assert eight(keys[""].requests) == "0.00360000"
    assert eight(keys[RSA].requests) == "0.03000000"
    assert eight(keys[ECC].requests) == "0.30000000"
    # 42,000 standard ones, 100 RSA pairs at 12 for 10,000, 1,000 others at 0.10.
    assert eight(symmetric.requests) == "0.20560000"  # 0.0756 + 0.12 + 0.01
    total = bill.total()
    assert eight(total.requests) == "0.55000000"
    assert eight(total.keys + total.rotations) == "3.56451613"
    assert eight(total.total) == "4.11451613"
    assert total.counts == {
        PriceClass.STANDARD: 50_000, PriceClass.RSA_2048: 10_000, PriceClass.ASYMMETRIC: 20_000,
        PriceClass.RSA_KEY_PAIR: 100, PriceClass.ECC_KEY_PAIR: 1_000,
    }  # fmt: skip
    assert list(bill.by_month()) == [day(1)]


def test_the_prices_are_those_of_the_page() -> None:
    assert PRICES.source == "https://aws.amazon.com/kms/pricing/"
    assert PRICES.date >= date(2026, 11, 28)
    assert (PRICES.key_month, PRICES.rotation_month, PRICES.billed_rotations) == (1, 1, 2)
    assert (PRICES.free, PRICES.per) == (20_000, 10_000)
    assert {str(name): str(price) for name, price in PRICES.requests.items()} == {
        "standard": "0.03", "rsa_2048": "0.03", "asymmetric": "0.15", "ecc_key_pair": "0.10",
        "rsa_key_pair": "12.00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "spec", "pair", "expected"),
    [
        ("Encrypt", "SYMMETRIC_DEFAULT", "", "standard"), ("Encrypt", "RSA_2048", "", "rsa_2048"),
        ("Encrypt", "RSA_4096", "", "asymmetric"), ("ReEncrypt", "RSA_3072", "", "asymmetric"),
        ("DeriveSharedSecret", "ECC_NIST_P256", "", "asymmetric"),
        ("Sign", "ML_DSA_65", "", "asymmetric"), ("Decapsulate", "ML_KEM_768", "", "asymmetric"),
        ("DescribeKey", "RSA_4096", "", "standard"), ("TagResource", "RSA_2048", "", "standard"),
        ("GenerateMac", "HMAC_512", "", "standard"), ("GenerateRandom", None, "", "standard"),
        ("GenerateDataKeyPair", "SYMMETRIC_DEFAULT", "RSA_4096", "rsa_key_pair"),
        ("GenerateDataKeyPair", "SYMMETRIC_DEFAULT", "ECC_SECG_P256K1", "ecc_key_pair"),
        ("GenerateDataKey", "SYMMETRIC_DEFAULT", "", "standard"), ("Sign", None, "", "standard"),
    ],
)  # fmt: skip
def test_which_price_a_request_has(
    operation: str, spec: str | None, pair: str, expected: str
) -> None:
    assert price_class(operation, None if spec is None else KeySpec(spec), pair) == expected


def test_a_request_with_two_keys_has_the_dearer_price() -> None:
    for keys in (f"{SYMMETRIC} {ECC}", f"{ECC} {SYMMETRIC}"):
        bill = billed(PRICES, JANUARY, LIVES, [use("ReEncrypt", keys, 10)], {})
        assert bill.total().counts == {PriceClass.ASYMMETRIC: 10}
        assert bill.by_key()[keys.split()[0]].count == 10


def test_a_region_alone_pays_its_part() -> None:
    far = arn("far", "eu-west-1")
    uses = [use("Encrypt", SYMMETRIC, 30_000), use("Encrypt", far, 10_000)]
    lives = [*LIVES, KeyLife(far, KeySpec.SYMMETRIC_DEFAULT, day(1))]
    bill = billed(PRICES, JANUARY._replace(region="eu-west-1"), lives, uses, {})
    assert eight(bill.total().requests) == "0.01500000"  # half of all are free
    assert list(bill.by_key()) == [far]


def test_fewer_requests_than_the_free_ones_cost_nothing() -> None:
    bill = billed(PRICES, JANUARY, [], [use("Encrypt", SYMMETRIC, 19_999)], {})
    assert (bill.total().requests, bill.total().count) == (0, 19_999)
    assert bill.unknown_keys == {SYMMETRIC}
    known = billed(PRICES, JANUARY, [], [use("Sign", ECC, 10)], {ECC: KeySpec.ECC_NIST_P256})
    assert (known.unknown_keys, eight(known.total().requests)) == (frozenset(), "0.00015000")


def test_a_replica_has_earlier_rotations_from_its_creation_on() -> None:
    replica = KeyLife(SYMMETRIC, KeySpec.SYMMETRIC_DEFAULT, day(31), None, (day(3), day(4)))
    found = billed(PRICES, JANUARY, [replica], [], {}).total()
    assert (found.key_hours, found.rotation_hours) == (24, 48)


def test_months_have_their_own_hours() -> None:
    life = KeyLife(SYMMETRIC, KeySpec.SYMMETRIC_DEFAULT, day(1))
    window = Window(day(1), datetime(2026, 4, 1, tzinfo=UTC))
    months = billed(PRICES, window, [life], [], {}).by_month()
    assert [each.key_hours for each in months.values()] == [744, 672, 744]
    assert [eight(each.keys) for each in months.values()] == ["1.00000000"] * 3


moments = st.integers(0, 100 * 24).map(lambda hours: day(1) + timedelta(hours=hours))


@st.composite
def accounts(draw: st.DrawFn) -> tuple[list[KeyLife], list[Use]]:
    regions = ("us-east-1", "eu-west-1")
    lives = [
        KeyLife(arn(str(i), draw(st.sampled_from(regions))), draw(st.sampled_from(list(KeySpec))),
                draw(moments), draw(st.none() | moments),
                tuple(sorted(draw(st.lists(moments, max_size=4)))))
        for i in range(draw(st.integers(0, 3)))
    ]  # fmt: skip
    names = st.sampled_from(["Encrypt", "Sign", "ListKeys", "GenerateDataKeyPair"])
    keys = st.sampled_from([each.arn for each in lives] or [arn("x")])
    uses = [
        use(draw(names), draw(keys), draw(st.integers(1, 60_000)), draw(moments))
        for _ in range(draw(st.integers(0, 6)))
    ]
    return lives, uses


def parts(bill: Bill) -> Iterator[tuple[int, Decimal]]:
    for line in bill.lines:
        yield line.sum.count, line.sum.total


@given(accounts(), moments, moments, moments)
def test_the_parts_are_the_whole(
    account: tuple[list[KeyLife], list[Use]], a: datetime, b: datetime, c: datetime
) -> None:
    lives, uses = account
    begin, middle, end = sorted((a, b, c))
    whole = billed(PRICES, Window(begin, end), lives, uses, {}).total()
    for windows in (
        [Window(begin, middle), Window(middle, end)],
        [Window(begin, end, "us-east-1"), Window(begin, end, "eu-west-1")],
    ):
        bills = [billed(PRICES, each, lives, uses, {}) for each in windows]
        assert sum(bill.total().count for bill in bills) == whole.count
        assert sum(bill.total().key_hours for bill in bills) == whole.key_hours
        assert eight(sum((bill.total().total for bill in bills), Decimal(0))) == eight(whole.total)
        for bill in bills:
            total = bill.total()
            assert eight(sum((each for _, each in parts(bill)), Decimal(0))) == eight(total.total)
            assert total.total >= 0


PRICE_LIST = {
    "source": "here", "date": date(2026, 1, 1), "region": "x", "currency": "EUR",
    "keys": {"month": "1", "rotation_month": "1", "billed_rotations": 2},
    "requests": {"per": 1, "free_in_month": 0, **{str(each): "0.5" for each in PriceClass}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": 1}, "keys must be a table, not 1"),
        ({"source": None}, "source must be a text, not missing"),
        ({"date": "2026-01-01"}, "date must be a date"),
        ({"keys": {**PRICE_LIST["keys"], "month": 1.0}}, "keys.month must be a text"),
        ({"keys": {**PRICE_LIST["keys"], "month": "NaN"}}, "keys.month must be an amount"),
        ({"keys": {**PRICE_LIST["keys"], "month": "-1"}}, "keys.month must be an amount"),
        ({"requests": {**PRICE_LIST["requests"], "per": 0}}, "requests.per must be at least 1"),
        ({"requests": {**PRICE_LIST["requests"], "per": True}}, "requests.per must be a number"),
        ({"requests": {**PRICE_LIST["requests"], "rsa": "1"}}, "requests.rsa is not known"),
        ({"requests": {"per": 1, "free_in_month": -1}}, "requests.free_in_month must not be neg"),
    ],
)
def test_a_price_list_that_is_none(change: dict[str, object], message: str) -> None:
    assert parsed_prices(PRICE_LIST).currency == "EUR"
    with pytest.raises(ValidationError, match=message):
        parsed_prices({**PRICE_LIST, **change})
