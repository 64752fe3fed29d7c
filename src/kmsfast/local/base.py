"""What the parts of a key share: its name, the service, and what its last calls needed.

Rules: those of :mod:`kmsfast.local`.
"""

from __future__ import annotations

from kmsfast import app
from kmsfast.doors import Door
from kmsfast.local.remembered import (
    NOTHING_TO_CHECK,
    NOTHING_TO_MAC,
    NOTHING_TO_SIGN,
    NOTHING_TO_VERIFY,
    Checking,
    Macking,
    Signing,
    Verifying,
)
from kmsfast.service.usage import UsageRecorder, Window

__all__ = ["KeyBase"]


class KeyBase:
    """The base of :class:`kmsfast.Key` and of its parts."""

    __slots__ = ("_app", "_checking", "_door", "_epoch", "_macking", "_raw_id", "_signing",
                 "_usage", "_verifying")  # fmt: skip

    _app: app.Application
    _checking: Checking
    _door: Door
    _epoch: memoryview
    _macking: Macking
    _raw_id: bytes
    _signing: Signing
    _usage: UsageRecorder
    _verifying: Verifying

    def _forget_after(self, window: Window) -> None:
        """Forgets what was just remembered, if a window of uses has ended since that one."""
        if self._usage.window is not window:
            self.forget_remembered()

    def forget_remembered(self) -> None:
        """The next call goes the long way; see :mod:`kmsfast.service.usage`."""
        self._macking, self._checking = NOTHING_TO_MAC, NOTHING_TO_CHECK
        self._signing, self._verifying = NOTHING_TO_SIGN, NOTHING_TO_VERIFY
