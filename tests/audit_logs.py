"""Events for the tests of the audit log."""

from __future__ import annotations

from collections.abc import Callable

from kmsfast.audit.event import Caller, Event
from kmsfast.audit.log import AuditLog

__all__ = ["ARN", "CALLER", "Opener", "event"]

ARN = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CALLER = Caller("IAMUser", "arn:aws:iam::000000000000:user/ann", "000000000000", source="127.0.0.1")

Opener = Callable[..., AuditLog]


def event(number: int = 1, **members: object) -> Event:
    """An event that tells itself from others by its time."""
    values = {
        "time": number,
        "name": "Encrypt",
        "region": "us-east-1",
        "keys": (ARN,),
        "caller": CALLER,
    }
    return Event(**{**values, **members})  # type: ignore[arg-type]
