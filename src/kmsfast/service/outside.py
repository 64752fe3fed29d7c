"""Keys whose material is in a custom key store: made, used and removed through the ports.

Rules:
- nothing outside is called within a transaction, and nothing here is remembered but where key
  stores are, for one epoch of the store;
- a key of an external key store encrypts twice: first by its own material here, then by the proxy
  (Developer Guide, Double encryption); what the proxy sees is a blob, and that blob alone opens
  nothing: blobs of such keys are opened by both or not at all;
- secrets of key stores are wrapped by the store key like private keys, and unwrapped for one call.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from kmsfast.crypto import blob
from kmsfast.crypto.keys import StoreKey
from kmsfast.crypto.native import checked_int, forget
from kmsfast.errors import (
    CustomKeyStoreInvalidState,
    CustomKeyStoreNotFound,
    FrameError,
    IncorrectKey,
    InvalidCiphertext,
    KmsError,
    ValidationError,
)
from kmsfast.model.key import KeyMetadata, format_key_id, require, require_symmetric
from kmsfast.model.key_store import ConnectionState, CustomKeyStore, KeyStoreType, require_state
from kmsfast.model.key_store_faults import Fault, OutsideFailed
from kmsfast.model.outside_blob import associated_data, make_header, parse, write
from kmsfast.service.keyring import NEVER, Keyring
from kmsfast.service.material import Made
from kmsfast.service.ports import Outside, Place, Use

__all__ = ["MAX_PLAINTEXT", "OutsideKeys", "wrap_secret"]

MAX_PLAINTEXT: Final = 4096
_MAX_RANDOM: Final = 1024
_VERSION: Final = 1
_DOMAIN: Final = b"kmsfast secret of a custom key store\0"


@dataclass(slots=True)
class _Seen:
    epoch: int
    places: Mapping[str, Place]


class OutsideKeys:
    """The keys of one store whose material is elsewhere.

    Args:
        find: what stands behind a type of key store; called when the first of them is used.
    """

    def __init__(self, ring: Keyring, find: Callable[[KeyStoreType], Outside]) -> None:
        self._ring, self._find = ring, find
        self._found: dict[KeyStoreType, Outside] = {}
        self._finding = threading.Lock()
        self._seen = _Seen(NEVER, {})

    # ---- key stores -------------------------------------------------------------------------

    def of(self, kind: KeyStoreType) -> Outside:
        """What stands behind key stores of a type."""
        with self._finding:
            if kind not in self._found:
                self._found[kind] = self._find(kind)
            return self._found[kind]

    def place(self, key_store_id: str) -> Place:
        """A custom key store as it is now.

        Raises:
            CustomKeyStoreNotFound: there is none of that id.
        """
        self._ring.check_open()
        epoch = self._ring.settled()
        if epoch == NEVER or self._seen.epoch != epoch:
            self._seen = _Seen(epoch, self._places())
        found = self._seen.places.get(key_store_id)
        if found is None:
            raise CustomKeyStoreNotFound(f"Custom key store {key_store_id} does not exist.")
        return found

    def placed(self, store: CustomKeyStore, wrapped: bytes) -> Place:
        """A custom key store, perhaps one that is not stored yet, with its secret."""
        return Place(store, partial(_secret, self._ring.store.store_key, store.id, wrapped))

    def close(self) -> None:
        """Ends all connections."""
        for each in self._found.values():
            each.close()

    # ---- the life of keys -------------------------------------------------------------------

    def check_creation(self, kind: KeyStoreType, key_store_id: str) -> CustomKeyStore:
        """The key store in which a key of this origin is to be made.

        Raises:
            CustomKeyStoreNotFound: none. ValidationError: one of another type.
            CustomKeyStoreInvalidState: it is not connected.
        """
        store = self.place(key_store_id).store
        if store.type is not kind:
            raise ValidationError(
                f"Origin {kind} is not that of custom key store {store.id}, whose type is "
                f"{store.type}."
            )
        require_state(store, "CreateKey", ConnectionState.CONNECTED)
        return store

    @contextmanager
    def made(self, key: KeyMetadata) -> Iterator[Made]:
        """The first version of a new key; a key that was made for it goes when the block fails.

        Raises:
            XksKeyNotFound, XksKeyInvalidConfiguration, CustomKeyStoreInvalidState,
            ClusterInvalidConfiguration, InvalidState: see :mod:`kmsfast.model.key_store_faults`.
        """
        kind, place, name = self._where(key)
        try:
            self.of(kind).make_key(place, name, Use(name, "CreateKey", None))
        except OutsideFailed as failed:
            raise failed.creating_key() from failed
        try:
            yield Made(self._own_material(key, kind))
        except BaseException:
            self.forget(key)
            raise

    def forget(self, key: KeyMetadata) -> None:
        """Removes what was made for a key; where that cannot be done it stays, as with AWS KMS."""
        if key.backing is None or not key.backing.connected:
            return
        with suppress(KmsError):  # it is best effort: the key itself is gone, or never was
            kind, place, name = self._where(key)
            self.of(kind).destroy_key(place, name)

    def _own_material(self, key: KeyMetadata, kind: KeyStoreType) -> bytes:
        """What the store has of the material: that of the inner layer, or the name in a token."""
        if kind is KeyStoreType.AWS_CLOUDHSM:
            return key.raw_id
        return self._ring.store.store_key.generate_material(key.raw_id, _VERSION, key.flags)

    # ---- their use --------------------------------------------------------------------------

    def encrypt(self, raw_id: bytes, plaintext: bytes, context: bytes, operation: str) -> bytes:
        """The blob of one record.

        Args:
            context: canonical.

        Raises:
            ValidationError: more than 4,096 bytes. InvalidState: it could not be done outside.
        """
        if len(plaintext) > MAX_PLAINTEXT:
            raise ValidationError(
                f"keys in custom key stores encrypt up to {MAX_PLAINTEXT} bytes, not "
                f"{len(plaintext)}; encrypt more by a data key"
            )
        key = self._usable(raw_id, operation)
        kind, place, name = self._where(key)
        header = make_header(kind, raw_id, _VERSION)
        use, aad = Use(name, operation, key.arn), associated_data(header, context)
        if kind is KeyStoreType.EXTERNAL_KEY_STORE:
            plaintext = self._ring.with_version(
                key, lambda handle: blob.seal_one(handle, plaintext, context)
            )
        made = write(header, self.of(kind).seal(place, use, plaintext, aad))
        self._ring.used(raw_id, operation)
        return made

    def data_key(
        self, raw_id: bytes, num_bytes: int, context: bytes, operation: str
    ) -> tuple[bytes, bytes]:
        """A fresh key of 1 to 1,024 bytes, and its blob."""
        plaintext = os.urandom(checked_int(num_bytes, 1, _MAX_RANDOM, "the size of a data key"))
        try:
            return plaintext, self.encrypt(raw_id, plaintext, context, operation)
        except BaseException:
            forget(plaintext)
            raise

    def decrypt(self, data: bytes, context: bytes, only: bytes | None, operation: str) -> bytes:
        """The plaintext of one blob; ``only``: the one key that may have encrypted it.

        Raises:
            IncorrectKey: another one did. InvalidCiphertext: the blob is not one of its key, or
                does not open. InvalidState: it could not be done outside, or the proxy refused it.
        """
        found = parse(data)
        if only not in {None, found.key_id}:
            named = format_key_id(found.key_id, False)
            raise IncorrectKey(
                "The key ID in the request does not identify a CMK that can perform this "
                "operation.",
                hint=f"The blob names key {named}, not the one that was asked for",
            )
        key = self._usable(found.key_id, operation)
        if key.backing is None or key.backing.type is not found.type or found.version != _VERSION:
            raise InvalidCiphertext("the blob is not of the kind that its key makes")
        kind, place, name = self._where(key)
        aad, use = associated_data(found.header, context), Use(name, operation, key.arn)
        opened = self.of(kind).open(place, use, found.box, aad)
        if kind is KeyStoreType.EXTERNAL_KEY_STORE:
            opened = self._opened_within(key, opened, context)
        self._ring.used(key.raw_id, operation)
        return opened

    def _opened_within(self, key: KeyMetadata, inner: bytes, context: bytes) -> bytes:
        """The plaintext of what the proxy has opened."""
        try:
            return self._ring.with_version(
                key, lambda handle: blob.open_one(handle, inner, context, b"")
            )
        except (InvalidCiphertext, FrameError):
            raise OutsideFailed(Fault.INNER) from None

    def random(self, key_store_id: str, num_bytes: int) -> bytes:
        """Random bytes of a CloudHSM key store.

        Raises:
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState, UnsupportedOperation.
        """
        place = self.place(key_store_id)
        outside = self.of(place.store.type)
        if place.store.type is KeyStoreType.AWS_CLOUDHSM:
            require_state(place.store, "GenerateRandom", ConnectionState.CONNECTED)
        try:
            return outside.random(place, num_bytes)
        except OutsideFailed as failed:
            raise CustomKeyStoreInvalidState(failed.message, hint=failed.hint) from failed

    def _usable(self, raw_id: bytes, operation: str) -> KeyMetadata:
        key = self._ring.key(raw_id)
        require_symmetric(key, operation)
        require(key, "use")
        return key

    def _where(self, key: KeyMetadata) -> tuple[KeyStoreType, Place, str]:
        if key.backing is None:
            raise InvalidCiphertext("the blob is not of the kind that its key makes")
        return key.backing.type, self.place(key.backing.key_store_id), key.backing.name

    def _places(self) -> dict[str, Place]:
        found = {}
        with self._ring.store.read() as rows:
            for store in rows.key_stores():
                found[store.id] = self.placed(store, rows.key_store_secret(store.id) or b"")
        return found


def wrap_secret(store_key: StoreKey, key_store_id: str, secret: str) -> bytes:
    """The secret of a custom key store, wrapped for it alone."""
    return store_key.wrap_private(secret.encode(), _name(key_store_id), _VERSION, 0)


def _secret(
    store_key: StoreKey, key_store_id: str, wrapped: bytes
) -> AbstractContextManager[memoryview]:
    return store_key.unwrapped_private(wrapped, _name(key_store_id), _VERSION, 0)


def _name(key_store_id: str) -> bytes:
    """16 bytes in the place of a key's id; no key has them, but for a collision of SHA-256."""
    return hashlib.sha256(_DOMAIN + key_store_id.encode()).digest()[:16]
