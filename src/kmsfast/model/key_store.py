"""Custom key stores: what keeps the material of keys outside, and what a store says of it.

Rules:
- types, connection states and connection errors, and their names, are those of AWS KMS; forms of
  members are those of its service model;
- a key of such a store is a symmetric encryption key of one region; its :class:`Backing` names the
  store, and the key in it: a token's key by its id, an external key by the proxy's name for it;
- secrets (the user's PIN, the secret access key) are no part of these values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from kmsfast.errors import (
    CustomKeyStoreInvalidState,
    ValidationError,
    XksProxyVpcEndpointServiceNotFound,
)

__all__ = [
    "Backing",
    "ConnectionState",
    "Connectivity",
    "CustomKeyStore",
    "KeyStoreType",
    "ProxyCredential",
    "XksProxy",
    "checked_cluster_id",
    "checked_key_store_name",
    "checked_password",
    "checked_proxy",
    "checked_xks_key_id",
    "require_state",
]


class KeyStoreType(StrEnum):
    """What stands behind a custom key store; it is also the origin of its keys."""

    AWS_CLOUDHSM = "AWS_CLOUDHSM"
    EXTERNAL_KEY_STORE = "EXTERNAL_KEY_STORE"


class ConnectionState(StrEnum):
    """Whether the keys of a custom key store can be used."""

    CONNECTED = "CONNECTED"
    FAILED = "FAILED"
    DISCONNECTED = "DISCONNECTED"


class Connectivity(StrEnum):
    """How AWS KMS reaches an external key store proxy."""

    PUBLIC_ENDPOINT = "PUBLIC_ENDPOINT"
    VPC_ENDPOINT_SERVICE = "VPC_ENDPOINT_SERVICE"


@dataclass(frozen=True, slots=True)
class XksProxy:
    """Where an external key store proxy is, and who signs the requests to it.

    Attributes:
        endpoint: ``https://`` and a host name.
        path: ends with ``/kms/xks/v1``.
        access_key_id: the public half of the credential.
    """

    endpoint: str
    path: str
    access_key_id: str

    @property
    def uri(self) -> str:
        """Both parts; no two external key stores have the same."""
        return self.endpoint + self.path


@dataclass(frozen=True, slots=True)
class ProxyCredential:
    """What signs requests to an external key store proxy. Prints without the secret.

    Attributes:
        access_key_id: 20 to 30 of A-Z and 2-7.
        secret_access_key: 43 to 64 characters.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CustomKeyStore:
    """A custom key store, without its secret.

    Attributes:
        error: why the last connection failed, by AWS's code; None: it did not.
        cluster_id, trust_anchor: of one of type AWS_CLOUDHSM.
        proxy: of one of type EXTERNAL_KEY_STORE.
    """

    id: str
    name: str
    type: KeyStoreType
    created_at: datetime
    state: ConnectionState = ConnectionState.DISCONNECTED
    error: str | None = None
    cluster_id: str | None = None
    trust_anchor: str | None = None
    proxy: XksProxy | None = None


@dataclass(frozen=True, slots=True)
class Backing:
    """Where the material of a key is that is not here.

    Attributes:
        key_store_id: of the custom key store.
        name: of the key in it.
        type: of the custom key store.
        connected: whether the key can be used.
        cluster_id: of a key store of type AWS_CLOUDHSM.
    """

    key_store_id: str
    name: str
    type: KeyStoreType
    connected: bool
    cluster_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Form:
    """What a member looks like, as the service model has it."""

    low: int
    high: int
    pattern: re.Pattern[str] | None = None
    secret: bool = False


