"""Principals of a store as the TOML file that makes them again (:mod:`.principal_file`).

Whatever was in the store is in the text, but access keys; documents of policies are the same,
character by character, so that to apply the text to the same store changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from kmsfast.model.arn import Home
from kmsfast.model.identities import Identities
from kmsfast.model.peer import PeerKind
from kmsfast.model.policy_principal import root_arn
from kmsfast.model.principal import Identity, IdentityKind
from kmsfast.model.principal_file import SECTIONS

__all__ = ["exported"]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
# What a literal string of several lines can have (TOML 1.0, "String").
_LITERAL: Final = re.compile(r"[\t\n\x20-\x7e\x80-\U0010ffff]*")


def exported(known: Identities, home: Home) -> str:
    """The file, sorted by section and ARN.

    Args:
        home: whose account's principals are named by name.
    """
    lines = ["# Principals of a kmsfast store: kmsfast principal apply FILE"]
    for kind, section in SECTIONS.items():
        for each in known.of(kind):
            place = f"{section}.{_key(_name(each.arn, each, home))}"
            lines += ["", f"[{place}]", *_members(known, each, home)]
            policies = known.policies_of(each.arn)
            if policies:
                lines += ["", f"[{place}.policies]"]
                lines += [f"{_key(name)} = {_document(text)}" for name, text in policies.items()]
    return "\n".join(lines) + "\n"


def _members(known: Identities, each: Identity, home: Home) -> Iterator[str]:
    if each.tags:
        yield f"tags = {_inline(each.tags)}"
    groups = [_name(arn, known.identity(arn), home) for arn in known.groups_of(each.arn)]
    if groups:
        yield f"groups = [{', '.join(map(_text, groups))}]"
    for kind in PeerKind:
        numbers = sorted(
            number for (of, number), arn in known.peers.items() if (of, arn) == (kind, each.arn)
        )
        if numbers:
            yield f"{kind}s = {numbers}"


def _name(arn: str, identity: Identity, home: Home) -> str:
    """The shortest name by which a file means it."""
    if identity.kind is IdentityKind.ROOT:
        return identity.account if arn == root_arn(identity.account, home.partition) else arn
    return arn.removeprefix(f"arn:{home.partition}:iam::{home.account}:{identity.kind}/")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _inline(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_key(name)} = {_text(text)}" for name, text in values.items()) + "}"


def _text(text: str) -> str:
    """A basic string, which has JSON's escapes, but DEL only as one."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _document(text: str) -> str:
    readable = _LITERAL.fullmatch(text) and "'''" not in text and not text.endswith("'")
    return f"'''\n{text}'''" if readable else _text(text)
