"""Where the server listens: an address and port, a Unix socket, or a descriptor that it inherited.

Without authentication that must be a place which only this machine can reach.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import stat
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from kmsfast.errors import ValidationError

__all__ = ["Address", "Tls", "listening_socket", "parse_address", "require_loopback", "url_of"]

_BACKLOG = 1024
_DESCRIPTOR = re.compile("[0-9]{1,9}")
_PORT = re.compile("[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Address:
    """One of: host and port; the path of a Unix socket; the number of a descriptor."""

    host: str = ""
    port: int = 0
    path: str = ""
    descriptor: int = -1


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a server certificate with its chain, and of its private key."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """What serves by them.

        Raises:
            ValidationError: one of them cannot be used.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ValidationError(
                f"certificate {str(self.certificate)!r} with key {str(self.key)!r} cannot be used: "
                f"{error.strerror or error}"
            ) from error
        return context


def parse_address(text: str) -> Address:
    """``HOST:PORT``, ``[IPV6]:PORT``, ``unix:PATH`` or ``fd:NUMBER``.

    Raises:
        ValidationError: none of these.
    """
    kind, _, rest = text.partition(":")
    if kind == "unix" and rest:
        return Address(path=rest)
    if kind == "fd" and _DESCRIPTOR.fullmatch(rest):
        return Address(descriptor=int(rest))
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not host or not colon or not _PORT.fullmatch(port) or int(port) > 65_535:
        raise ValidationError(
            f"{text!r} is no address; it looks like 127.0.0.1:4599, [::1]:4599, unix:/run/kms.sock "
            "or fd:3"
        )
    return Address(host=host, port=int(port))


def listening_socket(address: Address) -> socket.socket:
    """A socket that listens there.

    Raises:
        ValidationError: the host is unknown, or the descriptor is no socket. OSError: the address
            is taken.
    """
    if address.path:
        return _unix_socket(address.path)
    if address.descriptor >= 0:
        return _inherited(address.descriptor)
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, UnicodeError) as error:
        raise ValidationError(f"{address.host!r} is no host: {error}") from error
    family, _, _, _, place = found[0]
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(place)
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        where = f"{address.host}:{address.port}"
        raise OSError(error.errno, os.strerror(error.errno or 0), where) from error
    return made


def require_loopback(listening: socket.socket) -> None:
    """Passes for a socket that only this machine can reach.

    Raises:
        ValidationError: others can.
    """
    if listening.family == socket.AF_UNIX:
        return
    host = listening.getsockname()[0]
    if not ip_address(host.partition("%")[0]).is_loopback:
        raise ValidationError(
            f"--insecure-no-auth serves anyone who can connect, so it listens on loopback alone "
            f"(127.0.0.1, [::1]) or on a Unix socket, not on {host}"
        )


def url_of(listening: socket.socket, *, tls: bool) -> str:
    """What clients are told."""
    if listening.family == socket.AF_UNIX:
        return f"unix:{listening.getsockname()}"
    host, port = listening.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _unix_socket(path: str) -> socket.socket:
    """A Unix socket of mode 0600 in place of one that nobody listens on any more."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            raise ValidationError(f"{path!r} is there already, and is no socket")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                Path(path).unlink()
            except BlockingIOError:  # it has a queue, which is full
                raise _taken(path) from None
            except OSError as error:
                raise OSError(error.errno, os.strerror(error.errno or 0), path) from error
            else:
                raise _taken(path)
    made = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        made.bind(path)
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        raise OSError(error.errno, os.strerror(error.errno or 0), path) from error
    finally:
        os.umask(mask)
    return made


def _taken(path: str) -> ValidationError:
    return ValidationError(f"another server listens on {path!r}")


def _inherited(descriptor: int) -> socket.socket:
    try:
        found = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ValidationError(
            f"descriptor {descriptor} is no socket: {os.strerror(error.errno or 0)}"
        ) from error
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise ValidationError(f"descriptor {descriptor} is a socket that does not listen")
    return found
