"""Sessions of the socket without a socket, on a store with keys and two people."""

from __future__ import annotations

import json
from typing import Any

from botocore_model import kms_model
from socket_line import frame, frames_of

import kmsfast
from kmsfast.server.session import Session
from kmsfast.server.socket_door import Door, Peer
from kmsfast.server.socket_recording import SocketRecording
from kmsfast.wire.model import ServiceModel
from kmsfast.wire.socket_members import socket_model

__all__ = [
    "ADA",
    "ADA_ARN",
    "ADMIN",
    "ECDSA",
    "HMAC",
    "NIL",
    "NOBODY",
    "World",
    "ask",
    "body",
    "refused",
]

ADMIN, ADA, NOBODY = 1000, 1001, 1002
ADA_ARN = "arn:aws:iam::000000000000:user/ada"
NIL = b"\xff\xff\xff\xff"
ECDSA = {"algorithm": "ECDSA_SHA_256"}
HMAC = {"algorithm": "HMAC_SHA_256"}


class World:
    """A store with an administrator, ada, who may do nothing yet, and keys; and its door."""

    def __init__(self, kms: kmsfast.Kms) -> None:
        self.kms, self.now = kms, 100.0
        kms.principals.create_administrator()
        kms.principals.create_user("ada")
        kms.principals.map_uid(ADMIN, "administrator")
        kms.principals.map_uid(ADA, "ada")
        self.key = kms.create_key(alias="alias/a")
        self.other = kms.create_key(alias="alias/b")
        self.signer = kms.create_key(alias="alias/s", spec="ECC_NIST_P256", usage="SIGN_VERIFY")
        self.macker = kms.create_key(alias="alias/m", spec="HMAC_256", usage="GENERATE_VERIFY_MAC")
        model = ServiceModel(kms_model())
        app = kms._app
        self.recorder = app.deployment.recorder()
        recording = SocketRecording(self.recorder, model.recordable(), app.ring.clock)
        self.door = Door(app, socket_model(model), True, recording, threads=1)

    def session(self, uid: int = ADMIN, gids: tuple[int, ...] = (), **facts: Any) -> Session:
        made = Session(self.door, Peer(uid, gids), lambda: self.now)
        made.hello(frame("kmsfast", 1, 1, {"client": "tests/1", **facts})[4:])
        return made

    def allow(self, *actions: str, **statement: Any) -> None:
        """What ada may do, and nothing else."""
        document = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow", "Action": list(actions), "Resource": "*", **statement,
            },
        }  # fmt: skip
        self.kms.principals.attach_policy("ada", "p", json.dumps(document))

    def events(self) -> list[dict[str, Any]]:
        return list(self.kms._app.deployment.trail.search())


def ask(session: Session, *values: Any, arrived: float = 100.0) -> Any:
    """The one frame of the answer."""
    made = session.receive(frame(*values)[4:], arrived)
    assert made is not None
    data = made if isinstance(made, bytes) else made()
    found = frames_of(data)
    assert len(found) == 1
    return found[0]


def body(session: Session, number: Any, *values: Any) -> Any:
    """The answer, when it is one."""
    request_id, status, answer = ask(session, 7, number, *values)
    assert (request_id, status) == (7, 0), answer
    return answer


def refused(session: Session, *values: Any) -> tuple[str, str]:
    """Code and message of the error."""
    request_id, status, error = ask(session, 7, *values)
    assert (request_id, status) == (7, 1), error
    return error[0], error[2]
