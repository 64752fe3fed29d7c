"""Which keys a batch of ciphertexts names: told, before they are used, to whoever asked for it.

A batch says only record by record under which keys it lies. Who may decide about them, or has to
note them, hears of each start of a blob once or more, and refuses its records by raising.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = ["Hear", "tell", "telling"]

Hear = Callable[[bytes], None]
"""Is told the first bytes of blobs; what it raises is the error of all blobs that start so."""

_hear: Final[ContextVar[Hear | None]] = ContextVar("kmsfast_hear", default=None)


@contextmanager
def telling(hear: Hear) -> Iterator[None]:
    """Tells ``hear`` of the keys of ciphertexts that are opened in its block."""
    token = _hear.set(hear)
    try:
        yield
    finally:
        _hear.reset(token)


def tell(start: bytes) -> None:
    """To be called with the first bytes of a blob before its key is used."""
    hear = _hear.get()
    if hear is not None:
        hear(start)
