"""The server as a process: start, stop, sockets, TLS, and what a socket can do to it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aws_clients import client_of
from serving import Served, command, served


def post(connection: http.client.HTTPConnection, operation: str, **members: Any) -> Any:
    headers = {"X-Amz-Target": f"TrentService.{operation}"}
    connection.request("POST", "/", json.dumps(members), headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read() or b"{}")


def test_state_survives_a_restart_and_stops_are_graceful(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with served(store, "--region", "eu-central-1", "--account", "111122223333") as first:
        assert "region eu-central-1, account 111122223333" in first.announcement
        line = http.client.HTTPConnection("127.0.0.1", first.port)
        _, made = post(line, "CreateKey")
        key = made["KeyMetadata"]
        assert key["Arn"].startswith("arn:aws:kms:eu-central-1:111122223333:key/")
        _, sealed = post(line, "Encrypt", KeyId=key["KeyId"], Plaintext="eA==")
        post(line, "CreateAlias", AliasName="alias/a", TargetKeyId=key["KeyId"])
        post(line, "CreateAlias", AliasName="alias/b", TargetKeyId=key["KeyId"])
        _, page = post(line, "ListAliases", Limit=1)
        idle = socket.create_connection(("127.0.0.1", first.port))
        assert first.stop(signal.SIGINT) == 0
        assert idle.recv(1) == b""
        idle.close()
        line.close()
    with served(store) as second:
        line = http.client.HTTPConnection("127.0.0.1", second.port)
        opened = post(line, "Decrypt", CiphertextBlob=sealed["CiphertextBlob"])
        assert (opened[0], opened[1]["Plaintext"]) == (200, "eA==")
        _, rest = post(line, "ListAliases", Marker=page["NextMarker"])
        names = [item["AliasName"] for item in rest["Aliases"]]
        assert [name for name in names if not name.startswith("alias/aws/")] == ["alias/b"]
        line.close()
        assert second.stop() == 0


def test_it_starts_in_under_a_second(tmp_path: Path) -> None:
    """The best of three starts, since what is measured here is the program, not the machine."""
    took = []
    for i in range(3):
        start = time.monotonic()
        with served(tmp_path / f"store{i}"):
            took.append(time.monotonic() - start)
    assert min(took) < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--http", "0.0.0.0:0", "--insecure-no-auth"], "listens on loopback alone"),
        (["--http", "[::]:0", "--insecure-no-auth"], "listens on loopback alone"),
        (["--http", "4599", "--insecure-no-auth"], "is no address"),
        (["--http", "::1:4599", "--insecure-no-auth"], "is no address"),
        (["--http", "127.0.0.1:99999", "--insecure-no-auth"], "is no address"),
        (["--http", "no such host:1", "--insecure-no-auth"], "is no host"),
        (["--http", "fd:0", "--insecure-no-auth"], "descriptor 0 is no socket"),
        (["--http", "127.0.0.1:0", "--insecure-no-auth", "--region", "x"], "'x' is no region"),
        (["--http", "127.0.0.1:0", "--insecure-no-auth", "--regions", "us-east-1,x"], "'x' is no"),
        (["--http", "127.0.0.1:0", "--insecure-no-auth", "--account", "1"], "'1' is no account"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_refusals_say_why(tmp_path: Path, options: list[str], message: str) -> None:
    store = tmp_path / "store"
    program = [part for part in command(store) if part != "--insecure-no-auth"]
    done = subprocess.run(
        [*program, *options], capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not store.exists()


def test_an_address_that_is_taken(server: Served, tmp_path: Path) -> None:
    options = ["--http", f"127.0.0.1:{server.port}"]
    done = subprocess.run(
        command(tmp_path / "store", *options), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 6
    assert f"127.0.0.1:{server.port}: Address already in use; another program" in done.stderr


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "kms.sock"
    abandoned = socket.socket(socket.AF_UNIX)
    abandoned.bind(str(path))
    abandoned.close()
    with served(tmp_path / "store", address=f"unix:{path}") as running:
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        second = subprocess.run(
            command(tmp_path / "other", "--http", f"unix:{path}"), capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert "another server listens" in second.stderr
        assert running.stop() == 0
    assert not path.exists()


def test_an_inherited_descriptor(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port, number = listening.getsockname()[1], listening.fileno()
        process = subprocess.Popen(
            command(tmp_path / "store", "--http", f"fd:{number}"), pass_fds=[number],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            assert post(line, "ListKeys")[0] == 200
            line.close()
        finally:
            process.terminate()
            process.communicate(timeout=60)
        assert process.returncode == 0


def test_tls(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    options = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with served(tmp_path / "store", *options, address="localhost:0") as running:
        assert running.url.startswith("https://")
        client = client_of(f"https://localhost:{running.port}", verify=str(certificate))
        assert client.list_keys()["Keys"] == []
        client.close()
    done = subprocess.run(
        command(tmp_path / "store", "--http", "localhost:0", "--tls-cert", str(key), "--tls-key",
                str(key)), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "cannot be used" in done.stderr


def self_signed(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )  # fmt: skip
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, key


def test_wrong_requests_get_their_error_and_the_connection_lives(server: Served) -> None:
    line = http.client.HTTPConnection("127.0.0.1", server.port)
    line.connect()
    first = line.sock
    for body, target, status, error in (
        (b"{", "TrentService.ListKeys", 400, "SerializationException"),
        (b"{}", "TrentService.NoSuch", 400, "UnknownOperationException"),
        (b"{}", None, 400, "UnknownOperationException"),
        (b"x" * (2 << 20), "TrentService.ListKeys", 413, "RequestEntityTooLargeException"),
        (b'{"KeyId":1}', "TrentService.DescribeKey", 400, "SerializationException"),
    ):
        line.request("POST", "/", body, {} if target is None else {"X-Amz-Target": target})
        response = line.getresponse()
        assert (response.status, response.headers["x-amzn-errortype"]) == (status, error)
        assert response.headers["content-type"] == "application/x-amz-json-1.1"
        assert re.fullmatch(r"[0-9a-f-]{36}", response.headers["x-amzn-requestid"])
        assert json.loads(response.read())["__type"] == error
    assert post(line, "ListKeys", Limit=1)[0] == 200
    assert line.sock is first
    line.close()


def test_nothing_that_a_client_sends_ends_the_server(server: Served) -> None:
    for data in (b"\0" * 1000, b"GET " + b"/" * 100_000, b"POST / HTTP/1.1\r\n\r\n" * 500,
                 b"\x16\x03\x01" + b"x" * 500):  # fmt: skip
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65_536):
                pass
    line = http.client.HTTPConnection("127.0.0.1", server.port)
    assert post(line, "ListKeys", Limit=1)[0] == 200
    line.close()


def test_clients_of_another_kind_of_socket(server: Served) -> None:
    """A TLS client on a port without TLS gets an end, not a wait."""
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw,
        pytest.raises((ssl.SSLError, OSError)),
    ):
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")
