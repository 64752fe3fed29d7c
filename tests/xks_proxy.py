"""An external key store proxy, written from the specification of its API, with keys in memory.

Source: AWS KMS External Key Store Proxy API Specification, version 1 of the API. It verifies the
signature of each request and answers as the specification says; tests can make it answer otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ACCESS_KEY_ID = "ABCDEFGHIJKLMNOPQRST"
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0IHByb3h5LCA0MyBjaGFycw"
PATH = "/tests/kms/xks/v1"
HOST = "xks.example.com"
ENDPOINT = f"https://{HOST}"
REGION = "us-east-1"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([A-Z2-7]+)/(\d{8})/([a-z0-9-]+)/kms-xks-proxy/aws4_request, "
    r"SignedHeaders=host;x-amz-date, Signature=([0-9a-f]{64})"
)


class Refusal(Exception):
    def __init__(self, status: int, name: str) -> None:
        super().__init__(name)
        self.status, self.name = status, name


@dataclass
class Key:
    """An external key."""

    material: bytes = field(default_factory=lambda: os.urandom(32))
    spec: str = "AES_256"
    status: str = "ENABLED"
    usage: list[str] = field(default_factory=lambda: ["ENCRYPT", "DECRYPT", "WRAP"])
    metadata: bytes = b""
    nonce_len: int = 12


@dataclass
class Call:
    """A request that was authentic."""

    path: str
    members: dict[str, Any]


class XksProxy:
    """What the proxy knows, and how it is to misbehave.

    Attributes:
        secret: of the credential.
        delay: seconds before each answer.
        twist: changes an answer before it is sent.
        raw: bytes to send instead of any HTTP.
    """

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.calls: list[Call] = []
        self.secret = SECRET
        self.delay = 0.0
        self.health = ["ACTIVE"]
        self.refusal: Refusal | None = None
        self.twist: Callable[[str, dict[str, Any]], Any] = lambda _path, answer: answer
        self.raw: Callable[[str], bytes] | None = None
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, headers: Any, body: bytes) -> dict[str, Any]:
        self._authenticate(path, headers, body)
        if not path.startswith(PATH + "/"):
            raise Refusal(404, "InvalidUriPathException")
        if self.refusal is not None:
            raise self.refusal
        members = json.loads(body)
        assert headers["Content-Type"] == "application/json"
        self.calls.append(Call(path, members))
        call = path.removeprefix(PATH + "/")
        if call == "health":
            assert set(members["requestMetadata"]) == {"kmsRequestId", "kmsOperation"}
            return self._health()
        found = re.fullmatch(r"keys/([a-zA-Z0-9._-]{1,128})/(metadata|encrypt|decrypt)", call)
        if found is None:
            raise Refusal(404, "InvalidUriPathException")
        key = self.keys.get(found[1])
        if key is None:
            raise Refusal(404, "KeyNotFoundException")
        return getattr(self, f"_{found[2]}")(key, members)

    def _authenticate(self, path: str, headers: Any, body: bytes) -> None:
        found = _AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
        date = headers.get("X-Amz-Date", "")
        if found is None or found[1] != ACCESS_KEY_ID or found[3] != REGION:
            raise Refusal(401, "AuthenticationFailedException")
        when = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs((when - datetime.now(UTC)).total_seconds()) > 300 or found[2] != date[:8]:
            raise Refusal(401, "AuthenticationFailedException")
        # Appendix A, tasks 1 to 4.
        canonical = (
            f"POST\n{path}\n\nhost:{headers['Host']}\nx-amz-date:{date}\n\nhost;x-amz-date\n"
            f"{hashlib.sha256(body).hexdigest()}"
        )
        scope = f"{found[2]}/{found[3]}/kms-xks-proxy/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = b"AWS4" + self.secret.encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
        if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() != found[4]:
            raise Refusal(401, "AuthenticationFailedException")

    def _health(self) -> dict[str, Any]:
        managers = [
            {"id": f"hsm-{i}", "model": "test 1", "healthStatus": status}
            for i, status in enumerate(self.health)
        ]
        return {
            "xksProxyFleetSize": 1,
            "xksProxyVendor": "tests",
            "xksProxyModel": "tests 1",
            "ekmVendor": "tests",
            "ekmFleetDetails": managers,
        }

    def _metadata(self, key: Key, _members: dict[str, Any]) -> dict[str, Any]:
        return {"keySpec": key.spec, "keyUsage": key.usage, "keyStatus": key.status}

    def _usable(self, key: Key, members: dict[str, Any], usage: str) -> AESGCM:
        if key.status != "ENABLED":
            raise Refusal(400, "InvalidStateException")
        if usage not in key.usage:
            raise Refusal(400, "InvalidKeyUsageException")
        metadata = members["requestMetadata"]
        assert {"awsPrincipalArn", "kmsKeyArn", "kmsOperation", "kmsRequestId"} <= set(metadata)
        if members["encryptionAlgorithm"] != "AES_GCM":
            raise Refusal(400, "ValidationException")
        return AESGCM(key.material)

    def _encrypt(self, key: Key, members: dict[str, Any]) -> dict[str, Any]:
        gcm, plaintext = self._usable(key, members, "ENCRYPT"), decoded(members, "plaintext")
        assert len(plaintext) <= 4300
        aad, nonce = decoded(members, "additionalAuthenticatedData"), os.urandom(key.nonce_len)
        assert len(aad) <= 8192
        whole = gcm.encrypt(nonce, plaintext, bound(aad, key.metadata))
        ciphertext, tag = whole[:-16], whole[-16:]
        answer = {
            "ciphertext": text(ciphertext),
            "initializationVector": text(nonce),
            "authenticationTag": text(tag),
        }
        if key.metadata:
            answer["ciphertextMetadata"] = text(key.metadata)
        assert members["ciphertextDataIntegrityValueAlgorithm"] == "SHA_256"
        cdiv = hashlib.sha256(aad + key.metadata + nonce + ciphertext + tag).digest()
        return {**answer, "ciphertextDataIntegrityValue": text(cdiv)}

    def _decrypt(self, key: Key, members: dict[str, Any]) -> dict[str, Any]:
        gcm = self._usable(key, members, "DECRYPT")
        metadata = decoded(members, "ciphertextMetadata")
        if metadata != key.metadata:
            raise Refusal(400, "InvalidCiphertextException")
        whole = decoded(members, "ciphertext") + decoded(members, "authenticationTag")
        aad = bound(decoded(members, "additionalAuthenticatedData"), metadata)
        try:
            opened = gcm.decrypt(decoded(members, "initializationVector"), whole, aad)
        except InvalidTag:
            raise Refusal(400, "InvalidCiphertextException") from None
        return {"plaintext": text(opened)}


def decoded(members: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(members.get(name, ""), validate=True)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def bound(aad: bytes, metadata: bytes) -> bytes:
    """The associated data for the key manager (specification, Encrypt, ciphertextMetadata)."""
    return len(aad).to_bytes(2, "big") + aad + bytes([len(metadata)]) + metadata


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: XksProxy

    def get_request(self) -> Any:
        self.proxy.connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients of these tests hang up as they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(30)

    def do_POST(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(proxy.delay)
        if proxy.raw is not None:
            self.wfile.write(proxy.raw(self.path))
            self.close_connection = True
            return
        try:
            status, answer = (
                200,
                proxy.twist(self.path, proxy.answer(self.path, self.headers, body)),
            )
        except Refusal as refusal:
            status, answer = refusal.status, {"errorName": refusal.name, "errorMessage": "a secret"}
        sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_arguments: Any) -> None:
        """Nothing is logged."""


class Running:
    """A proxy that listens."""

    def __init__(self, proxy: XksProxy, tls: ssl.SSLContext | None, port: int = 0) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.proxy = proxy
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        proxy.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[XksProxy]:
    """A proxy on a free port."""
    proxy = XksProxy()
    with Running(proxy, tls):
        yield proxy
