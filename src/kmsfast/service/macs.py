"""MACs by HMAC keys: one method per operation, for one message and for batches.

Checks come in the order of AWS: parameters, key, usage, state, algorithm. Messages that come alone
have 1 to 4,096 bytes, as in AWS; those of a batch have any length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kmsfast.crypto import mac
from kmsfast.crypto.native import checked_threads
from kmsfast.errors import ValidationError
from kmsfast.model.key import KeyMetadata
from kmsfast.model.keyspec import MAC_ALGORITHMS, KeyUsage, enumerated, require_algorithm
from kmsfast.model.message import checked_message
from kmsfast.service.encryption import as_bytes
from kmsfast.service.keyring import Keyring

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Macs"]

_MAX_MAC: Final = 6144


class Macs:
    """Uses the HMAC keys of one store."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def ready(
        self, raw_id: bytes
    ) -> tuple[int, int, Callable[[bytes], bytes], Callable[[bytes, bytes], None]]:
        """The epoch, the length of a MAC, and what makes and checks one while the epoch stands.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound, InvalidKeyUsage: the key makes none.
        """
        epoch = self._ring.settled()
        key = self._usable(raw_id, None, "GenerateMac")
        handle, length = self._ring.with_version(key, int), _length(key)
        epoch = self._ring.lasting(epoch, key)
        return epoch, length, partial(mac.mac, handle, mac_len=length), partial(mac.verify, handle)

    def mac(self, raw_id: bytes, message: Any, algorithm: str | None) -> bytes:
        """The MAC of a message."""
        _check_algorithm(algorithm)
        data = checked_message(as_bytes(message, "the message"))
        key = self._usable(raw_id, algorithm, "GenerateMac")
        made = self._ring.with_version(
            key, lambda handle: mac.mac(handle, data, mac_len=_length(key))
        )
        self._ring.used(raw_id, "GenerateMac")
        return made

    def verify(self, raw_id: bytes, message: Any, claimed: Any, algorithm: str | None) -> None:
        """Passes when it is the MAC of the message.

        Raises:
            InvalidMac: it is not.
        """
        _check_algorithm(algorithm)
        data = checked_message(as_bytes(message, "the message"))
        given = as_bytes(claimed, "the MAC")
        if not 1 <= len(given) <= _MAX_MAC:
            raise ValidationError(f"the MAC has {len(given)} bytes; one has 1 to {_MAX_MAC}")
        key = self._usable(raw_id, algorithm, "VerifyMac")
        self._ring.with_version(key, lambda handle: mac.verify(handle, data, given))
        self._ring.used(raw_id, "VerifyMac")

    def mac_batch(self, raw_id: bytes, values: Any, algorithm: str | None, threads: int) -> Any:
        """A MAC for each record."""
        _check_algorithm(algorithm)
        checked_threads(threads)
        key = self._usable(raw_id, algorithm, "GenerateMac")
        made = self._ring.with_version(
            key,
            lambda handle: mac.mac_batch(handle, values, mac_len=_length(key), threads=threads),
        )
        self._ring.used(raw_id, "GenerateMac")
        return made

    def verify_batch(
        self, raw_id: bytes, values: Any, claimed: Any, algorithm: str | None, *, threads: int
    ) -> npt.NDArray[np.bool_]:
        """Whether each is the MAC of its record."""
        _check_algorithm(algorithm)
        checked_threads(threads)
        key = self._usable(raw_id, algorithm, "VerifyMac")
        found = self._ring.with_version(
            key, lambda handle: mac.verify_batch(handle, values, claimed, threads=threads)
        )
        self._ring.used(raw_id, "VerifyMac")
        return found

    def _usable(self, raw_id: bytes, algorithm: str | None, operation: str) -> KeyMetadata:
        key = self._ring.usable(raw_id, KeyUsage.GENERATE_VERIFY_MAC, operation)
        if algorithm is not None:
            require_algorithm(key.spec, key.usage, algorithm)
        return key


def _check_algorithm(algorithm: str | None) -> None:
    if algorithm is not None:
        enumerated(algorithm, MAC_ALGORITHMS, "macAlgorithm")


def _length(key: KeyMetadata) -> int:
    """Bytes of a MAC, of the hash that the spec names."""
    return int(key.spec.removeprefix("HMAC_")) // 8
