"""Cases of policy evaluation as data: a rule, the page of the reference that has it, an answer.

Each module holds the cases of one topic. A rule is said in our own words; the page is where to read
it. `tests/unit/model/test_policy_cases.py` runs them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ACCOUNT, OTHER = "111122223333", "444455556666"
KEY = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROOT, OTHER_ROOT = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{OTHER}:root"
ALICE, BOB = f"arn:aws:iam::{ACCOUNT}:user/alice", f"arn:aws:iam::{ACCOUNT}:user/bob"
EVE = f"arn:aws:iam::{OTHER}:user/eve"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/run-1"
FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/carol"

ALLOWED, DENIED, NOT_ALLOWED = "allowed", "explicitDeny", "implicitDeny"

_IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_"
_KMS = "https://docs.aws.amazon.com/kms/latest/developerguide/"
OPERATORS = f"{_IAM}elements_condition_operators.html"
SETS = f"{_IAM}condition-single-vs-multi-valued-context-keys.html"
LOGIC = f"{_IAM}condition-logic-multiple-context-keys-or-values.html"
VARIABLES = f"{_IAM}variables.html"
GLOBAL_KEYS = f"{_IAM}condition-keys.html"
PRINCIPAL = f"{_IAM}elements_principal.html"
NOT_PRINCIPAL = f"{_IAM}elements_notprincipal.html"
ACTION = f"{_IAM}elements_action.html"
NOT_ACTION = f"{_IAM}elements_notaction.html"
RESOURCE = f"{_IAM}elements_resource.html"
NOT_RESOURCE = f"{_IAM}elements_notresource.html"
GRAMMAR = f"{_IAM}grammar.html"
VERSION = f"{_IAM}elements_version.html"
SID = f"{_IAM}elements_sid.html"
EVALUATION = f"{_IAM}evaluation-logic.html"
CROSS_ACCOUNT = f"{_IAM}evaluation-logic-cross-account.html"
KMS_KEYS = f"{_KMS}conditions-kms.html"
KMS_GLOBAL_KEYS = f"{_KMS}conditions-aws.html"
KEY_POLICIES = f"{_KMS}key-policy-overview.html"
DEFAULT_POLICY = f"{_KMS}key-policy-default.html"
OTHER_ACCOUNTS = f"{_KMS}key-policy-modifying-external-accounts.html"
TROUBLESHOOTING = f"{_KMS}policy-evaluation.html"
IAM_POLICIES = f"{_KMS}cmks-in-iam-policies.html"
PERMISSIONS = f"{_KMS}kms-api-permissions-reference.html"
GRANTS = f"{_KMS}grants.html"
CREATE_GRANT = f"{_KMS}create-grant-overview.html"
MANAGE_GRANT = f"{_KMS}grant-manage.html"
RETIRE = f"{_KMS}grant-delete.html"
ABAC_ALIASES = f"{_KMS}alias-authorization.html"
ABAC_TAGS = f"{_KMS}tag-authorization.html"
ALIASES = f"{_KMS}alias-access.html"
PUT_KEY_POLICY = "https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html"
GRANT_API = "https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html"
QUOTAS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"


@dataclass(frozen=True)
class Case:
    """A whole request and all that governs it.

    Attributes:
        key_policy, identity: statements; each identity policy is a list of its own.
        request: arguments of the request that differ from Alice's kms:Decrypt.
        by: Sids of the statements that must have decided, when it matters.
    """

    rule: str
    page: str
    want: str
    key_policy: list[dict[str, Any]] | None = None
    identity: list[list[dict[str, Any]]] = field(default_factory=list)
    grants: list[dict[str, Any]] = field(default_factory=list)
    request: dict[str, Any] = field(default_factory=dict)
    by: tuple[str, ...] | None = None
    version: str | None = "2012-10-17"


@dataclass(frozen=True)
class Row:
    """A condition, a request, and whether the one satisfies the other.

    It is tried in an Allow, in a Deny, or in both, in a key policy or in an identity policy.
    """

    rule: str
    page: str
    condition: dict[str, Any]
    request: dict[str, Any]
    match: bool
    effects: tuple[str, ...] = ("Allow", "Deny")
    identity: bool = False
    version: str | None = "2012-10-17"


@dataclass(frozen=True)
class Document:
    """A document, and what is said about it: part of a message, or None when it is fine."""

    rule: str
    page: str
    text: str
    says: str | None
    identity: bool = False


def statement(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """Everything for everybody, but for what is said otherwise; None leaves an element out."""
    full = {"Effect": effect, "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*", **more}
    return {name: value for name, value in full.items() if value is not None}


def of_identity(effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """A statement of an identity policy."""
    return statement(effect, **{"Principal": None, **more})


def values(**named: Any) -> dict[str, Any]:
    """Condition keys of a request: ``aws_SourceIp`` for ``aws:SourceIp``."""
    return {"values": {name.replace("_", ":", 1): value for name, value in named.items()}}
