"""Single records in many contexts and under many keys: each call gets what is its own."""

from __future__ import annotations

import threading

import pytest
from clocks import Clock

import kmsfast
from kmsfast.errors import ContextError, InvalidCiphertext, KeyDisabled, KmsError
from kmsfast.service import bindings

CONTEXTS: list[dict[str, str] | None] = [None, *({"row": str(i)} for i in range(5))]


def test_contexts_and_keys_in_turn(kms: kmsfast.Kms) -> None:
    keys = [kms.create_key() for _ in range(3)]
    made = [
        (key.encrypt(b"%d" % n, context), context, b"%d" % n)
        for n, (key, context) in enumerate((k, c) for _ in range(3) for c in CONTEXTS for k in keys)
    ]
    for _ in range(2):
        for blob, context, plaintext in made:
            assert kms.decrypt(blob, context) == plaintext
    for blob, context, _ in made:
        other = CONTEXTS[(CONTEXTS.index(context) + 1) % len(CONTEXTS)]
        with pytest.raises(InvalidCiphertext):
            kms.decrypt(blob, other)


def test_a_context_that_changes_between_calls(kms: kmsfast.Kms) -> None:
    key, context = kms.create_key(), {"row": "1"}
    first = key.encrypt(b"x", context)
    context["row"] = "2"
    second = key.encrypt(b"x", context)
    assert kms.decrypt(second, {"row": "2"}) == b"x"
    for blob in (second, first):
        context["row"] = "1" if blob is first else "2"
        assert kms.decrypt(blob, context) == b"x"
        with pytest.raises(InvalidCiphertext):
            kms.decrypt(blob, {"row": "3"})


def test_what_is_known_of_a_key_ends_with_its_use(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    blobs = [key.encrypt(b"x", context) for context in CONTEXTS for _ in range(2)]
    for blob, context in zip(blobs, [c for c in CONTEXTS for _ in range(2)], strict=True):
        kms.decrypt(blob, context)
    key.disable()
    for context in CONTEXTS:
        with pytest.raises(KeyDisabled):
            key.encrypt(b"x", context)
    for blob, context in zip(blobs[::2], CONTEXTS, strict=True):
        with pytest.raises(KeyDisabled):
            kms.decrypt(blob, context)
    key.enable()
    assert kms.decrypt(blobs[-1], CONTEXTS[-1]) == b"x"
    kms.close()
    with pytest.raises(KmsError, match="closed"):
        key.encrypt(b"x", CONTEXTS[0])
    with pytest.raises(KmsError, match="closed"):
        kms.decrypt(blobs[0], CONTEXTS[0])


def test_a_rotation_reaches_every_context(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key(rotation_period_days=90)
    for context in CONTEXTS:
        assert kmsfast.inspect(key.encrypt(b"x", context)).key_version == 1
    key.rotate()
    for context in CONTEXTS:
        assert kmsfast.inspect(key.encrypt(b"x", context)).key_version == 2
    clock.forward(days=91)
    for context in CONTEXTS:
        assert kmsfast.inspect(key.encrypt(b"x", context)).key_version == 3


def test_only_so_many_are_kept(kms: kmsfast.Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bindings, "_MOST", 8)
    key = kms.create_key()
    known = key._encryption.bindings._known
    for i in range(100):
        context = {"row": str(i)}
        assert kms.decrypt(key.encrypt(b"x", context), context) == b"x"
        known = key._encryption.bindings._known
        assert len(known) <= 8
    assert known


@pytest.mark.parametrize("wrong", [{"a": []}, {"a": 1}, {1: "a"}, {"": "a"}, [("a", "b")], "a", 7])
def test_what_is_no_context(kms: kmsfast.Kms, wrong: object) -> None:
    key = kms.create_key()
    blob = key.encrypt(b"x")
    kms.decrypt(blob)
    for _ in range(2):
        with pytest.raises(ContextError):
            key.encrypt(b"x", wrong)  # type: ignore[arg-type]
        with pytest.raises(ContextError):
            kms.decrypt(blob, wrong)  # type: ignore[arg-type]
    assert kms.decrypt(blob) == b"x"


def test_a_context_that_another_thread_changes(kms: kmsfast.Kms) -> None:
    """Whatever it was when a call looked: every blob opens in one of its two states."""
    key, context, stop = kms.create_key(), {"row": "1"}, threading.Event()

    def change() -> None:
        while not stop.is_set():
            context["row"] = "2"
            context["row"] = "1"

    thread = threading.Thread(target=change)
    thread.start()
    try:
        blobs = [key.encrypt(b"x", context) for _ in range(3000)]
    finally:
        stop.set()
        thread.join()
    for state in ({"row": "1"}, {"row": "2"}):  # nothing false was remembered on the way
        assert kms.decrypt(key.encrypt(b"y", state), dict(state)) == b"y"
        with pytest.raises(InvalidCiphertext):
            kms.decrypt(key.encrypt(b"y", state), {"row": "3"})
    for blob in blobs:
        opened = 0
        for state in ({"row": "1"}, {"row": "2"}):
            try:
                opened += kms.decrypt(blob, state) == b"x"
            except InvalidCiphertext:
                continue
        assert opened == 1
