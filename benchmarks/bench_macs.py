"""HMAC-SHA-256: the lanes beside OpenSSL's EVP_MAC, batches from Python beside loops."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_kernels import RAGGED, ROUNDS, reps
from conftest import Compare
from harness import MacWorkload, Party
from python_peers import cryptography_hmac_loop, hmac_loop
from rows import Row

from kmsfast.crypto import keys, mac

BATCH_RECORDS = 1024
LENGTH = 64
REPS = 20  # batches in a round: one takes a tenth of a millisecond
PYTHON_ROUNDS = 200
SINGLES = 2_000


# ---- C --------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [32, 64, 256, RAGGED], ids=str)
def test_mac_kernel(length: int, compare: Compare) -> None:
    """One key, a batch in cache; equal outputs first."""
    size = "1-256 B" if length == RAGGED else f"{length} B"
    with MacWorkload(num=BATCH_RECORDS, length=length) as work:
        assert work.agree(), "the peer's output differs: nothing to compare"
        ours, theirs = reps(work, Party.OURS), reps(work, Party.OPENSSL)
        compare(
            Row(f"HMAC-SHA-256 {size} vs OpenSSL EVP_MAC"),
            lambda: work.run(Party.OURS, ours),
            lambda: work.run(Party.OPENSSL, theirs),
            units=ours * work.num,
            peer_units=theirs * work.num,
            rounds=ROUNDS,
        )


# ---- Python ---------------------------------------------------------------------------------

MATERIAL = bytes(range(32))


@pytest.fixture(scope="module")
def handle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A MAC key whose material the peers have as well."""
    path: Path = tmp_path_factory.mktemp("bench") / "root.key"
    keys.RootKey.create_file(str(path))
    root = keys.RootKey.load_file(str(path))
    store, _ = keys.StoreKey.create(root, bytes(16))
    with root, store:
        wrapped = mac.import_material(store, bytearray(MATERIAL), bytes(16), 1, 0, bits=256)
        yield mac.load(store, wrapped, bytes(16), 1, 0, bits=256)


@dataclass(frozen=True, slots=True)
class Case:
    """A batch of one kind against a loop."""

    kind: str
    peer: str
    target: float | None

    @property
    def name(self) -> str:
        """What the row says after "mac_batch"."""
        return f"1,024 x 64 B {self.kind} vs {self.peer} loop"


LOOPS: dict[str, Callable[[bytes, Sequence[bytes]], list[bytes]]] = {
    "cryptography": cryptography_hmac_loop,
    "hmac": hmac_loop,
}
# The faster of the two loops is the one that counts.
CASES = [
    Case("numpy", "cryptography", 5),
    Case("list", "cryptography", 5),
    Case("numpy", "hmac", None),
    Case("list", "hmac", None),
]


def _values(kind: str) -> Any:
    rows = np.random.default_rng(1).integers(0, 256, (BATCH_RECORDS, LENGTH), np.uint8)
    return rows if kind == "numpy" else [row.tobytes() for row in rows]


def _repeated(call: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(REPS):
            call()

    return run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_mac_batch(case: Case, handle: int, compare: Compare) -> None:
    """One MAC per record; the loop over the same records."""
    values, loop = _values(case.kind), LOOPS[case.peer]
    records = [bytes(value) for value in values]
    made = mac.mac_batch(handle, values, mac_len=32)
    assert [bytes(one) for one in made] == loop(MATERIAL, records)
    compare(
        Row(f"mac_batch {case.name}", case.target),
        _repeated(lambda: mac.mac_batch(handle, values, mac_len=32)),
        lambda: loop(MATERIAL, records),
        units=BATCH_RECORDS * REPS,
        peer_units=BATCH_RECORDS,
        rounds=PYTHON_ROUNDS,
    )


def test_mac_verify_batch(handle: int, compare: Compare) -> None:
    """All valid; the loop computes and compares with ``==``, which is in its favour."""
    values = _values("list")
    macs = mac.mac_batch(handle, values, mac_len=32)
    assert mac.verify_batch(handle, values, macs).all()
    compare(
        Row("mac verify_batch 1,024 x 64 B list vs cryptography loop"),
        _repeated(lambda: mac.verify_batch(handle, values, macs)),
        lambda: cryptography_hmac_loop(MATERIAL, values) == macs,
        units=BATCH_RECORDS * REPS,
        peer_units=BATCH_RECORDS,
        rounds=PYTHON_ROUNDS,
    )


def test_mac_of_one(handle: int, compare: Compare) -> None:
    """One message per call."""
    value = os.urandom(LENGTH)
    assert mac.mac(handle, value, mac_len=32) == hmac_loop(MATERIAL, [value])[0]

    def ours() -> None:
        make = mac.mac
        for _ in range(SINGLES):
            make(handle, value, mac_len=32)

    compare(
        Row("mac, one message of 64 B vs cryptography loop"),
        ours,
        lambda: cryptography_hmac_loop(MATERIAL, [value] * SINGLES),
        units=SINGLES,
        rounds=100,
    )
