"""Every operation of Python's door leaves an event, before its result is handed out."""

from __future__ import annotations

import inspect
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clocks import Clock
from store_files import files_of

import kmsfast
from kmsfast.audit.recorder import Recorder
from kmsfast.doors.withheld import withhold
from kmsfast.errors import AuditUnusable
from kmsfast.local.kms import Kms
from kmsfast.local.principals import Principals

SECRET = b"a secret that nobody may find"
CONTEXT = {"table": "orders"}
# Methods that do no operation, and why.
NONE = {
    "Kms.at": "a view of another region",
    "Kms.audit": "the log itself, which must be read when it cannot be written",
    "Kms.close": "the end",
    "Kms.describe": "facts about the store's files, for a diagnosis",
    "Kms.forget_remembered": "of the caches",
    "Kms.key": "a name becomes an object",
    "Kms.principals": "an object of their own",
    "Key.arn": "its name",
    "Key.forget_remembered": "of the caches",
    "Key.id": "its name",
}
# Methods that do one by another method, which has its row.
BY_OTHERS = {
    "Kms.create_key": "_create_key",
    "Kms.decrypt": "_decrypt",
    "Kms.decrypt_stream": "sealed_reader",
    "Key.encrypt": "_encrypt",
    "Key.encrypt_stream": "sealed_writer",
    "Key.mac": "_mac",
    "Key.public_key_pem": "public_key_der",
    "Key.sign": "_sign",
    "Key.verify": "_verify",
    "Key.verify_mac": "_verify_mac",
}


@pytest.fixture
def kms(path: Path, clock: Clock) -> Iterator[kmsfast.Kms]:
    with kmsfast.open(path, create=True, clock=clock) as opened:
        yield opened


def events(kms: kmsfast.Kms) -> list[dict[str, Any]]:
    return list(kms.audit.search())


def last(kms: kmsfast.Kms) -> dict[str, Any]:
    return events(kms)[-1]


@pytest.mark.parametrize("kind", [Kms, kmsfast.Key, Principals])
def test_every_public_method_says_which_operation_it_does(kind: type) -> None:
    for name, member in inspect.getmembers(kind):
        called = f"{kind.__name__}.{name}"
        if name.startswith("_") or called in NONE:
            continue
        if called in BY_OTHERS:
            other = BY_OTHERS[called]
            assert hasattr(getattr(kind, other), "row"), called
            assert f"self.{other}(" in inspect.getsource(member), called
        elif isinstance(member, property):
            assert hasattr(member.fget, "looks"), f"{called} has no row"
        else:
            assert hasattr(member, "row"), f"{called} has no row"


def test_what_has_no_row_is_there() -> None:
    for called in (*NONE, *BY_OTHERS):
        kind, _, name = called.partition(".")
        assert hasattr({"Kms": Kms, "Key": kmsfast.Key}[kind], name)


def test_an_event_says_who_did_what(kms: kmsfast.Kms) -> None:
    key = kms.create_key(alias="alias/a", tags={"team": "x"})
    (made,) = events(kms)
    assert made["eventName"] == "CreateKey"
    assert made["responseElements"]["keyMetadata"] == {"Arn": key.arn, "KeyId": key.id}
    assert made["requestParameters"]["tags"] == [{"TagKey": "team", "TagValue": "x"}]
    assert [each["ARN"] for each in made["resources"]] == [key.arn]
    assert made["readOnly"] is False
    blobs = key.encrypt_batch([SECRET, None, SECRET], CONTEXT)
    done = last(kms)
    assert done["eventName"] == "Encrypt"
    assert done["requestParameters"] == {"keyId": key.arn, "encryptionContext": CONTEXT}
    assert done["additionalEventData"] == {"records": 3, "failedRecords": 0}
    assert done["userIdentity"]["type"] == "Root"
    assert done["userIdentity"]["arn"] == "arn:aws:iam::000000000000:root"
    assert done["sourceIPAddress"] == "in-process"
    assert done["userAgent"] == f"kmsfast-python uid/{os.getuid()}"
    kms.decrypt_batch(blobs, CONTEXT)
    assert [each["ARN"] for each in last(kms)["resources"]] == [key.arn]


