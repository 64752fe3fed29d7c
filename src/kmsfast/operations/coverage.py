"""Which operations of AWS KMS are offered, and where their answers differ from those of AWS.

docs/http.md shows this as a table (tools/operations_table.py), and the server refuses with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEVIATIONS", "MISSING"]

_IMPORT: Final = "imported key material is not reachable over HTTP yet"
_GRANTS: Final = "grants are not stored yet"
_STORES: Final = "custom key stores are not offered yet"
_REGIONS: Final = "one deployment serves one region so far"

MISSING: Final[Mapping[str, str]] = {
    "ConnectCustomKeyStore": _STORES,
    "CreateCustomKeyStore": _STORES,
    "CreateGrant": _GRANTS,
    "DeleteCustomKeyStore": _STORES,
    "DeleteImportedKeyMaterial": _IMPORT,
    "DescribeCustomKeyStores": _STORES,
    "DisconnectCustomKeyStore": _STORES,
    "GetKeyLastUsage": "the last use of keys is not recorded yet",
    "GetParametersForImport": _IMPORT,
    "ImportKeyMaterial": _IMPORT,
    "ListGrants": _GRANTS,
    "ListRetirableGrants": _GRANTS,
    "ReplicateKey": _REGIONS,
    "RetireGrant": _GRANTS,
    "RevokeGrant": _GRANTS,
    "UpdateCustomKeyStore": _STORES,
    "UpdatePrimaryRegion": _REGIONS,
}
"""Operations that are not offered, and why."""

_RECIPIENT: Final = "Recipient is refused: attestation documents are not verified"
_CONTEXT: Final = "an encryption context may have 65,536 bytes, with AWS 8,192"
_AT_ONCE: Final = "takes effect at once and everywhere"

DEVIATIONS: Final[Mapping[str, str]] = {
    "CreateKey": "no SM2 and ML_KEM_512 keys; origin AWS_KMS only; the policy is checked for its "
    "form alone",
    "Decrypt": f"{_RECIPIENT}; {_CONTEXT}",
    "DeriveSharedSecret": _RECIPIENT,
    "Encrypt": _CONTEXT,
    "GenerateDataKey": f"{_RECIPIENT}; {_CONTEXT}",
    "GenerateDataKeyPair": f"{_RECIPIENT}; {_CONTEXT}; no SM2 and ML_KEM_512 pairs",
    "GenerateDataKeyPairWithoutPlaintext": f"{_CONTEXT}; no SM2 and ML_KEM_512 pairs",
    "GenerateDataKeyWithoutPlaintext": _CONTEXT,
    "GenerateRandom": _RECIPIENT,
    "ListAliases": "there are no aliases of AWS managed keys (alias/aws/...)",
    "ListKeys": "no keys of other accounts",
    "PutKeyPolicy": "that the principals of a policy exist is not checked",
    "ReEncrypt": _CONTEXT,
    "RotateKeyOnDemand": _AT_ONCE,
}
"""Operations whose answers differ from those of AWS, and how."""
