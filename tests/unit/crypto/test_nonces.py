"""No nonce comes twice, whichever call draws it."""

from __future__ import annotations

import numpy as np
import pytest
from ring import Ring

from kmsfast.crypto import blob
from kmsfast.crypto.sealed import SealedWriter

MILLION = 1_000_000


@pytest.mark.parametrize("threads", [1, 2])
def test_a_million_of_one_batch(ring: Ring, threads: int) -> None:
    sealed = blob.seal_batch(
        ring.add().handle, np.empty((MILLION, 0), np.uint8), b"", threads=threads
    )
    nonces = np.ascontiguousarray(sealed[:, 56:80])
    assert len(np.unique(nonces.view("V24"))) == MILLION
    # Each bit is set in half of them; 5,000 are ten standard deviations. The first half alone, from
    # which the message key is derived, repeats in one of 10^16 runs.
    ones = np.unpackbits(nonces, axis=1).sum(axis=0)
    assert (np.abs(ones - MILLION / 2) < 5_000).all()
    assert len(np.unique(np.ascontiguousarray(nonces[:, :12]).view("V12"))) == MILLION


def test_all_calls_draw_from_one_supply(ring: Ring, implementation: str) -> None:
    """Blobs one by one and in batches, data keys, sealed batches and wrapped material."""
    key, nonces = ring.add(), []
    for i in range(300):
        nonces.append(blob.seal_one(key.handle, b"same", b"")[56:80])
        nonces += [b[56:80] for b in blob.seal_batch(key.handle, [b"same"] * (1 + i % 9), b"")]
        nonces.append(blob.data_key(key.handle, 16, b"", with_plaintext=False)[1][56:80])
        with SealedWriter(key.handle, b"") as writer:
            nonces.append(writer.header[8 + 56 : 8 + 80])
        nonces.append(ring.store.generate_material(key.key_id, 1, 0)[:24])
    assert len(set(nonces)) == len(nonces)


def test_the_same_record_is_never_the_same_blob(ring: Ring, implementation: str) -> None:
    key = ring.add()
    batches = [blob.seal_batch(key.handle, [b"same"] * 500, b"", threads=2) for _ in range(4)]
    bodies = [b[80:] for batch in batches for b in batch]
    assert len(set(bodies)) == 2000
