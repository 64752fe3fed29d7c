"""The life of custom key stores: one method per operation.

Rules:
- what is outside is asked before the transaction, and what was found is written only if the key
  store is still as it was then;
- members are checked first, then that the key store is there, then its connection state, then what
  is outside, as AWS KMS does;
- a key store is connected, or has failed to be, when the call returns.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kmsfast.crypto.certificates import fingerprint
from kmsfast.errors import (
    ClusterInUse,
    ClusterNotRelated,
    CustomKeyStoreHasKeys,
    CustomKeyStoreInvalidState,
    CustomKeyStoreNameInUse,
    CustomKeyStoreNotFound,
    IncorrectTrustAnchor,
    ValidationError,
    XksProxyUriInUse,
)
from kmsfast.model.key_store import (
    ConnectionState,
    Connectivity,
    CustomKeyStore,
    KeyStoreType,
    ProxyCredential,
    checked_cluster_id,
    checked_key_store_name,
    checked_password,
    checked_proxy,
    require_state,
)
from kmsfast.model.key_store_faults import OutsideFailed
from kmsfast.model.keyspec import enumerated
from kmsfast.model.quotas import exceeded
from kmsfast.service.keyring import Keyring
from kmsfast.service.outside import OutsideKeys, wrap_secret
from kmsfast.service.ports import Reader

__all__ = ["KeyStores", "Properties"]

_CLOUDHSM: Final = ("cluster_id", "password", "trust_anchor")
_XKS: Final = ("uri_endpoint", "uri_path", "credential", "connectivity")
_MEMBERS: Final[Mapping[KeyStoreType, tuple[str, ...]]] = {
    KeyStoreType.AWS_CLOUDHSM: _CLOUDHSM,
    KeyStoreType.EXTERNAL_KEY_STORE: _XKS,
}
_AWS_NAMES: Final = {
    "cluster_id": "CloudHsmClusterId",
    "password": "KeyStorePassword",
    "trust_anchor": "TrustAnchorCertificate",
    "uri_endpoint": "XksProxyUriEndpoint",
    "uri_path": "XksProxyUriPath",
    "credential": "XksProxyAuthenticationCredential",
    "connectivity": "XksProxyConnectivity",
}
# What may be changed while the key store is connected (API reference, UpdateCustomKeyStore).
_WHILE_CONNECTED: Final = frozenset({"credential", "uri_path"})


@dataclass(frozen=True, slots=True, repr=False)
class Properties:
    """What a caller says of a custom key store; None: nothing. Has no repr, for the secrets."""

    cluster_id: str | None = None
    password: str | None = None
    trust_anchor: str | None = None
    uri_endpoint: str | None = None
    uri_path: str | None = None
    credential: ProxyCredential | None = None
    connectivity: str | None = None

    def given(self) -> dict[str, Any]:
        """Those that something was said of."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in found.items() if value is not None}


