"""Custom key stores of an open key store (docs/custom-key-stores.md).

Rules: those of :mod:`kmsfast.local`.
"""

from __future__ import annotations

from typing import Final

from kmsfast import app
from kmsfast.doors import Door, Outcome
from kmsfast.local.members import Member
from kmsfast.local.recorded import operation
from kmsfast.model.key_store import Connectivity, CustomKeyStore, KeyStoreType, ProxyCredential

__all__ = ["KeyStoreUses"]

_STORE: Final[dict[str, Member]] = {"key_store_id": "CustomKeyStoreId"}
# Neither password, nor trust anchor, nor the proxy's credential.
_PROPERTIES: Final[dict[str, Member]] = {
    "cluster_id": "CloudHsmClusterId",
    "uri_endpoint": "XksProxyUriEndpoint",
    "uri_path": "XksProxyUriPath",
    "connectivity": "XksProxyConnectivity",
}


def _of_store(made: CustomKeyStore) -> Outcome:
    return Outcome({"CustomKeyStoreId": made.id})


def _of_connection(made: CustomKeyStore) -> Outcome:
    return Outcome({"ConnectionState": str(made.state)})


class KeyStoreUses:
    """The part of :class:`kmsfast.Kms` for custom key stores."""

    _app: app.Application
    _door: Door

    @operation(
        "CreateCustomKeyStore",
        members={"name": "CustomKeyStoreName", "type": "CustomKeyStoreType", **_PROPERTIES},
        outcome=_of_store,
    )
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
    ) -> CustomKeyStore:
        """A new custom key store; connect it before keys are made in it.

        Args:
            type: AWS_CLOUDHSM (a PKCS#11 token, which the operator configures) or
                EXTERNAL_KEY_STORE (an XKS proxy).
            cluster_id: of the CloudHSM cluster that the token stands for.
            password: the PIN of the token's user, 7 to 32 characters.
            trust_anchor: the cluster's certificate, PEM.
            uri_endpoint: ``https://`` and the proxy's host.
            uri_path: ends with ``/kms/xks/v1``.
            credential: signs requests to the proxy.
            connectivity: of an external key store; PUBLIC_ENDPOINT, which is the default.

        Raises:
            ValidationError: a member is missing, malformed, or of the other type.
            CustomKeyStoreNameInUse, ClusterInUse, XksProxyUriInUse, LimitExceeded: taken.
            ClusterNotFound, ClusterNotActive, IncorrectTrustAnchor, XksProxyUriUnreachable and the
            like: the token or the proxy cannot be one.
        """
        from kmsfast.service.key_stores import Properties

        if type == KeyStoreType.EXTERNAL_KEY_STORE and connectivity is None:
            connectivity = Connectivity.PUBLIC_ENDPOINT
        properties = Properties(
            cluster_id, password, trust_anchor, uri_endpoint, uri_path, credential, connectivity
        )
        return self._app.key_stores.create(name, type, properties)

    @operation("DescribeCustomKeyStores")
    def custom_key_stores(self) -> list[CustomKeyStore]:
        """All custom key stores, by id."""
        return self._app.key_stores.all()

    @operation("DescribeCustomKeyStores", members=_STORE)
    def custom_key_store(self, key_store_id: str) -> CustomKeyStore:
        """The custom key store of an id.

        Raises:
            CustomKeyStoreNotFound: there is none.
        """
        return self._app.key_stores.find(key_store_id)

    @operation(
        "UpdateCustomKeyStore",
        members={**_STORE, "new_name": "NewCustomKeyStoreName", **_PROPERTIES},
    )
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
    ) -> None:
        """Other properties; the name, the path and the credential also while it is connected.

        It raises what :meth:`create_custom_key_store` raises, and

        Raises:
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState: none, or disconnect it first.
        """
        from kmsfast.service.key_stores import Properties

        properties = Properties(
            cluster_id, password, None, uri_endpoint, uri_path, credential, connectivity
        )
        self._app.key_stores.update(key_store_id, new_name, properties)

    @operation("DeleteCustomKeyStore", members=_STORE)
    def delete_custom_key_store(self, key_store_id: str) -> None:
        """Removes a custom key store that is disconnected and has no keys.

        Raises:
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState, CustomKeyStoreHasKeys.
        """
        self._app.key_stores.delete(key_store_id)

    @operation("ConnectCustomKeyStore", members=_STORE, outcome=_of_connection)
    def connect_custom_key_store(self, key_store_id: str) -> CustomKeyStore:
        """Connects it. ``state`` of the result is CONNECTED, or FAILED with the ``error`` why.

        Raises:
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState: none, or it has failed before.
        """
        return self._app.key_stores.connect(key_store_id)

    @operation("DisconnectCustomKeyStore", members=_STORE)
    def disconnect_custom_key_store(self, key_store_id: str) -> None:
        """Makes its keys unavailable until it is connected again.

        Raises:
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState: none, or it is disconnected.
        """
        self._app.key_stores.disconnect(key_store_id)
