"""Which operations of AWS KMS are offered, and where their answers differ from those of AWS.

docs/http.md shows this as a table (tools/operations_table.py), and the server refuses with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEVIATIONS", "MISSING"]

_KEM: Final = "ML-KEM keys are not offered yet"
_IMPORT: Final = "imported key material is not reachable over HTTP yet"
_STORES: Final = "custom key stores are not offered yet"
_REGIONS: Final = "one deployment serves one region so far"

MISSING: Final[Mapping[str, str]] = {
    "ConnectCustomKeyStore": _STORES,
    "CreateCustomKeyStore": _STORES,
    "Decapsulate": _KEM,
    "DeleteCustomKeyStore": _STORES,
    "DeleteImportedKeyMaterial": _IMPORT,
    "DescribeCustomKeyStores": _STORES,
    "DisconnectCustomKeyStore": _STORES,
    "Encapsulate": _KEM,
    "GetKeyLastUsage": "the last use of keys is not recorded yet",
    "GetParametersForImport": _IMPORT,
    "ImportKeyMaterial": _IMPORT,
    "ReplicateKey": _REGIONS,
    "UpdateCustomKeyStore": _STORES,
    "UpdatePrimaryRegion": _REGIONS,
}
"""Operations that are not offered, and why."""

_RECIPIENT: Final = "Recipient is refused: attestation documents are not verified"
_CONTEXT: Final = "an encryption context may have 65,536 bytes, with AWS 8,192"
_AT_ONCE: Final = "takes effect at once and everywhere"

_GRANTS: Final = "grants are not enforced yet"
_OWNER: Final = f"{_GRANTS}: whoever is served may ask for it"

DEVIATIONS: Final[Mapping[str, str]] = {
    "CreateGrant": f"principals are checked for their form alone; {_AT_ONCE}; {_GRANTS}",
    "CreateKey": "no SM2 and ML-KEM keys; origin AWS_KMS only; the policy is checked for its form "
    "alone",
    "Decrypt": f"{_RECIPIENT}; {_CONTEXT}",
    "DeriveSharedSecret": _RECIPIENT,
    "Encrypt": _CONTEXT,
    "GenerateDataKey": f"{_RECIPIENT}; {_CONTEXT}",
    "GenerateDataKeyPair": f"{_RECIPIENT}; {_CONTEXT}; no SM2 and ML-KEM pairs",
    "GenerateDataKeyPairWithoutPlaintext": f"{_CONTEXT}; no SM2 and ML-KEM pairs",
    "GenerateDataKeyWithoutPlaintext": _CONTEXT,
    "GenerateRandom": _RECIPIENT,
    "ListAliases": "there are no aliases of AWS managed keys (alias/aws/...)",
    "ListKeys": "no keys of other accounts",
    "ListRetirableGrants": _OWNER,
    "PutKeyPolicy": "the policy is checked for its form alone, and not enforced",
    "ReEncrypt": _CONTEXT,
    "RetireGrant": f"{_AT_ONCE}; {_OWNER}",
    "RevokeGrant": _AT_ONCE,
    "RotateKeyOnDemand": _AT_ONCE,
}
"""Operations whose answers differ from those of AWS, and how."""
