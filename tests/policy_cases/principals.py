"""Principal and NotPrincipal."""

from __future__ import annotations

from typing import Any

from policy_cases import (
    ACCOUNT,
    ALICE,
    ALLOWED,
    BOB,
    DEFAULT_POLICY,
    DENIED,
    EVE,
    FEDERATED,
    GLOBAL_KEYS,
    KEY_POLICIES,
    NOT_ALLOWED,
    NOT_PRINCIPAL,
    OTHER,
    OTHER_ROOT,
    PRINCIPAL,
    ROLE,
    ROOT,
    SESSION,
    Case,
    of_identity,
    statement,
)

SERVICE = "logs.us-west-2.amazonaws.com"


def _by(
    principal: Any, caller: str, want: str, rule: str, page: str = PRINCIPAL, **more: Any
) -> Case:
    return Case(rule, page, want, [statement(Principal=principal)],
                request={"principal": {"arn": caller, **more}})  # fmt: skip


ALLOW = [
    _by({"AWS": ALICE}, ALICE, ALLOWED, "a user by its ARN"),
    _by({"AWS": ALICE}, BOB, NOT_ALLOWED, "another user"),
    _by({"AWS": [BOB, ALICE]}, ALICE, ALLOWED, "any of several users"),
    _by({"AWS": ALICE}, ALICE.replace("alice", "Alice"), NOT_ALLOWED, "names of users have case"),
    _by({"AWS": ALICE}, ALICE.replace("user/", "user/team/"), NOT_ALLOWED, "a path is a part"),
    _by({"AWS": ROLE}, SESSION, ALLOWED, "a role stands for its sessions"),
    _by({"AWS": ROLE}, ROLE, ALLOWED, "a role by its ARN"),
    _by({"AWS": SESSION}, SESSION, ALLOWED, "a session by its ARN"),
    _by({"AWS": SESSION}, SESSION + "2", NOT_ALLOWED, "a session is not another session"),
    _by({"AWS": ROLE + "2"}, SESSION, NOT_ALLOWED, "another role"),
    _by({"AWS": ROLE.replace("role/", "role/path/")}, SESSION, ALLOWED,
        "a role with a path, when it is known", role_arn=ROLE.replace("role/", "role/path/")),
    _by({"AWS": ROLE}, SESSION, NOT_ALLOWED, "a role of the same name in another path",
        role_arn=ROLE.replace("role/", "role/path/")),
    _by({"AWS": FEDERATED}, FEDERATED, ALLOWED, "a federated user by its ARN"),
    _by({"AWS": "*"}, ALICE, ALLOWED, "everybody, as AWS *"),
    _by("*", ALICE, ALLOWED, "everybody, as *"),
    _by({"AWS": ["*"]}, SESSION, ALLOWED, "everybody, in a list"),
    _by({"Service": SERVICE}, SERVICE, ALLOWED, "a service by its name"),
    _by({"Service": SERVICE}, "sns.amazonaws.com", NOT_ALLOWED, "another service"),
    _by({"Service": SERVICE}, ALICE, NOT_ALLOWED, "a service is no user"),
    _by({"AWS": ALICE, "Service": SERVICE}, SERVICE, ALLOWED, "services beside users"),
    _by({"AWS": ROOT}, ROOT, ALLOWED, "the account stands for its root user", DEFAULT_POLICY),
    _by({"AWS": ACCOUNT}, ROOT, ALLOWED, "the account by its digits"),
    _by({"AWS": ROOT}, ALICE, NOT_ALLOWED, "the account does not stand for its users",
        DEFAULT_POLICY),
    _by({"AWS": ACCOUNT}, ALICE, NOT_ALLOWED, "nor do its digits"),
    _by({"AWS": ROOT}, EVE, NOT_ALLOWED, "nor for those of another account"),
    Case("account ARN and digits delegate alike", PRINCIPAL, ALLOWED,
         [statement(Principal={"AWS": ACCOUNT})], [[of_identity()]]),
    Case("a principal in a condition instead of the element", PRINCIPAL, ALLOWED,
         [statement(Condition={"ArnEquals": {"aws:PrincipalArn": ALICE}})]),
    Case("everybody of an account through kms:CallerAccount", GLOBAL_KEYS, ALLOWED,
         [statement(Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}})]),
    Case("a root user is not named by a user's statement", KEY_POLICIES, NOT_ALLOWED,
         [statement(Principal={"AWS": ALICE})], request={"principal": {"arn": ROOT}}),
]  # fmt: skip


