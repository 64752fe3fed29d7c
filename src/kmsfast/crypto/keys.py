"""Root keys, store keys and unwrapped key versions, each a handle to the locked arena in C.

No method returns key material, but for :meth:`StoreKey.unwrapped_private`: private keys of the
types that C does not compute with (docs/key-hierarchy.md). Objects print as what they are, refuse
copying and pickling, and wipe their key when closed.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn, Self

from kmsfast.crypto.native import check, ffi, lib
from kmsfast.errors import (
    InvalidCiphertext,
    RootKeyMissing,
    RootKeyWrong,
    StoreIntegrity,
    StoreUnusable,
)

__all__ = [
    "WRAPPED_LEN",
    "RootKey",
    "StoreKey",
    "check_material",
    "in_arena",
    "open_arena",
    "release",
    "rewrap_store",
]

WRAPPED_LEN: Final = 72
_WRAP_OVERHEAD: Final = 40
_PRIVATE_MAX: Final = 8192


def open_arena(max_bytes: int = 0) -> None:
    """Opens this process's key arena, after a fork a new one; 0: sized to the memlock limit."""
    what = "the key arena could not be opened"
    if os.environ.get("KMSFAST_REQUIRE_MLOCK", "0") not in {"", "0"}:
        what += " locked, as KMSFAST_REQUIRE_MLOCK asks; raise the memlock limit (ulimit -l)"
    check(lib.kf_arena_open(max_bytes), what)


def release(handle: int) -> None:
    """Wipes a key of the arena; without effect on one that is gone."""
    lib.kf_key_release(handle)


def in_arena(handle: int) -> bool:
    """Whether the handle's key is there still; another thread may evict it right after.

    Raises:
        StoreForked: the handle is of before a fork.
    """
    return _granted(lib.kf_key_check(handle), lib.KF_ERR_STALE)


class _Held:
    """A handle that wipes its key on close."""

    __slots__ = ("_handle",)

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def close(self) -> None:
        """Wipes the key. Safe to call again."""
        if self._handle:
            release(self._handle)
            self._handle = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", 0):
            self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'open' if self._handle else 'closed'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a key and cannot be pickled or copied")


class RootKey(_Held):
    """The key that wraps one store key."""

    @staticmethod
    def create_file(path: str) -> None:
        """Creates a root key file of mode 0600 from fresh randomness, synced to disk.

        Raises:
            StoreUnusable: the file exists already, or could not be written.
        """
        check(lib.kf_root_file_create(os.fsencode(path)), f"root key file {path!r} not created")

    @classmethod
    def load_file(cls, path: str) -> Self:
        """Loads a root key file straight into the arena.

        Raises:
            RootKeyMissing: there is no such file.
            RootKeyWrong: the file is not a root key file.
            StoreUnusable: it cannot be read, or others may read it.
        """
        handle = ffi.new("uint64_t *")
        status = lib.kf_root_file_load(handle, os.fsencode(path))
        if status == lib.KF_ERR_SYSTEM and ffi.errno == errno.ENOENT:
            raise RootKeyMissing(
                f"there is no root key file at {path!r}; restore it from your backup "
                "(a new root key could not open this store)"
            )
        if status == lib.KF_ERR_FORMAT:
            raise RootKeyWrong(f"{path!r} is not a kmsfast root key file")
        if status == lib.KF_ERR_ARGUMENT:
            raise StoreUnusable(
                f"root key file {path!r} can be read by others; run: chmod 600 {path!r}"
            )
        check(status, f"root key file {path!r}")
        return cls(handle[0])

    @classmethod
    def from_passphrase(
        cls, passphrase: str, salt: bytes, *, iterations: int, lanes: int, memory_cost: int
    ) -> Self:
        """Derives a root key with Argon2id (RFC 9106), written straight into the arena.

        Args:
            passphrase: text, encoded as UTF-8.
            salt: 16 bytes or more.
            iterations: passes over the memory.
            lanes: degree of parallelism.
            memory_cost: memory in KiB.

        Raises:
            StoreUnusable: parameters that Argon2id does not have.
        """
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        secret = ffi.new("uint64_t *")
        target = ffi.new("uint8_t **")
        root = ffi.new("uint64_t *")
        check(lib.kf_secret_new(secret, target))
        try:
            kdf = Argon2id(
                salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory_cost
            )
            kdf.derive_into(passphrase.encode(), ffi.buffer(target[0], 32))
            check(lib.kf_root_from_secret(root, secret[0]))
        except ValueError as error:
            raise StoreUnusable(
                f"the store's Argon2id parameters are not usable ({error}): it was changed from "
                "outside; restore it from a backup"
            ) from error
        finally:
            release(secret[0])
        return cls(root[0])


