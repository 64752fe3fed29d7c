"""Tags of keys, with the rules of AWS.

At most 50; keys of 1 to 128 characters, unique, not starting with ``aws:``; values of 0 to 256;
letters, digits, spaces and ``+ - = . _ : / @``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kmsfast.errors import TagError

__all__ = ["MAX_TAGS", "checked_tags", "merged"]

MAX_TAGS = 50
_PUNCTUATION = frozenset("+-=._:/@ ")


def checked_tags(tags: Mapping[str, str] | Iterable[tuple[str, str]] | None) -> dict[str, str]:
    """The tags as a dict, when each of them is well-formed.

    Raises:
        TagError: malformed, reserved, a duplicate, or too many.
    """
    pairs = list(tags.items() if isinstance(tags, Mapping) else tags or ())
    checked = {_text(key, 1, 128, "key"): _text(value, 0, 256, "value") for key, value in pairs}
    if len(checked) != len(pairs):
        raise TagError("Duplicate tag keys")
    if any(key.lower().startswith("aws:") for key in checked):
        raise TagError("Tags beginning with aws: are reserved")
    if len(checked) > MAX_TAGS:
        raise TagError("Too many tags")
    return checked


def merged(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Both sets of tags, the new ones replacing old ones of the same key.

    Raises:
        TagError: more than 50 together.
    """
    both = {**old, **new}
    if len(both) > MAX_TAGS:
        raise TagError("Too many tags")
    return both


def _text(text: str, low: int, high: int, what: str) -> str:
    if not isinstance(text, str):
        raise TagError(f"a tag's {what} is str, not {type(text).__name__}")
    if not low <= len(text) <= high:
        raise TagError(f"a tag's {what} has {low} to {high} characters, not {len(text)}")
    if not all(char.isalnum() or char in _PUNCTUATION for char in text):
        raise TagError(
            f"the tag {what} {text!r} has characters other than letters, digits, +-=._:/@"
        )
    return text
