"""The lockout safety check: a new key policy must let its writer replace it again.

Source: API reference of PutKeyPolicy and CreateKey, BypassPolicyLockoutSafetyCheck.
"""

from __future__ import annotations

from collections.abc import Sequence

from kmsfast.errors import MalformedPolicyDocument, ValidationError
from kmsfast.model.policy_decision import Policies, decide
from kmsfast.model.policy_request import Request
from kmsfast.model.policy_statement import Policy

__all__ = ["check_lockout"]

# As AWS KMS says it.
_SENTENCE = "The new key policy will not allow you to update the key policy in the future."


def check_lockout(
    policy: Policy, request: Request, identity: Sequence[Policy] = (), *, bypass: bool = False
) -> None:
    """Passes when the caller could put a policy again under the new one, or bypasses the check.

    Args:
        request: the PutKeyPolicy that would follow, with what the present request brings.
        identity: the caller's identity policies.

    Raises:
        MalformedPolicyDocument: the caller would lock itself out.
        ValidationError: the request is not PutKeyPolicy.
    """
    if request.action != "PutKeyPolicy":
        raise ValidationError(f"the lockout check is made for PutKeyPolicy, not {request.action}")
    if bypass:
        return
    decision = decide(request, Policies(key=policy, identity=identity))
    if not decision.allowed:
        raise MalformedPolicyDocument(
            f"{_SENTENCE} For {request.principal.arn}: {decision.reason}; allow it "
            "kms:PutKeyPolicy, or set BypassPolicyLockoutSafetyCheck"
        )
