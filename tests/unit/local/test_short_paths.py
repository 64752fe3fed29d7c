"""Single signatures and MACs by what the last one needed: only while nothing has changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from clocks import Clock

import kmsfast
from kmsfast.crypto import keys
from kmsfast.errors import (
    InvalidMac,
    InvalidSignature,
    KeyDisabled,
    KeyNotFound,
    KmsError,
    StoreForked,
    ValidationError,
)

MESSAGE = b"message"
DIGEST = hashlib.sha256(MESSAGE).digest()


@pytest.fixture
def signer(kms: kmsfast.Kms) -> kmsfast.Key:
    """A key that has signed and verified already."""
    key = kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")
    key.verify(MESSAGE, key.sign(MESSAGE))
    return key


@pytest.fixture
def tagger(kms: kmsfast.Kms) -> kmsfast.Key:
    """A key that has made and verified a MAC already."""
    key = kms.create_key(spec="HMAC_256")
    key.verify_mac(MESSAGE, key.mac(MESSAGE))
    return key


def test_the_second_call_takes_it(
    signer: kmsfast.Key, tagger: kmsfast.Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer.verify(MESSAGE, signer.sign(MESSAGE))  # again, since the other key is newer
    application = signer._app
    for service in ("signing", "macs"):
        monkeypatch.setitem(application.__dict__, service, None)  # which nobody asks
    signer.verify(MESSAGE, signer.sign(MESSAGE))
    tagger.verify_mac(MESSAGE, tagger.mac(MESSAGE))
    with pytest.raises(AttributeError):
        signer.sign(MESSAGE, encoding="raw")


def test_other_options_are_heeded(signer: kmsfast.Key) -> None:
    forms: list[dict[str, object]] = [
        {}, {"encoding": "raw"}, {"message_type": "DIGEST"}, {"algorithm": "ECDSA_SHA_256"},
        {"message_type": "DIGEST", "encoding": "raw"}, {"encoding": "der"}, {},
    ]  # fmt: skip
    for form in forms + forms[::-1]:
        given = DIGEST if "message_type" in form else MESSAGE
        for _ in range(2):
            signature = signer.sign(given, **form)
            assert (len(signature) == 64) == (form.get("encoding") == "raw")
            signer.verify(given, signature, **form)
            with pytest.raises(InvalidSignature):
                signer.verify(hashlib.sha256(given).digest(), signature, **form)
    first = signer.sign(MESSAGE, deterministic=True)
    assert signer.sign(MESSAGE, deterministic=True) == first != signer.sign(MESSAGE)


def test_what_is_wrong_is_refused_as_ever(signer: kmsfast.Key, tagger: kmsfast.Key) -> None:
    signature, tag = signer.sign(MESSAGE), tagger.mac(MESSAGE)
    for message in (b"", bytes(4097), "text", None):
        for use in (
            signer.sign, tagger.mac, lambda m: signer.verify(m, signature),
            lambda m: tagger.verify_mac(m, tag),
        ):  # fmt: skip
            with pytest.raises(ValidationError):
                use(message)
    signer.sign(DIGEST, message_type="DIGEST")
    with pytest.raises(ValidationError, match="invalid length"):
        signer.sign(DIGEST[:-1], message_type="DIGEST")
    for wrong in (b"", bytes(6145), None):
        with pytest.raises(ValidationError):
            signer.verify(MESSAGE, wrong)
        with pytest.raises(ValidationError):
            tagger.verify_mac(MESSAGE, wrong)
    with pytest.raises(InvalidMac):
        tagger.verify_mac(MESSAGE, tag[:-1])
    assert signer.sign(bytearray(MESSAGE)) != signature
    assert tagger.mac(bytearray(MESSAGE)) == tag


def test_an_evicted_key_is_loaded_again(
    kms: kmsfast.Kms, signer: kmsfast.Key, tagger: kmsfast.Key
) -> None:
    signature, tag = signer.sign(MESSAGE), tagger.mac(MESSAGE)
    for use in (
        lambda: signer.sign(MESSAGE), lambda: signer.verify(MESSAGE, signature),
        lambda: tagger.mac(MESSAGE), lambda: tagger.verify_mac(MESSAGE, tag),
    ):  # fmt: skip
        for handle in kms._ring._handles.values():
            keys.release(handle)
        use()
        use()


def test_state_is_heeded_at_once(
    path: Path, clock: Clock, signer: kmsfast.Key, tagger: kmsfast.Key
) -> None:
    signature, tag = signer.sign(MESSAGE), tagger.mac(MESSAGE)
    uses = [
        lambda: signer.sign(MESSAGE), lambda: signer.verify(MESSAGE, signature),
        lambda: tagger.mac(MESSAGE), lambda: tagger.verify_mac(MESSAGE, tag),
    ]  # fmt: skip
    with kmsfast.open(path, clock=clock) as other:  # as another process would
        for key in (signer, tagger):
            other.key(key.id).disable()
        for use in uses:
            with pytest.raises(KeyDisabled):
                use()
        for key in (signer, tagger):
            other.key(key.id).enable()
        for use in uses:
            use()
        for key in (signer, tagger):
            other.key(key.id).schedule_deletion(7)
    clock.forward(days=8)
    for use in uses:
        with pytest.raises(KeyNotFound):
            use()


def test_nothing_works_after_close(
    kms: kmsfast.Kms, signer: kmsfast.Key, tagger: kmsfast.Key
) -> None:
    signature, tag = signer.sign(MESSAGE), tagger.mac(MESSAGE)
    kms.close()
    for use in (
        lambda: signer.sign(MESSAGE), lambda: signer.verify(MESSAGE, signature),
        lambda: tagger.mac(MESSAGE), lambda: tagger.verify_mac(MESSAGE, tag),
    ):  # fmt: skip
        with pytest.raises(KmsError, match="closed"):
            use()


def test_nothing_works_in_a_child(signer: kmsfast.Key, tagger: kmsfast.Key) -> None:
    signature, tag = signer.sign(MESSAGE), tagger.mac(MESSAGE)
    uses = [
        lambda: signer.sign(MESSAGE), lambda: signer.verify(MESSAGE, signature),
        lambda: tagger.mac(MESSAGE), lambda: tagger.verify_mac(MESSAGE, tag),
        lambda: signer.sign_batch([DIGEST]), signer.public_key_der,
    ]  # fmt: skip
    child = os.fork()
    if child == 0:
        refused = 0
        for use in uses:
            try:
                use()
            except StoreForked:
                refused += 1
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == len(uses)
    for use in uses:
        use()
