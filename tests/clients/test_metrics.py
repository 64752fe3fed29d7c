"""GET /metrics of a server, after the traffic of boto3: counts are exact."""

from __future__ import annotations

import http.client
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aws_clients import client_of
from botocore.exceptions import ClientError
from scrapes import Scrape
from serving import Served, command, served

import kmsfast

CONTEXT = {"table": "secret-context"}


class World:
    """A server with a door for metrics, and boto3's client on it."""

    def __init__(self, server: Served) -> None:
        assert server.process.stdout is not None
        said = server.process.stdout.readline()
        assert said.startswith("metrics at http://127.0.0.1:")
        self.server, self.url = server, said.removeprefix("metrics at ").strip()
        self.port = int(self.url.removesuffix("/metrics").rpartition(":")[2])
        self.kms = client_of(server.url)

    def scrape(self) -> Scrape:
        with urllib.request.urlopen(self.url) as page:
            assert page.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            return Scrape(page.read().decode())


def get(port: int, path: str, host: str, method: str = "GET", **headers: str) -> int:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    line.request(method, path, headers={"Host": host, **headers})
    status = line.getresponse().status
    line.close()
    return status


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    options = ("--metrics", "127.0.0.1:0", "--audit", "on", "--metrics-keys", "5")
    with served(tmp_path / "store", *options) as server:
        made = World(server)
        yield made
        made.kms.close()


def test_counts_after_known_traffic(world: World) -> None:
    kms = world.kms
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/secret-alias", TargetKeyId=key)
    for number in range(20):
        blob = kms.encrypt(KeyId=key, Plaintext=bytes(number + 1), EncryptionContext=CONTEXT)
    for _ in range(7):
        kms.decrypt(CiphertextBlob=blob["CiphertextBlob"], EncryptionContext=CONTEXT)
    for _ in range(2):
        with pytest.raises(kms.exceptions.InvalidCiphertextException):
            kms.decrypt(CiphertextBlob=blob["CiphertextBlob"])
    kms.generate_random(NumberOfBytes=16)
    for _ in range(3):
        kms.generate_data_key(KeyId="alias/secret-alias", KeySpec="AES_256")
    kms.disable_key(KeyId=key)
    for _ in range(4):
        with pytest.raises(kms.exceptions.DisabledException):
            kms.encrypt(KeyId=key, Plaintext=b"x")
    with pytest.raises(ClientError, match="validation error detected"):
        kms.encrypt(KeyId=key, Plaintext=bytes(4097))
    found = world.scrape()
    counts = {
        operation: int(number)
        for (operation,), number in found.all("kmsfast_requests_total", door="http").items()
        if number
    }
    expected = {
        "CreateKey": 1, "CreateAlias": 1, "Encrypt": 25, "Decrypt": 9, "GenerateRandom": 1,
        "GenerateDataKey": 3, "DisableKey": 1,
    }  # fmt: skip
    assert counts == expected
    assert len(found.all("kmsfast_requests_total", door="http")) == 57  # each, and "unknown"
    assert found.all("kmsfast_request_errors_total", door="http") == {
        ("InvalidCiphertextException", "Decrypt"): 2,
        ("DisabledException", "Encrypt"): 4,
        ("ValidationException", "Encrypt"): 1,
    }
    times = "kmsfast_request_duration_seconds"
    for operation, number in expected.items():
        assert found.value(f"{times}_count", door="http", operation=operation) == number
        assert 0 < found.value(f"{times}_sum", door="http", operation=operation) < 30
        assert found.value(f"{times}_bucket", door="http", operation=operation, le="+Inf") == number
    assert found.value("kmsfast_audit_records_total") == sum(expected.values())
    assert found.value("kmsfast_audit_failures_total") == 0
    assert found.value("kmsfast_connections", door="http") == 1
    assert found.value("kmsfast_connections_accepted_total", door="http") == 1
    assert found.value("kmsfast_cache_uses_total", cache="templates") > 25
    assert found.value("kmsfast_cache_loads_total", cache="templates") >= 3
    assert found.value("kmsfast_keys", state="Disabled", region="us-east-1") == 1
    assert found.value("process_resident_memory_bytes") > 1e6
    for secret in ("secret", key):
        assert secret not in found.text


