"""Keys with given ids and material, and a store emptied: for development and for tests of others.

Rules:
- a seed is checked whole, material included, before anything is written, and written in one
  transaction;
- a key that is there is left as it is when it is what the seed says of it, and else an error names
  it and the member; what the seed does not say of it may be anything;
- emptying leaves nothing: no key, no mark of deleted ones, no handle in the arena.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from kmsfast.crypto.native import forget
from kmsfast.errors import IncorrectKeyMaterial
from kmsfast.model.alias import Alias
from kmsfast.model.key import KeyMetadata, KeyState, KeyVersion, RotationStatus, format_key_id
from kmsfast.model.keyspec import KeySpec, Origin, checked_usage
from kmsfast.model.seed import SeedKey
from kmsfast.service import material
from kmsfast.service.keyring import Keyring
from kmsfast.service.ports import Reader, Writer

__all__ = ["Seeding"]


class _Plan(NamedTuple):
    """A key as the seed wants it, and the material that it brings."""

    said: SeedKey
    key: KeyMetadata
    made: material.Made | None


class Seeding:
    """Fills and empties one store."""

    def __init__(self, ring: Keyring) -> None:
        self._ring, self._store = ring, ring.store

    def apply(self, keys: Sequence[SeedKey], *, emptied: bool = False) -> int:
        """Makes the keys that are not there, and wipes the material; returns how many it made.

        Args:
            emptied: everything that is there goes first, in the same transaction.

        Raises:
            ValidationError: a key is there that differs, or an alias leads elsewhere.
            IncorrectKeyMaterial: not what keys of the spec have.
        """
        now = self._ring.now()
        try:
            self._ring.check_open()
            plans = [self._planned(each, now) for each in keys]
        finally:
            for each in keys:
                forget(each.material)
        with self._store.write() as rows:
            if emptied:
                rows.clear()
            fresh = [plan for plan in plans if not self._is_there(rows, plan)]
            self._ring.count.require_room(rows, self._ring.quotas.keys, now, len(fresh))
            for plan in fresh:
                self._add(rows, plan, now)
        if emptied:
            self._ring.forget_all()
            self._store.forget_deleted()
        return len(fresh)

    # ---- within -----------------------------------------------------------------------------

    def _planned(self, said: SeedKey, now: datetime) -> _Plan:
        spec, origin = said.get("spec", KeySpec.SYMMETRIC_DEFAULT), said.get("origin")
        origin = Origin.AWS_KMS if origin is None else origin
        is_empty = origin is Origin.EXTERNAL and not said.material
        state = KeyState.ENABLED if said.get("enabled", True) else KeyState.DISABLED
        key = KeyMetadata(
            raw_id=said.raw_id,
            arn=self._store.home.arn(f"key/{format_key_id(said.raw_id, said.multi_region)}"),
            state=KeyState.PENDING_IMPORT if is_empty else state,
            description=said.get("description", ""),
            multi_region=said.multi_region,
            created_at=now,
            current_version=0 if is_empty else 1,
            rotation=_rotation(said.get("rotation_period_days"), now),
            deletion_date=None,
            aliases=said.aliases,
            tags=said.get("tags", {}),
            policy=said.get("policy"),
            spec=spec,
            usage=checked_usage(spec, said.get("usage")),
            origin=origin,
            regions=(self._store.home.region,) if said.multi_region else (),
        )
        if not said.material:
            return _Plan(said, key, None)
        try:
            return _Plan(said, key, material.take(self._store.store_key, key, 1, said.material))
        except IncorrectKeyMaterial as error:
            raise IncorrectKeyMaterial(f"seed: key {said.name}: material: {error}") from None

    def _is_there(self, rows: Reader, plan: _Plan) -> bool:
        """Whether the key is there, as the seed has it.

        Raises:
            ValidationError: it differs, or was deleted.
        """
        said, found = plan.said, rows.key(plan.said.raw_id)
        leading = {name: rows.alias(name) for name in said.aliases}
        for name, alias in leading.items():
            if (alias is not None and alias.raw_key_id != said.raw_id) or (found and not alias):
                whither = f"to {alias.key_id}" if alias else "nowhere"
                raise said.refused("aliases", f"{name} leads {whither}, not to this key")
        if found is None:
            return False
        if found.state is KeyState.DELETED:
            raise said.refused("id", "a key of this id was deleted; choose another one")
        for member, value in _wanted(plan).items():
            there = _THERE[member](found)
            if there != value:
                raise said.refused(
                    member, f"the key that is there has {there!r}, the seed says {value!r}"
                )
        if plan.made is not None and not _has(rows, found, plan.made):
            raise said.refused("material", "the key that is there has other material")
        return True

    def _add(self, rows: Writer, plan: _Plan, now: datetime) -> None:
        key, made, origin = plan.key, plan.made, "seeded"
        if key.current_version:
            if made is None:
                made = material.make(self._store.store_key, key.spec, key.raw_id, 1, key.flags)
            elif key.origin is Origin.EXTERNAL:
                origin = "imported"
            key = replace(key, public_key=made.public_key)
        rows.add(key)
        if made is not None:
            version = KeyVersion(1, now, origin, made.public_key, material_name=made.material_name)
            rows.add_version(key, version, made.wrapped)
        for name in key.aliases:
            arn = self._store.home.arn(name)
            rows.put_alias(Alias(name, arn, key.id, key.raw_id, now, now))


def _rotation(days: int | None, now: datetime) -> RotationStatus:
    due = None if days is None else now + timedelta(days=days)
    return RotationStatus(days is not None, days, due)


def _wanted(plan: _Plan) -> Mapping[str, Any]:
    """What the seed says of a key that is there: always what it is, the rest where it was given."""
    always = {"spec": plan.key.spec, "usage": plan.key.usage, "origin": plan.key.origin,
              "id": plan.key.id}  # fmt: skip
    return {**{name: plan.said.get(name) for name in _THERE if name in plan.said.said}, **always}


_THERE: Final[Mapping[str, Callable[[KeyMetadata], Any]]] = {
    "id": lambda key: key.id,
    "spec": lambda key: key.spec,
    "usage": lambda key: key.usage,
    "origin": lambda key: key.origin,
    "description": lambda key: key.description,
    "tags": lambda key: dict(key.tags),
    "policy": lambda key: key.policy,
    "rotation_period_days": lambda key: key.rotation.period_days,
    "enabled": lambda key: key.state is KeyState.ENABLED,
}


def _has(rows: Reader, key: KeyMetadata, made: material.Made) -> bool:
    """Whether the first material of a key is that which the seed brings."""
    first: Iterable[KeyVersion] = (each for each in rows.versions(key) if each.number == 1)
    return any(
        (each.material_name, each.public_key) == (made.material_name, made.public_key)
        for each in first
    )
