"""Memory over a million requests; `make soak` shows the figures."""

from __future__ import annotations

import json
import socket
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from serving import Served, resident_kib

AHEAD = 100
REQUESTS = 1_000_000
MOST_KIB = 1024  # a byte for each request


def request(operation: str, **members: str) -> bytes:
    body = json.dumps(members)
    return (
        f"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: TrentService.{operation}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def send(port: int, batch: bytes, num: int) -> None:
    """``num`` requests, a hundred at a time, over one connection for each thousand of them."""
    for _ in range(num // 1000):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
            for _ in range(1000 // AHEAD):
                line.sendall(batch)
                answered = b""
                while answered.count(b"}") < AHEAD:  # each answer has one
                    answered += line.recv(1 << 20)
                assert answered.count(b"HTTP/1.1 200 OK") == AHEAD


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_stays_where_it_is(server: Served, kms: Any, key: str) -> None:
    blob = b64encode(kms.encrypt(KeyId=key, Plaintext=bytes(64))["CiphertextBlob"]).decode()
    kinds = (
        request("Encrypt", KeyId=key, Plaintext="A" * 88),
        request("Decrypt", CiphertextBlob=blob),
        request("GenerateDataKey", KeyId=key, KeySpec="AES_256"),
        request("GenerateDataKeyWithoutPlaintext", KeyId=key, KeySpec="AES_256"),
    )
    batch = b"".join(kinds) * (AHEAD // len(kinds))
    send(server.port, batch, REQUESTS // 20)
    before = resident_kib(server.process.pid)
    start = time.monotonic()
    for tenth in range(1, 11):
        send(server.port, batch, REQUESTS // 10)
        grown = resident_kib(server.process.pid) - before
        rate = tenth * REQUESTS // 10 / (time.monotonic() - start)
        print(
            f"{tenth * REQUESTS // 10:9,} requests, {rate:,.0f}/s: "
            f"{(before + grown) / 1024:.1f} MiB resident, {grown:+,} KiB"
        )
    assert grown < MOST_KIB
    kms.describe_key(KeyId=key)
