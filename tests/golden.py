"""What is written down of a golden store, by the generator and by the test alike."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kmsfast
from kmsfast.model.message import MessageType, length_of
from kmsfast.store.schema import SCHEMA_VERSION

DIRECTORY = Path(__file__).parent / "compat" / "golden"
PASSPHRASE = "for tests only: correct horse battery staple"
STREAM_SIZE = 65_536 + 1_000  # two records


def name() -> str:
    """The directory of the installed release, which has one for each schema that it wrote."""
    return f"{version('kmsfast')}-schema-{SCHEMA_VERSION}"


def plaintext(size: int) -> bytes:
    """The plaintext of this size."""
    return hashlib.shake_128(b"golden").digest(size)


def message(algorithm: str, message_type: str) -> bytes:
    """What is signed: 17 bytes, or as many as a digest or mu has."""
    return plaintext(length_of(algorithm, MessageType(message_type)) or 17)


def material(i: int) -> bytes:
    """Imported key material."""
    return hashlib.sha256(b"golden material %d" % i).digest()


def facts(kms: kmsfast.Kms) -> dict[str, Any]:
    """The metadata of a store, its keys and its aliases, as JSON has it."""
    described = kms.describe()
    names = "store_id", "region", "account", "keys", "root"
    return {
        "store": {name: described[name] for name in names},
        "keys": {key.id: _key(key) for key in kms.keys()},
        "aliases": {
            alias.name: {
                "arn": alias.arn,
                "key_id": alias.key_id,
                "created_at": alias.created_at.isoformat(),
                "updated_at": alias.updated_at.isoformat(),
            }
            for alias in kms.aliases()
        },
    }


def principals(kms: kmsfast.Kms) -> dict[str, Any]:
    """Whom a store knows, as JSON has it."""
    known = kms.principals
    return {
        "known": {
            each.arn: {
                "id": each.unique_id,
                "created_at": each.created_at.isoformat(),
                "tags": dict(each.tags),
                "policies": known.policies(each.arn),
                "groups": known.groups(each.arn),
                "access_keys": [
                    [key.id, key.active, key.session] for key in known.access_keys(each.arn)
                ],
            }
            for each in known.known()
        },
        "mapped": [[kind, number, arn] for (kind, number), arn in known.mapped().items()],
    }


def _key(key: kmsfast.Key) -> dict[str, Any]:
    rotation = key.rotation
    return {
        "arn": key.arn,
        "spec": str(key.spec),
        "usage": str(key.usage),
        "origin": str(key.origin),
        "state": str(key.state),
        "description": key.description,
        "multi_region": key.multi_region,
        "created_at": key.created_at.isoformat(),
        "deletion_date": key.deletion_date and key.deletion_date.isoformat(),
        "aliases": list(key.aliases),
        "tags": key.tags,
        "policy": key.policy,
        "rotation_days": rotation.period_days,
        "next_rotation": rotation.next_rotation and rotation.next_rotation.isoformat(),
        "versions": [
            [version.number, version.created_at.isoformat(), version.origin]
            for version in key.versions()
        ],
    }
