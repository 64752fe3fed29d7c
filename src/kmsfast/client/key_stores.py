"""Custom key stores of a key store behind a server.

Rules: those of :mod:`.keys`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kmsfast.client.calls import Call, method
from kmsfast.client.naming import as_said, every, instant, named
from kmsfast.model.key_store import (
    ConnectionState,
    Connectivity,
    CustomKeyStore,
    KeyStoreType,
    ProxyCredential,
    XksProxy,
)

__all__ = ["KeyStoreCalls"]


class KeyStoreCalls:
    """The part of a key store for custom key stores."""

    @method
    def create_custom_key_store(
        self,
        name: str,
        *,
        type: str = KeyStoreType.AWS_CLOUDHSM,  # noqa: A002 - as AWS and CustomKeyStore name it
        cluster_id: str | None = None,
        password: str | None = None,
        trust_anchor: str | None = None,
        uri_endpoint: str | None = None,
        uri_path: str | None = None,
        credential: ProxyCredential | None = None,
        connectivity: str | None = None,
    ) -> Call[CustomKeyStore]:
        """A new custom key store; see :meth:`kmsfast.Kms.create_custom_key_store`."""
        if type == KeyStoreType.EXTERNAL_KEY_STORE and connectivity is None:
            connectivity = Connectivity.PUBLIC_ENDPOINT
        answer = yield from named(
            "CreateCustomKeyStore", CustomKeyStoreName=name, CustomKeyStoreType=str(type),
            CloudHsmClusterId=cluster_id, KeyStorePassword=password,
            TrustAnchorCertificate=trust_anchor, XksProxyUriEndpoint=uri_endpoint,
            XksProxyUriPath=uri_path, XksProxyAuthenticationCredential=_said(credential),
            XksProxyConnectivity=None if connectivity is None else str(connectivity),
        )  # fmt: skip
        return (yield from _found(answer["CustomKeyStoreId"]))

    @method
    def custom_key_stores(self) -> Call[list[CustomKeyStore]]:
        """All custom key stores, by id."""
        found = yield from every("DescribeCustomKeyStores", "CustomKeyStores")
        return [_read(each) for each in found]

    @method
    def custom_key_store(self, key_store_id: str) -> Call[CustomKeyStore]:
        """The custom key store of an id."""
        return (yield from _found(key_store_id))

    @method
    def update_custom_key_store(
        self,
        key_store_id: str,
        *,
        new_name: str | None = None,
        cluster_id: str | None = None,
        password: str | None = None,
        uri_endpoint: str | None = None,
        uri_path: str | None = None,
        credential: ProxyCredential | None = None,
        connectivity: str | None = None,
    ) -> Call[None]:
        """Other properties; the name, the path and the credential also while it is connected."""
        yield from named(
            "UpdateCustomKeyStore", CustomKeyStoreId=key_store_id, NewCustomKeyStoreName=new_name,
            CloudHsmClusterId=cluster_id, KeyStorePassword=password,
            XksProxyUriEndpoint=uri_endpoint, XksProxyUriPath=uri_path,
            XksProxyAuthenticationCredential=_said(credential),
            XksProxyConnectivity=None if connectivity is None else str(connectivity),
        )  # fmt: skip

    @method
    def delete_custom_key_store(self, key_store_id: str) -> Call[None]:
        """Removes a custom key store that is disconnected and has no keys."""
        yield from named("DeleteCustomKeyStore", CustomKeyStoreId=key_store_id)

    @method
    def connect_custom_key_store(self, key_store_id: str) -> Call[CustomKeyStore]:
        """Connects it. ``state`` of the result is CONNECTED, or FAILED with the ``error`` why."""
        yield from named("ConnectCustomKeyStore", CustomKeyStoreId=key_store_id)
        return (yield from _found(key_store_id))

    @method
    def disconnect_custom_key_store(self, key_store_id: str) -> Call[None]:
        """Makes its keys unavailable until it is connected again."""
        yield from named("DisconnectCustomKeyStore", CustomKeyStoreId=key_store_id)


def _found(key_store_id: str) -> Call[CustomKeyStore]:
    answer = yield from named("DescribeCustomKeyStores", CustomKeyStoreId=key_store_id)
    return _first(answer["CustomKeyStores"])


def _said(credential: ProxyCredential | None) -> dict[str, str] | None:
    if credential is None:
        return None
    return {
        "AccessKeyId": credential.access_key_id,
        "RawSecretAccessKey": credential.secret_access_key,
    }


@as_said
def _first(found: Any) -> CustomKeyStore:
    return _read(found[0])


@as_said
def _read(said: Mapping[str, Any]) -> CustomKeyStore:
    proxy = said.get("XksProxyConfiguration")
    return CustomKeyStore(
        said["CustomKeyStoreId"],
        said["CustomKeyStoreName"],
        KeyStoreType(said["CustomKeyStoreType"]),
        instant(said["CreationDate"]),
        ConnectionState(said["ConnectionState"]),
        said.get("ConnectionErrorCode"),
        said.get("CloudHsmClusterId"),
        said.get("TrustAnchorCertificate"),
        None
        if proxy is None
        else XksProxy(proxy["UriEndpoint"], proxy["UriPath"], proxy["AccessKeyId"]),
    )
