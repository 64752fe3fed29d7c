"""LookupEvents of AWS CloudTrail: the audit log of an account, newest events first.

Source: AWS CloudTrail API Reference, LookupEvents; user guide, "Viewing events with event history".
Its errors come before those of the service model, which does not know them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from kmsfast.app import Application
from kmsfast.audit.cloudtrail import user_name
from kmsfast.audit.event import Event
from kmsfast.audit.lookup import RESOURCE_TYPE, Place, Wanted
from kmsfast.errors import InvalidMarker
from kmsfast.operations.requests import Given, Result
from kmsfast.wire.refusals import (
    InvalidEventCategory,
    InvalidLookupAttributes,
    InvalidMaxResults,
    InvalidNextToken,
    InvalidTimeRange,
)

__all__ = ["check_lookup", "lookup_events"]

_ATTRIBUTES: Final = (
    "EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource",
    "AccessKeyId",
)  # fmt: skip
_MOST: Final = 50
_INSIGHT: Final = "insight"


def check_lookup(members: Mapping[str, Any]) -> None:
    """Passes when a request has nothing that LookupEvents has an error of its own for.

    Args:
        members: as they came; those of another type are left to the service model.

    Raises:
        InvalidMaxResults, InvalidLookupAttributes, InvalidEventCategory: something is wrong.
    """
    limit = members.get("MaxResults")
    if type(limit) is int and not 1 <= limit <= _MOST:
        raise InvalidMaxResults(f"MaxResults must be between 1 and {_MOST}, not {limit}.")
    category = members.get("EventCategory")
    if isinstance(category, str) and category != _INSIGHT:
        raise InvalidEventCategory(f"The event category {category!r} is not {_INSIGHT!r}.")
    attributes = members.get("LookupAttributes")
    if not isinstance(attributes, list):
        return
    if len(attributes) > 1:
        raise InvalidLookupAttributes("Only one lookup attribute can be given.")
    for each in attributes:
        name = each.get("AttributeKey") if isinstance(each, dict) else None
        if isinstance(name, str) and name not in _ATTRIBUTES:
            raise InvalidLookupAttributes(
                f"The lookup attribute {name!r} is none of {', '.join(_ATTRIBUTES)}."
            )


def lookup_events(app: Application, given: Given) -> Result:
    """The events of the account and region, newest first.

    Raises:
        InvalidTimeRange, InvalidNextToken: something is wrong.
    """
    wanted = _wanted(app, given)
    place = _place(app, wanted, given.get("NextToken"))
    if given.get("EventCategory") == _INSIGHT:
        return {"Events": []}
    found, rest = app.deployment.trail.lookup(wanted, given.get("MaxResults", _MOST), place)
    token = None
    if rest is not None:
        token = app.markers.write(_listing(wanted), " ".join(map(str, rest)))
    return {"Events": [_shown(*each) for each in found], "NextToken": token}


def _wanted(app: Application, given: Given) -> Wanted:
    home = app.store.home
    since, until = (
        None if given.get(member) is None else int(given[member].timestamp() * 1_000_000)
        for member in ("StartTime", "EndTime")
    )
    if since is not None and until is not None and since > until:
        raise InvalidTimeRange("The start time must not be after the end time.")
    if until is not None:
        until += 999_999  # the times that are shown are whole seconds
    attributes = given.get("LookupAttributes") or [None]
    first = attributes[0]
    attribute = None if first is None else (first["AttributeKey"], first["AttributeValue"])
    return Wanted(home.account, home.region, since, until, attribute)


def _place(app: Application, wanted: Wanted, token: str | None) -> Place | None:
    if token is None:
        return None
    try:
        place = map(int, app.markers.read(_listing(wanted), token).split(" "))
    except InvalidMarker as error:
        raise InvalidNextToken(
            "The token is not one of these events, or has expired. Ask with the parameters that it "
            "was given for, or begin anew."
        ) from error
    return Place(*place)


def _listing(wanted: Wanted) -> str:
    """What a token is good for: the same question."""
    return f"events {wanted.since} {wanted.until} {json.dumps(wanted.attribute)}"


def _shown(event: Event, record: Mapping[str, Any]) -> Result:
    shown: Result = {
        "EventId": record["eventID"],
        "EventName": event.name,
        "ReadOnly": "true" if event.is_read_only else "false",
        "EventTime": datetime.fromtimestamp(event.time // 1_000_000, UTC),
        "EventSource": record["eventSource"],
        "Resources": [{"ResourceType": RESOURCE_TYPE, "ResourceName": arn} for arn in event.keys],
        "CloudTrailEvent": json.dumps(record, separators=(",", ":")),
    }
    caller = event.caller
    known = {"Username": user_name(caller), "AccessKeyId": caller.access_key_id}
    return shown | {name: value for name, value in known.items() if value}
