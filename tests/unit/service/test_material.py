"""Private keys as objects of `cryptography`: how many are kept, and when they go."""

from __future__ import annotations

from pathlib import Path

import pytest
from clocks import Clock

import kmsfast
from kmsfast.service.material import PrivateKeys

SPEC = "ECC_NIST_EDWARDS25519"


def kept(kms: kmsfast.Kms) -> int:
    return len(kms._ring._privates._known)


def test_the_oldest_use_gives_way() -> None:
    keys, loads = PrivateKeys(), []

    def of(name: int) -> int:
        return keys.of(bytes([name]), 1, lambda: loads.append(name) or name)

    assert [of(i) for i in range(64)] == list(range(64))
    assert loads == list(range(64))
    of(0)  # used again, so 1 is the oldest
    of(64)
    of(0)
    assert loads == list(range(65))
    of(1)
    assert loads[-1] == 1
    keys.forget(bytes([1]))
    of(1)
    assert loads[-2:] == [1, 1]
    keys.clear()
    of(0)
    assert loads[-1] == 0


def test_they_go_with_their_key_and_with_the_store(path: Path, clock: Clock) -> None:
    with kmsfast.open(path, create=True, clock=clock) as kms:
        gone, stays = kms.create_key(spec=SPEC), kms.create_key(spec=SPEC)
        assert kept(kms) == 0
        for key in (gone, stays, stays):
            key.sign(b"message")
        assert kept(kms) == 2
        gone.schedule_deletion(7)
        clock.forward(days=8)
        with pytest.raises(kmsfast.KeyNotFound):
            gone.sign(b"message")
        assert kept(kms) == 1
        kms.close()
        assert kept(kms) == 0
        with pytest.raises(kmsfast.KmsError, match="closed"):
            stays.sign(b"message")


def test_verifying_needs_no_private_key(kms: kmsfast.Kms, path: Path, clock: Clock) -> None:
    key = kms.create_key(spec=SPEC)
    signature = key.sign(b"message")
    with kmsfast.open(path, clock=clock) as other:
        other.key(key.id).verify(b"message", signature)
        assert kept(other) == 0
