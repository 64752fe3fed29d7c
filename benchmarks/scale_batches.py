"""Cost per record as batches grow."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from turns import shortest

import kmsfast

LENGTH = 64
CONTEXT = {"table": "orders", "column": "email"}
PER_ROUND = 10_000  # records, at least: small batches are repeated


def batches(num: int) -> dict[str, float]:
    """Nanoseconds per record of batches of ``num``."""
    times = max(1, PER_ROUND // num)
    values = np.random.default_rng(1).integers(0, 256, (num, LENGTH), np.uint8)
    with (
        tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder,
        kmsfast.open(Path(folder) / "store", create=True) as kms,
    ):
        key = kms.create_key()
        blobs = key.encrypt_batch(values, context=CONTEXT)
        found = {}
        for threads, said in ((1, ""), (2, ", 2 threads")):
            runs: dict[str, Callable[[], object]] = {
                "encrypt": partial(key.encrypt_batch, values, context=CONTEXT, threads=threads),
                "decrypt": partial(kms.decrypt_batch, blobs, context=CONTEXT, threads=threads),
            }
            for name, run in runs.items():
                seconds = shortest([partial(_repeat, run, times)], budget=0.4)[0]
                found[name + said] = seconds / times / num * 1e9
    return found


def _repeat(run: Callable[[], object], times: int) -> None:
    for _ in range(times):
        run()
