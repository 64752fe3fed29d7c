"""Several processes on one store, killed processes, and forks."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest
import scripts

import kmsfast

ROUNDS = 20


# ---- two processes --------------------------------------------------------------------------

OTHER = """
    import sys
    import kmsfast
    with kmsfast.open(sys.argv[1]) as kms:
        key = kms.key("alias/shared")
        for line in sys.stdin:
            exec(line)
            print("done", flush=True)
"""


class Other:
    """The same store, open in another process."""

    def __init__(self, path: Path) -> None:
        self._process = scripts.start(OTHER, path)

    def do(self, line: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n", self._process.communicate()[1]

    def close(self) -> None:
        scripts.finish(self._process)


def test_what_one_process_changes_the_other_sees_at_once(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key(alias="alias/shared")
        blob = key.encrypt(b"x")
        other = Other(path)
        other.do("key.rotate()")
        assert kmsfast.inspect(key.encrypt(b"x")).key_version == 2
        assert key.current_version == 2
        other.do("key.disable()")
        for use in (lambda: key.encrypt(b"x"), lambda: kms.decrypt(blob)):
            with pytest.raises(kmsfast.KeyDisabled):
                use()
        key.enable()
        other.do("assert key.state == 'Enabled' and kms.decrypt(key.encrypt(b'x')) == b'x'")
        other.do("kms.create_key(alias='alias/new')")
        moved = kms.key("alias/new")
        other.do("kms.update_alias('alias/new', key)")
        assert kms.key("alias/new") == key != moved
        other.do("kms.delete_alias('alias/new')")
        with pytest.raises(kmsfast.KeyNotFound):
            kms.key("alias/new")
        other.close()


WRITER = """
    import sys
    import kmsfast
    with kmsfast.open(sys.argv[1]) as kms:
        for i in range(15):
            kms.create_key(alias=f"alias/{sys.argv[2]}/{i}")
            if i < 8:  # all together at most 25 times
                kms.key("alias/shared").rotate()
"""


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key(alias="alias/shared")
        writers = [scripts.start(WRITER, path, name) for name in "abc"]
        for writer in writers:
            scripts.finish(writer)
        assert len(kms.keys()) == 46
        assert len(kms.aliases()) == 46
        assert [v.number for v in key.versions()] == list(range(1, 26))


CREATOR = """
    import sys
    import kmsfast
    sys.stdin.readline()
    try:
        kmsfast.open(sys.argv[1], create=True).close()
        print("made")
    except kmsfast.StoreExists:
        print("exists")
"""


def test_one_of_several_creators_wins(path: Path) -> None:
    creators = [scripts.start(CREATOR, path) for _ in range(4)]
    for creator in creators:
        assert creator.stdin is not None
        creator.stdin.write("\n")
        creator.stdin.flush()
    assert sorted(scripts.finish(c) for c in creators) == ["exists\n"] * 3 + ["made\n"]
    kmsfast.open(path).close()


# ---- kill -9 --------------------------------------------------------------------------------

VICTIM = """
    import sys
    import kmsfast
    kms = kmsfast.open(sys.argv[1])
    main = kms.key("alias/main")
    print("ready", flush=True)
    for i in range(100_000):
        if main.current_version > 25:  # it cannot be rotated further
            main = kms.create_key()
            kms.update_alias("alias/main", main)
        main.rotate()
        key = kms.create_key(alias=f"alias/{sys.argv[2]}/{i}", tags={"a": "b"})
        blob = main.encrypt(b"acknowledged")
        print(key.id, main.id, main.current_version, blob.hex(), flush=True)
