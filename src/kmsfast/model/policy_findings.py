"""What is wrong with a policy document, where, and in AWS's words.

Rules:
- every mistake has its place: line, column, and the path of the element;
- the sentence that AWS gives for such a mistake comes first, then what it is about;
- a mistake makes the document unusable; a warning says that part of it can never have an effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from kmsfast.errors import MalformedPolicyDocument
from kmsfast.model.policy_json import position

__all__ = ["Finding", "Findings"]

SYNTAX: Final = "Syntax errors in policy."
INVALID_PRINCIPALS: Final = "Policy contains a statement with one or more invalid principals."
NO_PRINCIPAL: Final = "Policy contains a statement with no principal."
WITH_PRINCIPAL: Final = "Policy document should not specify a principal."
VERSION: Final = "Policy document must be version 2012-10-17 or greater."
NO_ACTIONS: Final = "Policy statement must contain actions."
NO_RESOURCES: Final = "Policy statement must contain resources."
SID: Final = "Statement IDs (SID) must be alpha-numeric."
SAME_SID: Final = "Statement IDs (SID) in a single policy must be unique."
ACTION: Final = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
OVERLY_PERMISSIVE: Final = (
    "OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition "
    "key matches requests without the specified {what} or with an unspecified {what}. To fix, "
    "remove ForAllValues."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake or warning.

    Attributes:
        line, column: from 1.
        path: the element, as ``Statement[0].Action``; empty for the document itself.
        sentence: in AWS's words; empty for warnings.
        detail: what it is about, and what to do.
    """

    level: Literal["error", "warning"]
    line: int
    column: int
    path: str
    sentence: str
    detail: str

    def __str__(self) -> str:
        place = f"{self.path or 'the document'}, line {self.line}, column {self.column}"
        return " ".join(filter(None, (self.sentence, f"{place}: {self.detail}")))


class Findings:
    """Collects them while a document is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.mistakes: list[Finding] = []
        self.warnings: list[Finding] = []

    def mistake(self, offset: int, path: str, sentence: str, detail: str) -> None:
        """Notes a mistake."""
        line, column = position(self._text, offset)
        self.mistakes.append(Finding("error", line, column, path, sentence, detail))

    def warn(self, offset: int, path: str, detail: str) -> None:
        """Notes a part without effect."""
        line, column = position(self._text, offset)
        self.warnings.append(Finding("warning", line, column, path, "", detail))

    def in_order(self) -> list[Finding]:
        """All of them, as they stand in the document."""
        return sorted(self.mistakes + self.warnings, key=lambda item: (item.line, item.column))

    def check(self) -> None:
        """Passes when there is no mistake.

        Raises:
            MalformedPolicyDocument: the first mistake, and how many there are.
        """
        if self.mistakes:
            raise MalformedPolicyDocument(_summary(self.mistakes))


def _summary(mistakes: Sequence[Finding]) -> str:
    first = min(mistakes, key=lambda item: (item.line, item.column))
    more = len(mistakes) - 1
    return f"{first} ({more} more: 'kmsfast policy check' shows all)" if more else str(first)
