"""Policy documents: text to compiled policies, by the grammar of IAM and the rules of AWS KMS.

Rules:
- strict: unknown elements, both of two alternatives, empty lists and values of another type are
  mistakes; all of them are found, not the first alone;
- a key policy's statement without Action or Resource is kept and never applies (pages "Creating a
  key policy", "Key policy format"); an identity policy's is a mistake;
- names of elements and operators have case, names of actions and condition keys have none;
- without Version a document is of 2008-10-17 and has no policy variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kmsfast.errors import LimitExceeded, ValidationError
from kmsfast.model import policy_findings as say
from kmsfast.model.policy_findings import Finding, Findings
from kmsfast.model.policy_json import Invalid, Node, parse
from kmsfast.model.policy_principal import root_arn
from kmsfast.model.policy_statement import Policy, Statement
from kmsfast.model.policy_statements import StatementReader
from kmsfast.model.quotas import AWS

__all__ = ["Examined", "checked_key_policy", "default_policy", "examined", "identity_policy",
           "key_policy"]  # fmt: skip

KEY_POLICY: Final = "key policy"
MAX_KEY_POLICY: Final = AWS.key_policy_bytes
MAX_IDENTITY_POLICY: Final = 10_240  # characters without space, page "IAM and AWS STS quotas"
WITH_VARIABLES: Final = "2012-10-17"
_VERSIONS: Final = ("2008-10-17", WITH_VARIABLES)
_CHARACTERS: Final = re.compile(r"[\t\n\r\x20-\xff]*")


@dataclass(frozen=True, slots=True)
class Examined:
    """A document that was read: the policy, when nothing is wrong with it, and what was found."""

    policy: Policy | None
    findings: tuple[Finding, ...]


def key_policy(text: str, name: str = KEY_POLICY, most: int | None = MAX_KEY_POLICY) -> Policy:
    """The compiled key policy of a document.

    Args:
        most: bytes that it may have; None: any number, for one that was accepted once.

    Raises:
        MalformedPolicyDocument: it breaks the grammar; the message says where.
        ValidationError: characters that key policies cannot have.
        LimitExceeded: more than ``most`` bytes.
    """
    _check_key_policy_text(text, most)
    findings = Findings(text)
    policy = _read(text, name, findings, identity=False)
    findings.check()
    return policy


def checked_key_policy(text: str, most: int = MAX_KEY_POLICY) -> str:
    """The document of a key policy, when it can be read.

    Raises:
        MalformedPolicyDocument, ValidationError, LimitExceeded: as of :func:`key_policy`.
    """
    key_policy(text, most=most)
    return text


def identity_policy(text: str, name: str) -> Policy:
    """The compiled identity policy of a document.

    Raises:
        MalformedPolicyDocument: it breaks the grammar; the message says where.
        LimitExceeded: more than 10,240 characters that are no space.
    """
    size = len("".join(text.split()))
    if size > MAX_IDENTITY_POLICY:
        raise LimitExceeded(
            f"Maximum policy size of {MAX_IDENTITY_POLICY} bytes exceeded: the identity policy "
            f"{name} has {size} characters without space; split it"
        )
    findings = Findings(text)
    policy = _read(text, name, findings, identity=True)
    findings.check()
    return policy


def examined(text: str, *, identity: bool) -> Examined:
    """The policy of a document and all that is wrong with it; only its size and characters raise.

    Raises:
        ValidationError, LimitExceeded: as of :func:`key_policy`.
    """
    if not identity:
        _check_key_policy_text(text, MAX_KEY_POLICY)
    findings = Findings(text)
    name = "identity policy" if identity else KEY_POLICY
    policy = _read(text, name, findings, identity=identity)
    return Examined(None if findings.mistakes else policy, tuple(findings.in_order()))


def default_policy(account: str, partition: str = "aws") -> Policy:
    """What governs a key that was created without a policy: its account delegates everything.

    Source: developer guide, page "Default key policy".
    """
    return key_policy(
        f'{{"Version": "{WITH_VARIABLES}", "Id": "key-default-1", "Statement": [{{'
        '"Sid": "Enable IAM User Permissions", "Effect": "Allow", '
        f'"Principal": {{"AWS": "{root_arn(account, partition)}"}}, '
        '"Action": "kms:*", "Resource": "*"}]}',
        "default key policy",
    )


def _check_key_policy_text(text: str, most: int | None) -> None:
    found = _CHARACTERS.match(text)
    end = 0 if found is None else found.end()
    if end != len(text):
        raise ValidationError(
            f"character {end} of the policy is {text[end]!r}; a key policy has tab, line feed, "
            "carriage return and the characters from U+0020 to U+00FF; write others as \\u escapes"
        )
    size = len(text.encode())
    if most is not None and size > most:
        raise LimitExceeded(f"the key policy has {size} bytes; at most {most} are allowed")


def _read(text: str, name: str, findings: Findings, *, identity: bool) -> Policy:
    """The policy as far as it can be read; mistakes are in the findings."""
    try:
        document = parse(text)
    except Invalid as error:
        findings.mistake(error.offset, "", say.SYNTAX, f"{error}")
        return Policy(name, ())
    if document.kind != "object":
        findings.mistake(document.offset, "", say.SYNTAX, f"it is a {document.kind}, not an object")
        return Policy(name, ())
    for key, offset in document.doubles:
        findings.mistake(offset, key, say.SYNTAX, f"{key} occurs twice")
    for key, node in document.value.items():
        if key not in ("Version", "Id", "Statement"):
            findings.mistake(node.offset, key, say.SYNTAX,
                             "unknown element; a policy has Version, Id and Statement")  # fmt: skip
    variables = _version(document, findings)
    identifier = document.value.get("Id")
    if identifier is not None and (identity or identifier.kind != "string"):
        detail = "an identity policy has no Id" if identity else "Id is a string"
        findings.mistake(identifier.offset, "Id", say.SYNTAX, detail)
    reader = StatementReader(findings, identity=identity, variables=variables)
    return Policy(name, _statements(document, reader, findings))


def _version(document: Node, findings: Findings) -> bool:
    """Whether the document's version has policy variables."""
    node = document.value.get("Version")
    if node is None:
        return False
    if node.kind != "string" or node.value not in _VERSIONS:
        findings.mistake(
            node.offset, "Version", say.VERSION, f"Version is {' or '.join(_VERSIONS)}"
        )
    return bool(node.value == WITH_VARIABLES)


def _statements(
    document: Node, reader: StatementReader, findings: Findings
) -> tuple[Statement, ...]:
    node = document.value.get("Statement")
    if node is None:
        findings.mistake(document.offset, "Statement", say.SYNTAX, "a policy has a Statement")
        return ()
    if node.kind == "object":
        return (reader.read(node, 0, "Statement"),)
    if node.kind != "list" or not node.value:
        findings.mistake(
            node.offset, "Statement", say.SYNTAX, "Statement is a list of at least one statement"
        )
        return ()
    return tuple(
        reader.read(item, index, f"Statement[{index}]") for index, item in enumerate(node.value)
    )
