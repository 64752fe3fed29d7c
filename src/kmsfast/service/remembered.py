"""What calls needed that name keys by text, as network doors do, for the next that say the same.

Rules:
- it is remembered by all that a call said of its key and algorithm, and never by its message;
- it is good while the store's epoch stands; handles that were evicted meanwhile raise StaleHandle;
- no more than 1,024 are kept, and nothing of them is secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

__all__ = ["Remembered", "keep_few"]

_MOST: Final = 1024


class Remembered:
    """Safe to share between threads: the worst of a race is that something is forgotten.

    Args:
        epoch: one-element view of the store's epoch.
    """

    def __init__(self, epoch: Sequence[int]) -> None:
        self._epoch = epoch
        self._known: dict[tuple[str, ...], tuple[int, Any]] = {}

    def get(self, *said: str) -> Any:
        """What was kept for this, or None."""
        known = self._known.get(said)
        return known[1] if known is not None and known[0] == self._epoch[0] else None

    def keep(self, epoch: int, ready: int, what: Any, *said: str) -> None:
        """Keeps something, when nothing has changed while it was made.

        Args:
            epoch: of before the key was found by its name.
            ready: of which what the key has is good.
        """
        if epoch != ready:
            return
        keep_few(self._known, said, (epoch, what))


def keep_few(known: dict[Any, Any], name: Any, value: Any) -> None:
    """Adds to what is remembered; when there are 1,024 already, they go."""
    if len(known) >= _MOST:
        known.clear()
    known[name] = value
