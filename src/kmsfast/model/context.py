"""The encryption context: pairs of text that are bound to a ciphertext and never stored in it.

Rules:
- the canonical form has one encoding for each meaning: pairs sorted by the UTF-8 bytes of their
  key; for each a big-endian u32 length and the key, a big-endian u32 length and the value;
- the order of the pairs does not matter, everything else does: no trimming, no case folding, no
  Unicode normalisation;
- no context and an empty context are the same, empty bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

from kmsfast.errors import ContextError

__all__ = ["MAX_CONTEXT", "canonical", "copied"]

# AWS allows 8,192 bytes; records that name their whole path and row need more, megabytes do not.
MAX_CONTEXT = 65_536


def canonical(context: Mapping[str, str] | None) -> bytes:
    """The bytes of a context that are bound to a ciphertext.

    Raises:
        ContextError: not a mapping, a key or value that is no str or not encodable, an empty key,
            one that comes twice, or more than 65,536 bytes.
    """
    if context is None:
        return b""
    if not isinstance(context, Mapping):
        raise ContextError(_complaint(context))
    try:
        return _encode(tuple(context.items()))
    except TypeError:
        raise ContextError(_complaint(context)) from None


def copied(context: Mapping[str, str] | None) -> dict[str, str] | None:
    """The context as it is now, since the caller may change the mapping later.

    Raises:
        ContextError: not a mapping.
    """
    if context is None:
        return None
    if type(context) is not dict and not isinstance(context, Mapping):
        raise ContextError(_complaint(context))
    return dict(context)


@lru_cache(maxsize=256)
def _encode(pairs: tuple[tuple[str, str], ...]) -> bytes:
    encoded = sorted((_utf8(key), _utf8(value)) for key, value in pairs)
    if encoded and not encoded[0][0]:
        raise ContextError("an encryption context has an empty key")
    for (key, _), (following, _) in pairwise(encoded):
        if key == following:
            raise ContextError(f"an encryption context has the key {key.decode()!r} twice")
    out = b"".join(_framed(key) + _framed(value) for key, value in encoded)
    if len(out) > MAX_CONTEXT:
        raise ContextError(
            f"the encryption context has {len(out)} bytes; at most {MAX_CONTEXT} are allowed"
        )
    return out


def _utf8(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ContextError("an encryption context has text that is not valid Unicode") from None


def _framed(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def _complaint(context: Any) -> str:
    if not isinstance(context, Mapping):
        return f"an encryption context is a mapping of str to str, not {type(context).__name__}"
    for key, value in context.items():
        if not isinstance(key, str):
            return f"a key of the encryption context is {type(key).__name__}; it must be str"
        if not isinstance(value, str):
            return (
                f"the value of {key!r} in the encryption context is {type(value).__name__}; "
                "it must be str"
            )
    return "an encryption context is a mapping of str to str"
