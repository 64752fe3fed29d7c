"""External key stores: the API of XKS proxies, from the side of AWS KMS.

Source: AWS KMS External Key Store Proxy API Specification
(https://github.com/aws/aws-kms-xksproxy-api-spec), version 1 of the API. Requests are signed for
the service ``kms-xks-proxy`` of the store's region; their metadata names the operation, the key and
the caller. The caller is the account's root, since no other is known yet.
"""

from __future__ import annotations

import json
import threading
import uuid
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from kmsfast.errors import CustomKeyStoreNotFound, UnsupportedOperation
from kmsfast.external.configuration import Proxy
from kmsfast.external.http import Poster
from kmsfast.external.xks_answers import box_of, check_health, check_key, members_of, plaintext_of
from kmsfast.model.arn import Home
from kmsfast.model.key_store import XksProxy
from kmsfast.model.outside_blob import Box
from kmsfast.service.ports import Clock, Place, Use
from kmsfast.wire.sigv4_sign import Signer, signed_headers

__all__ = ["XksProxies"]

_SERVICE: Final = "kms-xks-proxy"
_ALGORITHM: Final = "AES_GCM"
_HTTPS: Final = "https://"


class XksProxies:
    """The proxies of all external key stores; see :class:`kmsfast.service.ports.Outside`.

    Args:
        proxies: where endpoints are reached, if not where their names lead.
        home: region and account, for signatures and metadata.
    """

    def __init__(self, proxies: Mapping[str, Proxy], home: Home, clock: Clock) -> None:
        self._proxies, self._home, self._clock = proxies, home, clock
        self._posters: dict[str, Poster] = {}
        self._lock = threading.Lock()

    def check(self, place: Place, operation: str) -> None:
        """Passes when the proxy is well; CreateCustomKeyStore and UpdateCustomKeyStore ask."""
        self.connect(place, operation)

    def connect(self, place: Place, operation: str) -> None:
        """Passes when the proxy is well."""
        metadata = {"kmsRequestId": str(uuid.uuid4()), "kmsOperation": operation}
        check_health(self._post(place, "health", {"requestMetadata": metadata}))

    def disconnect(self, key_store_id: str) -> None:
        """Nothing: connections are kept by the endpoint, and time out."""

    def make_key(self, place: Place, name: str, use: Use) -> None:
        """Passes when the external key is there and is one that a key can have."""
        check_key(self._post(place, f"keys/{name}/metadata", {"requestMetadata": self._of(use)}))

    def destroy_key(self, place: Place, name: str) -> None:
        """Nothing: external keys belong to their manager."""

    def seal(self, place: Place, use: Use, plaintext: bytes, aad: bytes) -> Box:
        """Encrypts by the external key."""
        members = {
            "requestMetadata": self._of(use),
            "additionalAuthenticatedData": _text(aad),
            "plaintext": _text(plaintext),
            "encryptionAlgorithm": _ALGORITHM,
            "ciphertextDataIntegrityValueAlgorithm": "SHA_256",
        }
        return box_of(self._post(place, f"keys/{use.name}/encrypt", members), len(plaintext), aad)

    def open(self, place: Place, use: Use, box: Box, aad: bytes) -> bytes:
        """Decrypts by the external key."""
        members = {
            "requestMetadata": self._of(use),
            "additionalAuthenticatedData": _text(aad),
            "ciphertext": _text(box.ciphertext),
            "encryptionAlgorithm": _ALGORITHM,
            "initializationVector": _text(box.nonce),
            "authenticationTag": _text(box.tag),
        }
        if box.metadata:
            members["ciphertextMetadata"] = _text(box.metadata)
        answer = self._post(place, f"keys/{use.name}/decrypt", members)
        return plaintext_of(answer, len(box.ciphertext))

    def random(self, place: Place, num_bytes: int) -> bytes:
        """Never: proxies have no such call.

        Raises:
            UnsupportedOperation: always.
        """
        raise UnsupportedOperation(
            f"Custom key store {place.store.id} is an external key store; random bytes come from "
            f"CloudHSM key stores alone, so no {num_bytes} bytes were made"
        )

    def close(self) -> None:
        """Ends all connections."""
        with self._lock:
            posters, self._posters = self._posters, {}
        for each in posters.values():
            each.close()

    def _post(self, place: Place, call: str, members: Mapping[str, Any]) -> dict[str, Any]:
        proxy = place.store.proxy
        if proxy is None:
            raise CustomKeyStoreNotFound(f"{place.store.id} is no external key store")
        host, path = proxy.endpoint.removeprefix(_HTTPS), f"{proxy.path}/{call}"
        body = json.dumps(members, separators=(",", ":")).encode()
        with place.secret() as secret:
            signer = Signer(proxy.access_key_id, secret, self._home.region, _SERVICE)
            now = datetime.fromtimestamp(self._clock(), UTC)
            headers = signed_headers(signer, now, host, path, body)
        headers["Content-Type"] = "application/json"
        return members_of(self._poster(proxy, host).post(path, headers, body))

    def _poster(self, proxy: XksProxy, host: str) -> Poster:
        with self._lock:
            found = self._posters.get(proxy.endpoint)
            if found is None:
                reached = self._proxies.get(proxy.endpoint) or Proxy(host, 443)
                found = self._posters[proxy.endpoint] = Poster(reached, host)
            return found

    def _of(self, use: Use) -> dict[str, str]:
        """The metadata of a request."""
        known = {
            "awsPrincipalArn": f"arn:{self._home.partition}:iam::{self._home.account}:root",
            "kmsOperation": use.operation,
            "kmsRequestId": str(uuid.uuid4()),
        }
        return known if use.key_arn is None else {**known, "kmsKeyArn": use.key_arn}


def _text(data: bytes) -> str:
    return b64encode(data).decode()
