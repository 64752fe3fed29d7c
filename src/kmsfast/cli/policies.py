"""``kmsfast policy``: what policies decide, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kmsfast.cli.arguments import Pair, pairs
from kmsfast.cli.documents import file_type, text_of
from kmsfast.cli.exits import Code
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import facts, json_option, print_json, table
from kmsfast.errors import InvalidArn, KeyNotFound, KmsError, StoreNotFound

if TYPE_CHECKING:
    from kmsfast.local import Key
    from kmsfast.model.policy_decision import Decision, Policies
    from kmsfast.model.policy_grant import Grant
    from kmsfast.model.policy_principal import Principal
    from kmsfast.model.policy_request import KeyFacts, Request
    from kmsfast.model.policy_statement import Policy
    from kmsfast.model.policy_trace import Step

__all__ = ["policy"]

T = TypeVar("T")

identity_option = click.option(
    "--identity-policy", "identity", type=file_type, multiple=True,
    help="An identity policy of the principal. Repeatable.",
)  # fmt: skip


@click.group()
def policy() -> None:
    """Policies: who may do what with a key. They bind requests over HTTP."""


@policy.command(short_help="Decide a request, and say which statement decides it.")
@click.option("--principal", required=True, help="Who asks: an ARN, 12 digits, or a service.")
@click.option("--role", help="ARN of the role of a session, if it has a path.")
@click.option("--action", required=True, help="What for, as kms:Decrypt.")
@click.option("--key", "key_name", help="On which key.")
@click.option("--alias", "alias_arn", help="ARN of an alias, for the actions on aliases.")
@click.option("-c", "--context", type=Pair(), multiple=True,
              help="A pair of the encryption context. Repeatable.")  # fmt: skip
@click.option("--policy", "policy_file", type=file_type, help="Key policy, instead of the key's.")
@identity_option
@click.option("--grant", "grants", type=file_type, multiple=True,
              help="Grants as ListGrants gives them, not the key's own. Repeatable.")  # fmt: skip
@click.option("--grant-token", "tokens", multiple=True, help="A grant token. Repeatable.")
@click.option("--for-grant", type=file_type,
              help="The grant that CreateGrant would make or RetireGrant end.")  # fmt: skip
@click.option("--request-key", "given", type=Pair(), multiple=True,
              help="A condition key of the request, as aws:SourceIp=10.0.0.1.")  # fmt: skip
@json_option
@pass_session
def simulate(session: Session, /, as_json: bool, **given: Any) -> int:
    """Decide a request, and say which statement decides it and why the others do not."""
    from kmsfast.model.policy_decision import decide
    from kmsfast.model.policy_trace import explained

    request, policies = _question(session, **given)
    decision = decide(request, policies)
    steps = explained(request, policies)
    (_print_as_json if as_json else _print)(decision, steps)
    return Code.OK if decision.allowed else Code.DENIED


@policy.command(short_help="Say what is wrong with a policy document, and where.")
@click.argument("document", metavar="FILE", type=file_type)
@click.option("--identity", "is_identity", is_flag=True, help="It is an identity policy.")
@click.option("--principal", help="Also check that this caller could replace the key policy.")
@identity_option
@click.option("--bypass-policy-lockout-safety-check", "bypass", is_flag=True,
              help="Let the caller lock itself out.")  # fmt: skip
@json_option
def check(  # noqa: PLR0917 - click calls it by name
    document: Path,
    is_identity: bool,
    principal: str | None,
    identity: Sequence[Path],
    bypass: bool,
    as_json: bool,
) -> int:
    """Say what is wrong with a policy document, and where."""
    from kmsfast.model.policy_document import examined

    if principal is not None and is_identity:
        raise click.UsageError("--principal is for key policies; leave --identity out")
    if principal is None and (identity or bypass):
        raise click.UsageError("the check that nobody locks himself out needs --principal")
    found = _noted(document, lambda: examined(text_of(document), identity=is_identity))
    if as_json:
        print_json(
            [{name: getattr(item, name) for name in item.__slots__} for item in found.findings]
        )
    else:
        for item in found.findings:
            place = f"{document}:{item.line}:{item.column}"
            click.echo(_printable(f"{place}: {item.level}: {item}"))
    if found.policy is None:
        return Code.USAGE
    if principal is not None:
        _check_lockout(found.policy, principal, identity, bypass=bypass)
    if not found.findings and not as_json:
        click.echo(f"{document}: nothing is wrong with it")
    return Code.OK


# ---- the question -------------------------------------------------------------------------------


def _question(
    session: Session,
    *,
    principal: str,
    role: str | None,
    action: str,
    key_name: str | None,
    alias_arn: str | None,
    context: tuple[tuple[str, str], ...],
    policy_file: Path | None,
    identity: Sequence[Path],
    grants: Sequence[Path],
    tokens: tuple[str, ...],
    for_grant: Path | None,
    given: tuple[tuple[str, str], ...],
) -> tuple[Request, Policies]:
    """The request and what governs it."""
    from kmsfast.model.policy_decision import Policies
    from kmsfast.model.policy_principal import Principal
    from kmsfast.model.policy_request import Request

    values = _collected(given)
    key, alias, key_policy = _key(session, key_name, policy_file)
    about = [] if for_grant is None else _grants(for_grant)
    if len(about) > 1:
        raise click.UsageError(f"{for_grant} has {len(about)} grants; --for-grant takes one")
    caller, policies = _caller(session, Principal(principal, role_arn=role), identity)
    request = Request(
        principal=caller,
        action=action,
        time=_time(values),
        key=key,
        alias_arn=alias_arn,
        context=pairs(context, "--context") or None,
        alias=alias,
        grant=about[0] if about else None,
        grant_tokens=tokens,
        values=values,
    )
    on_key = _grants_on(session, key_name, key, grants)
    return request, Policies(key_policy, policies, on_key)


def _caller(
    session: Session, principal: Principal, identity: Sequence[Path]
) -> tuple[Principal, list[Policy]]:
    """The caller as the store knows it, and its identity policies unless others are given."""
    from kmsfast.model.policy_document import identity_policy

    try:
        known, documents = session.own.principals.governing(principal)
    except StoreNotFound:
        known, documents = principal, {}
    if identity:
        return known, _identity_policies(identity)
    return known, [identity_policy(text, name) for name, text in documents.items()]


def _collected(given: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Condition keys; one that is given again has several values."""
    values: dict[str, tuple[str, ...]] = {}
    for name, value in given:
        values[name.lower()] = (*values.get(name.lower(), ()), value)
    return values


