"""What the parts of a key share: its name, the service, and what its last calls needed.

Rules: those of :mod:`kmsfast.local`.
"""

from __future__ import annotations

from kmsfast import app
from kmsfast.local.remembered import NOTHING_TO_MAC, NOTHING_TO_SIGN, Macking, Signing
from kmsfast.service.usage import UsageRecorder

__all__ = ["KeyBase"]


class KeyBase:
    """The base of :class:`kmsfast.Key` and of its parts."""

    __slots__ = ("_app", "_epoch", "_macking", "_raw_id", "_signing", "_usage")

    _app: app.Application
    _epoch: memoryview
    _macking: Macking
    _raw_id: bytes
    _signing: Signing
    _usage: UsageRecorder

    def forget_remembered(self) -> None:
        """The next call goes the long way; see :mod:`kmsfast.service.usage`."""
        self._macking, self._signing = NOTHING_TO_MAC, NOTHING_TO_SIGN
