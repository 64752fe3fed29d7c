"""What several operations do with their requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from kmsfast.app import Application
from kmsfast.crypto.bodies import Template
from kmsfast.errors import DryRun, UnsupportedOperation, ValidationError
from kmsfast.service.usage import request_of
from kmsfast.wire.model import OperationShape

__all__ = [
    "MAX_CONTEXT",
    "Found",
    "Given",
    "Names",
    "Operation",
    "Result",
    "Usual",
    "check_tokens",
    "refuse_dry_run",
    "refuse_long_contexts",
    "refuse_recipient",
]

MAX_CONTEXT: Final = 8192
"""Bytes of the names and values of an encryption context, as UTF-8. No shorter request has more."""

_CONTEXTS: Final = (
    "EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext",
)  # fmt: skip

Given = Mapping[str, Any]
"""The members of a request by their AWS names; they have passed the checks of the service model."""

Result = dict[str, Any]
"""The members of an answer by their AWS names."""


class Found(NamedTuple):
    """How a usual request is answered.

    Attributes:
        name: under which that is remembered.
        size: of what it carries or asks for, in bytes.
        key_arn: of the key that does it; empty: none.
    """

    name: Any
    template: Template
    size: int
    key_arn: str


Names = Mapping[bytes, bytes]
"""ARNs of keys, by the names that requests give them."""


class Usual(Protocol):
    """Answers the usual requests of one operation from body to body.

    Attributes:
        operation: its name.
    """

    operation: str

    def answer(self, body: bytes) -> bytes | None:
        """The body of the answer; None: this request takes the general way."""

    def find(self, body: bytes, names: Names | None = None) -> Found | None:
        """The first step: how it is answered; None likewise.

        Args:
            names: of the keys that requests may name; None: any.
        """

    def make(self, found: Found, body: bytes) -> bytes | None:
        """The second step: the body of the answer; None likewise."""

    def recorded(self, found: Found, body: bytes) -> bytes:
        """The members of the request that are recorded, packed."""


@dataclass(frozen=True, slots=True)
class Operation:
    """How an operation of the API is done.

    Attributes:
        run: does it; may wait for the disk and for other processes.
        warm: does it when that needs neither; None: it does.
        usual: makes what answers usual requests without waiting.
    """

    run: Callable[[Application, Given], Result]
    warm: Callable[[Application, Given], Result | None] | None = None
    usual: Callable[[Application, OperationShape], Usual] | None = None

    def at_once(self, app: Application, given: Given) -> Result | None:
        """The answer, when it needs neither the disk nor another process.

        Raises:
            InvalidGrantToken: the request carries something else as one.
        """
        check_tokens(app, given)
        if self.warm is None or given.get("DryRun"):
            return None
        return self.warm(app, given)

    def answer(self, app: Application, given: Given, request_id: str) -> Result:
        """The answer, to the request of that id.

        A dry run is no use of a key, and ends in DryRun here at the latest. Operations that change
        something, or that compute for long, end it before (:func:`refuse_dry_run`); the others have
        nothing to undo.

        Raises:
            As the operation. InvalidGrantToken: as :meth:`at_once`. DryRun: it was one.
        """
        check_tokens(app, given)
        with request_of(request_id, dry_run=given.get("DryRun", False)):
            made = self.run(app, given)
        refuse_dry_run(given)
        return made


def refuse_long_contexts(given: Given) -> None:
    """Passes when encryption contexts are as short as with AWS; in Python they may be longer.

    Raises:
        ValidationError: one is not.
    """
    for member in _CONTEXTS:
        context = given.get(member) or {}
        size = sum(len(name.encode()) + len(value.encode()) for name, value in context.items())
        if size > MAX_CONTEXT:
            raise ValidationError(f"{member} has {size} bytes; at most {MAX_CONTEXT} are allowed")


def check_tokens(app: Application, given: Given) -> None:
    """Passes when the grant tokens of a request are some; their grants need not be there.

    Raises:
        InvalidGrantToken: one is none.
    """
    tokens = given.get("GrantTokens")
    if tokens:
        app.grants.check_tokens(tokens)


def refuse_dry_run(given: Given) -> None:
    """Passes when the request is meant; comes after all checks, before anything is done.

    Raises:
        DryRun: it asked only whether it would succeed.
    """
    if given.get("DryRun"):
        raise DryRun("The request would have succeeded, but the DryRun option is set.")


def refuse_recipient(given: Given) -> None:
    """Passes when the answer is for whoever asks.

    Raises:
        UnsupportedOperation: it is for an attested enclave.
    """
    if "Recipient" in given:
        raise UnsupportedOperation(
            "Recipient is not supported: this service does not verify attestation documents"
        )
