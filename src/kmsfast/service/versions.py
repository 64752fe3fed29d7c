"""How keys get another current version, and lose imported material: parts of transactions.

Rules: those of :mod:`.related`. Whoever calls has checked that the key may be changed so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kmsfast.errors import InvalidState
from kmsfast.model.key import WAITING, KeyMetadata, KeyState, KeyVersion
from kmsfast.model.keyspec import Origin
from kmsfast.service.ports import Reader, Writer
from kmsfast.service.related import related

if TYPE_CHECKING:
    from kmsfast.service.keyring import Keyring

__all__ = ["add_rotation", "lacks_material", "remove_material", "waiting"]


def add_rotation(ring: Keyring, rows: Writer, key: KeyMetadata, origin: str) -> KeyMetadata:
    """Makes another version current, of a key of the transaction: a fresh one, or the imported one.

    Raises:
        InvalidState: the key takes imported material, and none is there that waits.
    """
    rotated = replace(key, current_version=key.current_version + 1)
    if key.origin is Origin.EXTERNAL:
        return _rotate_to_imported(ring, rows, key, rotated)
    number = rotated.current_version
    wrapped = ring.store.store_key.generate_material(key.raw_id, number, key.flags)
    version = KeyVersion(number, ring.now(), origin)
    rows.save(rotated)
    rows.add_version(rotated, version, wrapped)
    for there, other in related(rows, key):
        there.save(replace(other, current_version=number, rotation=rotated.rotation))
        there.add_version(other, version, wrapped)
    return rotated


def _rotate_to_imported(
    ring: Keyring, rows: Writer, key: KeyMetadata, rotated: KeyMetadata
) -> KeyMetadata:
    mine = waiting(rows, key)
    others = [(there, other, waiting(there, other)) for there, other in related(rows, key)]
    if mine is None or None in (version for _, _, version in others):
        raise InvalidState(
            f"No available key material pending rotation for the key: {key.arn}.",
            hint="import the same into all replicas first" if others and mine else "",
        )
    for there, each, version in ((rows, key, mine), *others):
        if version is not None:
            there.save(replace(each, current_version=rotated.current_version))
            there.save_version(each, replace(version, created_at=ring.now()))
    ends = [each for each in (key.valid_to, mine.valid_to) if each]
    return replace(rotated, valid_to=min(ends, default=None))


def waiting(rows: Reader, key: KeyMetadata) -> KeyVersion | None:
    """The imported version that waits for the key's next rotation, when its material is there."""
    following = key.current_version + 1
    found = (v for v in rows.versions(key) if v.number == following and v.is_present)
    return next(found, None)


def lacks_material(rows: Reader, key: KeyMetadata) -> bool:
    """Whether imported material of any version up to the current one is gone, or none came."""
    if key.origin is not Origin.EXTERNAL:
        return False
    used = [each for each in rows.versions(key) if each.number <= key.current_version]
    return not used or not all(each.is_present for each in used)


def remove_material(rows: Writer, key: KeyMetadata, version: KeyVersion) -> None:
    """Takes the material from a version of a key of the transaction.

    What waits for its rotation goes as a whole, and the key stays as it is; without any other
    material the key is unusable until the same is imported again.
    """
    gone = replace(version, is_present=False, valid_to=None)
    if version.number > key.current_version:
        if key.is_replica:  # the same can be imported again while the primary has it
            rows.save_version(key, gone)
            return
        for there, each in ((rows, key), *related(rows, key)):
            there.drop_version(each, version.number)
        return
    rows.save_version(key, gone)
    if key.state not in WAITING:
        rows.save(replace(key, state=KeyState.PENDING_IMPORT))
