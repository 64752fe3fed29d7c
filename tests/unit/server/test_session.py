"""The session: the hello, every operation by name, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from session_world import ADA, ADMIN, ECDSA, NOBODY, World, body, refused
from socket_line import frame, frames_of

from kmsfast.operations import OPERATIONS
from kmsfast.server.session import Closing, Session
from kmsfast.server.socket_door import Peer

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
