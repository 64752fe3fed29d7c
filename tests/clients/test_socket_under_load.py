"""The socket's server as a process under load: changes, servers that are killed, and clients."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from serving import WAIT, resident_kib
from socket_processes import begun, server

import kmsfast
from kmsfast import AccessDenied, InvalidState, KeyDisabled, KmsError, ServerUnreachable

CLIENTS = 8
SECONDS = 0.25  # of load on each side of a change
ME = os.getuid()
reads_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with kmsfast.open(tmp_path / "store", create=True) as kms:
        kms.principals.create_administrator()
        kms.principals.map_uid(ME, "administrator")
        kms.create_key(alias="alias/a")
    return tmp_path / "store"


@dataclass(frozen=True)
class Outcome:
    """What one call came to: when, and the blob or the error."""

    begun: float
    ended: float
    blob: bytes | None
    error: KmsError | None


def outcome(call: Callable[[], bytes]) -> Outcome:
    start = time.monotonic()
    try:
        blob, error = call(), None
    except KmsError as failed:
        blob, error = None, failed
    return Outcome(start, time.monotonic(), blob, error)


@dataclass
class Load:
    """Eight clients, each a connection of its own, that encrypt until they are told to end."""

    path: Path
    outcomes: list[Outcome] = field(default_factory=list)
    crashed: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for each in self._threads:
            each.join(WAIT)
            assert not each.is_alive()
        assert self.crashed == []

    def _run(self) -> None:
        try:
            kms, key = self._begun()
            with kms:
                while not self._ends.is_set():
                    self.outcomes.append(outcome(lambda: key.encrypt(b"x", {"a": "b"})))
        except BaseException as error:  # noqa: BLE001 - whatever it is fails the test
            self.crashed.append(error)

    def _begun(self) -> tuple[Any, Any]:
        """A client and its key: the server may be killed between the two."""
        while True:
            try:
                kms = kmsfast.connect(self.path)
            except ServerUnreachable:
                if self._ends.is_set():
                    raise
                continue
            try:
                return kms, kms.key("alias/a")
            except ServerUnreachable:
                kms.close()
                if self._ends.is_set():
                    raise

    def within(self, after: float, before: float) -> list[Outcome]:
        """Of the calls that were begun and ended between two moments."""
        return [each for each in tuple(self.outcomes) if after < each.begun <= each.ended < before]

    def wait_until_some_are_within(self, after: float) -> None:
        """For SECONDS, and longer where the machine is busy."""
        time.sleep(SECONDS)
        while not self.within(after, time.monotonic()):
            assert time.monotonic() < after + WAIT
            time.sleep(0.01)

    def wait_for(self, more: int) -> None:
        """Until so many more calls have succeeded."""
        count, until = len(self.outcomes), time.monotonic() + WAIT
        while sum(each.blob is not None for each in self.outcomes[count:]) < more:
            assert time.monotonic() < until
            time.sleep(0.01)


# ---- changes ------------------------------------------------------------------------------------


def version(blob: bytes) -> int:
    """Of the key, as a blob has it (docs/blob-format.md)."""
    return int.from_bytes(blob[20:24], "big")


EVERYTHING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}],
    }
)
Change = Callable[[kmsfast.Kms], object]
CHANGES: dict[str, tuple[Change, Change, type[KmsError]]] = {
    "disabled": (
        lambda kms: kms.key("alias/a").disable(), lambda kms: kms.key("alias/a").enable(),
        KeyDisabled,
    ),
    "policy": (
        lambda kms: kms.principals.detach_policy("administrator", "AdministratorAccess"),
        lambda kms: kms.principals.attach_policy(
            "administrator", "AdministratorAccess", EVERYTHING
        ),
        AccessDenied,
    ),
    "deleted": (
        lambda kms: kms.key("alias/a").schedule_deletion(),
        lambda kms: (kms.key("alias/a").cancel_deletion(), kms.key("alias/a").enable()),
        InvalidState,
    ),
}  # fmt: skip


def test_nothing_is_begun_under_a_decision_that_is_over(store: Path, tmp_path: Path) -> None:
    """Each holds from its acknowledgement on; the server learns of it by the store alone."""
    path = tmp_path / "s"
    with server(store, path), kmsfast.open(store) as owner, Load(path) as load:
        load.wait_for(CLIENTS)
        after, expected = 0.0, type(None)
        for name, (do, undo, error) in CHANGES.items():
            for change, then in ((do, error), (undo, type(None))):
                before = time.monotonic()
                seen = load.within(after, before)
                assert {type(each.error) for each in seen} == {expected}, name
                change(owner)
                after, expected = time.monotonic(), then
                load.wait_until_some_are_within(after)
        assert {type(each.error) for each in load.within(after, time.monotonic())} == {expected}


def test_a_rotation_holds_at_once(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with server(store, path), kmsfast.open(store) as owner, Load(path) as load:
        for _ in range(3):
            load.wait_for(CLIENTS)
            owner.key("alias/a").rotate()
            rotated, current = time.monotonic(), owner.key("alias/a").current_version
            load.wait_until_some_are_within(rotated)
            late = load.within(rotated, time.monotonic())
            assert {version(each.blob or b"") for each in late} == {current}


# ---- killed servers -----------------------------------------------------------------------------


@dataclass
class Maker:
    """Somebody who makes keys, which nobody may do twice, while servers come and go."""

    path: Path
    acknowledged: list[str] = field(default_factory=list)
    unknown: int = 0  # calls that failed after the server may have got them

    def run(self, ends: threading.Event) -> None:
        kms = None
        while not ends.is_set():
            try:
                kms = kms or kmsfast.connect(self.path)
                self.acknowledged.append(kms.create_key().id)
            except ServerUnreachable as error:
                self.unknown += "went away" in str(error)
        if kms is not None:
            kms.close()


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_server_that_is_killed_again_and_again(store: Path, tmp_path: Path, times: int) -> None:
    """A call ends in an answer or in one clear error, and whatever was answered is there."""
    path = tmp_path / "s"
    process, maker, ends = begun(store, path), Maker(path), threading.Event()
    making = threading.Thread(target=maker.run, args=(ends,))
    try:
        making.start()
        with Load(path) as load:
            for _ in range(times):
                load.wait_for(2 * CLIENTS)
                process.kill()
                process.communicate()
                process = begun(store, path)
            load.wait_for(2 * CLIENTS)
            ends.set()
            making.join(WAIT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
    finally:
        ends.set()
        process.kill()
        process.communicate()
        making.join(WAIT)
    errors = {type(each.error) for each in load.outcomes if each.error is not None}
    assert errors <= {ServerUnreachable}
    blobs = [each.blob for each in load.outcomes if each.blob is not None]
    with kmsfast.open(store) as kms:
        assert kms.decrypt_batch(blobs, context={"a": "b"}) == [b"x"] * len(blobs)
        assert not kms._app.deployment.trail.verify().findings
        there = {key.id for key in kms.keys()}
    assert 0 < len(set(maker.acknowledged)) == len(maker.acknowledged)
    assert set(maker.acknowledged) <= there
    assert len(there) <= 1 + len(maker.acknowledged) + maker.unknown


# ---- killed clients -----------------------------------------------------------------------------

CLIENT = """
import sys, threading
import kmsfast
kms = kmsfast.connect(sys.argv[1])
key = kms.key("alias/a")
print("ready", flush=True)
def many():
    while True:
        key.encrypt_batch([b"x" * 64] * 20_000)