class KeyStores:
    """The custom key stores of one store."""

    def __init__(self, ring: Keyring, outside: OutsideKeys) -> None:
        self._ring, self._store, self._outside = ring, ring.store, outside

    def all(self) -> list[CustomKeyStore]:
        """All of them, by id."""
        self._ring.check_open()
        with self._store.read() as rows:
            return rows.key_stores()

    def find(self, key_store_id: str) -> CustomKeyStore:
        """The one of that id.

        Raises:
            CustomKeyStoreNotFound: none.
        """
        return self._outside.place(key_store_id).store

    def named(self, name: str) -> CustomKeyStore:
        """The one of that name.

        Raises:
            CustomKeyStoreNotFound: none.
        """
        for each in self.all():
            if each.name == name:
                return each
        raise CustomKeyStoreNotFound(f"Custom key store {name!r} does not exist.")

    def create(self, name: str, kind: str, properties: Properties) -> CustomKeyStore:
        """A new custom key store, not connected.

        Raises:
            ValidationError: members that are missing, malformed, or of the other type.
            CustomKeyStoreNameInUse, ClusterInUse, XksProxyUriInUse, LimitExceeded: taken.
            ClusterNotFound, ClusterNotActive, ClusterInvalidConfiguration, IncorrectTrustAnchor,
            XksProxy...: see :mod:`kmsfast.model.key_store_faults`.
        """
        store, secret = self._new(name, kind, properties)
        wrapped = wrap_secret(self._store.store_key, store.id, secret)
        with self._store.read() as rows:
            self._refuse_taken(rows, store)
        self._check(store, wrapped, "CreateCustomKeyStore")
        with self._store.write() as rows:
            self._refuse_taken(rows, store)
            rows.add_key_store(store, wrapped)
        return store

    def update(self, key_store_id: str, new_name: str | None, properties: Properties) -> None:
        """Other properties.

        Raises:
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState: it is not there, or connected.
            As :meth:`create`, and ClusterNotRelated: the cluster has another certificate.
        """
        given = properties.given()
        before = self.find(key_store_id)
        self._refuse_others(before.type, given)
        if "trust_anchor" in given:
            raise ValidationError("TrustAnchorCertificate cannot be changed")
        states = [ConnectionState.DISCONNECTED]
        if _WHILE_CONNECTED.issuperset(given):
            states.append(ConnectionState.CONNECTED)
        require_state(before, "UpdateCustomKeyStore", *states)
        after, secret = self._changed(before, new_name, properties)
        wrapped = None
        if secret is not None:
            wrapped = wrap_secret(self._store.store_key, after.id, secret)
        with self._store.read() as rows:
            self._refuse_taken(rows, after)
            known = wrapped or rows.key_store_secret(after.id) or b""
        if after.proxy != before.proxy or (after.proxy and secret is not None):
            self._check(after, known, "UpdateCustomKeyStore")
        if after.cluster_id != before.cluster_id:
            self._check_related(after, known)
        self._write(before, after, wrapped)

    def delete(self, key_store_id: str) -> None:
        """Removes a custom key store that is disconnected and has no keys; nothing outside changes.

        Raises:
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState, CustomKeyStoreHasKeys.
        """
        self._ring.purge_due()
        store = self.find(key_store_id)
        require_state(store, "DeleteCustomKeyStore", ConnectionState.DISCONNECTED)
        with self._store.write() as rows:
            _refuse_changed(rows, store)
            if rows.keys_of_store(store.id):
                raise CustomKeyStoreHasKeys(
                    f"Custom key store {store.id} still has KMS keys; schedule their deletion"
                )
            rows.drop_key_store(store.id)
        self._outside.of(store.type).disconnect(store.id)

    def connect(self, key_store_id: str) -> CustomKeyStore:
        """Connects it; its state then says whether that went well, and if not, why.

        Raises:
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState: it has failed before; disconnect it
                first.
        """
        place = self._outside.place(key_store_id)
        before = place.store
        require_state(
            before, "ConnectCustomKeyStore", ConnectionState.DISCONNECTED, ConnectionState.CONNECTED
        )
        try:
            self._outside.of(before.type).connect(place, "ConnectCustomKeyStore")
        except (OutsideFailed, IncorrectTrustAnchor) as failed:
            code = getattr(failed, "connection_error", "INTERNAL_ERROR")
            after = replace(before, state=ConnectionState.FAILED, error=code)
        else:
            after = replace(before, state=ConnectionState.CONNECTED, error=None)
        self._write(before, after, None)
        return after

    def disconnect(self, key_store_id: str) -> None:
        """Its keys cannot be used until it is connected again.

        Raises:
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState: it is disconnected already.
        """
        before = self.find(key_store_id)
        require_state(
            before, "DisconnectCustomKeyStore", ConnectionState.CONNECTED, ConnectionState.FAILED
        )
        self._write(before, replace(before, state=ConnectionState.DISCONNECTED, error=None), None)
        self._outside.of(before.type).disconnect(before.id)

    # ---- within -----------------------------------------------------------------------------

    def _new(self, name: str, kind: str, properties: Properties) -> tuple[CustomKeyStore, str]:
        """The key store that was asked for, and its secret."""
        checked_key_store_name(name)
        known = KeyStoreType(enumerated(kind, list(KeyStoreType), "customKeyStoreType"))
        given = properties.given()
        self._refuse_others(known, given)
        lacking = [_AWS_NAMES[each] for each in _MEMBERS[known] if each not in given]
        if lacking:
            raise ValidationError(
                f"A custom key store of type {known} needs {' and '.join(lacking)}"
            )
        key_store_id = f"cks-{os.urandom(9).hex()[:17]}"
        store = CustomKeyStore(key_store_id, name, known, self._ring.now())
        if known is KeyStoreType.AWS_CLOUDHSM:
            fingerprint(given["trust_anchor"])
            return replace(
                store,
                cluster_id=checked_cluster_id(given["cluster_id"]),
                trust_anchor=given["trust_anchor"],
            ), checked_password(given["password"])
        credential = given["credential"]
        proxy = checked_proxy(
            given["uri_endpoint"], given["uri_path"], credential, given["connectivity"]
        )
        return replace(store, proxy=proxy), credential.secret_access_key

    def _changed(
        self, before: CustomKeyStore, new_name: str | None, properties: Properties
    ) -> tuple[CustomKeyStore, str | None]:
        """The key store as it is to be, and its new secret if there is one."""
        after = before
        if new_name is not None:
            after = replace(before, name=checked_key_store_name(new_name))
        if before.proxy is None:
            if properties.cluster_id is not None:
                after = replace(after, cluster_id=checked_cluster_id(properties.cluster_id))
            password = properties.password
            return after, None if password is None else checked_password(password)
        proxy, credential = before.proxy, properties.credential
        if properties.given():
            filler = ProxyCredential(proxy.access_key_id, "=" * 43)  # the secret stays as it is
            proxy = checked_proxy(
                properties.uri_endpoint or proxy.endpoint,
                properties.uri_path or proxy.path,
                credential or filler,
                properties.connectivity or Connectivity.PUBLIC_ENDPOINT,
            )
        secret = None if credential is None else credential.secret_access_key
        return replace(after, proxy=proxy), secret

    def _refuse_others(self, kind: KeyStoreType, given: Mapping[str, Any]) -> None:
        others = [_AWS_NAMES[name] for name in given if name not in _MEMBERS[kind]]
        if others:
            raise ValidationError(
                f"{' and '.join(others)} cannot be given for a custom key store of type {kind}"
            )

    def _refuse_taken(self, rows: Reader, store: CustomKeyStore) -> None:
        """Passes when no other key store has what only one can have."""
        others = [each for each in rows.key_stores() if each.id != store.id]
        quota = self._ring.quotas.custom_key_stores
        if len(others) >= quota:
            raise exceeded("Custom key store", quota, len(others))
        for each in others:
            if each.name == store.name:
                raise CustomKeyStoreNameInUse(
                    f"The name {store.name!r} is that of custom key store {each.id}"
                )
            if store.cluster_id is not None and each.cluster_id == store.cluster_id:
                raise ClusterInUse(
                    f"CloudHSM cluster {store.cluster_id} is that of custom key store {each.id}"
                )
            if store.proxy and each.proxy and each.proxy.uri == store.proxy.uri:
                raise XksProxyUriInUse(
                    f"The proxy at {store.proxy.uri} is that of custom key store {each.id}"
                )

    def _check(self, store: CustomKeyStore, wrapped: bytes, operation: str) -> None:
        try:
            self._outside.of(store.type).check(self._outside.placed(store, wrapped), operation)
        except OutsideFailed as failed:
            raise failed.managing() from failed

    def _check_related(self, store: CustomKeyStore, wrapped: bytes) -> None:
        try:
            self._check(store, wrapped, "UpdateCustomKeyStore")
        except IncorrectTrustAnchor as error:
            raise ClusterNotRelated(
                f"CloudHSM cluster {store.cluster_id} has another certificate than the one that "
                "the custom key store was made with"
            ) from error

    def _write(self, before: CustomKeyStore, after: CustomKeyStore, wrapped: bytes | None) -> None:
        with self._store.write() as rows:
            _refuse_changed(rows, before)
            self._refuse_taken(rows, after)
            rows.save_key_store(after, wrapped)


def _refuse_changed(rows: Reader, before: CustomKeyStore) -> None:
    """Passes when the key store is as it was when what is outside was asked."""
    if before not in rows.key_stores():
        raise CustomKeyStoreInvalidState(
            f"Custom key store {before.id} was changed meanwhile; try again"
        )
