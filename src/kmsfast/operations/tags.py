"""Tags of keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from kmsfast.app import Application
from kmsfast.operations.names import id_or_arn
from kmsfast.operations.pages import Listing
from kmsfast.operations.requests import Given, Operation, Result

__all__ = ["OPERATIONS", "pairs_of"]

_Tag = tuple[str, str]
_TAGS: Final[Listing[_Tag]] = Listing("Tags", lambda tag: tag[0], 50, 50)


def pairs_of(tags: Iterable[Mapping[str, str]]) -> list[_Tag]:
    """Tags as pairs, so that a key that comes twice is seen."""
    return [(tag["TagKey"], tag["TagValue"]) for tag in tags]


def tag_resource(app: Application, given: Given) -> Result:
    """Adds tags, or gives them other values."""
    app.management.tag(id_or_arn(app, given["KeyId"]).raw_id, pairs_of(given["Tags"]))
    return {}


def untag_resource(app: Application, given: Given) -> Result:
    """Removes tags."""
    app.management.untag(id_or_arn(app, given["KeyId"]).raw_id, given["TagKeys"])
    return {}


def list_resource_tags(app: Application, given: Given) -> Result:
    """The tags of a key."""
    key = id_or_arn(app, given["KeyId"])
    return _TAGS.page(
        app, given, key.tags.items(), lambda tag: {"TagKey": tag[0], "TagValue": tag[1]}
    )


OPERATIONS: Final = {
    "TagResource": Operation(tag_resource),
    "UntagResource": Operation(untag_resource),
    "ListResourceTags": Operation(list_resource_tags),
}
