"""Signatures against those of cryptography, both ways, on every implementation of P-256."""

from __future__ import annotations

import os

import numpy as np
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from p256_keys import ALGORITHM, Key, N, new_key, peer_of, public_of, raw
from ring import Ring

from kmsfast.crypto import p256

BATCH = 1000


def digests_of(num: int) -> np.ndarray:
    return np.frombuffer(os.urandom(32 * num), np.uint8).reshape(num, 32)


def verifies(key: Key, digest: bytes, signature: bytes) -> bool:
    try:
        peer_of(key.public).verify(signature, digest, ALGORITHM)
    except InvalidSignature:
        return False
    return True


def ours_verify_there(key: Key, num: int) -> None:
    peer = peer_of(key.public)
    for start in range(0, num, BATCH):
        digests = digests_of(min(BATCH, num - start))
        listed = [row.tobytes() for row in digests]
        signatures = p256.sign_batch(key.handle, listed, deterministic=bool(start // BATCH % 2))
        for digest, signature in zip(listed, signatures, strict=True):
            peer.verify(signature, digest, ALGORITHM)


def theirs_verify_here(key: Key, num: int) -> None:
    for start in range(0, num, BATCH):
        digests = digests_of(min(BATCH, num - start))
        listed = [row.tobytes() for row in digests]
        signatures = [key.private.sign(digest, ALGORITHM) for digest in listed]
        assert p256.verify_batch(key.public, listed, signatures).all()
        rows = np.frombuffer(
            b"".join(raw(*utils.decode_dss_signature(s)) for s in signatures), np.uint8
        ).reshape(-1, 64)
        assert p256.verify_batch(key.public, digests, rows).all()
        assert p256.verify_many([key.public] * len(listed), digests, rows).all()
        moved = p256.verify_batch(key.public, np.roll(digests, 1, axis=0), rows)
        assert not moved.any()


def test_a_few_thousand(ring: Ring, p256_implementation: str) -> None:
    key = new_key(ring)
    ours_verify_there(key, 2 * BATCH)
    theirs_verify_here(key, 2 * BATCH)


@pytest.mark.slow
def test_twenty_thousand(ring: Ring, p256_implementation: str) -> None:
    for _ in range(4):
        key = new_key(ring)
        ours_verify_there(key, 5 * BATCH)
        theirs_verify_here(key, 5 * BATCH)


def test_a_key_for_each(ring: Ring, p256_implementation: str) -> None:
    privates = [ec.generate_private_key(ec.SECP256R1()) for _ in range(600)]
    digests = [os.urandom(32) for _ in privates]
    signatures = [k.sign(d, ALGORITHM) for k, d in zip(privates, digests, strict=True)]
    publics = [public_of(k) for k in privates]
    assert p256.verify_many(publics, digests, signatures, threads=2).all()
    assert not p256.verify_many(publics[1:] + publics[:1], digests, signatures).any()
    publics[37] = bytes(64)
    got = p256.verify_many(publics, digests, signatures)
    assert np.flatnonzero(~got).tolist() == [37]


def test_changed_signatures_are_judged_alike(ring: Ring, p256_implementation: str) -> None:
    """One bit of DER changed at every place, and the numbers at the edges."""
    key, digest = new_key(ring), os.urandom(32)
    good = p256.sign(key.handle, digest)
    r, s = utils.decode_dss_signature(good)
    changed = [
        good[:i] + bytes([good[i] ^ 1 << bit]) + good[i + 1 :]
        for i in range(len(good))
        for bit in range(8)
    ]
    edges = [(r, N - s), (r + N, s), (r, s + N), (0, s), (r, 0), (N, s), (r, N), (N + 1, s), (s, r)]
    changed += [utils.encode_dss_signature(*pair) for pair in edges]
    ours = p256.verify_batch(key.public, [digest] * len(changed), changed).tolist()
    assert ours == [verifies(key, digest, signature) for signature in changed]
    assert ours[len(changed) - len(edges)]  # (r, n - s), high or low, is as good


def test_shared_secrets_are_those_of_the_peer(ring: Ring, p256_implementation: str) -> None:
    key = new_key(ring)
    for _ in range(50):
        other = ec.generate_private_key(ec.SECP256R1())
        shared = p256.ecdh(key.handle, public_of(other))
        assert shared == other.exchange(ec.ECDH(), peer_of(key.public))
