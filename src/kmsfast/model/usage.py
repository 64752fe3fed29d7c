"""The last use of a key (GetKeyLastUsage)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["KeyUse", "LastUsage"]


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A successful use of a key.

    Attributes:
        operation: as AWS names it, such as Encrypt or GenerateDataKey.
        used_at: when (UTC).
        request_id: of the HTTP request; None: the use was no request.
        event_id: a UUID that names this use.
    """

    operation: str
    used_at: datetime
    request_id: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class LastUsage:
    """What is known of a key's uses.

    Attributes:
        key_arn: the key.
        created_at: when it was created.
        tracking_start: since when its uses are recorded.
        use: the last one, or none since then.
    """

    key_arn: str
    created_at: datetime
    tracking_start: datetime
    use: KeyUse | None
