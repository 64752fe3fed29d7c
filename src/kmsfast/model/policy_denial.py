"""What a caller is told when it is denied, in AWS's words, which never say more than it may know.

Source: IAM User Guide, "Troubleshoot access denied error messages"; of keys of other accounts the
answer of AWS KMS, which says the same of keys that do not exist.
"""

from __future__ import annotations

from typing import Final

from kmsfast.errors import AccessDenied
from kmsfast.model.policy_actions import full_name
from kmsfast.model.policy_decision import Decision, Outcome
from kmsfast.model.policy_request import Request

__all__ = ["denial"]

_ELSEWHERE: Final = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)


def denial(request: Request, decision: Decision) -> AccessDenied:
    """The error of a decision that does not allow."""
    action = full_name(request.action)
    return AccessDenied(
        f"User: {request.principal.arn} is not authorized to perform: {action} on resource: "
        f"{request.resource} {_why(request, decision, action)}"
    )


def _why(request: Request, decision: Decision, action: str) -> str:
    key = request.key
    if decision.outcome is Outcome.EXPLICIT_DENY:
        if decision.of_key_policy and key is not None and key.account != request.principal.account:
            return _ELSEWHERE
        kind = "a resource-based" if decision.of_key_policy else "an identity-based"
        return f"with an explicit deny in {kind} policy"
    if key is not None and not decision.trusted:
        if key.account != request.principal.account:
            return _ELSEWHERE
        return f"because no resource-based policy allows the {action} action"
    return f"because no identity-based policy allows the {action} action"
