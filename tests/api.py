"""The API without a socket: requests as JSON into the endpoint, answers out of it."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from kmsfast.app import Application
from kmsfast.server.endpoint import Endpoint, Reply, Request
from kmsfast.server.service_model import load_service_model
from kmsfast.wire.model import ServiceModel


@cache
def service_model() -> ServiceModel:
    return load_service_model()


class Api:
    """Calls operations by their names."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.endpoint = Endpoint(app, service_model())

    def __call__(self, operation: str, **members: Any) -> dict[str, Any]:
        reply = self.reply(operation, members)
        assert (reply.status, reply.error) == (200, ""), reply.body
        return json.loads(reply.body) if reply.body else {}

    def refused(self, operation: str, **members: Any) -> tuple[str, str | None]:
        """The code and message of the error."""
        reply = self.reply(operation, members)
        found = json.loads(reply.body)
        assert reply.status in {400, 413, 500}
        assert found["__type"] == reply.error
        assert set(found) <= {"__type", "message"}
        return reply.error, found.get("message")

    def reply(self, operation: str, members: dict[str, Any]) -> Reply:
        return self.send(json.dumps(members, default=_plain).encode(), f"TrentService.{operation}")

    def send(
        self, body: bytes, target: str, authorization: str = "", request_id: str = "test"
    ) -> Reply:
        reply = self.endpoint.answer(
            Request(
                method="POST",
                path="/",
                host=b"localhost:4599",
                target=target.encode(),
                authorization=authorization.encode(),
                body=body,
                request_id=request_id,
            )
        )
        return reply if isinstance(reply, Reply) else reply()

    def create_key(self, **members: Any) -> dict[str, Any]:
        """The metadata of a new key."""
        return self("CreateKey", **members)["KeyMetadata"]


def unblob(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _plain(value: Any) -> str:
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()
