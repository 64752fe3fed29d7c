"""What recorded use and the keys of a store would have cost on AWS: values, no I/O.

Rules:
- a key costs from its creation, by the hour that was begun, each hour its part of the month's
  hours; from when its deletion was scheduled it costs nothing, and a deletion that was cancelled
  counts as if it had never been scheduled;
- each of the first two rotations adds to that from its time on; what was imported is billed as
  any material: the first is the key itself, each later one a rotation. A replica has what was
  rotated before it from its own creation on;
- AWS managed keys cost nothing, requests with them do;
- one record of a batch is one request, and a request that failed is one as well;
- the free requests of a month are shared by all standard requests of the account in that month, in
  equal parts: so what a key, a region or a day costs does not depend on what else is asked for,
  and the parts are the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from kmsfast.model.keyspec import KeySpec
from kmsfast.model.prices import PriceClass, Prices, price_class

__all__ = ["Bill", "KeyLife", "Line", "Sum", "Use", "Window", "billed"]

_HOUR: Final = timedelta(hours=1)
_NOTHING: Final = Decimal(0)
K = TypeVar("K", bound=Hashable)


class Use(NamedTuple):
    """Requests of one hour that have all in common.

    Attributes:
        hour: hours since 1970-01-01 UTC.
        keys: ARNs; the first has the costs.
        pair_spec: of the data key pairs that they made; empty: none.
        requests: how many. failed: of them.
    """

    hour: int
    operation: str
    region: str
    keys: tuple[str, ...]
    account: str
    pair_spec: str
    requests: int
    failed: int


class KeyLife(NamedTuple):
    """From when to when a key costs something.

    Attributes:
        ended: when its deletion was scheduled; None: it is not.
        rotations: when they were, oldest first.
    """

    arn: str
    spec: KeySpec
    begun: datetime
    ended: datetime | None = None
    rotations: tuple[datetime, ...] = ()
    is_aws_managed: bool = False


class Window(NamedTuple):
    """What a bill is about.

    Attributes:
        since, until: aware times; until is exclusive.
        region: None: all.
    """

    since: datetime
    until: datetime
    region: str | None = None

    def takes(self, region: str) -> bool:
        """Whether the region is meant."""
        return self.region is None or region == self.region

    def has(self, use: Use) -> bool:
        """Whether requests belong to it; an hour of which it has a part counts whole."""
        begin = _time_of(use.hour)
        return self.since - _HOUR < begin < self.until and self.takes(use.region)


@dataclass(slots=True)
class Sum:
    """Hours, requests and amounts that were added up.

    Attributes:
        key_hours, rotation_hours: that were billed.
        keys, rotations, requests: amounts.
        counts: requests by class. failed: of all.
    """

    key_hours: int = 0
    rotation_hours: int = 0
    keys: Decimal = _NOTHING
    rotations: Decimal = _NOTHING
    requests: Decimal = _NOTHING
    counts: dict[PriceClass, int] = field(default_factory=dict)
    failed: int = 0

    @property
    def total(self) -> Decimal:
        """All amounts."""
        return self.keys + self.rotations + self.requests

    @property
    def count(self) -> int:
        """All requests."""
        return sum(self.counts.values())

    def add(self, other: Sum) -> None:
        """Adds another one."""
        self.key_hours += other.key_hours
        self.rotation_hours += other.rotation_hours
        self.keys += other.keys
        self.rotations += other.rotations
        self.requests += other.requests
        self.failed += other.failed
        for each, count in other.counts.items():
            self.counts[each] = self.counts.get(each, 0) + count


class Line(NamedTuple):
    """What one key cost in one month.

    Attributes:
        month: its first day. key: ARN; empty: requests of no key.
    """

    month: datetime
    key: str
    sum: Sum


@dataclass(frozen=True, slots=True)
class Bill:
    """What it would have cost.

    Attributes:
        lines: by month and key.
        unknown_keys: ARNs of keys that were used and whose spec nobody knows any more; their
            requests are priced as standard ones.
    """

    prices: Prices
    window: Window
    lines: tuple[Line, ...]
    unknown_keys: frozenset[str] = frozenset()

    def by_month(self) -> dict[datetime, Sum]:
        """Sums by the first days of months."""
        return self._by(lambda line: line.month)

    def by_key(self) -> dict[str, Sum]:
        """Sums by ARN."""
        return self._by(lambda line: line.key)

    def total(self) -> Sum:
        """The sum of all."""
        return self._by(lambda _: None).get(None, Sum())

    def _by(self, name: Callable[[Line], K]) -> dict[K, Sum]:
        found: dict[K, Sum] = {}
        for line in self.lines:
            found.setdefault(name(line), Sum()).add(line.sum)
        return dict(sorted(found.items()))


def billed(
    prices: Prices,
    window: Window,
    lives: Sequence[KeyLife],
    uses: Iterable[Use],
    specs: Mapping[str, KeySpec],
) -> Bill:
    """What the keys and requests of one account would have cost in a time.

    Args:
        lives: of its keys, whether they are in the window or not.
        uses: all of its requests, whether they are in the window or not: the free ones of a month
            are of all regions and days.
        specs: by ARN, of keys that the requests name beside those of ``lives``.
    """
    lines: dict[tuple[datetime, str], Sum] = {}

    def line(month: datetime, key: str) -> Sum:
        return lines.setdefault((month, key), Sum())

    for life in lives:
        if window.takes(life.arn.split(":", 5)[3]) and not life.is_aws_managed:
            _add_storage(line, prices, window, life)
    known = {**specs, **{life.arn: life.spec for life in lives}}
    priced = [(use, _class_of(prices, use, known)) for use in uses]
    free = _free_parts(prices, priced)
    unknown = set[str]()
    for use, of in priced:
        if not window.has(use):
            continue
        month = _month_of(_time_of(use.hour))
        found = line(month, use.keys[0] if use.keys else "")
        found.counts[of] = found.counts.get(of, 0) + use.requests
        found.failed += use.failed
        paid = 1 - free[month] if of is PriceClass.STANDARD else 1
        found.requests += prices.requests[of] / prices.per * use.requests * paid
        unknown.update(key for key in use.keys if key not in known)
    return Bill(
        prices,
        window,
        tuple(Line(month, key, found) for (month, key), found in sorted(lines.items(), key=_place)),
        frozenset(unknown),
    )


def _class_of(prices: Prices, use: Use, specs: Mapping[str, KeySpec]) -> PriceClass:
    """The price of a request; of one with two keys that of the dearer one."""
    keys = use.keys or ("",)
    found = (price_class(use.operation, specs.get(key), use.pair_spec) for key in keys)
    return max(found, key=lambda each: (prices.requests[each], each is not PriceClass.STANDARD))


def _place(item: tuple[tuple[datetime, str], Sum]) -> tuple[datetime, str]:
    return item[0]


def _free_parts(
    prices: Prices, priced: Iterable[tuple[Use, PriceClass]]
) -> dict[datetime, Decimal]:
    """Which part of each month's standard requests costs nothing."""
    counts: dict[datetime, int] = {}
    for use, of in priced:
        month = _month_of(_time_of(use.hour))
        standard = use.requests if of is PriceClass.STANDARD else 0
        counts[month] = counts.get(month, 0) + standard
    return {
        month: min(Decimal(1), Decimal(prices.free) / count) if count else Decimal(1)
        for month, count in counts.items()
    }


