"""The session: every operation by name and by number, refusals, permissions, events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore_model import kms_model
from socket_line import frame, frames_of

import kmsfast
from kmsfast.crypto import counters
from kmsfast.operations import OPERATIONS
from kmsfast.server.session import Closing, Session
from kmsfast.server.socket_door import Door, Peer
from kmsfast.server.socket_metering import DOOR
from kmsfast.server.socket_recording import SocketRecording
from kmsfast.wire.model import ServiceModel
from kmsfast.wire.socket_members import socket_model

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


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with kmsfast.open(tmp_path / "store", create=True, audit="off") as kms:
        yield World(kms)


@pytest.fixture
def admin(world: World) -> Session:
    return world.session()


# ---- the hello ----------------------------------------------------------------------------------


def test_the_hello_says_who_and_where(world: World) -> None:
    session = Session(world.door, Peer(ADA, ()), lambda: 0.0)
    answer, visitor = session.hello(frame("kmsfast", 0, 9, {"x": 1, "region": "us-east-1"})[4:])
    [[magic, version, facts]] = frames_of(answer)
    assert (magic, version) == ("kmsfast", 1)
    assert facts["principal"] == visitor.arn == "arn:aws:iam::000000000000:user/ada"
    assert (facts["region"], facts["account"]) == ("us-east-1", "000000000000")
    assert facts["max_frame"] == 16 << 20


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (["http", 1, 1, {}], "SerializationException", "The first frame is"),
        (["kmsfast", 1, 1], "SerializationException", "The first frame is"),
        (["kmsfast", 2, 1, {}], "SerializationException", "versions that the client speaks"),
        (["kmsfast", 1, 1, {"region": 5}], "SerializationException", "are strings"),
        (["kmsfast", 2, 3, {}], "ValidationException", "speaks versions 2 to 3"),
        (["kmsfast", 1, 1, {"region": "mars-1"}], "ValidationException", "'mars-1' is not served"),
    ],
)
def test_another_hello_ends_the_connection(
    world: World, said: list[Any], code: str, words: str
) -> None:
    session = Session(world.door, Peer(ADMIN, ()), lambda: 0.0)
    with pytest.raises(Closing) as closing:
        session.hello(frame(*said)[4:])
    [[request_id, status, error]] = frames_of(closing.value.frame)
    assert (request_id, status, error[0]) == (None, 1, code)
    assert words in error[2]


@pytest.mark.parametrize("uid", [NOBODY, 65_534, (1 << 32) - 1])
def test_who_is_not_mapped_is_nobody(world: World, uid: int) -> None:
    session = Session(world.door, Peer(uid, (ADMIN,)), lambda: 0.0)
    with pytest.raises(Closing, match="is no principal"):
        session.hello(frame("kmsfast", 1, 1, {})[4:])


def test_a_group_is_somebody_unless_it_is_two(world: World) -> None:
    world.kms.principals.map_gid(50, "ada")
    assert world.session(NOBODY, (7, 50)).visitor.arn.endswith("user/ada")
    world.kms.principals.map_gid(51, "administrator")
    with pytest.raises(Closing):
        world.session(NOBODY, (50, 51))


def test_before_the_hello_there_is_nothing(world: World) -> None:
    session = Session(world.door, Peer(ADMIN, ()), lambda: 0.0)
    with pytest.raises(Closing, match="is the hello"):
        session.receive(frame(1, "ListKeys", {})[4:], 0.0)


# ---- by name ------------------------------------------------------------------------------------


def test_members_are_those_of_aws_and_blobs_are_bytes(world: World, admin: Session) -> None:
    made = body(admin, "Encrypt", {"KeyId": "alias/a", "Plaintext": b"\0\xff"})
    assert made["KeyId"] == world.key.arn
    assert body(admin, "Decrypt", {"CiphertextBlob": made["CiphertextBlob"]})["Plaintext"] == (
        b"\0\xff"
    )
    key = body(admin, "DescribeKey", {"KeyId": "alias/a"})["KeyMetadata"]
    assert key["Arn"] == world.key.arn
    assert isinstance(key["CreationDate"], str | int)


def test_times_come_as_seconds_or_as_iso_8601(world: World, admin: Session) -> None:
    key = world.kms.create_key(origin="EXTERNAL")
    for when in (1 << 31, "2038-01-19T03:14:08+00:00", "2038-01-19T03:14:08Z"):
        code, message = refused(
            admin, "ImportKeyMaterial",
            {"KeyId": key.id, "ImportToken": b"x", "EncryptedKeyMaterial": b"x", "ValidTo": when},
        )  # fmt: skip
        assert code == "ValidationException"  # of a later check: the time is beyond a year
        assert "expiration" in message.lower() or "365" in message
    for when in ("tomorrow", "2038-01-19", b"x", "0001-01-01T00:00:00+01:00"):
        code, _ = refused(
            admin, "ImportKeyMaterial",
            {"KeyId": key.id, "ImportToken": b"x", "EncryptedKeyMaterial": b"x", "ValidTo": when},
        )  # fmt: skip
        assert code == "SerializationException"


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        (["Nope", {}], "UnknownOperationException", "'Nope'"),
        (["Encrypt", {}], "ValidationException", "2 validation errors detected"),
        (["Encrypt", {"KeyId": "a", "Plaintext": "eA=="}], "SerializationException", "to a Blob"),
        (["Encrypt", {"KeyId": b"a", "Plaintext": b"x"}], "SerializationException", "BINARY_VALUE"),
        (["Encrypt", {"KeyId": "a", "Plaintext": bytes(4097)}], "ValidationException", "4096"),
        (["Encrypt", {"KeyId": "alias/no", "Plaintext": b"x"}], "NotFoundException", "alias/no"),
        (["Encrypt", {"KeyId": "alias/a", "Plaintext": b"x", "DryRun": True}],
         "DryRunOperationException", "would have succeeded"),
        (["ListKeys", {}, {"tokens": []}], "ValidationException", "no option 'tokens'"),
        (["ListKeys", {}, {"deadline": -1}], "SerializationException", "milliseconds"),
        (["ListKeys", {}, 5], "SerializationException", "a map or nil"),
        (["ListKeys", []], "SerializationException", "[id, name, {members}"),
        ([99, None, None, None], "UnknownOperationException", "number 99"),
        ([-1, None, None, None], "UnknownOperationException", "number -1"),
        ([1, "alias/a", None], "SerializationException", "[id, number, key"),
        ([1, None, None, b"x"], "ValidationException", "'keyId'"),
        ([1, 5, None, b"x"], "SerializationException", "a string or nil"),
        ([1, "", None, b"x"], "ValidationException", "1 to 2048"),
        ([1, "alias/a", {"a": 1}, b"x"], "SerializationException", "map of strings"),
        ([1, "alias/a", None, "x"], "SerializationException", "payload is bin"),
        ([1, "alias/a", None, b"x", {"aad": [b"x"]}], "SerializationException", "one record"),
        ([1, "alias/a", None, b"x", {"raw": True}], "ValidationException", "no option 'raw'"),
        ([1, "alias/a", None, b"x", {"what": 1}], "ValidationException", "no option 'what'"),
        ([1, "alias/a", None, b"x", {"tokens": ["x"] * 11}], "SerializationException", "most 10"),
        ([1, "alias/a", None, b"x", {"tokens": ["x"]}], "InvalidGrantTokenException", ""),
        ([1, "alias/a", None, b"x", {"more": 1 << 30}], "ValidationException", "1073741824"),
        ([33, "alias/a", None, [b"x"], {"more": 1}], "SerializationException", "packed column"),
        ([33, "alias/a", None, b"xyz", {"more": 1}], "SerializationException", "packed column"),
        ([33, "alias/a", None, [b"x"], {"aad": b"x"}], "SerializationException", "is no column"),
        ([33, "alias/a", None, [b"x"], {"aad": []}], "ValidationException", "aad has 0 records"),
        ([33, "alias/a", None, [b"x"], {"aad": [None]}], "ValidationException", "no nil"),
        ([33, "alias/a", None, b"x"], "SerializationException", "is no column"),
        ([33, "alias/s", None, [b"x"]], "InvalidKeyUsageException", ""),
        ([35, "alias/a", None, [1, 0]], "ValidationException", "num_bytes"),
        ([35, "alias/a", None, [1 << 20, 1024]], "ValidationException", "do not fit"),
        ([35, "alias/a", None, [-1, 1]], "ValidationException", "count must be"),
        ([35, "alias/a", None, 5], "SerializationException", "[count, bytes of each]"),
        ([5, "alias/no", None, b"x"], "NotFoundException", "alias/no"),
        ([5, "alias/a", None, b"x"], "InvalidKeyUsageException", ""),
        ([5, "alias/m", None, b"x", {"digest": True}], "InvalidKeyUsageException", ""),
        ([5, "alias/s", None, b"x", {"algorithm": "MD5"}], "ValidationException", "MD5"),
        ([5, "alias/a", None, b"x", ECDSA], "InvalidKeyUsageException", ""),
        ([6, "alias/s", None, b"x", ECDSA], "SerializationException", "two bin"),
        ([38, "alias/s", None, [[b"x"], []], ECDSA], "ValidationException", "1 and 0 records"),
        ([10, None, None, 1025], "ValidationException", "1 to 1024"),
        ([10, None, None, b"x"], "SerializationException", "an integer"),
        ([42, None, None, [1, 1025]], "ValidationException", "1 to 1024"),
    ],
)  # fmt: skip
def test_a_request_is_refused_by_its_id(
    admin: Session, values: list[Any], code: str, words: str
) -> None:
    found = refused(admin, *values)
    assert found[0] == code
    assert words in found[1]
    assert body(admin, "ListKeys", {"Limit": 1})["Truncated"]  # the connection goes on


@pytest.mark.parametrize(
    "sent",
    [
        frame()[4:], frame(1)[4:], frame(1, 2)[4:], frame(-1, "ListKeys", {})[4:],
        frame("1", "ListKeys", {})[4:], frame(True, "ListKeys", {})[4:], frame(1, None, {})[4:],
        frame(1, 0, "x")[4:], frame(1, 0, b"x", 5)[4:], frame(1, 0, b"")[4:], b"\xc0", b"",
    ],
)  # fmt: skip
def test_what_has_no_id_ends_the_connection(admin: Session, sent: bytes) -> None:
    with pytest.raises(Closing):
        admin.receive(sent, 0.0)


def test_a_frame_that_we_fail_to_read_ends_its_connection(
    admin: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> None:
        raise IndexError("secret")

    monkeypatch.setattr("kmsfast.server.session.read_request", fails)
    with pytest.raises(Closing) as closing:
        admin.receive(frame(1, "ListKeys", {})[4:], 0.0)
    [[request_id, status, error]] = frames_of(closing.value.frame)
    assert (request_id, status, error[0]) == (None, 1, "KMSInternalException")
    assert "secret" not in error[2]
    assert "could not be read" in caplog.text


def test_every_operation_can_be_asked_for(admin: Session) -> None:
    for name in OPERATIONS:
        made = admin.receive(frame(1, name, {})[4:], 0.0)
        assert callable(made)
        [[_, status, answer]] = frames_of(made())
        assert status == 0 or answer[0] not in {"KMSInternalException", "UnknownOperationException"}


# ---- by number ----------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 3])  # the first takes the long way, the others the short one
def test_single_records(world: World, admin: Session, times: int) -> None:
    context = {"table": "a"}
    for _ in range(times):
        blob = body(admin, 1, "alias/a", context, b"one")
        assert world.kms.decrypt(blob, context) == b"one"
        assert body(admin, 2, None, context, blob) == b"one"
        assert body(admin, 2, "alias/a", context, blob) == b"one"
        plaintext, sealed = body(admin, 3, "alias/a", context, 24)
        assert (len(plaintext), world.kms.decrypt(sealed, context)) == (24, plaintext)
        assert len(world.kms.decrypt(body(admin, 4, "alias/a", context, 9), context)) == 9
        signature = body(admin, 5, "alias/s", None, b"m", ECDSA)
        world.signer.verify(b"m", signature)
        assert body(admin, 6, "alias/s", None, [b"m", signature], ECDSA) is True
        assert body(admin, 6, "alias/s", None, [b"n", signature], ECDSA) is False
        mac = body(admin, 7, "alias/m", None, b"m", HMAC)
        assert mac == world.macker.mac(b"m")
        assert body(admin, 8, "alias/m", None, [b"m", mac], HMAC) is True
        assert body(admin, 8, "alias/m", None, [b"n", mac], HMAC) is False
        moved = body(admin, 9, "alias/b", context, blob, {"to_context": {"b": "c"}})
        assert world.other.decrypt(moved, {"b": "c"}) == b"one"
        assert len(body(admin, 10, None, None, 33)) == 33


def test_options_that_aws_does_not_have(world: World, admin: Session) -> None:
    for _ in range(2):
        blob = body(admin, 1, "alias/a", None, b"x", {"aad": b"row 1"})
        assert world.kms.decrypt(blob, aad=b"row 1") == b"x"
        assert body(admin, 2, None, None, blob, {"aad": b"row 1"}) == b"x"
        assert refused(admin, 2, None, None, blob) == ("InvalidCiphertextException", "")
        code, _ = refused(admin, 2, "alias/b", None, blob, {"aad": b"row 1"})
        assert code == "IncorrectKeyException"
        raw = body(admin, 5, "alias/s", None, b"m", {**ECDSA, "raw": True})
        assert len(raw) == 64
        assert body(admin, 6, "alias/s", None, [b"m", raw], {**ECDSA, "raw": True}) is True
        assert body(admin, 6, "alias/s", None, [b"n", raw], {**ECDSA, "raw": True}) is False
        digest = {**ECDSA, "digest": True}
        signature = body(admin, 5, "alias/s", None, bytes(32), digest)
        assert body(admin, 6, "alias/s", None, [bytes(32), signature], digest) is True
        assert refused(admin, 5, "alias/s", None, b"m", digest)[0] == "ValidationException"


def test_an_algorithm_need_not_be_named_where_there_is_one(world: World, admin: Session) -> None:
    signature = body(admin, 5, "alias/s", None, b"m")
    assert body(admin, 6, "alias/s", None, [b"m", signature]) is True
    [first], _ = body(admin, 37, "alias/s", None, [b"m"], {"deterministic": True})
    assert body(admin, 5, "alias/s", None, b"m", {"deterministic": True}) == first
    assert body(admin, 7, "alias/m", None, b"m") == body(admin, 39, "alias/m", None, [b"m"])[0][0]
    world.kms.create_key(alias="alias/r", spec="RSA_2048", usage="SIGN_VERIFY")
    assert "choose one" in refused(admin, 5, "alias/r", None, b"m")[1]
    rsa = {"algorithm": "RSASSA_PSS_SHA_256"}
    signed, _ = body(admin, 37, "alias/r", None, [2, 1, b"mn"], rsa)
    assert body(admin, 38, "alias/r", None, [[2, 1, b"mn"], signed], rsa) == [b"\1\1", None]
    assert "ECDSA alone" in refused(admin, 5, "alias/r", None, b"m", {**rsa, "raw": True})[1]
    world.kms.create_key(alias="alias/q", spec="ML_DSA_44", usage="SIGN_VERIFY")
    made = body(admin, 5, "alias/q", None, bytes(64), {"digest": True})
    assert body(admin, 6, "alias/q", None, [bytes(64), made], {"digest": True}) is True


def test_policies_see_the_algorithm_that_was_not_named(world: World) -> None:
    world.allow("kms:Sign", Condition={"StringEquals": {"kms:SigningAlgorithm": "ECDSA_SHA_256"}})
    ada = world.session(ADA)
    assert body(ada, 5, "alias/s", None, b"m")
    assert body(ada, 37, "alias/s", None, [b"m"])
    for name in ("alias/a", "alias/m"):  # of other usages, which ada is not told
        assert refused(ada, 5, name, None, b"m")[0] == "AccessDeniedException"


def test_more_than_aws_takes(world: World, admin: Session) -> None:
    assert world.kms.decrypt(body(admin, 1, "alias/a", None, bytes(1 << 20))) == bytes(1 << 20)
    assert world.kms.decrypt(body(admin, 1, "alias/a", None, b"")) == b""


COLUMNS = [
    [b"a", None, b"bcd"],
    [3, np.array([1, 0xFFFFFFFF, 3], "<u4").tobytes(), b"abcd"],
    [2, 3, b"abcxyz"],
]


@pytest.mark.parametrize("sent", COLUMNS)
def test_batches_go_and_come_back(admin: Session, sent: list[Any]) -> None:
    blobs, errors = body(admin, 33, "alias/a", {"c": "d"}, sent)
    assert errors is None
    assert body(admin, 34, None, {"c": "d"}, blobs) == [sent, None]
    assert body(admin, 34, "alias/a", {"c": "d"}, blobs) == [sent, None]
    moved, errors = body(admin, 41, "alias/b", {"c": "d"}, blobs, {"to_context": {"e": "f"}})
    assert errors is None
    assert body(admin, 34, "alias/b", {"e": "f"}, moved) == [sent, None]


@pytest.mark.parametrize("sent", COLUMNS)
@pytest.mark.parametrize("options", [ECDSA, {**ECDSA, "raw": True}])
def test_batches_of_signatures_and_macs(
    admin: Session, sent: list[Any], options: dict[str, Any]
) -> None:
    flags = b"\1\1" if sent == COLUMNS[2] else b"\1\0\1"
    signatures, errors = body(admin, 37, "alias/s", None, sent, options)
    assert errors is None
    assert body(admin, 38, "alias/s", None, [sent, signatures], options) == [flags, None]
    macs, errors = body(admin, 39, "alias/m", None, sent, HMAC)
    assert errors is None
    assert body(admin, 40, "alias/m", None, [sent, macs], HMAC) == [flags, None]
    assert body(admin, 40, "alias/m", None, [sent[:0] or macs, macs], HMAC)[0] == (
        bytes(len(flags))
    )


def test_made_batches(world: World, admin: Session) -> None:
    [plain, blobs], errors = body(admin, 35, "alias/a", {"c": "d"}, [5, 16])
    assert (plain[:2], blobs[:2], errors) == ([5, 16], [5, 112], None)
    assert body(admin, 34, None, {"c": "d"}, blobs) == [plain, None]
    blobs, _ = body(admin, 36, "alias/a", None, [5, 16])
    assert blobs[:2] == [5, 112]
    assert body(admin, 34, None, None, blobs)[0][:2] == [5, 16]
    drawn, _ = body(admin, 42, None, None, [5, 16])
    assert drawn[:2] == [5, 16]
    assert (
        len(set(np.frombuffer(drawn[2], np.uint8).reshape(5, 16).view("V16").ravel().tolist())) == 5
    )


def test_records_fail_one_by_one(world: World, admin: Session) -> None:
    blobs, _ = body(admin, 33, "alias/a", None, [b"a", b"b", b"c"])
    changed = blobs[1][:-1] + bytes([blobs[1][-1] ^ 1])
    values, errors = body(admin, 34, None, None, [blobs[0], changed, None, b"", blobs[2]])
    assert values == [b"a", None, None, None, b"c"]
    assert errors == [
        [1, "InvalidCiphertextException", False, ""], [3, "InvalidCiphertextException", False, ""],
    ]  # fmt: skip
    values, errors = body(admin, 34, None, None, [3, 97, blobs[0] + changed + blobs[2]])
    assert values == [3, b"\1\0\0\0" + NIL + b"\1\0\0\0", b"ac"]
    assert [each[0] for each in errors] == [1]
    values, errors = body(admin, 34, None, None, [2, 3, b"abcdef"])
    assert values == [2, NIL + NIL, b""]
    assert [each[0] for each in errors] == [0, 1]


def test_associated_data_of_each_record(world: World, admin: Session) -> None:
    aad = [b"1", b"2", b"3"]
    blobs, _ = body(admin, 33, "alias/a", None, [b"a", None, b"c"], {"aad": aad})
    assert world.kms.decrypt(blobs[2], aad=b"3") == b"c"
    assert body(admin, 34, None, None, blobs, {"aad": aad}) == [[b"a", None, b"c"], None]
    _, errors = body(admin, 34, None, None, blobs, {"aad": aad[::-1]})
    assert [each[0] for each in errors] == [0, 2]


# ---- time, chunks, long answers -----------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [["ListKeys", {}, {"deadline": 50}], [1, "alias/a", None, b"x", {"deadline": 50}],
     [33, "alias/a", None, [b"x"], {"deadline": 50}]],
)  # fmt: skip
def test_a_deadline_is_of_its_arrival(world: World, admin: Session, values: list[Any]) -> None:
    made = admin.receive(frame(7, *values)[4:], world.now)
    assert callable(made)
    assert frames_of(made())[0][1] == 0
    late = admin.receive(frame(7, *values)[4:], world.now - 0.06)
    data = late() if callable(late) else late
    assert frames_of(data)[0][2][:2] == ["DependencyTimeoutException", True]


def chunked(session: Session, first: list[Any], *rest: bytes) -> list[Any]:
    assert session.receive(frame(7, *first)[4:], 100.0) is None
    made: Any = None
    for each in rest:
        assert made is None
        made = session.receive(frame(7, 0, each)[4:], 100.0)
    return frames_of(made if isinstance(made, bytes) else made())


def test_payloads_in_chunks(world: World, admin: Session) -> None:
    for _ in range(2):  # the second time by the short way
        [[_, status, blob]] = chunked(
            admin, [1, "alias/a", None, b"ab", {"more": 4}], b"c", b"d", b"ef"
        )
        assert (status, world.kms.decrypt(blob)) == (0, b"abcdef")
    [[_, status, [values, errors]]] = chunked(
        admin, [33, "alias/a", None, [3, 2, b"a"], {"more": 5}], b"aabb", b"b"
    )
    assert (status, values[:2], errors) == (0, [3, 98], None)
    big = bytes(3 << 20)
    [[_, _, blob]] = chunked(
        admin, [1, "alias/a", None, big[:9], {"more": len(big) - 9}], big[9 : 2 << 20],
        big[2 << 20 :],
    )  # fmt: skip
    assert world.kms.decrypt(blob) == big


def test_chunks_of_a_refused_request_are_dropped(admin: Session) -> None:
    assert refused(admin, 1, None, None, b"x", {"more": 5})[0] == "ValidationException"
    assert admin.receive(frame(7, 0, b"xxxxx")[4:], 0.0) is None
    assert body(admin, 10, None, None, 1)


def test_too_many_chunks_are_malformed(admin: Session) -> None:
    assert admin.receive(frame(7, 1, "alias/a", None, b"", {"more": 2})[4:], 0.0) is None
    with pytest.raises(Closing, match="longer than it said"):
        admin.receive(frame(7, 0, b"xxx")[4:], 0.0)
    with pytest.raises(Closing, match="not complete yet"):
        admin.receive(frame(7, 1, "alias/a", None, b"", {"more": 2})[4:], 0.0)


def test_what_a_uid_announces_is_bounded(world: World) -> None:
    first, second, other = world.session(), world.session(), world.session(ADA)
    big = (1 << 30) - 10
    assert first.receive(frame(7, 1, "alias/a", None, b"", {"more": big})[4:], 0.0) is None
    assert second.receive(frame(7, 1, "alias/a", None, b"", {"more": 10})[4:], 0.0) is None
    code, status, error = ask(second, 8, 1, "alias/a", None, b"", {"more": 1})
    assert (code, status, error[:2]) == (8, 1, ["ThrottlingException", True])
    assert other.receive(frame(7, 1, "alias/a", None, b"", {"more": big})[4:], 0.0) is None
    first.close()
    assert second.receive(frame(8, 1, "alias/a", None, b"", {"more": big})[4:], 0.0) is None


def test_long_answers_come_in_parts(world: World, admin: Session) -> None:
    size = (16 << 20) - 500
    made = admin.receive(frame(7, 33, "alias/a", None, [4, size // 4, bytes(size)])[4:], 0.0)
    assert callable(made)
    frames = frames_of(made())
    assert [each[:2] for each in frames] == [[7, 0]]  # fits by its 384 bytes more
    step = 1 << 20
    payload = bytes(20 << 20)
    parts = [payload[i : i + step] for i in range(step, len(payload), step)]
    column = [4, len(payload) // 4, payload[:step]]
    frames = chunked(admin, [33, "alias/a", None, column, {"more": len(payload) - step}], *parts)
    assert [each[:2] for each in frames] == [[7, 2], [7, 0]]
    (num, width, rest), errors = frames[1][2]
    data = frames[0][2] + rest
    assert (num, width, len(data), errors) == (4, (5 << 20) + 96, (20 << 20) + 4 * 96, None)
    assert world.kms.decrypt(data[:width]) == payload[: 5 << 20]


# ---- permissions --------------------------------------------------------------------------------


def test_nobody_may_do_what_no_policy_allows(world: World) -> None:
    ada = world.session(ADA)
    for values in (
        ["ListKeys", {}], ["Encrypt", {"KeyId": "alias/a", "Plaintext": b"x"}],
        [1, "alias/a", None, b"x"], [33, "alias/a", None, [b"x"]], [3, "alias/a", None, 32],
        [5, "alias/s", None, b"x", ECDSA], [37, "alias/s", None, [b"x"], ECDSA],
        [7, "alias/m", None, b"x", HMAC], [39, "alias/m", None, [b"x"], HMAC],
        [35, "alias/a", None, [1, 1]], [36, "alias/a", None, [1, 1]], [10, None, None, 1],
        [42, None, None, [1, 1]], [38, "alias/s", None, [[b"x"], [b"x"]], ECDSA],
        [40, "alias/m", None, [[b"x"], [b"x"]], HMAC],
    ):  # fmt: skip
        code, message = refused(ada, *values)
        assert code == "AccessDeniedException", values
        assert "user/ada is not authorized to perform: kms:" in message


@pytest.mark.parametrize("way", ["single", "batch"])
def test_a_context_decides_where_the_policy_says_so(world: World, way: str) -> None:
    world.allow(
        "kms:*", Condition={"StringEquals": {"kms:EncryptionContext:team": "red"}},
    )  # fmt: skip
    ada = world.session(ADA)
    number, payload = (1, b"x") if way == "single" else (33, [b"x"])
    for _ in range(2):
        assert body(ada, number, "alias/a", {"team": "red"}, payload)
        assert refused(ada, number, "alias/a", {"team": "blue"}, payload)[0] == (
            "AccessDeniedException"
        )


def test_each_key_that_blobs_name_is_asked_for(world: World, admin: Session) -> None:
    first, _ = body(admin, 33, "alias/a", None, [b"a1", b"a2"])
    second, _ = body(admin, 33, "alias/b", None, [b"b1"])
    mixed = [first[0], second[0], first[1]]
    assert body(admin, 34, None, None, mixed) == [[b"a1", b"b1", b"a2"], None]
    world.allow("kms:Decrypt", Resource=world.key.arn)
    ada = world.session(ADA)
    values, errors = body(ada, 34, None, None, mixed)
    assert values == [b"a1", None, b"a2"]
    assert [each[:2] for each in errors] == [[1, "AccessDeniedException"]]
    assert "does not exist in this region, or you are not allowed" in errors[0][3]
    values, errors = body(ada, 34, None, None, second)
    assert (values, errors[0][:2]) == ([None], [0, "AccessDeniedException"])
    values, errors = body(ada, 34, "alias/a", None, mixed)
    assert (values, errors[0][:2]) == ([b"a1", None, b"a2"], [1, "IncorrectKeyException"])
    assert refused(ada, 34, "alias/b", None, mixed)[0] == "AccessDeniedException"


def test_reencryption_needs_both_permissions(world: World, admin: Session) -> None:
    first, _ = body(admin, 33, "alias/a", None, [b"a1"])
    second, _ = body(admin, 33, "alias/b", None, [b"b1"])
    mixed = [*first, *second]
    ada = world.session(ADA)
    for allowed, codes in (
        ([], ["AccessDeniedException"] * 2),
        (["kms:ReEncryptTo"], ["AccessDeniedException"] * 2),
        (["kms:ReEncryptFrom"], ["AccessDeniedException"] * 2),
        (["kms:ReEncrypt*"], []),
    ):
        world.allow("kms:ListKeys", *allowed)
        values, errors = body(ada, 41, "alias/b", None, mixed)
        assert [each[1] for each in errors or []] == codes
        assert (values == [None, None]) == bool(codes)
    world.allow("kms:ReEncryptFrom", Resource=world.key.arn)
    values, errors = body(ada, 41, "alias/b", None, mixed)
    assert len(errors) == 2


def test_a_grant_token_is_taken(world: World) -> None:
    grant = world.key.create_grant(["Encrypt"], grantee_principal=ADA_ARN)
    ada = world.session(ADA)
    assert body(ada, 1, world.key.arn, None, b"x", {"tokens": [grant.grant_token]})
    assert body(ada, 33, world.key.arn, None, [b"x"], {"tokens": [grant.grant_token]})
    assert refused(ada, 34, world.key.arn, None, [b"x"], {"tokens": ["bad"]})[0] in {
        "InvalidGrantTokenException", "AccessDeniedException",
    }  # fmt: skip


CHANGES = {
    "disable": lambda world: world.key.disable(),
    "deletion": lambda world: world.key.schedule_deletion(),
    "policy": lambda world: world.allow("kms:ListKeys"),
    "unmapped": lambda world: world.kms.principals.unmap_uid(ADA),
    "mapped anew": lambda world: world.kms.principals.map_uid(ADA, "administrator"),
    "gone": lambda world: world.kms.principals.delete("ada"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_holds_for_the_next_request(world: World, change: str) -> None:
    world.allow("kms:*")
    ada = world.session(ADA)
    blob = body(ada, 1, "alias/a", None, b"x")
    requests = [
        [1, "alias/a", None, b"x"], [2, None, None, blob], [33, "alias/a", None, [b"x"]],
        ["Encrypt", {"KeyId": "alias/a", "Plaintext": b"x"}], [3, "alias/a", None, 32],
    ]  # fmt: skip
    for values in requests * 3:
        assert body(ada, *values)
    CHANGES[change](world)
    for values in requests * 2:
        assert refused(ada, *values)[0] in {
            "AccessDeniedException", "DisabledException", "KMSInvalidStateException",
        }, values  # fmt: skip


def test_a_revoked_grant_ends_at_once(world: World) -> None:
    grant = world.key.create_grant(["Encrypt"], grantee_principal=ADA_ARN)
    ada = world.session(ADA)
    for _ in range(3):
        assert body(ada, 1, world.key.arn, None, b"x")
    world.key.revoke_grant(grant.grant_id)
    assert refused(ada, 1, world.key.arn, None, b"x")[0] == "AccessDeniedException"


def test_a_rotated_key_encrypts_by_its_new_version(world: World, admin: Session) -> None:
    for _ in range(3):
        body(admin, 1, "alias/a", None, b"x")
    world.key.rotate()
    assert body(admin, 1, "alias/a", None, b"x")[20:24] == b"\0\0\0\2"
    blobs, _ = body(admin, 33, "alias/a", None, [b"x"])
    assert blobs[0][20:24] == b"\0\0\0\2"


def test_without_authentication_whoever_connects_is_the_owner(world: World) -> None:
    world.door.authenticated = False
    session = world.session(NOBODY)
    assert session.visitor.arn == "arn:aws:iam::000000000000:root"
    assert body(session, 1, "alias/a", None, b"x")


# ---- events and uses ----------------------------------------------------------------------------


def test_each_request_leaves_an_event(world: World, admin: Session) -> None:
    secret = b"a secret that nobody may find"
    blob = body(admin, 1, "alias/a", {"table": "a"}, secret)
    body(admin, 1, "alias/a", {"table": "a"}, secret)
    refused(admin, 2, None, {"table": "b"}, blob)
    body(admin, 33, "alias/a", None, [b"a", b"b"])
    _, errors = body(admin, 34, None, {"table": "a"}, [blob, b"", None, b""])
    assert len(errors) == 2
    body(admin, 40, "alias/m", None, [[b"a", b"b"], [b"x", b"y"]], HMAC)
    body(admin, 8, "alias/m", None, [b"a", b"x"], HMAC)
    made = body(admin, "CreateKey", {"Description": "new"})
    refused(admin, "Nope", {})
    world.recorder.close()
    events = world.events()
    assert secret not in json.dumps(events).encode()
    assert [(each["eventName"], each.get("errorCode")) for each in events] == [
        ("Encrypt", None), ("Encrypt", None), ("Decrypt", "InvalidCiphertextException"),
        ("Encrypt", None), ("Decrypt", None), ("VerifyMac", None),
        ("VerifyMac", "KMSInvalidMacException"), ("CreateKey", None),
    ]  # fmt: skip
    for each in events:
        assert each["sourceIPAddress"] == f"unix socket, uid {ADMIN}"
        assert each["userIdentity"]["arn"] == "arn:aws:iam::000000000000:user/administrator"
        assert each["userAgent"] == "tests/1"
    assert events[0]["requestParameters"]["encryptionContext"] == {"table": "a"}
    assert events[0]["resources"][0]["ARN"] == world.key.arn
    assert [_counts(each) for each in events[3:6]] == [(2, 0), (4, 2), (2, 2)]
    assert events[4]["resources"][0]["ARN"] == world.key.arn
    assert events[7]["responseElements"]["keyMetadata"] == {
        **made["KeyMetadata"],
        "CreationDate": events[7]["responseElements"]["keyMetadata"]["CreationDate"],
    }
    assert len({each["requestID"] for each in events}) == len(events)


def _counts(event: dict[str, Any]) -> tuple[int, int]:
    found = event.get("additionalEventData", event)
    return found["records"], found.get("failedRecords", 0)


@pytest.mark.parametrize("values", [
    [1, "alias/a", None, b"x"], [33, "alias/a", None, [b"x"]], ["ListKeys", {}],
])  # fmt: skip
def test_what_is_not_recorded_does_not_leave(world: World, values: list[Any]) -> None:
    session = world.session()
    body(session, 1, "alias/a", None, b"x")

    def full(*_: object) -> None:
        raise kmsfast.AuditUnusable("the disk is full")

    world.recorder.record = full
    code, message = refused(session, *values)
    assert code == "KMSInternalException"
    assert "disk" not in message


def test_uses_are_counted(world: World, admin: Session) -> None:
    body(admin, 33, "alias/b", None, [b"x"])
    used = world.other.last_usage()
    assert used.use is not None
    assert used.use.operation == "Encrypt"


# ---- metrics --------------------------------------------------------------------------------


def test_requests_are_counted(world: World, admin: Session) -> None:
    def counted(name: str) -> tuple[int, int]:
        found = counters.timers()[DOOR, name]
        return found.calls, sum(found.sizes)

    def errors(name: str, code: str) -> int:
        return counters.errors().get(counters.Error(DOOR, name, code), 0)

    single, many = counted("Encrypt")
    body(admin, 1, "alias/a", None, b"x")
    body(admin, "Encrypt", {"KeyId": "alias/a", "Plaintext": b"x"})
    body(admin, 33, "alias/a", None, [b"x", b"y"])
    assert counted("Encrypt") == (single + 3, many + 1)

    before = errors("Encrypt", "NotFoundException"), errors("unknown", "UnknownOperationException")
    refused(admin, 1, "alias/none", None, b"x")
    refused(admin, "Nothing", {})
    after = errors("Encrypt", "NotFoundException"), errors("unknown", "UnknownOperationException")
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1]


def test_connections_are_counted(world: World) -> None:
    accepted, closed = (
        counters.counter(what + DOOR) for what in (counters.ACCEPTED, counters.CLOSED)
    )
    before = counters.value(accepted), counters.value(closed)
    session = world.session()
    assert (counters.value(accepted), counters.value(closed)) == (before[0] + 1, before[1])
    session.close()
    assert counters.value(closed) == before[1] + 1
