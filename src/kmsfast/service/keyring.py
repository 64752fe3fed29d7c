"""Keys by name, and their unwrapped versions: the two caches of the service.

Rules:
- what was read of the store is used only while the store's epoch has not moved;
- a key whose waiting period is over is purged by the first access that notices;
- a key whose rotation is due is rotated by the encryption that notices;
- imported material that has expired is removed by the first access that notices, and keys with such
  material are never used without asking for the time;
- a handle that C has evicted is loaded again, by whoever finds it stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from kmsfast.crypto import blob, keys, pkcs8
from kmsfast.crypto.native import with_handle
from kmsfast.errors import (
    AwsManaged,
    InvalidCiphertext,
    InvalidKeyId,
    InvalidState,
    KeyNotFound,
    KmsError,
    MaterialElsewhere,
)
from kmsfast.model.alias import PREFIX, checked_alias
from kmsfast.model.aws_managed import PREDEFINED
from kmsfast.model.key import (
    KeyManager,
    KeyMetadata,
    KeyState,
    format_key_id,
    parse_key_id,
    require,
    require_symmetric,
    require_usage,
)
from kmsfast.model.keyspec import KeyUsage
from kmsfast.model.quotas import AWS, Quotas
from kmsfast.service import material
from kmsfast.service.aws_managed import make_managed
from kmsfast.service.key_count import KeyCount
from kmsfast.service.ports import Clock, Reader, Store, Writer
from kmsfast.service.related import related, remove_replica
from kmsfast.service.usage import UsageRecorder
from kmsfast.service.versions import add_rotation, remove_material

__all__ = ["NEVER", "Keyring", "Ready"]

_HEADER_LEN: Final = 24
NEVER: Final = -1  # no epoch has this value

T = TypeVar("T")


class Ready(NamedTuple):
    """All that an encryption needs, good while the epoch stands and until the rotation is due.

    Attributes:
        rotation_due: Unix time, or None.
    """

    epoch: int
    handle: int
    rotation_due: float | None


@dataclass(slots=True)
class _Seen:
    """What was read of the store in one epoch.

    Attributes:
        complete: all rows were there, so what is not found was never there.
        openers: handles by the start of blobs that were opened, since uses were last written.
        resolved: the same of blobs that may still turn out not to open.
    """

    epoch: int
    complete: bool = False
    keys: dict[bytes, KeyMetadata] = field(default_factory=dict)
    aliases: dict[str, bytes] = field(default_factory=dict)
    openers: dict[bytes, int] = field(default_factory=dict)
    resolved: dict[bytes, int] = field(default_factory=dict)


class Keyring:
    """The keys of one store.

    Attributes:
        epoch: one-element view of the store's epoch.
        when_purged: called with each key that was deleted, for what is outside the store.
        usage: whoever has used a key tells it.
        count: how many keys there are.
    """

    def __init__(self, store: Store, clock: Clock, quotas: Quotas = AWS) -> None:
        self.store, self.clock, self.epoch = store, clock, store.epoch
        self.quotas, self.count = quotas, KeyCount()
        self._seen = _Seen(NEVER)
        self._handles: dict[tuple[bytes, int], int] = {}
        self._made: dict[bytes, datetime] = {}
        self._privates = material.PrivateKeys()
        self._closed = False
        self.usage = UsageRecorder(store.usage, clock, self._forget_openers)
        self.when_purged: Callable[[KeyMetadata], None] = _nothing_more

    # ---- keys by name -----------------------------------------------------------------------

    def now(self) -> datetime:
        """The clock's time."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def check_open(self) -> None:
        """Passes while the store is open, in the process that opened it.

        Raises:
            StoreForked: in a child of that process. KmsError: it was closed.
        """
        self.store.check_process()
        if self._closed:
            raise KmsError("the key store was closed; call kmsfast.open() again")

    def find(self, name: str) -> KeyMetadata:
        """The key of an id, an ARN, an alias or an alias's ARN.

        Raises:
            InvalidKeyId: none of these. InvalidArn: an ARN of elsewhere. KeyNotFound: no such key.
        """
        if not isinstance(name, str):
            raise InvalidKeyId(f"the name of a key is str, not {type(name).__name__}")
        text = self.store.home.resource(name) if name.startswith("arn:") else name
        if text.startswith(PREFIX):
            return self.key(self._aliased(text))
        parsed = parse_key_id(text.removeprefix("key/") if name.startswith("arn:") else text)
        if parsed is None:
            raise InvalidKeyId(f"Invalid keyId {name!r}")
        key = self.key(parsed[0], multi_region=parsed[1])
        if key.multi_region != parsed[1]:
            raise self.not_found(*parsed)
        return key

    def key(self, raw_id: bytes, *, multi_region: bool = False) -> KeyMetadata:
        """The key of 16 bytes of id.

        Raises:
            KeyNotFound: none, or it was deleted.
        """
        self.check_open()
        seen = self._current()
        key = seen.keys.get(raw_id)
        if key is None:
            with self.store.read() as rows:
                key = rows.key(raw_id)
                if key is None:
                    self.forget(raw_id)  # of a replica that was deleted nothing is left
                    self._check_complete(rows, seen)
                    raise self.not_found(raw_id, multi_region)
            if self._made.setdefault(raw_id, key.created_at) != key.created_at:
                self.forget(raw_id)  # the store was emptied, and has a new key of the old id
                self._made[raw_id] = key.created_at
            seen.keys[raw_id] = key
        if _over(key, self.now()):
            self.forget(raw_id)
            if key.state is not KeyState.DELETED:
                self._purge(key)
            raise _deleted(key)
        if key.expires is not None and key.expires <= self.now():
            self._expire(key)
            return self.key(raw_id)
        if key.state is KeyState.PENDING_IMPORT:
            self.forget(raw_id)
        if key.state is KeyState.PENDING_REPLICA_DELETION and self.purge_replicas(key):
            return self.key(raw_id)
        return key

    def not_found(self, raw_id: bytes, multi_region: bool) -> KeyNotFound:
        """The error of a key that is not there."""
        arn = self.store.home.arn(f"key/{format_key_id(raw_id, multi_region)}")
        return KeyNotFound(f"Key '{arn}' does not exist")

    def writable(self, rows: Writer, raw_id: bytes) -> KeyMetadata:
        """The key within a transaction that changes it by somebody's wish.

        Raises:
            KeyNotFound: it was deleted meanwhile. AwsManaged: it is AWS's.
        """
        key = self._present(rows, raw_id)
        if key.manager is KeyManager.AWS:
            raise AwsManaged(f"{key.arn} is an AWS managed key, which its account cannot change")
        return key

    def still(self, rows: Reader, key: KeyMetadata) -> KeyMetadata:
        """A key that was found a moment ago, as a transaction sees it.

        Raises:
            KeyNotFound: it went meanwhile.
        """
        found = rows.key(key.raw_id)
        if found is None:
            raise self.not_found(key.raw_id, key.multi_region)
        return found

    def _present(self, rows: Writer, raw_id: bytes) -> KeyMetadata:
        key = rows.key(raw_id)
        if key is None:
            raise self.not_found(raw_id, multi_region=False)
        if _over(key, self.now()):
            raise _deleted(key)
        return key

    def purge_due(self) -> None:
        """Purges every key whose waiting period is over."""
        with self.store.read() as rows:
            waiting = rows.waiting_keys()
        for raw_id in waiting:
            with suppress(KeyNotFound):  # what it raises when it has purged the key
                self.key(raw_id)

    # ---- versions in the arena --------------------------------------------------------------

    def ready(self, raw_id: bytes, operation: str = "Encrypt") -> Ready:
        """The current version of a key, for encryption; rotates the key first when that is due.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound, InvalidKeyUsage: the key cannot encrypt.
            MaterialElsewhere: it can, but not here.
        """
        epoch, key, due = self._encrypting(raw_id, operation)
        if due is not None and due <= self.now() and self._may_rotate(key):
            self._rotate_if_due(key)
            epoch, key, due = self._encrypting(raw_id, operation)
        if key.backing is not None:
            raise _elsewhere(key, operation)
        if due is not None and due <= self.now():
            due = None  # a replica whose primary is not enabled: not before something changes
        handle = self._handle(key, key.current_version)
        lasting = self.lasting(_settled(epoch), key)
        return Ready(lasting, handle, None if due is None else due.timestamp())

    @staticmethod
    def lasting(epoch: int, key: KeyMetadata) -> int:
        """The epoch in which what was found of a key is good; NEVER where time alone can end it.

        Whoever remembers what a key is or has asks here: imported material expires by the clock.
        """
        return epoch if key.expires is None else NEVER

    def settled(self) -> int:
        """The epoch, to be read before what is good while it stands; NEVER during a change."""
        return _settled(self.epoch[0])

    def with_current(self, raw_id: bytes, use: Callable[[int], T], operation: str = "Encrypt") -> T:
        """Calls ``use`` with a handle of the current version, again when the handle was stale."""
        done = with_handle(lambda: self.ready(raw_id, operation).handle, use)
        self.used(raw_id, operation)
        return done

    def used(self, raw_id: bytes, operation: str) -> None:
        """Records that an operation with the key has succeeded."""
        key = self._seen.keys.get(raw_id)
        if key is None:  # something has changed meanwhile
            with suppress(KmsError):
                key = self.key(raw_id)
        if key is not None:
            self.usage.used(key.arn, operation)

    def usable(self, raw_id: bytes, usage: KeyUsage, operation: str) -> KeyMetadata:
        """The key, when it is for the operation and enabled; asked in the order of AWS.

        Raises:
            KeyNotFound: none. InvalidKeyUsage: for something else. KeyDisabled, InvalidState.
        """
        key = self.key(raw_id)
        require_usage(key, usage, operation)
        require(key, "use")
        return key

    def with_version(self, key: KeyMetadata, use: Callable[[int], T]) -> T:
        """Calls ``use`` with a handle of the current version of a key that C computes with."""
        return with_handle(lambda: self._handle(key, key.current_version), use)

    def private_key(self, key: KeyMetadata) -> Any:
        """The current private key of a key that `cryptography` serves, as its object."""
        found = self._privates.of(
            key.raw_id, key.current_version, lambda: self._loaded_private(key)
        )
        if self._closed:  # meanwhile; close may have been here before this one was kept
            self._privates.clear()
            self.check_open()
        return found

    def opener(self, start: bytes) -> int | None:
        """The handle for a blob's first 24 bytes, when this epoch has seen them; no checks."""
        seen = self._seen
        return seen.openers.get(start) if seen.epoch == self.epoch[0] else None

    def resolve(self, prefix: bytes) -> int:
        """The handle for the blobs that start with ``prefix``; another one when C evicted the last.

        Raises:
            FrameError: no blob. KeyNotFound: no such key or version. KeyDisabled, InvalidState,
                InvalidKeyUsage: the key cannot decrypt.
        """
        name = blob.parse_key(prefix)
        multi_region = bool(name.flags & 1)
        seen = self._current()
        key = self.key(name.key_id, multi_region=multi_region)
        require_symmetric(key, "Decrypt")
        require(key, "use")
        if key.multi_region != multi_region:
            raise self.not_found(name.key_id, multi_region)
        if key.backing is not None:  # what its proxy was given is such a blob, and no more
            raise InvalidCiphertext("the blob is not of the kind that its key makes")
        handle = self._handle(key, name.version)
        if key.expires is None:
            seen.resolved[prefix[:_HEADER_LEN]] = handle
        return handle

    def opened(self, prefixes: Iterable[bytes], operation: str = "Decrypt") -> None:
        """Records that blobs which start so were opened; the next ones need no checks then."""
        seen = self._seen
        for prefix in prefixes:
            start = prefix[:_HEADER_LEN]
            handle = seen.resolved.pop(start, None)
            if handle is not None:
                seen.openers[start] = handle
            self.used(start[4:20], operation)

    def close(self) -> None:
        """Wipes all keys from the arena. Whoever opened the store closes it then."""
        if self._closed:
            return
        self.usage.close()
        self._closed = True
        self._seen = _Seen(NEVER)
        self.forget_all()

    # ---- within -----------------------------------------------------------------------------

    def _current(self) -> _Seen:
        """What was read in this epoch; nothing at all while a change is being committed."""
        epoch = self.epoch[0]
        if self._seen.epoch != epoch or epoch % 2:
            self._seen = _Seen(_settled(epoch))
        return self._seen

    def _forget_openers(self) -> None:
        self._seen.openers.clear()

    def _check_complete(self, rows: Reader, seen: _Seen) -> None:
        """Before something is said not to be there: nothing was taken from the store.

        It reads all rows, so blobs of unknown keys, however many, have it done once in an epoch.
        """
        if not seen.complete:
            rows.check_complete()
            seen.complete = True

    def _encrypting(
        self, raw_id: bytes, operation: str
    ) -> tuple[int, KeyMetadata, datetime | None]:
        """The epoch from before it was read, a key that may encrypt, and when it rotates."""
        epoch = self.epoch[0]
        key = self.key(raw_id)
        require_symmetric(key, operation)
        require(key, "use")
        return epoch, key, key.rotation.next_rotation

    def _aliased(self, name: str) -> bytes:
        checked_alias(name)
        self.check_open()
        seen = self._current()
        if name not in seen.aliases:
            with self.store.read() as rows:
                alias = rows.alias(name)
                if alias is None:
                    self._check_complete(rows, seen)
            if alias is None and name in PREDEFINED:
                return make_managed(self.store, name, self.now())
            if alias is None:
                raise KeyNotFound(f"Alias {self.store.home.arn(name)} is not found.")
            seen.aliases[name] = alias.raw_key_id
        return seen.aliases[name]

    def _handle(self, key: KeyMetadata, number: int) -> int:
        held = self._held(key.raw_id, number)
        if held:
            return held
        with self.store.read() as rows:  # one thread at a time
            return self._held(key.raw_id, number) or self._loaded(rows, key, number)

    def _held(self, raw_id: bytes, number: int) -> int:
        """The version's handle, or 0 when it has none in the arena."""
        handle = self._handles.get((raw_id, number), 0)
        return handle if handle and keys.in_arena(handle) else 0

    def _loaded(self, rows: Reader, key: KeyMetadata, number: int) -> int:
        """A new handle of a version that has none; two would be one that close and purge miss."""
        wrapped = _wrapped(rows, key, number)
        handle = material.load(self.store.store_key, key, number, wrapped)
        self._handles[key.raw_id, number] = handle
        if self._closed:  # meanwhile; close may have been here before this handle was
            self.forget(key.raw_id)
            self.check_open()
        return handle

    def _loaded_private(self, key: KeyMetadata) -> Any:
        with self.store.read() as rows:
            wrapped = _wrapped(rows, key, key.current_version)
        return pkcs8.load(self.store.store_key, wrapped, key.raw_id, key.current_version, key.flags)

    def _may_rotate(self, key: KeyMetadata) -> bool:
        """Whether the key, or for a replica its primary, is one that rotates now."""
        if not key.is_replica:
            return True
        with self.store.read() as rows:
            primary = rows.beside(key.regions[0]).key(key.raw_id)
        return primary is not None and primary.state is KeyState.ENABLED

    def _rotate_if_due(self, key: KeyMetadata) -> None:
        with self.store.write() as here:
            rows = here.beside(key.regions[0]) if key.is_replica else here
            key, now = self._present(rows, key.raw_id), self.now()
            due, period = key.rotation.next_rotation, key.rotation.period_days
            if due is None or period is None or due > now or key.state is not KeyState.ENABLED:
                return
            missed = (now - due) // timedelta(days=period)
            following = due + timedelta(days=period) * (missed + 1)
            key = replace(key, rotation=replace(key.rotation, next_rotation=following))
            add_rotation(self, rows, key, "automatic")

    def purge_replicas(self, key: KeyMetadata) -> bool:
        """Purges the related keys of a multi-Region key whose waiting period is over, if any."""
        with self.store.read() as rows:
            due = [other for _, other in related(rows, key) if _over(other, self.now())]
        for other in due:
            self._purge(other)
        return bool(due)

    def _purge(self, key: KeyMetadata) -> None:
        purged = None
        with self.store.write() as here:
            rows = here.beside(key.region)
            found = rows.key(key.raw_id)
            if found and found.state is KeyState.PENDING_DELETION and _over(found, self.now()):
                if found.is_replica:
                    remove_replica(rows, found)
                else:
                    rows.purge(found, self.now())
                    purged = found
        self.store.forget_deleted()
        if purged is not None:
            self.when_purged(purged)

    def _expire(self, key: KeyMetadata) -> None:
        """Removes the key's material that has expired; it is pending import then, as in AWS KMS."""
        self.forget(key.raw_id)
        with self.store.write() as rows:
            found, now = rows.key(key.raw_id), self.now()
            if found is None:
                return
            for version in rows.versions(found):
                if version.valid_to is not None and version.valid_to <= now:
                    remove_material(rows, found, version)
        self.store.forget_deleted()

    def forget_all(self) -> None:
        """Wipes all keys from the arena, and drops all private keys."""
        for raw_id, _ in list(self._handles):
            self.forget(raw_id)
        self._privates.clear()

    def forget(self, raw_id: bytes) -> None:
        """Wipes the key's versions from the arena, and drops its private key."""
        self._privates.forget(raw_id)
        for name in [name for name in list(self._handles) if name[0] == raw_id]:
            keys.release(self._handles.pop(name, 0))


