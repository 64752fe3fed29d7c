"""The HTTP server beside OpenBao's transit engine, as information.

OpenBao runs as `bao server -dev`: in memory, unsealed, no TLS, no audit log, on one core
(GOMAXPROCS=1) since the server of ours has one worker. Its token is checked, our requests are not
authenticated; our keys come from a store on disk, so what is compared is not the same work.
"""

import http.client
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bench_http import CONNECTIONS, PLAIN, free_port, listening, load_of, ours, process
from conftest import Compare
from http_load import Load
from rows import Row

__all__ = ["ours"]  # a fixture

BAO = Path(__file__).resolve().parent.parent / "build" / "clients" / "bin" / "bao"
TOKEN = "root"
# The listener of -dev takes no batch over 500 records.
LISTENER = """
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
  max_request_json_strings = 100000
}}
"""
REQUESTS, PEER_REQUESTS = 4_000, 2_000

# Path and body of what corresponds to an operation; decrypting takes a text made before.
WORK: dict[str, Callable[[str], tuple[str, dict[str, str]]]] = {
    "Encrypt": lambda _: ("encrypt/bench", {"plaintext": PLAIN}),
    "Decrypt": lambda sealed: ("decrypt/bench", {"ciphertext": sealed}),
    "GenerateDataKey": lambda _: ("datakey/plaintext/bench", {}),
}


@pytest.fixture(scope="module")
def openbao() -> Iterator[int | None]:
    """The port of OpenBao with a transit key; None when it could not be installed."""
    if not BAO.exists():
        yield None
        return
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".hcl") as configuration:
        configuration.write(LISTENER.format(port=port))
        configuration.flush()
        command = [str(BAO), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={TOKEN}"]
        command += [f"-dev-listen-address=127.0.0.1:{free_port()}", "-log-level=error"]
        command += [f"-config={configuration.name}"]
        with process(command, lambda _: listening(port), GOMAXPROCS="1") as found:
            _call(found, "sys/mounts/transit", {"type": "transit"})
            _call(found, "transit/keys/bench", {})
            yield found


def _call(port: int, path: str, body: dict[str, str]) -> dict[str, Any]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    line.request("POST", f"/v1/{path}", json.dumps(body), {"X-Vault-Token": TOKEN})
    response = line.getresponse()
    answer: dict[str, Any] = json.loads(response.read() or b"{}")
    line.close()
    assert response.status in {200, 204}, answer
    data: dict[str, Any] = answer.get("data", {})
    return data


def _load(port: int, operation: str) -> Load:
    sealed = ""
    if operation == "Decrypt":
        sealed = _call(port, "transit/encrypt/bench", {"plaintext": PLAIN})["ciphertext"]
        assert _call(port, "transit/decrypt/bench", {"ciphertext": sealed})["plaintext"] == PLAIN
    path, members = WORK[operation](sealed)
    body = json.dumps(members).encode()
    head = (
        f"POST /v1/transit/{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"X-Vault-Token: {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Load(port, [head.encode() + body], CONNECTIONS)


@pytest.mark.parametrize("operation", list(WORK))
def test_beside_openbao(
    ours: int,
    openbao: int | None,
    compare: Compare,
    operation: str,
) -> None:
    """Requests a second at eight connections."""
    what = "AES-256" if operation == "GenerateDataKey" else "64 B"
    with ExitStack() as stack:
        load = stack.enter_context(load_of(ours, operation))
        peer = None if openbao is None else stack.enter_context(_load(openbao, operation))
        compare(
            Row(f"HTTP {operation} {what} vs OpenBao transit", unit="requests/s"),
            lambda: load.run(REQUESTS),
            None if peer is None else lambda: peer.run(PEER_REQUESTS),
            units=REQUESTS,
            peer_units=PEER_REQUESTS,
            rounds=5,
            warmup=1,
        )
