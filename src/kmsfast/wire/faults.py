"""Errors as the protocol has them: ``__type`` and, where AWS sends one, ``message``.

Rules:
- codes and messages are those of AWS; hints for people stay behind;
- an error that is no fault of the request says nothing of its cause: that is for the log.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from kmsfast.errors import KmsError

__all__ = ["INTERNAL", "Fault", "fault_of", "worded"]

INTERNAL: Final = "KMSInternalException"
# Errors that AWS sends without a message, so that nothing is said of why.
_SILENT: Final = frozenset(
    {"InvalidCiphertextException", "KMSInvalidMacException", "KMSInvalidSignatureException"}
)
_STATUS: Final = {INTERNAL: 500, "RequestEntityTooLargeException": 413}


class Fault(NamedTuple):
    """An error on its way to the client."""

    code: str
    status: int
    body: bytes


def worded(error: BaseException) -> tuple[str, str]:
    """The code and message of an error; an empty message is none."""
    code = error.code if isinstance(error, KmsError) else INTERNAL
    if code == INTERNAL:
        return code, "An internal error occurred; the server's log says more"
    return code, error.message if isinstance(error, KmsError) and code not in _SILENT else ""


def fault_of(error: BaseException) -> Fault:
    """How an error is answered."""
    code, message = worded(error)
    status = _STATUS.get(code, 400)
    members = {"__type": code}
    if message:
        members["message"] = message
    return Fault(code, status, json.dumps(members, separators=(",", ":")).encode())
