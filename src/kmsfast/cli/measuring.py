"""What ``kmsfast bench`` measures: calls of the API in a loop, each row for its share of the time.

Rules:
- a row is whatever a program would do: the public API, one call after the other, or 64 tasks;
- the first calls are not counted, and where keys are used by a server they earn its short way;
- nothing is measured for longer than its share, but for one call each, however slow that is.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = ["AT_ONCE", "Measured", "Rows", "Work"]

AT_ONCE: Final = 64
"""Requests of the row that has several under way."""

_RECORD: Final = 64  # bytes
_RECORDS: Final = 10_000
_DIGESTS: Final = 1_024
_LARGE: Final = ((1 << 20, "1 MiB"), (64 << 20, "64 MiB"))
_ALGORITHM: Final = "ECDSA_SHA_256"
_WARM: Final = 0.1  # of the time of a row
_CONTEXT: Final = {"purpose": "kmsfast bench"}


class Measured(NamedTuple):
    """A row.

    Attributes:
        calls: that were counted.
        p50, p99: seconds that a call took.
        rate: of all calls, in units a second: "records", "signatures" or "bytes".
    """

    name: str
    calls: int
    p50: float
    p99: float
    rate: float
    unit: str


class Work(NamedTuple):
    """What a row does again and again; each call is so many units of work."""

    name: str
    call: Callable[[], object]
    units: int
    unit: str = "records"

    def measured(self, seconds: float) -> Measured:
        """Calls, one after the other, for about so long."""
        self._calls(seconds * _WARM)
        taken, elapsed = self._calls(seconds * (1 - _WARM))
        return _measured(self.name, taken, elapsed, self.units, self.unit)

    def _calls(self, seconds: float) -> tuple[list[float], float]:
        clock, call = time.perf_counter, self.call
        taken: list[float] = []
        start = now = clock()
        while not taken or now - start < seconds:
            before = now
            call()
            now = clock()
            taken.append(now - before)
        return taken, now - start


class Rows:
    """The rows for a key store or a server.

    Args:
        kms: of either; key: symmetric; pair: ECC_NIST_P256; None: its rows are left out.
        socket: of the server; None: there is none, nor what needs one.
    """

    def __init__(
        self, kms: Any, key: Any, pair: Any, socket: Path | None, region: str | None
    ) -> None:
        self._kms, self._key, self._pair = kms, key, pair
        self._socket, self._region = socket, region

    def measured(self, seconds: float) -> Iterator[Measured]:
        """Each row, for an equal share of the time."""
        concurrent = self._socket is not None and self._key is not None
        works = [*self._of_key(), *self._of_pair()]
        share = seconds / (len(works) + concurrent)
        for index, work in enumerate(works):
            yield work.measured(share)
            if index == 0 and concurrent:
                yield asyncio.run(self._concurrent(share))

    def _of_key(self) -> Iterator[Work]:
        if self._key is None:
            return
        import numpy as np

        key, kms = self._key, self._kms
        record, rows = os.urandom(_RECORD), np.frombuffer(os.urandom(_RECORD * _RECORDS), np.uint8)
        values = rows.reshape(_RECORDS, _RECORD)
        blob, blobs = key.encrypt(record, _CONTEXT), key.encrypt_batch(values, _CONTEXT)
        batch = f"{_RECORDS:,} x {_RECORD} B, numpy"
        yield Work(f"encrypt {_RECORD} B", lambda: key.encrypt(record, _CONTEXT), 1)
        yield Work(f"decrypt {_RECORD} B", lambda: kms.decrypt(blob, _CONTEXT), 1)
        yield Work(f"encrypt_batch {batch}", lambda: key.encrypt_batch(values, _CONTEXT), _RECORDS)
        yield Work(f"decrypt_batch {batch}", lambda: kms.decrypt_batch(blobs, _CONTEXT), _RECORDS)
        for size, name in _LARGE:
            plain = os.urandom(1 << 20) * (size >> 20)
            yield Work(f"encrypt {name}", partial(key.encrypt, plain, _CONTEXT), size, "bytes")

    def _of_pair(self) -> Iterator[Work]:
        if self._pair is None:
            return
        import numpy as np

        pair, digest = self._pair, os.urandom(32)
        digests = np.frombuffer(os.urandom(32 * _DIGESTS), np.uint8).reshape(_DIGESTS, 32)
        named = {"algorithm": _ALGORITHM, "message_type": "DIGEST"}
        yield Work("sign P-256", lambda: pair.sign(digest, **named), 1, "signatures")
        yield Work(
            f"sign_batch P-256, {_DIGESTS:,} digests", lambda: pair.sign_batch(digests, **named),
            _DIGESTS, "signatures",
        )  # fmt: skip

    async def _concurrent(self, seconds: float) -> Measured:
        """Tasks that share a connection, each with one request under way."""
        from kmsfast.client.aio import connect_async

        assert self._socket is not None  # noqa: S101 - as measured() has it
        async with await connect_async(self._socket, region=self._region) as kms:
            encrypt = partial((await kms.key(self._key.arn)).encrypt, os.urandom(_RECORD), _CONTEXT)
            await _tasks(encrypt, seconds * _WARM)
            taken, elapsed = await _tasks(encrypt, seconds * (1 - _WARM))
        name = f"encrypt {_RECORD} B, {AT_ONCE} tasks of asyncio"
        return _measured(name, taken, elapsed, 1, "records")


async def _tasks(
    call: Callable[[], Awaitable[object]], seconds: float
) -> tuple[list[float], float]:
    """Seconds that each call of all tasks took, and all of them together."""
    clock = time.perf_counter
    start = clock()
    taken: list[float] = []

    async def run() -> None:
        now, until = clock(), start + seconds
        while not taken or now < until:
            before = now
            await call()
            now = clock()
            taken.append(now - before)

    await asyncio.gather(*(run() for _ in range(AT_ONCE)))
    return taken, clock() - start


def _measured(name: str, taken: list[float], elapsed: float, units: int, unit: str) -> Measured:
    taken.sort()
    last = len(taken) - 1
    return Measured(
        name, len(taken), taken[last // 2], taken[last * 99 // 100], len(taken) * units / elapsed,
        unit,
    )  # fmt: skip
