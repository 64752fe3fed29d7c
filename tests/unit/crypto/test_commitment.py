"""The blob that opens under two keys: plain AES-GCM takes it, the default suite refuses it.

Rule: each test first shows that AES-GCM, or XAES, would open the bytes under both keys. What
refuses them afterwards can only be the commitment.
"""

from __future__ import annotations

import os

import pytest
import reference
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from ring import Ring, Version

from kmsfast.crypto import blob
from kmsfast.errors import InvalidCiphertext, KmsError

CONTEXT = {"owner": "both"}


def message_key(key: Version, nonce: bytes) -> bytes:
    subkey = reference.xaes_key(key.material, key.key_id, key.version)
    return reference.xaes_message_key(subkey, nonce)


def prefix(key: Version) -> bytes:
    return reference.prefix(key.material, key.key_id, key.version)


def collide(keys: tuple[Version, Version], nonce: bytes, aads: tuple[bytes, bytes]) -> bytes:
    """Ciphertext and tag that XAES opens under both keys, each with its associated data."""
    first, second = (message_key(key, nonce) for key in keys)
    body = reference.two_key_ciphertext((first, second), nonce[12:], aads, b"x" * 40)
    plain = [
        AESGCM(key).decrypt(nonce[12:], body, aad)
        for key, aad in zip((first, second), aads, strict=True)
    ]
    assert plain[0] != plain[1]
    return body


def opens(key: Version, forged: bytes) -> bool:
    """Whether a key version opens the bytes: alone, in a batch of one key, and in a scanned one.

    All three must agree, and nothing but the commitment may be the reason of a refusal.
    """
    context = reference.canonical(CONTEXT)

    def in_batch(batch: list[bytes]) -> KmsError | None:
        _, errors = blob.open_batch(lambda _prefix: key.handle, batch, context)
        return errors.get(len(batch) - 1)

    found = [in_batch([forged]), in_batch([b"no blob", forged])]
    try:
        blob.open_one(key.handle, forged, context)
        found.append(None)
    except InvalidCiphertext as error:
        found.append(error)
    says = {None if error is None else "commitment" in str(error) for error in found}
    assert says in ({None}, {True}), found
    return says == {None}


def test_plain_gcm_opens_one_ciphertext_under_two_keys() -> None:
    keys, nonce = (os.urandom(32), os.urandom(32)), os.urandom(12)
    for aads in ((b"", b""), (b"same", b"same"), (b"of one", b"of the other")):
        body = reference.two_key_ciphertext(keys, nonce, aads, b"secret message")
        one, two = (AESGCM(k).decrypt(nonce, body, a) for k, a in zip(keys, aads, strict=True))
        assert len(one) == len(two) == 32
        assert one != two


PAIRS = {
    "two materials of one name": ((b"t" * 16, 1), (b"t" * 16, 1)),
    "two versions of one key": ((b"t" * 16, 1), (b"t" * 16, 2)),
    "two keys": ((b"a" * 16, 1), (b"b" * 16, 1)),
}


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, ring: Ring) -> tuple[Version, Version]:
    """Two key versions whose material the attacker knows."""
    first, second = (ring.add_material(os.urandom(32), *name) for name in PAIRS[request.param])
    return first, second


def test_one_blob_for_both_keys(pair: tuple[Version, Version], implementation: str) -> None:
    """The same bytes under one prefix: only the commitment keeps the second key from opening."""
    nonce = os.urandom(24)
    for named, other in (pair, pair[::-1]):
        aad = reference.digest(prefix(named), CONTEXT)
        forged = prefix(named) + nonce + collide(pair, nonce, (aad, aad))
        assert opens(named, forged)  # it is a blob of the key that it names, and of no other
        assert not opens(other, forged)


def test_one_body_behind_two_prefixes(pair: tuple[Version, Version], implementation: str) -> None:
    """Each key opens the blob that names it; moved to the other, it is refused."""
    nonce = os.urandom(24)
    aads = tuple(reference.digest(prefix(key), CONTEXT) for key in pair)
    body = collide(pair, nonce, (aads[0], aads[1]))
    for named, other in (pair, pair[::-1]):
        assert opens(named, prefix(named) + nonce + body)
        assert not opens(other, prefix(named) + nonce + body)


def test_a_name_and_a_commitment_that_do_not_belong_together(
    ring: Ring, pair: tuple[Version, Version], implementation: str
) -> None:
    """The header names one key, the commitment is the other's: neither opens it."""
    nonce, context = os.urandom(24), reference.canonical(CONTEXT)
    for named, other in (pair, pair[::-1]):
        start = prefix(named)[:24] + prefix(other)[24:]
        if start == prefix(other):
            continue  # two materials of one name have the same header
        aad = reference.digest(start, CONTEXT)
        forged = start + nonce + collide(pair, nonce, (aad, aad))
        assert not opens(named, forged)
        assert not opens(other, forged)
        errors: dict[int, KmsError] = blob.open_batch(ring.resolve, [forged], context)[1]
        assert "commitment" in str(errors[0])
