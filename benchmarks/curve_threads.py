"""Work per second by the number of threads, as a multiple of that of one thread."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from document import Curve, Line
from turns import shortest

import kmsfast

RECORDS, LENGTH, DIGESTS = 500_000, 64, 20_000


def threads(quick: bool) -> list[Curve]:
    """Batches on one thread, two, and so on to one for each core (at most eight)."""
    points = list(range(1, min(8, os.cpu_count() or 1) + 1))
    part = 20 if quick else 1
    lines = []
    with (
        tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder,
        kmsfast.open(Path(folder) / "store", create=True) as kms,
    ):
        for name, work in _works(kms, RECORDS // part, DIGESTS // part).items():
            runs = [partial(work, threads=number) for number in points]
            best = shortest(runs, budget=0.2 if quick else 4.0)
            lines.append(Line(name, [best[0] / seconds for seconds in best]))
    return [
        Curve("threads", "Batches on several threads", "threads", "times one thread", points, lines)
    ]


def _works(kms: kmsfast.Kms, num: int, digests: int) -> dict[str, Callable[..., object]]:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 256, (num, LENGTH), np.uint8)
    messages = rng.integers(0, 256, (digests, 32), np.uint8)
    key = kms.create_key()
    signer = kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")
    macs = kms.create_key(spec="HMAC_256", usage="GENERATE_VERIFY_MAC")
    blobs = key.encrypt_batch(values)
    signatures = signer.sign_batch(messages)
    return {
        "encrypt_batch": partial(key.encrypt_batch, values),
        "decrypt_batch": partial(kms.decrypt_batch, blobs),
        "mac_batch": partial(macs.mac_batch, values),
        "sign_batch": partial(signer.sign_batch, messages),
        "verify_batch": partial(signer.verify_batch, messages, signatures),
    }
