"""Laws of policy evaluation: what a Deny does, and what no document and no request can do."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from policy_cases import ACCOUNT, ALICE, BOB, EVE, KEY, OTHER_ROOT, ROLE, ROOT, SESSION

from kmsfast.errors import LimitExceeded, MalformedPolicyDocument, ValidationError
from kmsfast.model import policy_compiled
from kmsfast.model.policy_actions import ACTIONS, on_keys
from kmsfast.model.policy_decision import Outcome, Policies, decide
from kmsfast.model.policy_document import examined, identity_policy, key_policy
from kmsfast.model.policy_glob import glob, wildcards
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_json import Invalid, Node, parse
from kmsfast.model.policy_operators import OPERATORS
from kmsfast.model.policy_principal import Principal
from kmsfast.model.policy_request import KeyFacts, Request
from kmsfast.model.policy_trace import explained

SERVICE = "logs.us-west-2.amazonaws.com"
CALLERS = [ALICE, BOB, EVE, ROLE, SESSION, ROOT, OTHER_ROOT, SERVICE]
ON_KEYS = sorted(name for name in ACTIONS if on_keys(name) and name != "RetireGrant")

# Words that policies and requests share, so that they often meet.
WORDS = st.sampled_from(["a", "b", "A", "", "a*", "*", "a?", "alice", "${aws:username}", "10"])
TEXT = WORDS | st.text(max_size=5)
GIVEN = st.sampled_from(
    ["kms:EncryptionContext:a", "kms:EncryptionContextKeys", "aws:TagKeys", "aws:PrincipalArn",
     "aws:SourceIp", "aws:username", "kms:ViaService", "aws:ResourceTag/a", "kms:Unheard"]
)  # fmt: skip
NAMES = GIVEN | st.sampled_from(["aws:CurrentTime", "aws:EpochTime", "kms:KeySpec"])
TYPED = {
    "String": TEXT,
    "Numeric": st.integers(-20, 20).map(str) | st.decimals(-9, 9, places=2).map(str),
    "Date": st.sampled_from(["2026", "2026-01-31T12:00:00Z", "0", "1769860800.5"]),
    "Bool": st.sampled_from(["true", "false", "TRUE"]),
    "Null": st.sampled_from(["true", "false"]),
    "Binary": st.binary(max_size=4).map(lambda data: b64encode(data).decode()),
    "IpAddress": st.sampled_from(["10.0.0.0/8", "203.0.113.7", "::/0", "0.0.0.0/0"]),
    "NotIpAddress": st.sampled_from(["10.0.0.0/8", "2001:db8::/32"]),
    "Arn": st.sampled_from([ALICE, "arn:aws:iam::*:user/*", "*", "arn:aws:iam::${aws:username}"]),
}


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    block: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(sorted(OPERATORS)), max_size=2, unique=True)):
        kinds = [kind for kind in TYPED if name.startswith(kind)]
        values = TYPED[kinds[0]]
        before = draw(st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"]))
        after = draw(st.sampled_from(["", "", "IfExists"]))
        written = name if name == "Null" else f"{before}{name}{after}"
        keys = NAMES.filter(lambda key: "EncryptionContext:" not in key) if before else NAMES
        block[written] = draw(
            st.dictionaries(keys, values | st.lists(values, min_size=1, max_size=3), max_size=2)
        )
    return block


PRINCIPALS = st.one_of(
    st.just("*"),
    st.lists(st.sampled_from([*CALLERS[:-1], "*", ACCOUNT]), min_size=1, max_size=3).map(
        lambda names: {"AWS": names}
    ),
    st.just({"Service": SERVICE}),
)
ACTION_NAMES = st.sampled_from(["*", "kms:*", "kms:De*", "kms:Decrypt", "kms:CreateGrant", "s3:*"])
RESOURCES = st.sampled_from(
    ["*", KEY, "arn:aws:kms:*:*:key/*", "arn:aws:kms:*:*:alias/*",
     "arn:aws:kms:us-west-2:111122223333:key/${aws:username}*"]
)  # fmt: skip


@st.composite
def statements(draw: st.DrawFn, *, identity: bool, effect: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"Effect": effect or draw(st.sampled_from(["Allow", "Allow", "Deny"]))}
    for name, values in (("Action", ACTION_NAMES), ("Resource", RESOURCES)):
        negated = draw(st.sampled_from(["", "", "", "Not"]))
        made[negated + name] = draw(st.lists(values, min_size=1, max_size=2))
    if not identity:
        made[draw(st.sampled_from(["Principal", "Principal", "NotPrincipal"]))] = draw(PRINCIPALS)
    if draw(st.booleans()):
        made["Condition"] = draw(conditions())
    return made


def document(items: list[dict[str, Any]], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": items})


KEY_STATEMENTS = st.lists(statements(identity=False), min_size=1, max_size=4)
IDENTITY_STATEMENTS = st.lists(
    st.lists(statements(identity=True), min_size=1, max_size=3), max_size=2
)
GRANTS = st.lists(
    st.builds(
        Grant,
        id=st.just("g"),
        operations=st.frozensets(
            st.sampled_from(["Decrypt", "CreateGrant", "RetireGrant"]), min_size=1
        ),
        grantee=st.sampled_from(CALLERS),
        retiring=st.none() | st.sampled_from(CALLERS),
        subset=st.none() | st.just({"a": "a"}),
        settled=st.booleans(),
    ),
    max_size=2,
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    action = draw(st.sampled_from(["Decrypt", "Decrypt", *ON_KEYS]))
    arn = draw(st.sampled_from(CALLERS))
    return Request(
        Principal(arn, tags={"a": draw(TEXT)}),
        action,
        draw(st.datetimes(timezones=st.just(UTC))),
        key=KeyFacts(KEY, aliases=("alias/a",), tags={"a": draw(TEXT)}),
        context=draw(st.none() | st.dictionaries(TEXT.filter(bool), TEXT, max_size=3)),
        grant=Grant("child", frozenset({"Decrypt"}), BOB) if action == "CreateGrant" else None,
        tags=draw(st.none() | st.dictionaries(TEXT.filter(bool), TEXT, max_size=2)),
        values=draw(st.dictionaries(GIVEN, TEXT | st.lists(TEXT, max_size=2), max_size=3)),
    )


def compiled(
    of_key: list[dict[str, Any]], identity: list[list[dict[str, Any]]], grants: list[Grant]
) -> Policies:
    return Policies(
        key_policy(document(of_key)),
        [identity_policy(document(items), "identity") for items in identity],
        grants,
    )


EVERYTHING = {"Effect": "Deny", "Action": "*", "Resource": "*"}


@given(requests(), KEY_STATEMENTS, IDENTITY_STATEMENTS, GRANTS, st.data())
def test_an_explicit_deny_always_wins(request, of_key, identity, grants, data) -> None:
    policies = [of_key, *identity]
    chosen = data.draw(st.integers(0, len(policies) - 1))
    deny = EVERYTHING if chosen else {**EVERYTHING, "Principal": "*"}
    place = data.draw(st.integers(0, len(policies[chosen])))
    policies[chosen] = [*policies[chosen][:place], deny, *policies[chosen][place:]]
    decision = decide(request, compiled(policies[0], policies[1:], grants))
    assert decision.outcome is Outcome.EXPLICIT_DENY


@given(requests(), KEY_STATEMENTS, IDENTITY_STATEMENTS, GRANTS, st.data())
def test_another_deny_never_allows(request, of_key, identity, grants, data) -> None:
    before = decide(request, compiled(of_key, identity, grants))
    deny = data.draw(statements(identity=False, effect="Deny"))
    more = data.draw(statements(identity=True, effect="Deny"))
    for after in (
        decide(request, compiled([*of_key, deny], identity, grants)),
        decide(request, compiled(of_key, [*identity, [more]], grants)),
    ):
        assert before.allowed or not after.allowed
        assert after.outcome is Outcome.EXPLICIT_DENY or after.outcome is before.outcome


@given(requests(), KEY_STATEMENTS, IDENTITY_STATEMENTS, GRANTS)
def test_without_an_allow_nothing_is_allowed(request, of_key, identity, grants) -> None:
    policies = compiled([{**item, "Effect": "Deny"} for item in of_key], identity, [])
    assert not decide(request, policies).allowed
    assert not decide(request, replace(policies, key=None)).allowed


@given(requests(), KEY_STATEMENTS, IDENTITY_STATEMENTS, GRANTS, st.randoms())
def test_order_never_matters(request, of_key, identity, grants, chance) -> None:
    before = decide(request, compiled(of_key, identity, grants)).outcome
    for items in (of_key, identity, grants):
        chance.shuffle(items)
    assert decide(request, compiled(of_key, identity, grants)).outcome is before


@given(requests(), KEY_STATEMENTS, IDENTITY_STATEMENTS, GRANTS)
def test_what_is_explained_is_what_was_decided(request, of_key, identity, grants) -> None:
    policies = compiled(of_key, identity, grants)
    decision, steps = decide(request, policies), explained(request, policies)
    assert len(steps) == len(of_key) + sum(map(len, identity)) + len(grants)
    denied = any(step.applies and step.effect == "Deny" for step in steps)
    assert (decision.outcome is Outcome.EXPLICIT_DENY) is denied
    applying = {(step.policy, step.index) for step in steps if step.applies}
    deciding = {(item.policy, item.index) for item in decision.made_by}
    assert deciding <= applying | {("account", None)}
    assert bool(deciding) is (decision.outcome is not Outcome.IMPLICIT_DENY)


# Around the dates that policies name here.
MOMENTS = st.builds(
    lambda second, micros: datetime.fromtimestamp(second, UTC).replace(microsecond=micros),
    st.sampled_from([0, 1, 1767225600, 1769860799, 1769860800, 1769860801]),
    st.sampled_from([0, 1, 499_999, 500_000, 999_999]),
)


@settings(max_examples=500)
@given(requests(), KEY_STATEMENTS, IDENTITY_STATEMENTS, GRANTS, MOMENTS, MOMENTS)
def test_what_is_left_of_policies_decides_as_the_whole(
    drawn, of_key, identity, grants, earlier, later
) -> None:
    """For every request of the caller, for the action, on the key, until the entry ends."""
    own = {name: value for name, value in drawn.values.items()
           if not policy_compiled.is_fixed(name, on_key=True)}  # fmt: skip
    request = replace(drawn, time=later, values=own)
    bare = Request(request.principal, request.action, earlier, key=request.key)
    policies = compiled(of_key, identity, grants)
    left = policy_compiled.compiled(bare, policies)
    assume(earlier <= later and (left.until is None or later.timestamp() < left.until))
    whole = decide(request, policies).outcome
    assert decide(request, left.policies).outcome is whole
    if left.settled:
        assert decide(bare, left.policies).outcome is whole


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.sampled_from(["Allow", "2012-10-17"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Version", "Statement", "Effect", "Principal", "AWS", "Action",
                         "Resource", "Condition", "StringEquals", "kms:a", "Id", "Sid"]) | TEXT,
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON, st.booleans())
def test_any_json_is_a_policy_or_malformed(value, identity) -> None:
    text = json.dumps(value)
    found = examined(text, identity=identity)
    try:
        policy = identity_policy(text, "x") if identity else key_policy(text)
    except MalformedPolicyDocument:
        assert found.policy is None
    else:
        assert found.policy is not None
        request = Request(Principal(ALICE), "Decrypt", datetime.now(UTC), key=KeyFacts(KEY))
        decide(request, Policies(policy, [policy]))


@given(st.text(max_size=60) | st.text('{}[]",:\\aus0123456789.eE-+ \n', max_size=30))
def test_any_text_is_a_policy_or_refused(text) -> None:
    with suppress(MalformedPolicyDocument, ValidationError, LimitExceeded):
        assert key_policy(text).statements


def plain(node: Node) -> Any:
    if node.kind == "object":
        return {name: plain(item) for name, item in node.value.items()}
    if node.kind == "list":
        return [plain(item) for item in node.value]
    return float(node.value) if node.kind == "number" else node.value


def is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def refuse(_name: str) -> None:
    raise ValueError


@given(st.text('{}[]",:\\aus0123456789.eE-+ \nNtrue', max_size=24) | JSON.map(json.dumps))
def test_json_is_read_as_the_library_reads_it(text) -> None:
    try:
        expected = json.loads(text, parse_constant=refuse, parse_int=float)
    except ValueError:
        expected = refuse
    if expected is not refuse and is_unicode(expected):
        assert plain(parse(text)) == expected
        return
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert 0 <= caught.value.offset <= len(text)


@given(st.text("ab*?:", max_size=8), st.text("ab*?:", max_size=8))
def test_patterns_match_as_regular_expressions_do(pattern, text) -> None:
    parts = [{"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern]
    expected = re.fullmatch("".join(parts), text, re.DOTALL) is not None
    assert glob(wildcards(pattern))(text) is expected
