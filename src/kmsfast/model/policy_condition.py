"""One condition of a statement: an operator, a condition key, and the values it is compared with.

Rules (pages "Condition operators", "Single-valued vs. multivalued context keys"):
- values of a key OR; a negated operator must match none of them;
- a key that the request does not have: false, for a negated operator true, with IfExists true;
- ForAllValues is true, ForAnyValue false and Null true when the request has no value, or an empty
  one;
- without a set operator all values of the request must satisfy an Allow, any one satisfies a Deny;
- a variable without a value: an Allow does not apply; in a Deny the value is equal to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from kmsfast.model.policy_glob import resolved
from kmsfast.model.policy_operators import OPERATORS, Operator, Test
from kmsfast.model.policy_request import ValueOf

__all__ = ["Condition", "Parsed", "parsed_operator"]

Quantifier = Literal["ForAllValues", "ForAnyValue", ""]
Parsed = tuple[Quantifier, str, bool]
_IF_EXISTS: Final = "IfExists"
_EMPTY: Final[tuple[tuple[str, ...], ...]] = ((), ("",))


def parsed_operator(text: str) -> Parsed | None:
    """Set operator, name of the operator, and whether IfExists is there; None when unknown."""
    before, colon, name = text.rpartition(":")
    if colon and before not in ("ForAllValues", "ForAnyValue"):
        return None
    if_exists = name.endswith(_IF_EXISTS)
    name = name.removesuffix(_IF_EXISTS)
    found = OPERATORS.get(name)
    if found is None or (found.null and (if_exists or colon)):
        return None
    quantifier: Quantifier = (
        "ForAllValues" if before == "ForAllValues" else "ForAnyValue" if colon else ""
    )
    return quantifier, name, if_exists


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition.

    Attributes:
        written: the operator as the policy has it.
        key, texts: likewise.
        name: the key in lower case.
        parsed: the values, ready to be compared.
        test: None when values have variables.
    """

    written: str
    key: str
    texts: tuple[str, ...]
    name: str
    quantifier: Quantifier
    operator: Operator
    if_exists: bool
    parsed: tuple[Any, ...]
    test: Test | None

    @classmethod
    def compiled(
        cls, written: str, known: Parsed, key: str, texts: tuple[str, ...], *, variables: bool
    ) -> Condition:
        """A condition.

        Args:
            known: what :func:`parsed_operator` says of the operator.

        Raises:
            ValueError: a value is not of the operator's type.
        """
        quantifier, name, if_exists = known
        operator = OPERATORS[name]
        parsed = tuple(operator.parsed(text, variables=variables) for text in texts)
        test = None if operator.needs_request(parsed) else operator.test(parsed)
        return cls(written, key, texts, key.lower(), quantifier, operator, if_exists, parsed, test)

    def holds(self, value_of: ValueOf, *, allow: bool) -> bool:
        """Whether a request satisfies it.

        Args:
            value_of: the values of a condition key, none when the request does not have it.
            allow: the statement's effect, which decides what is unclear to the strict side.
        """
        values = value_of(self.name)
        test = self.test
        if self.operator.null and test is not None:
            return test("true" if values in _EMPTY else "false")
        if not values and self.if_exists:
            return True
        if test is None:
            test = self._resolved(value_of, allow=allow)
            if test is None:
                return False
        return self._satisfied(values, test, allow=allow)

    def _satisfied(self, values: tuple[str, ...], test: Test, *, allow: bool) -> bool:
        negated = self.operator.negated
        if self.quantifier:
            everything = self.quantifier == "ForAllValues"
            if values in _EMPTY:
                return everything
        elif not values:
            return negated
        else:
            if len(values) == 1:
                return test(values[0]) is not negated
            everything = allow
        results = (test(value) is not negated for value in values)
        return all(results) if everything else any(results)

    def _resolved(self, value_of: ValueOf, *, allow: bool) -> Test | None:
        """The test with variables replaced; None when the statement cannot apply."""
        values = [resolved(tokens, value_of) for tokens in self.parsed]
        known = [tokens for tokens in values if tokens is not None]
        if allow and len(known) < len(values):
            return None
        return self.operator.test(known)

    def explained(self, value_of: ValueOf) -> str:
        """Why a request does not satisfy it."""
        values = value_of(self.name)
        wanted = ", ".join(map(repr, self.texts))
        found = ", ".join(map(repr, values)) if values else "no value"
        unknown = self.test is None and any(
            resolved(tokens, value_of) is None for tokens in self.parsed
        )
        more = ", and none for a variable" if unknown else ""
        return f"{self.written} {self.key}: {wanted}; the request has {found}{more}"
