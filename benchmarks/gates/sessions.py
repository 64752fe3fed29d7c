"""Sessions: three processes, timed in turns on the same rows (gates/noise.py has the statistics).

Rules:
- all parties make the same number of calls in a sample, so many that it takes SAMPLE at the base;
- their order changes from round to round, so that none is always behind the same one.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice, permutations

from gates.noise import Session
from gates.parties import Party
from gates.workers import Lacks, Worker

SAMPLE = 4e6  # nanoseconds
BASE, AGAIN, HEAD = range(3)


@dataclass(slots=True)
class Row:
    """A case that is compared. indices: in the base's and in this commit's lists."""

    kind: str
    name: str
    indices: tuple[int, int]
    reps: int = 0
    sessions: list[Session] = field(default_factory=list)
    lacking: str = ""


def rows_of(kind: str, base: Party, head: Party) -> list[Row]:
    """The cases that both have; those of one alone are lacking in the other."""
    before, now = base.command(kind).cases(), head.command(kind).cases()
    rows = [Row(kind, name, (before.get(name, -1), index)) for name, index in now.items()]
    for row in rows:
        row.lacking = "" if row.name in before else "the base has no such case"
    return rows


def _measure(row: Row, workers: list[Worker], rounds: int) -> Session:
    """One row in one session.

    Raises:
        Lacks: the base cannot.
        RuntimeError: this commit cannot, and the base can.
    """
    index = (row.indices[0], row.indices[0], row.indices[1])
    for party in (BASE, AGAIN):
        first = workers[party].measure(index[party], 1)
    try:
        workers[HEAD].measure(index[HEAD], 1)
    except Lacks as error:
        raise RuntimeError(f"{row.kind}: {row.name} fails in this commit: {error}") from error
    if not row.reps:
        first = workers[BASE].measure(index[BASE], 1)
        row.reps = max(1, math.ceil(SAMPLE / first))
    best = [math.inf] * 3
    for order in islice(cycle(permutations(range(3))), rounds):
        for party in order:
            best[party] = min(best[party], workers[party].measure(index[party], row.reps))
    return Session(best[BASE], best[AGAIN], best[HEAD])


def hold(rows: list[Row], base: Party, head: Party, *, rounds: int, number: int) -> None:
    """One session of rows of one kind; adds to their sessions.

    number: of the session, which says who is started first.
    """
    kind = rows[0].kind
    with ExitStack() as stack:
        parties = [base, base, head]
        order = list(permutations(range(3)))[number % 6]
        started = {i: stack.enter_context(Worker(parties[i].command(kind))) for i in order}
        workers = [started[i] for i in range(3)]
        for row in rows:
            if row.lacking:
                continue
            try:
                row.sessions.append(_measure(row, workers, rounds))
            except Lacks as error:
                row.lacking = f"the base lacks it: {error}"