def _time(values: dict[str, tuple[str, ...]]) -> datetime:
    """Now, unless the request says another time."""
    from kmsfast.model.policy_values import moment

    said = values.pop("aws:currenttime", None)
    if said is None:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(moment(said[0]) / 1e6, UTC)
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"aws:CurrentTime: {error}") from None


def _key(
    session: Session, name: str | None, policy_file: Path | None
) -> tuple[KeyFacts | None, str | None, Policy | None]:
    """Facts of the key, the alias by which it was named, and its policy."""
    from kmsfast.model.policy_document import default_policy, key_policy
    from kmsfast.model.policy_request import KeyFacts

    if name is None:
        if policy_file is not None:
            raise click.UsageError("--policy is a key's policy: name the key with --key")
        return None, None, None
    given = None
    if policy_file is not None:
        path = policy_file
        given = _noted(path, lambda: key_policy(text_of(path), path.name))
    try:
        found = session.kms.key(name)
    except (StoreNotFound, KeyNotFound, InvalidArn):
        if given is None or not _is_key_arn(name):
            raise
        return KeyFacts(name), None, given  # of nobody's store
    resource = name.split(":", 5)[-1]
    alias = resource if resource.startswith("alias/") else None
    facts = _facts(found)
    if given is None and found.policy is None:
        given = default_policy(facts.account, found.arn.split(":")[1])
    return facts, alias, given or _stored(found)


def _is_key_arn(name: str) -> bool:
    return name.startswith("arn:") and ":key/" in name


def _stored(key: Key) -> Policy | None:
    """The key's policy; one that cannot be read allows nothing."""
    from kmsfast.model.policy_document import key_policy

    try:
        return key_policy(key.policy or "")
    except KmsError as error:
        click.echo(
            f"kmsfast: the policy of {key.arn} cannot be read and so allows nothing: {error}",
            err=True,
        )
        return None


def _facts(key: Key) -> KeyFacts:
    from kmsfast.model.policy_request import KeyFacts

    return KeyFacts(
        key.arn,
        multi_region_type="PRIMARY" if key.multi_region else None,
        aliases=tuple(key.aliases),
        tags=dict(key.tags),
        spec=str(key.spec),
        usage=str(key.usage),
        origin=str(key.origin),
    )


