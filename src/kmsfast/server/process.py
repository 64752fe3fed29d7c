"""What a server asks of the system for its own process: that nobody looks into it, and descriptors.

Rules:
- plaintexts pass through it, so no core dump is left of it, by whatever is to catch one, and no
  program of the same user may trace it or read its memory; root may;
- connections get what the limit of open files leaves when the rest of the server has its share.
"""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from typing import Final

__all__ = ["most_connections", "raise_descriptors", "seal"]

_PR_SET_DUMPABLE: Final = 4  # prctl(2)
_WANTED: Final = 32_768  # descriptors
_MOST_OPEN: Final = 16_384
_OTHERS: Final = 1024  # the store, the log, the other doors; at most half of what there is


def seal() -> None:
    """Nothing of this process is dumped, and who is not root cannot read its memory.

    A limit of 0 alone does not keep a core dump from a program that is to have it by core(5); that
    a process is not dumpable does.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def raise_descriptors() -> None:
    """Raises the limit of open files, as far as it may be, to what many clients need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # fewer can connect then
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """How many connections of the socket the limit of open files leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _MOST_OPEN
    return max(1, min(_MOST_OPEN, soft - min(_OTHERS, soft // 2)))
