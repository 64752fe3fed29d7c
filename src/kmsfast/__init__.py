"""kmsfast: the semantics of AWS KMS on your own machine, with a batched crypto core in C.

Names are imported when they are first used, so that ``kmsfast --help`` does not wait for numpy,
SQLite and the C core's self-test.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmsfast.client import connect, connect_async
    from kmsfast.crypto.column import Packed
    from kmsfast.errors import (
        AccessDenied,
        AliasExists,
        ArenaFull,
        AwsManaged,
        BatchError,
        ClusterInUse,
        ClusterInvalidConfiguration,
        ClusterNotActive,
        ClusterNotFound,
        ClusterNotRelated,
        ComputationFault,
        ContextError,
        CustomKeyStoreHasKeys,
        CustomKeyStoreInvalidState,
        CustomKeyStoreNameInUse,
        CustomKeyStoreNotFound,
        DependencyTimeout,
        ExpiredImportToken,
        FrameError,
        GrantNotFound,
        IncorrectKey,
        IncorrectKeyMaterial,
        IncorrectTrustAnchor,
        InvalidAliasName,
        InvalidArn,
        InvalidCiphertext,
        InvalidGrantId,
        InvalidGrantToken,
        InvalidImportToken,
        InvalidKeyId,
        InvalidKeyUsage,
        InvalidMac,
        InvalidSignature,
        InvalidState,
        KeyDisabled,
        KeyNotFound,
        KmsError,
        LimitExceeded,
        MalformedPolicyDocument,
        NotAuthorized,
        ProtocolError,
        ReplicaExists,
        RootKeyMissing,
        RootKeyWrong,
        SelfTestFailed,
        ServerUnreachable,
        StoreBusy,
        StoreExists,
        StoreForked,
        StoreIntegrity,
        StoreNotFound,
        StoreUnusable,
        TagError,
        UnsupportedOperation,
        ValidationError,
        XksKeyAlreadyInUse,
        XksKeyInvalidConfiguration,
        XksKeyNotFound,
        XksProxyIncorrectCredential,
        XksProxyInvalidConfiguration,
        XksProxyInvalidResponse,
        XksProxyUriInUse,
        XksProxyUriUnreachable,
        XksProxyVpcEndpointServiceNotFound,
    )
    from kmsfast.local import (
        BatchResult,
        DataKey,
        Key,
        Kms,
        Passphrase,
        RootKeyFile,
        SealedBatch,
        inspect,
        open,  # noqa: A004 - kmsfast.open is to a store what open is to a file
    )
    from kmsfast.model.alias import Alias
    from kmsfast.model.blob_info import BlobInfo
    from kmsfast.model.imports import ExpirationModel, ImportType
    from kmsfast.model.key import KeyManager, KeyState, KeyVersion, RotationStatus
    from kmsfast.model.key_store import (
        Backing,
        ConnectionState,
        CustomKeyStore,
        KeyStoreType,
        ProxyCredential,
    )
    from kmsfast.model.keyspec import KeySpec, KeyUsage, Origin
    from kmsfast.model.message import MessageType
    from kmsfast.model.policy_grant import Grant
    from kmsfast.model.usage import KeyUse, LastUsage
    from kmsfast.service.asymmetric import DataKeyPair
    from kmsfast.service.encapsulation import Encapsulated
    from kmsfast.service.grants import IssuedGrant
    from kmsfast.service.importing import ImportedMaterial, ImportParameters
    from kmsfast.service.verification import verify_batch

__all__ = [
    "AccessDenied",
    "Alias",
    "AliasExists",
    "ArenaFull",
    "AwsManaged",
    "Backing",
    "BatchError",
    "BatchResult",
    "BlobInfo",
    "ClusterInUse",
    "ClusterInvalidConfiguration",
    "ClusterNotActive",
    "ClusterNotFound",
    "ClusterNotRelated",
    "ComputationFault",
    "ConnectionState",
    "ContextError",
    "CustomKeyStore",
    "CustomKeyStoreHasKeys",
    "CustomKeyStoreInvalidState",
    "CustomKeyStoreNameInUse",
    "CustomKeyStoreNotFound",
    "DataKey",
    "DataKeyPair",
    "DependencyTimeout",
    "Encapsulated",
    "ExpirationModel",
    "ExpiredImportToken",
    "FrameError",
    "Grant",
    "GrantNotFound",
    "ImportParameters",
    "ImportType",
    "ImportedMaterial",
    "IncorrectKey",
    "IncorrectKeyMaterial",
    "IncorrectTrustAnchor",
    "InvalidAliasName",
    "InvalidArn",
    "InvalidCiphertext",
    "InvalidGrantId",
    "InvalidGrantToken",
    "InvalidImportToken",
    "InvalidKeyId",
    "InvalidKeyUsage",
    "InvalidMac",
    "InvalidSignature",
    "InvalidState",
    "IssuedGrant",
    "Key",
    "KeyDisabled",
    "KeyManager",
    "KeyNotFound",
    "KeySpec",
    "KeyState",
    "KeyStoreType",
    "KeyUsage",
    "KeyUse",
    "KeyVersion",
    "Kms",
    "KmsError",
    "LastUsage",
    "LimitExceeded",
    "MalformedPolicyDocument",
    "MessageType",
    "NotAuthorized",
    "Origin",
    "Packed",
    "Passphrase",
    "ProtocolError",
    "ProxyCredential",
    "ReplicaExists",
    "RootKeyFile",
    "RootKeyMissing",
    "RootKeyWrong",
    "RotationStatus",
    "SealedBatch",
    "SelfTestFailed",
    "ServerUnreachable",
    "StoreBusy",
    "StoreExists",
    "StoreForked",
    "StoreIntegrity",
    "StoreNotFound",
    "StoreUnusable",
    "TagError",
    "UnsupportedOperation",
    "ValidationError",
    "XksKeyAlreadyInUse",
    "XksKeyInvalidConfiguration",
    "XksKeyNotFound",
    "XksProxyIncorrectCredential",
    "XksProxyInvalidConfiguration",
    "XksProxyInvalidResponse",
    "XksProxyUriInUse",
    "XksProxyUriUnreachable",
    "XksProxyVpcEndpointServiceNotFound",
    "connect",
    "connect_async",
    "inspect",
    "open",
    "verify_batch",
]

_ELSEWHERE = {
    "connect": "kmsfast.client",
    "connect_async": "kmsfast.client",
    "ProxyCredential": "kmsfast.model.key_store",
    "KeyStoreType": "kmsfast.model.key_store",
    "CustomKeyStore": "kmsfast.model.key_store",
    "ConnectionState": "kmsfast.model.key_store",
    "Backing": "kmsfast.model.key_store",
    "Alias": "kmsfast.model.alias",
    "BlobInfo": "kmsfast.model.blob_info",
    "ExpirationModel": "kmsfast.model.imports",
    "Grant": "kmsfast.model.policy_grant",
    "ImportParameters": "kmsfast.service.importing",
    "ImportType": "kmsfast.model.imports",
    "KeyUse": "kmsfast.model.usage",
    "LastUsage": "kmsfast.model.usage",
    "ImportedMaterial": "kmsfast.service.importing",
    "DataKeyPair": "kmsfast.service.asymmetric",
    "Encapsulated": "kmsfast.service.encapsulation",
    "IssuedGrant": "kmsfast.service.grants",
    "KeySpec": "kmsfast.model.keyspec",
    "KeyManager": "kmsfast.model.key",
    "KeyState": "kmsfast.model.key",
    "KeyUsage": "kmsfast.model.keyspec",
    "KeyVersion": "kmsfast.model.key",
    "MessageType": "kmsfast.model.message",
    "Origin": "kmsfast.model.keyspec",
    "Packed": "kmsfast.crypto.column",
    "RotationStatus": "kmsfast.model.key",
    "verify_batch": "kmsfast.service.verification",
}
_LOCAL = frozenset(
    {"BatchResult", "DataKey", "Key", "Kms", "Passphrase", "RootKeyFile", "SealedBatch",
     "inspect", "open"}
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'kmsfast' has no attribute {name!r}")
    module = "kmsfast.local" if name in _LOCAL else _ELSEWHERE.get(name, "kmsfast.errors")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
