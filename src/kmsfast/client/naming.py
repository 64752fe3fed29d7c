"""Requests by the names of the AWS KMS API, and listings of several pages.

Rules:
- what a server says is read here and in :mod:`.description`, by functions that raise ProtocolError
  when it is not what the API has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from kmsfast.client.calls import Call, Request, ask
from kmsfast.errors import KmsError, ProtocolError

__all__ = ["as_said", "every", "instant", "moment", "named", "pairs_of"]

P = ParamSpec("P")
T = TypeVar("T")

# Operations that end the same when they are done twice, or whose second time is told by its error.
_REPEATABLE: Final = ("Describe", "Get", "List", "Verify", "Sign", "Encrypt", "Decrypt", "Derive")
_MOST: Final = 1000  # of a page


class _Answer(dict[str, Any]):
    """The members of an answer; those that must be there are."""

    def __missing__(self, name: str) -> Any:
        raise ProtocolError(f"the server's answer has no member {name}")


def as_said(read: Callable[P, T]) -> Callable[P, T]:
    """Makes a function that reads an answer one that says when it is none.

    Raises:
        ProtocolError: something is missing, of another type, or a name that is not known here.
    """

    @wraps(read)
    def reading(*args: P.args, **named: P.kwargs) -> T:
        try:
            return read(*args, **named)
        except KmsError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ProtocolError(
                f"the server's answer is not as this client knows it ({type(error).__name__}: "
                f"{error}); is the server newer? then update the client"
            ) from None

    return reading


def named(operation: str, **members: Any) -> Call[dict[str, Any]]:
    """The members of the answer; what is None of the request's is not sent."""
    said = {name: value for name, value in members.items() if value is not None}
    request = Request(operation, (said,), is_repeatable=operation.startswith(_REPEATABLE))
    answer = yield from ask(request)
    if not isinstance(answer, dict):
        raise ProtocolError(f"the server's answer to {operation} is no map")
    return _Answer(answer)


def every(operation: str, member: str, limit: int = _MOST, **members: Any) -> Call[list[Any]]:
    """The elements of all pages of a listing."""
    found: list[Any] = []
    marker = None
    while True:
        page = yield from named(operation, Limit=limit, Marker=marker, **members)
        if not isinstance(page[member], list):
            raise ProtocolError(f"{member} in the server's answer to {operation} is no list")
        found += page[member]
        marker = page.get("NextMarker")
        if not page.get("Truncated") or marker is None:
            return found


@as_said
def moment(value: Any) -> datetime | None:
    """A time as the protocol has it, or None."""
    return None if value is None else instant(value)


@as_said
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
