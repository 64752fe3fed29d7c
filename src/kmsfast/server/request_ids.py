"""Request ids in the form of a UUID: random for the process, then counted."""

from __future__ import annotations

import os

__all__ = ["RequestIds"]


class RequestIds:
    """Gives each request an id that no other has."""

    def __init__(self) -> None:
        drawn = os.urandom(10).hex()
        self._prefix = f"{drawn[:8]}-{drawn[8:12]}-{drawn[12:16]}-{drawn[16:]}-"
        self._count = int.from_bytes(os.urandom(4), "big")

    def next(self) -> str:
        """The next one."""
        self._count = (self._count + 1) & 0xFFFF_FFFF_FFFF
        return f"{self._prefix}{self._count:012x}"
