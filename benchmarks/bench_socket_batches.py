"""Batches at the socket by the Python client, beside the same key in this process and servers.

Server and client have a core each, as in bench_socket.py; what is done in this process is done on
the client's, by one thread, as in the server. Policies decide, every request is recorded and every
use counted, on both sides.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from bench_audit import signed_encrypt
from bench_http import CONNECTIONS, load_of, moto, process
from bench_openbao import TOKEN, openbao
from bench_socket import CLIENT_CORE, SERVER_CORE
from botocore.credentials import Credentials
from conftest import Compare
from http_load import Load
from rows import Row

import kmsfast
from kmsfast.client.sync import Key as ClientKey
from kmsfast.client.sync import Kms as ClientKms

__all__ = ["moto", "openbao"]  # fixtures

NUM, LENGTH, SIGNATURES = 10_000, 64, 1_024
CALLS, ROUNDS = 3, 60
CONTEXT = {"table": "orders"}
BATCH = f"{NUM:,} x {LENGTH} B"


class Doors(NamedTuple):
    """The same keys by the socket, in this process, and by HTTP."""

    client: ClientKms
    own: kmsfast.Kms
    port: int
    credentials: Credentials


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    """A server with both doors, of a store that this process has open as well."""
    with tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder, ExitStack() as stack:
        store, path = Path(folder) / "store", Path(folder) / "socket"
        with kmsfast.open(store, create=True) as kms:
            kms.create_key(alias="alias/bench")
            kms.create_key(alias="alias/sign", spec="ECC_NIST_P256", usage="SIGN_VERIFY")
            made = kms.principals.create_administrator()
            kms.principals.map_uid(os.getuid(), "administrator")
        command = ["taskset", "-c", SERVER_CORE, sys.executable, "-m", "kmsfast.cli.main"]
        command += ["--store", str(store), "serve", "--socket", str(path), "--http", "127.0.0.1:0"]
        port = stack.enter_context(process(command, _announced))
        yield Doors(
            stack.enter_context(kmsfast.connect(path)),
            stack.enter_context(kmsfast.open(store, principal="administrator")),
            port,
            Credentials(made.id, made.secret),
        )


def _announced(server: Any) -> int:
    line = server.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
    assert found is not None, line
    return int(found[1])


@pytest.fixture(autouse=True)
def _on_the_client_core(doors: Doors) -> Iterator[None]:  # noqa: ARG001 - the servers start first
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(CLIENT_CORE)})
    yield
    os.sched_setaffinity(0, before)


def _random(num: int, width: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, (num, width), np.uint8)


def _calls(work: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(CALLS):
            work()

    return run


# ---- beside this process --------------------------------------------------------------------


def _pair(doors: Doors, alias: str) -> tuple[ClientKey, kmsfast.Key]:
    return doors.client.key(alias), doors.own.key(alias)


def test_encrypting(doors: Doors, compare: Compare) -> None:
    """Arrays in and out."""
    client, own = _pair(doors, "alias/bench")
    values = _random(NUM, LENGTH)
    for one, other in ((doors.client, own), (doors.own, client)):
        blobs = other.encrypt_batch(values, context=CONTEXT)
        assert (one.decrypt_batch(blobs, context=CONTEXT) == values).all()
    compare(
        Row(f"socket, encrypt_batch {BATCH} numpy vs in-process", 0.6, 0.85),
        _calls(lambda: client.encrypt_batch(values, context=CONTEXT)),
        _calls(lambda: own.encrypt_batch(values, context=CONTEXT)),
        units=NUM * CALLS,
        rounds=ROUNDS,
    )


def test_decrypting(doors: Doors, compare: Compare) -> None:
    """Arrays in and out."""
    _, own = _pair(doors, "alias/bench")
    blobs = own.encrypt_batch(_random(NUM, LENGTH), context=CONTEXT)
    compare(
        Row(f"socket, decrypt_batch {BATCH} numpy vs in-process", 0.6, 0.85),
        _calls(lambda: doors.client.decrypt_batch(blobs, context=CONTEXT)),
        _calls(lambda: doors.own.decrypt_batch(blobs, context=CONTEXT)),
        units=NUM * CALLS,
        rounds=ROUNDS,
    )


def test_signing(doors: Doors, compare: Compare) -> None:
    """Digests, an array of signatures."""
    client, own = _pair(doors, "alias/sign")
    digests, named = _random(SIGNATURES, 32), {"algorithm": "ECDSA_SHA_256"}
    for one, other in ((client, own), (own, client)):
        made = one.sign_batch(digests, **named)
        assert other.verify_batch(digests, made, **named).all()
    compare(
        Row(f"socket, sign_batch P-256, {SIGNATURES:,} digests vs in-process", 0.85, 0.95,
            unit="signatures/s"),
        lambda: client.sign_batch(digests, **named),
        lambda: own.sign_batch(digests, **named),
        units=SIGNATURES,
        rounds=ROUNDS,
    )  # fmt: skip


# ---- beside servers -------------------------------------------------------------------------


def _beside(
    doors: Doors, compare: Compare, name: str, peer: Callable[[], object] | None, records: int
) -> None:
    key, values = doors.client.key("alias/bench"), _random(NUM, LENGTH)
    compare(
        Row(f"socket, encrypt_batch {BATCH} numpy vs {name}"),
        _calls(lambda: key.encrypt_batch(values, context=CONTEXT)),
        peer,
        units=NUM * CALLS,
        peer_units=records,
        rounds=5,
        warmup=1,
    )


def test_beside_http(doors: Doors, compare: Compare) -> None:
    """Signed requests, a record each: the API of AWS has no batches."""
    request = signed_encrypt(doors.port, doors.credentials)
    with Load(doors.port, [request], CONNECTIONS) as load:
        _beside(doors, compare, "this project over HTTP, signed", lambda: load.run(4_000), 4_000)


def test_beside_moto(doors: Doors, moto: int | None, compare: Compare) -> None:
    """Requests with a record each."""
    with ExitStack() as stack:
        load = None if moto is None else stack.enter_context(load_of(moto, "Encrypt"))
        _beside(doors, compare, "moto_server", None if load is None else lambda: load.run(200), 200)


def test_beside_openbao(doors: Doors, openbao: int | None, compare: Compare) -> None:
    """A batch of as many records in its form: JSON, with base64."""
    with ExitStack() as stack:
        peer = None if openbao is None else _openbao_batch(openbao, stack)
        _beside(doors, compare, "OpenBao transit, batch_input of as many", peer, NUM)


def _openbao_batch(port: int, stack: ExitStack) -> Callable[[], object]:
    """What sends a batch and reads the answer; the JSON is made beforehand, and not taken apart."""
    plain = [
        {"plaintext": base64.b64encode(row.tobytes()).decode()} for row in _random(NUM, LENGTH)
    ]
    body = json.dumps({"batch_input": plain})
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    stack.callback(line.close)

    def run() -> bytes:
        line.request("POST", "/v1/transit/encrypt/bench", body, {"X-Vault-Token": TOKEN})
        response = line.getresponse()
        answer = response.read()
        assert response.status == 200, answer
        return answer

    assert len(json.loads(run())["data"]["batch_results"]) == NUM
    return run
