"""Memory of the socket's server over many requests and connections; `make soak` shows it."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from serving import resident_kib
from socket_line import Line, frame

AHEAD = 20
WARM = 0.3  # of as many before, after which the memory is that of a server that has worked a while
MOST_KIB = 1024  # that it may grow then, however many requests there are
SERVER = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from socket_world import serving
with serving(Path(sys.argv[1]), in_c=True, per_uid=2000) as served:
    print(served.path, flush=True)
    sys.stdin.read()
"""


@contextmanager
def server(directory: Path) -> Iterator[tuple[int, str]]:
    """A server of one uid with more connections than are usual; its process id and its socket."""
    command = [sys.executable, "-c", SERVER, str(directory), str(Path(__file__).parents[1])]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.pid, process.stdout.readline().strip()
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(60) == 0
        finally:
            process.kill()


def _ask(lines: list[Line], requests: bytes, answers_len: int) -> None:
    """Some requests of each connection, all unanswered at once."""
    for line in lines:
        line.socket.sendall(requests)
    for line in lines:
        assert len(line._exactly(answers_len)) == answers_len


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    ("connections", "requests"),
    [(200, 40_000), pytest.param(1_000, 1_000_000, marks=pytest.mark.slow)],
)
def test_memory_stays_where_it_is(connections: int, requests: int, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < connections + 100:
        pytest.skip(f"a process may have {hard} files open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, connections + 100), hard))
    request = frame(7, 1, "alias/a", {"table": "orders"}, bytes(64))
    with server(tmp_path / "served") as (pid, path), ExitStack() as stack:
        lines = [stack.enter_context(Line(path)) for _ in range(connections)]
        each = len(frame(*lines[0].ask(7, 1, "alias/a", {"table": "orders"}, bytes(64))))
        rounds = requests // (connections * AHEAD)
        for _ in range(int(rounds * WARM)):
            _ask(lines, request * AHEAD, each * AHEAD)
        before, start = resident_kib(pid), time.monotonic()
        for done in range(1, rounds + 1):
            _ask(lines, request * AHEAD, each * AHEAD)
            if done % max(1, rounds // 10) == 0:
                made = done * connections * AHEAD
                print(
                    f"{made:9,} requests on {connections:,} connections, "
                    f"{made / (time.monotonic() - start):,.0f}/s: "
                    f"{resident_kib(pid) / 1024:.1f} MiB resident, "
                    f"{resident_kib(pid) - before:+,} KiB"
                )
        assert resident_kib(pid) - before < MOST_KIB
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