def test_requests_that_name_no_operation(world: World) -> None:
    port = world.server.port
    assert get(port, "/", "localhost", "POST") == 400
    assert get(port, "/", "localhost", "POST", **{"X-Amz-Target": "TrentService.Nothing"}) == 400
    assert get(port, "/healthz", "localhost") == 200
    assert get(port, "/healthz", "localhost", **{"X-Amz-Target": "TrentService.Encrypt"}) == 200
    found = world.scrape()
    assert found.all("kmsfast_requests_total", operation="unknown") == {("http",): 2}
    assert found.value("kmsfast_requests_total", operation="Encrypt") == 0
    assert found.all("kmsfast_request_errors_total") == {
        ("UnknownOperationException", "http", "unknown"): 2
    }


def test_connections_come_and_go(world: World) -> None:
    with socket.create_connection(("127.0.0.1", world.server.port)):
        for _ in range(100):
            if world.scrape().value("kmsfast_connections", door="http") == 1:
                break
            time.sleep(0.05)
        else:
            raise AssertionError("the connection is not counted")
    for _ in range(100):
        found = world.scrape()
        if found.value("kmsfast_connections", door="http") == 0:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("the connection is still counted")
    assert found.value("kmsfast_connections_accepted_total", door="http") == 1


def test_many_clients_at_once(world: World) -> None:
    key = world.kms.create_key()["KeyMetadata"]["KeyId"]

    def work(_: int) -> None:
        kms = client_of(world.server.url)
        for number in range(50):
            kms.encrypt(KeyId=key, Plaintext=bytes(number + 1))
            kms.describe_key(KeyId=key)
        kms.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    found = world.scrape()
    assert found.value("kmsfast_requests_total", operation="Encrypt") == 400
    assert found.value("kmsfast_requests_total", operation="DescribeKey") == 400


def test_pages_in_browsers_cannot_read_it(world: World) -> None:
    for host in ("localhost", "127.0.0.1", "[::1]:9464", "10.1.2.3", socket.gethostname()):
        assert get(world.port, "/metrics", host) == 200, host
    for host in ("evil.example", "evil.example:9464", "127.0.0.1.evil.example", "localhost.evil"):
        assert get(world.port, "/metrics", host) == 403, host
    # Without authentication the door of the API has the page as well, on the same terms.
    assert get(world.server.port, "/metrics", "localhost") == 200
    assert get(world.server.port, "/metrics", "10.1.2.3") == 403
    assert get(world.server.port, "/metrics", "evil.example") == 403


def test_its_door_has_nothing_else(world: World) -> None:
    assert (
        get(world.port, "/", "localhost", "POST", **{"X-Amz-Target": "TrentService.ListKeys"})
        == 404
    )
    assert get(world.port, "/healthz", "localhost") == 404
    assert get(world.port, "/metrics", "localhost", "POST") == 404
    assert world.scrape().value("kmsfast_connections_accepted_total", door="http") == 0


def test_with_authentication_only_its_own_door_has_it(tmp_path: Path) -> None:
    store, path = tmp_path / "store", tmp_path / "metrics.sock"
    with kmsfast.open(store, create=True) as kms:
        admin = kms.principals.create_administrator()
    with served(store, "--metrics", f"unix:{path}", signed=True) as server:
        client = client_of(server.url, account=admin.id, secret=admin.secret)
        key = client.create_key()["KeyMetadata"]["KeyId"]
        for _ in range(6):
            client.encrypt(KeyId=key, Plaintext=b"x")
        client.close()
        wrong = client_of(server.url, account=admin.id, secret="wrong")
        with pytest.raises(ClientError, match="signature"):
            wrong.encrypt(KeyId=key, Plaintext=b"x")
        wrong.close()
        assert get(server.port, "/metrics", "localhost") == 404
        found = Scrape(_by_socket(path))
    assert found.value("kmsfast_requests_total", operation="Encrypt") == 7
    assert found.value("kmsfast_request_duration_seconds_count", operation="Encrypt") == 7
    assert found.all("kmsfast_request_errors_total", operation="Encrypt") == {
        ("InvalidSignatureException", "http"): 1
    }
    uses, loads = (
        found.value(f"kmsfast_cache_{what}_total", cache="decisions") for what in ("uses", "loads")
    )
    assert (uses, loads) == (7, 2)  # CreateKey and Encrypt
    assert not path.exists()


def _by_socket(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        line.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: line.recv(1 << 16), b""))
    head, _, body = text.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return body.decode()


def test_an_address_that_cannot_be(tmp_path: Path) -> None:
    given = command(tmp_path / "store", "--http", "127.0.0.1:0", "--metrics", "nowhere")
    done = subprocess.run(given, check=False, capture_output=True, text=True, timeout=60)
    assert "'nowhere' is no address" in done.stderr
    assert done.returncode != 0
    assert not (tmp_path / "store").exists()
