"""Errors as the protocol has them: ``__type`` and, where AWS sends one, ``message``.

Rules:
- codes and messages are those of AWS; hints for people stay behind;
- an error that is no fault of the request says nothing of its cause: that is for the log.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from kmsfast.errors import KmsError

__all__ = ["INTERNAL", "Fault", "fault_of"]

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


def fault_of(error: BaseException) -> Fault:
    """How an error is answered."""
    code = error.code if isinstance(error, KmsError) else INTERNAL
    status = _STATUS.get(code, 400)
    members = {"__type": code}
    if code == INTERNAL:
        members["message"] = "An internal error occurred; the server's log says more"
    elif isinstance(error, KmsError) and code not in _SILENT and error.message:
        members["message"] = error.message
    return Fault(code, status, json.dumps(members, separators=(",", ":")).encode())
