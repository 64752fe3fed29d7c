"""The in-process door: a key store opened in this process, and its keys as objects.

Rules:
- objects hold a name and caches, never key material; they are safe to share between threads;
- one record takes a short path: what the last call needed (the handle of a key version, bound to
  the context) is remembered and used while the epoch stands, the context is the same and no
  rotation is due. Whatever is unusual falls through to the service;
- after a fork every object of the parent raises StoreForked in the child; open the store there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn, Self

from kmsfast import app
from kmsfast.crypto.blob import bind, seal_bound, try_open
from kmsfast.crypto.sealed import SealedReader, SealedWriter
from kmsfast.errors import StaleHandle, ValidationError
from kmsfast.model.alias import Alias
from kmsfast.model.context import canonical
from kmsfast.model.key import KeyMetadata, KeyState, KeyVersion, RotationStatus
from kmsfast.service import streams
from kmsfast.service.encryption import BatchResult, DataKey, Errors, SealedBatch
from kmsfast.service.inspection import inspect
from kmsfast.service.keyring import NEVER
from kmsfast.service.ports import Clock
from kmsfast.store.roots import Passphrase, Root, RootKeyFile

__all__ = [
    "BatchResult",
    "DataKey",
    "Key",
    "Kms",
    "Passphrase",
    "RootKeyFile",
    "SealedBatch",
    "inspect",
    "open",
]

Context = Mapping[str, str] | None
Tags = Mapping[str, str] | Iterable[tuple[str, str]]

_HEADER_LEN: Final = 24


class _Sealing(NamedTuple):
    """What the next encryption of a key needs, if nothing changes until then.

    Attributes:
        epoch: of the store.
        due: when the key rotates (Unix time), or None.
        context: as the user gave it.
        binding: the current version, bound to the context.
    """

    epoch: int
    due: float | None
    context: dict[str, str] | None
    binding: Any


class _Opening(NamedTuple):
    """What the next decryption needs, if its blob names the same key version as the last one."""

    epoch: int
    context: dict[str, str] | None
    binding: Any


_NOTHING_TO_SEAL: Final = _Sealing(NEVER, None, None, None)
_NOTHING_TO_OPEN: Final = _Opening(NEVER, None, None)


def open(  # noqa: A001 - kmsfast.open is to a store what open is to a file
    path: str | os.PathLike[str],
    *,
    create: bool = False,
    root: Root | None = None,
    region: str | None = None,
    account: str | None = None,
    clock: Clock | None = None,
    busy_timeout: float = app.BUSY_TIMEOUT,
) -> Kms:
    """Opens the key store in the directory ``path``.

    Args:
        create: make an empty store there, and its root key; the only way to get either.
        root: RootKeyFile(path) or Passphrase(text); None: ``root.key`` in the directory, or the
            key file that the store was created with.
        region: of ARNs; us-east-1 for a new store. An existing store has its own, which must match.
        account: of ARNs, 12 digits; 000000000000 for a new store.
        clock: Unix time in seconds; for tests. Default: the system's.
        busy_timeout: seconds to wait for another process that writes.

    Raises:
        StoreNotFound, StoreExists: there is no store, or with ``create`` there is one.
        RootKeyMissing, RootKeyWrong: the root key is gone, or not the one of this store.
        StoreIntegrity: the store was changed from outside.
        StoreUnusable: read-only directory, full disk, damaged or newer store.
        StoreBusy: another process was writing for longer than ``busy_timeout``.
    """
    return Kms(
        app.start(
            path, create=create, root=root, region=region, account=account, clock=clock,
            busy_timeout=busy_timeout,
        )
    )  # fmt: skip


class Kms:
    """An open key store. Close it, or use it as a context manager, to wipe its keys from memory."""

    def __init__(self, application: app.Application) -> None:
        self._app, self._ring = application, application.ring
        self._management, self._encryption = application.management, application.encryption
        self._epoch, self._opening = application.ring.epoch, _NOTHING_TO_OPEN

    def close(self) -> None:
        """Wipes the store's keys from memory. Every later use of its objects raises."""
        self._ring.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<kmsfast store {str(self._app.store.path)!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Kms holds keys and cannot be pickled or copied; open the store again")

    # ---- keys -------------------------------------------------------------------------------

    def create_key(
        self,
        *,
        description: str = "",
        alias: str | None = None,
        tags: Tags | None = None,
        rotation_period_days: int | None = None,
        multi_region: bool = False,
        policy: str | None = None,
    ) -> Key:
        """A new, enabled AES-256 key with one version.

        Args:
            alias: a name that starts with ``alias/``.
            rotation_period_days: rotate by itself each 90 to 2,560 days; None: never.
            multi_region: the id starts with ``mrk-``, as that of a multi-Region key.
            policy: the key policy, kept as it is.

        Raises:
            InvalidAliasName, AliasExists, TagError, ValidationError: a parameter is not allowed.
        """
        key = self._management.create_key(
            description=description, alias=alias, tags=tags, policy=policy,
            rotation_period_days=rotation_period_days, multi_region=multi_region,
        )  # fmt: skip
        return Key(self, key)

    def key(self, name: str) -> Key:
        """The key of an id, an ARN, an alias or an alias's ARN.

        Raises:
            KeyNotFound: there is none.
            InvalidKeyId, InvalidArn, InvalidAliasName: it cannot be the name of one.
        """
        return Key(self, self._ring.find(name))

    def keys(self) -> list[Key]:
        """All keys, oldest first."""
        return [Key(self, key) for key in self._management.all_keys()]

    def aliases(self) -> list[Alias]:
        """All aliases, by name."""
        return self._management.aliases()

    def create_alias(self, name: str, key: Key | str) -> None:
        """A new name for a key.

        Raises:
            AliasExists: the name is taken. InvalidAliasName: it is malformed or reserved.
        """
        self._management.create_alias(name, self._raw_id(key))

    def update_alias(self, name: str, key: Key | str) -> None:
        """Moves an alias to another key.

        Raises:
            KeyNotFound: there is no such alias.
        """
        self._management.update_alias(name, self._raw_id(key))

    def delete_alias(self, name: str) -> None:
        """Removes an alias; its key stays.

        Raises:
            KeyNotFound: there is no such alias.
        """
        self._management.delete_alias(name)

    # ---- ciphertexts ------------------------------------------------------------------------

    def decrypt(self, blob: bytes, context: Context = None, aad: bytes | None = None) -> bytes:
        """The plaintext of one blob, by the key version that it names.

        Raises:
            InvalidCiphertext: changed, another context or associated data. FrameError: no blob.
            KeyNotFound, KeyDisabled, InvalidState: its key is not there or not usable.
        """
        epoch, known, binding = self._opening
        if (
            epoch == self._epoch[0]
            and context == known
            and aad is None
            and type(blob) is bytes
            and (plaintext := try_open(binding, blob)) is not None
        ):
            return plaintext
        return self._decrypt(blob, context, aad)

    def _decrypt(self, blob: bytes, context: Context, aad: bytes | None) -> bytes:
        """The long way, which remembers what the short one needs."""
        plaintext, known = self._encryption.decrypt(blob, context, aad), _copied(context)
        epoch, handle = self._epoch[0], self._ring.opener(bytes(blob[:_HEADER_LEN]))
        if handle is not None:  # else the store is being changed, or was while this call decrypted
            with suppress(StaleHandle):  # evicted since: the next call loads it again
                self._opening = _Opening(epoch, known, bind(handle, canonical(known)))
        return plaintext

    def decrypt_batch(
        self,
        blobs: Any,
        context: Context = None,
        *,
        aad: Any = None,
        threads: int = 1,
        errors: Errors = "raise",
    ) -> Any:
        """The plaintexts of a batch, as the kind of the input; every blob finds its key version.

        Args:
            blobs: a list of bytes, a numpy array, Packed(data, offsets) or an Arrow array; nulls
                stay null.
            aad: associated data of each record, of any kind, as it was when encrypting.
            errors: "raise": BatchError when any record fails, with the others in ``.values``;
                "return": a BatchResult of values and errors.
        """
        return self._encryption.decrypt_batch(blobs, context, aad, threads, errors=errors)

    def rewrap_batch(self, blobs: Any, context: Context = None, *, threads: int = 1) -> Any:
        """The blobs under the current version of their keys; those that have it are unchanged.

        Raises:
            BatchError: some did not open; ``.values`` has the others.
        """
        return self._encryption.rewrap_batch(blobs, context, threads)

    def open_batch(
        self, sealed: SealedBatch | tuple[bytes, Any], context: Context = None, *, threads: int = 1
    ) -> Any:
        """All records of a sealed batch.

        Raises:
            InvalidCiphertext: the header does not open.
            BatchError: records were changed, moved, dropped, added or cut off.
        """
        return self._encryption.open_batch(_sealed(sealed), context, threads)

    def open_record(
        self, sealed: SealedBatch | tuple[bytes, Any], i: int, context: Context = None
    ) -> bytes:
        """Record i of a sealed batch, from 0.

        Raises:
            InvalidCiphertext: it does not open, or the header does not.
        """
        return self._encryption.open_record(_sealed(sealed), i, context)

    def decrypt_stream(
        self, src: BinaryIO, dst: BinaryIO, context: Context = None, *, threads: int = 1
    ) -> None:
        """Opens a sealed stream from ``src`` into ``dst``, in constant memory.

        Raises:
            FrameError: no sealed stream.
            InvalidCiphertext: changed or cut off; what was written until then is authentic.
        """
        streams.decrypt_stream(self._encryption, src, dst, context, threads=threads)

    def sealed_reader(self, header: bytes, context: Context = None) -> SealedReader:
        """Opens the records of a sealed batch piece by piece; close it.

        Raises:
            FrameError: no header of a sealed batch. InvalidCiphertext: it does not open.
        """
        return self._encryption.sealed_reader(header, context)

    # ---- the store --------------------------------------------------------------------------

    def change_root(self, new_root: Root) -> None:
        """Wraps the store by another root key: one record changes, atomically.

        A key file that is not there yet is made; the old key file is left where it is. A copy of
        the store that was made before still opens with the old root key, and holds the same keys.

        Raises:
            RootKeyMissing, RootKeyWrong: the present root key is gone or another one.
            ValidationError: neither a RootKeyFile nor a Passphrase.
        """
        self._ring.check_open()
        self._app.store.change_root(app.checked_root(new_root))

    def describe(self) -> dict[str, Any]:
        """Facts about the store for a diagnosis: path, schema, region, account, keys, root."""
        self._ring.check_open()
        return self._app.store.describe()

    def _raw_id(self, key: Key | str) -> bytes:
        return key._raw_id if isinstance(key, Key) else self._ring.find(key).raw_id


class Key:
    """One key of a store. Its properties are read anew whenever the store has changed."""

    __slots__ = ("_clock", "_encryption", "_epoch", "_kms", "_management", "_raw_id", "_ring",
                 "_sealing", "arn", "id")  # fmt: skip

    def __init__(self, kms: Kms, key: KeyMetadata) -> None:
        self._kms, self._raw_id, self.id, self.arn = kms, key.raw_id, key.id, key.arn
        self._ring, self._management, self._encryption = kms._ring, kms._management, kms._encryption
        self._epoch, self._clock = kms._ring.epoch, kms._ring.clock
        self._sealing = _NOTHING_TO_SEAL

    def __repr__(self) -> str:
        return f"<kmsfast key {self.arn}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.arn == self.arn

    def __hash__(self) -> int:
        return hash(self.arn)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Key holds handles and cannot be pickled or copied; send its id or ARN, and use "
            "Kms.key() where it arrives"
        )

    # ---- what it is -------------------------------------------------------------------------

    @property
    def state(self) -> KeyState:
        """Enabled, Disabled or PendingDeletion; compares equal to those texts."""
        return self._metadata.state

    @property
    def description(self) -> str:
        """What the key is for."""
        return self._metadata.description

    @property
    def aliases(self) -> tuple[str, ...]:
        """The key's aliases, sorted."""
        return self._metadata.aliases

    @property
    def tags(self) -> dict[str, str]:
        """The key's tags."""
        return dict(self._metadata.tags)

    @property
    def policy(self) -> str | None:
        """The key policy, as it was given."""
        return self._metadata.policy

    @property
    def multi_region(self) -> bool:
        """Whether it is a multi-Region key."""
        return self._metadata.multi_region

    @property
    def created_at(self) -> datetime:
        """When it was created (UTC)."""
        return self._metadata.created_at

    @property
    def deletion_date(self) -> datetime | None:
        """When it will be deleted (UTC), if its deletion is scheduled."""
        return self._metadata.deletion_date

    @property
    def current_version(self) -> int:
        """The number of the version that encrypts."""
        return self._metadata.current_version

    @property
    def rotation(self) -> RotationStatus:
        """Whether it rotates by itself, how often and when next."""
        return self._metadata.rotation

    def versions(self) -> tuple[KeyVersion, ...]:
        """All versions, oldest first; each decrypts what it encrypted."""
        return self._management.versions(self._raw_id)

    # ---- encryption -------------------------------------------------------------------------

    def encrypt(self, plaintext: bytes, context: Context = None, aad: bytes | None = None) -> bytes:
        """One record as a blob, 96 bytes longer.

        Args:
            context: pairs of text, needed again to decrypt; they are not in the blob.
            aad: bytes that are bound like the context.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key cannot encrypt.
            ContextError, ValidationError: a parameter of the wrong type.
        """
        epoch, due, known, binding = self._sealing
        if (
            epoch == self._epoch[0]
            and context == known
            and aad is None
            and type(plaintext) is bytes
            and (due is None or self._clock() < due)
        ):
            try:
                return seal_bound(binding, plaintext)
            except StaleHandle:
                self._sealing = _NOTHING_TO_SEAL
        return self._encrypt(plaintext, context, aad)

    def _encrypt(self, plaintext: bytes, context: Context, aad: bytes | None) -> bytes:
        """The long way, which remembers what the short one needs."""
        blob = self._encryption.encrypt(self._raw_id, plaintext, context, aad)
        ready, known = self._ring.ready(self._raw_id), _copied(context)
        with suppress(StaleHandle):  # evicted since: the next call loads it again
            binding = bind(ready.handle, canonical(known))
            self._sealing = _Sealing(ready.epoch, ready.rotation_due, known, binding)
        return blob

    def encrypt_batch(
        self, values: Any, context: Context = None, *, aad: Any = None, threads: int = 1
    ) -> Any:
        """One blob per record, each 96 bytes longer, as the kind of the input.

        Args:
            values: a list of bytes or None, numpy uint8 of (n, width) or S/V of (n,),
                Packed(data, offsets), or an Arrow array; nulls stay null.
            aad: associated data of each record, a batch of any kind and the same length.
            threads: for the C core; the GIL is released.

        Raises:
            ValidationError: another type, dtype, shape or layout; bad offsets.
            KeyDisabled, InvalidState, KeyNotFound: the key cannot encrypt.
        """
        return self._encryption.encrypt_batch(self._raw_id, values, context, aad, threads)

    def decrypt(self, blob: bytes, context: Context = None, aad: bytes | None = None) -> bytes:
        """As :meth:`Kms.decrypt`, for blobs of this key alone."""
        return self._encryption.decrypt(blob, context, aad, only=self._raw_id)

    def decrypt_batch(
        self,
        blobs: Any,
        context: Context = None,
        *,
        aad: Any = None,
        threads: int = 1,
        errors: Errors = "raise",
    ) -> Any:
        """As :meth:`Kms.decrypt_batch`, for blobs of this key alone."""
        return self._encryption.decrypt_batch(
            blobs, context, aad, threads, errors=errors, only=self._raw_id
        )

    def generate_data_key(self, num_bytes: int = 32, context: Context = None) -> DataKey:
        """A fresh key of 1 to 1,024 bytes for use elsewhere, in the clear and as a blob.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
            ValidationError: another size. ContextError: see :meth:`encrypt`.
        """
        return self._encryption.data_key(self._raw_id, num_bytes, context, with_plaintext=True)

    def generate_data_key_without_plaintext(
        self, num_bytes: int = 32, context: Context = None
    ) -> DataKey:
        """A fresh key as a blob alone; its plaintext never leaves C.

        Raises:
            As :meth:`generate_data_key`.
        """
        return self._encryption.data_key(self._raw_id, num_bytes, context, with_plaintext=False)

    def seal_batch(self, values: Any, context: Context = None, *, threads: int = 1) -> SealedBatch:
        """Records sealed together under a fresh data key, 16 bytes longer each; immutable.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
            ValidationError: no records, nulls, or see :meth:`encrypt_batch`.
        """
        return self._encryption.seal_batch(self._raw_id, values, context, threads)

    def sealed_writer(self, context: Context = None, record_size: int = 0) -> SealedWriter:
        """Seals one batch piece by piece; close it.

        Args:
            record_size: bytes of every record but the last; 0 when they vary.
        """
        return self._encryption.sealed_writer(self._raw_id, context, record_size)

    def encrypt_stream(
        self, src: BinaryIO, dst: BinaryIO, context: Context = None, *, threads: int = 1
    ) -> None:
        """All of ``src`` as a sealed stream into ``dst``, in constant memory."""
        streams.encrypt_stream(self._encryption, self._raw_id, src, dst, context, threads=threads)

    # ---- its life ---------------------------------------------------------------------------

    def rotate(self) -> None:
        """Adds a version, which encrypts from now on; the others still decrypt.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
        """
        self._management.rotate(self._raw_id)

    def enable_rotation(self, period_days: int = 365) -> None:
        """Rotates the key by itself, each 90 to 2,560 days from now.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
            ValidationError: another period.
        """
        self._management.enable_rotation(self._raw_id, period_days)

    def disable_rotation(self) -> None:
        """Ends automatic rotation.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
        """
        self._management.disable_rotation(self._raw_id)

    def enable(self) -> None:
        """Lets the key encrypt and decrypt again.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
        """
        self._management.enable(self._raw_id)

    def disable(self) -> None:
        """Keeps the key from encrypting and decrypting.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
        """
        self._management.disable(self._raw_id)

    def schedule_deletion(self, days: int = 30) -> None:
        """Deletes the key in 7 to 30 days; until then it is unusable and can be kept after all.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
            ValidationError: another waiting period.
        """
        self._management.schedule_deletion(self._raw_id, days)

    def cancel_deletion(self) -> None:
        """Keeps the key; it is disabled then.

        Raises:
            InvalidState, KeyNotFound: the key does not wait for its deletion, or is gone.
        """
        self._management.cancel_deletion(self._raw_id)

    def update_description(self, text: str) -> None:
        """Another description, of at most 8,192 characters.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
            ValidationError: longer, or no valid Unicode.
        """
        self._management.update_description(self._raw_id, text)

    def tag(self, tags: Tags) -> None:
        """Adds tags; those with the same key are replaced.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
            TagError: malformed, reserved, a duplicate, or more than 50.
        """
        self._management.tag(self._raw_id, tags)

    def untag(self, names: Iterable[str]) -> None:
        """Removes the tags of these keys.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
        """
        self._management.untag(self._raw_id, names)

    @property
    def _metadata(self) -> KeyMetadata:
        return self._ring.key(self._raw_id)


def _sealed(batch: Any) -> SealedBatch:
    if not isinstance(batch, tuple) or len(batch) != 2:
        raise ValidationError(
            f"a sealed batch is a SealedBatch, or a tuple of header and values, not "
            f"{type(batch).__name__}"
        )
    return SealedBatch(*batch)


def _copied(context: Context) -> dict[str, str] | None:
    return None if context is None else dict(context)
