"""PKCS#11 libraries, each loaded once for the process and used by one thread at a time.

Rules:
- a library is initialised without locks of its own (C_Initialize without arguments), so that no two
  threads may be in it (PKCS#11 base specification 2.40, 5.4);
- a child of a fork initialises it anew, and so does whoever connects a token that came back. Then
  all sessions are void: their handles may be those of others by now, so nobody closes or uses a
  session of an older generation.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Any, Final

import pkcs11
from pkcs11 import exceptions

from kmsfast.model.key_store_faults import Fault, OutsideFailed

__all__ = ["Library", "library_of"]


class Library:
    """One PKCS#11 library; use it with the lock held.

    Attributes:
        lock: for everything that gets into the library.
        generation: grows whenever it is initialised.
    """

    def __init__(self, path: str) -> None:
        self._path, self._pid = path, 0
        self._library: Any = None
        self.lock = threading.RLock()
        self.generation = 0

    def token(self, label: str) -> Any:
        """The token of that label, as it is now.

        Raises:
            OutsideFailed: there is none, or no such library.
        """
        try:
            return self._loaded().get_token(token_label=label)
        except exceptions.NoSuchToken:
            raise OutsideFailed(
                Fault.NO_TOKEN, hint=f"{self._path!r} has no token with the label {label!r}"
            ) from None

    def renew(self) -> None:
        """Initialises the library once more, which ends all sessions and finds new tokens."""
        library = self._loaded()
        self.generation += 1
        with suppress(exceptions.PKCS11Error):  # it may say that it is not initialised
            library.finalize()
        library.initialize()

    @property
    def is_of_parent(self) -> bool:
        """Whether it was initialised before a fork, in the parent: its sessions are not ours."""
        return self._library is not None and self._pid != os.getpid()

    def check_process(self) -> None:
        """Begins anew in a child of a fork."""
        if self.is_of_parent:
            self._pid = os.getpid()
            self.renew()

    def _loaded(self) -> Any:
        if self._library is None:
            try:
                self._library = pkcs11.lib(self._path)
            except (RuntimeError, OSError) as error:
                raise OutsideFailed(
                    Fault.NO_TOKEN,
                    hint=f"the PKCS#11 module {self._path!r} cannot be loaded: {error}",
                ) from error
            self._pid = os.getpid()
        return self._library


_libraries: Final[dict[str, Library]] = {}
_making = threading.Lock()


def library_of(path: str) -> Library:
    """The library of a path."""
    with _making:
        return _libraries.setdefault(path, Library(path))
