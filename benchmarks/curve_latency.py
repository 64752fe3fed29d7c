"""How long requests take: shares of requests on the socket and over HTTP, beside their peers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import bench_http
import bench_socket
from document import Curve, Line

# Those of c/socket/load.c.
SHARES = [50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9]
X, Y = "% of requests", "milliseconds"
ROUNDS = 5


def latencies(quick: bool) -> list[Curve]:
    """The curves of both doors."""
    return [*_socket(quick), _http(quick)]


def at_shares(taken: list[float]) -> list[float | None]:
    """Milliseconds within which each share of the requests was answered."""
    ordered = sorted(taken)
    last = len(ordered) - 1
    return [ordered[min(last, int(len(ordered) * share / 100))] * 1000 for share in SHARES]


def _least(rounds: list[list[float | None]]) -> list[float | None]:
    """Of each share the least of all rounds: what the machine did beside it counts least."""
    return [min(each) for each in zip(*rounds, strict=True)]  # type: ignore[type-var]


def _socket(quick: bool) -> Iterator[Curve]:
    """One client at a time, and sixteen, beside the floor."""
    requests = 2_000 if quick else 50_000
    with _opened(bench_socket.both) as (floor, ours):
        for clients, title in ((1, "one client"), (16, "16 clients")):
            rounds: dict[str, list[list[float | None]]] = {"kmsfast": [], "floor": []}
            options = ("-r", str(requests), f"-n{clients}", "-d1")
            for _ in range(1 if quick else ROUNDS):
                for name, path in (("floor", floor), ("kmsfast", ours)):
                    found = bench_socket.load(Path(path), *options)["shares_us"]
                    rounds[name].append([each / 1000 for each in found])
            lines = [Line(name, _least(each)) for name, each in rounds.items()]
            yield Curve(f"latency-socket-{clients}", f"Socket, Encrypt 64 B, {title}", X, Y,
                        SHARES, lines)  # fmt: skip


def _http(quick: bool) -> Curve:
    """Eight connections, one request at a time each."""
    servers = {"kmsfast": bench_http.ours, "a constant": bench_http.constant,
               "moto_server": bench_http.moto}  # fmt: skip
    num = {"moto_server": 100 if quick else 400}
    rounds: dict[str, list[list[float | None]]] = {name: [] for name in servers}
    with ExitStack() as stack:
        ports = {name: stack.enter_context(_opened(make)) for name, make in servers.items()}
        loads = {
            name: stack.enter_context(_load(name, port))
            for name, port in ports.items()
            if port is not None
        }
        for _ in range(1 if quick else ROUNDS):
            for name, load in loads.items():
                taken = load.run(num.get(name, 1_000 if quick else 10_000))
                rounds[name].append(at_shares(taken))
    lines = [
        Line(name, _least(each) if each else [None] * len(SHARES)) for name, each in rounds.items()
    ]
    title = f"HTTP, Encrypt 64 B, {bench_http.CONNECTIONS} connections"
    return Curve("latency-http", title, X, Y, SHARES, lines)


def _load(name: str, port: int) -> Any:
    make = bench_http._load_constant if name == "a constant" else bench_http.load_of
    return make(port, "Encrypt")


@contextmanager
def _opened(fixture: Any) -> Iterator[Any]:
    """What a fixture of the rows yields, for the length of a block."""
    with contextmanager(fixture.__wrapped__)() as made:
        yield made
