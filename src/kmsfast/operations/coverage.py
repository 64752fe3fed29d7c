"""Which operations of AWS KMS are offered, and where their answers differ from those of AWS.

docs/http.md and docs/doors.md show this as tables (tools/operations_table.py), and servers refuse
with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEVIATIONS", "MISSING", "WITHOUT_METHOD"]

MISSING: Final[Mapping[str, str]] = {}
"""Operations that are not offered, and why."""

WITHOUT_METHOD: Final[Mapping[str, str]] = {
    "ListKeyPolicies": "a key has one policy: `Key.get_policy`",
}
"""Operations for which Python's objects have no method, and why."""

_RECIPIENT: Final = "Recipient is refused: attestation documents are not verified"
_AT_ONCE: Final = "takes effect at once and everywhere"
_TOKENS: Final = "a PKCS#11 token stands for a CloudHSM cluster (custom-key-stores.md)"
_EXISTING: Final = (
    "principals of a policy must exist in accounts alone of which the store knows somebody"
)
_NO_VPC: Final = "VPC endpoint services are not found"

DEVIATIONS: Final[Mapping[str, str]] = {
    "ConnectCustomKeyStore": "answers when it is connected or has failed",
    "CreateCustomKeyStore": f"{_TOKENS}; {_NO_VPC}",
    "CreateGrant": f"principals are checked for their form alone; {_AT_ONCE}",
    "CreateKey": f"no SM2 and ML_KEM_512 keys; {_EXISTING}",
    "Decrypt": f"{_RECIPIENT}; with a key of another account only by its ARN",
    "DeriveSharedSecret": _RECIPIENT,
    "GenerateDataKey": _RECIPIENT,
    "GenerateDataKeyPair": f"{_RECIPIENT}; no SM2 and ML_KEM_512 pairs",
    "GenerateDataKeyPairWithoutPlaintext": "no SM2 and ML_KEM_512 pairs",
    "GenerateRandom": _RECIPIENT,
    "GetKeyLastUsage": "exact to a second; KmsRequestId is absent where the use was no request; "
    "CloudTrailEventId names the use alone",
    "ListAliases": "the predefined aliases are those of 22 services (alias/aws/...)",
    "ListKeys": "no keys of other accounts",
    "PutKeyPolicy": _EXISTING,
    "ReEncrypt": "both keys are of the caller's account",
    "ReplicateKey": f"{_AT_ONCE}: a replica is Creating in this answer alone; to regions "
    "that are served",
    "RetireGrant": _AT_ONCE,
    "RevokeGrant": _AT_ONCE,
    "RotateKeyOnDemand": _AT_ONCE,
    "UpdateCustomKeyStore": f"{_TOKENS}; {_NO_VPC}",
    "UpdatePrimaryRegion": f"{_AT_ONCE}: keys are never seen as Updating",
}
"""Operations whose answers differ from those of AWS, and how."""
