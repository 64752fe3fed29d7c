"""Makes the AWS managed key of a predefined alias, when the alias is first used."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from kmsfast.model.alias import Alias
from kmsfast.model.aws_managed import ROTATION_DAYS, description_of, policy_of
from kmsfast.model.key import KeyManager, KeyMetadata, KeyState, KeyVersion, RotationStatus
from kmsfast.service.ports import Store

__all__ = ["make_managed"]


def make_managed(store: Store, alias: str, now: datetime) -> bytes:
    """The id of the key of a predefined alias; of the one that another process made meanwhile."""
    home, raw_id = store.home, uuid.uuid4().bytes
    key = KeyMetadata(
        raw_id=raw_id,
        arn=home.arn(f"key/{uuid.UUID(bytes=raw_id)}"),
        state=KeyState.ENABLED,
        description=description_of(alias),
        multi_region=False,
        created_at=now,
        current_version=1,
        rotation=RotationStatus(True, ROTATION_DAYS, now + timedelta(days=ROTATION_DAYS)),
        deletion_date=None,
        aliases=(alias,),
        tags={},
        policy=policy_of(alias, home),
        manager=KeyManager.AWS,
    )
    with store.write() as rows:
        made = rows.alias(alias)
        if made is not None:
            return made.raw_key_id
        wrapped = store.store_key.generate_material(raw_id, 1, key.flags)
        rows.add(key)
        rows.add_version(key, KeyVersion(1, now, "created"), wrapped)
        rows.put_alias(Alias(alias, home.arn(alias), key.id, raw_id, now, now))
    return raw_id
