"""Keys: creating, describing, listing, enabling, deleting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kmsfast.app import Application
from kmsfast.errors import UnsupportedOperation, ValidationError
from kmsfast.model.keyspec import KeySpec, Origin
from kmsfast.model.usage import KeyUse
from kmsfast.operations.metadata import describe
from kmsfast.operations.names import any_name, id_or_arn
from kmsfast.operations.pages import Listing
from kmsfast.operations.requests import Given, Operation, Result
from kmsfast.operations.tags import pairs_of

__all__ = ["OPERATIONS"]

_DEFAULT_WINDOW: Final = 30
# What AWS says of a replica in the answer that makes it; here it is ready by then.
_CREATING: Final = {"Enabled": False, "KeyState": "Creating"}
_KEYS: Final[Listing[dict[str, str]]] = Listing("Keys", lambda key: key["KeyId"], 100, 1000)


def create_key(app: Application, given: Given) -> Result:
    """A new key: enabled, or pending import."""
    spec, usage = _kind(given)
    key = app.management.create_key(
        spec=spec,
        usage=usage,
        origin=given.get("Origin", Origin.AWS_KMS),
        description=given.get("Description", ""),
        alias=None,
        tags=pairs_of(given.get("Tags", ())),
        rotation_period_days=None,
        multi_region=given.get("MultiRegion", False),
        policy=given.get("Policy"),
        key_store_id=given.get("CustomKeyStoreId"),
        xks_key_id=given.get("XksKeyId"),
    )
    return {"KeyMetadata": describe(app, key)}


def describe_key(app: Application, given: Given) -> Result:
    """All about a key but its material."""
    return {"KeyMetadata": describe(app, any_name(app, given["KeyId"]))}


def get_key_last_usage(app: Application, given: Given) -> Result:
    """When and for what a key was last used."""
    found = app.ring.usage.last(id_or_arn(app, given["KeyId"]))
    return {
        "KeyId": found.key_arn,
        "KeyLastUsage": {} if found.use is None else _shown(found.use),
        "TrackingStartDate": found.tracking_start,
        "KeyCreationDate": found.created_at,
    }


def list_keys(app: Application, given: Given) -> Result:
    """All keys."""
    if "OTHER_ACCOUNTS_VIA_RAM" in given.get("ResourceOwners", ()):
        raise UnsupportedOperation("Keys are not shared between accounts here")

    def read() -> Iterable[dict[str, str]]:
        arn = app.store.home.arn
        return ({"KeyId": name, "KeyArn": arn(f"key/{name}")} for name in app.management.key_ids())

    return _KEYS.long_page(app, given, read)


def update_key_description(app: Application, given: Given) -> Result:
    """Another description."""
    app.management.update_description(id_or_arn(app, given["KeyId"]).raw_id, given["Description"])
    return {}


def enable_key(app: Application, given: Given) -> Result:
    """Lets a key be used again."""
    app.management.enable(id_or_arn(app, given["KeyId"]).raw_id)
    return {}


def disable_key(app: Application, given: Given) -> Result:
    """Keeps a key from being used."""
    app.management.disable(id_or_arn(app, given["KeyId"]).raw_id)
    return {}


def replicate_key(app: Application, given: Given) -> Result:
    """A replica of a multi-Region key in another region."""
    region = given["ReplicaRegion"]
    key = id_or_arn(app, given["KeyId"])
    if region not in app.deployment.served_regions():
        raise ValidationError(
            f"The region {region} is not served here; start the server with it in --regions"
        )
    replica = app.multi_region.replicate(
        key.raw_id,
        region,
        description=given.get("Description", ""),
        tags=pairs_of(given.get("Tags", ())),
        policy=given.get("Policy"),
    )
    there = app.beside(region)
    return {
        "ReplicaKeyMetadata": {**describe(there, replica), **_CREATING},
        "ReplicaPolicy": there.policies.get(replica.raw_id),
        "ReplicaTags": [{"TagKey": k, "TagValue": v} for k, v in replica.tags.items()],
    }


def update_primary_region(app: Application, given: Given) -> Result:
    """Makes a replica the primary of the related keys."""
    key = id_or_arn(app, given["KeyId"])
    app.multi_region.update_primary(key.raw_id, given["PrimaryRegion"])
    return {}


def schedule_key_deletion(app: Application, given: Given) -> Result:
    """Deletes a key after a waiting period."""
    days = given.get("PendingWindowInDays", _DEFAULT_WINDOW)
    key = app.management.schedule_deletion(id_or_arn(app, given["KeyId"]).raw_id, days)
    return {
        "KeyId": key.arn,
        "DeletionDate": key.deletion_date,
        "KeyState": key.state.value,
        "PendingWindowInDays": days,
    }


def cancel_key_deletion(app: Application, given: Given) -> Result:
    """Keeps a key after all; it is disabled."""
    return {"KeyId": app.management.cancel_deletion(id_or_arn(app, given["KeyId"]).raw_id).arn}


OPERATIONS: Final = {
    "CreateKey": Operation(create_key),
    "DescribeKey": Operation(describe_key),
    "GetKeyLastUsage": Operation(get_key_last_usage),
    "ListKeys": Operation(list_keys),
    "UpdateKeyDescription": Operation(update_key_description),
    "EnableKey": Operation(enable_key),
    "DisableKey": Operation(disable_key),
    "ReplicateKey": Operation(replicate_key),
    "UpdatePrimaryRegion": Operation(update_primary_region),
    "ScheduleKeyDeletion": Operation(schedule_key_deletion),
    "CancelKeyDeletion": Operation(cancel_key_deletion),
}


def _shown(use: KeyUse) -> dict[str, Any]:
    return {
        "Operation": use.operation,
        "Timestamp": use.used_at,
        "CloudTrailEventId": use.event_id,
        "KmsRequestId": use.request_id,
    }


def _kind(given: Given) -> tuple[str, str | None]:
    """The spec and usage that a request asks for.

    Raises:
        ValidationError: members that contradict each other, or no usage for a key that needs one.
        UnsupportedOperation: a kind of key that AWS has and this release does not offer.
    """
    if "KeySpec" in given and "CustomerMasterKeySpec" in given:
        raise ValidationError(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."
        )
    spec = given.get("KeySpec") or given.get("CustomerMasterKeySpec") or KeySpec.SYMMETRIC_DEFAULT
    usage = given.get("KeyUsage")
    if spec != KeySpec.SYMMETRIC_DEFAULT and usage is None:
        raise ValidationError(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption "
            "keys."
        )
    return spec, usage
