"""ECDSA P-256: batches beside OpenSSL's EVP in C, and beside loops over cryptography in Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Compare
from harness import Party, SignatureWorkload, Task
from python_peers import AwsLcKey, ecdsa_key, ecdsa_sign_loop, ecdsa_verify_loop
from rows import Row

from kmsfast.crypto import keys, p256

BATCH = 1024
ROUNDS, SINGLE_ROUNDS = 40, 25
SCALAR = "mulx"


# ---- C --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A task beside the same of OpenSSL. scalar: the target of the path without vectors."""

    task: Task
    name: str
    target: float | None
    beyond: float | None = None
    scalar: float | None = None


CASES = [
    Case(Task.SIGN_UNCHECKED, "sign, before its check", 7.5, 10, scalar=5),
    Case(Task.SIGN, "sign, as released", 5, 7),
    Case(Task.VERIFY_KEY, "verify, one key", 14, 18, scalar=9),
    Case(Task.VERIFY_MANY, "verify, many keys", 2.2, 3, scalar=1.3),
    Case(Task.SIGN_ONE, "one signature alone", 1, 1.5),
    Case(Task.VERIFY_ONE, "one verify alone", 1, 1.5),
    Case(Task.VERIFY_AGAIN, "one verify alone, a key met before", None),
]


@pytest.fixture(scope="module", params=[None, SCALAR], ids=["best", SCALAR])
def implementation(request: pytest.FixtureRequest) -> str | None:
    """The best implementation of this CPU, and the scalar one."""
    if request.param and request.param not in p256.implementations():
        pytest.skip(f"this CPU cannot run {request.param}")
    chosen: str | None = request.param
    return chosen


@pytest.fixture(scope="module")
def work(implementation: str | None) -> Iterator[SignatureWorkload]:
    """Digests, keys and signatures; each party verifies what the other signed."""
    chosen = implementation or p256.implementations()[0]
    with SignatureWorkload(num=BATCH, implementation=chosen) as made:
        assert made.agree(), "one refuses what the other signed: nothing to compare"
        yield made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_signatures(
    case: Case, implementation: str | None, work: SignatureWorkload, compare: Compare
) -> None:
    """1,024 of each in a round."""
    name = f"ECDSA P-256 {case.name} vs OpenSSL"
    row = Row(name, case.target, case.beyond)
    if implementation:
        row = Row(f"{name}, {implementation}", case.scalar)
    compare(
        row,
        lambda: work.run(case.task, Party.OURS),
        lambda: work.run(case.task, Party.OPENSSL),
        units=BATCH,
        rounds=ROUNDS,
    )


@pytest.mark.parametrize(
    ("one", "two"),
    [(Task.SIGN, Task.SIGN_TWO_THREADS), (Task.VERIFY_KEY, Task.VERIFY_TWO_THREADS)],
    ids=["sign", "verify"],
)
def test_two_threads(
    one: Task, two: Task, implementation: str | None, work: SignatureWorkload, compare: Compare
) -> None:
    """The peer is ours on one thread."""
    what = "sign" if one is Task.SIGN else "verify, one key"
    end = f", {implementation}" if implementation else ""
    compare(
        Row(f"ECDSA P-256 {what}, two threads vs one{end}", 1.8),
        lambda: work.run(two, Party.OURS),
        lambda: work.run(one, Party.OURS),
        units=BATCH,
        rounds=200,
    )


# ---- Python ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """A key in the arena, the same key in cryptography, and digests."""

    handle: int
    public: bytes
    peer: Any
    rows: Any
    listed: list[bytes]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """One key for both parties."""
    path: Path = tmp_path_factory.mktemp("bench") / "root.key"
    keys.RootKey.create_file(str(path))
    root = keys.RootKey.load_file(str(path))
    store, _ = keys.StoreKey.create(root, bytes(16))
    scalar = bytes(31) + b"\x07"
    rows = np.random.default_rng(1).integers(0, 256, (BATCH, 32), np.uint8)
    with root, store:
        wrapped, _ = p256.import_private(store, scalar, bytes(16), 1, 0)
        handle, public = p256.load(store, wrapped, bytes(16), 1, 0)
        listed = [row.tobytes() for row in rows]
        yield Held(handle, public, ecdsa_key(scalar), rows, listed)


@pytest.mark.parametrize(("kind", "target", "beyond"), [("numpy", 5.5, 7), ("list", 5, 6)])
def test_sign_batch(kind: str, target: float, beyond: float, held: Held, compare: Compare) -> None:
    """As released; the loop makes DER from a list."""
    digests = held.rows if kind == "numpy" else held.listed
    compare(
        Row(f"sign_batch 1,024 {kind} vs cryptography loop", target, beyond),
        lambda: p256.sign_batch(held.handle, digests),
        lambda: ecdsa_sign_loop(held.peer, held.listed),
        units=BATCH,
        rounds=SINGLE_ROUNDS,
    )


def test_verify_batch(held: Held, compare: Compare) -> None:
    """One key; signatures of cryptography, in a list of DER."""
    signatures = ecdsa_sign_loop(held.peer, held.listed)
    assert p256.verify_batch(held.public, held.listed, signatures).all()
    compare(
        Row("verify_batch 1,024 list, one key vs cryptography loop", 12),
        lambda: p256.verify_batch(held.public, held.listed, signatures),
        lambda: ecdsa_verify_loop(held.peer.public_key(), held.listed, signatures),
        units=BATCH,
        rounds=SINGLE_ROUNDS,
    )


@pytest.mark.parametrize("batch", [False, True], ids=["one by one", "batch"])
@pytest.mark.parametrize("what", ["sign", "verify"])
def test_beside_aws_lc(what: str, batch: bool, held: Held, compare: Compare) -> None:
    """Lists of bytes, DER; AWS-LC does one after the other, ours too or all at once."""
    listed, handle, public = held.listed, held.handle, held.public
    signatures = ecdsa_sign_loop(held.peer, listed)
    try:
        peer = AwsLcKey(held.peer)
    except ImportError:
        peer = None
    else:
        assert peer.verify(listed, p256.sign_batch(handle, listed))
        assert p256.verify_batch(public, listed, peer.sign(listed)).all()
        assert not peer.verify(listed[::-1], signatures)
    ours = {
        ("sign", False): lambda: [p256.sign(handle, digest) for digest in listed],
        ("sign", True): lambda: p256.sign_batch(handle, listed),
        ("verify", False): lambda: list(map(partial(p256.verify, public), listed, signatures)),
        ("verify", True): lambda: p256.verify_batch(public, listed, signatures),
    }
    theirs = {
        "sign": lambda: peer and peer.sign(listed),
        "verify": lambda: peer and peer.verify(listed, signatures),
    }
    how = f"{what}_batch 1,024 list" if batch else f"crypto.p256.{what}, one by one"
    compare(
        Row(f"{how} vs AWS-LC loop"),
        ours[what, batch],
        theirs[what] if peer else None,
        units=BATCH,
        rounds=SINGLE_ROUNDS,
    )
