"""C2SP's vectors of XAES-256-GCM (SOURCES): the core on each implementation, and the reference."""

from __future__ import annotations

import hashlib

import c_suite
import pytest
import reference

NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"
PLAINTEXT = b"XAES-256-GCM"
VECTORS = [
    (1, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
    (3, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
]
ROUNDS = 10_000
AFTER_10_000 = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"


# ---- the core -------------------------------------------------------------------------------


@pytest.mark.sources
@pytest.mark.parametrize("test", ["xaes_vectors", "xaes_accumulated"])
def test_the_core_gives_c2sps_answers(implementation: str, test: str) -> None:
    c_suite.passes(test, implementation)


@pytest.mark.slow
@pytest.mark.sources
def test_the_core_gives_c2sps_answer_after_a_million(implementation: str) -> None:
    c_suite.passes("xaes_accumulated", implementation, "--full")


# ---- the reference, against which the core is compared elsewhere ----------------------------


@pytest.mark.parametrize(("key", "aad", "sealed"), VECTORS)
def test_the_reference_gives_c2sps_answers(key: int, aad: bytes, sealed: str) -> None:
    known = bytes.fromhex(sealed)
    assert reference.xaes_seal(bytes([key]) * 32, NONCE, PLAINTEXT, aad) == known
    assert reference.xaes_open(bytes([key]) * 32, NONCE, known, aad) == PLAINTEXT


def test_the_reference_gives_c2sps_answer_after_ten_thousand() -> None:
    stream = hashlib.shake_128(b"").digest(ROUNDS * (32 + 24 + 2 + 2 * 255))
    taken = 0

    def take(size: int) -> bytes:
        nonlocal taken
        taken += size
        return stream[taken - size : taken]

    answers = hashlib.shake_128()
    for _ in range(ROUNDS):
        key, nonce = take(32), take(24)
        plaintext = take(take(1)[0])
        aad = take(take(1)[0])
        answers.update(reference.xaes_seal(key, nonce, plaintext, aad))
    assert answers.hexdigest(32) == AFTER_10_000
