"""What many versions of one key cost.

They come by the period of rotation, of which there may be any number, as a clock goes forward:
an encryption that finds the period over rotates first.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from turns import shortest

import kmsfast

PERIOD = 90  # days, the least
BLOBS = 10_000
CALLS = 200


class Clock:
    """The time, until it is moved."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def forward(self, days: float) -> None:
        """Moves it."""
        self.now += days * 86_400


def versions(num: int) -> dict[str, float]:
    """Milliseconds, with a key of ``num`` versions."""
    with tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder:
        store, clock = Path(folder) / "store", Clock()
        with kmsfast.open(store, create=True, clock=clock, audit="off") as kms:
            key = kms.create_key(alias="alias/bench")
            key.enable_rotation(PERIOD)
            blobs = [key.encrypt(b"x")]
            for _ in range(num - 1):
                clock.forward(PERIOD + 1)
                blobs.append(key.encrypt(b"x"))
            assert len(key.versions()) == num
        found = {"open the store": min(_opening(store, clock) for _ in range(3))}
        with kmsfast.open(store, clock=clock, audit="off") as kms:
            found["first use"] = _once(lambda: kms.key("alias/bench").encrypt(b"x"))
            key = kms.key("alias/bench")
            many = (blobs * (BLOBS // num + 1))[:BLOBS]
            found["decrypt 10,000 of all"] = _least(lambda: kms.decrypt_batch(many), 1)
            found["encrypt one"] = _least(lambda: _calls(key), CALLS)
            clock.forward(PERIOD + 1)
            found["rotate"] = _once(lambda: key.encrypt(b"x"))
    return found


def _calls(key: kmsfast.Key) -> None:
    for _ in range(CALLS):
        key.encrypt(b"x")


def _opening(store: Path, clock: Clock) -> float:
    return _once(lambda: kmsfast.open(store, clock=clock, audit="off").close())


def _once(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return (time.perf_counter() - start) * 1000


def _least(do: Callable[[], object], calls: int) -> float:
    return shortest([do], budget=0.5)[0] * 1000 / calls
