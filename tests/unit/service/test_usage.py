"""The last use of each key: what is recorded, when it is written, what it may not cost."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scripts
from clocks import Clock

import kmsfast
from kmsfast.errors import InvalidCiphertext, StoreBusy, StoreIntegrity
from kmsfast.service import usage
from kmsfast.store.epoch import Epoch


@pytest.fixture(autouse=True)
def windows_end_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "WINDOW", 3600.0)


def end_window(kms: kmsfast.Kms) -> None:
    kms._ring.usage.end_window()


def seen(key: kmsfast.Key) -> tuple[str, float] | None:
    use = key.last_usage().use
    return use and (use.operation, use.used_at.timestamp())


CONTEXT = {"table": "orders"}
SYMMETRIC: dict[str, Callable[[kmsfast.Kms, kmsfast.Key, bytes], Any]] = {
    "Encrypt": lambda kms, key, blob: key.encrypt(b"x", CONTEXT),
    "Encrypt batch": lambda kms, key, blob: key.encrypt_batch([b"x"]),
    "Encrypt sealed": lambda kms, key, blob: key.seal_batch([b"x"]),
    "Decrypt": lambda kms, key, blob: kms.decrypt(blob),
    "Decrypt by key": lambda kms, key, blob: key.decrypt(blob),
    "Decrypt batch": lambda kms, key, blob: kms.decrypt_batch([blob]),
    "ReEncrypt": lambda kms, key, blob: kms.rewrap_batch([blob]),
    "GenerateDataKey": lambda kms, key, blob: key.generate_data_key(),
    "GenerateDataKeyWithoutPlaintext": lambda kms, key, blob: (
        key.generate_data_key_without_plaintext()
    ),
    "GenerateDataKeyPair": lambda kms, key, blob: key.generate_data_key_pair("ECC_NIST_P256"),
}


@pytest.mark.parametrize("what", SYMMETRIC)
def test_symmetric_keys(kms: kmsfast.Kms, clock: Clock, what: str) -> None:
    key = kms.create_key()
    found = key.last_usage()
    assert (found.use, found.created_at, found.key_arn) == (None, key.created_at, key.arn)
    assert found.tracking_start == key.created_at
    blob = key.encrypt(b"x")
    for seconds in (10, 20):  # again, when it may have been remembered
        end_window(kms)
        clock.forward(seconds=seconds)
        SYMMETRIC[what](kms, key, blob)
        assert seen(key) == (what.partition(" ")[0], clock())


OTHERS: dict[str, tuple[str, str, Callable[[kmsfast.Key, Any], Any]]] = {
    "Sign": ("ECC_NIST_P256", "SIGN_VERIFY", lambda key, made: key.sign(b"x")),
    "Verify": ("ECC_NIST_P256", "SIGN_VERIFY", lambda key, made: key.verify(b"x", made)),
    "Sign rsa": ("RSA_2048", "SIGN_VERIFY",
                 lambda key, made: key.sign(b"x", algorithm="RSASSA_PSS_SHA_256")),
    "GenerateMac": ("HMAC_256", "GENERATE_VERIFY_MAC", lambda key, made: key.mac(b"x")),
    "VerifyMac": ("HMAC_256", "GENERATE_VERIFY_MAC", lambda key, made: key.verify_mac(b"x", made)),
    "DeriveSharedSecret": ("ECC_NIST_P256", "KEY_AGREEMENT",
                           lambda key, made: key.derive_shared_secret(key.public_key_der())),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_other_keys(kms: kmsfast.Kms, clock: Clock, what: str) -> None:
    spec, use, operate = OTHERS[what]
    key = kms.create_key(spec=spec, usage=use)
    made = {"Verify": lambda: key.sign(b"x"), "VerifyMac": lambda: key.mac(b"x")}.get(
        what, lambda: None
    )()
    for _ in range(3):
        end_window(kms)
        clock.forward(seconds=10)
        operate(key, made)
        assert seen(key) == (what.partition(" ")[0], clock())


def test_remembered_uses_are_seen_again_when_a_window_ends(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key()
    blob = key.encrypt(b"x", CONTEXT)
    kms.decrypt(blob, CONTEXT)
    for _ in range(3):
        end_window(kms)
        clock.forward(seconds=1)
        key.encrypt(b"x", CONTEXT)
        key.encrypt(b"x", {"another": "context"})
        assert seen(key) == ("Encrypt", clock())
        end_window(kms)
        clock.forward(seconds=1)
        kms.decrypt(blob, CONTEXT)
        first = clock()
        clock.forward(seconds=0.5)
        kms.decrypt(blob, CONTEXT)  # within the window: by what is remembered
        assert kms._ring.usage.window.uses[key.arn].time == first


def test_what_fails_is_no_use(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    blob = key.encrypt(b"x")
    end_window(kms)
    before = seen(key)
    for _ in range(2):
        with pytest.raises(InvalidCiphertext):
            kms.decrypt(blob, CONTEXT)
        with pytest.raises(kmsfast.BatchError):
            kms.decrypt_batch([blob], CONTEXT)
    assert not kms._ring.usage.window.uses
    key.disable()
    with pytest.raises(kmsfast.KeyDisabled):
        key.encrypt(b"x")
    assert seen(key) == before


def test_the_latest_of_several_processes_counts(kms: kmsfast.Kms, path: Path, clock: Clock) -> None:
    key = kms.create_key(alias="alias/a")
    with kmsfast.open(path, clock=clock) as other:
        blob = key.encrypt(b"x")
        clock.forward(seconds=1)
        other.decrypt(blob)
    found = key.last_usage().use
    assert found is not None
    assert seen(key) == ("Decrypt", clock())
    assert key.last_usage().use == found  # with its event id
    assert found.request_id in {event["requestID"] for event in kms.audit.search()}


def test_writing_moves_no_epoch_and_keeps_what_was_written(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key()
    key.encrypt(b"x")
    epoch = kms._ring.epoch[0]
    end_window(kms)
    assert not kms._ring.usage.window.uses
    assert kms._ring.epoch[0] == epoch
    with kms._app.store.directory._database.read() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_busy_store_loses_nothing(path: Path, clock: Clock) -> None:
    with kmsfast.open(path, create=True, clock=clock, busy_timeout=0.05) as kms:
        key = kms.create_key()
        key.encrypt(b"x")
        used = clock()
        with Epoch(path / "epoch").locked(1):
            end_window(kms)
            with pytest.raises(StoreBusy):
                key.last_usage()
        clock.forward(seconds=5)
        assert seen(key) == ("Encrypt", used)


def test_a_thread_writes(kms: kmsfast.Kms, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "WINDOW", 0.01)
    key = kms.create_key()
    key.encrypt(b"x")
    until = time.monotonic() + 10
    while kms._ring.usage.window.uses and time.monotonic() < until:
        time.sleep(0.01)
    assert kms._app.store.usage.of(key.arn) is not None


def test_the_end_of_a_process_writes(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key(alias="alias/a")
        scripts.run(
            """
            import sys
            import kmsfast
            kmsfast.open(sys.argv[1]).key("alias/a").encrypt(b"x")
            """,
            path,
        )
        found = key.last_usage().use
    assert found is not None
    assert found.operation == "Encrypt"


def test_a_row_that_was_changed(kms: kmsfast.Kms, path: Path) -> None:
    key, other = kms.create_key(), kms.create_key()
    for each in (key, other):
        each.encrypt(b"x")
        each.last_usage()
    for change in (
        "UPDATE key_usage SET used_at = used_at + 1",
        f"DELETE FROM key_usage WHERE key_arn = '{other.arn}'; "  # noqa: ISC004 - one script
        f"UPDATE key_usage SET key_arn = '{other.arn}'",
    ):
        with contextlib.closing(sqlite3.connect(path / "store.db")) as db, db:
            db.executescript(change)
        with pytest.raises(StoreIntegrity, match="key_usage"):
            other.last_usage()


def test_a_key_that_is_gone_leaves_no_trace(kms: kmsfast.Kms, clock: Clock) -> None:
    key = kms.create_key()
    key.encrypt(b"x")
    key.last_usage()
    key.schedule_deletion(7)
    clock.forward(days=8)
    with pytest.raises(kmsfast.KeyNotFound):
        key.last_usage()
    assert kms._app.store.usage.of(key.arn) is None


def usage_threads() -> int:
    return sum(each.name == "kmsfast-usage" for each in threading.enumerate())


def test_threads_are_there_while_keys_are_used(
    kms: kmsfast.Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "WINDOW", 0.02)
    monkeypatch.setattr(usage, "_IDLE", 0.02)
    before, keys = usage_threads(), [kms.at(account=f"{i:012}").create_key() for i in range(20)]
    for _ in range(2):
        for key in keys:
            key.encrypt(b"x")
        until = time.monotonic() + 20
        while usage_threads() > before and time.monotonic() < until:
            time.sleep(0.01)
        assert usage_threads() == before
        for key in keys:
            assert key._ring.usage.window.uses == {}
            assert seen(key) is not None


def test_many_first_uses_start_one_thread(kms: kmsfast.Kms) -> None:
    key, before = kms.create_key(), usage_threads()
    ready = threading.Barrier(8)

    def use() -> None:
        ready.wait()
        key.encrypt(b"x")

    users = [threading.Thread(target=use) for _ in range(8)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert usage_threads() == before + 1


def test_without_a_thread_closing_writes(
    kms: kmsfast.Kms, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread can be started while the interpreter ends, or by a process that has too many."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    key = kms.create_key()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert kms.decrypt(key.encrypt(b"x")) == b"x"
    kms.close()
    with kmsfast.open(path, clock=clock) as again:
        assert seen(again.key(key.id)) == ("Decrypt", clock())


CHILD_ENDS = """
    import os, sys
    import kmsfast
    kms = kmsfast.open(sys.argv[1])
    kms.key("alias/main").encrypt(b"x")
    recorder = kms._ring.usage
    for held in (recorder._closed._cond, recorder._begun._cond, recorder._swap, recorder._turn):
        held.acquire()  # as another thread may at the moment of the fork
    pid = os.fork()
    if pid == 0:
        sys.exit(7)  # whatever runs at exit
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    for held in (recorder._closed._cond, recorder._begun._cond, recorder._swap, recorder._turn):
        held.release()
"""


def test_a_child_ends_whatever_lock_the_parent_held(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        kms.create_key(alias="alias/main")
    assert scripts.run(CHILD_ENDS, path) == "7\n"
