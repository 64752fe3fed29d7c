"""Decisions on policies that are compiled, against a limit of time and beside Cedar's engine."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from conftest import Compare
from python_peers import CedarPolicies
from rows import Row

import kmsfast
from kmsfast.model.policy_decision import Outcome, Policies, decide
from kmsfast.model.policy_document import key_policy
from kmsfast.model.policy_principal import Principal
from kmsfast.model.policy_request import KeyFacts, Request
from kmsfast.service.authorization import Asked, Authorizer

CALLS, PEER_CALLS, ROUNDS = 1_000, 20, 60
LIMIT = 60e-6  # seconds for one decision
KEPT = 1e-6  # and for one that was made before
ACCOUNT = "111122223333"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
KEY = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
NETWORKS = {"aws:SourceIp": ["10.0.0.0/8", "192.168.0.0/16"]}


def _statement(index: int) -> dict[str, object]:
    """About the caller and the action, so that only its conditions keep it from applying."""
    return {
        "Sid": f"Statement {index}",
        "Effect": "Deny" if index % 2 else "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/other-{index}", ALICE]},
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
        "Resource": "*",
        "Condition": {
            "IpAddress": NETWORKS,
            "StringLike": {"kms:EncryptionContext:table": f"table-{index}-*"},
        },
    }


def _ours(source: str) -> Callable[[], bool]:
    """A decision on ten statements, of which the last allows. Every call builds its request, as a
    door would, and comes from another address.

    source: how the address begins.
    """
    last = {**_statement(10), "Condition": {"IpAddress": NETWORKS}}
    document = {"Version": "2012-10-17", "Statement": [*map(_statement, range(9)), last]}
    policies = Policies(key_policy(json.dumps(document)))
    caller, now = Principal(ALICE), datetime.now(UTC)
    key = KeyFacts(KEY)
    context = {"table": "orders", "column": "email"}
    number = count()

    def once() -> bool:
        values = {"aws:SourceIp": _address(source, next(number)), "aws:SecureTransport": "true"}
        request = Request(caller, "Decrypt", now, key=key, context=context, values=values)
        return decide(request, policies).outcome is Outcome.ALLOWED

    return once


def _address(source: str, number: int) -> str:
    third, fourth = divmod(number % 65_536, 256)
    return f"{source}.{third}.{fourth}"


def _cedar(index: int, *, table: str = "") -> str:
    """The statement of that number in Cedar's language."""
    inside = " || ".join(f'context.ip.isInRange(ip("{net}"))' for net in NETWORKS["aws:SourceIp"])
    about = f'[User::"other-{index}", User::"{ALICE}"].contains(principal)'
    conditions = [about, f"({inside})", *([f'context.table like "{table}"'] if table else [])]
    actions = ", ".join(
        f'Action::"{name}"' for name in ("Encrypt", "Decrypt", "GenerateDataKey", "ReEncrypt")
    )
    effect = "forbid" if index % 2 and table else "permit"
    when = " && ".join(conditions)
    return f"{effect} (principal, action in [{actions}], resource) when {{ {when} }};"


def _theirs(source: str) -> Callable[[], bool] | None:
    """The same by Cedar's engine, which parsed the policies before; None without it."""
    policies = [_cedar(index, table=f"table-{index}-*") for index in range(9)] + [_cedar(10)]
    try:
        cedar = CedarPolicies("\n".join(policies))
    except ImportError:
        return None
    number = count()

    def once() -> bool:
        address = {"__extn": {"fn": "ip", "arg": _address(source, next(number))}}
        context = {"ip": address, "table": "orders", "column": "email", "secure": True}
        return cedar.allows(ALICE, "Decrypt", KEY, context)

    return once


INSIDE, OUTSIDE = "192.168", "8.8"


def test_a_decision_on_ten_statements(compare: Compare) -> None:
    """Beside the limit of time."""
    once = _ours(INSIDE)
    assert once()
    assert not _ours(OUTSIDE)()

    def ours() -> None:
        for _ in range(CALLS):
            once()

    row = Row("policy decision, 10 statements, vs 60 us", 1, unit="runs/s")
    compare(row, ours, lambda: LIMIT * CALLS, units=CALLS, rounds=ROUNDS, own_clock=True)


def test_a_decision_beside_cedar(compare: Compare) -> None:
    """The same policy, translated; both allow and refuse the same."""
    once, other = _ours(INSIDE), _theirs(INSIDE)
    outside = _theirs(OUTSIDE)

    def ours() -> None:
        for _ in range(CALLS):
            once()

    def peer() -> None:
        assert other is not None
        for _ in range(PEER_CALLS):
            other()

    if other is not None and outside is not None:
        assert other()
        assert not outside()
    compare(
        Row("policy decision, 10 statements, vs cedarpy", unit="runs/s"),
        ours,
        None if other is None else peer,
        units=CALLS,
        peer_units=PEER_CALLS,
        rounds=ROUNDS,
    )


def test_a_decision_that_is_kept(compare: Compare, tmp_path: Path) -> None:
    """The check of a request whose caller, action and key were seen before, in a store."""
    with kmsfast.open(tmp_path / "store", create=True) as kms:
        made = kms.principals.create_administrator()
        app = kms._app
        key = app.ring.key(kms.create_key()._raw_id)
        authorizer = Authorizer(app.ring, app.principals, lambda _key, _caller: ())
        caller, check = app.deployment.access.caller(made.id), authorizer.check
        check(caller, "Encrypt", key)

        def ours() -> None:
            for _ in range(CALLS):
                check(caller, "Encrypt", key)

        row = Row("authorisation, decision kept, vs 1 us", 1, unit="checks/s")
        compare(row, ours, lambda: KEPT * CALLS, units=CALLS, rounds=ROUNDS, own_clock=True)


def test_a_decision_that_asks_the_request(compare: Compare, tmp_path: Path) -> None:
    """The same with an identity policy that looks at the encryption context and the address."""
    condition = {
        "StringEquals": {"kms:EncryptionContext:table": "orders"},
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
    }
    statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition}
    with kmsfast.open(tmp_path / "store", create=True) as kms:
        kms.principals.create_user("ada")
        kms.principals.attach_policy("ada", "use", json.dumps({"Statement": statement}))
        app = kms._app
        key = app.ring.key(kms.create_key()._raw_id)
        authorizer = Authorizer(app.ring, app.principals, lambda _key, _caller: ())
        caller = app.principals.known().caller(kms.principals.get("ada").arn)
        check = authorizer.check
        asked = Asked(context={"table": "orders"}, values={"aws:SourceIp": "10.1.2.3"})

        def ours() -> None:
            for _ in range(CALLS):
                check(caller, "Encrypt", key, lambda: asked)

        row = Row("authorisation, conditions on the request, vs 60 us", 1, unit="checks/s")
        compare(row, ours, lambda: LIMIT * CALLS, units=CALLS, rounds=ROUNDS, own_clock=True)
