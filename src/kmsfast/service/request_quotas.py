"""How many requests of each family an account may make in a second, in each region.

Rules:
- a request that counts towards several quotas takes from all of them or from none;
- quotas are those of this process: it is the only one that serves;
- no I/O: the figures and the clock come from the caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from kmsfast.errors import Throttled
from kmsfast.model.quotas import Quotas
from kmsfast.model.rate import Rate

__all__ = ["Charge", "RequestQuotas"]

_MESSAGE: Final = (
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
)

_MOST: Final = 4096  # of what is remembered, before that is looked for which need not be


class Charge(NamedTuple):
    """A place in one quota.

    Attributes:
        family: of :data:`kmsfast.model.quota_figures.REQUESTS`.
        region: another one than the request's, where it counts; None: the request's.
        tokens: as how many requests it counts.
        of: which one of those that each have this quota, such as a custom key store's id.
    """

    family: str
    region: str | None = None
    tokens: int = 1
    of: str = ""


_Places = tuple[tuple[Rate, int], ...]


class RequestQuotas:
    """The quotas of all accounts.

    Args:
        clock: seconds, never going back.
    """

    def __init__(self, quotas: Quotas, clock: Callable[[], float] = time.monotonic) -> None:
        self._quotas, self._clock = quotas, clock
        self._rates: dict[tuple[str, str, str, str], Rate] = {}
        self._places: dict[tuple[str, str, tuple[Charge, ...]], _Places] = {}
        self._most = _MOST

    def take(self, account: str, region: str, charges: tuple[Charge, ...]) -> None:
        """Passes when a request of an account in a region may be made, and counts it.

        Raises:
            Throttled: it may not be made yet; it is not counted.
        """
        places = self._places.get((account, region, charges))
        if places is None:
            places = self._found(account, region, charges)
        now = self._clock()
        for rate, tokens in places:
            wait = rate.take(now, tokens)
            if wait:
                _give_back(places[: places.index((rate, tokens))])
                raise Throttled(_MESSAGE, retry_after=wait)

    def give_back(self, account: str, region: str, charges: tuple[Charge, ...]) -> None:
        """Undoes a take: the request was not made after all."""
        _give_back(self._found(account, region, charges))

    def _found(self, account: str, region: str, charges: tuple[Charge, ...]) -> _Places:
        if len(self._places) >= self._most:
            self._forget_full()
        places = tuple(
            (self._rate(account, charge.region or region, charge), charge.tokens)
            for charge in charges
        )
        return self._places.setdefault((account, region, charges), places)

    def _rate(self, account: str, region: str, charge: Charge) -> Rate:
        # What belongs to one thing is shared by all accounts that use it.
        name = "" if charge.of else account, region, charge.family, charge.of
        rate = self._rates.get(name)
        if rate is None:
            made = Rate(self._quotas.rate(charge.family, region))
            rate = self._rates.setdefault(name, made)
        return rate

    def _forget_full(self) -> None:
        """Forgets what is as a new one would be."""
        now = self._clock()
        self._rates = {name: rate for name, rate in self._rates.copy().items() if rate.used(now)}
        self._places = {}
        self._most = max(_MOST, 2 * len(self._rates))


def _give_back(places: _Places) -> None:
    for rate, tokens in places:
        rate.give_back(tokens)
