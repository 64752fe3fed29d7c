"""Requests, principals, grants, documents and the lockout check: refusals, limits and reasons."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from policy_cases import ACCOUNT, ALICE, BOB, EVE, KEY, ROLE, ROOT, SESSION, of_identity, statement

from kmsfast.errors import LimitExceeded, MalformedPolicyDocument, ValidationError
from kmsfast.model.key import checked_policy
from kmsfast.model.policy_actions import (
    ACTIONS,
    ALL_ACTIONS,
    GRANTABLE,
    checked_action,
    matched_actions,
)
from kmsfast.model.policy_decision import Policies, decide
from kmsfast.model.policy_document import (
    MAX_IDENTITY_POLICY,
    MAX_KEY_POLICY,
    default_policy,
    examined,
    identity_policy,
    key_policy,
)
from kmsfast.model.policy_glob import glob, wildcards
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_json import MAX_DEPTH, Invalid, parse
from kmsfast.model.policy_lockout import check_lockout
from kmsfast.model.policy_principal import Kind, Principal
from kmsfast.model.policy_request import KeyFacts, Request
from kmsfast.model.policy_trace import explained

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
THE_KEY = KeyFacts(KEY)


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def asked(arn: str = ALICE, action: str = "Decrypt", **more: Any) -> Request:
    return Request(Principal(arn), action, NOON, **{"key": THE_KEY, **more})


# ---- what a decision says -----------------------------------------------------------------------

FOR_ALICE = document(statement(Principal={"AWS": ALICE}))
DELEGATING = document(statement(Principal={"AWS": ROOT}))
FOREIGN = document(statement(Principal={"AWS": EVE}))
MAY = document(of_identity())
GRANT = Grant("g", frozenset({"Decrypt"}), BOB)
REASONS = [
    (asked(), FOR_ALICE, [], "the key policy allows the caller"),
    (asked(), DELEGATING, [MAY], "the key policy and the caller's account allow"),
    (asked(), DELEGATING, [], "the key policy leaves it to identity policies, and none of them"),
    (asked(BOB), FOR_ALICE, [], "a grant allows"),
    (asked(ROLE), FOR_ALICE, [], "neither the key policy nor a grant allows the caller or its"),
    (asked(), document(statement("Deny")), [], "a Deny statement applies"),
    (asked(EVE, "PutKeyPolicy"), FOREIGN, [MAY], "PutKeyPolicy is not possible on a key of anot"),
    (asked(EVE), FOREIGN, [], "the key policy leaves it to identity policies, and none of them"),
    (asked(action="ListKeys", key=None), FOR_ALICE, [], "no identity policy allows"),
    (asked(action="ListKeys", key=None), FOR_ALICE, [MAY], "the caller's account allows"),
    (asked(action="RetireGrant", grant=GRANT), FOR_ALICE, [], "only the grant's retiring princip"),
    (asked(action="RetireGrant", grant=GRANT), FOR_ALICE, [MAY], "the account that may retire"),
]


@pytest.mark.parametrize(("request_", "policy", "identity", "reason"), REASONS)
def test_reasons(request_: Request, policy: str, identity: list[str], reason: str) -> None:
    policies = Policies(
        key_policy(policy), [identity_policy(text, "may") for text in identity], [GRANT]
    )
    assert decide(request_, policies).reason.startswith(reason)


def test_why_statements_and_grants_do_not_apply() -> None:
    policy = key_policy(
        document(
            statement(Action="kms:Encrypt"), statement(Principal={"AWS": BOB}),
            statement(Resource=KEY + "0"), statement(Resource=None),
            statement(Condition={"NumericLessThan": {"kms:ValidTo": [1, "2"]}}),
            statement(Principal={"AWS": ROOT}), statement(), statement("Deny", Sid="no"),
        )
    )  # fmt: skip
    steps = explained(asked(), Policies(policy, [], [GRANT]))
    assert [step.why for step in steps] == [
        "it is not about kms:Decrypt",
        f"it is not about {ALICE}",
        f"it is not about {KEY}",
        "it has no Action or no Resource, and so never applies",
        "NumericLessThan kms:ValidTo: '1', '2'; the request has no value",
        "leaves it to the identity policies of the caller's account",
        "allows",
        "denies",
        f"the grantee is {BOB}",
    ]
    assert [step.applies for step in steps] == [False] * 5 + [True] * 3 + [False]
    assert [(step.index, step.sid, step.effect) for step in steps[-2:]] == [
        (7, "no", "Deny"), (None, "g", "Allow"),
    ]  # fmt: skip
    variable = statement(Condition={"StringEquals": {"kms:ViaService": "${aws:username}"}})
    (step,) = explained(asked(SESSION), Policies(key_policy(document(variable))))
    assert step.why.endswith("'${aws:username}'; the request has no value, and none for a variable")
    # A request on no key: its key policy has no say, and is not explained.
    nowhere = asked(action="ListKeys", key=None)
    assert explained(nowhere, Policies(policy)) == ()


# ---- requests -----------------------------------------------------------------------------------

WRONG_REQUESTS = [
    ({"action": "Fly"}, "is no action of AWS KMS"),
    ({"action": "kms:ReEncrypt"}, "ReEncryptFrom on the source key"),
    ({"key": None}, "is decided on a key"),
    ({"action": "ListKeys"}, "is not about a key"),
    ({"action": "DescribeCustomKeyStores"}, "is not about a key"),
    ({"alias_arn": "arn:aws:kms:r:1:alias/a"}, "is decided on a key"),
    ({"key": None, "alias_arn": "arn:aws:kms:r:1:alias/a"}, "is not decided on an alias"),
    ({"action": "RetireGrant"}, "give the one to retire"),
    ({"grant_tokens": ("t",) * 11}, "at most 10 grant tokens are allowed, not 11"),
]


@pytest.mark.parametrize(("wrong", "says"), WRONG_REQUESTS)
def test_wrong_requests(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        asked(**wrong)


def test_a_request_needs_a_time_with_a_zone_and_may_have_ten_tokens() -> None:
    with pytest.raises(ValidationError, match="needs a zone"):
        Request(Principal(ALICE), "Decrypt", NOON.replace(tzinfo=None), key=THE_KEY)
    assert asked(grant_tokens=("t",) * 10).resource == KEY


@pytest.mark.parametrize("arn", ["", KEY.replace("key/", "alias/"), KEY.replace("kms", "s3"), "k"])
def test_what_is_no_key(arn: str) -> None:
    with pytest.raises(ValidationError, match="is not the ARN of a key"):
        KeyFacts(arn)


def test_names_of_actions() -> None:
    assert checked_action("KMS:DECRYPT") == checked_action("decrypt") == "Decrypt"
    assert matched_actions(["kms:*"]) == frozenset(ACTIONS)
    assert matched_actions(["*"]) == matched_actions(["kms:*", "cloudtrail:Lookup*"])
    assert matched_actions(["*"]) == frozenset(ALL_ACTIONS)
    assert matched_actions(["kms:ReEncrypt*", "KMS:sign"]) == {
        "ReEncryptFrom", "ReEncryptTo", "Sign"
    }  # fmt: skip
    assert frozenset(ACTIONS) > GRANTABLE


# ---- principals ---------------------------------------------------------------------------------


def test_principals() -> None:
    assert Principal(ACCOUNT) == Principal(ROOT)
    kinds = {
        ROOT: Kind.ROOT, ALICE: Kind.USER, ROLE: Kind.ROLE, SESSION: Kind.SESSION,
        f"arn:aws:sts::{ACCOUNT}:federated-user/carol": Kind.FEDERATED,
        "kms.amazonaws.com": Kind.SERVICE,
    }  # fmt: skip
    for arn, kind in kinds.items():
        assert Principal(arn).kind is kind
    assert Principal(SESSION).chain == (ROOT, ROLE, SESSION)
    assert Principal("kms.amazonaws.com").account is None
    assert Principal(ALICE.replace("aws", "aws-cn")).chain[0] == ROOT.replace("aws", "aws-cn")


@pytest.mark.parametrize(
    "arn",
    ["", "alice", "1" * 11, "1" * 13, ALICE + "*", f"arn:aws:iam::{ACCOUNT}:group/g",
     f"arn:aws:iam::{ACCOUNT}:user/", f"arn:aws:sts::{ACCOUNT}:assumed-role/app",
     f"arn:aws:iam::{ACCOUNT}:assumed-role/app/s", "example.com", f"{ROOT}\n", ALICE + " "],
)  # fmt: skip
def test_what_is_no_principal(arn: str) -> None:
    with pytest.raises(ValidationError, match="is no principal"):
        Principal(arn)


def test_the_role_of_a_session_must_be_its_role() -> None:
    for wrong in (ROLE + "2", ROLE.replace(ACCOUNT, "444455556666"), ALICE):
        with pytest.raises(ValidationError, match="is not the role of the session"):
            Principal(SESSION, role_arn=wrong)
    with pytest.raises(ValidationError, match="is no session"):
        Principal(ALICE, role_arn=ROLE)


# ---- grants -------------------------------------------------------------------------------------

ENTRY = {"GranteePrincipal": ALICE, "Operations": ["Decrypt"]}
WRONG_GRANTS = [
    ({"Operations": []}, "at least one operation"),
    ({"Operations": ["Decrypt", "ListKeys"]}, "'ListKeys' is no operation of grants"),
    ({"Operations": "Decrypt"}, "Operations of a grant"),
    ({"GranteePrincipal": None}, "GranteePrincipal of a grant"),
    ({"GranteePrincipal": "alice"}, "GranteePrincipal 'alice' is no ARN"),
    ({"RetiringPrincipal": 7}, "RetiringPrincipal of a grant"),
    ({"RetiringPrincipal": "*"}, "RetiringPrincipal '\\*' is no ARN"),
    ({"Settled": "false"}, "Settled of a grant"),
    ({"Constraints": {"Other": {}}}, "'Other' is no constraint"),
    ({"Constraints": {"EncryptionContextSubset": {}}}, "1 to 8 pairs, not 0"),
    ({"Constraints": {"EncryptionContextSubset": {str(i): "" for i in range(9)}}}, "not 9"),
    ({"Constraints": {"EncryptionContextEquals": {"a": 1}}}, "a mapping of str to str"),
    ({"Constraints": {"EncryptionContextEquals": "a"}}, "a mapping of str to str"),
]


@pytest.mark.parametrize(("wrong", "says"), WRONG_GRANTS)
def test_wrong_grants(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Grant.of_api({**ENTRY, **wrong})


def test_a_grant_with_both_constraints_needs_both() -> None:
    both = Grant("g", frozenset({"Decrypt"}), ALICE, equals={"a": "b"}, subset={"c": "d"})
    assert both.refusal("Decrypt", Principal(ALICE), {"a": "b"}, ()) is not None
    assert both.values["kms:grantconstrainttype"] == (
        "EncryptionContextEquals", "EncryptionContextSubset",
    )  # fmt: skip
    eight = Grant("g", frozenset({"Decrypt"}), ALICE, subset={str(i): "" for i in range(8)})
    assert len(eight.constraint_context) == 8


# ---- documents ----------------------------------------------------------------------------------


def test_the_limits_of_documents() -> None:
    text = document(statement())
    assert checked_policy(text + " " * (MAX_KEY_POLICY - len(text))) is not None
    with pytest.raises(LimitExceeded, match="has 32769 bytes"):
        key_policy(text + " " * (MAX_KEY_POLICY - len(text) + 1))
    with pytest.raises(LimitExceeded):
        key_policy(document(statement(Sid="é" * 20_000)).replace("\\u00e9", "é"))
    with pytest.raises(ValidationError, match="character 3 of the policy is '\u0141'"):
        key_policy("{  \u0141")
    assert checked_policy(None) is None
    identity = document(of_identity())
    assert identity_policy(identity + " " * 20_000, "x").statements
    room = MAX_IDENTITY_POLICY - len("".join(document(of_identity(Sid="")).split()))
    assert identity_policy(document(of_identity(Sid="a" * room)), "x").statements
    with pytest.raises(LimitExceeded):
        identity_policy(document(of_identity(Sid="a" * (room + 1))), "x")
    with pytest.raises(LimitExceeded):
        examined(text + " " * MAX_KEY_POLICY, identity=False)
    assert examined(text + " " * MAX_KEY_POLICY, identity=True).findings
    with pytest.raises(LimitExceeded, match=f"Maximum policy size of {MAX_IDENTITY_POLICY} bytes"):
        identity_policy(document(of_identity(Sid="a" * MAX_IDENTITY_POLICY)), "x")


def test_no_pattern_stalls() -> None:
    matches = glob(wildcards("*" + "a?" * 2_000 + "b*"))
    assert not matches("a" * 20_000)
    assert matches("a" * 20_000 + "b" * 4_000 + "a" * 4_000 + "b")
    assert not glob(wildcards("*a" * 2_000 + "b"))("a" * 20_000)


def test_the_depth_of_documents() -> None:
    assert parse("[" * MAX_DEPTH + "0" + "]" * MAX_DEPTH).kind == "list"
    objects = '{"a":' * MAX_DEPTH
    assert parse(objects + "0" + "}" * MAX_DEPTH).kind == "object"
    for text in ("[" * (MAX_DEPTH + 1), objects + "{"):
        with pytest.raises(Invalid, match="nested more than 16 deep"):
            parse(text + '"a":0')


def test_a_statement_without_a_list_is_the_first() -> None:
    (only,) = key_policy(json.dumps({"Statement": statement()})).statements
    assert only.index == 0


def test_every_mistake_is_found_and_the_first_is_raised() -> None:
    text = '{\n "Version": "1",\n "Statement": [{"Effect": "No"}, 7]\n}'
    places = [
        (item.line, item.column, item.path) for item in examined(text, identity=False).findings
    ]
    assert places == [
        (2, 13, "Version"),
        (3, 16, "Statement[0]"),
        (3, 16, "Statement[0]"),
        (3, 27, "Statement[0].Effect"),
        (3, 34, "Statement[1]"),
    ]
    with pytest.raises(MalformedPolicyDocument, match=r"Version, line 2, .* \(3 more: ") as caught:
        key_policy(text)
    assert caught.value.code == "MalformedPolicyDocumentException"


def test_warnings_are_about_what_has_no_effect() -> None:
    text = document(
        statement(Action=None),
        statement(Action="s3:*"),
        statement(Condition={"StringEquals": {"kms:Unheard": "a", "kms:EncryptionContextKeys": "a",
                                              "aws:ResourceTag/a": "b", "other:key": "c"}}),
    )  # fmt: skip
    found = examined(text, identity=False)
    assert found.policy is not None
    assert {item.level for item in found.findings} == {"warning"}
    tagged = of_identity(Condition={"StringEquals": {"aws:ResourceTag/a": "b"}})
    assert examined(document(tagged), identity=True).findings == ()
    assert [item.detail for item in found.findings] == [
        "without Action the statement never applies",
        "'s3:*' is no action of AWS KMS",
        "no request has kms:Unheard",
        "kms:EncryptionContextKeys can have several values: use ForAnyValue or ForAllValues",
        "aws:ResourceTag/a exists for identity policies only",
    ]


def test_the_default_policy_delegates_everything() -> None:
    policy = default_policy(ACCOUNT, "aws-cn")
    (only,) = policy.statements
    assert only.principals.names == {ROOT.replace("aws", "aws-cn")}
    assert only.actions == frozenset(ACTIONS)


# ---- the lockout check --------------------------------------------------------------------------

PUT = asked(action="PutKeyPolicy")


@pytest.mark.parametrize(
    ("statements", "identity", "safe"),
    [
        ([statement(Principal={"AWS": ALICE})], [], True),
        ([statement(Principal={"AWS": ALICE}, Action="kms:Put*")], [], True),
        ([statement(Principal={"AWS": BOB})], [], False),
        ([statement(Principal={"AWS": ALICE}, Action="kms:Decrypt")], [], False),
        ([statement(Principal={"AWS": ROOT})], [], False),
        ([statement(Principal={"AWS": ROOT})], [of_identity()], True),
        ([statement(), statement("Deny", Action="kms:PutKeyPolicy")], [], False),
        ([statement()], [of_identity("Deny")], False),
        ([statement(Condition={"Bool": {"aws:SecureTransport": "true"}})], [], False),
    ],
)  # fmt: skip
def test_whoever_puts_a_policy_can_put_another(
    statements: list[dict[str, Any]], identity: list[dict[str, Any]], safe: bool
) -> None:
    policy = key_policy(document(*statements))
    own = [identity_policy(document(*identity), "own")] if identity else []
    check_lockout(policy, PUT, own, bypass=True)
    if safe:
        check_lockout(policy, PUT, own)
        return
    with pytest.raises(MalformedPolicyDocument, match="will not allow you to update the key poli"):
        check_lockout(policy, PUT, own)


def test_the_lockout_check_is_made_for_put_key_policy() -> None:
    with pytest.raises(ValidationError, match="is made for PutKeyPolicy, not Decrypt"):
        check_lockout(default_policy(ACCOUNT), asked())