def _denied(principal: Any, caller: str, want: str, rule: str, page: str = PRINCIPAL) -> Case:
    return Case(rule, page, want, [statement(), statement("Deny", Principal=principal)],
                request={"principal": {"arn": caller}})  # fmt: skip


DENY = [
    _denied({"AWS": ALICE}, ALICE, DENIED, "a Deny for a user"),
    _denied({"AWS": ALICE}, BOB, ALLOWED, "a Deny for another user"),
    _denied({"AWS": ROOT}, ALICE, DENIED, "a Deny for the account is for everyone in it"),
    _denied({"AWS": ACCOUNT}, SESSION, DENIED, "a Deny for the account by its digits"),
    _denied({"AWS": OTHER_ROOT}, ALICE, ALLOWED, "a Deny for another account"),
    _denied({"AWS": ROLE}, SESSION, DENIED, "a Deny for a role is for its sessions"),
    _denied({"AWS": SESSION}, SESSION, DENIED, "a Deny for a session"),
    _denied({"AWS": SESSION}, ROLE, ALLOWED, "a Deny for a session is not for its role"),
    _denied("*", ALICE, DENIED, "a Deny for everybody"),
    _denied("*", ROOT, DENIED, "a Deny for everybody is for the root user as well"),
    _denied("*", SERVICE, DENIED, "a Deny for everybody is for services as well"),
    _denied({"Service": SERVICE}, ALICE, ALLOWED, "a Deny for a service"),
]  # fmt: skip


def _but(principal: Any, caller: str, want: str, rule: str) -> Case:
    return Case(rule, NOT_PRINCIPAL, want,
                [statement(), statement("Deny", Principal=None, NotPrincipal=principal)],
                request={"principal": {"arn": caller}})  # fmt: skip


def _all_but(principal: Any, caller: str, want: str, rule: str) -> Case:
    return Case(rule, NOT_PRINCIPAL, want, [statement(Principal=None, NotPrincipal=principal)],
                request={"principal": {"arn": caller}})  # fmt: skip


NOT = [
    _but({"AWS": [ALICE, ROOT]}, ALICE, ALLOWED, "user and account are named: exempt"),
    _but({"AWS": [ALICE, ROOT]}, BOB, DENIED, "another user of the account"),
    _but({"AWS": [ALICE, ROOT]}, EVE, DENIED, "a user of another account"),
    _but({"AWS": ALICE}, ALICE, DENIED, "the account is not named: denied"),
    _but({"AWS": ROOT}, ALICE, DENIED, "the account alone does not exempt its users"),
    _but({"AWS": ROOT}, ROOT, ALLOWED, "the account exempts its root user"),
    _but({"AWS": ACCOUNT}, ROOT, ALLOWED, "the account by its digits exempts its root user"),
    _but({"AWS": [ALICE, ACCOUNT]}, ALICE, ALLOWED, "user and the account's digits"),
    _but({"AWS": [SESSION, ROLE, ROOT]}, SESSION, ALLOWED, "session, role and account"),
    _but({"AWS": [SESSION, ROOT]}, SESSION, DENIED, "session and account without the role"),
    _but({"AWS": [SESSION, ROLE]}, SESSION, DENIED, "session and role without the account"),
    _but({"AWS": [ROLE, ROOT]}, SESSION, DENIED, "role and account without the session"),
    _but({"AWS": [SESSION, ROLE, ROOT]}, SESSION + "2", DENIED, "another session of the role"),
    _but({"Service": SERVICE}, SERVICE, ALLOWED, "a service is exempt by its name"),
    _but({"Service": SERVICE}, ALICE, DENIED, "a user beside an exempt service"),
    _but("*", ALICE, ALLOWED, "everybody is exempt"),
    _all_but({"AWS": BOB}, ALICE, ALLOWED, "NotPrincipal with Allow: everybody else"),
    _all_but({"AWS": BOB}, BOB, NOT_ALLOWED, "NotPrincipal with Allow: not the one"),
    _all_but({"AWS": ROLE}, SESSION, NOT_ALLOWED, "NotPrincipal with Allow: nor its sessions"),
    _all_but({"AWS": ROOT}, ALICE, NOT_ALLOWED, "NotPrincipal with Allow: nor an account's users"),
    _all_but({"AWS": OTHER}, ALICE, ALLOWED, "NotPrincipal with Allow: another account"),
    _all_but("*", ALICE, NOT_ALLOWED, "NotPrincipal with Allow: nobody is left"),
]  # fmt: skip

CASES = [*ALLOW, *DENY, *NOT]
