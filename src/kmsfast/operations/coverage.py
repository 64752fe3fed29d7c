"""Which operations of AWS KMS are offered, and where their answers differ from those of AWS.

docs/http.md shows this as a table (tools/operations_table.py), and the server refuses with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEVIATIONS", "MISSING"]

_IMPORT: Final = "imported key material is not reachable over HTTP yet"
_GRANTS: Final = "grants are not stored yet"
_REGIONS: Final = "one deployment serves one region so far"

MISSING: Final[Mapping[str, str]] = {
    "CreateGrant": _GRANTS,
    "DeleteImportedKeyMaterial": _IMPORT,
    "GetKeyLastUsage": "the last use of keys is not recorded yet",
    "GetParametersForImport": _IMPORT,
    "ImportKeyMaterial": _IMPORT,
    "ListGrants": _GRANTS,
    "ListRetirableGrants": _GRANTS,
    "ReplicateKey": _REGIONS,
    "RetireGrant": _GRANTS,
    "RevokeGrant": _GRANTS,
    "UpdatePrimaryRegion": _REGIONS,
}
"""Operations that are not offered, and why."""

_RECIPIENT: Final = "Recipient is refused: attestation documents are not verified"
_CONTEXT: Final = "an encryption context may have 65,536 bytes, with AWS 8,192"
_AT_ONCE: Final = "takes effect at once and everywhere"
_TOKENS: Final = "a PKCS#11 token stands for a CloudHSM cluster (custom-key-stores.md)"
_NO_VPC: Final = "VPC endpoint services are not found"

DEVIATIONS: Final[Mapping[str, str]] = {
    "ConnectCustomKeyStore": "answers when it is connected or has failed",
    "CreateCustomKeyStore": f"{_TOKENS}; {_NO_VPC}",
    "CreateKey": "no SM2 and ML_KEM_512 keys; origin EXTERNAL not over HTTP yet; the policy is "
    "checked for its form alone",
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
    "PutKeyPolicy": "the policy is checked for its form alone, and not enforced",
    "ReEncrypt": _CONTEXT,
    "RotateKeyOnDemand": _AT_ONCE,
    "UpdateCustomKeyStore": f"{_TOKENS}; {_NO_VPC}",
}
"""Operations whose answers differ from those of AWS, and how."""
