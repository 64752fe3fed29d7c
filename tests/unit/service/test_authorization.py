"""Decisions on requests, with what is remembered of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from clocks import Clock

import kmsfast
from kmsfast.errors import AccessDenied, ValidationError
from kmsfast.model.policy_decision import Outcome
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_principal import Principal
from kmsfast.service.authorization import NOTHING, Asked, Authorizer

ACCOUNT = "000000000000"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ADA = f"arn:aws:iam::{ACCOUNT}:user/ada"
EVE = Principal("arn:aws:iam::999999999999:user/eve")
DELEGATING = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allowing(action: str = "kms:*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": "*", **more}


class World:
    """A store with a key and a user."""

    def __init__(self, kms: kmsfast.Kms) -> None:
        self.kms = kms
        self.grants: list[Grant] = []
        self.caller: tuple[Any, Principal] | None = None
        self.key = kms.create_key(policy=document(DELEGATING))
        kms.principals.create_user("ada", {"team": "payments"})
        kms.principals.create_user("bob")
        app = kms._app
        self.authorizer = Authorizer(app.ring, app.principals, lambda _key, _caller: self.grants)

    @property
    def ada(self) -> Principal:
        """The same object while nothing of principals has changed, as of an access key."""
        known = self.kms._app.principals.known()
        if self.caller is None or self.caller[0] is not known:
            self.caller = known, known.caller(ADA)
        return self.caller[1]

    @property
    def metadata(self) -> Any:
        return self.kms._app.ring.key(self.key._raw_id)

    def policy(self, *statements: dict[str, Any]) -> None:
        self.kms._app.policies.put(self.key._raw_id, document(*statements))

    def identity(self, *statements: dict[str, Any]) -> None:
        self.kms.principals.attach_policy("ada", "own", document(*statements))

    def denied(self, action: str, asked: Asked = NOTHING, caller: Principal | None = None) -> str:
        with pytest.raises(AccessDenied) as caught:
            self.authorizer.check(caller or self.ada, action, self.metadata, lambda: asked)
        return caught.value.message

    def allowed(self, action: str, asked: Asked = NOTHING, caller: Principal | None = None) -> None:
        self.authorizer.check(caller or self.ada, action, self.metadata, lambda: asked)


@pytest.fixture
def world(kms: kmsfast.Kms) -> World:
    return World(kms)


def test_denials_say_what_aws_says(world: World) -> None:
    who = f"User: {ADA} is not authorized to perform: kms:Encrypt on resource: {world.key.arn} "
    no_identity = "because no identity-based policy allows the kms:Encrypt action"
    assert world.denied("Encrypt") == who + no_identity
    world.identity(allowing())
    world.allowed("Encrypt")
    world.identity(allowing(), allowing("kms:Encrypt", "Deny"))
    assert world.denied("Encrypt") == who + "with an explicit deny in an identity-based policy"
    world.identity(allowing())
    world.policy(DELEGATING, allowing("kms:Encrypt", "Deny", Principal="*"))
    assert world.denied("Encrypt") == who + "with an explicit deny in a resource-based policy"
    world.policy(allowing(Principal={"AWS": "arn:aws:iam::000000000000:user/bob"}))
    assert world.denied("Encrypt") == (
        who + "because no resource-based policy allows the kms:Encrypt action"
    )


def test_another_account_learns_nothing(world: World) -> None:
    elsewhere = (
        "because the resource does not exist in this Region, no resource-based policies allow "
        "access, or a resource-based policy explicitly denies access"
    )
    assert world.denied("Decrypt", caller=EVE).endswith(elsewhere)
    world.policy(DELEGATING, allowing("kms:Decrypt", "Deny", Principal="*"))
    assert world.denied("Decrypt", caller=EVE).endswith(elsewhere)


def test_actions_on_nothing_and_on_aliases(world: World) -> None:
    with pytest.raises(AccessDenied, match=r"kms:CreateKey on resource: \* because no identity"):
        world.authorizer.check(world.ada, "CreateKey")
    alias = f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/a"
    with pytest.raises(AccessDenied, match="alias/a because no identity"):
        world.authorizer.check(world.ada, "CreateAlias", alias_arn=alias)
    world.identity(allowing(Resource=alias))
    world.authorizer.check(world.ada, "CreateAlias", alias_arn=alias)
    with pytest.raises(ValidationError):
        world.authorizer.check(world.ada, "Encrypt")
    world.identity(allowing("kms:CreateKey", Condition={
        "StringEquals": {"kms:KeySpec": "HMAC_256"}
    }))  # fmt: skip
    asked = Asked(values={"kms:KeySpec": "HMAC_256"})
    world.authorizer.check(world.ada, "CreateKey", None, lambda: asked)
    with pytest.raises(AccessDenied):
        world.authorizer.check(world.ada, "CreateKey")


CHANGES: dict[str, Callable[[World], object]] = {
    "key policy": lambda world: world.policy(allowing(Principal={"AWS": ROOT}, Action="kms:Get*")),
    "identity policy": lambda world: world.kms.principals.detach_policy("ada", "own"),
    "its group": lambda world: world.kms.principals.remove_from_group("ada", "devs"),
    "the policy of its group": lambda world: world.kms.principals.detach_policy("devs", "use"),
    "the user": lambda world: world.kms.principals.delete("ada"),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_change_holds_for_the_next_request(world: World, change: str) -> None:
    known = world.kms.principals
    known.create_group("devs")
    known.attach_policy("devs", "use", document(allowing("kms:Decrypt")))
    known.add_to_group("ada", "devs")
    world.identity(allowing("kms:Encrypt"))
    action = "Decrypt" if "group" in change else "Encrypt"
    caller, key = world.ada, world.metadata  # as a door may hold them for longer
    for _ in range(3):
        world.authorizer.check(caller, action, key)
    CHANGES[change](world)
    for _ in range(2):
        with pytest.raises(AccessDenied):
            world.authorizer.check(caller, action, key)


def test_a_change_in_another_process_holds(path: Path) -> None:
    with kmsfast.open(path, create=True) as one, kmsfast.open(path) as two:
        here = World(one)
        here.identity(allowing())
        here.allowed("Encrypt")
        two.principals.detach_policy("ada", "own")
        here.denied("Encrypt")


def test_conditions_on_the_request_are_asked_every_time(world: World) -> None:
    world.identity(allowing("kms:Decrypt", Condition={
        "StringEquals": {"kms:EncryptionContext:table": "${aws:PrincipalTag/team}"},
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
    }))  # fmt: skip
    good = Asked(context={"table": "payments"}, values={"aws:SourceIp": "10.1.2.3"})
    for _ in range(2):
        world.allowed("Decrypt", good)
        world.denied("Decrypt", Asked(context={"table": "other"}, values=good.values))
        world.denied("Decrypt", Asked(context=good.context, values={"aws:SourceIp": "11.0.0.1"}))
        world.denied("Decrypt")


def test_a_deny_on_the_request_is_asked_every_time(world: World) -> None:
    world.identity(allowing(), allowing("kms:Decrypt", "Deny", Condition={
        "StringEquals": {"kms:EncryptionContext:secret": "yes"}
    }))  # fmt: skip
    for _ in range(2):
        world.allowed("Decrypt")
        world.denied("Decrypt", Asked(context={"secret": "yes"}))
        world.allowed("Encrypt", Asked(context={"secret": "yes"}))


def test_tags_and_aliases_of_the_key_decide(world: World) -> None:
    world.identity(allowing("kms:Decrypt", Condition={
        "StringEquals": {"aws:ResourceTag/team": "payments"},
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/orders"},
    }))  # fmt: skip
    world.denied("Decrypt")
    world.key.tag({"team": "payments"})
    world.denied("Decrypt")
    world.kms.create_alias("alias/orders", world.key)
    world.allowed("Decrypt")
    world.key.untag(["team"])
    world.denied("Decrypt")


def test_what_is_settled_asks_nothing_of_the_request(world: World) -> None:
    world.identity(allowing("kms:Encrypt"))

    def never() -> Asked:
        raise AssertionError("nothing of the request matters")

    world.allowed("Encrypt")
    caller, key = world.ada, world.metadata
    world.authorizer.check(caller, "Encrypt", key)
    world.authorizer.check(caller, "Encrypt", key, never)


def test_an_entry_ends_at_the_next_date(world: World, clock: Clock) -> None:
    now = world.kms._app.ring.now()
    start, end = (f"{now + timedelta(seconds=s):%Y-%m-%dT%H:%M:%SZ}" for s in (10, 20))
    window = {
        "DateGreaterThan": {"aws:CurrentTime": start},
        "DateLessThan": {"aws:CurrentTime": end},
    }
    world.identity(allowing("kms:Encrypt", Condition=window))
    for second in range(25):
        if 10 < second < 20:
            world.allowed("Encrypt")
        else:
            world.denied("Encrypt")
        clock.now += 1
    clock.now -= 10
    world.allowed("Encrypt")
    clock.now -= 10
    world.denied("Encrypt")


def test_grants_allow_and_are_asked(world: World) -> None:
    world.denied("Decrypt")
    world.grants.append(Grant("g", frozenset({"Decrypt"}), ADA, subset={"table": "orders"}))
    world.key.update_description("another epoch")
    world.allowed("Decrypt", Asked(context={"table": "orders", "more": "x"}))
    world.denied("Decrypt", Asked(context={"table": "other"}))
    world.denied("Encrypt", Asked(context={"table": "orders"}))
    world.grants[:] = [Grant("g", frozenset({"Decrypt"}), ADA)]
    world.key.update_description("and another")
    world.allowed("Decrypt")
    world.grants.clear()
    world.key.update_description("revoked")
    world.denied("Decrypt")


def test_retiring_follows_the_grant(world: World) -> None:
    grant = Grant("g", frozenset({"Decrypt"}), ADA, retiring=ADA)
    world.allowed("RetireGrant", Asked(grant=grant))
    world.denied("RetireGrant", Asked(grant=Grant("g", frozenset({"Decrypt"}), ADA)))


def test_a_request_cannot_say_who_makes_it(world: World) -> None:
    for name in ("aws:PrincipalArn", "aws:username", "kms:KeySpec", "aws:ResourceTag/team",
                 "aws:PrincipalTag/team", "aws:CurrentTime"):  # fmt: skip
        with pytest.raises(ValidationError):
            world.authorizer.decide(world.ada, "Encrypt", world.metadata, Asked(values={name: "x"}))


def test_two_callers_of_one_arn_are_two(world: World) -> None:
    """Sessions can have tags of their own."""
    world.identity(allowing("kms:Encrypt", Condition={
        "StringEquals": {"aws:PrincipalTag/level": "high"}
    }))  # fmt: skip
    world.allowed("Encrypt", caller=Principal(ADA, tags={"level": "high"}))
    world.denied("Encrypt", caller=Principal(ADA, tags={"level": "low"}))


def test_a_decision_is_explained(world: World) -> None:
    world.identity(allowing("kms:Encrypt"), allowing("kms:Decrypt"))
    decision, steps = world.authorizer.explain(world.ada, "Encrypt", world.metadata)
    assert decision.outcome is Outcome.ALLOWED
    assert [(step.policy, step.applies) for step in steps] == [
        ("key policy", True), ("own", True), ("own", False)
    ]  # fmt: skip
    assert world.authorizer.decide(world.ada, "Encrypt", world.metadata).made_by == decision.made_by


def test_a_key_without_a_policy_has_the_default_one(world: World) -> None:
    key = world.kms._app.ring.key(world.kms.create_key()._raw_id)
    with pytest.raises(AccessDenied, match="no identity-based policy"):
        world.authorizer.check(world.ada, "Encrypt", key)
    world.identity(allowing())
    world.authorizer.check(world.ada, "Encrypt", key)


def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmsfast.service.authorization._MOST", 8)
    world.identity(allowing())
    for _ in range(50):
        world.allowed("Encrypt", caller=Principal(ADA))
    assert len(world.authorizer._entries) <= 8
