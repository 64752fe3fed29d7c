"""Custom key stores."""

from __future__ import annotations

from typing import Any, Final

from kmsfast.app import Application
from kmsfast.errors import ValidationError
from kmsfast.model.key_store import (
    ConnectionState,
    Connectivity,
    CustomKeyStore,
    KeyStoreType,
    ProxyCredential,
)
from kmsfast.operations.pages import Listing
from kmsfast.operations.requests import Given, Operation, Result
from kmsfast.service.key_stores import Properties

__all__ = ["OPERATIONS"]

_KEY_STORES: Final[Listing[CustomKeyStore]] = Listing(
    "CustomKeyStores", lambda store: store.id, 100, 1000
)


def create_custom_key_store(app: Application, given: Given) -> Result:
    """A new custom key store, not connected."""
    kind = given.get("CustomKeyStoreType", KeyStoreType.AWS_CLOUDHSM)
    made = app.key_stores.create(given["CustomKeyStoreName"], kind, _properties(given))
    return {"CustomKeyStoreId": made.id}


def describe_custom_key_stores(app: Application, given: Given) -> Result:
    """All custom key stores, or one."""
    if "CustomKeyStoreId" in given and "CustomKeyStoreName" in given:
        raise ValidationError(
            "You cannot specify both CustomKeyStoreId and CustomKeyStoreName in the same request."
        )
    if "CustomKeyStoreId" in given:
        stores = [app.key_stores.find(given["CustomKeyStoreId"])]
    elif "CustomKeyStoreName" in given:
        stores = [app.key_stores.named(given["CustomKeyStoreName"])]
    else:
        stores = app.key_stores.all()
    return _KEY_STORES.page(app, given, stores, _shown)


def update_custom_key_store(app: Application, given: Given) -> Result:
    """Other properties of a custom key store."""
    app.key_stores.update(
        given["CustomKeyStoreId"], given.get("NewCustomKeyStoreName"), _properties(given)
    )
    return {}


def delete_custom_key_store(app: Application, given: Given) -> Result:
    """Removes a custom key store without keys."""
    app.key_stores.delete(given["CustomKeyStoreId"])
    return {}


def connect_custom_key_store(app: Application, given: Given) -> Result:
    """Connects a custom key store; its connection state says how that went."""
    app.key_stores.connect(given["CustomKeyStoreId"])
    return {}


def disconnect_custom_key_store(app: Application, given: Given) -> Result:
    """Disconnects a custom key store; its keys are unavailable then."""
    app.key_stores.disconnect(given["CustomKeyStoreId"])
    return {}


OPERATIONS: Final = {
    "CreateCustomKeyStore": Operation(create_custom_key_store),
    "DescribeCustomKeyStores": Operation(describe_custom_key_stores),
    "UpdateCustomKeyStore": Operation(update_custom_key_store),
    "DeleteCustomKeyStore": Operation(delete_custom_key_store),
    "ConnectCustomKeyStore": Operation(connect_custom_key_store),
    "DisconnectCustomKeyStore": Operation(disconnect_custom_key_store),
}

_VPC: Final = ("XksProxyVpcEndpointServiceName", "XksProxyVpcEndpointServiceOwner")


def _properties(given: Given) -> Properties:
    """What a request says of a custom key store.

    A VPC endpoint service is refused as such (:func:`kmsfast.model.key_store.checked_proxy`), also
    where it is only named.
    """
    credential = given.get("XksProxyAuthenticationCredential")
    connectivity = given.get("XksProxyConnectivity")
    if any(name in given for name in _VPC):
        connectivity = Connectivity.VPC_ENDPOINT_SERVICE
    return Properties(
        cluster_id=given.get("CloudHsmClusterId"),
        password=given.get("KeyStorePassword"),
        trust_anchor=given.get("TrustAnchorCertificate"),
        uri_endpoint=given.get("XksProxyUriEndpoint"),
        uri_path=given.get("XksProxyUriPath"),
        credential=None
        if credential is None
        else ProxyCredential(credential["AccessKeyId"], credential["RawSecretAccessKey"]),
        connectivity=connectivity,
    )


def _shown(store: CustomKeyStore) -> dict[str, Any]:
    failed = store.state is ConnectionState.FAILED
    return {
        "CustomKeyStoreId": store.id,
        "CustomKeyStoreName": store.name,
        "CloudHsmClusterId": store.cluster_id,
        "TrustAnchorCertificate": store.trust_anchor,
        "ConnectionState": store.state.value,
        "ConnectionErrorCode": store.error if failed else None,
        "CreationDate": store.created_at,
        "CustomKeyStoreType": store.type.value,
        "XksProxyConfiguration": None
        if store.proxy is None
        else {
            "Connectivity": Connectivity.PUBLIC_ENDPOINT.value,
            "AccessKeyId": store.proxy.access_key_id,
            "UriEndpoint": store.proxy.endpoint,
            "UriPath": store.proxy.path,
        },
    }