def _identity_policies(paths: Sequence[Path]) -> list[Policy]:
    from kmsfast.model.policy_document import identity_policy

    def read(path: Path) -> Policy:
        return identity_policy(text_of(path), path.name)

    return [_noted(path, partial(read, path)) for path in paths]


def _grants_on(
    session: Session, name: str | None, key: KeyFacts | None, files: Sequence[Path]
) -> list[Grant]:
    """The grants of the files, else those that the key has."""
    if files or name is None:
        return [grant for path in files for grant in _grants(path, key)]
    try:
        return session.kms.key(name).grants()
    except (StoreNotFound, KeyNotFound, InvalidArn):
        return []  # a key of nobody's store


def _grants(path: Path, key: KeyFacts | None = None) -> list[Grant]:
    """The grants of a file: an answer of ListGrants, its list, or one grant."""
    import json

    from kmsfast.model.policy_grant import Grant

    try:
        found = json.loads(text_of(path))
    except ValueError as error:
        raise click.UsageError(f"{path}: no JSON: {error}") from None
    if isinstance(found, dict) and "Grants" in found:
        found = found["Grants"]
    entries = found if isinstance(found, list) else [found]
    if not all(isinstance(entry, dict) for entry in entries):
        raise click.UsageError(f"{path}: a grant is an object, as ListGrants gives it")
    elsewhere = {entry.get("KeyId", key.arn) for entry in entries} - {key.arn} if key else set()
    if elsewhere:
        raise click.UsageError(f"{path} has a grant on another key, {min(map(str, elsewhere))}")
    return [_noted(path, partial(Grant.of_api, entry)) for entry in entries]


def _check_lockout(
    policy: Policy, principal: str, identity: Sequence[Path], *, bypass: bool
) -> None:
    """As PutKeyPolicy checks it, on a key of the caller's account."""
    from kmsfast.model.policy_lockout import check_lockout
    from kmsfast.model.policy_principal import Principal
    from kmsfast.model.policy_request import KeyFacts, Request

    caller = Principal(principal)
    if caller.account is None:
        raise click.UsageError(f"{principal} has no account, and so puts no key policy")
    key = KeyFacts(f"arn:{caller.partition}:kms:us-east-1:{caller.account}:key/checked")
    request = Request(caller, "PutKeyPolicy", datetime.now(UTC), key=key)
    check_lockout(policy, request, _identity_policies(identity), bypass=bypass)


def _noted(path: Path, read: Callable[[], T]) -> T:
    """What was read of a file; errors say of which."""
    try:
        return read()
    except KmsError as error:
        error.add_note(str(path))
        raise


# ---- the answer ---------------------------------------------------------------------------------


def _print(decision: Decision, steps: Sequence[Step]) -> None:
    facts(
        {
            "decision": decision.outcome,
            "reason": decision.reason,
            "made by": _printable("; ".join(_name(source) for source in decision.made_by)),
        }
    )
    if steps:
        click.echo()
        table(
            ("POLICY", "STATEMENT", "SID", "EFFECT", "APPLIES", "WHY"),
            [
                tuple(
                    map(
                        _printable,
                        (
                            step.policy,
                            _text_of(step.index),
                            step.sid or "",
                            step.effect,
                            _yes(step.applies),
                            step.why,
                        ),
                    )
                )
                for step in steps
            ],
        )


def _name(source: Any) -> str:
    if source.index is None:
        return f"{source.policy} {source.sid}"
    sid = f" ({source.sid})" if source.sid else ""
    return f"{source.policy} Statement[{source.index}]{sid}"


def _text_of(index: int | None) -> str:
    return "" if index is None else str(index)


def _printable(text: str) -> str:
    """No control character of a document reaches the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _print_as_json(decision: Decision, steps: Sequence[Step]) -> None:
    print_json(
        {
            "decision": decision.outcome,
            "reason": decision.reason,
            "made_by": [_plain(source) for source in decision.made_by],
            "steps": [{**_plain(step), "applies": step.applies, "why": step.why} for step in steps],
        }
    )


def _plain(item: Any) -> dict[str, Any]:
    return {
        "policy": item.policy, "statement": item.index, "sid": item.sid, "effect": item.effect,
    }  # fmt: skip