"""


def test_nothing_acknowledged_is_lost_by_kill_9(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        kms.create_key(alias="alias/main")
    chance = random.Random(7)
    acknowledged: list[list[str]] = []
    for number in range(ROUNDS):
        victim = scripts.start(VICTIM, path, number)
        assert victim.stdout is not None
        with victim:
            assert victim.stdout.readline() == "ready\n"
            first = victim.stdout.readline()  # however slow the machine is
            time.sleep(chance.uniform(0.0, 0.12))
            victim.kill()
            out = first + victim.stdout.read()
        assert victim.returncode == -signal.SIGKILL
        lines = out.split("\n")[:-1]  # a line without its end was not acknowledged
        acknowledged += [line.split() for line in lines]
        with kmsfast.open(path) as kms:
            assert kms._ring.epoch[0] % 2 == 0
            known = {key.id for key in kms.keys()}
            main = kms.key("alias/main")
            numbers = [version.number for version in main.versions()]
            assert numbers == list(range(1, main.current_version + 1))
            for key_id, rotated, version, blob in acknowledged:
                assert key_id in known
                assert int(version) <= kms.key(rotated).current_version
                assert kms.decrypt(bytes.fromhex(blob)) == b"acknowledged"
    assert len(acknowledged) >= ROUNDS


# ---- fork -----------------------------------------------------------------------------------

FORK = """
    import os, sys
    import kmsfast
    kms = kmsfast.open(sys.argv[1])
    key = kms.key("alias/main")
    batch = [b"x"] * 100
    first = key.encrypt(b"x", {"a": "b"})
    nonces = []

    def child(out):
        for use in (
            lambda: key.encrypt(b"x", {"a": "b"}), lambda: kms.decrypt(first, {"a": "b"}),
            lambda: key.encrypt_batch(batch), lambda: kms.decrypt_batch([first], {"a": "b"}),
            lambda: key.generate_data_key(), lambda: key.seal_batch(batch), lambda: key.state,
            key.rotate, kms.keys, kms.aliases, kms.create_key, kms.describe,
        ):
            try:
                use()
            except kmsfast.StoreForked as error:
                assert "kmsfast.open()" in str(error)
            else:
                raise AssertionError(use)
        with kmsfast.open(sys.argv[1]) as again:
            mine = again.key("alias/main")
            blobs = mine.encrypt_batch(batch) + [mine.encrypt(b"x") for _ in range(100)]
            assert again.decrypt_batch(blobs) == [b"x"] * 200
            try:
                key.encrypt(b"x", {"a": "b"})
            except kmsfast.StoreForked:
                pass
            else:
                raise AssertionError("the parent's handle works")
        kms.close()
        with os.fdopen(out, "wb") as pipe:
            pipe.write(b"".join(blob[56:80] for blob in blobs))

    for _ in range(64):
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            status = 1
            try:
                child(theirs)
                status = 0
            finally:
                os._exit(status)
        os.close(theirs)
        with os.fdopen(ours, "rb") as pipe:
            data = pipe.read()
        assert os.waitpid(pid, 0)[1] == 0
        nonces += [data[i : i + 24] for i in range(0, len(data), 24)]
        nonces += [blob[56:80] for blob in key.encrypt_batch(batch)]
        nonces.append(key.encrypt(b"x", {"a": "b"})[56:80])
    assert kms.decrypt(first, {"a": "b"}) == b"x"
    print(len(nonces), len(set(nonces)))
"""


def test_children_use_nothing_of_the_parent(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        kms.create_key(alias="alias/main")
    assert scripts.run(FORK, path) == f"{64 * 301} {64 * 301}\n"


FORK_WHILE_WRITING = """
    import os, sys, threading
    import kmsfast
    kms = kmsfast.open(sys.argv[1])
    stop = threading.Event()

    def write():
        while not stop.is_set():
            kms.create_key()

    thread = threading.Thread(target=write)
    thread.start()
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: that is the test
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with kmsfast.open(sys.argv[1]) as again:
                    again.create_key(description="of a child")
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
    stop.set()
    thread.join()
    print(sum(key.description == "of a child" for key in kms.keys()))
"""


def test_forking_while_another_thread_writes(path: Path) -> None:
    kmsfast.open(path, create=True).close()
    assert scripts.run(FORK_WHILE_WRITING, path) == "8\n"
