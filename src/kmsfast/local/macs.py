"""What HMAC keys do.

Rules: those of :mod:`kmsfast.local`. A message that comes alone takes a short path as well, by what
the last one needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kmsfast.doors import Call, Entry, Outcome
from kmsfast.errors import InvalidMac, StaleHandle
from kmsfast.local.base import KeyBase
from kmsfast.local.members import Member
from kmsfast.local.recorded import operation, operation_with_call
from kmsfast.local.remembered import NOTHING_TO_CHECK, NOTHING_TO_MAC, Checking, Macking
from kmsfast.model.message import MAX_MESSAGE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["MacUses"]

ALGORITHM: Final[dict[str, Member]] = {"algorithm": "MacAlgorithm"}


def false_macs(found: npt.NDArray[np.bool_]) -> Outcome:
    """What came of a batch of MACs that were verified."""
    wrong = len(found) - int(found.sum())
    return Outcome({}, wrong, InvalidMac() if wrong else None)


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
        epoch, make, tick = self._macking
        if epoch == self._epoch[0] and algorithm is None and _is_short(message):
            try:
                made = make(message)
            except StaleHandle:  # evicted since: the service loads it again
                self._macking = NOTHING_TO_MAC
            else:
                tick()
                return made
        return self._mac(message, algorithm)

    @operation_with_call("GenerateMac", members=ALGORITHM)
    def _mac(self, call: Call, message: bytes, algorithm: str | None) -> bytes:
        window = self._usage.watch(self)
        made = self._app.macs.mac(self._raw_id, message, algorithm)
        epoch, _, make, _ = self._app.macs.ready(self._raw_id)

        def remember(entry: Entry) -> None:
            self._macking = Macking(epoch, make, entry.tick)
            self._forget_after(window)

        call.afterwards = remember
        return made

    def verify_mac(self, message: bytes, mac: bytes, *, algorithm: str | None = None) -> None:
        """Passes when ``mac`` is the MAC of the message; compared in constant time.

        Raises:
            InvalidMac: it is not. The others: as :meth:`mac`.
        """
        epoch, length, check, tick = self._checking
        if (
            epoch == self._epoch[0]
            and algorithm is None
            and _is_short(message)
            and type(mac) is bytes
            and len(mac) == length
        ):
            try:
                check(message, mac)
            except StaleHandle:  # evicted since
                self._checking = NOTHING_TO_CHECK
            except InvalidMac as error:
                self._verify_mac(message, mac, algorithm, error)
            else:
                tick()
                return
        self._verify_mac(message, mac, algorithm)

    @operation_with_call("VerifyMac", members=ALGORITHM)
    def _verify_mac(
        self,
        call: Call,
        message: bytes,
        mac: bytes,
        algorithm: str | None,
        wrong: InvalidMac | None = None,
    ) -> None:
        """Also that a MAC is wrong, as is known already, is recorded and decided here."""
        if wrong is not None:
            raise wrong
        window = self._usage.watch(self)
        self._app.macs.verify(self._raw_id, message, mac, algorithm)
        epoch, length, _, check = self._app.macs.ready(self._raw_id)

        def remember(entry: Entry) -> None:
            self._checking = Checking(epoch, length, check, entry.tick)
            self._forget_after(window)

        call.afterwards = remember

    @operation("GenerateMac", members=ALGORITHM, records="values")
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

    @operation("VerifyMac", members=ALGORITHM, records="values", outcome=false_macs)
    def verify_mac_batch(
        self, values: Any, macs: Any, *, algorithm: str | None = None, threads: int = 1
    ) -> npt.NDArray[np.bool_]:
        """Whether each is the MAC of its record: numpy bool of (n,); False where one is null.

        Raises:
            As :meth:`mac`. MACs that do not verify do not raise: ask ``.all()``.
        """
        return self._app.macs.verify_batch(self._raw_id, values, macs, algorithm, threads=threads)


def _is_short(message: bytes) -> bool:
    """Whether it is a message that the service would pass."""
    return type(message) is bytes and 1 <= len(message) <= MAX_MESSAGE
