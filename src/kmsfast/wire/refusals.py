"""What is wrong with a request itself, before any key is looked at, in the words of AWS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kmsfast.errors import KmsError, ValidationError

__all__ = [
    "DeadlineExceeded",
    "IncompleteSignature",
    "InvalidCredentialScope",
    "InvalidEventCategory",
    "InvalidLookupAttributes",
    "InvalidMaxResults",
    "InvalidNextToken",
    "InvalidTimeRange",
    "MissingAuthenticationToken",
    "RequestTooLarge",
    "SerializationError",
    "SignatureMismatch",
    "Throttled",
    "UnknownOperation",
    "UnrecognizedClient",
    "failure",
    "invalid",
]


class SerializationError(KmsError, ValueError):
    """The body is no JSON object, or a member is of another type than its shape."""

    code = "SerializationException"


class UnknownOperation(KmsError, LookupError):
    """X-Amz-Target names no operation of AWS KMS, or there is none."""

    code = "UnknownOperationException"


class RequestTooLarge(KmsError, ValueError):
    """The body is longer than any request of AWS KMS."""

    code = "RequestEntityTooLargeException"


class DeadlineExceeded(KmsError, TimeoutError):
    """The time that the client gives the request was over before anything was done."""

    code = "DependencyTimeoutException"


class Throttled(KmsError):
    """The caller has too much in work; the same request may succeed a moment later."""

    code = "ThrottlingException"


class MissingAuthenticationToken(KmsError, LookupError):
    """The request is not signed."""

    code = "MissingAuthenticationTokenException"


class IncompleteSignature(KmsError, ValueError):
    """A part of the signature is missing or malformed."""

    code = "IncompleteSignatureException"


class SignatureMismatch(KmsError, ValueError):
    """The signature is too old, does not cover what it must, or is not that of the request."""

    code = "InvalidSignatureException"


class InvalidCredentialScope(SignatureMismatch):
    """The signature is for a region, a service or a day that is not the request's."""


class UnrecognizedClient(KmsError, LookupError):
    """Nobody has the access key, or it is of an account that is not served here."""

    code = "UnrecognizedClientException"


class InvalidLookupAttributes(KmsError, ValueError):
    """LookupEvents asks for an attribute that it does not know, or for several."""

    code = "InvalidLookupAttributesException"


class InvalidTimeRange(KmsError, ValueError):
    """It begins after it ends."""

    code = "InvalidTimeRangeException"


class InvalidMaxResults(KmsError, ValueError):
    """Not 1 to 50."""

    code = "InvalidMaxResultsException"


class InvalidNextToken(KmsError, ValueError):
    """Not one of these events, or too old."""

    code = "InvalidNextTokenException"


class InvalidEventCategory(KmsError, ValueError):
    """Not one that there is."""

    code = "InvalidEventCategoryException"


def failure(value: Any, path: str, constraint: str, *, hidden: bool = False) -> str:
    """One failed constraint.

    Args:
        value: as it was given; None: it was not.
        hidden: do not repeat the value.
    """
    if value is None:
        shown = " null"
    elif hidden:
        shown = ""
    else:
        shown = f" '{_shown(value)}'"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {constraint}"


def invalid(failures: Sequence[str]) -> ValidationError:
    """The error that reports failed constraints."""
    number = len(failures)
    errors = "error" if number == 1 else "errors"
    return ValidationError(f"{number} validation {errors} detected: {'; '.join(failures)}")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_shown(each) for each in value)}]"
    return "null" if value is None else str(value)
