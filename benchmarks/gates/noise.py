"""What samples say: a ratio, how sure it is, and whether something has become slower.

Samples come in sessions. In one session every party is a process of its own, started anew, and they
are timed in turns; of each the shortest time counts, for whatever else runs here only makes it
longer. There are three parties: the base, the base again, and this commit. How far the base is from
itself is the noise, measured in the same minutes.

Rules:
- a ratio is time of this commit / time of the base: above 1 is slower;
- SLOWER is said when the whole interval lies beyond the limit, and the ratio beyond the limit and
  the noise together; nothing is said (UNCLEAR) while the interval is too wide to rule out twice the
  limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

CONFIDENCE = 0.99
RESAMPLES = 4_000

OK, FASTER, SLOWER, UNCLEAR = "ok", "faster", "SLOWER", "unclear"


@dataclass(frozen=True, slots=True)
class Session:
    """The shortest times of one session, in nanoseconds of one call."""

    base: float
    again: float
    head: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Ratios: the median of the sessions, its interval, and the interval of the base with itself.

    noise: how far that interval reaches from 1, as a part of 1.
    """

    ratio: float
    low: float
    high: float
    noise: float

    def verdict(self, limit: float) -> str:
        """One of OK, FASTER, SLOWER and UNCLEAR, for a limit like 0.05."""
        if self.low > 1 + limit and self.ratio > (1 + limit) * (1 + self.noise):
            return SLOWER
        if self.high < 1 / (1 + limit) and self.ratio * (1 + limit) * (1 + self.noise) < 1:
            return FASTER
        if self.high <= 1 + limit:
            return OK
        return UNCLEAR if self.high > (1 + limit) ** 2 or self.noise > 2 * limit else OK


def _interval(logs: Any, random: np.random.Generator) -> tuple[float, float]:
    """Of the median, by drawing the sessions anew with replacement."""
    drawn = random.choice(logs, size=(RESAMPLES, len(logs)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(drawn, axis=1), [tail, 1 - tail])
    return float(low), float(high)


def estimate(sessions: list[Session]) -> Estimate:
    """What the sessions of one row say; the same sessions say the same.

    Raises:
        ValueError: fewer than three sessions.
    """
    if len(sessions) < 3:
        raise ValueError(f"{len(sessions)} sessions say nothing: at least 3")
    random = np.random.default_rng(1)
    times = np.log([(one.base, one.again, one.head) for one in sessions])
    ours = times[:, 2] - (times[:, 0] + times[:, 1]) / 2
    low, high = _interval(ours, random)
    own = _interval(times[:, 1] - times[:, 0], random)
    noise = float(np.expm1(max(abs(own[0]), abs(own[1]))))
    return Estimate(float(np.exp(np.median(ours))), float(np.exp(low)), float(np.exp(high)), noise)
