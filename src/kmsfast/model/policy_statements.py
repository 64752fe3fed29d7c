"""Reads statements of policy documents and compiles them.

Rules: those of :mod:`kmsfast.model.policy_document`. A statement with a mistake still gives a
compiled one, so that reading goes on; the document is refused as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from kmsfast.model import policy_findings as say
from kmsfast.model.policy_actions import ALL_ACTIONS, matched_actions
from kmsfast.model.policy_condition import Condition, Parsed, parsed_operator
from kmsfast.model.policy_findings import Findings
from kmsfast.model.policy_glob import Token, Variable, glob, template
from kmsfast.model.policy_json import Node
from kmsfast.model.policy_keys import condition_key
from kmsfast.model.policy_principal import ACCOUNT, SERVICE, parsed_arn
from kmsfast.model.policy_statement import Principals, Resources, Statement

__all__ = ["StatementReader"]

_ELEMENTS: Final = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
     "Condition"}
)  # fmt: skip
_PRINCIPAL_TYPES: Final = ("AWS", "Service")
_ACTION: Final = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_SID: Final = re.compile(r"[A-Za-z0-9]*")
_KEY: Final = re.compile(r"[A-Za-z0-9._-]+:.+", re.DOTALL)
_FIELDS_BEFORE_RESOURCE: Final = 5
_SCALARS: Final = ("string", "number", "boolean")

Texts = list[tuple[str, Node]]


class StatementReader:
    """Reads the statements of one document."""

    def __init__(self, findings: Findings, *, identity: bool, variables: bool) -> None:
        self._findings, self._identity, self._variables = findings, identity, variables
        self._sids: set[str] = set()

    def read(self, node: Node, index: int, path: str) -> Statement:
        """One statement."""
        if node.kind != "object":
            self._syntax(node, path, f"a statement is an object, not a {node.kind}")
            return Statement(index, None, False, None, None, None)
        self._members(node, path)
        actions = self._actions(node, path)
        resources = self._resources(node, path)
        if not self._identity and None in (actions, resources):
            missing = "Action" if actions is None else "Resource"
            self._findings.warn(node.offset, path, f"without {missing} the statement never applies")
        return Statement(
            index=index,
            sid=self._sid(node, path),
            allow=self._allow(node, path),
            principals=self._principals(node, path),
            actions=actions,
            resources=resources,
            conditions=self._conditions(node, path),
        )

    # ---- the small elements -----------------------------------------------------------------

    def _members(self, node: Node, path: str) -> None:
        for name, offset in node.doubles:
            self._findings.mistake(offset, f"{path}.{name}", say.SYNTAX, f"{name} occurs twice")
        for name, member in node.value.items():
            if name not in _ELEMENTS:
                self._syntax(member, f"{path}.{name}", "unknown element of a statement")
        for name in ("Principal", "Action", "Resource"):
            if name in node.value and f"Not{name}" in node.value:
                self._syntax(node.value[f"Not{name}"], f"{path}.Not{name}",
                             f"a statement has {name} or Not{name}, not both")  # fmt: skip

    def _sid(self, node: Node, path: str) -> str | None:
        found = node.value.get("Sid")
        if found is None:
            return None
        place = f"{path}.Sid"
        if found.kind != "string":
            self._syntax(found, place, "Sid is a string")
            return None
        sid: str = found.value
        if self._identity:
            if not _SID.fullmatch(sid):
                self._findings.mistake(found.offset, place, say.SID,
                                       f"{sid!r} has other characters")  # fmt: skip
            if sid and sid in self._sids:
                self._findings.mistake(found.offset, place, say.SAME_SID, f"{sid!r} occurs twice")
        self._sids.add(sid)
        return sid

    def _allow(self, node: Node, path: str) -> bool:
        found = node.value.get("Effect")
        if found is None:
            self._syntax(node, path, "a statement has an Effect: Allow or Deny")
        elif found.value not in ("Allow", "Deny") or found.kind != "string":
            self._syntax(found, f"{path}.Effect", "Effect is Allow or Deny")
        return found is not None and found.value == "Allow"

    # ---- principals -------------------------------------------------------------------------

    def _principals(self, node: Node, path: str) -> Principals | None:
        negated = "NotPrincipal" in node.value
        name = "NotPrincipal" if negated else "Principal"
        found = node.value.get(name)
        if self._identity:
            if found is not None:
                detail = "an identity policy applies to whom it is attached to"
                self._findings.mistake(found.offset, f"{path}.{name}", say.WITH_PRINCIPAL, detail)
            return None
        if found is None:
            self._findings.mistake(
                node.offset, path, say.NO_PRINCIPAL,
                'name accounts, users and roles: "Principal": {"AWS": "arn:..."}',
            )  # fmt: skip
            return Principals()
        if found.kind == "string" and found.value == "*":
            return Principals(everyone=True, negated=negated)
        return self._principal_map(found, f"{path}.{name}", negated=negated)

    def _principal_map(self, node: Node, path: str, *, negated: bool) -> Principals:
        if node.kind != "object" or not node.value:
            self._bad_principal(
                node, path, 'it is "*" or an object: {"AWS": [...], "Service": [...]}'
            )
            return Principals(negated=negated)
        for name, offset in node.doubles:
            self._findings.mistake(offset, f"{path}.{name}", say.SYNTAX, f"{name} occurs twice")
        everyone, names, accounts = False, set[str](), set[str]()
        for kind, member in node.value.items():
            place = f"{path}.{kind}"
            if kind not in _PRINCIPAL_TYPES:
                self._bad_principal(member, place, "principals of a key policy are AWS or Service")
                continue
            for text, item in self._texts(member, place):
                if kind == "AWS" and text == "*":
                    everyone = True
                elif kind == "AWS" and ACCOUNT.fullmatch(text):
                    accounts.add(text)
                elif (parsed_arn(text) if kind == "AWS" else SERVICE.fullmatch(text)) is not None:
                    names.add(text)
                else:
                    self._bad_principal(item, place, _principal_advice(kind, text))
        return Principals(everyone, frozenset(names), frozenset(accounts), negated)

    def _bad_principal(self, node: Node, path: str, detail: str) -> None:
        self._findings.mistake(node.offset, path, say.INVALID_PRINCIPALS, detail)

    # ---- actions and resources --------------------------------------------------------------

    def _either(self, node: Node, name: str, path: str, sentence: str) -> tuple[bool, Texts] | None:
        """Whether it is the Not form, and its texts; None when the element is missing."""
        negated = f"Not{name}" in node.value
        element = f"Not{name}" if negated else name
        found = node.value.get(element)
        if found is not None:
            return negated, self._texts(found, f"{path}.{element}")
        if self._identity:
            self._findings.mistake(node.offset, path, sentence, f"{name} or Not{name} is missing")
        return None

    def _actions(self, node: Node, path: str) -> frozenset[str] | None:
        found = self._either(node, "Action", path, say.NO_ACTIONS)
        if found is None:
            return None
        negated, texts = found
        place = f"{path}.{'Not' if negated else ''}Action"
        good: list[str] = []
        for text, item in texts:
            if not _ACTION.fullmatch(text):
                self._findings.mistake(
                    item.offset, place, say.ACTION,
                    f"{text!r} is no action; one looks like kms:Decrypt, kms:Generate* or *",
                )  # fmt: skip
                continue
            good.append(text)
            if not matched_actions([text]):
                self._findings.warn(item.offset, place, f"{text!r} is no action of AWS KMS")
        matched = matched_actions(good)
        return frozenset(ALL_ACTIONS) - matched if negated else matched

    def _resources(self, node: Node, path: str) -> Resources | None:
        found = self._either(node, "Resource", path, say.NO_RESOURCES)
        if found is None:
            return None
        negated, texts = found
        place = f"{path}.{'Not' if negated else ''}Resource"
        tests: list[Callable[[str], bool]] = []
        templates: list[tuple[Token, ...]] = []
        for text, item in texts:
            tokens = self._resource(text, item, place)
            if any(isinstance(token, Variable) for token in tokens):
                templates.append(tokens)
            elif tokens:
                tests.append(glob(tokens))
        everything = any(text == "*" for text, _ in texts)
        return Resources(everything, tuple(tests), tuple(templates), negated)

    def _resource(self, text: str, node: Node, path: str) -> tuple[Token, ...]:
        """The tokens of one resource; none when it is malformed."""
        if text != "*" and not text.startswith("arn:"):
            self._findings.mistake(
                node.offset, path, f'Resource {text} must be in ARN format or "*".',
                "the ARN of a key looks like arn:aws:kms:us-east-1:111122223333:key/*",
            )  # fmt: skip
            return ()
        try:
            tokens = template(text, wild=True, variables=self._variables)
        except ValueError as error:
            self._syntax(node, path, str(error))
            return ()
        colons = 0
        for token in tokens:
            if isinstance(token, Variable) and colons < _FIELDS_BEFORE_RESOURCE:
                self._syntax(node, path, "variables stand after the fifth colon of an ARN only")
                return ()
            colons += token.count(":") if isinstance(token, str) else 0
        return tokens

    # ---- conditions -------------------------------------------------------------------------

    def _conditions(self, node: Node, path: str) -> tuple[Condition, ...]:
        found = node.value.get("Condition")
        if found is None:
            return ()
        place = f"{path}.Condition"
        if not self._is_map(found, place):
            return ()
        conditions: list[Condition] = []
        for written, members in found.value.items():
            where = f"{place}.{written}"
            known = parsed_operator(written)
            if known is None:
                self._findings.mistake(
                    members.offset, where, f"Invalid Condition type : {written}.",
                    "see docs/policies.md for the operators",
                )  # fmt: skip
            elif self._is_map(members, where):
                for key, values in members.value.items():
                    compiled = self._condition(written, known, key, values, f"{where}.{key}")
                    conditions.extend([] if compiled is None else [compiled])
        return tuple(conditions)

    def _condition(
        self, written: str, known: Parsed, key: str, node: Node, path: str
    ) -> Condition | None:
        if not _KEY.fullmatch(key):
            self._findings.mistake(
                node.offset, path, say.ACTION,
                f"{key!r} is no condition key; one looks like kms:ViaService",
            )  # fmt: skip
            return None
        self._check_key(known, key, node, path)
        texts = tuple(text for text, _ in self._texts(node, path, kinds=_SCALARS))
        try:
            return Condition.compiled(written, known, key, texts, variables=self._variables)
        except ValueError as error:
            self._syntax(node, path, str(error))
            return None

    def _check_key(self, operator: Parsed, key: str, node: Node, path: str) -> None:
        quantifier, name, _ = operator
        known = condition_key(key)
        if known is None:
            if key.lower().startswith(("kms:", "aws:")):
                self._findings.warn(node.offset, path, f"no request has {key}")
        elif known.no_for_all is not None and quantifier == "ForAllValues":
            sentence = say.OVERLY_PERMISSIVE.format(what=known.no_for_all)
            self._findings.mistake(node.offset, path, sentence, "AWS KMS refuses it")
        elif known.several and not quantifier and name != "Null":
            self._findings.warn(
                node.offset, path, f"{key} can have several values: use ForAnyValue or ForAllValues"
            )
        elif known.identity_only and not self._identity:
            self._findings.warn(node.offset, path, f"{key} exists for identity policies only")

    # ---- what they share --------------------------------------------------------------------

    def _syntax(self, node: Node, path: str, detail: str) -> None:
        self._findings.mistake(node.offset, path, say.SYNTAX, detail)

    def _is_map(self, node: Node, path: str) -> bool:
        if node.kind != "object":
            self._syntax(node, path, f"it is an object, not a {node.kind}")
            return False
        for name, offset in node.doubles:
            self._findings.mistake(offset, f"{path}.{name}", say.SYNTAX, f"{name} occurs twice")
        return True

    def _texts(self, node: Node, path: str, kinds: Sequence[str] = ("string",)) -> Texts:
        """The texts of a value or of a list of values."""
        items: list[Node] = node.value if node.kind == "list" else [node]
        if not items:
            self._syntax(node, path, "the list is empty")
        texts: Texts = []
        for item in items:
            if item.kind in kinds:
                texts.append((_text(item), item))
            else:
                self._syntax(item, path, f"a {item.kind} cannot stand here")
        return texts


def _text(node: Node) -> str:
    return str(node.value).lower() if node.kind == "boolean" else str(node.value)


def _principal_advice(kind: str, text: str) -> str:
    if kind == "Service":
        return f"{text!r} is no service; one looks like logs.us-east-1.amazonaws.com"
    if "*" in text or "?" in text:
        return f"{text!r}: wildcards cannot stand for a part of a principal"
    if ":group/" in text:
        return f"{text!r}: groups are no principals; name users or roles"
    return (
        f"{text!r} is no account of 12 digits and no ARN of an account's root, a user, a role or a "
        "session"
    )
