"""Clients of the socket (docs/socket.md): key objects whose keys a server holds.

Rules:
- calls are written once, without I/O (:mod:`.calls`); :mod:`.sync` waits for their answers,
  :mod:`.aio` awaits them;
- nothing here holds key material, but for the data keys of sealed batches and streams, which are
  given to C and wiped at once.
"""

from __future__ import annotations

from kmsfast.client.aio import connect_async
from kmsfast.client.sync import connect

__all__ = ["connect", "connect_async"]
