"""Answers as JSON: members in the form that their shapes have in the service model.

Rules:
- a member that is None is left out, as AWS leaves out what does not apply;
- a member that the model does not have is a mistake of the program, and raises;
- the text is ASCII, so that no byte of it depends on an encoding.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Mapping
from datetime import datetime
from json.encoder import encode_basestring_ascii
from typing import Any

__all__ = ["Writer", "blob", "flag", "list_of", "map_of", "moment", "number", "structure", "text"]

Writer = Callable[[Any], str]
"""The JSON of a value."""

text: Writer = encode_basestring_ascii


def blob(value: bytes) -> str:
    """Bytes, in base64."""
    return f'"{b2a_base64(value, newline=False).decode()}"'


def number(value: int) -> str:
    """An integer."""
    return int.__repr__(value)


def flag(value: bool) -> str:
    """True or false."""
    return "true" if value else "false"


def moment(value: datetime) -> str:
    """Seconds since 1970-01-01 UTC, to the millisecond."""
    return float.__repr__(round(value.timestamp(), 3))


def list_of(each: Writer) -> Writer:
    """Values of one shape."""

    def write(values: Any) -> str:
        return f"[{','.join([each(value) for value in values])}]"

    return write


def map_of(each: Writer) -> Writer:
    """Values by strings."""

    def write(values: Mapping[str, Any]) -> str:
        pairs = [f"{text(name)}:{each(value)}" for name, value in values.items()]
        return f"{{{','.join(pairs)}}}"

    return write


def structure(members: Mapping[str, Writer]) -> Writer:
    """Members by name."""
    known = {name: (f'"{name}":', writer) for name, writer in members.items()}

    def write(values: Mapping[str, Any]) -> str:
        parts = []
        for name, value in values.items():
            if value is not None:
                head, writer = known[name]
                parts.append(head + writer(value))
        return f"{{{','.join(parts)}}}"

    return write
