"""numpy, imported when something of it is used first: half the start of a command without batches.

Modules that name it in annotations alone import it under TYPE_CHECKING.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["np"]


class _Numpy:
    """Looks like the module; each name is looked up there once."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module("numpy"), name)
        setattr(self, name, value)
        return value


np: Any = _Numpy()
