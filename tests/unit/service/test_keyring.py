"""The caches: keys evicted from the arena are loaded again, and nothing stale is ever used."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import scripts
from clocks import Clock

import kmsfast
from kmsfast.crypto import keys, native

CROWDED = """
    import sys, threading
    from kmsfast.crypto import keys, native
    keys.open_arena(1)  # the smallest
    import kmsfast
    with kmsfast.open(sys.argv[1], create=True) as kms:
        slots = native.describe()["arena"]["slots"]
        many = [kms.create_key() for _ in range(slots * 2)]
        blobs = [key.encrypt(b"x", {"a": "b"}) for key in many for _ in range(2)]
        assert [kms.decrypt(blob, {"a": "b"}) for blob in blobs] == [b"x"] * len(blobs)
        assert kms.decrypt_batch(blobs, {"a": "b"}) == [b"x"] * len(blobs)
        assert kms.decrypt_batch(many[0].encrypt_batch([b"y"] * 9)) == [b"y"] * 9
        for key in many:
            key.rotate()
        done = kms.rewrap_batch(blobs, {"a": "b"})
        assert kms.decrypt_batch(done, {"a": "b"}) == [b"x"] * len(blobs)
        batches = [key.seal_batch([b"z"]) for key in many]
        assert all(kms.open_batch(batch) == [b"z"] for batch in batches)

        failures = []
        def work(mine):
            try:
                for _ in range(5):
                    for key in mine:
                        assert kms.decrypt(key.encrypt(b"x")) == b"x"
            except Exception as error:
                failures.append(error)
        threads = [threading.Thread(target=work, args=(many[i::3],)) for i in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert not failures, failures
        arena = native.describe()["arena"]
        assert arena["evictions"] > len(many)
        assert arena["used"] <= slots
    print(slots, native.describe()["arena"]["used"])
"""


def test_more_keys_than_the_arena_holds(path) -> None:
    slots, left = map(int, scripts.run(CROWDED, path).split())
    assert 4 <= slots <= 64
    assert left == 0  # closing the store wiped all of its keys


def test_nothing_is_read_while_the_store_stands_still(kms: kmsfast.Kms, monkeypatch) -> None:
    key = kms.create_key(alias="alias/a")
    blob = key.encrypt(b"x")
    kms.decrypt(blob)
    kms.decrypt_batch([blob])
    _ = key.state, kms.key("alias/a")

    def fail(*_: object) -> None:
        raise AssertionError("the store was read")

    monkeypatch.setattr(type(kms._app.store), "read", fail)
    for _ in range(3):
        assert kms.decrypt(key.encrypt(b"x", {"a": "b"}), {"a": "b"}) == b"x"
        assert kms.decrypt_batch(key.encrypt_batch([b"x"])) == [b"x"]
        assert (key.state, kms.key("alias/a")) == ("Enabled", key)


def test_one_record_takes_the_short_path(kms: kmsfast.Kms, monkeypatch) -> None:
    key = kms.create_key()
    context = {"a": "b"}
    blob = key.encrypt(b"x", context)
    kms.decrypt(blob, context)

    def fail(*_: object) -> None:
        raise AssertionError("the long path was taken")

    monkeypatch.setattr(type(kms._encryption), "encrypt", fail)
    monkeypatch.setattr(type(kms._encryption), "decrypt", fail)
    assert kms.decrypt(key.encrypt(b"x", context), {**context}) == b"x"


def test_a_handle_gone_stale_is_replaced(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    blob = key.encrypt(b"x")
    for _ in range(3):
        for handle in list(kms._ring._handles.values()):
            keys.release(handle)
        assert kms.decrypt(blob) == b"x"
        for handle in list(kms._ring._handles.values()):
            keys.release(handle)
        assert kms.decrypt_batch([blob, key.encrypt(b"y")]) == [b"x", b"y"]


def test_forged_prefixes_fill_no_cache(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    blob = key.encrypt(b"x")
    forged = [blob[:24] + i.to_bytes(4, "big") + blob[28:] for i in range(500)]
    forged += [blob[:4] + i.to_bytes(16, "big") + blob[20:] for i in range(500)]
    assert len(kms.decrypt_batch(forged, errors="return").errors) == 1000
    seen = kms._ring._seen
    assert len(seen.openers) + len(seen.keys) + len(kms._ring._handles) <= 3


def test_the_handles_of_a_deleted_key_are_wiped(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key()
    key.encrypt(b"x")
    key.rotate()
    key.encrypt(b"x")
    assert len(kms._ring._handles) == 2
    key.schedule_deletion(7)
    clock.forward(days=7)
    assert kms.keys() == []
    assert kms._ring._handles == {}


def test_threads_that_load_at_once_share_one_handle(path: Path) -> None:
    """A second one would stay in the arena when the store is closed."""
    kms = kmsfast.open(path, create=True, audit="off")  # whose signatures use the arena as well
    key = kms.create_key()
    key.encrypt(b"x")
    for _ in range(30):
        for handle in list(kms._ring._handles.values()):
            keys.release(handle)
        before = native.describe()["arena"]["used"]
        barrier = threading.Barrier(4)

        def work(barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            key.encrypt_batch([b"x"])

        threads = [threading.Thread(target=work) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert native.describe()["arena"]["used"] == before + 1
    kms.close()


def test_a_key_loaded_while_the_store_closes_is_wiped(kms: kmsfast.Kms, monkeypatch) -> None:
    key = kms.create_key()
    real = kms._ring._loaded

    def close_in_between(*arguments: object) -> int:
        kms._ring._closed = True  # as another thread's close() sets it, after the check
        return real(*arguments)

    monkeypatch.setattr(kms._ring, "_loaded", close_in_between)
    before = native.describe()["arena"]["used"]
    with pytest.raises(kmsfast.KmsError, match="was closed"):
        key.encrypt(b"x")
    assert native.describe()["arena"]["used"] == before
    kms._ring._closed = False


def test_a_key_that_another_process_deleted_leaves_the_arena(
    kms: kmsfast.Kms, path, clock: Clock
) -> None:
    key = kms.create_key()
    key.encrypt(b"x")
    key.schedule_deletion(7)
    clock.forward(days=7)
    with kmsfast.open(path, clock=clock) as other:
        assert other.keys() == []
    with pytest.raises(kmsfast.KeyNotFound, match="it was deleted"):
        key.encrypt(b"x")
    assert kms._ring._handles == {}
