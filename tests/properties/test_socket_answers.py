"""The client's side of the socket: whatever a server sends, a call has its result or one error.

The socket is not there: what the client sends is answered nearly right (tests/near.py), in any
order and cut anywhere. Law: a call returns what its kind promises, or raises a KmsError.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgpack
import numpy as np
import pytest
from near import Near

from kmsfast import DataKey, KmsError, Packed
from kmsfast.client import columns, connection, driving, sync
from kmsfast.client.description import Description
from kmsfast.client.protocol import Protocol

ARN = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000"
NIL = 0xFFFFFFFF
NUM = 9
METADATA = {
    "KeyId": ARN.rpartition("/")[2], "Arn": ARN, "KeyState": "Enabled",
    "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS",
    "KeyManager": "CUSTOMER", "Description": "", "MultiRegion": False, "CreationDate": 1 << 30,
    "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
}  # fmt: skip


GRANT = {
    "GrantId": "g" * 64, "Operations": ["Encrypt"], "CreationDate": 1 << 30,
    "GranteePrincipal": "arn:aws:iam::000000000000:user/ada",
}  # fmt: skip


class Server:
    """What a client takes for a socket, and whoever answers at its other end."""

    near: Near  # of the test

    def __init__(self, *_: object) -> None:
        self._sent, self._coming, self._asked = bytearray(), bytearray(), list[list[Any]]()

    def settimeout(self, _: float) -> None: ...
    def connect(self, _: str) -> None: ...
    def setblocking(self, _: bool) -> None: ...
    def setsockopt(self, *_: object) -> None: ...
    def close(self) -> None: ...

    def send(self, data: Any, _flags: int) -> int:
        self._sent += data
        return len(data)

    def sendmsg(self, buffers: list[Any], *_: object) -> int:
        return sum(self.send(each, 0) for each in buffers)

    def recv_into(self, room: memoryview) -> int:
        if not self._coming:
            self._answer()
        near = self.near
        size = min(len(room), len(self._coming))
        size = near.number(min(1, size), size) if near.chance(0.3) else size
        room[:size] = self._coming[:size]
        del self._coming[:size]
        return size

    def _answer(self) -> None:
        """Answers some of what was asked."""
        while len(self._sent) >= 4 + (size := int.from_bytes(self._sent[:4], "big")):
            asked = msgpack.unpackb(self._sent[4 : 4 + size])
            del self._sent[: 4 + size]
            if asked[1] != 0:
                self._asked.append(asked)
        for _ in range(self.near.number(1, max(1, len(self._asked)))):
            if self._asked:
                at = self.near.number(0, len(self._asked) - 1)
                self._coming += self._frames(self._asked.pop(at))

    def _frames(self, asked: list[Any]) -> bytes:
        near = self.near
        if asked[0] == "kmsfast":
            said = {
                "server": lambda: "kmsfast/9", "region": lambda: "us-east-1",
                "account": lambda: "0" * 12, "principal": lambda: None,
                "max_frame": lambda: 16 << 20, "max_inflight": lambda: 7,
                "features": lambda: ["batch", "chunks"],
            }  # fmt: skip
            facts = near.right(near.some(said, 0.9))
            return self._frame([near.right("kmsfast"), near.right(1), facts])
        number = near.right(asked[0])
        if near.chance(0.05):
            error = [near.right("NotFoundException"), near.right(False), near.right("gone")]
            return self._frame([number, 1, near.right(error)])
        body, parts = answered(near, asked), b""
        if near.chance(0.1) and isinstance(body, bytes):
            parts, body = self._frame([number, 2, near.right(body[:3])]), body[3:]
        return parts + self._frame([number, near.right(0), near.right(body)])

    def _frame(self, value: list[Any]) -> bytes:
        body = self.near.packed(self.near.right(value))
        size = len(body)
        if self.near.chance(0.01):
            size = self.near.one_of([0, 1, size + 1, 1 << 20, (1 << 32) - 1])
        return size.to_bytes(4, "big") + body


def answered(near: Near, asked: list[Any]) -> Any:
    """The right answer's form, with parts of it that are not."""
    operation = asked[1]
    if isinstance(operation, str):
        return near.some({name: lambda m=m: m for name, m in BY_NAME[operation].items()}, 1.0)
    if operation in {6, 8}:
        return near.chance(0.5)
    if operation == 3:
        return [near.right(bytes(32)), near.right(b"blob")]
    if operation < 32:
        return near.blob(20)
    if operation in {38, 40}:
        num = asked[4][0][0]
        return [near.right(bytes(near.number(0, 1) for _ in range(num))), near.right(None)]
    num, lengths, _ = asked[4]
    failed = [i for i in range(num) if near.chance(0.02)]
    more = 0 if isinstance(lengths, int) else near.number(0, 1)
    sizes = [NIL if i in failed else 8 + near.number(0, more) for i in range(num)]
    listed: Any = b"".join(size.to_bytes(4, "little") for size in sizes)
    total = sum(size for size in sizes if size != NIL)
    if total == 8 * num and near.chance(0.5):
        listed = 8
    column = [near.right(num), near.right(listed), near.right(bytes(total))]
    errors = [[near.right(i), near.right("X"), False, near.right("no")] for i in failed]
    return [near.right(column), near.right(errors or None)]


BY_NAME: Mapping[str, Mapping[str, Any]] = {
    "DescribeKey": {"KeyMetadata": METADATA},
    "ListKeys": {"Keys": [{"KeyArn": ARN, "KeyId": ARN}], "Truncated": False},
    "ListAliases": {"Aliases": [{"AliasName": "alias/a"}], "Truncated": False},
    "ListResourceTags": {"Tags": [{"TagKey": "a", "TagValue": "b"}], "Truncated": False},
    "ListGrants": {"Grants": [GRANT], "Truncated": False},
    "GetKeyRotationStatus": {"KeyRotationEnabled": True, "RotationPeriodInDays": 365},
}


