"""The frame parser: bytes are accepted, or exactly one error is raised, the same one everywhere.

The parser exists twice, in Python (inspect, key lookup) and in C (single records, the first pass of
a batch, the scan). Arbitrary bytes rarely get past its first byte, so these are near-blobs: each
field right or wrong by itself, of any length.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import kmsfast
from kmsfast.errors import FrameError, InvalidCiphertext, KeyNotFound, KmsError

# ---- what docs/blob-format.md and docs/sealed-format.md say ---------------------------------


def parsed(data: bytes) -> kmsfast.BlobInfo | None:
    """What the formats make of the bytes; None: not a blob, nor a sealed batch."""
    if data[:3] == b"\xf5\x01\x02":
        blob = data[8:136]
        if len(data) < 136 or data[3] or blob[:3] != b"\xf5\x01\x01" or blob[3] > 1:
            return None
        size = int.from_bytes(data[4:8], "big")
        return _info("sealed batch", "AES-256-GCM, sealed", blob, None, size)
    if len(data) < 96 or data[:3] != b"\xf5\x01\x01" or data[3] > 1:
        return None
    return _info("blob", "XAES-256-GCM, key-committing", data, len(data) - 96, None)


def _info(
    kind: str, suite: str, blob: bytes, plaintext_size: int | None, record_size: int | None
) -> kmsfast.BlobInfo:
    raw = blob[4:20]
    return kmsfast.BlobInfo(
        kind=kind,
        frame_version=1,
        suite=suite,
        key_id=f"mrk-{raw.hex()}" if blob[3] else str(uuid.UUID(bytes=raw)),
        key_version=int.from_bytes(blob[20:24], "big"),
        multi_region=bool(blob[3]),
        plaintext_size=plaintext_size,
        record_size=record_size,
    )


# ---- near-blobs -----------------------------------------------------------------------------


def mostly(right: int) -> st.SearchStrategy[int]:
    """A byte that is right in about two thirds of the cases."""
    return st.one_of(
        st.just(right), st.just(right), st.sampled_from([0, 1, 2, 3, 0x80, 0xF4, 0xFF])
    )


@st.composite
def headers(draw: st.DrawFn, suite: int = 1) -> bytes:
    start = bytes([draw(mostly(0xF5)), draw(mostly(1)), draw(mostly(suite)), draw(mostly(0))])
    known = draw(st.sampled_from([b"\0" * 16, None]))
    key_id = draw(st.binary(min_size=16, max_size=16)) if known is None else known
    return start + key_id + draw(st.sampled_from([0, 1, 2, 2**32 - 1])).to_bytes(4, "big")


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A blob's or a sealed batch's frame with arbitrary bytes behind it, cut off somewhere."""
    data = draw(headers())
    if draw(st.booleans()):
        start = bytes([draw(mostly(0xF5)), draw(mostly(1)), draw(mostly(2)), draw(mostly(0))])
        data = start + draw(st.binary(min_size=4, max_size=4)) + data
    data += draw(st.binary(max_size=20)) + bytes(draw(st.sampled_from([0, 52, 72, 112, 200])))
    edges = [0, 1, 3, 4, 24, 55, 56, 57, 79, 80, 95, 96, 97, 135, 136, 137]
    return data[: draw(st.one_of(st.just(len(data)), st.sampled_from(edges)))]


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kmsfast.Kms]:
    with kmsfast.open(tmp_path_factory.mktemp("frames") / "store", create=True) as opened:
        opened.create_key()
        opened.create_key(multi_region=True)
        yield opened


# ---- the laws -------------------------------------------------------------------------------


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


def outcome(use, *arguments) -> KmsError | bytes:
    try:
        return use(*arguments)
    except KmsError as error:
        return error


@given(st.lists(frames(), min_size=1, max_size=8))
@example([b"\xf5\x01\x01\x00" + bytes(76)])  # longer than a prefix, shorter than a blob
@example([b"\xf5\x01\x02\x00" + bytes(76)])
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
        said = [(type(errors[i]), str(errors[i])) for i in range(len(batch))]
        assert said == [(type(error), str(error)) for error in ones]


@given(st.data(), st.binary(max_size=40), st.booleans())
def test_one_field_of_a_real_blob_is_changed(kms, data, plain, multi_region) -> None:
    key = kms.keys()[multi_region]
    blob = bytearray(key.encrypt(plain))
    name, start, end = data.draw(
        st.sampled_from(
            [("frame", 0, 4), ("key", 4, 24), ("commitment", 24, 56), ("rest", 56, len(blob))]
        )
    )
    at = data.draw(st.integers(start, end - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    error = outcome(kms.decrypt, bytes(blob))
    (in_batch,) = kms.decrypt_batch([bytes(blob)], errors="return").errors.values()
    assert (type(error), str(error)) == (type(in_batch), str(in_batch))
    frame = KeyNotFound if at == 3 and blob[3] < 2 else FrameError
    expected = {"frame": frame, "key": KeyNotFound}.get(name, InvalidCiphertext)
    assert type(error) is expected
    assert ("commitment" in str(error)) == (name == "commitment")


@given(st.one_of(frames(), st.binary(max_size=200)))
def test_sealed_headers_are_refused_with_one_error(kms: kmsfast.Kms, data: bytes) -> None:
    info = parsed(data)
    error = outcome(kms.open_batch, (data, [bytes(16)]))
    sealed = info is not None and info.kind == "sealed batch" and len(data) == 136
    assert isinstance(error, KmsError)
    assert type(error) is KeyNotFound if sealed else isinstance(error, InvalidCiphertext)
