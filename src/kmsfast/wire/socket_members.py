"""Members of requests by name, in the form that the socket has them: blobs as bytes, times.

All else is as in JSON (:mod:`kmsfast.wire.shapes`), checked by the same model with the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from kmsfast.wire import shapes
from kmsfast.wire.model import JSON, Readers, ServiceModel
from kmsfast.wire.refusals import SerializationError

__all__ = ["recorded_times", "socket_model"]


class _Bin(shapes.Blob):
    """Bytes, as they are."""

    __slots__ = ()

    def __call__(self, value: Any, path: str, failures: list[str]) -> bytes:
        """The bytes."""
        if type(value) is not bytes:
            raise shapes.not_a("Blob", value)
        failures += self.failed(value, path)
        return value


class _Moment(shapes.Moment):
    """Seconds since 1970-01-01 UTC, or ISO 8601 with an offset from UTC."""

    __slots__ = ()

    def __call__(self, value: Any, path: str, failures: list[str]) -> datetime:
        """The time, in UTC."""
        if type(value) is not str:
            return super().__call__(value, path, failures)
        try:
            found = datetime.fromisoformat(value)
            utc = None if found.tzinfo is None else found.astimezone(UTC)
        except (OverflowError, ValueError):  # of a time in the first or the last year that there is
            utc = None
        if utc is None:
            raise SerializationError(f"The value of '{path}' is not a time in ISO 8601 with offset")
        return utc


_READERS: Final[Readers] = {**JSON, "blob": _Bin, "timestamp": _Moment}


def socket_model(model: ServiceModel) -> ServiceModel:
    """The same operations, with requests as the socket has them."""
    return model.reading(_READERS)


def recorded_times(value: Any) -> Any:
    """Members with times as seconds, as they are recorded of requests over HTTP."""
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, Mapping):
        return {name: recorded_times(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [recorded_times(each) for each in value]
    return value
