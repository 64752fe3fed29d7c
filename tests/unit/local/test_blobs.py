"""Encrypting and decrypting through the public interface, and every way in which it must fail."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import kmsfast
from kmsfast.errors import (
    BatchError,
    ContextError,
    FrameError,
    IncorrectKey,
    InvalidCiphertext,
    InvalidKeyUsage,
    KeyNotFound,
    KmsError,
    ValidationError,
)

CONTEXT = {"table": "orders", "column": "email"}
VALUES = [b"", b"a", b"x" * 15, b"y" * 16, b"z" * 17, os.urandom(1000)]


@pytest.fixture
def key(kms: kmsfast.Kms) -> kmsfast.Key:
    return kms.create_key(alias="alias/orders")


def rows(values: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)


def packed(values: list[bytes]) -> kmsfast.Packed:
    offsets = np.cumsum([0, *map(len, values)]).astype(np.int64)
    return kmsfast.Packed(np.frombuffer(b"".join(values), np.uint8), offsets)


SAME_SIZE = [b"%04d" % i for i in range(100)]
KINDS: dict[str, Callable[[], object]] = {
    "list": lambda: [*VALUES, None],
    "packed": lambda: packed(VALUES),
    "tuple": lambda: tuple(packed(VALUES)),
    "rows": lambda: rows(SAME_SIZE),
    "S": lambda: np.array(SAME_SIZE, "S4"),
    "V": lambda: np.array(SAME_SIZE, "V4"),
    "binary": lambda: pa.array([*VALUES, None], pa.binary()),
    "large_binary": lambda: pa.array([*VALUES, None], pa.large_binary()),
    "string": lambda: pa.array(["a", None, "ü"], pa.string()),
    "fixed": lambda: pa.array([*SAME_SIZE, None], pa.binary(4)),
    "chunked": lambda: pa.chunked_array([[b"a", None], [], [b"b"]], pa.binary()),
    "empty list": list,
    "empty rows": lambda: np.empty((0, 4), np.uint8),
    "empty binary": lambda: pa.array([], pa.binary()),
}


def as_list(values: object) -> list[bytes | None]:
    if isinstance(values, tuple):
        data, offsets = values
        return [data[a:b].tobytes() for a, b in pairwise(offsets)]
    if isinstance(values, np.ndarray):
        return [row.tobytes() for row in values]
    found = values if isinstance(values, list) else values.to_pylist()
    return [v.encode() if isinstance(v, str) else v for v in found]


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("threads", [1, 2])
def test_batches_come_back_as_their_kind(
    kms: kmsfast.Kms, key: kmsfast.Key, kind: str, threads: int
) -> None:
    values = KINDS[kind]()
    blobs = key.encrypt_batch(values, CONTEXT, threads=threads)
    plain = kms.decrypt_batch(blobs, CONTEXT, threads=threads)
    assert as_list(plain) == as_list(values)
    assert as_list(key.decrypt_batch(blobs, CONTEXT)) == as_list(values)
    family = type(values) if kind != "tuple" else kmsfast.Packed
    assert type(plain) is type(blobs)
    assert isinstance(plain, family) or kind == "string"


@pytest.mark.parametrize("value", VALUES)
def test_one_record(kms: kmsfast.Kms, key: kmsfast.Key, value: bytes) -> None:
    for _ in range(2):  # the first call prepares the short path, the second takes it
        blob = key.encrypt(value, CONTEXT)
        assert len(blob) == len(value) + 96
        assert kms.decrypt(blob, CONTEXT) == key.decrypt(blob, CONTEXT) == value
        assert kms.decrypt_batch([blob], dict(reversed(CONTEXT.items()))) == [value]
    assert key.encrypt(value, CONTEXT) != blob


def test_bytes_in_other_wrappings(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    for wrap in (bytearray, memoryview):
        blob = key.encrypt(wrap(b"abc"), aad=wrap(b"row"))
        assert kms.decrypt(wrap(blob), aad=wrap(b"row")) == b"abc"


def test_associated_data_of_each_record(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    aad = [b"row %d" % i for i in range(len(VALUES))]
    blobs = key.encrypt_batch(VALUES, CONTEXT, aad=aad)
    assert kms.decrypt_batch(blobs, CONTEXT, aad=packed(aad)) == VALUES
    assert kms.decrypt(blobs[1], CONTEXT, aad=b"row 1") == VALUES[1]
    swapped = [aad[1], aad[0], *aad[2:]]
    result = kms.decrypt_batch(blobs, CONTEXT, aad=swapped, errors="return")
    assert sorted(result.errors) == [0, 1]
    for wrong in (None, b"", b"row 2"):
        with pytest.raises(InvalidCiphertext):
            kms.decrypt(blobs[1], CONTEXT, aad=wrong)


# ---- contexts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [None, {}, {"table": "orders"}, {**CONTEXT, "x": ""}, {"table": "orders", "column": "Email"},
     {"table": "email", "column": "orders"}],
)  # fmt: skip
def test_a_wrong_or_missing_context(
    kms: kmsfast.Kms, key: kmsfast.Key, other: dict[str, str] | None
) -> None:
    blobs = key.encrypt_batch([b"a", b"b"], CONTEXT)
    for decrypt in (kms.decrypt, key.decrypt):
        assert decrypt(blobs[0], CONTEXT) == b"a"
        with pytest.raises(InvalidCiphertext, match="context"):
            decrypt(blobs[0], other)
    with pytest.raises(BatchError, match="2 of 2 records failed; the first is record 0"):
        kms.decrypt_batch(blobs, other)
    bare = key.encrypt(b"a", other)
    with pytest.raises(InvalidCiphertext):
        kms.decrypt(bare, CONTEXT)


def test_a_context_that_changes_after_the_call(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    context = {"a": "1"}
    first = key.encrypt(b"x", context)
    assert kms.decrypt(first, context) == b"x"
    context["a"] = "2"
    second = key.encrypt(b"x", context)
    assert kms.decrypt(second, context) == b"x"
    with pytest.raises(InvalidCiphertext):
        kms.decrypt(first, context)


@pytest.mark.parametrize("wrong", ["a=b", {"a": 1}, {1: "a"}, [("a", "b")], {"": "x"}])
def test_contexts_of_other_types(kms: kmsfast.Kms, key: kmsfast.Key, wrong: object) -> None:
    blob = key.encrypt(b"x")
    for use in (
        lambda: key.encrypt(b"x", wrong), lambda: key.encrypt_batch([b"x"], wrong),
        lambda: kms.decrypt(blob, wrong), lambda: kms.decrypt_batch([blob], wrong),
        lambda: key.seal_batch([b"x"], wrong), lambda: key.generate_data_key(32, wrong),
    ):  # fmt: skip
        with pytest.raises(ContextError):
            use()


# ---- changed blobs --------------------------------------------------------------------------


def test_a_flipped_bit_anywhere(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    blob = key.encrypt(b"0123456789", CONTEXT)
    forged = []
    for i in range(len(blob) * 8):
        changed = bytearray(blob)
        changed[i // 8] ^= 1 << i % 8
        forged.append(bytes(changed))
    for bad in forged:
        with pytest.raises((InvalidCiphertext, KeyNotFound)):
            kms.decrypt(bad, CONTEXT)
    mixed = [b for bad in forged for b in (bad, blob)]
    result = kms.decrypt_batch(mixed, CONTEXT, errors="return")
    assert sorted(result.errors) == list(range(0, len(mixed), 2))
    assert result.values == [None, b"0123456789"] * len(forged)
    assert {type(e) for e in result.errors.values()} == {FrameError, InvalidCiphertext, KeyNotFound}


def test_a_truncated_blob(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    blob = key.encrypt(b"0123456789", CONTEXT)
    for cut in range(len(blob)):
        with pytest.raises(InvalidCiphertext):
            kms.decrypt(blob[:cut], CONTEXT)
    with pytest.raises(InvalidCiphertext):
        kms.decrypt(blob + b"\0", CONTEXT)
    with pytest.raises(FrameError, match="shorter than the 96 bytes"):
        kms.decrypt(b"", CONTEXT)


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (0, 0x00, "first byte is not f5"),
        (1, 2, "frame version"),
        (2, 9, "suite"),
        (3, 0x80, "reserved flag"),
    ],
)
def test_unknown_frames(kms: kmsfast.Kms, key: kmsfast.Key, at: int, value: int, says: str) -> None:
    blob = bytearray(key.encrypt(b"x"))
    blob[at] = value
    with pytest.raises(FrameError, match=says):
        kms.decrypt(bytes(blob))
    with pytest.raises(BatchError, match=says):
        kms.decrypt_batch([bytes(blob)])


def test_versions_and_keys_that_are_not_there(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    blob = key.encrypt(b"x")
    for version in (0, 2, 2**32 - 1):
        with pytest.raises(KeyNotFound, match=f"has no version {version}"):
            kms.decrypt(blob[:20] + version.to_bytes(4, "big") + blob[24:])
    with pytest.raises(KeyNotFound, match="mrk-"):
        kms.decrypt(blob[:3] + b"\1" + blob[4:])


def test_the_blob_of_another_store(kms: kmsfast.Kms, key: kmsfast.Key, tmp_path: Path) -> None:
    with kmsfast.open(tmp_path / "other", create=True) as other:
        foreign = other.create_key()
        blob = foreign.encrypt(b"x")
        with pytest.raises(KeyNotFound, match=f"key/{foreign.id}' does not exist"):
            kms.decrypt(blob)
        result = kms.decrypt_batch([blob, key.encrypt(b"ours"), blob], errors="return")
        assert result.values == [None, b"ours", None]
        # the foreign material under our key's name: the commitment tells
        renamed = key.encrypt(b"x")[:24] + blob[24:]
        with pytest.raises(InvalidCiphertext, match="commitment"):
            kms.decrypt(renamed)


def test_a_key_opens_only_its_own(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    other = kms.create_key()
    blobs = [key.encrypt(b"x"), other.encrypt(b"y")]
    with pytest.raises(IncorrectKey, match=f"names key {other.id}, not {key.id}"):
        key.decrypt(blobs[1])
    result = key.decrypt_batch(blobs, errors="return")
    assert result.values == [b"x", None]
    assert isinstance(result.errors[1], IncorrectKey)
    assert kms.decrypt_batch(blobs) == [b"x", b"y"]


def test_failures_leave_the_others_unharmed(kms: kmsfast.Kms) -> None:
    keys = [kms.create_key() for _ in range(4)]
    blobs = [keys[i % 4].encrypt(b"%d" % i) for i in range(40)]
    keys[1].disable()
    keys[2].schedule_deletion()
    with pytest.raises(BatchError, match="20 of 40 records failed") as raised:
        kms.decrypt_batch(blobs)
    assert raised.value.values == [b"%d" % i if i % 4 in (0, 3) else None for i in range(40)]
    assert "is disabled" in str(raised.value.errors[1])
    assert "pending deletion" in str(raised.value.errors[2])


# ---- batches of the wrong shape -------------------------------------------------------------

BYTES = np.arange(16, dtype=np.uint8)
WRONG: dict[str, tuple[object, str]] = {
    "offsets that decrease": (kmsfast.Packed(BYTES, np.array([0, 9, 3, 16])), "must not decrease"),
    "offsets past the end": (kmsfast.Packed(BYTES, np.array([0, 17])), "run past"),
    "offsets below 0": (kmsfast.Packed(BYTES, np.array([-1, 3])), "start below 0"),
    "offsets of int32": (kmsfast.Packed(BYTES, np.array([0, 3], np.int32)), "int64"),
    "no offsets": (kmsfast.Packed(BYTES, np.array([], np.int64)), "is empty"),
    "data of int16": (kmsfast.Packed(BYTES.astype(np.int16), np.array([0, 3])), "uint8"),
    "rows of int32": (np.zeros((3, 4), np.int32), "not int32 of shape"),
    "floats": (np.zeros(3), "not float64"),
    "objects": (np.array([b"a", b"b"], object), "not object"),
    "text": (np.array(["a"]), "not <U1"),
    "every second row": (np.zeros((8, 4), np.uint8)[::2], "not contiguous"),
    "columns first": (np.zeros((8, 4), np.uint8, order="F"), "not contiguous"),
    "strided data": (kmsfast.Packed(np.zeros(32, np.uint8)[::2], np.array([0, 3])), "contiguous"),
    "a str in a list": ([b"a", "b"], r"values\[1\] is str"),
    "one record": (b"abc", "not bytes"),
    "nothing": (None, "not NoneType"),
    "an Arrow list": (pa.array([[1]]), "list"),
    "Arrow integers": (pa.array([1]), "int64"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_batches_of_the_wrong_shape(kms: kmsfast.Kms, key: kmsfast.Key, name: str) -> None:
    values, says = WRONG[name]
    for use in (key.encrypt_batch, kms.decrypt_batch, key.seal_batch):
        with pytest.raises(ValidationError, match=says):
            use(values)


def test_records_of_the_wrong_type(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    for wrong in ("text", None, 7, [b"a"]):
        with pytest.raises(ValidationError, match="plaintext must be bytes"):
            key.encrypt(wrong)
        with pytest.raises(ValidationError, match="a blob must be bytes"):
            kms.decrypt(wrong)
    with pytest.raises(ValidationError, match="aad must be bytes"):
        key.encrypt(b"x", aad="row")
    with pytest.raises(ValidationError, match="errors must be"):
        kms.decrypt_batch([], errors="ignore")
    with pytest.raises(ValidationError, match="aad has 1 records, values has 2"):
        key.encrypt_batch([b"a", b"b"], aad=[b"x"])


def test_blobs_shorter_than_a_blob_fail_one_by_one(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    blob = key.encrypt(b"x")
    column = pa.array([b"", blob, b"\xf5", None, blob[:95]], pa.binary())
    result = kms.decrypt_batch(column, errors="return")
    assert result.values.to_pylist() == [None, b"x", None, None, None]
    assert sorted(result.errors) == [0, 2, 4]
    with pytest.raises(ValidationError, match="too short"):
        kms.decrypt_batch(np.zeros(3, "V95"))


# ---- threads --------------------------------------------------------------------------------


def test_many_threads_and_a_rotation(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    failures: list[KmsError] = []
    blobs: list[bytes] = []

    def work() -> None:
        try:
            for _ in range(200):
                blob = key.encrypt(b"x", CONTEXT)
                assert kms.decrypt(blob, CONTEXT) == b"x"
                blobs.append(blob)
        except KmsError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        key.rotate()
    for thread in threads:
        thread.join()
    assert not failures
    assert len({blob[56:80] for blob in blobs}) == 800
    assert kms.decrypt_batch(blobs, CONTEXT) == [b"x"] * 800


def test_subclasses_of_bytes_are_read_as_what_is_in_memory(
    kms: kmsfast.Kms, key: kmsfast.Key
) -> None:
    class Lying(bytes):
        def __len__(self) -> int:
            return 4096

        def __bytes__(self) -> bytes:
            return self

    blob = key.encrypt(Lying(b"x"), aad=Lying(b"y"))
    assert kms.decrypt(Lying(blob), aad=b"y") == b"x"
    header, values = key.seal_batch([b"x"])
    assert kms.open_batch((Lying(header), values)) == [b"x"]
    for wrong in (None, "f5", header + b"x", header[:-1]):
        with pytest.raises(kmsfast.KmsError, match="header of a sealed batch"):
            kms.sealed_reader(wrong)
    for wrong in (None, [header, values], (header,)):
        with pytest.raises(ValidationError, match="a sealed batch is"):
            kms.open_batch(wrong)


def test_re_encrypting_brings_a_blob_under_another_key_and_context(
    kms: kmsfast.Kms, key: kmsfast.Key
) -> None:
    other = kms.create_key()
    moved = kms.re_encrypt(key.encrypt(b"value", CONTEXT), other, CONTEXT, {"table": "archive"})
    uses = [each.last_usage().use for each in (key, other)]
    assert [use and use.operation for use in uses] == ["ReEncrypt", "ReEncrypt"]
    assert other.decrypt(moved, {"table": "archive"}) == b"value"
    assert kms.decrypt(kms.re_encrypt(moved, "alias/orders", {"table": "archive"})) == b"value"
    with pytest.raises(InvalidCiphertext):
        kms.re_encrypt(moved, key)
    with pytest.raises(InvalidKeyUsage, match="ReEncryptTo"):
        kms.re_encrypt(moved, kms.create_key(spec="HMAC_256"), {"table": "archive"})


def test_random_bytes(kms: kmsfast.Kms) -> None:
    assert len(kms.generate_random(1024)) == 1024
    assert kms.generate_random(32) != kms.generate_random(32)
    for wrong in (0, 1025, True, "8"):
        with pytest.raises(ValidationError, match="1 to 1024"):
            kms.generate_random(wrong)  # type: ignore[arg-type]
