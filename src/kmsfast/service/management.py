"""The life of keys and aliases: one method per operation, each one transaction.

State is checked inside the transaction that changes it, so that two processes cannot both find a
key enabled and then contradict each other.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from kmsfast.errors import (
    AliasExists,
    CustomKeyStoreNotFound,
    KeyNotFound,
    UnsupportedOperation,
    ValidationError,
    XksKeyAlreadyInUse,
)
from kmsfast.model.alias import Alias, checked_own_alias
from kmsfast.model.key import (
    KeyMetadata,
    KeyState,
    KeyVersion,
    RotationStatus,
    checked_description,
    checked_rotation_period,
    checked_waiting_period,
    format_key_id,
    require,
    require_primary,
)
from kmsfast.model.key_store import (
    Backing,
    ConnectionState,
    KeyStoreType,
    checked_xks_key_id,
    require_state,
)
from kmsfast.model.keyspec import KeySpec, Origin, checked_origin, checked_spec, checked_usage
from kmsfast.model.quotas import exceeded
from kmsfast.model.tags import checked_tags, merged
from kmsfast.service import material
from kmsfast.service.keyring import Keyring
from kmsfast.service.material import Made
from kmsfast.service.outside import OutsideKeys
from kmsfast.service.ports import PolicyCheck, Reader, Writer
from kmsfast.service.related import change_related
from kmsfast.service.versions import lacks_material

__all__ = ["Management", "require_rotates", "require_rotates_here"]

_OUTSIDE = (Origin.AWS_CLOUDHSM, Origin.EXTERNAL_KEY_STORE)
_NO_ROTATION = RotationStatus(enabled=False, period_days=None, next_rotation=None)
Tags = Mapping[str, str] | Iterable[tuple[str, str]]


class Management:
    """Creates, changes, lists and deletes keys and aliases of one store."""

    def __init__(self, ring: Keyring, outside: OutsideKeys, checked_policy: PolicyCheck) -> None:
        self._ring, self._store, self._outside = ring, ring.store, outside
        self._checked_policy = checked_policy

    # ---- keys -------------------------------------------------------------------------------

    def create_key(
        self,
        *,
        spec: str,
        usage: str | None,
        origin: str,
        description: str,
        alias: str | None,
        tags: Tags | None,
        rotation_period_days: int | None,
        multi_region: bool,
        policy: str | None,
        key_store_id: str | None = None,
        xks_key_id: str | None = None,
    ) -> KeyMetadata:
        """A new key: enabled, with one version, or for import, with none.

        Raises:
            LimitExceeded: there are as many keys as there may be, or the policy is too long. Others
                as of what is wrong.
        """
        now = self._begin(None if alias is None else checked_own_alias(alias))
        raw_id = _new_id(multi_region)
        known = checked_spec(spec)
        external = checked_origin(origin, known) is Origin.EXTERNAL
        named = format_key_id(raw_id, multi_region)
        backing = self._backing(Origin(origin), named, key_store_id, xks_key_id)
        key = KeyMetadata(
            raw_id=raw_id,
            arn=self._store.home.arn(f"key/{named}"),
            state=KeyState.PENDING_IMPORT if external else KeyState.ENABLED,
            description=checked_description(description),
            multi_region=multi_region,
            regions=(self._store.home.region,) if multi_region else (),
            created_at=now,
            current_version=0 if external else 1,
            rotation=_rotation(rotation_period_days, now),
            deletion_date=None,
            aliases=() if alias is None else (alias,),
            tags=checked_tags(tags),
            policy=self._checked_policy(policy),
            spec=known,
            usage=checked_usage(known, usage),
            origin=Origin(origin),
            backing=backing,
        )
        if key.rotation.enabled:
            _require_rotates_by_itself(key)
        _require_fits_key_store(key)
        self._require_room(now)
        if backing is not None:
            with self._outside.made(key) as in_key_store:
                return self._added(key, in_key_store, alias)
        made = None
        if not external:
            made = material.make(self._store.store_key, known, raw_id, 1, key.flags)
            key = replace(key, public_key=made.public_key)
        return self._added(key, made, alias)

    def _require_room(self, now: datetime) -> None:
        """Passes when another key can be made; of keys that are to go, none takes its place."""
        count, quota = self._ring.count, self._ring.quotas.keys
        with self._store.read() as rows:
            if count.has_room(rows, quota):
                return
        self._ring.purge_due()
        with self._store.read() as rows:
            count.require_room(rows, quota, now)

    def _added(self, key: KeyMetadata, made: Made | None, alias: str | None) -> KeyMetadata:
        """The new key, stored."""
        now = key.created_at
        with self._store.write() as rows:
            if alias is not None:
                self._refuse_taken(rows, alias)
            _check_backing(rows, key)
            self._ring.count.require_room(rows, self._ring.quotas.keys, now)
            rows.add(key)
            if made is not None:
                version = KeyVersion(1, now, "created", made.public_key)
                rows.add_version(key, version, made.wrapped)
            if alias is not None:
                rows.put_alias(self._alias(alias, key, now, now))
        return key

    def _backing(
        self, origin: Origin, named: str, key_store_id: str | None, xks_key_id: str | None
    ) -> Backing | None:
        """Where the material of a new key is to be; None: here, or it is imported.

        Raises:
            ValidationError: an origin and members that do not belong together.
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState: see :class:`OutsideKeys`.
        """
        if (xks_key_id is None) == (origin is Origin.EXTERNAL_KEY_STORE):
            raise ValidationError(
                "XksKeyId is required for keys of origin EXTERNAL_KEY_STORE, and for no other"
            )
        if (key_store_id is None) == (origin in _OUTSIDE):
            raise ValidationError(
                f"CustomKeyStoreId is required for keys of origin {' and '.join(_OUTSIDE)}, and "
                "for no other"
            )
        if key_store_id is None:
            return None
        store = self._outside.check_creation(KeyStoreType(origin), key_store_id)
        name = named if xks_key_id is None else checked_xks_key_id(xks_key_id)
        return Backing(store.id, name, store.type, connected=True, cluster_id=store.cluster_id)

    def all_keys(self) -> list[KeyMetadata]:
        """All keys that exist, oldest first."""
        self._begin()
        self._ring.purge_due()
        with self._store.read() as rows:
            return [key for key in rows.all_keys() if key.state is not KeyState.DELETED]

    def key_ids(self) -> list[str]:
        """The ids of all keys that exist, in no order."""
        self._begin()
        self._ring.purge_due()
        with self._store.read() as rows:
            return [format_key_id(*name) for name in rows.key_names()]

    def versions(self, raw_id: bytes) -> tuple[KeyVersion, ...]:
        """A key's versions, oldest first."""
        key = self._ring.key(raw_id)
        with self._store.read() as rows:
            return rows.versions(self._ring.still(rows, key))

    def enable_rotation(self, raw_id: bytes, period_days: int) -> KeyMetadata:
        """Rotates the key by itself from now on, each ``period_days`` days (90 to 2,560)."""
        rotation = _rotation(period_days, self._ring.now())
        return self._set_rotation(raw_id, rotation)

    def disable_rotation(self, raw_id: bytes) -> KeyMetadata:
        """Ends automatic rotation."""
        return self._set_rotation(raw_id, _NO_ROTATION)

    def enable(self, raw_id: bytes) -> KeyMetadata:
        """Lets the key encrypt and decrypt again."""
        return self._change(raw_id, "switch", lambda key: replace(key, state=KeyState.ENABLED))

    def disable(self, raw_id: bytes) -> KeyMetadata:
        """Keeps the key from encrypting and decrypting."""
        return self._change(raw_id, "switch", lambda key: replace(key, state=KeyState.DISABLED))

    def schedule_deletion(self, raw_id: bytes, days: int) -> KeyMetadata:
        """Deletes the key after a waiting period of 7 to 30 days, during which it is unusable."""
        date = self._ring.now() + checked_waiting_period(days)
        key = self._ring.key(raw_id)
        if key.has_replicas:
            self._ring.purge_replicas(key)

        def waiting(key: KeyMetadata) -> KeyMetadata:
            if key.has_replicas:  # it begins to wait when they are gone
                return replace(key, state=KeyState.PENDING_REPLICA_DELETION, deletion_days=days)
            return replace(key, state=KeyState.PENDING_DELETION, deletion_date=date)

        return self._change(raw_id, "change", waiting)

    def cancel_deletion(self, raw_id: bytes) -> KeyMetadata:
        """Keeps the key after all; it is disabled then, or pending import, as in AWS KMS."""
        self._ring.key(raw_id)
        with self._store.write() as rows:
            key = self._ring.writable(rows, raw_id)
            require(key, "cancel")
            state = KeyState.PENDING_IMPORT if lacks_material(rows, key) else KeyState.DISABLED
            kept = replace(key, state=state, deletion_date=None, deletion_days=None)
            rows.save(kept)
        return kept

    def update_description(self, raw_id: bytes, text: str) -> KeyMetadata:
        """Another description."""
        checked = checked_description(text)
        return self._change(raw_id, "change", lambda key: replace(key, description=checked))

    def tag(self, raw_id: bytes, tags: Tags) -> KeyMetadata:
        """Adds tags; those of the same key are replaced."""
        new = checked_tags(tags)
        return self._change(raw_id, "change", lambda key: replace(key, tags=merged(key.tags, new)))

    def untag(self, raw_id: bytes, names: Iterable[str]) -> KeyMetadata:
        """Removes tags; names that are not there do no harm."""
        gone = frozenset([names] if isinstance(names, str) else names)

        def without(key: KeyMetadata) -> KeyMetadata:
            return replace(key, tags={k: v for k, v in key.tags.items() if k not in gone})

        return self._change(raw_id, "change", without)

    # ---- aliases ----------------------------------------------------------------------------

    def aliases(self) -> list[Alias]:
        """All aliases, by name."""
        self._begin()
        self._ring.purge_due()
        with self._store.read() as rows:
            return rows.aliases()

    def create_alias(self, name: str, raw_id: bytes) -> None:
        """A new alias of a key.

        Raises:
            AliasExists: the name is taken. LimitExceeded: the key has as many as it may.
        """
        now = self._begin(checked_own_alias(name))
        with self._store.write() as rows:
            key = self._changeable(rows, raw_id)
            self._refuse_taken(rows, name)
            self._adopt(rows, key, name, now, now)

    def update_alias(self, name: str, raw_id: bytes) -> None:
        """Moves an existing alias to another key of the same type and usage.

        Raises:
            KeyNotFound: no such alias. ValidationError: a key of another type or usage.
            LimitExceeded: the key has as many aliases as it may.
        """
        now = self._begin(checked_own_alias(name))
        with self._store.write() as rows:
            before = self._present(rows, name)
            old = self._abandon(rows, before)
            new = self._changeable(rows, raw_id)
            _require_alike(old, new, name)
            self._adopt(rows, new, name, before.created_at, now)

    def delete_alias(self, name: str) -> None:
        """Removes an alias; its key stays.

        Raises:
            KeyNotFound: no such alias.
        """
        self._begin(checked_own_alias(name))
        with self._store.write() as rows:
            self._abandon(rows, self._present(rows, name))

    # ---- within -----------------------------------------------------------------------------

    def _begin(self, alias: str | None = None) -> datetime:
        """The time; a key that had this alias and whose waiting period is over is gone then."""
        self._ring.check_open()
        if alias is not None:
            with self._store.read() as rows:
                found = rows.alias(alias)
            if found is not None:
                with suppress(KeyNotFound):
                    self._ring.key(found.raw_key_id)
        return self._ring.now()

    def _change(
        self, raw_id: bytes, needs: str, change: Callable[[KeyMetadata], KeyMetadata]
    ) -> KeyMetadata:
        self._ring.key(raw_id)
        with self._store.write() as rows:
            key = self._ring.writable(rows, raw_id)
            require(key, needs)
            changed = change(key)
            rows.save(changed)
        return changed

    def _set_rotation(self, raw_id: bytes, rotation: RotationStatus) -> KeyMetadata:
        """Changes the automatic rotation of a key, and of its replicas."""
        _require_rotates_by_itself(self._ring.key(raw_id))
        with self._store.write() as rows:
            key = self._ring.writable(rows, raw_id)
            require(key, "use")
            return change_related(rows, key, lambda each: replace(each, rotation=rotation))

    def _changeable(self, rows: Writer, raw_id: bytes) -> KeyMetadata:
        key = self._ring.writable(rows, raw_id)
        require(key, "change")
        return key

    def _present(self, rows: Writer, name: str) -> Alias:
        alias = rows.alias(name)
        if alias is None:
            rows.check_complete()
            raise KeyNotFound(f"Alias {self._store.home.arn(name)} is not found.")
        return alias

    def _refuse_taken(self, rows: Writer, name: str) -> None:
        if rows.alias(name) is not None:
            raise AliasExists(
                f"An alias with the name {self._store.home.arn(name)} already exists",
                hint="choose another name, or point it to the key with 'kmsfast key alias update'",
            )

    def _adopt(
        self, rows: Writer, key: KeyMetadata, name: str, created: datetime, now: datetime
    ) -> None:
        quota = self._ring.quotas.aliases_per_key
        if len(key.aliases) >= quota:
            raise exceeded("Aliases per key", quota, len(key.aliases))
        rows.save(replace(key, aliases=(*key.aliases, name)))
        rows.put_alias(self._alias(name, key, created, now))

    def _abandon(self, rows: Writer, alias: Alias) -> KeyMetadata:
        """Takes an alias from its key."""
        key = self._ring.writable(rows, alias.raw_key_id)
        kept = replace(key, aliases=tuple(name for name in key.aliases if name != alias.name))
        rows.save(kept)
        rows.drop_alias(alias.name)
        return kept

    def _alias(self, name: str, key: KeyMetadata, created: datetime, now: datetime) -> Alias:
        return Alias(name, self._store.home.arn(name), key.id, key.raw_id, created, now)


