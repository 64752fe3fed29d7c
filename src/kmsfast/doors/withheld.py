"""Wiping what was made and may not be handed out.

What Python itself copied before is out of reach, as ever; results are made once, by C or by a
library, and nobody else has them yet.
"""

from __future__ import annotations

from typing import Any

from kmsfast.crypto.native import forget
from kmsfast.crypto.sealed import SealedReader, SealedWriter

__all__ = ["withhold"]


def withhold(made: Any) -> None:
    """Wipes a result of an operation: bytes, arrays, and tuples and lists of them."""
    if isinstance(made, bytes | bytearray):
        forget(made)
    elif isinstance(made, tuple | list):
        for each in made:
            withhold(each)
    elif isinstance(made, SealedReader | SealedWriter):
        made.close()
    elif hasattr(made, "chunks"):  # of Arrow, as the next
        withhold(made.chunks)
    elif callable(buffers := getattr(made, "buffers", None)):
        for each in filter(None, buffers()):
            forget(each)
    elif hasattr(made, "nbytes"):  # of numpy
        forget(made.view("u1").reshape(-1) if made.nbytes else b"")