def _add_storage(
    line: Callable[[datetime, str], Sum], prices: Prices, window: Window, life: KeyLife
) -> None:
    end = window.until if life.ended is None else min(window.until, life.ended)
    for month, hours in _hours_by_month(max(life.begun, window.since), end):
        found = line(month, life.arn)
        found.key_hours += hours
        found.keys += prices.key_month * hours / _hours_in(month)
    for when in life.rotations[: prices.billed_rotations]:
        for month, hours in _hours_by_month(max(when, life.begun, window.since), end):
            found = line(month, life.arn)
            found.rotation_hours += hours
            found.rotations += prices.rotation_month * hours / _hours_in(month)


def _hours_by_month(begin: datetime, end: datetime) -> Iterable[tuple[datetime, int]]:
    """The hours of a time by month, each that was begun as a whole one."""
    month = _month_of(begin)
    while begin < end:
        following = _month_after(month)
        hours = -((min(end, following) - begin) // -_HOUR)
        yield month, hours
        begin = month = following


def _hours_in(month: datetime) -> int:
    return (_month_after(month) - month) // _HOUR


def _month_of(when: datetime) -> datetime:
    return when.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _month_after(month: datetime) -> datetime:
    return _month_of(month + timedelta(days=31))


@lru_cache(maxsize=1 << 16)
def _time_of(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)
