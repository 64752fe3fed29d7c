"""Which operations of AWS KMS are offered, and where their answers differ from those of AWS.

docs/http.md shows this as a table (tools/operations_table.py), and the server refuses with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEVIATIONS", "MISSING"]

_GRANTS: Final = "grants are not stored yet"
_STORES: Final = "custom key stores are not offered yet"
_REGIONS: Final = "one deployment serves one region so far"

MISSING: Final[Mapping[str, str]] = {
    "ConnectCustomKeyStore": _STORES,
    "CreateCustomKeyStore": _STORES,
    "CreateGrant": _GRANTS,
    "DeleteCustomKeyStore": _STORES,
    "DescribeCustomKeyStores": _STORES,
    "DisconnectCustomKeyStore": _STORES,
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
_AT_ONCE: Final = "takes effect at once and everywhere"

DEVIATIONS: Final[Mapping[str, str]] = {
    "CreateKey": "no SM2 and ML_KEM_512 keys; origins AWS_KMS and EXTERNAL only; the policy is "
    "checked for its form alone",
    "Decrypt": _RECIPIENT,
    "DeriveSharedSecret": _RECIPIENT,
    "GenerateDataKey": _RECIPIENT,
    "GenerateDataKeyPair": f"{_RECIPIENT}; no SM2 and ML_KEM_512 pairs",
    "GenerateDataKeyPairWithoutPlaintext": "no SM2 and ML_KEM_512 pairs",
    "GenerateRandom": _RECIPIENT,
    "GetKeyLastUsage": "exact to a second; KmsRequestId is absent where the use was no request; "
    "CloudTrailEventId names the use alone",
    "ListAliases": "there are no aliases of AWS managed keys (alias/aws/...)",
    "ListKeys": "no keys of other accounts",
    "PutKeyPolicy": "that the principals of a policy exist is not checked",
    "RotateKeyOnDemand": _AT_ONCE,
}
"""Operations whose answers differ from those of AWS, and how."""
