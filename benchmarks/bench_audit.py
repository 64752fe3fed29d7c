"""What recording and deciding cost, over HTTP and in Python, beside the same without."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_http import BODIES, CONNECTIONS, REQUESTS, process
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from conftest import Compare
from http_load import Load
from rows import Row

import kmsfast

SERVER = """
import sys
from functools import partial
from pathlib import Path
from kmsfast import app
from kmsfast.server.running import serve
serve(partial(app.start, Path(sys.argv[1])), "127.0.0.1:0", insecure_no_auth=False, tls=None,
      started=lambda _app, places, _own: print(places[0].rpartition(":")[2], flush=True),
      audit=sys.argv[2])
"""


# Nobody is asked whether a request is allowed.
UNDECIDED = """
from kmsfast.service.authorization import Authorizer
Authorizer.allows_all = lambda *_: True
"""


def signed_encrypt(port: int, credentials: Credentials) -> bytes:
    """A request to encrypt 64 bytes, signed now."""
    body = json.dumps(BODIES["Encrypt"]("")).encode()
    request = AWSRequest("POST", f"http://127.0.0.1:{port}/", data=body)
    request.headers["Content-Type"] = "application/x-amz-json-1.1"
    request.headers["X-Amz-Target"] = "TrentService.Encrypt"
    SigV4Auth(credentials, "kms", "us-east-1").add_auth(request)
    lines = [f"{name}: {value}\r\n" for name, value in request.headers.items()]
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
    return (head + "".join(lines) + "\r\n").encode() + body


@contextmanager
def _load(store: Path, audit: str, credentials: Credentials, more: str = "") -> Iterator[Load]:
    """Requests to encrypt to a server that verifies signatures.

    more: what else its program does.
    """
    command = [sys.executable, "-c", more + SERVER, str(store), audit]
    with (
        process(command, lambda started: int(started.stdout.readline())) as port,
        Load(port, [signed_encrypt(port, credentials)], CONNECTIONS) as load,
    ):
        yield load


@contextmanager
def _store() -> Iterator[tuple[Path, Credentials]]:
    """A store with a key and an administrator."""
    with tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder:
        store = Path(folder) / "store"
        with kmsfast.open(store, create=True) as kms:
            kms.create_key(alias="alias/bench")
            made = kms.principals.create_administrator()
        yield store, Credentials(made.id, made.secret)


def test_audit(compare: Compare) -> None:
    """What recording leaves of the rate; it may cost 15 %."""
    with _store() as (store, credentials), ExitStack() as stack:
        ours, peer = (
            stack.enter_context(_load(store, mode, credentials)) for mode in ("on", "off")
        )
        compare(
            Row("HTTP signed Encrypt: audit on vs off", 0.85, 0.95, unit="requests/s"),
            lambda: ours.run(REQUESTS),
            lambda: peer.run(REQUESTS),
            units=REQUESTS,
            rounds=9,
        )


def test_decisions(compare: Compare) -> None:
    """What deciding leaves of the rate; it may cost 5 %."""
    with _store() as (store, credentials), ExitStack() as stack:
        ours, peer = (
            stack.enter_context(_load(store, "off", credentials, more)) for more in ("", UNDECIDED)
        )
        compare(
            Row("HTTP signed Encrypt: decided vs not", 0.95, unit="requests/s"),
            lambda: ours.run(REQUESTS),
            lambda: peer.run(REQUESTS),
            units=REQUESTS,
            rounds=9,
        )


CONTEXT = {"table": "orders", "column": "email"}
LENGTH, SINGLES = 64, 2_000
Doors = dict[str, kmsfast.Key]


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    """The same key by a door that records, by one that does not, and by a named principal's."""
    settings: dict[str, dict[str, Any]] = {
        "on": {}, "off": {"audit": "off"}, "named": {"principal": "administrator"},
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder, ExitStack() as stack:
        store = Path(folder) / "store"
        with kmsfast.open(store, create=True) as kms:
            kms.create_key(alias="alias/bench")
            kms.principals.create_administrator()
        yield {
            name: stack.enter_context(kmsfast.open(store, **how)).key("alias/bench")
            for name, how in settings.items()
        }


@pytest.mark.parametrize("num", [10_000, 1_000_000])
@pytest.mark.parametrize("door", ["on", "named"])
def test_batches(door: str, num: int, doors: Doors, compare: Compare) -> None:
    """An event for each batch, and for a named principal a decision; together they may cost 5 %."""
    values = np.random.default_rng(1).integers(0, 256, (num, LENGTH), np.uint8)
    times = max(1, 100_000 // num)

    def batches(key: kmsfast.Key) -> None:
        for _ in range(times):
            key.encrypt_batch(values, context=CONTEXT)

    what = "audit on" if door == "on" else "audit on, a named principal"
    compare(
        Row(f"encrypt_batch {num:,} x 64 B numpy: {what} vs off", 0.95, 0.99),
        lambda: batches(doors[door]),
        lambda: batches(doors["off"]),
        units=num * times,
        rounds=15,
    )


@pytest.mark.parametrize("door", ["on", "named"])
def test_singles(door: str, doors: Doors, compare: Compare) -> None:
    """One record per call: the first of a second has an event, the others are counted."""

    def singles(key: kmsfast.Key) -> None:
        encrypt, value = key.encrypt, bytes(LENGTH)
        for _ in range(SINGLES):
            encrypt(value, context=CONTEXT)

    what = "audit on" if door == "on" else "audit on, a named principal"
    compare(
        Row(f"key.encrypt, one record of 64 B: {what} vs off", 0.95, 0.99),
        lambda: singles(doors[door]),
        lambda: singles(doors["off"]),
        units=SINGLES,
        rounds=100,
    )
