"""Every case of tests/policy_cases: what the AWS reference says, and what the evaluator says."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from policy_cases import (
    ALICE,
    ALLOWED,
    DENIED,
    KEY,
    NOT_ALLOWED,
    ROOT,
    Case,
    Document,
    Row,
    condition_keys,
    documents,
    elements,
    evaluation,
    grants,
    of_identity,
    operators,
    principals,
    statement,
)

from kmsfast.errors import MalformedPolicyDocument
from kmsfast.model.policy_decision import Decision, Policies, decide
from kmsfast.model.policy_document import examined, identity_policy, key_policy
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_keys import KEYS
from kmsfast.model.policy_principal import Principal
from kmsfast.model.policy_request import KeyFacts, Request
from kmsfast.model.policy_statement import Policy
from kmsfast.model.policy_trace import explained

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CASES = [*elements.CASES, *principals.CASES, *evaluation.CASES, *grants.CASES]
ROWS = [*operators.ROWS, *condition_keys.ROWS, *elements.ROWS]


def names(items: list[Any]) -> list[str]:
    return [item.rule for item in items]


def document(statements: list[dict[str, Any]], version: str | None) -> str:
    whole = {"Statement": statements}
    return json.dumps(whole if version is None else {"Version": version, **whole})


def request_of(given: dict[str, Any]) -> Request:
    """A request; Alice decrypts at noon, but for what is given."""
    arguments = {
        "principal": {"arn": ALICE}, "action": "Decrypt", "time": NOON, "key": {"arn": KEY}, **given
    }  # fmt: skip
    arguments["principal"] = Principal(**arguments["principal"])
    if arguments["key"] is not None:
        arguments["key"] = KeyFacts(**arguments["key"])
    if "grant" in given:
        arguments["grant"] = Grant.of_api(given["grant"])
    return Request(**arguments)


def policies_of(case: Case) -> Policies:
    return Policies(
        None if case.key_policy is None else key_policy(document(case.key_policy, case.version)),
        [
            identity_policy(document(item, case.version), f"identity {index}")
            for index, item in enumerate(case.identity)
        ],
        [Grant.of_api(entry) for entry in case.grants],
    )


def agrees(decision: Decision, request: Request, policies: Policies) -> None:
    """What is explained is what was decided."""
    steps = explained(request, policies)
    applying = {(step.policy, step.index) for step in steps if step.applies}
    deciding = {(item.policy, item.index) for item in decision.made_by}
    if request.action != "RetireGrant":
        assert deciding - {("account", None)} <= applying
    denying = [step for step in steps if step.applies and step.effect == "Deny"]
    assert (decision.outcome == DENIED) is bool(denying)
    assert all(step.why for step in steps)


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_cases(case: Case) -> None:
    request, policies = request_of(case.request), policies_of(case)
    decision = decide(request, policies)
    assert decision.outcome == case.want, decision
    assert decision.allowed is (case.want == ALLOWED)
    if case.by is not None:
        assert tuple(item.sid for item in decision.made_by) == case.by
    agrees(decision, request, policies)


@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_rows(row: Row) -> None:
    request = request_of(row.request)
    make = of_identity if row.identity else statement
    for effect in row.effects:
        wanted = {"Allow": (ALLOWED, NOT_ALLOWED), "Deny": (DENIED, ALLOWED)}[effect]
        under_test = make(effect, Condition=row.condition)
        statements = [under_test] if effect == "Allow" else [make(), under_test]
        if row.identity:
            delegation = [statement(Principal={"AWS": ROOT})]
            policies = Policies(
                key_policy(document(delegation, row.version)),
                [identity_policy(document(statements, row.version), "identity")],
            )
        else:
            policies = Policies(key_policy(document(statements, row.version)))
        decision = decide(request, policies)
        assert decision.outcome == wanted[not row.match], (effect, decision)
        agrees(decision, request, policies)


@pytest.mark.parametrize(
    "item", documents.DOCUMENTS, ids=names(documents.DOCUMENTS)
)  # fmt: skip
def test_documents(item: Document) -> None:
    def read() -> Policy:
        if item.identity:
            return identity_policy(item.text, "x")
        return key_policy(item.text)

    found = examined(item.text, identity=item.identity)
    mistakes = [finding for finding in found.findings if finding.level == "error"]
    if item.says is None:
        assert not mistakes
        assert len(read().statements) == len(found.policy.statements) > 0
        return
    assert found.policy is None
    assert any(item.says in str(finding) for finding in mistakes), mistakes
    with pytest.raises(MalformedPolicyDocument) as caught:
        read()
    assert str(mistakes[0]) in str(caught.value)


def test_every_condition_key_of_aws_kms_has_a_case() -> None:
    asked = {
        key.lower()
        for row in ROWS
        for keys in row.condition.values()
        for key in keys
        if key.lower().startswith("kms:")
    }
    for name, key in KEYS.items():
        if name.startswith("kms:"):
            assert any(item.startswith(name) if key.is_family else item == name for item in asked)


def test_the_table_is_long_and_every_case_names_its_rule_and_its_page() -> None:
    everything = [*CASES, *ROWS, *documents.DOCUMENTS]
    assert len(CASES) + len(ROWS) >= 300
    assert len(everything) >= 600
    assert all(item.rule and item.page.startswith("https://docs.aws.") for item in everything)
    for items in (CASES, ROWS, documents.DOCUMENTS):
        counts = Counter((item.rule, item.page) for item in items)
        twice = [name for name, count in counts.items() if count > 1]
        assert twice == []
