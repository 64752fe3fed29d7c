"""The operators of conditions: a table of how each compares.

Rules:
- an operator's test says whether a value of the request matches any of the policy's values; negated
  operators turn that around, once for all values ("NOR");
- ArnEquals is ArnLike, ArnNotEquals is ArnNotLike;
- policy variables stand in values of String and Arn operators, and nowhere else.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kmsfast.model.policy_glob import Token, Variable, glob, template
from kmsfast.model.policy_values import (
    Range,
    address,
    arn_pattern,
    binary,
    boolean,
    moment,
    network,
    number,
)

__all__ = ["OPERATORS", "Operator", "Test"]

Test = Callable[[str], bool]
Tokens = tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Operator:
    """How one operator compares.

    Attributes:
        read: a value of a policy; raises ValueError when it is not of the operator's type.
        test: the test of all values of a condition.
        templates: values are tokens, in which variables are replaced for each request.
        wild: ``*`` and ``?`` are wildcards.
        null: the operator asks whether the key is there.
    """

    read: Callable[[str], Any]
    test: Callable[[Sequence[Any]], Test]
    negated: bool = False
    templates: bool = False
    wild: bool = False
    null: bool = False

    def parsed(self, text: str, *, variables: bool) -> Any:
        """A value of a policy, ready to be compared.

        Raises:
            ValueError: it is not of the operator's type.
        """
        if self.templates:
            return template(text, wild=self.wild, variables=variables)
        return self.read(text)

    def needs_request(self, values: Iterable[Any]) -> bool:
        """Whether any value has a variable."""
        return self.templates and any(
            isinstance(token, Variable) for tokens in values for token in tokens
        )


def _text(tokens: Tokens) -> str:
    return "".join(map(str, tokens))


def _equal_texts(values: Sequence[Tokens]) -> Test:
    return frozenset(map(_text, values)).__contains__


def _equal_texts_without_case(values: Sequence[Tokens]) -> Test:
    found = frozenset(_text(tokens).lower() for tokens in values)
    return lambda text: text.lower() in found


def _any_of(build: Callable[[Tokens], Test]) -> Callable[[Sequence[Tokens]], Test]:
    """The test whether any pattern matches."""

    def tested(values: Sequence[Tokens]) -> Test:
        tests = [build(tokens) for tokens in values]
        if len(tests) == 1:
            return tests[0]
        return lambda text: any(test(text) for test in tests)

    return tested


def _comparing(
    read: Callable[[str], Any], compare: Callable[[Any, Any], bool]
) -> Callable[[Sequence[Any]], Test]:
    """The test whether ``compare(value of the request, value of the policy)`` holds for any."""

    def tested(values: Sequence[Any]) -> Test:
        def matches(text: str) -> bool:
            try:
                found = read(text)
            except ValueError:
                return False
            return any(compare(found, value) for value in values)

        return matches

    return tested


def _within(inner: Range, outer: Range) -> bool:
    return inner.version == outer.version and outer.first <= inner.first <= outer.last


def _typed(
    read: Callable[[str], Any], compare: Callable[[Any, Any], bool], *, negated: bool = False
) -> Operator:
    return Operator(read, _comparing(read, compare), negated)


def _addresses(*, negated: bool = False) -> Operator:
    return Operator(network, _comparing(address, _within), negated)


def _ordered(family: str, read: Callable[[str], Any]) -> dict[str, Operator]:
    comparisons = {
        "LessThan": operator.lt, "LessThanEquals": operator.le,
        "GreaterThan": operator.gt, "GreaterThanEquals": operator.ge,
    }  # fmt: skip
    return {
        f"{family}Equals": _typed(read, operator.eq),
        f"{family}NotEquals": _typed(read, operator.eq, negated=True),
        **{f"{family}{name}": _typed(read, compare) for name, compare in comparisons.items()},
    }


def _both(
    name: str, opposite: str, test: Callable[[Sequence[Tokens]], Test], *, wild: bool
) -> dict[str, Operator]:
    return {
        name: Operator(str, test, templates=True, wild=wild),
        opposite: Operator(str, test, negated=True, templates=True, wild=wild),
    }


#: Every operator by its name, without set operator and without IfExists.
OPERATORS: Final[dict[str, Operator]] = {
    **_both("StringEquals", "StringNotEquals", _equal_texts, wild=False),
    **_both("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", _equal_texts_without_case,
            wild=False),
    **_both("StringLike", "StringNotLike", _any_of(glob), wild=True),
    **_both("ArnEquals", "ArnNotEquals", _any_of(arn_pattern), wild=True),
    **_both("ArnLike", "ArnNotLike", _any_of(arn_pattern), wild=True),
    **_ordered("Numeric", number),
    **_ordered("Date", moment),
    "Bool": _typed(boolean, operator.eq),
    "BinaryEquals": _typed(binary, operator.eq),
    "IpAddress": _addresses(),
    "NotIpAddress": _addresses(negated=True),
    "Null": Operator(boolean, _comparing(boolean, operator.eq), null=True),
}  # fmt: skip
