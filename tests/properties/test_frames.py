"""The frame parser: bytes are accepted, or exactly one error is raised, the same one everywhere.

The parser exists twice, in Python (inspect, key lookup) and in C (single records, the first pass of
a batch, the scan). Arbitrary bytes rarely get past its first byte, so these are near-blobs: almost
right, of any length.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import kmsfast
from kmsfast.crypto import blob
from kmsfast.errors import FrameError, InvalidCiphertext, KeyNotFound, KmsError
from kmsfast.model.outside_blob import is_outside

# ---- what docs/blob-format.md and docs/sealed-format.md say ---------------------------------


def parsed(data: bytes) -> kmsfast.BlobInfo | None:
    """What the formats make of the bytes; None: not a blob, nor a sealed batch."""
    if data[:3] == b"\xf5\x01\x02":
        key = data[8:136]
        if len(data) < 136 or data[3] or key[:3] != b"\xf5\x01\x01" or key[3] > 1:
            return None
        size = int.from_bytes(data[4:8], "big")
        return _info("sealed batch", "AES-256-GCM, sealed", key, None, size)
    if len(data) < 96 or data[:3] != b"\xf5\x01\x01" or data[3] > 1:
        return None
    return _info("blob", "XAES-256-GCM, key-committing", data, len(data) - 96, None)


def _info(
    kind: str, suite: str, frame: bytes, plaintext_size: int | None, record_size: int | None
) -> kmsfast.BlobInfo:
    raw = frame[4:20]
    return kmsfast.BlobInfo(
        kind=kind,
        frame_version=1,
        suite=suite,
        key_id=f"mrk-{raw.hex()}" if frame[3] else str(uuid.UUID(bytes=raw)),
        key_version=int.from_bytes(frame[20:24], "big"),
        multi_region=bool(frame[3]),
        plaintext_size=plaintext_size,
        record_size=record_size,
    )


# ---- near-blobs -----------------------------------------------------------------------------


EDGES = [0, 1, 3, 4, 24, 55, 56, 57, 79, 80, 95, 96, 97, 135, 136, 137]


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """The frame of a blob or a sealed batch, with up to two wrong bytes, cut off somewhere."""
    key_id = draw(st.one_of(st.just(bytes(16)), st.binary(min_size=16, max_size=16)))
    version = draw(st.sampled_from([0, 1, 2, 2**32 - 1]))
    data = b"\xf5\x01\x01" + bytes([draw(st.integers(0, 1))]) + key_id + version.to_bytes(4, "big")
    fields = [0, 1, 2, 3]
    if draw(st.booleans()):
        data = b"\xf5\x01\x02\x00" + draw(st.binary(min_size=4, max_size=4)) + data
        fields += [8, 9, 10, 11]
    frame = bytearray(data + draw(st.binary(max_size=20)) + bytes(200))
    for at in draw(st.sets(st.sampled_from(fields), max_size=2)):
        frame[at] = draw(st.sampled_from([0, 1, 2, 3, 0x80, 0xF4, 0xF5, 0xFF]))
    return bytes(frame[: draw(st.one_of(st.just(len(frame)), st.sampled_from(EDGES)))])


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kmsfast.Kms]:
    with kmsfast.open(tmp_path_factory.mktemp("frames") / "store", create=True) as opened:
        opened.create_key()
        opened.create_key(multi_region=True)
        yield opened


# ---- the laws -------------------------------------------------------------------------------


@settings(max_examples=500)
@given(st.one_of(frames(), st.binary(max_size=200)))
@example(b"")
@example(b"\xf5\x01\x01\x00" + bytes(92))
@example(b"\xf5\x01\x02\x00" + bytes(4) + b"\xf5\x01\x01\x01" + bytes(124))
def test_inspect_accepts_or_raises_frame_error(data: bytes) -> None:
    expected = parsed(data)
    for wrapped in (data, bytearray(data), memoryview(data)):
        if expected is None:
            with pytest.raises(FrameError) as raised:
                kmsfast.inspect(wrapped)
            assert raised.type is FrameError
        else:
            assert kmsfast.inspect(wrapped) == expected


def agree(data: bytes, one: KmsError | bytes, in_batch: KmsError) -> bool:
    """Whether both are the same error; that of one record may add the value that was found.

    Of blobs of keys outside, which batches do not take, one record may say more.
    """
    same_words = is_outside(data) or str(one).startswith(str(in_batch))
    return type(one) is type(in_batch) and same_words


def outcome(use, *arguments) -> KmsError | bytes:
    try:
        return use(*arguments)
    except KmsError as error:
        return error


@given(st.lists(frames(), min_size=1, max_size=8))
@example([b"\xf5\x01\x01\x00" + bytes(76)])  # longer than a prefix, shorter than a blob
@example([b"\xf5\x01\x02\x00" + bytes(76)])
@example([b"\xf5\x01\x03\x00" + bytes(76)])
def test_every_way_to_decrypt_raises_the_same_error(kms: kmsfast.Kms, batch: list[bytes]) -> None:
    ones = [outcome(kms.decrypt, data) for data in batch]
    for data, error in zip(batch, ones, strict=True):
        info = parsed(data)
        is_blob = info is not None and info.kind == "blob"
        assert type(error) is (KeyNotFound if is_blob else FrameError), data.hex()
    offsets = np.cumsum([0, *map(len, batch)], dtype=np.int64)
    packed = kmsfast.Packed(np.frombuffer(b"".join(batch), np.uint8), offsets)
    for column in (batch, packed, pa.array(batch, pa.binary())):
        errors = kms.decrypt_batch(column, errors="return").errors
        for i, error in enumerate(ones):
            assert agree(batch[i], error, errors[i]), (error, errors[i])


@settings(max_examples=500)
@given(frames())
def test_c_does_not_rely_on_pythons_parser(kms: kmsfast.Kms, data: bytes) -> None:
    """With a key for whatever a frame names, what is no blob is refused by C."""
    key = kms.keys()[0]
    key.encrypt(b"")  # gets the handle ready
    handle = key._sealing.binding.key
    info = parsed(data)
    is_blob = info is not None and info.kind == "blob"
    for batch in ([data], [b"no blob", data]):
        _, errors = blob.open_batch(lambda _prefix: handle, batch, b"")
        last = errors[len(batch) - 1]
        assert type(last) is (InvalidCiphertext if is_blob else FrameError)
        assert ("commitment" in str(last)) == is_blob
    one = outcome(blob.open_one, handle, data, b"")
    assert (type(one), str(one)) == (type(last), str(last))


@given(st.data(), st.binary(max_size=40), st.booleans())
def test_one_field_of_a_real_blob_is_changed(kms, data, plain, multi_region) -> None:
    key = kms.keys()[multi_region]
    made = bytearray(key.encrypt(plain))
    name, start, end = data.draw(
        st.sampled_from(
            [("frame", 0, 4), ("key", 4, 24), ("commitment", 24, 56), ("rest", 56, len(made))]
        )
    )
    at = data.draw(st.integers(start, end - 1))
    made[at] ^= data.draw(st.integers(1, 255))
    assume(not is_outside(bytes(made)))  # another key's blob altogether: tests/unit/external
    error = outcome(kms.decrypt, bytes(made))
    (in_batch,) = kms.decrypt_batch([bytes(made)], errors="return").errors.values()
    assert agree(bytes(made), error, in_batch), (error, in_batch)
    frame = KeyNotFound if at == 3 and made[3] < 2 else FrameError
    expected = {"frame": frame, "key": KeyNotFound}.get(name, InvalidCiphertext)
    assert type(error) is expected
    assert ("commitment" in str(error)) == (name == "commitment")


@given(st.one_of(frames(), st.binary(max_size=200)))
@example(b"\xf5\x01\x02\x00" + bytes(4) + b"\xf5\x01\x01\x00" + bytes(125))  # a byte too long
def test_headers_of_sealed_batches(kms: kmsfast.Kms, data: bytes) -> None:
    info = parsed(data)
    error = outcome(kms.open_batch, (data, [bytes(16)]))
    is_header = info is not None and info.kind == "sealed batch" and len(data) == 136
    assert type(error) is (KeyNotFound if is_header else FrameError)
