"""Single records of callers that name the key by text with every call, as network doors do.

Rules:
- what a call needed is remembered by the names that it used: of the key, and the key version of a
  blob; contexts are bound to it without the store (:mod:`.bindings`);
- it is good while the store's epoch stands and no rotation is due; then, and whenever anything is
  unusual, a warm call answers None, and the caller takes the way that looks into the store;
- a warm call does no I/O and takes no lock;
- the first use of a key in a window of uses (:mod:`.usage`) is recorded here, the others cost one
  look for it;
- no more than 1,024 of each are kept; what is remembered holds handles, never key material.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kmsfast.crypto import blob
from kmsfast.crypto.blob import seal_bound, try_open
from kmsfast.errors import StaleHandle
from kmsfast.model.context import canonical
from kmsfast.model.key import KeyMetadata
from kmsfast.service.bindings import Bindings
from kmsfast.service.keyring import Keyring
from kmsfast.service.remembered import keep_few

__all__ = ["DataKeyOf", "Opened", "Opening", "Sealed", "Sealing", "Singles"]

_HEADER_LEN: Final = 24
_DATA_KEY: Final = {True: "GenerateDataKey", False: "GenerateDataKeyWithoutPlaintext"}

Context = dict[str, str] | None


class Sealed(NamedTuple):
    """A blob, and the key that made it."""

    ciphertext: bytes
    key_arn: str


class Opened(NamedTuple):
    """A plaintext, and the key and material that opened it; key pairs have no id of material."""

    plaintext: bytes
    key_arn: str
    material_id: str | None

    def __repr__(self) -> str:
        """Without the plaintext."""
        return f"Opened(key_arn={self.key_arn!r}, material_id={self.material_id!r})"


class DataKeyOf(NamedTuple):
    """A data key; the plaintext is None when it was not asked for."""

    plaintext: bytes | None
    ciphertext: bytes
    key_arn: str
    material_id: str | None

    def __repr__(self) -> str:
        """Without the plaintext."""
        return f"DataKeyOf(key_arn={self.key_arn!r}, material_id={self.material_id!r})"


class Sealing(NamedTuple):
    """The current version of a key, until it rotates (Unix time) or the epoch moves."""

    epoch: int
    due: float | None
    handle: int
    key_arn: str
    material_id: str


class Opening(NamedTuple):
    """The version of a key that blobs with a certain header name, until the epoch moves."""

    epoch: int
    handle: int
    key_arn: str
    material_id: str


class Singles:
    """Encrypts and decrypts single records with the keys of one store.

    Attributes:
        request_id: of the request that the next warm call is of; None: of none.
    """

    request_id: str | None = None

    def __init__(self, ring: Keyring, bindings: Bindings) -> None:
        self._ring, self._epoch, self._clock = ring, ring.epoch, ring.clock
        self._usage = ring.usage
        self._bindings = bindings
        self._sealing: dict[str, Sealing] = {}
        self._opening: dict[tuple[bytes, str | None], Opening] = {}

    # ---- without a look into the store ------------------------------------------------------

    def seal_warm(self, name: str, plaintext: bytes, context: Context) -> Sealed | None:
        """The blob of one record, when all that it needs is known.

        Args:
            name: of the key, as the caller gave it.
        """
        known = self.sealing(name)
        if known is None:
            return None
        try:
            binding = self._bindings.of(known.handle, context)
            sealed = Sealed(seal_bound(binding, plaintext), known.key_arn)
        except StaleHandle:
            return None
        self.used(known.key_arn, "Encrypt")
        return sealed

    def data_key_warm(
        self, name: str, num_bytes: int, context: Context, *, with_plaintext: bool
    ) -> DataKeyOf | None:
        """A data key, when all that it needs is known."""
        known = self.sealing(name)
        if known is None:
            return None
        try:
            plaintext, sealed = blob.data_key(
                known.handle, num_bytes, canonical(context), with_plaintext
            )
        except StaleHandle:
            return None
        self.used(known.key_arn, _DATA_KEY[with_plaintext])
        return DataKeyOf(plaintext, sealed, known.key_arn, known.material_id)

    def open_warm(self, name: str | None, data: bytes, context: Context) -> Opened | None:
        """The plaintext of one blob, when its key version is known for this context.

        Args:
            name: of the key that must have made it, as the caller gave it; None: any.
        """
        known = self.opening(data[:_HEADER_LEN], name)
        if known is None:
            return None
        try:
            plaintext = try_open(self._bindings.of(known.handle, context), data)
        except StaleHandle:
            return None
        if plaintext is None:
            return None
        self.used(known.key_arn, "Decrypt")
        return Opened(plaintext, known.key_arn, known.material_id)

    def sealing(self, name: str) -> Sealing | None:
        """What encrypts for this name of a key, when it is known."""
        known = self._sealing.get(name)
        if (
            known is None
            or known.epoch != self._epoch[0]
            or (known.due is not None and self._clock() >= known.due)
        ):
            return None
        return known

    def opening(self, header: bytes, name: str | None) -> Opening | None:
        """What decrypts blobs of this header for this name of a key, when it is known."""
        known = self._opening.get((header, name))
        return None if known is None or known.epoch != self._epoch[0] else known

    def used(self, key_arn: str, operation: str) -> None:
        """Records a warm use, if it is the key's first in a window of uses."""
        if key_arn not in self._usage.window.uses:
            self._usage.note(key_arn, operation, self.request_id)

    # ---- what warm calls need ---------------------------------------------------------------

    def remember_seal(self, epoch: int, name: str, key: KeyMetadata) -> None:
        """Makes the next warm calls with this name possible.

        Args:
            epoch: of the store, from before ``name`` was found to be ``key``.
        """
        ready = self._ring.ready(key.raw_id)
        if ready.epoch != epoch:
            return
        current = self._ring.key(key.raw_id)
        known = Sealing(
            epoch,
            ready.rotation_due,
            ready.handle,
            current.arn,
            current.material_id(current.current_version),
        )
        keep_few(self._sealing, name, known)

    def remember_open(self, epoch: int, name: str | None, key: KeyMetadata, data: bytes) -> None:
        """The same for blobs of the key version that this one names; it was opened just now."""
        start = data[:_HEADER_LEN]
        handle = self._ring.opener(start)
        if handle is None or epoch % 2:
            return
        version = int.from_bytes(start[20:24], "big")
        known = Opening(epoch, handle, key.arn, key.material_id(version))
        keep_few(self._opening, (start, name), known)