def _require_alike(old: KeyMetadata, new: KeyMetadata, alias: str) -> None:
    """Passes when an alias may move, so that code which goes by it finds what it was written for.

    Raises:
        ValidationError: one key is symmetric, the other not, or their usage differs.
    """
    if (old.is_asymmetric, old.usage) != (new.is_asymmetric, new.usage):
        raise ValidationError(
            f"{alias} leads to a key of spec {old.spec} and usage {old.usage}; it cannot be moved "
            f"to {new.arn}, which is of spec {new.spec} and usage {new.usage}. Delete the alias, "
            "and create it again for a key of another type"
        )


def _new_id(multi_region: bool) -> bytes:
    return os.urandom(16) if multi_region else uuid.uuid4().bytes


def _check_backing(rows: Reader, key: KeyMetadata) -> None:
    """Passes when a new key can have its place in its custom key store, still.

    Raises:
        CustomKeyStoreNotFound, CustomKeyStoreInvalidState: it was deleted or disconnected.
        XksKeyAlreadyInUse: another key has the external key.
    """
    backing = key.backing
    if backing is None:
        return
    store = next((each for each in rows.key_stores() if each.id == backing.key_store_id), None)
    if store is None:
        raise CustomKeyStoreNotFound(f"Custom key store {backing.key_store_id} does not exist.")
    require_state(store, "CreateKey", ConnectionState.CONNECTED)
    if backing.name in rows.keys_of_store(store.id):
        raise XksKeyAlreadyInUse(
            f"External key {backing.name} is that of another KMS key in custom key store {store.id}"
        )


