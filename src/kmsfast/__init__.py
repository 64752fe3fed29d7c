"""kmsfast: the semantics of AWS KMS on your own machine, with a batched crypto core in C.

Names are imported when they are first used, so that ``kmsfast --help`` does not wait for numpy,
SQLite and the C core's self-test.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kmsfast.crypto.column import Packed
    from kmsfast.errors import (
        AliasExists,
        ArenaFull,
        BatchError,
        ContextError,
        FrameError,
        InvalidAliasName,
        InvalidArn,
        InvalidCiphertext,
        InvalidKeyId,
        InvalidState,
        KeyDisabled,
        KeyNotFound,
        KmsError,
        LimitExceeded,
        MalformedPolicyDocument,
        RootKeyMissing,
        RootKeyWrong,
        SelfTestFailed,
        StoreBusy,
        StoreExists,
        StoreForked,
        StoreIntegrity,
        StoreNotFound,
        StoreUnusable,
        TagError,
        ValidationError,
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
    from kmsfast.model.key import KeyState, KeyVersion, RotationStatus

__all__ = [
    "Alias",
    "AliasExists",
    "ArenaFull",
    "BatchError",
    "BatchResult",
    "BlobInfo",
    "ContextError",
    "DataKey",
    "FrameError",
    "InvalidAliasName",
    "InvalidArn",
    "InvalidCiphertext",
    "InvalidKeyId",
    "InvalidState",
    "Key",
    "KeyDisabled",
    "KeyNotFound",
    "KeyState",
    "KeyVersion",
    "Kms",
    "KmsError",
    "LimitExceeded",
    "MalformedPolicyDocument",
    "Packed",
    "Passphrase",
    "RootKeyFile",
    "RootKeyMissing",
    "RootKeyWrong",
    "RotationStatus",
    "SealedBatch",
    "SelfTestFailed",
    "StoreBusy",
    "StoreExists",
    "StoreForked",
    "StoreIntegrity",
    "StoreNotFound",
    "StoreUnusable",
    "TagError",
    "ValidationError",
    "inspect",
    "open",
]

_ELSEWHERE = {
    "Alias": "kmsfast.model.alias",
    "BlobInfo": "kmsfast.model.blob_info",
    "KeyState": "kmsfast.model.key",
    "KeyVersion": "kmsfast.model.key",
    "Packed": "kmsfast.crypto.column",
    "RotationStatus": "kmsfast.model.key",
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