def _nothing_more(_key: KeyMetadata) -> None:
    """What is outside the store, where nothing is."""


def _elsewhere(key: KeyMetadata, operation: str) -> MaterialElsewhere:
    return MaterialElsewhere(
        f"{key.arn} origin is {key.origin} which is not valid for {operation}.",
        hint="a key in a custom key store encrypts single records and data keys alone; encrypt "
        "batches, files and tables by a data key, or by another key",
    )


def _settled(epoch: int) -> int:
    """The epoch, or NEVER while a change is being committed: an odd one."""
    return epoch if epoch % 2 == 0 else NEVER


def _wrapped(rows: Reader, key: KeyMetadata, number: int) -> bytes:
    """The wrapped material of a version.

    Raises:
        KeyNotFound: the key has no such version. InvalidState: its imported material is gone.
    """
    wrapped = rows.material(key, number)
    if wrapped is None or number > key.current_version:
        raise KeyNotFound(f"{key.arn} has no version {number}")
    if not wrapped:
        raise InvalidState(f"{key.arn} is pending import.")
    return wrapped


def _over(key: KeyMetadata, now: datetime) -> bool:
    """Whether the key's waiting period is over, or the key is gone already."""
    if key.state is KeyState.DELETED:
        return True
    return key.deletion_date is not None and key.deletion_date <= now


def _deleted(key: KeyMetadata) -> KeyNotFound:
    when = f"{key.deletion_date:%Y-%m-%d}" if key.deletion_date else "earlier"
    return KeyNotFound(f"Key '{key.arn}' does not exist", hint=f"it was deleted on {when}")
