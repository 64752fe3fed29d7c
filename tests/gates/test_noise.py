"""The statistics of `make bench-compare`: a slow-down is found in noise, and noise is none."""

from __future__ import annotations

import random

import pytest
from gates.noise import FASTER, OK, SLOWER, UNCLEAR, Session, estimate

pytestmark = pytest.mark.sources
LIMIT = 0.05


def sessions(ratio: float, noise: float, seed: int, num: int = 8) -> list[Session]:
    """Each party's time is its own times something from 1 to 1 + noise, as interference is."""
    chance = random.Random(seed)

    def once(time: float) -> float:
        return time * (1 + noise * chance.random())

    return [Session(once(1000), once(1000), once(1000 * ratio)) for _ in range(num)]


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
def test_ten_percent_are_found(noise: float) -> None:
    found = [estimate(sessions(1.10, noise, seed)).verdict(LIMIT) for seed in range(20)]
    assert found.count(SLOWER) >= 19
    assert set(found) <= {SLOWER, UNCLEAR}


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.06, 0.2, 1.0])
def test_equal_speed_is_never_slower(noise: float) -> None:
    found = {estimate(sessions(1.0, noise, seed)).verdict(LIMIT) for seed in range(60)}
    assert found <= ({OK} if noise <= 0.02 else {OK, UNCLEAR})


def test_a_machine_that_is_too_noisy_says_nothing() -> None:
    found = [estimate(sessions(1.0, 0.6, seed)).verdict(LIMIT) for seed in range(20)]
    assert found.count(UNCLEAR) >= 15


def test_what_differs_from_itself_proves_nothing() -> None:
    """The base is 15 % slower in its second process: 10 % of this commit may be the same."""
    apart = [Session(1000, 1150, 1180) for _ in range(8)]
    assert estimate(apart).verdict(LIMIT) == UNCLEAR


def test_faster_is_said() -> None:
    assert estimate(sessions(0.8, 0.02, 1)).verdict(LIMIT) == FASTER


def test_a_small_slow_down_is_within_the_limit() -> None:
    assert estimate(sessions(1.03, 0.005, 1)).verdict(LIMIT) == OK


def test_an_estimate_says_the_same_twice_and_lies_in_its_interval() -> None:
    found = estimate(sessions(1.2, 0.05, 3))
    assert found == estimate(sessions(1.2, 0.05, 3))
    assert found.low <= found.ratio <= found.high
    assert found.ratio == pytest.approx(1.2, abs=0.05)


def test_too_few_sessions_are_refused() -> None:
    with pytest.raises(ValueError, match="2 sessions"):
        estimate(sessions(1.0, 0.0, 1, num=2))
