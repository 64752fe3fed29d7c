"""Memory over a million requests."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from serving import Served

AHEAD = 100
REQUESTS = 1_000_000


def resident_kib(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def send(port: int, request: bytes, num: int) -> None:
    """``num`` requests, a hundred at a time, over one connection for each thousand of them."""
    for _ in range(num // 1000):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
            for _ in range(1000 // AHEAD):
                line.sendall(request * AHEAD)
                answered = b""
                while answered.count(b"}") < AHEAD:
                    answered += line.recv(1 << 20)
                assert answered.count(b"HTTP/1.1 200 OK") == AHEAD


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_stays_where_it_is(server: Served, kms: Any, key: str) -> None:
    body = json.dumps({"KeyId": key, "Plaintext": "A" * 88}).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: TrentService.Encrypt\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    send(server.port, request, REQUESTS // 20)
    before = resident_kib(server.process.pid)
    send(server.port, request, REQUESTS)
    assert resident_kib(server.process.pid) - before < 1024
    kms.describe_key(KeyId=key)
