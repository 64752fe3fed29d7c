"""Long listings: what was read and authenticated for one page is there for the pages behind it.

Rules:
- a listing begins with a look at the whole store, which checks that nothing is missing in it; the
  pages that follow come from that look while the epoch stands where it stood;
- a change of the store, or the last page, ends that: the next page looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

__all__ = ["Listings"]

_MOST: Final = 4  # listings of different things at the same time


class Listings:
    """The listings of one scope of a store that are not at their end.

    Args:
        epoch: one-element view of the store's epoch.
    """

    def __init__(self, epoch: Sequence[int]) -> None:
        self._epoch = epoch
        self._read: dict[str, tuple[int, list[Any]]] = {}

    def items(self, name: str, fetch: Callable[[], list[Any]], *, go_on: bool) -> list[Any]:
        """All items of a listing.

        Args:
            name: what it is a listing of.
            fetch: reads them.
            go_on: these are for a page behind the first one.
        """
        epoch = self._epoch[0]
        if go_on:
            known = self._read.get(name)
            if known is not None and known[0] == epoch:
                return known[1]
        found = fetch()
        if epoch % 2 == 0:  # nobody was writing
            if len(self._read) >= _MOST:
                self._read = {}
            self._read[name] = (epoch, found)
        return found

    def end(self, name: str) -> None:
        """Forgets the items of a listing."""
        self._read.pop(name, None)
