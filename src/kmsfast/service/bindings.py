"""Contexts that were used lately, bound to key versions, for calls on one record.

Rules:
- a binding is a function of a handle and a context; whether the key may be used is not asked here;
- a handle is never used for another version, so no binding goes out of date: C refuses its handle;
- no more than 256 are kept, and nothing of them is secret.
"""

from __future__ import annotations

from typing import Any, Final

from kmsfast.crypto.blob import bind
from kmsfast.model.context import canonical

__all__ = ["Bindings"]

_MOST: Final = 256
_Pairs = tuple[tuple[str, str], ...]


class Bindings:
    """Safe to share between threads: the worst of a race is that a binding is made twice."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, _Pairs], Any] = {}

    def of(self, handle: int, context: dict[str, str] | None) -> Any:
        """The key version bound to the context, made when it is not known.

        Args:
            context: nobody else changes it meanwhile.

        Raises:
            ContextError: see :func:`kmsfast.model.context.canonical`. StaleHandle: evicted.
        """
        name = handle, tuple(context.items()) if context else ()
        try:
            known = self._known.get(name)
        except TypeError:  # a value that cannot be hashed is no text
            known = None
        return self._made(name, canonical(context)) if known is None else known

    def _made(self, name: tuple[int, _Pairs], bound: bytes) -> Any:
        binding = bind(name[0], bound)
        if len(self._known) >= _MOST:
            self._known = {}
        self._known[name] = binding
        return binding
