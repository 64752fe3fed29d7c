"""Batches and single records through the public interface, beside loops over the Python peers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import Compare, profile
from python_peers import PEERS, CryptographyLoop, TinkLoop
from rows import JUDGED, Row

import kmsfast

NUM, LENGTH = 1_000_000, 64
PEER_NUM = 100_000  # the peers' loops cost the same per record at any number: a tenth is enough
SINGLES = 2_000
ROUNDS = 9
CONTEXT = {"table": "orders", "column": "email"}
# The same bytes as associated data for the peers (docs/blob-format.md, canonical context).
AAD = b"\0\0\0\x06column\0\0\0\x05email\0\0\0\x05table\0\0\0\x06orders"


@dataclass(frozen=True, slots=True)
class Case:
    """A batch of a million records of one kind against a peer's loop."""

    kind: str
    threads: int
    target: float | None
    beyond: float | None = None
    peer: str = "cryptography"

    @property
    def name(self) -> str:
        """What the row says after "encrypt_batch"."""
        threads = "" if self.threads == 1 else f", {self.threads} threads"
        return f"1M x 64 B {self.kind}{threads} vs {self.peer} loop"


CASES = [
    Case("numpy", 1, 15, 25),
    Case("numpy", 2, 28, 45),
    Case("arrow", 1, 15, 25),
    Case("arrow", 2, 28, 45),
    Case("list", 1, 5, 8),
    Case("numpy", 1, None, peer="tink"),
]


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kmsfast.Kms]:
    """A store with one key, ``alias/bench``."""
    path: Path = tmp_path_factory.mktemp("bench") / "store"
    with kmsfast.open(path, create=True) as opened:
        opened.create_key(alias="alias/bench")
        yield opened


@pytest.fixture(scope="module")
def plain() -> np.ndarray[Any, Any]:
    """A million records of 64 bytes, (NUM, LENGTH) uint8."""
    return np.random.default_rng(1).integers(0, 256, (NUM, LENGTH), np.uint8)


def _as_kind(kind: str, plain: np.ndarray[Any, Any]) -> Any:
    if kind == "numpy":
        return plain
    if kind == "list":
        return _as_list(plain)
    offsets = np.arange(NUM + 1, dtype=np.int32) * LENGTH
    return pa.Array.from_buffers(
        pa.binary(), NUM, [None, pa.py_buffer(offsets), pa.py_buffer(plain)]
    )


def _as_list(plain: np.ndarray[Any, Any]) -> list[bytes]:
    data, width = plain.tobytes(), plain.shape[1]
    return [data[at : at + width] for at in range(0, len(data), width)]


def _equal(opened: Any, values: Any) -> bool:
    if isinstance(values, np.ndarray):
        return bool(np.array_equal(opened, values))
    if isinstance(values, pa.Array):
        return bool(opened.equals(values))
    return bool(opened == values)


def _peer(name: str) -> CryptographyLoop | TinkLoop | None:
    try:
        return PEERS[name]()
    except ImportError:
        return None


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """The comparison."""
    chosen: Case = request.param
    return chosen


def test_encrypt_batch(case: Case, kms: Any, plain: Any, compare: Compare) -> None:
    """Full blobs with context and commitment; the peer's loop over a tenth of the same records."""
    key, values = kms.key("alias/bench"), _as_kind(case.kind, plain)
    sample, peer = _as_list(plain[:PEER_NUM]), _peer(case.peer)
    blobs = key.encrypt_batch(values, context=CONTEXT, threads=case.threads)
    assert _equal(kms.decrypt_batch(blobs, context=CONTEXT), values)
    del blobs
    compare(
        Row(f"encrypt_batch {case.name}", case.target, case.beyond),
        lambda: key.encrypt_batch(values, context=CONTEXT, threads=case.threads),
        (lambda: peer.encrypt(sample, AAD)) if peer else None,
        units=NUM,
        peer_units=PEER_NUM,
        rounds=ROUNDS,
    )


