"""Cases through Python, for `make bench-compare`: `python_cases.py list`, `python_cases.py time`.

Runs with the package of one commit on PYTHONPATH, so it uses what has long been public; a case that
this commit cannot run says so. Speaks the lines of gates/workers.py.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import kmsfast

BATCH, LENGTH = 20_000, 64
CONTEXT = {"table": "orders", "column": "email"}
Call = Callable[[], object]


class World:
    """A store with keys, and servers, made when they are needed and ended with the process."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="kmsfast-gate-"))
        )

    @property
    def own(self) -> Path:
        """Where the store of this process is."""
        return self._folder / "own"

    @cached_property
    def kms(self) -> Any:
        """A store of this process."""
        return self._stack.enter_context(kmsfast.open(self.own, create=True))

    @cached_property
    def key(self) -> Any:
        """A symmetric key."""
        return self.kms.create_key(alias="alias/gate")

    @cached_property
    def signer(self) -> Any:
        """A P-256 key."""
        return self.kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")

    @cached_property
    def mac_key(self) -> Any:
        """An HMAC key."""
        return self.kms.create_key(spec="HMAC_256")

    @cached_property
    def records(self) -> Any:
        """(BATCH, LENGTH) uint8."""
        return np.random.default_rng(1).integers(0, 256, (BATCH, LENGTH), np.uint8)

    @property
    def listed(self) -> list[bytes]:
        """The same as bytes."""
        return [row.tobytes() for row in self.records]

    @cached_property
    def http(self) -> Http:
        """A server of HTTP with the key alias/gate."""
        command = ["--http", "127.0.0.1:0", "--store", str(self._folder / "http")]
        process = self._serve(command)
        found = re.search(r":(\d+),", process.stdout.readline())
        if found is None:
            raise RuntimeError("the server does not say where it listens")
        client = Http(self._stack, int(found[1]))
        made = client.ask("CreateKey", {})
        client.ask(
            "CreateAlias", {"AliasName": "alias/gate", "TargetKeyId": made["KeyMetadata"]["KeyId"]}
        )
        return client

    @cached_property
    def socket_key(self) -> Any:
        """A key of a server on a socket, through the client."""
        path = self._folder / "socket"
        self._serve(
            ["--socket", str(path), "--store", str(self._folder / "served")]
        ).stdout.readline()
        client = self._stack.enter_context(kmsfast.connect(path))
        client.create_key(alias="alias/gate")
        return client.key("alias/gate")

    def _serve(self, more: list[str]) -> Any:
        command = [sys.executable, "-m", "kmsfast.cli.main", "serve", "--insecure-no-auth", *more]
        process = self._stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        )
        self._stack.callback(process.terminate)
        return process


class Http:
    """One kept connection."""

    def __init__(self, stack: ExitStack, port: int) -> None:
        self._port = port
        self._socket = stack.enter_context(
            socket.create_connection(("127.0.0.1", port), timeout=30)
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, operation: str, members: dict[str, Any]) -> bytes:
        """A request, with the headers that matter."""
        body = json.dumps(members).encode()
        head = (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"X-Amz-Target: TrentService.{operation}\r\n"
            "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Date: 20261128T100000Z\r\n"
            "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261128/us-east-1/"
            "kms/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
            f"Signature={'0' * 64}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def exchange(self, request: bytes) -> bytes:
        """Sends it; the body of the answer.

        Raises:
            RuntimeError: it is not 200.
        """
        self._socket.sendall(request)
        data = b""
        while True:
            data += self._socket.recv(65_536)
            head, found, body = data.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head.lower())
            if found and length and len(body) >= int(length[1]):
                break
        if not data.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server answered {data[:300]!r}")
        return body

    def ask(self, operation: str, members: dict[str, Any]) -> Any:
        """The members of the answer."""
        return json.loads(self.exchange(self.request(operation, members)) or "{}")


# ---- cases --------------------------------------------------------------------------------------


def _batches(kind: str, *, opening: bool) -> Callable[[World], Call]:
    def prepare(world: World) -> Call:
        key, values = world.key, world.records if kind == "numpy" else world.listed
        blobs = key.encrypt_batch(values, context=CONTEXT)
        if opening:
            return lambda: world.kms.decrypt_batch(blobs, context=CONTEXT)
        return lambda: key.encrypt_batch(values, context=CONTEXT)

    return prepare


def _encrypt_one(world: World) -> Call:
    key, value = world.key, bytes(LENGTH)
    return lambda: key.encrypt(value, context=CONTEXT)


def _encrypt_other_contexts(world: World) -> Call:
    key, value, contexts = world.key, bytes(LENGTH), [{"row": str(i)} for i in range(2)]
    return lambda: [key.encrypt(value, context=context) for context in contexts]


