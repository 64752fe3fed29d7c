"""The blob that opens under two keys: plain AES-GCM takes it, the default suite refuses it."""

from __future__ import annotations

import os

import pytest
import reference
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from ring import Ring

from kmsfast.crypto import blob
from kmsfast.errors import InvalidCiphertext

CONTEXT = {"owner": "both"}


def test_the_default_suite_refuses_the_two_key_blob(ring: Ring, implementation: str) -> None:
    key_id, nonce = b"t" * 16, os.urandom(24)
    mine, yours = os.urandom(32), os.urandom(32)
    # The attacker knows both materials. Each blob carries its own commitment; everything after
    # the prefix is the same bytes.
    prefixes = [reference.prefix(material, key_id, 1) for material in (mine, yours)]
    message_keys = tuple(
        reference.xaes_message_key(reference.xaes_key(material, key_id, 1), nonce)
        for material in (mine, yours)
    )
    aads = tuple(reference.digest(start, CONTEXT) for start in prefixes)
    body = reference.two_key_ciphertext(
        (message_keys[0], message_keys[1]), nonce[12:], (aads[0], aads[1]), b"x" * 40
    )
    for message_key, aad in zip(message_keys, aads, strict=True):
        AESGCM(message_key).decrypt(nonce[12:], body, aad)  # AES-GCM alone opens both

    context = reference.canonical(CONTEXT)
    handles = [ring.add_material(material, key_id).handle for material in (mine, yours)]
    for i, start in enumerate(prefixes):
        forged = start + nonce + body
        assert blob.open_one(handles[i], forged, context)
        with pytest.raises(InvalidCiphertext, match="commitment"):
            blob.open_one(handles[1 - i], forged, context)
        _, errors = blob.open_batch(lambda _p, _f, i=i: handles[1 - i], [forged], context)
        assert "commitment" in str(errors[0])
