"""Memory between unmapped pages: a byte read or written beside it ends the process."""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np

PAGE = mmap.PAGESIZE
SIDES = ["end", "start"]
_PROT_NONE = 0
_libc = ctypes.CDLL(None, use_errno=True)


def array(size: int, side: str) -> Any:
    """``size`` bytes of uint8 that end where an unmapped page begins, or begin where one ends."""
    inner = max(1, -(-size // PAGE)) * PAGE
    memory = mmap.mmap(-1, inner + 2 * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for guard in (address, address + PAGE + inner):
        if _libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(PAGE), _PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = PAGE + (inner - size if side == "end" else 0)
    return np.frombuffer(memory, np.uint8, size, offset)


def copy(data: bytes, side: str) -> Any:
    """The bytes in such memory."""
    made = array(len(data), side)
    made[:] = np.frombuffer(data, np.uint8)
    return made
