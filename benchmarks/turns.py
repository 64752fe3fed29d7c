"""Functions timed in turns: the shortest round of each counts."""

import time
from collections.abc import Callable, Sequence


def shortest(
    parties: Sequence[Callable[[], object]], *, budget: float, rounds: int = 200
) -> list[float]:
    """Seconds of the shortest round of each.

    budget: seconds for all, beyond which no further round begins (two are made always).
    """
    for party in parties:
        party()
    best = [float("inf")] * len(parties)
    end = time.perf_counter() + budget
    for number in range(rounds):
        if number >= 2 and time.perf_counter() > end:
            break
        for which, party in enumerate(parties):
            start = time.perf_counter()
            party()
            best[which] = min(best[which], time.perf_counter() - start)
    return best
