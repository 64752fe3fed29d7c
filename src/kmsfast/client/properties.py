"""What a key of a server is, as attributes: each a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

from kmsfast.client.description import Description
from kmsfast.model.key import RotationStatus

__all__ = ["KeyProperties"]

T = TypeVar("T")


class _Asked(Generic[T]):
    """An attribute that is asked of the server each time.

    Args:
        ask: what is asked of a key.
    """

    def __init__(self, ask: Callable[[Any], T], doc: str) -> None:
        self._ask, self.__doc__ = ask, doc

    @overload
    def __get__(self, key: None, kind: type) -> Self: ...
    @overload
    def __get__(self, key: object, kind: type) -> T: ...
    def __get__(self, key: Any, kind: type) -> Any:
        """The value."""
        return self if key is None else self._ask(key)

    def __set__(self, key: object, value: object) -> None:
        """Nobody sets it.

        Raises:
            AttributeError: always.
        """
        raise AttributeError("what a key is cannot be set; its methods change it")


def _described(part: Callable[[Description], T], doc: str) -> _Asked[T]:
    """A part of what DescribeKey says."""
    return _Asked(lambda key: part(key.describe()), doc)


class KeyProperties:
    """The properties of :class:`kmsfast.Key`."""

    __slots__ = ()

    state = _described(lambda found: found.state, "As AWS KMS names it.")
    spec = _described(lambda found: found.spec, "What kind of material it has.")
    usage = _described(lambda found: found.usage, "What it is for.")
    origin = _described(lambda found: found.origin, "Where its material comes from.")
    manager = _described(lambda found: found.manager, "CUSTOMER, or AWS.")
    algorithms = _described(
        lambda found: found.algorithms, "The algorithms that it works with, as AWS names them."
    )
    description = _described(lambda found: found.description, "What the key is for.")
    multi_region = _described(lambda found: found.multi_region, "Whether it is a multi-Region key.")
    regions = _described(
        lambda found: found.regions,
        "The regions of a multi-Region key and those related to it, the primary's first.",
    )
    created_at = _described(lambda found: found.created_at, "When it was created (UTC).")
    deletion_date = _described(
        lambda found: found.deletion_date,
        "When it will be deleted (UTC), if its deletion is scheduled.",
    )
    valid_to = _described(
        lambda found: found.valid_to, "When imported material expires (UTC); None: never."
    )
    backing = _described(
        lambda found: found.backing,
        "In which custom key store its material is; None: in the store of the server.",
    )
    aliases = _Asked[tuple[str, ...]](lambda key: key.get_aliases(), "The key's aliases, sorted.")
    tags = _Asked[dict[str, str]](lambda key: key.get_tags(), "The key's tags.")
    policy = _Asked[str](lambda key: key.get_policy(), "The key policy.")
    rotation = _Asked[RotationStatus](
        lambda key: key.get_rotation(), "Whether it rotates by itself, how often and when next."
    )
    current_version = _Asked[int](
        lambda key: key.get_current_version(), "The number of the version that encrypts."
    )
