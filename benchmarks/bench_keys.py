"""Signatures and MACs as a user has them: through keys of a store, beside loops over a library."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import Compare
from python_peers import ecdsa_key, ecdsa_sign_loop, ecdsa_verify_loop
from rows import Row

import kmsfast

BATCH, SINGLES, MESSAGE_LEN = 1024, 200, 64


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kmsfast.Kms]:
    """An empty store."""
    with kmsfast.open(tmp_path_factory.mktemp("bench") / "store", create=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def signer(kms: kmsfast.Kms) -> kmsfast.Key:
    """A P-256 key."""
    return kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")


@pytest.fixture(scope="module")
def peer() -> Any:
    """A P-256 key of cryptography."""
    return ecdsa_key(bytes(31) + b"\x07")


@pytest.fixture(scope="module")
def digests() -> Any:
    """Digests as an array."""
    return np.random.default_rng(1).integers(0, 256, (BATCH, 32), np.uint8)


@pytest.mark.parametrize(("kind", "target", "beyond"), [("numpy", 5.5, 7), ("list", 5, 6)])
def test_sign_batch(
    kind: str, target: float, beyond: float, signer: kmsfast.Key, peer: Any, digests: Any,
    compare: Compare,
) -> None:  # fmt: skip
    """As released, checks of the service included."""
    listed = [row.tobytes() for row in digests]
    given = digests if kind == "numpy" else listed
    compare(
        Row(f"key.sign_batch {BATCH:,} {kind} vs cryptography loop", target, beyond),
        lambda: signer.sign_batch(given),
        lambda: ecdsa_sign_loop(peer, listed),
        units=BATCH,
        rounds=100,
    )


def test_verify_batch(signer: kmsfast.Key, peer: Any, digests: Any, compare: Compare) -> None:
    """One key, lists of DER."""
    listed = [row.tobytes() for row in digests]
    signatures, others = signer.sign_batch(listed), ecdsa_sign_loop(peer, listed)
    compare(
        Row(f"key.verify_batch {BATCH:,} list vs cryptography loop", 12),
        lambda: signer.verify_batch(listed, signatures),
        lambda: ecdsa_verify_loop(peer.public_key(), listed, others),
        units=BATCH,
        rounds=100,
    )


def test_verify_many_keys(kms: kmsfast.Kms, peer: Any, digests: Any, compare: Compare) -> None:
    """Each by a key of its own; the loop has one, already parsed, which is in its favour."""
    some = [row.tobytes() for row in digests[:SINGLES]]
    made = [kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY") for _ in some]
    publics = [key.public_key_der() for key in made]
    signatures = [
        key.sign(digest, message_type="DIGEST") for key, digest in zip(made, some, strict=True)
    ]
    others = ecdsa_sign_loop(peer, some)
    assert kmsfast.verify_batch(publics, some, signatures).all()
    compare(
        Row(f"kmsfast.verify_batch {SINGLES} keys, list vs cryptography loop"),
        lambda: kmsfast.verify_batch(publics, some, signatures),
        lambda: ecdsa_verify_loop(peer.public_key(), some, others),
        units=SINGLES,
        rounds=100,
    )


@pytest.mark.parametrize("what", ["sign", "verify"])
def test_one_signature(
    what: str, signer: kmsfast.Key, peer: Any, digests: Any, compare: Compare
) -> None:
    """Alone, checks of the service included."""
    some = [row.tobytes() for row in digests[:SINGLES]]
    own, others = signer.sign_batch(some), ecdsa_sign_loop(peer, some)

    def sign() -> None:
        for digest in some:
            signer.sign(digest, message_type="DIGEST")

    def verify() -> None:
        for digest, signature in zip(some, own, strict=True):
            signer.verify(digest, signature, message_type="DIGEST")

    compare(
        Row(f"key.{what} one vs cryptography", unit="runs/s"),
        sign if what == "sign" else verify,
        (lambda: ecdsa_sign_loop(peer, some))
        if what == "sign"
        else (lambda: ecdsa_verify_loop(peer.public_key(), some, others)),
        units=SINGLES,
        rounds=100,
    )


def test_macs(kms: kmsfast.Kms, compare: Compare) -> None:
    """Batches and single ones of 64 bytes, beside the fastest call of the standard library."""
    key, secret = kms.create_key(spec="HMAC_256"), bytes(32)
    messages = [i.to_bytes(MESSAGE_LEN, "big") for i in range(10 * BATCH)]

    def loop(some: list[bytes]) -> list[bytes]:
        return [hmac.digest(secret, message, "sha256") for message in some]

    compare(
        Row(f"key.mac_batch {MESSAGE_LEN} B list vs hmac.digest loop", 5),
        lambda: key.mac_batch(messages),
        lambda: loop(messages),
        units=len(messages),
        rounds=100,
    )


def test_one_mac(kms: kmsfast.Kms, compare: Compare) -> None:
    """Alone, checks of the service included."""
    key, secret = kms.create_key(spec="HMAC_256"), bytes(32)
    messages = [i.to_bytes(MESSAGE_LEN, "big") for i in range(BATCH)]

    def ours() -> None:
        for message in messages:
            key.mac(message)

    compare(
        Row(f"key.mac one, {MESSAGE_LEN} B vs hmac.digest", unit="runs/s"),
        ours,
        lambda: [hmac.digest(secret, message, "sha256") for message in messages],
        units=BATCH,
        rounds=100,
    )
