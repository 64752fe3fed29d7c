"""What HMAC keys do.

Rules: those of :mod:`kmsfast.local`. A message that comes alone takes a short path as well, by what
the last one needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmsfast.errors import StaleHandle
from kmsfast.local.base import KeyBase
from kmsfast.local.remembered import NOTHING_TO_MAC, Macking
from kmsfast.model.message import MAX_MESSAGE
from kmsfast.service.usage import Window

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["MacUses"]


class MacUses(KeyBase):
    """The part of :class:`kmsfast.Key` for MACs."""

    __slots__ = ()

    def mac(self, message: bytes, *, algorithm: str | None = None) -> bytes:
        """The MAC of a message: HMAC (RFC 2104), 28, 32, 48 or 64 bytes by the key's spec.

        Args:
            message: 1 to 4,096 bytes.
            algorithm: HMAC_SHA_224 and so on; each key has one, so it may be left out.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound, InvalidKeyUsage: the key makes no such MACs.
            ValidationError: a message of another length, or an unknown algorithm.
        """
        epoch, _, make, _ = self._macking
        if epoch == self._epoch[0] and algorithm is None and _is_short(message):
            try:
                return make(message)
            except StaleHandle:  # evicted since: the service loads it again
                self._macking = NOTHING_TO_MAC
        window = self._usage.watch(self)
        made = self._app.macs.mac(self._raw_id, message, algorithm)
        self._remember_mac(window)
        return made

    def verify_mac(self, message: bytes, mac: bytes, *, algorithm: str | None = None) -> None:
        """Passes when ``mac`` is the MAC of the message; compared in constant time.

        Raises:
            InvalidMac: it is not. The others: as :meth:`mac`.
        """
        epoch, length, _, check = self._macking
        if (
            epoch == self._epoch[0]
            and algorithm is None
            and _is_short(message)
            and type(mac) is bytes
            and len(mac) == length
        ):
            try:
                check(message, mac)
            except StaleHandle:  # evicted since: the service loads it again
                self._macking = NOTHING_TO_MAC
            else:
                return
        window = self._usage.watch(self)
        self._app.macs.verify(self._raw_id, message, mac, algorithm)
        self._remember_mac(window)

    def mac_batch(self, values: Any, *, algorithm: str | None = None, threads: int = 1) -> Any:
        """The MAC of each record, for tokens and blind indexes.

        Args:
            values: a batch of any kind (:meth:`encrypt_batch`), with records of any length.
            threads: for the C core; the GIL is released.

        Returns:
            A list of bytes for a list, numpy uint8 of (n, length) for numpy and Packed,
            fixed_size_binary for Arrow; nulls stay null.

        Raises:
            As :meth:`mac`.
        """
        return self._app.macs.mac_batch(self._raw_id, values, algorithm, threads)

    def verify_mac_batch(
        self, values: Any, macs: Any, *, algorithm: str | None = None, threads: int = 1
    ) -> npt.NDArray[np.bool_]:
        """Whether each is the MAC of its record: numpy bool of (n,); False where one is null.

        Raises:
            As :meth:`mac`. MACs that do not verify do not raise: ask ``.all()``.
        """
        return self._app.macs.verify_batch(self._raw_id, values, macs, algorithm, threads=threads)

    def _remember_mac(self, window: Window) -> None:
        """What the next MAC may need, unless a window of uses ended since."""
        self._macking = Macking(*self._app.macs.ready(self._raw_id))
        if self._usage.window is not window:
            self.forget_remembered()


def _is_short(message: bytes) -> bool:
    """Whether it is a message that the service would pass."""
    return type(message) is bytes and 1 <= len(message) <= MAX_MESSAGE