class StoreKey(_Held):
    """The key that wraps all key material of a store and authenticates its rows."""

    @classmethod
    def create(cls, root: RootKey, store_id: bytes) -> tuple[Self, bytes]:
        """A fresh store key for ``store_id`` (16 bytes), and its 72 wrapped bytes."""
        handle = ffi.new("uint64_t *")
        wrapped = ffi.new("uint8_t[]", WRAPPED_LEN)
        check(lib.kf_store_create(handle, wrapped, root._handle, _id16(store_id)))
        return cls(handle[0]), bytes(ffi.buffer(wrapped))

    @classmethod
    def load(cls, root: RootKey, wrapped: bytes, store_id: bytes) -> Self:
        """Unwraps a store key.

        Raises:
            RootKeyWrong: the root key does not open it.
        """
        handle = ffi.new("uint64_t *")
        status = lib.kf_store_load(handle, root._handle, _wrapped(wrapped), _id16(store_id))
        if status == lib.KF_ERR_AUTH:
            raise RootKeyWrong(
                "the root key or passphrase does not open this store: the passphrase is wrong, or "
                "the root key is that of another store"
            )
        check(status)
        return cls(handle[0])

    def mac(self, msg: bytes) -> bytes:
        """HMAC-SHA-256 of ``msg`` under the store's MAC subkey, 32 bytes."""
        out = ffi.new("uint8_t[]", 32)
        check(lib.kf_store_mac(self._handle, out, msg, len(msg)))
        return bytes(ffi.buffer(out))

    def check_mac(self, mac: bytes, msg: bytes) -> bool:
        """Whether ``mac`` (32 bytes) is that of ``msg``; compared in constant time."""
        if len(mac) != 32:
            return False
        status = lib.kf_store_mac_check(self._handle, mac, msg, len(msg))
        return _granted(status, lib.KF_ERR_AUTH)

    def generate_material(self, key_id: bytes, version: int, flags: int) -> bytes:
        """Fresh AES-256 key material, wrapped for its key id (16 bytes), version and flags."""
        wrapped = ffi.new("uint8_t[]", WRAPPED_LEN)
        check(lib.kf_key_generate(wrapped, self._handle, _id16(key_id), version, flags))
        return bytes(ffi.buffer(wrapped))

    def import_material(
        self, material: bytearray, key_id: bytes, version: int, flags: int
    ) -> bytes:
        """AES-256 key material that the caller brings (32 bytes), wrapped as fresh one is."""
        given = ffi.from_buffer("uint8_t[32]", material)
        wrapped = ffi.new("uint8_t[]", WRAPPED_LEN)
        check(lib.kf_key_import(wrapped, self._handle, _id16(key_id), version, flags, given))
        return bytes(ffi.buffer(wrapped))

    def name_material(self, material: bytearray, key_id: bytes) -> bytes:
        """What tells the material from all other of its key, 32 bytes; it says nothing else."""
        name, given = ffi.new("uint8_t[]", 32), ffi.from_buffer("uint8_t[]", material)
        check(lib.kf_material_name(name, self._handle, _id16(key_id), given, len(given)))
        return bytes(ffi.buffer(name))

    def load_material(self, wrapped: bytes, key_id: bytes, version: int, flags: int) -> int:
        """Unwraps key material into the arena and derives its subkeys; returns the handle.

        Raises:
            StoreIntegrity: the material was not wrapped for this key, version and flags.
        """
        handle = ffi.new("uint64_t *")
        status = lib.kf_key_load(
            handle, self._handle, _wrapped(wrapped), _id16(key_id), version, flags
        )
        check_material(status, version)
        return int(handle[0])

    def wrap_private(self, der: bytes, key_id: bytes, version: int, flags: int) -> bytes:
        """A DER PrivateKeyInfo, wrapped for its key id (16 bytes), version and flags."""
        wrapped = ffi.new("uint8_t[]", len(der) + _WRAP_OVERHEAD)
        check(
            lib.kf_private_wrap(wrapped, self._handle, _id16(key_id), version, flags, der, len(der))
        )
        return bytes(ffi.buffer(wrapped))

    def wrap_access_key(self, secret: bytes, access_key_id: str) -> bytes:
        """The secret of an access key, wrapped for its id."""
        return self.wrap_private(secret, _access_key_name(access_key_id), 0, 0)

    @contextmanager
    def unwrapped_access_key(self, wrapped: bytes, access_key_id: str) -> Iterator[memoryview]:
        """The secret that was wrapped for an access key; wiped when the block ends.

        Raises:
            StoreIntegrity: it was not wrapped for this one.
        """
        with self.unwrapped_private(wrapped, _access_key_name(access_key_id), 0, 0) as secret:
            yield secret

    @contextmanager
    def unwrapped_private(
        self, wrapped: bytes, key_id: bytes, version: int, flags: int
    ) -> Iterator[memoryview]:
        """The DER PrivateKeyInfo that was wrapped; wiped when the block ends.

        Raises:
            StoreIntegrity: it was not wrapped for this key, version and flags.
        """
        size = len(wrapped) - _WRAP_OVERHEAD
        if not isinstance(wrapped, bytes) or not 0 < size <= _PRIVATE_MAX:
            raise StoreIntegrity(
                f"the private key of version {version} has no length of one: the store was changed "
                "from outside; restore it from a backup"
            )
        der = ffi.new("uint8_t[]", size)
        try:
            check_material(
                lib.kf_private_unwrap(
                    der, self._handle, wrapped, len(wrapped), _id16(key_id), version, flags
                ),
                version,
            )
            yield memoryview(ffi.buffer(der))
        finally:
            lib.kf_forget(der, size)


