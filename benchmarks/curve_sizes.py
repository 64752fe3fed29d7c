"""Throughput by the size of records: the kernels from C, and batches from Python."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from document import Curve, Line
from turns import shortest

import kmsfast

SIZES = [16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144]
BATCH_BYTES, BATCH_RECORDS = 128 << 10, 1024  # as the rows of bench_kernels.py
ROUND_SECONDS = 1e-3
CONTEXT = {"table": "orders", "column": "email"}
AAD = b"\0\0\0\x06column\0\0\0\x05email\0\0\0\x05table\0\0\0\x06orders"


def kernels(quick: bool) -> list[Curve]:
    """AES-256-GCM and XAES-256-GCM, seal, bytes per second of one thread."""
    return [
        _kernel("gcm", "AES-256-GCM, one key", quick, xaes=False),
        _kernel("xaes", "XAES-256-GCM; the peers: AES-256-GCM, a key for each record", quick,
                xaes=True),
    ]  # fmt: skip


def _kernel(name: str, title: str, quick: bool, *, xaes: bool) -> Curve:
    from bench_kernels import NAMES, reps
    from harness import Party, Workload

    found: dict[str, list[float | None]] = {"kmsfast": []} | {each: [] for each in NAMES.values()}
    for size in SIZES:
        num = max(1 if size > BATCH_BYTES else 8, min(BATCH_RECORDS, BATCH_BYTES // size))
        with Workload(xaes=xaes, opening=False, num=num, length=size) as work:
            there = [party for party in Party if work.has(party)]
            times = {party: reps(work, party) for party in there}
            best = shortest(
                [partial(work.run, party, times[party]) for party in there],
                budget=0.05 if quick else 1.0,
            )
            rates = {
                party: size * num * times[party] / seconds
                for party, seconds in zip(there, best, strict=True)
            }
            found["kmsfast"].append(rates[Party.OURS])
            for party, label in NAMES.items():
                found[label].append(rates.get(party))
    lines = [Line(label, values) for label, values in found.items()]
    return Curve(f"throughput-{name}", title, "bytes per record", "bytes/s", list(SIZES), lines)


PYTHON_SIZES = [16, 64, 256, 1024, 4096, 16_384]
TOTAL, PEER_TOTAL = 32 << 20, 2 << 20  # bytes of records in a batch, at most
MOST, PEER_MOST = 200_000, 10_000


def python_sizes(quick: bool) -> list[Curve]:
    """``encrypt_batch`` beside a loop over ``cryptography``, bytes per second of one thread."""
    from python_peers import PEERS

    parties: dict[str, list[float | None]] = {"kmsfast encrypt_batch": []}
    loops = {}
    for name, make in PEERS.items():
        parties[f"{name} loop"] = []
        try:
            loops[f"{name} loop"] = make()
        except ImportError:
            loops[f"{name} loop"] = None
    rng = np.random.default_rng(1)
    with (
        tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder,
        kmsfast.open(Path(folder) / "store", create=True) as kms,
    ):
        key = kms.create_key()
        for size in PYTHON_SIZES:
            num, peer_num = min(MOST, TOTAL // size), min(PEER_MOST, PEER_TOTAL // size)
            values = rng.integers(0, 256, (num, size), np.uint8)
            sample = [row.tobytes() for row in values[:peer_num]]
            runs: list[Callable[[], object]] = [partial(key.encrypt_batch, values, context=CONTEXT)]
            there = [name for name, loop in loops.items() if loop is not None]
            runs += [partial(loops[name].encrypt, sample, AAD) for name in there]
            best = shortest(runs, budget=0.1 if quick else 2.0)
            work = [num] + [peer_num] * len(there)
            rates = dict(
                zip(["kmsfast encrypt_batch", *there],
                    [size * n / seconds for n, seconds in zip(work, best, strict=True)],
                    strict=True)
            )  # fmt: skip
            for name, values_of in parties.items():
                values_of.append(rates.get(name))
    lines = [Line(name, values) for name, values in parties.items()]
    return [
        Curve("throughput-python", "From Python, one thread", "bytes per record", "bytes/s",
              list(PYTHON_SIZES), lines)
    ]  # fmt: skip