_FORMS: Final[Mapping[str, _Form]] = {
    "customKeyStoreName": _Form(1, 256),
    "cloudHsmClusterId": _Form(19, 24, re.compile("cluster-[2-7a-zA-Z]{11,16}")),
    "keyStorePassword": _Form(7, 32, secret=True),
    "xksProxyUriEndpoint": _Form(10, 128, re.compile("https://[a-zA-Z0-9.-]+")),
    "xksProxyUriPath": _Form(10, 128, re.compile("(/[a-zA-Z0-9/_-]+)?/kms/xks/v[0-9]{1,2}")),
    "accessKeyId": _Form(20, 30, re.compile("[A-Z2-7]+")),
    "rawSecretAccessKey": _Form(43, 64, re.compile("[a-zA-Z0-9/+=]+"), secret=True),
    "xksKeyId": _Form(1, 128, re.compile(r"[a-zA-Z0-9\-_.]+")),
}
_VERSION: Final = "/kms/xks/v1"


def checked_key_store_name(name: str) -> str:
    """The name, when it has 1 to 256 characters."""
    return _formed(name, "customKeyStoreName")


def checked_cluster_id(name: str) -> str:
    """The id of a CloudHSM cluster, when it is one."""
    return _formed(name, "cloudHsmClusterId")


def checked_password(password: str) -> str:
    """The password of the token's user, when it has 7 to 32 characters."""
    return _formed(password, "keyStorePassword")


def checked_xks_key_id(name: str) -> str:
    """The id of an external key, when it is one; in the path of requests it must be no other."""
    if name in {".", ".."}:
        raise ValidationError(f"xksKeyId {name!r} would be another path of the proxy's API")
    return _formed(name, "xksKeyId")


def checked_proxy(
    endpoint: str, path: str, credential: ProxyCredential, connectivity: str | None
) -> XksProxy:
    """Where a proxy is, when it can be reached from here.

    Raises:
        ValidationError: a member of another form, or none of the connectivities.
        XksProxyVpcEndpointServiceNotFound: it is behind a VPC endpoint service.
    """
    if connectivity == Connectivity.VPC_ENDPOINT_SERVICE:
        raise XksProxyVpcEndpointServiceNotFound(
            "AWS KMS cannot find the VPC endpoint service: this service has no VPCs; use "
            "XksProxyConnectivity PUBLIC_ENDPOINT"
        )
    if connectivity != Connectivity.PUBLIC_ENDPOINT:
        raise ValidationError(
            f"XksProxyConnectivity must be PUBLIC_ENDPOINT or VPC_ENDPOINT_SERVICE, not "
            f"{connectivity!r}"
        )
    if not isinstance(credential, ProxyCredential):
        raise ValidationError("XksProxyAuthenticationCredential is required")
    _formed(credential.secret_access_key, "rawSecretAccessKey")
    proxy = XksProxy(
        _formed(endpoint, "xksProxyUriEndpoint"),
        _formed(path, "xksProxyUriPath"),
        _formed(credential.access_key_id, "accessKeyId"),
    )
    if not proxy.path.endswith(_VERSION):
        raise ValidationError(
            f"XksProxyUriPath must end with {_VERSION}: {proxy.path} is of another version of the "
            "proxy API"
        )
    return proxy


def require_state(store: CustomKeyStore, operation: str, *states: ConnectionState) -> None:
    """Passes when the connection state is one of these.

    Raises:
        CustomKeyStoreInvalidState: it is another one.
    """
    if store.state not in states:
        raise CustomKeyStoreInvalidState(
            f"The connection state of custom key store {store.id} is {store.state}; {operation} "
            f"needs {' or '.join(states)}."
        )


def _formed(value: str, member: str) -> str:
    form = _FORMS[member]
    if not isinstance(value, str):
        raise ValidationError(f"{member} must be str, not {type(value).__name__}")
    if not form.low <= len(value) <= form.high:
        shown = "it has" if form.secret else f"{value!r} has"
        raise ValidationError(
            f"{member} must have {form.low} to {form.high} characters; {shown} {len(value)}"
        )
    if form.pattern is not None and form.pattern.fullmatch(value) is None:
        shown = "its value" if form.secret else repr(value)
        raise ValidationError(
            f"{member} must be of the form {form.pattern.pattern}; {shown} is not"
        )
    return value
