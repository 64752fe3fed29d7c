"""Events in the form of CloudTrail's records (event version 1.11 of its user guide).

What CloudTrail has no member for is in ``additionalEventData``: the records of a batch, and how
many of them failed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from kmsfast.audit.event import Caller, Event

__all__ = ["SOURCE", "event_id", "record", "source", "user_name"]

_VERSION: Final = "1.11"
SOURCE: Final = "kms.amazonaws.com"
# What is no operation of AWS KMS: managing principals, and what only this program has.
_OF_IAM: Final = (
    "AddUserToGroup CreateAccessKey CreateGroup CreateRole CreateUser DeleteAccessKey DeleteGroup "
    "DeleteGroupPolicy DeleteRole DeleteRolePolicy DeleteUser DeleteUserPolicy "
    "GetAccountAuthorizationDetails GetGroup GetGroupPolicy GetRole GetRolePolicy GetUser "
    "GetUserPolicy ListAccessKeys ListGroupsForUser PutGroupPolicy PutRolePolicy PutUserPolicy "
    "RemoveUserFromGroup UpdateAccessKey"
)
_OWN: Final = (
    "ChangeRootKey CreateAccount DeletePeer DeleteRoot DeleteRootPolicy GetCost GetPeer GetQuotas "
    "GetRoot GetRootPolicy ListPeers PutPeer PutPrincipals PutRootPolicy"
)
_SOURCES: Final = {
    **dict.fromkeys(_OF_IAM.split(), "iam.amazonaws.com"),
    **dict.fromkeys(_OWN.split(), "kmsfast"),
}
_ORIGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)


def event_id(store_id: bytes, number: int, index: int = 0) -> str:
    """The id of an event in record ``number`` of the log of this store (16 bytes).

    Args:
        index: which of the record's events, from 0.
    """
    return str(uuid5(UUID(bytes=store_id), f"{number}.{index}" if index else str(number)))


def user_name(caller: Caller) -> str:
    """What CloudTrail's event history calls the caller: a user's or a session's name, or root."""
    return "root" if caller.kind == "Root" else caller.arn.rpartition("/")[2]


def source(operation: str) -> str:
    """Whose operation it is: that of a service of AWS, or of this program alone."""
    return _SOURCES.get(operation, SOURCE)


def record(event: Event, store_id: bytes, number: int, index: int = 0) -> dict[str, Any]:
    """The event as CloudTrail has it.

    Args:
        store_id: 16 bytes, of the store whose log it is in.
        number: of the record in that log, from 1.
        index: of the event in that record, from 0.
    """
    found: dict[str, Any] = {
        "eventVersion": _VERSION,
        "userIdentity": _identity(event.caller),
        "eventTime": _iso(event.time),
        "eventSource": source(event.name),
        "eventName": event.name,
        "awsRegion": event.region,
        "sourceIPAddress": event.caller.source,
        "userAgent": event.caller.user_agent,
    }
    if event.error:
        found["errorCode"] = event.error
        if event.message:
            found["errorMessage"] = event.message
    found["requestParameters"] = _members(event.request)
    found["responseElements"] = _members(event.response)
    if event.records != 1 or event.failed:
        found["additionalEventData"] = {"records": event.records, "failedRecords": event.failed}
    return {
        **found,
        "requestID": event.request_id,
        "eventID": event_id(store_id, number, index),
        "readOnly": event.is_read_only,
        "resources": [
            {"accountId": arn.split(":")[4], "type": "AWS::KMS::Key", "ARN": arn}
            for arn in event.keys
        ],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": event.caller.account,
        "eventCategory": "Management",
    }


def _identity(caller: Caller) -> dict[str, str]:
    members = {
        "type": caller.kind,
        "principalId": caller.principal_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    }
    return {name: value for name, value in members.items() if value}


def _members(value: Any) -> dict[str, Any] | None:
    """Parameters under CloudTrail's names, which begin small; None when there are none."""
    return {_small(name): _written(one) for name, one in value.items()} or None


def _written(value: Any) -> Any:
    """A value as JSON has it: sequences as lists. Names within an encryption context stay."""
    if isinstance(value, dict):
        return {name: _written(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_written(one) for one in value]
    return value


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _iso(micros: int) -> str:
    """Whole seconds, as CloudTrail writes them."""
    return (_ORIGIN + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%SZ")