class Use(NamedTuple):
    """A call, and whether something is what it returns."""

    call: Callable[[Any, Any], Any]
    returns: Callable[[Any], bool]


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is kind


def _list(value: Any) -> bool:
    return len(value) == NUM and all(type(each) is bytes for each in value)


def _rows(value: Any) -> bool:
    return value.dtype == np.uint8 and value.shape[0] == NUM


def _truths(value: Any) -> bool:
    return value.dtype == np.bool_ and value.shape == (NUM,)


ROWS = np.zeros((NUM, 8), np.uint8)
PACKED = Packed(np.zeros(3 * NUM, np.uint8), np.arange(0, 3 * NUM + 1, 3))
DIGESTS = [bytes(32)] * NUM
ECDSA = {"algorithm": "ECDSA_SHA_256"}
USES: Mapping[str, Use] = {
    "encrypt": Use(lambda _, key: key.encrypt(b"x"), _is(bytes)),
    "decrypt": Use(lambda _, key: key.decrypt(b"x", {"a": "b"}), _is(bytes)),
    "decrypt any": Use(lambda kms, _: kms.decrypt(b"x"), _is(bytes)),
    "random": Use(lambda kms, _: kms.generate_random(4), _is(bytes)),
    "data key": Use(lambda _, key: key.generate_data_key(), _is(DataKey)),
    "wrapped key": Use(lambda _, key: key.generate_data_key_without_plaintext(), _is(DataKey)),
    "sign": Use(lambda _, key: key.sign(b"m", **ECDSA), _is(bytes)),
    "verify": Use(lambda _, key: key.verify(b"m", b"s", **ECDSA), lambda value: value is None),
    "mac": Use(lambda _, key: key.mac(b"m"), _is(bytes)),
    "verify mac": Use(lambda _, key: key.verify_mac(b"m", b"s"), lambda value: value is None),
    "lists": Use(lambda _, key: key.encrypt_batch([b"abc"] * NUM), _list),
    "rows": Use(lambda _, key: key.encrypt_batch(ROWS), _rows),
    "packed": Use(lambda _, key: key.encrypt_batch(PACKED), lambda v: len(v.offsets) == NUM + 1),
    "blobs": Use(lambda _, key: key.decrypt_batch([bytes(99)] * NUM), _list),
    "macs": Use(lambda _, key: key.mac_batch(ROWS), _rows),
    "signatures": Use(lambda _, key: key.sign_batch(DIGESTS, **ECDSA), _list),
    "verify many": Use(lambda _, key: key.verify_batch(DIGESTS, DIGESTS, **ECDSA), _truths),
    "describe": Use(lambda _, key: key.describe(), _is(Description)),
    "keys": Use(lambda kms, _: kms.keys(), _is(list)),
    "aliases": Use(lambda kms, _: kms.aliases(), _is(list)),
    "tags": Use(lambda _, key: key.get_tags(), _is(dict)),
    "grants": Use(lambda _, key: key.grants(), _is(list)),
    "rotation": Use(lambda _, key: key.get_rotation(), lambda value: value is not None),
}


@pytest.fixture(autouse=True)
def _no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("AF_UNIX", "SOCK_STREAM", "SOL_SOCKET", "SO_RCVTIMEO", "MSG_DONTWAIT")
    there = {name: getattr(socket, name) for name in names}
    monkeypatch.setattr(connection, "socket", SimpleNamespace(socket=Server, **there))
    monkeypatch.setattr(driving, "_PAUSE", 0)
    monkeypatch.setattr(columns, "_PIECE", 300)  # a few pieces for each batch


def outcome(seed: int, name: str) -> str:
    """What became of a call: the name of its error, or "" when it returned what it promises."""
    Server.near = Near(seed)
    use = USES[name]
    try:
        with sync.connect("/nowhere") as kms:
            made = use.call(kms, sync.Key(kms, ARN))
    except KmsError as error:
        return type(error).__name__
    assert use.returns(made), made
    return ""


@pytest.mark.parametrize(
    ("first", "num"), [(0, 60), pytest.param(1 << 20, 5_000, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", USES)
def test_a_call_has_its_result_or_one_error(name: str, first: int, num: int) -> None:
    found = Counter[str]()
    for seed in range(first, first + num):
        try:
            found[outcome(seed, name)] += 1
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}") from error
    assert found[""] + found["BatchError"] > num / 5, found
    assert found["ProtocolError"], found


def test_the_clients_protocol_takes_any_bytes() -> None:
    """Answers, or a KmsError; never anything else, and never an answer after the end."""
    for seed in range(3000):
        near, protocol = Near(seed), Protocol()
        data = bytearray(_frame(["kmsfast", 1, {}]) if near.chance(0.8) else b"")
        for _ in range(near.number(1, 5)):
            body = near.packed(near.right([near.number(0, 3), near.number(0, 2), near.anything()]))
            data += len(body).to_bytes(4, "big") + body
        try:
            while data:
                room = protocol.room()
                size = min(len(room), len(data), near.number(1, 40))
                room[:size] = data[:size]
                del data[:size]
                for number, answer in protocol.received(size):
                    assert isinstance(number, int)
                    assert answer.error is None or isinstance(answer.error, KmsError)
        except KmsError:
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


def _frame(value: Any) -> bytes:
    body = msgpack.packb(value)
    return len(body).to_bytes(4, "big") + body
