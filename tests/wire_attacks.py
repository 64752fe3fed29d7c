"""Requests as bytes on a socket, signed and then changed, to a server that asks for signatures."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aws_clients import client_of
from serving import Served
from signing import REGION, signed

import kmsfast
from kmsfast.service.principals import NewAccessKey

PLAIN = "QUJD"
ALL = json.dumps({"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}})


@dataclass(frozen=True)
class Wire:
    """A request as it goes over the wire."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    method: bytes = b"POST"
    target: bytes = b"/"
    tail: bytes = b""

    def bytes(self) -> bytes:
        """All of it."""
        lines = b"".join(b"%b: %b\r\n" % pair for pair in self.headers)
        return b"%b %b HTTP/1.1\r\n%b\r\n%b%b" % (
            self.method, self.target, lines, self.body, self.tail
        )  # fmt: skip

    def header(self, name: bytes) -> bytes:
        """The value of the first header of that name."""
        return next(value for each, value in self.headers if each == name)

    def with_header(self, name: bytes, value: bytes) -> Wire:
        """The same with another value of a header."""
        pairs = tuple((n, value if n == name else v) for n, v in self.headers)
        return replace(self, headers=pairs)

    def and_header(self, name: bytes, value: bytes) -> Wire:
        """The same with one more header."""
        return replace(self, headers=(*self.headers, (name, value)))

    def without(self, name: bytes) -> Wire:
        """The same without a header."""
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] != name))


@dataclass
class World:
    """A server on a store with an administrator, and an attacker's socket."""

    kms: kmsfast.Kms
    server: Served
    store: Path
    admin: NewAccessKey
    clients: list[Any] = field(default_factory=list)

    def client(self, key: NewAccessKey) -> Any:
        """boto3's client with an access key."""
        made = client_of(self.server.url, account=key.id, secret=key.secret)
        self.clients.append(made)
        return made

    def user(self, name: str, policy: str | None = ALL) -> NewAccessKey:
        """The access key of a new user."""
        known = self.kms.principals
        known.create_user(name)
        if policy is not None:
            known.attach_policy(name, "use", policy)
        return known.create_access_key(name)

    def wire(
        self,
        operation: str = "Encrypt",
        body: bytes | None = None,
        *,
        by: NewAccessKey | None = None,
        late: float = 0,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Wire:
        """A request that is right, but for what is said otherwise.

        late: seconds since it was signed.
        """
        by = by or self.admin
        body = b'{"KeyId":"alias/a","Plaintext":"QUJD"}' if body is None else body
        when = datetime.now(UTC) - timedelta(seconds=late)
        named = {
            "host": f"127.0.0.1:{self.server.port}",
            "x-amz-target": f"TrentService.{operation}",
            **(headers or {}),
        }
        made = signed(
            body, headers=named,
            **{"stamp": f"{when:%Y%m%dT%H%M%SZ}", "access_key": by.id, "secret": by.secret, **more},
        )  # fmt: skip
        length = (b"content-length", str(len(body)).encode())
        return Wire((*made.headers, length), body, target=made.target)

    def send(self, wire: Wire | bytes) -> tuple[int, dict[str, Any]]:
        """Status and body of the reply."""
        return self.exchange(wire, 1)[0]

    def exchange(self, wire: Wire | bytes, num: int) -> list[tuple[int, dict[str, Any]]]:
        """Status and body of so many replies."""
        data = wire if isinstance(wire, bytes) else wire.bytes()
        replies: list[tuple[int, dict[str, Any]]] = []
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as line:
            line.sendall(data)
            answer = b""
            while len(replies) < num:
                head, found, rest = answer.partition(b"\r\n\r\n")
                length = int(
                    head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0
                )
                if found and len(rest) >= length:
                    replies.append((int(head.split(b" ", 2)[1]), json.loads(rest[:length])))
                    answer = rest[length:]
                    continue
                more = line.recv(65536)
                assert more, f"the server ended the connection after {answer!r}"
                answer += more
        return replies

    def code(self, wire: Wire | bytes) -> str:
        """The error that a request gets, or an empty text."""
        status, body = self.send(wire)
        code: str = body.get("__type", "")
        assert (status == 200) == (code == ""), (status, body)
        return code


def scope(stamp: str, region: str = REGION, service: str = "kms", end: str = "aws4_request") -> str:
    """A credential scope."""
    return f"{stamp[:8]}/{region}/{service}/{end}"
