"""JSON as the protocol has it: UTF-8, one object, no key twice, no NaN and no infinity."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from kmsfast.wire.refusals import SerializationError

__all__ = ["parse_object"]


def parse_object(body: bytes) -> dict[str, Any]:
    """The object of a request's body; no body at all is one without members.

    Raises:
        SerializationError: anything else.
    """
    if not body:
        return {}
    try:
        text = body.decode()
        value, end = _scan(text) if text[0] == "{" else (None, 0)
        if end != len(text):  # white space around the object, or something that is none
            value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        # Of the error only what it says of the form: the document may hold plaintext.
        reason = getattr(error, "msg", "not UTF-8" if isinstance(error, UnicodeError) else error)
        raise SerializationError(f"The request is not well-formed JSON: {reason}") from None
    if type(value) is not dict:
        raise SerializationError("The request is not a JSON object")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refused)
_scan: Final = _DECODER.raw_decode