def check_material(status: int, version: int) -> None:
    """Passes when key material was unwrapped.

    Raises:
        StoreIntegrity: it was not wrapped for this key, version, flags and kind of key.
    """
    if status == lib.KF_ERR_AUTH:
        raise StoreIntegrity(
            f"the key material of version {version} does not authenticate; "
            "the store was changed from outside: restore it from a backup"
        )
    check(status)


def rewrap_store(new_root: RootKey, old_root: RootKey, wrapped: bytes, store_id: bytes) -> bytes:
    """The same store key wrapped by another root key, 72 bytes.

    Raises:
        RootKeyWrong: ``old_root`` does not open it.
    """
    out = ffi.new("uint8_t[]", WRAPPED_LEN)
    try:
        check(
            lib.kf_store_rewrap(
                out, new_root._handle, old_root._handle, _wrapped(wrapped), _id16(store_id)
            )
        )
    except InvalidCiphertext:
        raise RootKeyWrong("the old root key does not open this store") from None
    return bytes(ffi.buffer(out))


def _granted(status: int, refusal: int) -> bool:
    """True for KF_OK, False for the status ``refusal``; any other is raised."""
    if status != refusal:
        check(status)
    return status != refusal


def _access_key_name(access_key_id: str) -> bytes:
    """What stands where the id of a key does, with version 0, which no key has."""
    return hashlib.sha256(b"kmsfast access key\x00" + access_key_id.encode()).digest()[:16]


def _id16(value: bytes) -> bytes:
    return _bytes(value, 16, "an id")


def _wrapped(value: bytes) -> bytes:
    return _bytes(value, WRAPPED_LEN, "a wrapped key")


def _bytes(value: bytes, size: int, what: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise StoreIntegrity(
            f"{what} of the store does not have {size} bytes: the store was changed from outside; "
            "restore it from a backup"
        )
    return value
