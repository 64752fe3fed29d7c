"""The session: single records and batches, by number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from session_world import ADA, ECDSA, HMAC, NIL, World, body, refused

from kmsfast.server.session import Session


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
