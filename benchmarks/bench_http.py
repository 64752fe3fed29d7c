"""The HTTP server on loopback, one worker, beside moto_server and beside itself with a constant."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from conftest import Compare
from http_load import Load, kms_requests
from rows import Result, Row

HERE = Path(__file__).resolve().parent
MOTO = HERE.parent / "build" / "bench" / "moto" / "bin" / "moto_server"
CONNECTIONS = 8
PLAIN = base64.b64encode(bytes(64)).decode()
REQUESTS = 4_000
PEER_REQUESTS = 200  # moto takes a hundred times as long for each
P99_LIMIT = 3.0  # ms

# The work of each operation; decrypting takes a blob that the server made itself.
BODIES: dict[str, Callable[[str], dict[str, str]]] = {
    "Encrypt": lambda _: {"KeyId": "alias/bench", "Plaintext": PLAIN},
    "Decrypt": lambda blob: {"CiphertextBlob": blob},
    "GenerateDataKey": lambda _: {"KeyId": "alias/bench", "KeySpec": "AES_256"},
}


@contextmanager
def process(command: list[str], port_of: Callable[[Any], int], **more: str) -> Iterator[int]:
    """A server in a process of its own, ended afterwards; its port.

    port_of: waits until it listens.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(
        command, env=kept | more, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        try:
            yield port_of(child)
        finally:
            child.terminate()


def _announced(process: Any) -> int:
    line = process.stdout.readline()
    found = re.search(r":(\d+),", line) or re.fullmatch(r"(\d+)\n", line)
    assert found is not None, line
    return int(found[1])


@pytest.fixture(scope="module")
def ours() -> Iterator[int]:
    """The port of a server with the key alias/bench."""
    with tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder:
        command = [sys.executable, "-m", "kmsfast.cli.main", "serve", "--insecure-no-auth"]
        command += ["--http", "127.0.0.1:0", "--store", str(Path(folder) / "store")]
        with process(command, _announced) as port:
            _prepare(port)
            yield port


@pytest.fixture(scope="module")
def moto() -> Iterator[int | None]:
    """The port of moto_server with such a key; None when it could not be installed."""
    if not MOTO.exists():
        yield None
        return
    port = free_port()
    command = [str(MOTO), "-H", "127.0.0.1", "-p", str(port)]
    with process(command, lambda _: listening(port)) as found:
        _prepare(found)
        yield found


def free_port() -> int:
    """A port for a server that takes no port 0."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> int:
    """The port, when somebody listens there.

    Raises:
        TimeoutError: nobody did within 30 seconds.
    """
    for _ in range(300):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return port
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens on port {port}")


@pytest.fixture(scope="module")
def constant() -> Iterator[int]:
    """The port of the same server answering a constant."""
    with process([sys.executable, str(HERE / "http_constant.py")], _announced) as port:
        yield port


def _call(port: int, operation: str, **members: str) -> dict[str, Any]:
    import http.client

    line = http.client.HTTPConnection("127.0.0.1", port)
    scope = "AKIAIOSFODNN7EXAMPLE/20261128/us-east-1/kms/aws4_request"
    headers = {
        "X-Amz-Target": f"TrentService.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }
    line.request("POST", "/", json.dumps(members), headers)
    response = line.getresponse()
    answer: dict[str, Any] | None = json.loads(response.read() or b"{}")
    line.close()
    assert response.status == 200, answer
    return answer or {}


def _prepare(port: int) -> None:
    key = _call(port, "CreateKey")["KeyMetadata"]["KeyId"]
    _call(port, "CreateAlias", AliasName="alias/bench", TargetKeyId=key)


def load_of(port: int, operation: str) -> Load:
    blob = ""
    if operation == "Decrypt":
        blob = _call(port, "Encrypt", KeyId="alias/bench", Plaintext=PLAIN)["CiphertextBlob"]
        assert _call(port, "Decrypt", CiphertextBlob=blob)["Plaintext"] == PLAIN
    body = json.dumps(BODIES[operation](blob)).encode()
    return Load(port, kms_requests(port, operation, [body]), CONNECTIONS)


@pytest.mark.parametrize("operation", list(BODIES))
def test_beside_moto(ours: int, moto: int | None, compare: Compare, operation: str) -> None:
    """Requests a second of one worker at eight connections, and how long the slowest take."""
    what = "AES-256" if operation == "GenerateDataKey" else "64 B"
    rounds: list[list[float]] = []
    with ExitStack() as stack:
        load = stack.enter_context(load_of(ours, operation))
        peer = None if moto is None else stack.enter_context(load_of(moto, operation))
        info = compare(
            Row(f"HTTP {operation} {what} vs moto_server", 18, 30, unit="requests/s"),
            lambda: rounds.append(load.run(REQUESTS)),
            None if peer is None else lambda: peer.run(PEER_REQUESTS),
            units=REQUESTS,
            peer_units=PEER_REQUESTS,
            rounds=5,
            warmup=1,
        )
    p99 = min(sorted(taken)[len(taken) * 99 // 100] for taken in rounds) * 1000
    name = f"HTTP {operation} {what}: p99 at {CONNECTIONS} connections vs its limit"
    info["more"] = [asdict(Result(name, "ms", p99, P99_LIMIT, P99_LIMIT / p99, 1.0, None))]


@pytest.mark.parametrize("operation", list(BODIES))
def test_beside_a_constant(ours: int, constant: int, compare: Compare, operation: str) -> None:
    """What the work of KMS leaves of the rate of the server itself."""
    with load_of(ours, operation) as load, _load_constant(constant, operation) as peer:
        compare(
            Row(f"HTTP {operation} vs the same server, a constant", 0.6, unit="requests/s"),
            lambda: load.run(REQUESTS),
            lambda: peer.run(REQUESTS),
            units=REQUESTS,
            rounds=9,
        )


def _load_constant(port: int, operation: str) -> Load:
    body = json.dumps(BODIES[operation]("A" * 216)).encode()
    return Load(port, kms_requests(port, operation, [body]), CONNECTIONS)


def test_contexts_beside_a_constant(ours: int, constant: int, compare: Compare) -> None:
    """The same with a context in each request that no request had before it, and the key's ARN."""
    key = _call(ours, "Encrypt", KeyId="alias/bench", Plaintext=PLAIN)["KeyId"]
    bodies = [
        json.dumps(
            {
                "KeyId": key,
                "Plaintext": PLAIN,
                "EncryptionContext": {"tenant": "acme", "record": f"{number:06}"},
            }
        ).encode()
        for number in range(REQUESTS)
    ]
    with (
        Load(ours, kms_requests(ours, "Encrypt", bodies), CONNECTIONS) as load,
        Load(constant, kms_requests(constant, "Encrypt", bodies), CONNECTIONS) as peer,
    ):
        compare(
            Row("HTTP Encrypt, new contexts, vs the same server, a constant", 0.6,
                unit="requests/s"),
            lambda: load.run(REQUESTS),
            lambda: peer.run(REQUESTS),
            units=REQUESTS,
            rounds=9,
        )  # fmt: skip
