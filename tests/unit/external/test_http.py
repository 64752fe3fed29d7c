"""The way to a proxy: one deadline, connections that are kept, TLS."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from external_stores import configure, create_xks, create_xks_key
from tokens import certificate
from xks_proxy import ENDPOINT, HOST, Running, XksProxy, running

import kmsfast
from kmsfast.external.configuration import Proxy
from kmsfast.external.http import Poster
from kmsfast.model.key_store_faults import Fault, OutsideFailed


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[Proxy]:
    """A server of one connection at a time."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield Proxy("127.0.0.1", server.getsockname()[1], is_tls=False, timeout=0.3)
        server.shutdown(socket.SHUT_RDWR)


def fault_of(place: Proxy) -> tuple[Fault, float]:
    poster, start = Poster(place, HOST), time.monotonic()
    with pytest.raises(OutsideFailed) as failed:
        poster.post("/", {"Host": HOST}, b"{}")
    poster.close()
    return failed.value.fault, time.monotonic() - start


def drip(connection: socket.socket) -> None:
    connection.recv(1000)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def test_an_answer_that_drips_is_not_waited_for() -> None:
    with listening(drip) as place:
        fault, took = fault_of(place)
    assert fault is Fault.TIMED_OUT
    assert took < 1.5  # a byte each 0.05 s would take 2


def test_no_answer_is_waited_for_no_longer_than_the_deadline() -> None:
    with listening(lambda connection: time.sleep(0.6)) as place:
        assert fault_of(place)[0] is Fault.TIMED_OUT


@pytest.mark.parametrize(
    "sent",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
     b"HTTP/1.1 200 OK\r\n" + b"A: " + bytes(70_000) + b"\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + bytes(70_000)],
)  # fmt: skip
def test_what_is_no_answer(sent: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(sent)

    with listening(serve) as place:
        assert fault_of(Proxy(place.host, place.port, is_tls=False, timeout=20))[0] in {
            Fault.MALFORMED, Fault.UNREACHABLE,
        }  # fmt: skip


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert fault_of(Proxy("127.0.0.1", port, is_tls=False))[0] is Fault.UNREACHABLE


def test_a_slow_proxy_times_out_as_specified(path: Path, configuration: Path) -> None:
    """After 250 ms, when nothing else is configured."""
    with running() as proxy:
        configuration.write_text(f'[proxies."{ENDPOINT}"]\naddress = "{proxy.url}"\n')
        proxy.delay = 5.0
        with kmsfast.open(path, create=True) as kms:
            start = time.monotonic()
            with pytest.raises(kmsfast.XksProxyUriUnreachable, match="did not respond in time"):
                create_xks(kms)
            assert 0.2 < time.monotonic() - start < 4


def test_connections_are_kept_and_replaced(path: Path, configuration: Path) -> None:
    proxy = XksProxy()
    with Running(proxy, None):
        configure(configuration, proxy)
        with kmsfast.open(path, create=True) as kms:
            for _ in range(5):
                with pytest.raises(kmsfast.XksProxyUriUnreachable):
                    proxy.health = ["UNAVAILABLE"]
                    create_xks(kms)
            assert proxy.connections == 1
            # One answer without a length: the connection ends with it.
            proxy.raw = lambda _path: b"HTTP/1.1 200 OK\r\n\r\n{}"
            with pytest.raises(kmsfast.XksProxyInvalidResponse):
                create_xks(kms)
            proxy.raw, proxy.health = None, ["ACTIVE"]
            assert create_xks(kms).name == "proxy"
            assert proxy.connections == 2


def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    answers = iter(range(10))

    def serve(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % next(answers))
        # Closed now, though HTTP/1.1 would keep it.

    with listening(serve) as place:
        poster = Poster(Proxy(place.host, place.port, is_tls=False, timeout=20), HOST)
        for expected in (b"0", b"1", b"2"):
            assert poster.post("/", {"Host": HOST}, b"{}").body == expected
            time.sleep(0.05)
        poster.close()


def tls_of(directory: Path) -> ssl.SSLContext:
    certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "customerCA.crt", directory / "customerCA.key")
    return context


def test_tls_with_the_endpoint_s_name(path: Path, configuration: Path) -> None:
    with running(tls_of(path)) as proxy:
        address = f"https://127.0.0.1:{proxy.port}"
        proxies = f'[proxies."{ENDPOINT}"]\naddress = "{address}"\ntimeout = 30\n'
        configuration.write_text(proxies)
        with (
            kmsfast.open(path, create=True) as kms,
            pytest.raises(kmsfast.XksProxyUriUnreachable, match="TLS"),
        ):
            create_xks(kms)  # nobody trusts the certificate
        configuration.write_text(proxies + 'ca = "customerCA.crt"\n')
        with kmsfast.open(path) as kms:
            store = kms.connect_custom_key_store(create_xks(kms).id)
            assert store.state == "CONNECTED"
        other = '[proxies."https://other.example.com"]\n'
        configuration.write_text(
            proxies + f'{other}address = "{address}"\nca = "customerCA.crt"\ntimeout = 30\n'
        )
        with kmsfast.open(path) as kms, pytest.raises(kmsfast.XksProxyUriUnreachable, match="TLS"):
            kms.create_custom_key_store(
                "wrong name",
                type="EXTERNAL_KEY_STORE",
                uri_endpoint="https://other.example.com",
                uri_path="/kms/xks/v1",
                credential=kmsfast.ProxyCredential("A" * 20, "A" * 43),
            )


def test_many_threads_share_the_connections(path: Path, configuration: Path) -> None:
    from xks_proxy import Key

    with running() as proxy:
        proxy.keys["external-1"] = Key()
        configure(configuration, proxy)
        with kmsfast.open(path, create=True) as kms:
            store = kms.connect_custom_key_store(create_xks(kms).id)
            key, wrong = create_xks_key(kms, store), []

            def work() -> None:
                for i in range(5):
                    text = f"{threading.get_ident()} {i}".encode()
                    if kms.decrypt(key.encrypt(text, {"i": str(i)}), {"i": str(i)}) != text:
                        wrong.append(text)

            threads = [threading.Thread(target=work) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not wrong
            assert proxy.connections <= 8
