"""The canonical forms of Signature Version 4: what client and server both sign.

Source: IAM User Guide, "Create a signed AWS API request" (task 1, create a canonical request).
Rules:
- built from what the server read, never parsed out of what the client says that it signed;
- a path is made normal (RFC 3986, section 5.2.4) and escaped once more than it came; the values of
  the query are unescaped and escaped again, so that one request has one form;
- values of headers lose space at their ends, and space within them is folded to one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

__all__ = [
    "EMPTY_PATHS",
    "canonical_head",
    "canonical_path",
    "canonical_query",
    "pairs_of",
]

EMPTY_PATHS: Final = (b"", b"/")
# What is never escaped (RFC 3986, section 2.3).
_UNRESERVED: Final = re.compile(rb"[A-Za-z0-9_.~-]")
_ESCAPED: Final = tuple(
    chr(byte) if _UNRESERVED.match(bytes([byte])) else f"%{byte:02X}" for byte in range(256)
)
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


def canonical_path(path: bytes) -> str:
    """The path of a request target, with its escapes escaped."""
    if path in EMPTY_PATHS:
        return "/"
    normal = posixpath.normpath("/" + path.decode("latin-1").lstrip("/"))
    if path.endswith(b"/") and normal != "/":  # and not after a last dot, as the SDKs have it
        normal += "/"
    return "/".join(_escaped(part) for part in normal.encode("latin-1").split(b"/"))


def pairs_of(query: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values of a query, unescaped, in their order; a plus sign is a plus sign."""
    if not query:
        return []
    parts = (item.partition(b"=") for item in query.split(b"&"))
    return [(_unescaped(name), _unescaped(value)) for name, _, value in parts]


def canonical_query(pairs: Sequence[tuple[bytes, bytes]]) -> str:
    """The pairs escaped and sorted."""
    escaped = sorted((_escaped(name), _escaped(value)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in escaped)


def canonical_head(  # noqa: PLR0917 - in the order of its lines
    method: str,
    path: str,
    query: str,
    headers: Mapping[bytes, bytes],
    signed: bytes,
    names: Iterable[bytes],
) -> bytes:
    """The canonical request up to the hash of the body, which ends it.

    Args:
        headers: by their names in lower case; every signed one is there.
        signed: names of the signed headers, separated by semicolons.
        names: the same.
    """
    lines = b"\n".join([b"%b:%b" % (name, b" ".join(headers[name].split())) for name in names])
    head = f"{method}\n{path}\n{query}\n".encode("latin-1")
    return b"%b%b\n\n%b\n" % (head, lines, signed)


def _escaped(data: bytes) -> str:
    return "".join(map(_ESCAPED.__getitem__, data))


def _unescaped(data: bytes) -> bytes:
    if b"%" not in data:
        return data
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), data)
