"""The ``compare`` fixture: ours and a peer, timed in turns, in pytest-benchmark's samples."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest
from rows import JUDGED, Row

WARMUP_ROUNDS = 2
# A row on a slow machine gets fewer rounds rather than more time than this, in seconds. --quick
# only wants to see that all is well.
QUICK = "KMSFAST_BENCH_QUICK" in os.environ
BUDGET, MIN_ROUNDS = (0.5, 1) if QUICK else (12.0, 3)


class Compare(Protocol):
    """The type of the fixture.

    Runs ``peer`` and ``ours`` by turns, so that what slows the machine slows both.
    units: work done by one call of ours; peer_units: by one call of the peer (default: the same).
    rounds: at most, fewer when BUDGET says so; warmup: rounds before them, at least one.
    A peer of None is one that this machine lacks. own_clock: the peer returns the seconds that it
    measured itself.
    """

    def __call__(
        self,
        row: Row,
        ours: Callable[[], object],
        peer: Callable[[], object] | None,
        *,
        units: float,
        peer_units: float | None = None,
        rounds: int,
        warmup: int = WARMUP_ROUNDS,
        own_clock: bool = False,
    ) -> dict[str, Any]: ...


def profile() -> str:
    """Whether this run is the judged one (AES-NI) or the informative one (native)."""
    return os.environ.get("KMSFAST_BENCH_PROFILE", JUDGED)


@pytest.fixture
def compare(benchmark: Any) -> Compare:
    """Compares two functions; returns the row's extra_info, where further rows can be added."""

    def run(
        row: Row,
        ours: Callable[[], object],
        peer: Callable[[], object] | None,
        *,
        units: float,
        peer_units: float | None = None,
        rounds: int,
        warmup: int = WARMUP_ROUNDS,
        own_clock: bool = False,
    ) -> dict[str, Any]:
        if profile() != JUDGED:
            row = replace(row, name=f"{row.name}, {profile()}", target=None, beyond=None)
        samples: list[float] = []

        def peer_round() -> None:
            if peer is not None:
                start = time.perf_counter()
                own = peer()
                elapsed = time.perf_counter() - start
                samples.append(own if isinstance(own, float) and own_clock else elapsed)

        for _ in range(1 if QUICK else warmup):
            start = time.perf_counter()
            peer_round()
            ours()
            pair = time.perf_counter() - start
        samples.clear()
        affordable = max(MIN_ROUNDS, min(rounds, int(BUDGET / pair)))
        benchmark.pedantic(ours, setup=peer_round, rounds=affordable)
        info: dict[str, Any] = benchmark.extra_info
        info.update(row.info(units, units if peer_units is None else peer_units))
        info["peer_samples"] = samples
        return info

    return run