for _ in range(3):
    threading.Thread(target=many, daemon=True).start()
while True:
    key.encrypt(bytes(4 << 20))
"""


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _killed(path: Path, seconds: float) -> None:
    """Two clients with requests, payloads and answers under way, who are no more."""
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        for each in clients:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        time.sleep(seconds)
    finally:
        for each in clients:
            each.kill()
            each.communicate()


@pytest.fixture
def observed(store: Path, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    with server(store, tmp_path / "s") as process:
        yield process.pid, tmp_path / "s"


@reads_proc
@pytest.mark.skipif(ME != 0, reason="/proc of a process that allows no tracing is root's")
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_clients_that_are_killed_again_and_again(observed: tuple[int, Path], times: int) -> None:
    """The server serves on, and has neither their descriptors nor their payloads."""
    pid, path = observed
    with kmsfast.connect(path) as kms:
        key = kms.key("alias/a")
        _killed(path, 0.3)
        key.encrypt(b"x")
        fds, kib = _descriptors(pid), resident_kib(pid)
        for _ in range(times):
            _killed(path, 0.3)
            assert kms.decrypt(key.encrypt(b"x")) == b"x"
        until = time.monotonic() + WAIT
        while _descriptors(pid) > fds:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert resident_kib(pid) - kib < 48 << 10
