"""What a server asks of the system for its process."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from kmsfast.server import process
from kmsfast.server.process import most_connections, raise_descriptors

SEALED = """
import ctypes, resource
from kmsfast.server.process import seal
libc = ctypes.CDLL(None)
assert libc.prctl(3, 0, 0, 0, 0) == 1  # PR_GET_DUMPABLE
seal()
assert libc.prctl(3, 0, 0, 0, 0) == 0
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="by prctl(2)")
def test_a_sealed_process_is_not_dumped() -> None:
    subprocess.run([sys.executable, "-c", SEALED], check=True)


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "most"),
    [
        (1024, 4096, 4096, 3072),
        (1024, 1_048_576, 32_768, 16_384),
        (1024, resource.RLIM_INFINITY, 32_768, 16_384),
        (65_536, 65_536, None, 16_384),
        (256, 256, None, 128),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 16_384),
    ],
)
def test_connections_are_what_descriptors_leave_room_for(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None, most: int
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(process.resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(process.resource, "setrlimit", lambda _, to: limits.append(to))
    raise_descriptors()
    assert limits[1:] == ([] if raised is None else [(raised, hard)])
    assert most_connections() == most


def test_a_system_that_refuses_is_lived_with(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(process.resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(process.resource, "setrlimit", refuse)
    raise_descriptors()
