"""boto3's client on the socket: what it would send over HTTP is asked by name (docs/socket.md).

Members go as the caller gave them, blobs as bytes and times in ISO 8601; answers come as boto3 has
them. Nothing of the project's own client is used.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aws_clients import client_of
from socket_line import Line


@contextmanager
def client_over(path: Path | str, region: str = "us-east-1", **options: Any) -> Iterator[Any]:
    """A client of boto3 whose requests go over a socket."""
    client = client_of("http://127.0.0.1:9", region, **options)
    asking = _Asking(path, region)
    client.meta.events.register("before-parameter-build.kms", asking.keep)
    client.meta.events.register("before-call.kms", asking.ask)
    yield client
    client.close()
    asking.close()


class _Asking:
    def __init__(self, path: Path | str, region: str) -> None:
        self._turn, self._numbers = threading.Lock(), count(1)
        self._line = Line(path, hello=False)
        said = self._line.ask("kmsfast", 1, 1, {"client": "boto3", "region": region})
        assert said[0] == "kmsfast", said

    def close(self) -> None:
        self._line.socket.close()

    def keep(self, params: Any, context: dict[str, Any], **_: Any) -> None:
        context["members"] = params

    def ask(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        with self._turn:
            number = next(self._numbers)
            said = self._line.ask(number, model.name, _sent(context["members"]))
        assert said[0] == number
        status = 400 if said[1] else 200
        meta = {"HTTPStatusCode": status, "RequestId": ""}
        if said[1]:
            code, _, message, *_ = said[2]
            found: dict[str, Any] = {"Error": {"Code": code, "Message": message}}
        else:
            found = {} if model.output_shape is None else _received(said[2], model.output_shape)
        return SimpleNamespace(status_code=status), {**found, "ResponseMetadata": meta}


def _sent(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {name: _sent(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_sent(each) for each in value]
    return bytes(value) if isinstance(value, bytearray) else value


def _received(value: Any, shape: Any) -> Any:
    """An answer as boto3 reads it from JSON."""
    kind = shape.type_name
    if kind == "structure":
        members = shape.members
        return {name: _received(each, members[name]) for name, each in value.items()}
    if kind == "list":
        return [_received(each, shape.member) for each in value]
    if kind == "timestamp":
        moment = (
            datetime.fromisoformat(value)
            if isinstance(value, str)
            else datetime.fromtimestamp(value, UTC)
        )
        return moment.astimezone(UTC)
    return value
