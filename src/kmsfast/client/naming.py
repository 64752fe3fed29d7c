"""Requests by the names of the AWS KMS API, and listings of several pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from kmsfast.client.calls import Call, Request, ask

__all__ = ["every", "instant", "moment", "named", "pairs_of"]

# Operations that end the same when they are done twice, or whose second time is told by its error.
_REPEATABLE: Final = ("Describe", "Get", "List", "Verify", "Sign", "Encrypt", "Decrypt", "Derive")
_MOST: Final = 1000  # of a page


def named(operation: str, **members: Any) -> Call[dict[str, Any]]:
    """The members of the answer; what is None of the request's is not sent."""
    said = {name: value for name, value in members.items() if value is not None}
    request = Request(operation, (said,), is_repeatable=operation.startswith(_REPEATABLE))
    answer: dict[str, Any] = yield from ask(request)
    return answer


def every(operation: str, member: str, limit: int = _MOST, **members: Any) -> Call[list[Any]]:
    """The elements of all pages of a listing."""
    found: list[Any] = []
    marker = None
    while True:
        page = yield from named(operation, Limit=limit, Marker=marker, **members)
        found += page[member]
        marker = page.get("NextMarker")
        if not page.get("Truncated") or marker is None:
            return found


def moment(value: Any) -> datetime | None:
    """A time as the protocol has it, or None."""
    return None if value is None else instant(value)


def instant(value: Any) -> datetime:
    """A time as the protocol has it."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    return datetime.fromtimestamp(value, UTC)


def pairs_of(tags: Mapping[str, str] | Iterable[tuple[str, str]] | None) -> list[Any] | None:
    """Tags as the API has them."""
    if tags is None:
        return None
    pairs = tags.items() if isinstance(tags, Mapping) else tags
    return [{"TagKey": name, "TagValue": value} for name, value in pairs]
