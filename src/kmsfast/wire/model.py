"""AWS's service model, compiled: for each operation how requests are read and answers written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kmsfast.wire import answers, shapes
from kmsfast.wire.answers import Writer
from kmsfast.wire.document import parse_object
from kmsfast.wire.recorded import Recordable, recordable
from kmsfast.wire.refusals import invalid
from kmsfast.wire.shapes import Shape, Structure

__all__ = ["JSON", "OperationShape", "Readers", "ServiceModel"]


@dataclass(frozen=True, slots=True)
class OperationShape:
    """One operation of the model."""

    name: str
    request: Structure
    answer: Writer | None

    def read(self, body: bytes) -> dict[str, Any]:
        """The members of a request, checked.

        Raises:
            SerializationError: no JSON object, or a member of another type.
            ValidationError: members that fail their constraints, all of them.
        """
        return self.checked(parse_object(body))

    def checked(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """The members of a request, checked, from what a door has read.

        Raises:
            As :meth:`read`.
        """
        failures: list[str] = []
        given: dict[str, Any] = self.request(members, "", failures)
        if failures:
            raise invalid(failures)
        return given

    def write(self, members: Mapping[str, Any]) -> bytes:
        """The body of an answer; empty for operations that answer nothing."""
        return self.answer(members).encode() if self.answer is not None else b""


Readers = Mapping[str, Callable[[Mapping[str, Any]], Shape]]
"""What reads values of each type of the model."""


class ServiceModel:
    """The operations of a service model as botocore has it (``service-2.json``).

    Args:
        readers: of members that are no structures, lists and enumerations; None: those of JSON.
        operations: that are compiled; None: all.

    Attributes:
        target_prefix: what comes before the operation in X-Amz-Target.
        operations: by name.
    """

    def __init__(
        self,
        model: Mapping[str, Any],
        readers: Readers | None = None,
        operations: Collection[str] | None = None,
    ) -> None:
        self._model, self._readers = model, readers or JSON
        self._shapes: Mapping[str, Mapping[str, Any]] = model["shapes"]
        self.target_prefix: str = model["metadata"]["targetPrefix"]
        self.operations = {
            name: OperationShape(name, self._request(each), self._answer(each))
            for name, each in model["operations"].items()
            if operations is None or name in operations
        }

    def reading(self, readers: Readers) -> ServiceModel:
        """The same model for requests in another form than JSON."""
        return ServiceModel(self._model, readers)

    def recordable(self) -> Mapping[str, Recordable]:
        """What may be recorded of each operation."""
        return recordable(self._model)

    def _request(self, operation: Mapping[str, Any]) -> Structure:
        named = operation.get("input")
        return self._structure(self._shapes[named["shape"]]) if named else Structure({}, ())

    def _answer(self, operation: Mapping[str, Any]) -> Writer | None:
        named = operation.get("output")
        return self._writer(named["shape"]) if named else None

    def _structure(self, model: Mapping[str, Any]) -> Structure:
        members = {name: self._reader(each["shape"]) for name, each in model["members"].items()}
        return Structure(members, model.get("required", ()))

    def _reader(self, name: str) -> Shape:
        model = self._shapes[name]
        kind = model["type"]
        if kind == "structure":
            return self._structure(model)
        if kind == "list":
            return shapes.ListOf(model, self._reader(model["member"]["shape"]))
        if kind == "string" and "enum" in model:
            return shapes.Choice(model)
        return self._readers[kind](model)

    def _writer(self, name: str) -> Writer:
        model = self._shapes[name]
        kind = model["type"]
        if kind == "structure":
            members = model["members"].items()
            return answers.structure({name: self._writer(each["shape"]) for name, each in members})
        if kind == "list":
            return answers.list_of(self._writer(model["member"]["shape"]))
        if kind == "map":
            return answers.map_of(self._writer(model["value"]["shape"]))
        return _WRITERS[kind]


JSON: Final[Readers] = {
    "string": shapes.Text,
    "blob": shapes.Blob,
    "integer": shapes.Number,
    "boolean": shapes.Flag,
    "timestamp": shapes.Moment,
    "map": shapes.MapOf,
}
_WRITERS: Final[Mapping[str, Writer]] = {
    "string": answers.text,
    "blob": answers.blob,
    "integer": answers.number,
    "boolean": answers.flag,
    "timestamp": answers.moment,
}
