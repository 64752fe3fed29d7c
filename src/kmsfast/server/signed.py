"""A connection whose requests are signed: it keeps all that a signature covers.

Rules: those of :mod:`kmsfast.server.connection`. Without authentication nothing of this is kept.
"""

from __future__ import annotations

import asyncio

from kmsfast.server.connection import Connection, Hub

__all__ = ["SignedConnection"]


class SignedConnection(Connection):
    """Reads requests with all their headers, and says where they come from."""

    _KEEPS_HEADERS = True

    __slots__ = ("_peer", "_secure")

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub)
        self._peer, self._secure = "", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        super().connection_made(transport)
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if isinstance(name, tuple) else ""
        self._secure = transport.get_extra_info("ssl_object") is not None

    def on_headers_complete(self) -> None:
        """The body comes next."""
        request = self._request
        request.uri, request.peer, request.secure = self._url, self._peer, self._secure
        super().on_headers_complete()
