"""Errors that a server answers, as the classes that are raised in-process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kmsfast import errors
from kmsfast.errors import KmsError

__all__ = ["of_code"]


def of_code(code: str, message: str) -> KmsError:
    """The error of a code of AWS; of classes that share one, the most general."""
    kind = _CLASSES.get(code)
    if kind is not None:
        return kind(message)
    error = KmsError(message)
    error.code = code
    return error


def _classes() -> dict[str, type[KmsError]]:
    found: dict[str, type[KmsError]] = {}
    for each in vars(errors).values():  # in the order in which they are defined, bases first
        if isinstance(each, type) and issubclass(each, KmsError):
            found.setdefault(each.code, each)
    return found


_CLASSES: Final[Mapping[str, type[KmsError]]] = _classes()
