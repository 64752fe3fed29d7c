"""The server's side of the socket: any frame is answered once, or ends its connection.

Law, for frames that are nearly right (tests/near.py): one answer or one error, of the frame's id
and no fault of our own; or nothing, while chunks are awaited; or the connection ends with one frame
that says so. Afterwards nothing is counted that is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack
import pytest
from botocore_model import kms_model
from near import Near
from socket_line import frames_of

import kmsfast
from kmsfast.server.session import Closing, Session
from kmsfast.server.socket_door import Door, Peer
from kmsfast.server.socket_recording import SocketRecording
from kmsfast.wire.model import ServiceModel
from kmsfast.wire.socket_members import socket_model
from kmsfast.wire.socket_operations import NUMBERS, Payload

UID = 1000
NIL = 0xFFFFFFFF
KEYS = {"Sign": "alias/s", "Verify": "alias/s", "GenerateMac": "alias/m", "VerifyMac": "alias/m"}
# Keys stay as they are for the frames that follow.
SPOILING = ("Delete", "Disable", "Schedule", "Update", "Put", "Connect", "Create")


class World(NamedTuple):
    """A door, and what genuine requests have."""

    door: Door
    blobs: list[bytes]
    signature: bytes
    mac: bytes

    def session(self) -> Session:
        return Session(self.door, Peer(UID, ()), lambda: 0.0)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path = tmp_path_factory.mktemp("requests") / "store"
    with kmsfast.open(path, create=True, audit="off") as kms:
        kms.principals.create_administrator()
        kms.principals.map_uid(UID, "administrator")
        a, b = kms.create_key(alias="alias/a"), kms.create_key(alias="alias/b")
        signer = kms.create_key(alias="alias/s", spec="ECC_NIST_P256", usage="SIGN_VERIFY")
        macker = kms.create_key(alias="alias/m", spec="HMAC_256", usage="GENERATE_VERIFY_MAC")
        app, model = kms._app, ServiceModel(kms_model())
        recording = SocketRecording(app.deployment.recorder(), model.recordable(), app.ring.clock)
        yield World(
            Door(app, socket_model(model), True, recording, threads=1),
            [a.encrypt(b""), a.encrypt(b"one", {"a": "b"}), b.encrypt(b"two")],
            signer.sign(b"m"),
            macker.mac(b"m"),
        )


class Frames:
    """Frames as clients send them, nearly."""

    def __init__(self, world: World, seed: int) -> None:
        self._world, self.near = world, Near(seed)

    def hello(self) -> bytes:
        near = self.near
        facts = near.some({"region": lambda: "us-east-1", "client": lambda: "tests/1"}, 0.3)
        return near.packed(
            near.right([near.right("kmsfast"), near.right(1), near.right(1), near.right(facts)])
        )

    def body(self) -> bytes:
        near, kind = self.near, self.near.number(0, 9)
        if kind == 0:
            return near.packed(near.right([near.number(0, 3), 0, near.blob(3)]))
        return near.packed(near.right(self._by_name() if kind < 3 else self._by_number()))

    def _context(self) -> Any:
        return self.near.one_of([None, None, {}, {"a": "b"}, {"a": "b", "ü": ""}])

    def _by_number(self) -> list[Any]:
        near = self.near
        number = near.one_of(sorted(NUMBERS))
        operation = NUMBERS[number]
        key: str | None = KEYS.get(operation.name, "alias/a")
        if operation.name == "GenerateRandom" or (not operation.needs_key and near.chance(0.5)):
            key = None
        values = [
            near.right(near.number(0, 3)),
            near.right(number),
            near.right(key),
            near.right(self._context()),
            near.right(self._payload(operation.name, operation.payload)),
        ]
        options = self._options(operation.name, many=operation.many)
        return [*values, near.right(options)] if options or near.chance(0.2) else values

    def _options(self, name: str, *, many: bool) -> dict[str, Any]:
        near = self.near
        algorithm = "HMAC_SHA_256" if "Mac" in name else "ECDSA_SHA_256"
        makers = {
            "deadline": lambda: near.one_of([0, 1, 1 << 31]),
            "tokens": list,
            "more": lambda: near.number(0, 3),
            "aad": lambda: self._column([b""]) if many else b"",
            "to_context": self._context,
            "algorithm": lambda: algorithm,
            **dict.fromkeys(("digest", "raw", "deterministic"), lambda: near.chance(0.5)),
        }
        return near.some(makers, near.one_of([0.0, 0.0, 0.1, 0.3]))

    def _payload(self, name: str, form: Payload) -> Any:
        near, world = self.near, self._world
        messages = world.blobs if name in {"Decrypt", "ReEncrypt"} else [b"m", b"", near.blob(40)]
        claims = [world.mac if "Mac" in name else world.signature, b""]
        match form:
            case Payload.BIN:
                return near.one_of(messages)
            case Payload.PAIR:
                return [near.right(near.one_of(messages)), near.right(near.one_of(claims))]
            case Payload.NUMBER:
                return near.number(1, 1024)
            case Payload.COLUMN:
                return self._column(messages)
            case Payload.COLUMNS:
                return [near.right(self._column(messages)), near.right(self._column(claims))]
            case Payload.COUNTS:
                return [near.right(near.number(0, 4)), near.right(near.number(1, 64))]

    def _column(self, records: list[bytes]) -> list[Any]:
        near = self.near
        num = near.one_of([2, 2, 2, 0, 1, 5])
        values = [None if near.chance(0.1) else near.one_of(records) for _ in range(num)]
        if near.chance(0.4):
            return [near.right(each) for each in values]
        data = b"".join(each or b"" for each in values)
        sizes = [NIL if each is None else len(each) for each in values]
        lengths: Any = b"".join(size.to_bytes(4, "little") for size in sizes)
        if set(sizes) == {len(records[0])}:
            lengths = len(records[0])
        return [near.right(num), near.right(lengths), near.right(data)]

    def _by_name(self) -> list[Any]:
        near, model = self.near, kms_model()
        names = [
            name
            for name, said in model["operations"].items()
            if "input" in said and not name.startswith(SPOILING)
        ]
        name = near.one_of(names)
        members = model["shapes"][model["operations"][name]["input"]["shape"]].get("members", {})
        given = {
            member: near.right(self._member(member, model["shapes"][said["shape"]]))
            for member, said in members.items()
            if near.chance(0.7)
        }
        return [near.number(0, 3), name, near.right(given)]

    def _member(self, name: str, shape: dict[str, Any]) -> Any:
        near = self.near
        match shape["type"]:
            case "string":
                return near.one_of(shape.get("enum", ["alias/a"] if "Key" in name else ["a"]))
            case "blob":
                return near.one_of([*self._world.blobs, b"m"])
            case "boolean":
                return near.chance(0.5)
            case "integer":
                return near.number(1, 1024)
            case "map":
                return self._context() or {}
            case "list":
                return []
        return near.one_of([0, 1 << 31, "2038-01-19T03:14:08Z", "0001-01-01T00:00:00+23:59"])


# ---- the law ------------------------------------------------------------------------------------


def check_refusal(closing: Closing) -> None:
    [[request_id, status, [code, _, _]]] = frames_of(closing.frame)
    assert (request_id, status) == (None, 1)
    assert code in {"SerializationException", "ValidationException"}


def check_answer(body: bytes, made: bytes) -> str:
    """Passes when it is the answer to a frame; its code, "" for one that succeeded."""
    sent = msgpack.unpackb(body)
    *parts, (request_id, status, answer) = frames_of(made)
    assert parts == []
    assert request_id == sent[0]
    if status == 0:
        return ""
    assert status == 1
    code, retryable, message = answer
    assert code != "KMSInternalException", sent
    assert (type(code), type(retryable), type(message)) == (str, bool, str)
    return code


def exchange(world: World, seed: int, codes: Counter[str]) -> None:
    """One connection, until it ends."""
    frames = Frames(world, seed)
    session = world.session()
    try:
        said, _ = session.hello(frames.hello())
        [[magic, version, facts]] = frames_of(said)
        assert (magic, version, type(facts)) == ("kmsfast", 1, dict)
        for _ in range(frames.near.number(1, 6)):
            body = frames.body()
            rest = frames.near.blob(3) if frames.near.chance(0.1) else b""
            made = session.receive(body, 0.0, rest)
            if made is None:
                sent = msgpack.unpackb(body)
                assert sent[1] == 0 or sent[5]["more"] > 0
                codes["awaits chunks"] += 1
                continue
            whole = made if isinstance(made, bytes) else made()
            codes[check_answer(body, whole)] += 1
    except Closing as closing:
        check_refusal(closing)
        codes["closes"] += 1
    finally:
        session.close()
    assert world.door.announced._of == {}


@pytest.mark.parametrize(
    ("first", "num"), [(0, 1500), pytest.param(1 << 20, 40_000, marks=pytest.mark.slow)]
)
def test_any_frame_is_answered_once_or_ends_its_connection(
    world: World, first: int, num: int
) -> None:
    codes = Counter[str]()
    for seed in range(first, first + num):
        try:
            exchange(world, seed, codes)
        except Exception as error:
            raise AssertionError(f"the connection of seed {seed}") from error
    reached = {"", "closes", "awaits chunks", "SerializationException", "ValidationException"}
    reached |= {"NotFoundException", "InvalidCiphertextException", "InvalidKeyUsageException"}
    assert reached <= set(codes), codes
    assert codes[""] > num / 2
