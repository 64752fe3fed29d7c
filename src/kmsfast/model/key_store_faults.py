"""How calls to a token or to an external key store proxy fail, and what AWS KMS says then.

Rules:
- the table has, for each way to fail, AWS's words, the error of operations on the key store, the
  error of CreateKey, and the connection error code (XKS proxy API specification, Error codes;
  Developer Guide, Troubleshooting external key stores; API reference, CustomKeyStoresListEntry);
- cryptographic operations answer KMSInvalidStateException for all of them, with the same words;
- nothing that a proxy or token says is repeated to clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from kmsfast.errors import (
    ClusterInvalidConfiguration,
    ClusterNotActive,
    ClusterNotFound,
    CustomKeyStoreInvalidState,
    InvalidState,
    KmsError,
    XksKeyInvalidConfiguration,
    XksKeyNotFound,
    XksProxyIncorrectCredential,
    XksProxyInvalidConfiguration,
    XksProxyInvalidResponse,
    XksProxyUriUnreachable,
)

__all__ = ["Fault", "OutsideFailed"]


class Fault(StrEnum):
    """A way to fail; those that a proxy reports have the names that it uses."""

    # The proxy's own (specification, Error codes).
    VALIDATION = "ValidationException"
    KEY_STATE = "InvalidStateException"
    CIPHERTEXT = "InvalidCiphertextException"
    KEY_USAGE = "InvalidKeyUsageException"
    AUTHENTICATION = "AuthenticationFailedException"
    ACCESS = "AccessDeniedException"
    KEY_NOT_FOUND = "KeyNotFoundException"
    PATH = "InvalidUriPathException"
    THROTTLED = "ThrottlingException"
    UNSUPPORTED = "UnsupportedOperationException"
    DEPENDENCY = "DependencyTimeoutException"
    INTERNAL = "InternalException"
    # Found here, on the way to a proxy.
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMED_OUT = "timed out"
    MALFORMED = "malformed response"
    UNAVAILABLE = "all key managers unavailable"
    INNER = "inner ciphertext"
    # Of a token.
    CLUSTER = "no such cluster"
    NO_TOKEN = "token absent"  # noqa: S105 - the name of a fault
    CREDENTIALS = "wrong password"
    LOCKED_OUT = "user locked out"
    NO_USER = "no user"
    LOGGED_IN = "user logged in"
    MECHANISM = "mechanism missing"
    TOKEN = "token failed"  # noqa: S105 - the name of a fault
    TOKEN_KEY = "key not in token"  # noqa: S105 - the name of a fault


class _Meaning(NamedTuple):
    words: str
    managing: type[KmsError]
    creating_key: type[KmsError]
    connection: str


_PROXY: Final = "The external key store proxy "
_REPEATED: Final = (
    "If you see this error repeatedly, report it to your external key store proxy administrator."
)
_UNREADABLE: Final = (
    f"AWS KMS cannot interpret the response from the external key store proxy. {_REPEATED}"
)
_UNREACHABLE: Final = (
    "AWS KMS cannot communicate with the external key store proxy. This might be a transient "
    "network issue. If you see this error repeatedly, verify that your external key store proxy is "
    "active and is connected to the network, and that its endpoint URI is correct in your external "
    "key store."
)


def _unreachable(words: str, code: str = "XKS_PROXY_NOT_REACHABLE") -> _Meaning:
    return _Meaning(words, XksProxyUriUnreachable, CustomKeyStoreInvalidState, code)


def _invalid(words: str) -> _Meaning:
    return _Meaning(
        words, XksProxyInvalidResponse, CustomKeyStoreInvalidState, "XKS_PROXY_INVALID_RESPONSE"
    )


def _bad_key(words: str, creating_key: type[KmsError] = XksKeyInvalidConfiguration) -> _Meaning:
    return _Meaning(words, XksProxyInvalidResponse, creating_key, "XKS_PROXY_INVALID_RESPONSE")


def _token(
    words: str,
    code: str,
    managing: type[KmsError] = ClusterInvalidConfiguration,
    creating_key: type[KmsError] = ClusterInvalidConfiguration,
) -> _Meaning:
    return _Meaning(words, managing, creating_key, code)


_MEANINGS: Final[Mapping[Fault, _Meaning]] = {
    Fault.VALIDATION: _invalid(_UNREADABLE),
    Fault.KEY_STATE: _bad_key(
        "The external key associated with this KMS key in an external key store is not enabled in "
        "the external key manager. Enable the external key in the external key manager and retry "
        "the request."
    ),
    Fault.CIPHERTEXT: _invalid(
        f"{_PROXY}rejected the request because the specified ciphertext or encryption context is "
        "corrupted, missing, or otherwise invalid."
    ),
    Fault.KEY_USAGE: _bad_key(
        "The external key associated with this KMS key in an external key store does not support "
        "the requested operation. Enable the operation on the key in your external key manager, "
        "and try the request again."
    ),
    Fault.AUTHENTICATION: _Meaning(
        f"{_PROXY}rejected the request because it could not authenticate AWS KMS. Verify the XKS "
        "proxy authentication credentials for your external key store and update if necessary.",
        XksProxyIncorrectCredential,
        CustomKeyStoreInvalidState,
        "INVALID_CREDENTIALS",
    ),
    Fault.ACCESS: _Meaning(
        f"{_PROXY}denied access to the operation. Verify that the user and the external key are "
        "both authorized for this operation, and try the request again.",
        XksProxyInvalidConfiguration,
        InvalidState,
        "XKS_PROXY_ACCESS_DENIED",
    ),
    Fault.KEY_NOT_FOUND: _bad_key(
        "The external key associated with this KMS key in an external key store was not found in "
        "its external key manager. If the external key ID associated with this KMS key is "
        "incorrect, create a new KMS key with the correct external key ID.",
        XksKeyNotFound,
    ),
    Fault.PATH: _Meaning(
        f"{_PROXY}rejected the request because of an invalid URI path. Verify the URI path for "
        "your external key store and update if necessary.",
        XksProxyInvalidConfiguration,
        CustomKeyStoreInvalidState,
        "XKS_PROXY_INVALID_CONFIGURATION",
    ),
    Fault.THROTTLED: _unreachable(
        f"{_PROXY}rejected the request due to a very high request rate. Reduce the frequency of "
        "your calls using KMS keys in this external key store."
    ),
    Fault.UNSUPPORTED: _invalid(
        f"{_PROXY}rejected the request because it does not support the requested operation. "
        + _REPEATED
    ),
    Fault.DEPENDENCY: _unreachable(
        f"{_PROXY}did not respond to the request in the time allotted. Retry the request. "
        + _REPEATED,
        "XKS_PROXY_TIMED_OUT",
    ),
    Fault.INTERNAL: _invalid(
        f"{_PROXY}rejected the request because it cannot communicate with the external key "
        "manager. Verify that the external key store proxy configuration is correct and that the "
        "external key manager is available."
    ),
    Fault.UNREACHABLE: _unreachable(_UNREACHABLE),
    Fault.TLS: _unreachable(
        "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS "
        "configuration, including its certificate.",
        "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    ),
    Fault.TIMED_OUT: _unreachable(
        "AWS KMS rejected the request because the external key store proxy did not respond in "
        f"time. Retry the request. {_REPEATED}",
        "XKS_PROXY_TIMED_OUT",
    ),
    Fault.MALFORMED: _invalid(_UNREADABLE),
    Fault.UNAVAILABLE: _unreachable(_UNREACHABLE),
    Fault.INNER: _invalid(
        "The ciphertext that the external key store proxy submitted for decryption, or the "
        "encryption context, is corrupted, missing, or otherwise invalid."
    ),
    Fault.CLUSTER: _token(
        "No PKCS#11 token is configured for the CloudHSM cluster of this custom key store.",
        "CLUSTER_NOT_FOUND",
        ClusterNotFound,
    ),
    Fault.NO_TOKEN: _token(
        "The CloudHSM cluster of this custom key store has no active HSM: its PKCS#11 token is not "
        "there, or its module cannot be loaded.",
        "INSUFFICIENT_CLOUDHSM_HSMS",
        ClusterNotActive,
    ),
    Fault.CREDENTIALS: _token(
        "The password of this custom key store is not that of the user of its CloudHSM cluster.",
        "INVALID_CREDENTIALS",
    ),
    Fault.LOCKED_OUT: _token(
        "The user of the CloudHSM cluster of this custom key store is locked out.",
        "USER_LOCKED_OUT",
    ),
    Fault.NO_USER: _token(
        "The CloudHSM cluster of this custom key store has no user: no user PIN was set.",
        "USER_NOT_FOUND",
    ),
    Fault.LOGGED_IN: _token(
        "The user of the CloudHSM cluster of this custom key store is logged in elsewhere in this "
        "process.",
        "USER_LOGGED_IN",
    ),
    Fault.MECHANISM: _token(
        "The CloudHSM cluster of this custom key store does not offer AES key generation and "
        "AES-GCM.",
        "INTERNAL_ERROR",
    ),
    Fault.TOKEN: _token(
        "The CloudHSM cluster of this custom key store failed. Reconnect the custom key store and "
        "try the request again.",
        "INTERNAL_ERROR",
    ),
    Fault.TOKEN_KEY: _token(
        "The key material of this KMS key is not in the CloudHSM cluster of its custom key store.",
        "INTERNAL_ERROR",
    ),
}


class OutsideFailed(InvalidState):
    """A call to a token or proxy failed; as it is, the error of a cryptographic operation.

    Attributes:
        fault: how.
        detail: for CreateKey, what exactly is wrong with the external key.
    """

    def __init__(self, fault: Fault, detail: str = "", *, hint: str = "") -> None:
        self.fault, self.detail = fault, detail
        self._meaning = _MEANINGS[fault]
        super().__init__(self._meaning.words, hint=hint)

    @property
    def connection_error(self) -> str:
        """The connection error code."""
        return self._meaning.connection

    def managing(self) -> KmsError:
        """The error of CreateCustomKeyStore and UpdateCustomKeyStore."""
        return self._meaning.managing(self.message, hint=self.hint)

    def creating_key(self) -> KmsError:
        """The error of CreateKey."""
        return self._meaning.creating_key(self.detail or self.message, hint=self.hint)
