"""What the parts of a key share: its name, the service, and what its last calls needed.

Rules: those of :mod:`kmsfast.local`.
"""

from __future__ import annotations

from kmsfast import app
from kmsfast.local.remembered import Macking, Signing

__all__ = ["KeyBase"]


class KeyBase:
    """The base of :class:`kmsfast.Key` and of its parts."""

    __slots__ = ("_app", "_epoch", "_macking", "_raw_id", "_signing")

    _app: app.Application
    _epoch: memoryview
    _macking: Macking
    _raw_id: bytes
    _signing: Signing