def _require_fits_key_store(key: KeyMetadata) -> None:
    """Passes for the kind of keys that custom key stores have, and for those that are in none.

    Raises:
        UnsupportedOperation: no symmetric encryption key, or a multi-Region key.
    """
    if key.backing is None:
        return
    if key.spec is not KeySpec.SYMMETRIC_DEFAULT or key.multi_region:
        raise UnsupportedOperation(
            "Custom key stores have symmetric encryption keys of a single Region alone"
        )


def require_rotates(key: KeyMetadata) -> None:
    """Passes for keys that AWS rotates.

    Raises:
        UnsupportedOperation: an asymmetric or HMAC key.
    """
    if not key.rotates:
        raise UnsupportedOperation(
            hint=f"{key.arn} is of spec {key.spec} and origin {key.origin}; only symmetric "
            "encryption keys rotate, and not in custom key stores. Make a new key and point the "
            "alias to it"
        )


def require_rotates_here(key: KeyMetadata) -> None:
    """Passes for keys that AWS rotates, and not for replicas, which rotate with their primary.

    Raises:
        UnsupportedOperation: an asymmetric or HMAC key, or a replica.
    """
    require_rotates(key)
    if key.is_replica:
        require_primary(key)


def _require_rotates_by_itself(key: KeyMetadata) -> None:
    """Passes for keys that AWS rotates by period.

    Raises:
        UnsupportedOperation: an asymmetric or HMAC key, a replica, or one with imported material.
    """
    require_rotates_here(key)
    if key.origin is Origin.EXTERNAL:
        raise UnsupportedOperation(
            f"{key.arn} origin is {key.origin} which is not valid for this operation.",
            hint="Import new key material and rotate the key on demand",
        )


def _rotation(days: int | None, now: datetime) -> RotationStatus:
    if days is None:
        return _NO_ROTATION
    period = checked_rotation_period(days)
    return RotationStatus(True, period, now + timedelta(days=period))
