"""What the recorded use of a store would have cost on AWS (docs/cost.md).

Rules:
- requests are those of the audit log, of the account at hand; keys are those of the store;
- what is not known is said, and not guessed at in silence (:attr:`Costs.notes`).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

from kmsfast import app
from kmsfast.audit.counting import Counted, count
from kmsfast.errors import ValidationError
from kmsfast.model.arn import Home
from kmsfast.model.cost import Bill, KeyLife, Use, Window, billed
from kmsfast.model.key import WAITING, KeyManager, KeyMetadata, KeyState
from kmsfast.model.keyspec import KeySpec
from kmsfast.model.prices import BILLED, Prices, parsed_prices
from kmsfast.service.billing import Kept

__all__ = ["Costs", "cost", "prices"]

_LONGEST_WAIT: Final = timedelta(days=30)
_SLACK: Final = timedelta(hours=1)  # between the times of an event and of what it did


@dataclass(frozen=True, slots=True)
class Costs:
    """A bill, and what belongs to it.

    Attributes:
        aliases: of keys, by ARN.
        recorded_since: when the log begins; None: nothing was recorded, so that the costs of
            requests are not known.
        uses: the requests of the window, for whoever wants them by time.
        notes: what is not known, in sentences.
    """

    bill: Bill
    aliases: Mapping[str, tuple[str, ...]]
    recorded_since: datetime | None
    uses: tuple[Use, ...]
    notes: tuple[str, ...]


def prices(path: str | os.PathLike[str] | None = None) -> Prices:
    """A price list; None: AWS's, of the day that it says.

    Raises:
        ValidationError: the file is none. OSError: it cannot be read.
    """
    place = files("kmsfast.local") / "aws-prices.toml" if path is None else Path(path)
    try:
        return parsed_prices(tomllib.loads(place.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise ValidationError(f"{place} is no list of prices: {error}") from None


def cost(
    application: app.Application,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    region: str | None = None,
    price_list: Prices | None = None,
) -> Costs:
    """What the account of an application would have paid.

    Args:
        since: None: the creation of its first key, or its first request.
        until: None: now.

    Raises:
        ValidationError: no region, a time without a zone, or the end before the beginning.
    """
    account = application.store.home.account
    deployment = application.deployment
    homes = [home for home in deployment.homes() if home.account == account]
    if region is not None:
        Home(region)
    kept = [each for home in homes for each in deployment.at(home).billing.keys()]
    counted = count(deployment.trail.directory)
    notes: list[str] = []
    lives = [_life(each, counted, notes) for each in kept]
    first = None if counted.first is None else _moment(counted.first)
    now = application.ring.now()
    begin = since or min(filter(None, [first, *(life.begun for life in lives)]), default=now)
    window = _window(begin, until or now, now, region)
    uses = tuple(_uses(counted, account))
    bill = billed(price_list or prices(), window, lives, uses, _specs(counted))
    notes += _unknown(bill, first, window)
    if region is not None and region not in {home.region for home in homes}:
        notes.append(f"the store has no keys in {region}")
    aliases = {each.key.arn: each.key.aliases for each in kept}
    return Costs(bill, aliases, first, tuple(filter(window.has, uses)), tuple(dict.fromkeys(notes)))


def _window(since: datetime, until: datetime, now: datetime, region: str | None) -> Window:
    for name, when in (("since", since), ("until", until)):
        if when.tzinfo is None:
            raise ValidationError(f"{name} needs a zone: {when.isoformat()}")
    if since > until:
        raise ValidationError(f"since is {since.isoformat()}, which is after {until.isoformat()}")
    return Window(since, min(until, now), region)


def _life(kept: Kept, counted: Counted, notes: list[str]) -> KeyLife:
    key = kept.key
    if key.state is KeyState.DELETED and key.rotates:
        notes.append("rotations of keys that are deleted by now are not known: they are not in it")
    return KeyLife(
        key.arn, key.spec, key.created_at, _ended(key, counted, notes), kept.rotations,
        key.manager is KeyManager.AWS,
    )  # fmt: skip


def _ended(key: KeyMetadata, counted: Counted, notes: list[str]) -> datetime | None:
    """When the deletion was scheduled of a key that waits for it, or is gone."""
    if key.state not in {*WAITING, KeyState.DELETED}:
        return None
    micros, gone = counted.scheduled.get(key.arn), key.deletion_date
    recorded = None if micros is None else _moment(micros)
    if recorded is not None and (
        key.state is KeyState.DELETED  # which has the time at which it went: that may be later
        or gone is None
        or gone - _LONGEST_WAIT - _SLACK <= recorded  # else another one, that was cancelled since
    ):
        return recorded
    if gone is None:
        notes.append("keys that wait for the deletion of their replicas count as if they stayed")
        return None
    notes.append(
        "for some keys the log does not have when their deletion was scheduled: they are counted "
        "until 30 days before it"
    )
    return max(key.created_at, gone - _LONGEST_WAIT)


def _uses(counted: Counted, account: str) -> Iterator[Use]:
    """The requests to AWS KMS that an account made."""
    for name, numbers in counted.requests.items():
        use = Use(*name, *numbers)
        if use.account == account and use.operation in BILLED:
            yield use


def _specs(counted: Counted) -> dict[str, KeySpec]:
    found = {}
    for arn, spec in counted.specs.items():
        with suppress(ValueError):  # of a release that had others
            found[arn] = KeySpec(spec)
    return found


def _unknown(bill: Bill, first: datetime | None, window: Window) -> Iterator[str]:
    if first is None:
        yield "no requests were recorded, so what they would have cost is not known (docs/audit.md)"
    elif first > window.since + timedelta(hours=1):
        yield f"requests before {first:%Y-%m-%dT%H:%M:%SZ} were not recorded: they are not in it"
    if bill.unknown_keys:
        yield (
            "requests with keys that are not in the store any more are priced as of symmetric "
            f"keys: {len(bill.unknown_keys)} such keys were used"
        )


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1_000_000, UTC)
