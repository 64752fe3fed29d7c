"""Listings page by page.

Items are listed in the order of a position that each has for life, and a marker names the last one
that was shown: what is added or removed meanwhile neither repeats nor hides others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from kmsfast.app import Application
from kmsfast.operations.requests import Given, Result
from kmsfast.wire.refusals import failure, invalid

__all__ = ["Listing"]

T = TypeVar("T")
# What a listing is of, and by what it is filtered: a marker is good for no other.
_ABOUT: Final = (
    "KeyId", "GrantId", "GranteePrincipal", "GranteeServicePrincipal", "RetiringPrincipal",
    "RetiringServicePrincipal",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """One kind of listing.

    Attributes:
        member: that answers hold the items in.
        position: of an item, as text that sorts.
        default: items in a page, when the request does not say.
        most: items that a request may ask for.
    """

    member: str
    position: Callable[[T], str]
    default: int
    most: int

    def page(
        self, app: Application, given: Given, items: Iterable[T], show: Callable[[T], Any]
    ) -> Result:
        """The page that the request asks for, of all items.

        Raises:
            ValidationError: more items than a page can have. InvalidMarker: see :class:`Markers`.
        """

        def fetch(after: str | None, most: int) -> list[T]:
            ahead = [item for item in items if after is None or self.position(item) > after]
            return sorted(ahead, key=self.position)[:most]

        return self.fetched_page(app, given, fetch, show)

    def long_page(self, app: Application, given: Given, read: Callable[[], Iterable[T]]) -> Result:
        """The page that the request asks for, of items for which the whole store is read.

        The pages behind the first need not read it again (:mod:`kmsfast.service.listings`).

        Args:
            read: gives all items, as answers show them.

        Raises:
            As :meth:`page`.
        """
        name, listings = self._name(given), app.listings

        def fetch(after: str | None, most: int) -> Sequence[T]:
            go_on = after is not None
            items = listings.items(name, lambda: sorted(read(), key=self.position), go_on=go_on)
            start = 0 if after is None else bisect_right(items, after, key=self.position)
            if start + most > len(items):
                listings.end(name)
            return items[start : start + most]

        return self.fetched_page(app, given, fetch, lambda item: item)

    def fetched_page(
        self,
        app: Application,
        given: Given,
        fetch: Callable[[str | None, int], Sequence[T]],
        show: Callable[[T], Any],
    ) -> Result:
        """The page that the request asks for, of items that need not all be there.

        Args:
            fetch: gives the first so many items behind a position; None: from the beginning.

        Raises:
            As :meth:`page`.
        """
        limit = given.get("Limit", self.default)
        if limit > self.most:
            words = f"Member must have value less than or equal to {self.most}"
            raise invalid([failure(limit, "limit", words)])
        name = self._name(given)
        marker = given.get("Marker")
        after = None if marker is None else app.markers.read(name, marker)
        found = fetch(after, limit + 1)
        shown, more = found[:limit], len(found) > limit
        return {
            self.member: [show(item) for item in shown],
            "NextMarker": app.markers.write(name, self.position(shown[-1])) if more else None,
            "Truncated": more,
        }

    def _name(self, given: Given) -> str:
        """What the listing is of, as its markers and its items are known by."""
        return " ".join((self.member, *(given.get(member, "") for member in _ABOUT)))
