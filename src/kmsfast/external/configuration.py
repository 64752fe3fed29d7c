"""What an operator says of key stores outside: ``key-stores.toml`` (docs/custom-key-stores.md).

    [clusters.cluster-1a23b4cdefg]
    module = "/usr/lib/softhsm/libsofthsm2.so"
    token = "kmsfast"
    trust_anchor = "customerCA.crt"

    [proxies."https://xks.example.com"]
    address = "http://127.0.0.1:8080"
    ca = "ca.pem"
    timeout = 0.25

Rules:
- the file names code that is loaded into this process and machines that get ciphertexts, so one
  that others can write is refused;
- unknown names are refused, so that a misspelt one does not pass for a default;
- paths are relative to the file; ``http`` is for addresses of this machine alone.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from kmsfast.errors import ValidationError
from kmsfast.model.key_store import checked_cluster_id

__all__ = ["TIMEOUT", "Cluster", "Configuration", "Proxy", "load"]

#: Seconds for a whole call (XKS proxy API specification, KMS Considerations).
TIMEOUT: Final = 0.25
_MAX_TIMEOUT: Final = 60
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Cluster:
    """The PKCS#11 token that stands for a CloudHSM cluster.

    Attributes:
        module: the PKCS#11 library.
        token: its label.
        trust_anchor: the certificate (PEM) that requests must name; None: any.
    """

    module: str
    token: str
    trust_anchor: str | None = None


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the proxy of an endpoint is reached.

    Attributes:
        host, port, is_tls: where to connect.
        ca: file of the certificates that are trusted; None: those of the system.
        timeout: seconds for a whole call.
    """

    host: str
    port: int
    is_tls: bool = True
    ca: str | None = None
    timeout: float = TIMEOUT


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of it.

    Attributes:
        clusters: by the id of the CloudHSM cluster.
        proxies: by the XksProxyUriEndpoint.
    """

    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    proxies: Mapping[str, Proxy] = field(default_factory=dict)


def load(path: Path) -> Configuration:
    """The configuration; an empty one when there is no file.

    Raises:
        ValidationError: it is none, or others can write it.
    """
    try:
        with path.open("rb") as file:
            _refuse_writable(path, os.fstat(file.fileno()))
            content = tomllib.load(file)
    except FileNotFoundError:
        return Configuration()
    except OSError as error:
        raise ValidationError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValidationError(f"{str(path)!r} is not TOML: {error}") from error
    reader = _Reader(path)
    tables = reader.table(content, "the file", {"clusters": dict, "proxies": dict})
    return Configuration(
        {name: reader.cluster(name, each) for name, each in tables.get("clusters", {}).items()},
        {name: reader.proxy(name, each) for name, each in tables.get("proxies", {}).items()},
    )


def _refuse_writable(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValidationError(
            f"{str(path)!r} can be changed by others, and it names code that kmsfast loads; make "
            f"it yours and run: chmod go-w {str(path)!r}"
        )


class _Reader:
    """Reads parts of the file, and says which part is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def table(self, found: Any, what: str, known: Mapping[str, Any]) -> dict[str, Any]:
        """A table with these names, of these types."""
        if not isinstance(found, dict):
            raise self._wrong(f"{what} is no table")
        for name, value in found.items():
            if name not in known:
                raise self._wrong(f"{what} has {name!r}; known are {', '.join(known)}")
            if not isinstance(value, known[name]) or isinstance(value, bool):
                raise self._wrong(f"{name!r} of {what} is of the wrong type: {value!r}")
        return found

    def cluster(self, name: str, found: Any) -> Cluster:
        """One of the clusters."""
        what = f"cluster {name!r}"
        try:
            checked_cluster_id(name)
        except ValidationError as error:
            raise self._wrong(f"{what}: {error}") from None
        given = self.table(found, what, {"module": str, "token": str, "trust_anchor": str})
        for required in ("module", "token"):
            if required not in given:
                raise self._wrong(f"{what} has no {required!r}")
        anchor = given.get("trust_anchor")
        text = None if anchor is None else self._read(self._path.parent / anchor)
        return Cluster(given["module"], given["token"], text)

    def proxy(self, endpoint: str, found: Any) -> Proxy:
        """One of the proxies."""
        what = f"proxy {endpoint!r}"
        given = self.table(found, what, {"address": str, "ca": str, "timeout": int | float})
        timeout = given.get("timeout", TIMEOUT)
        if not 0 < timeout <= _MAX_TIMEOUT:
            raise self._wrong(f"{what}: timeout is up to {_MAX_TIMEOUT} seconds, not {timeout}")
        ca = given.get("ca")
        host, port, is_tls = self._address(what, given.get("address", endpoint))
        return Proxy(host, port, is_tls, ca and str(self._path.parent / ca), timeout)

    def _address(self, what: str, address: str) -> tuple[str, int, bool]:
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise self._wrong(f"{what}: {address!r} is no address: {error}") from None
        if parts.scheme not in _PORTS or not host or parts.path or parts.query or parts.username:
            raise self._wrong(f"{what}: {address!r} is not https://HOST[:PORT]")
        if parts.scheme == "http" and not _is_loopback(host):
            raise self._wrong(
                f"{what}: {address!r} is not of this machine; elsewhere only https is used"
            )
        return host, port or _PORTS[parts.scheme], parts.scheme == "https"

    def _read(self, path: Path) -> str:
        try:
            return path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise self._wrong(f"cannot read {str(path)!r}: {error}") from error

    def _wrong(self, text: str) -> ValidationError:
        return ValidationError(f"{str(self._path)!r}: {text}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