def test_decrypt_batch(case: Case, kms: Any, plain: Any, compare: Compare) -> None:
    """The key and its version found in each blob; the peer knows its key."""
    key, values = kms.key("alias/bench"), _as_kind(case.kind, plain)
    blobs = key.encrypt_batch(values, context=CONTEXT)
    peer = _peer(case.peer)
    records = peer.encrypt(_as_list(plain[:PEER_NUM]), AAD) if peer else []
    assert _equal(kms.decrypt_batch(blobs, context=CONTEXT, threads=case.threads), values)
    compare(
        Row(f"decrypt_batch {case.name}", case.target, case.beyond),
        lambda: kms.decrypt_batch(blobs, context=CONTEXT, threads=case.threads),
        (lambda: peer.decrypt(records, AAD)) if peer else None,
        units=NUM,
        peer_units=PEER_NUM,
        rounds=ROUNDS,
    )


def test_one_encrypt(kms: Any, compare: Compare) -> None:
    """One record per call, beside one AESGCM call with its own random nonce."""
    key, peer, value = kms.key("alias/bench"), CryptographyLoop(), bytes(LENGTH)

    def ours() -> None:
        encrypt = key.encrypt
        for _ in range(SINGLES):
            encrypt(value, context=CONTEXT)

    compare(
        Row("key.encrypt, one record of 64 B vs cryptography", 1.0, 1.5),
        ours,
        lambda: peer.encrypt([value] * SINGLES, AAD),
        units=SINGLES,
        rounds=100,
    )


def test_one_decrypt(kms: Any, compare: Compare) -> None:
    """One blob per call, beside one AESGCM call."""
    key, peer, value = kms.key("alias/bench"), CryptographyLoop(), bytes(LENGTH)
    blob, record = key.encrypt(value, context=CONTEXT), peer.encrypt([value], AAD)
    assert kms.decrypt(blob, context=CONTEXT) == value

    def ours() -> None:
        decrypt = kms.decrypt
        for _ in range(SINGLES):
            decrypt(blob, context=CONTEXT)

    compare(
        Row("kms.decrypt, one record of 64 B vs cryptography", 1.0, 1.5),
        ours,
        lambda: peer.decrypt(record * SINGLES, AAD),
        units=SINGLES,
        rounds=100,
    )


TWO = [CONTEXT, CONTEXT | {"column": "phone"}]
TWO_IN_TURN = "one record of 64 B, two contexts in turn vs cryptography"


def test_two_contexts_encrypt(kms: Any, compare: Compare) -> None:
    """As :func:`test_one_encrypt`, but no call repeats the last."""
    key, peer, value = kms.key("alias/bench"), CryptographyLoop(), bytes(LENGTH)

    def ours() -> None:
        for context in TWO * (SINGLES // 2):
            key.encrypt(value, context)

    compare(
        Row(f"key.encrypt, {TWO_IN_TURN}"),
        ours,
        lambda: peer.encrypt([value] * SINGLES, AAD),
        units=SINGLES,
        rounds=50,
    )


def test_two_contexts_decrypt(kms: Any, compare: Compare) -> None:
    """As :func:`test_one_decrypt`, but no call repeats the last."""
    key, peer, value = kms.key("alias/bench"), CryptographyLoop(), bytes(LENGTH)
    calls = [(key.encrypt(value, context), context) for context in TWO] * (SINGLES // 2)
    record = peer.encrypt([value], AAD)

    def ours() -> None:
        for blob, context in calls:
            kms.decrypt(blob, context)

    compare(
        Row(f"kms.decrypt, {TWO_IN_TURN}"),
        ours,
        lambda: peer.decrypt(record * SINGLES, AAD),
        units=SINGLES,
        rounds=50,
    )


@pytest.mark.skipif(profile() != JUDGED, reason="the same question in both profiles")
def test_rotated_decrypt(kms: Any, plain: Any, compare: Compare) -> None:
    """Half of the blobs of an older key version, mixed: each names its own."""
    key = kms.create_key(alias="alias/rotated")
    old = key.encrypt_batch(plain, context=CONTEXT)
    key.rotate()
    old[1::2] = key.encrypt_batch(plain, context=CONTEXT)[1::2]
    peer = CryptographyLoop()
    records = peer.encrypt(_as_list(plain[:PEER_NUM]), AAD)
    compare(
        Row("decrypt_batch 1M x 64 B numpy, 2 versions mixed vs cryptography loop"),
        lambda: kms.decrypt_batch(old, context=CONTEXT),
        lambda: peer.decrypt(records, AAD),
        units=NUM,
        peer_units=PEER_NUM,
        rounds=5,
    )