def test_failures_have_their_codes(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    blob = key.encrypt(SECRET, CONTEXT)
    with pytest.raises(kmsfast.InvalidCiphertext):
        kms.decrypt(blob, {"table": "other"})
    found = last(kms)
    assert found["errorCode"] == "InvalidCiphertextException"
    assert [each["ARN"] for each in found["resources"]] == [key.arn]
    kms.decrypt_batch([blob, blob[:-1] + b"\0"], CONTEXT, errors="return")
    assert last(kms)["additionalEventData"] == {"records": 2, "failedRecords": 1}
    with pytest.raises(kmsfast.BatchError):
        kms.decrypt_batch([blob, blob[:-1] + b"\0"], CONTEXT)
    assert last(kms)["additionalEventData"] == {"records": 2, "failedRecords": 1}
    assert last(kms)["errorCode"] == "InvalidCiphertextException"
    key.disable()
    with pytest.raises(kmsfast.KeyDisabled):
        key.encrypt(SECRET)
    assert last(kms)["errorCode"] == "DisabledException"
    with pytest.raises(TypeError):
        key.encrypt_batch()
    with pytest.raises(kmsfast.ValidationError):
        key.enable_rotation("text")
    assert last(kms)["requestParameters"]["rotationPeriodInDays"] == "text"


def test_batches_of_signatures_and_macs_say_how_many_were_wrong(kms: kmsfast.Kms) -> None:
    signer, tagger = (
        kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY"),
        kms.create_key(spec="HMAC_256"),
    )
    digests = [bytes([i]) * 32 for i in range(3)]
    signatures = signer.sign_batch(digests)
    signer.verify_batch(digests, signatures[::-1])
    assert last(kms)["additionalEventData"] == {"records": 3, "failedRecords": 2}
    assert last(kms)["errorCode"] == "KMSInvalidSignatureException"
    macs = tagger.mac_batch(digests)
    tagger.verify_mac_batch(digests, macs[::-1])
    assert last(kms)["additionalEventData"] == {"records": 3, "failedRecords": 2}


def test_no_event_has_a_secret(kms: kmsfast.Kms, path: Path) -> None:
    key = kms.create_key()
    blob = key.encrypt(SECRET, CONTEXT)
    made = key.generate_data_key(32, CONTEXT)
    kms.decrypt(blob, CONTEXT)
    kms.decrypt_batch([blob], CONTEXT)
    kms.open_batch(key.seal_batch([SECRET]))
    random = kms.generate_random(32)
    for user in ("ada",):
        kms.principals.create_user(user)
        secret = kms.principals.create_access_key(user).secret
    kms.close()
    data = b"".join(each.read_bytes() for each in files_of(path / "audit"))
    for each in (SECRET, blob, made.plaintext, made.ciphertext_blob, random, secret.encode()):
        assert each is not None
        assert each not in data
        assert each.hex().encode() not in data


def test_like_uses_are_counted_by_windows(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    blobs = [key.encrypt(SECRET, CONTEXT) for _ in range(50)]
    assert [each["eventName"] for each in events(kms)] == ["CreateKey", "Encrypt"]
    for blob in blobs[:20]:
        kms.decrypt(blob, CONTEXT)
    key.encrypt(SECRET, {"table": "other"})
    key.encrypt(SECRET, CONTEXT)
    kms._ring.usage.end_window()
    found = events(kms)[1:]
    assert sum(each.get("additionalEventData", {}).get("records", 1) for each in found) == 72
    first, *_ = found
    (counted,) = [each for each in found[1:] if each["requestID"] == first["requestID"]]
    assert counted["additionalEventData"] == {"records": 50, "failedRecords": 0}
    assert counted["requestParameters"] == first["requestParameters"]
    key.encrypt(SECRET, CONTEXT)
    assert last(kms)["requestID"] != first["requestID"]


def test_strict_records_each(path: Path) -> None:
    with kmsfast.open(path, create=True, audit="strict") as kms:
        key = kms.create_key()
        for _ in range(3):
            key.encrypt(SECRET)
        assert [each["eventName"] for each in events(kms)] == ["CreateKey"] + ["Encrypt"] * 3
    with pytest.raises(kmsfast.ValidationError, match="on, off, strict"):
        kmsfast.open(path, audit="maybe")


def test_off_records_nothing(path: Path) -> None:
    with kmsfast.open(path, create=True, audit="off") as kms:
        key = kms.create_key()
        assert kms.decrypt(key.encrypt(SECRET)) == SECRET
    assert not (path / "audit").exists()


def test_streams_are_recorded_before_they_begin(kms: kmsfast.Kms, tmp_path: Path) -> None:
    key = kms.create_key()
    plain, stream = tmp_path / "plain", tmp_path / "stream"
    plain.write_bytes(SECRET * 10_000)

    class Target:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def write(self, data: bytes) -> int:
            self.seen.append(last(kms)["eventName"])
            return len(data)

    target = Target()
    with plain.open("rb") as source:
        key.encrypt_stream(source, target)  # type: ignore[arg-type]
    assert set(target.seen) == {"Encrypt"}
    with plain.open("rb") as source, stream.open("wb") as into:
        key.encrypt_stream(source, into)
    target = Target()
    with stream.open("rb") as source:
        kms.decrypt_stream(source, target)  # type: ignore[arg-type]
    assert set(target.seen) == {"Decrypt"}


# ---- a log that cannot be written ---------------------------------------------------------------


@contextmanager
def full(path: Path) -> Iterator[None]:
    """No file of this process grows beyond the audit log's last record."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (path / "audit" / "00000001.log").stat().st_size
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def uses(kms: kmsfast.Kms) -> dict[str, Callable[[], object]]:
    key = kms.create_key()
    blobs, array = key.encrypt_batch([SECRET] * 4), np.zeros((4, 16), np.uint8)
    arrays = key.encrypt_batch(array)
    sealed = key.seal_batch([SECRET] * 4)
    return {
        "decrypt_batch": lambda: kms.decrypt_batch(blobs),
        "decrypt_batch, one wrong": lambda: kms.decrypt_batch([*blobs, b"x" * 200]),
        "decrypt_batch, numpy": lambda: kms.decrypt_batch(arrays),
        "encrypt_batch": lambda: key.encrypt_batch(blobs),
        "open_batch": lambda: kms.open_batch(sealed),
        "sealed_reader": lambda: kms.sealed_reader(sealed.header),
        "decrypt": lambda: kms.decrypt(blobs[0]),
        "data key": key.generate_data_key,
        "random": lambda: kms.generate_random(8),
        "key.decrypt": lambda: key.decrypt(blobs[0]),
    }


def test_a_full_disk_withholds_results_and_later_all_goes_on(
    kms: kmsfast.Kms, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = uses(kms)
    wiped: list[object] = []
    monkeypatch.setattr("kmsfast.doors.door.withhold", lambda it: (wiped.append(it), withhold(it)))
    with full(path):
        for name, use in made.items():
            with pytest.raises(AuditUnusable, match="cannot be written"):
                use()
                pytest.fail(name)
    assert len(wiped) == len(made) - 1  # of all but what was encrypted
    for each in wiped:
        flat = [each] if isinstance(each, bytes) else each
        if isinstance(flat, list):
            assert not any(any(one) for one in flat if isinstance(one, bytes))
    for use in list(made.values())[2:]:
        use()
    assert kms.audit.verify().findings == []


def test_a_count_that_cannot_be_written_is_owed(kms: kmsfast.Kms, path: Path) -> None:
    key = kms.create_key()
    for _ in range(10):
        blob = key.encrypt(SECRET)
    with full(path):
        kms._ring.usage.end_window()
        for use in (lambda: kms.decrypt(blob), lambda: key.encrypt(SECRET)):
            with pytest.raises(AuditUnusable):
                use()
    assert kms.decrypt(blob) == SECRET
    names = [(e["eventName"], e.get("additionalEventData")) for e in events(kms)[1:]]
    assert names == [
        ("Encrypt", None), ("Encrypt", {"records": 9, "failedRecords": 0}), ("Decrypt", None),
    ]  # fmt: skip


def test_a_disk_that_fails_withholds_results(
    kms: kmsfast.Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = kms.create_key()

    def fails(_recorder: Recorder, _event: object) -> None:
        raise AuditUnusable("Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "record", fails)
        with pytest.raises(AuditUnusable, match="Input/output error"):
            key.encrypt_batch([SECRET])
        with pytest.raises(AuditUnusable, match="Input/output error"):
            kms.decrypt(b"no blob")
        with pytest.raises(AuditUnusable, match="Input/output error"):
            key.encrypt(SECRET)
        with pytest.raises(AuditUnusable, match="Input/output error"):
            key.encrypt(SECRET)  # nothing was remembered
    assert kms.decrypt(key.encrypt(SECRET)) == SECRET


WRITER = """
import sys, kmsfast
with kmsfast.open(sys.argv[1]) as kms:
    key = kms.key("alias/a")
    for number in range(10**6):
        key.encrypt_batch([b"x"] * 3, {"number": str(number)})
        print(number, flush=True)
"""


def test_what_was_handed_out_survives_a_kill(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        kms.create_key(alias="alias/a")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(200)]
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.readlines()
    handed = int(lines[-1] if lines[-1].endswith("\n") else lines[-2])
    with kmsfast.open(path) as kms:
        kms.keys()  # whatever was left unfinished is cut off
        found = [
            int(each["requestParameters"]["encryptionContext"]["number"])
            for each in events(kms)
            if each["eventName"] == "Encrypt"
        ]
        assert found == list(range(len(found)))
        assert len(found) > handed
        assert kms.audit.verify().findings == []
