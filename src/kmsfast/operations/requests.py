"""What several operations do with their requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kmsfast.app import Application
from kmsfast.errors import DryRun, UnsupportedOperation
from kmsfast.wire.model import OperationShape

__all__ = ["Given", "Operation", "Result", "Usual", "refuse_dry_run", "refuse_recipient"]

Given = Mapping[str, Any]
"""The members of a request by their AWS names; they have passed the checks of the service model."""

Result = dict[str, Any]
"""The members of an answer by their AWS names."""


class Usual(Protocol):
    """Answers the usual requests of one operation from body to body."""

    def answer(self, body: bytes) -> bytes | None:
        """The body of the answer; None: this request takes the general way."""


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