def _decrypt_one(world: World) -> Call:
    kms, blob = world.kms, world.key.encrypt(bytes(LENGTH), context=CONTEXT)
    return lambda: kms.decrypt(blob, context=CONTEXT)


def _sign_batch(world: World) -> Call:
    signer, digests = world.signer, world.records[:256, :32].copy()
    return lambda: signer.sign_batch(digests)


def _verify_batch(world: World) -> Call:
    signer, digests = world.signer, [value[:32] for value in world.listed[:256]]
    signatures = signer.sign_batch(digests)
    return lambda: signer.verify_batch(digests, signatures)


def _sign_one(world: World) -> Call:
    signer = world.signer
    return lambda: signer.sign(bytes(32), message_type="DIGEST")


def _mac_batch(world: World) -> Call:
    key, values = world.mac_key, world.listed[:4096]
    return lambda: key.mac_batch(values)


def _mac_one(world: World) -> Call:
    key = world.mac_key
    return lambda: key.mac(bytes(LENGTH))


def _policy(_: World) -> Call:
    from datetime import UTC, datetime

    from kmsfast.model.policy_decision import Policies, decide
    from kmsfast.model.policy_document import key_policy
    from kmsfast.model.policy_principal import Principal
    from kmsfast.model.policy_request import KeyFacts, Request

    account = "111122223333"
    alice = f"arn:aws:iam::{account}:user/alice"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{account}:user/other", alice]},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {
            "IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]},
            "StringLike": {"kms:EncryptionContext:table": "orders-*"},
        },
    }
    document = {"Version": "2012-10-17", "Statement": [statement] * 10}
    policies, caller = Policies(key_policy(json.dumps(document))), Principal(alice)
    key = KeyFacts(f"arn:aws:kms:us-west-2:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
    now, values = datetime(2026, 11, 28, tzinfo=UTC), {"aws:SourceIp": "192.168.1.1"}
    return lambda: decide(
        Request(caller, "Decrypt", now, key=key, context=CONTEXT, values=values), policies
    )


def _http(operation: str) -> Callable[[World], Call]:
    def prepare(world: World) -> Call:
        http = world.http
        members: dict[str, Any] = {"KeyId": "alias/gate"}
        plain = base64.b64encode(bytes(LENGTH)).decode()
        if operation == "Encrypt":
            members["Plaintext"] = plain
        elif operation == "Decrypt":
            made = http.ask("Encrypt", {**members, "Plaintext": plain})
            members = {"CiphertextBlob": made["CiphertextBlob"]}
        request = http.request(operation, members)
        return lambda: http.exchange(request)

    return prepare


def _socket_one(world: World) -> Call:
    key, value = world.socket_key, bytes(LENGTH)
    return lambda: key.encrypt(value, context=CONTEXT)


def _socket_batch(world: World) -> Call:
    key, values = world.socket_key, world.listed[:1000]
    return lambda: key.encrypt_batch(values, context=CONTEXT)


def _start(world: World) -> Call:
    world.kms.keys()
    command = [sys.executable, "-m", "kmsfast.cli.main", "--store", str(world.own), "key", "list"]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


CASES: dict[str, Callable[[World], Call]] = {
    "encrypt_batch, numpy": _batches("numpy", opening=False),
    "decrypt_batch, numpy": _batches("numpy", opening=True),
    "encrypt_batch, list": _batches("list", opening=False),
    "decrypt_batch, list": _batches("list", opening=True),
    "encrypt one": _encrypt_one,
    "encrypt two in turn": _encrypt_other_contexts,
    "decrypt one": _decrypt_one,
    "sign_batch": _sign_batch,
    "verify_batch": _verify_batch,
    "sign one": _sign_one,
    "mac_batch": _mac_batch,
    "mac one": _mac_one,
    "policy decision, 10 statements": _policy,
    "HTTP Encrypt": _http("Encrypt"),
    "HTTP Decrypt": _http("Decrypt"),
    "HTTP DescribeKey": _http("DescribeKey"),
    "socket client encrypt one": _socket_one,
    "socket client encrypt_batch 1,000": _socket_batch,
    "command key list": _start,
}


def _time(world: World) -> None:
    prepared: dict[int, Call] = {}
    cases = list(CASES.values())
    for line in sys.stdin:
        index, reps = map(int, line.split())
        try:
            if index not in prepared:
                prepared[index] = cases[index](world)
                prepared[index]()
        except Exception as error:  # noqa: BLE001 - whatever this commit lacks is the answer
            print(f"lacks {type(error).__name__}: {error}".replace("\n", " "), flush=True)
            continue
        call = prepared[index]
        start = time.perf_counter_ns()
        for _ in range(reps):
            call()
        print(time.perf_counter_ns() - start, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["list"]:
        print("\n".join(f"1\t{name}" for name in CASES))
    else:
        with ExitStack() as everything:
            _time(World(everything))
