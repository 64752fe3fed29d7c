"""Progress of long work, on a terminal only.

Rules:
- one line on stderr that is gone at the end; nothing at all when stderr is no terminal;
- drawn at most ten times a second, first after half a second: short work shows nothing.
"""

from __future__ import annotations

import sys
import time
from io import RawIOBase
from types import TracebackType
from typing import Any, BinaryIO, Self

__all__ = ["Counted", "Progress"]

_FIRST, _INTERVAL = 0.5, 0.1
_WIDTH = 30


class Progress:
    """Context manager that is called with (done, total); total 0 means that nobody knows.

    Attributes:
        unit: what is counted: "rows" or "bytes".
    """

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._on = sys.stderr.isatty()
        self._start = time.monotonic()
        self._next = self._start + _FIRST
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Takes the line away."""
        if self._drawn:
            self._drawn = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, done: int, total: int) -> None:
        """Draws, when it is time."""
        now = time.monotonic()
        if not self._on or now < self._next:
            return
        self._next = now + _INTERVAL
        self._drawn = True
        rate = done / (now - self._start)
        amount = f"{rate / 1e6:,.0f} MB/s" if self.unit == "bytes" else f"{rate:,.0f} rows/s"
        if total:
            part = min(done / total, 1.0)
            filled = round(part * _WIDTH)
            bar = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {part:4.0%}  "
        else:
            bar = f"{done / 1e6:,.0f} MB  " if self.unit == "bytes" else f"{done:,} rows  "
        sys.stderr.write(f"\r{bar}{amount}\x1b[K")
        sys.stderr.flush()


class Counted(RawIOBase):
    """A binary reader that tells how far it is.

    Args:
        total: length in bytes; 0 if nobody knows.
    """

    def __init__(self, source: BinaryIO, total: int, progress: Progress) -> None:
        super().__init__()
        self._source, self._total, self._progress = source, total, progress
        self._done = 0

    def read(self, size: int = -1) -> bytes:
        """As of a file."""
        data = self._source.read(size)
        self._done += len(data)
        self._progress(self._done, self._total)
        return data

    def readinto(self, buffer: Any) -> int:
        """As of a file."""
        got: int = self._source.readinto(buffer)  # type: ignore[attr-defined]
        self._done += got
        self._progress(self._done, self._total)
        return got

    def readable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """Of the file that is read."""
        return self._source.fileno()
