"""Sealed batches, streams, rewrapping and data keys through the public interface."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import kmsfast
from kmsfast.errors import (
    BatchError,
    FrameError,
    InvalidCiphertext,
    KeyNotFound,
    ValidationError,
)

CONTEXT = {"file": "people.csv"}
RECORDS = [b"%05d" % i for i in range(50)]


@pytest.fixture
def key(kms: kmsfast.Kms) -> kmsfast.Key:
    return kms.create_key()


# ---- sealed batches -------------------------------------------------------------------------

KINDS: dict[str, Callable[[], object]] = {
    "list": lambda: list(RECORDS),
    "rows": lambda: np.frombuffer(b"".join(RECORDS), np.uint8).reshape(50, 5),
    "V": lambda: np.array(RECORDS, "V5"),
    "packed": lambda: kmsfast.Packed(
        np.frombuffer(b"".join(RECORDS), np.uint8), np.arange(51, dtype=np.int64) * 5
    ),
    "binary": lambda: pa.array(RECORDS, pa.binary()),
    "fixed": lambda: pa.array(RECORDS, pa.binary(5)),
    "chunked": lambda: pa.chunked_array([RECORDS[:20], RECORDS[20:]], pa.binary()),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_sealed_batch_of_each_kind(kms: kmsfast.Kms, key: kmsfast.Key, kind: str) -> None:
    values = KINDS[kind]()
    batch = key.seal_batch(values, CONTEXT)
    info = kmsfast.inspect(batch.header)
    assert (info.kind, info.key_id, len(batch.header)) == ("sealed batch", key.id, 136)
    assert info.record_size == (5 if kind in {"rows", "V", "fixed"} else 0)
    for i in (0, 20, 49):
        assert kms.open_record(batch, i, CONTEXT) == RECORDS[i]
    opened = kms.open_batch(tuple(batch), CONTEXT)
    if isinstance(opened, kmsfast.Packed):
        assert opened.data.tobytes() == b"".join(RECORDS)
    elif isinstance(opened, np.ndarray):
        assert opened.tobytes() == b"".join(RECORDS)
    else:
        assert (opened if isinstance(opened, list) else opened.to_pylist()) == RECORDS


def test_every_rearrangement_of_a_sealed_batch_is_noticed(
    kms: kmsfast.Kms, key: kmsfast.Key
) -> None:
    header, values = key.seal_batch(RECORDS, CONTEXT)
    other = key.seal_batch(RECORDS, CONTEXT)
    for wrong in (
        values[:-1], values[1:], values[::-1], [*values, values[-1]], [*values[:-1], values[0]],
        [values[1], values[0], *values[2:]], [*values[:10], other.values[10], *values[11:]],
        values[:25] + values[26:],
    ):  # fmt: skip
        with pytest.raises(BatchError):
            kms.open_batch((header, wrong), CONTEXT)
    with pytest.raises(InvalidCiphertext, match="cut off"):
        kms.open_batch((header, []), CONTEXT)
    with pytest.raises(BatchError, match="50 of 50"):
        kms.open_batch((other.header, values), CONTEXT)
    with pytest.raises(InvalidCiphertext):
        kms.open_record((header, values[:-1]), 48, CONTEXT)
    for i in (-1, 50):
        with pytest.raises(ValidationError, match="records 0 to 49"):
            kms.open_record((header, values), i, CONTEXT)


def test_a_sealed_batch_needs_its_context_and_header(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    header, values = key.seal_batch(RECORDS, CONTEXT)
    for context in (None, {"file": "other"}):
        with pytest.raises(InvalidCiphertext, match="context"):
            kms.open_batch((header, values), context)
    for i in range(0, 136 * 8, 5):
        changed = bytearray(header)
        changed[i // 8] ^= 1 << i % 8
        with pytest.raises((InvalidCiphertext, KeyNotFound, BatchError)):
            kms.open_batch((bytes(changed), values), CONTEXT)
    with pytest.raises(ValidationError, match="at least one record"):
        key.seal_batch([])
    with pytest.raises(ValidationError, match="no nulls"):
        key.seal_batch([b"a", None])


# ---- streams --------------------------------------------------------------------------------


class Trickle(io.RawIOBase):
    """Gives and takes a little at a time, as pipes do."""

    def __init__(self, data: bytes = b"") -> None:
        self.data, self.taken = data, bytearray()

    def read(self, size: int = -1) -> bytes:
        part = self.data[: min(size, 33_333)]
        self.data = self.data[len(part) :]
        return part

    def write(self, data: bytes) -> int:
        part = bytes(data[:100_001])
        self.taken += part
        return len(part)


def sealed(key: kmsfast.Key, data: bytes) -> bytes:
    out = io.BytesIO()
    key.encrypt_stream(io.BytesIO(data), out, CONTEXT)
    return out.getvalue()


def opened(kms: kmsfast.Kms, data: bytes) -> bytes:
    out = io.BytesIO()
    kms.decrypt_stream(io.BytesIO(data), out, CONTEXT)
    return out.getvalue()


BLOCK = 4 << 20
SIZES = [0, 1, 65_535, 65_536, 65_537, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 65_536]


@pytest.mark.parametrize("size", SIZES)
def test_streams_of_any_size(kms: kmsfast.Kms, key: kmsfast.Key, size: int) -> None:
    data = os.urandom(size)
    stream = sealed(key, data)
    assert len(stream) == 136 + size + 16 * max(1, math.ceil(size / 65_536))
    assert opened(kms, stream) == data
    assert kmsfast.inspect(stream).record_size == 65_536


def test_streams_through_pipes(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    data = os.urandom(BLOCK + 12_345)
    out, back = Trickle(), Trickle()
    key.encrypt_stream(Trickle(data), out, CONTEXT, threads=2)
    kms.decrypt_stream(Trickle(bytes(out.taken)), back, CONTEXT, threads=2)
    assert back.taken == data


@pytest.mark.parametrize("size", [0, 10, 65_536, 200_000])
def test_a_stream_that_was_changed(kms: kmsfast.Kms, key: kmsfast.Key, size: int) -> None:
    data = os.urandom(size)
    stream = sealed(key, data)
    record = 65_552
    changes = {
        "cut in a record": stream[:-1],
        "cut before the last record": stream[: 136 + (len(stream) - 137) // record * record],
        "extended": stream + b"\0",
        "a bit of the last byte": stream[:-1] + bytes([stream[-1] ^ 1]),
        "a bit of the first record": stream[:136] + bytes([stream[136] ^ 1]) + stream[137:],
        "continued by another": stream + stream[136:],
        "records swapped": stream[:136] + stream[136 + record :] + stream[136 : 136 + record],
    }
    for name, wrong in changes.items():
        if wrong == stream:
            continue
        with pytest.raises(InvalidCiphertext):
            opened(kms, wrong)
            pytest.fail(name)
        out = io.BytesIO()
        with pytest.raises(InvalidCiphertext):
            kms.decrypt_stream(io.BytesIO(wrong), out, CONTEXT)
        assert data.startswith(out.getvalue())
    for cut in (0, 1, 135):
        with pytest.raises(FrameError):
            opened(kms, stream[:cut])
    with pytest.raises(InvalidCiphertext):
        kms.decrypt_stream(io.BytesIO(stream), io.BytesIO(), {"file": "other"})
    with pytest.raises(FrameError, match="sealed batch"):
        opened(kms, key.encrypt(os.urandom(100)))


def test_a_batch_of_several_sizes_is_no_stream(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    batch = key.seal_batch([b"a", b"bc"], CONTEXT)
    with pytest.raises(ValidationError, match="not a stream"):
        opened(kms, batch.header + b"".join(batch.values))


def test_a_source_that_would_block(key: kmsfast.Key) -> None:
    class Blocking(io.RawIOBase):
        def read(self, size: int = -1) -> None:
            return None

    with pytest.raises(ValidationError, match="non-blocking"):
        key.encrypt_stream(Blocking(), io.BytesIO())


# ---- rewrapping -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("mixed", [False, True])
def test_rewrapping(kms: kmsfast.Kms, key: kmsfast.Key, kind: str, mixed: bool) -> None:
    values = KINDS[kind]()
    blobs = key.encrypt_batch(values, CONTEXT)
    if mixed:  # every second record under another version already
        key.rotate()
        other = key.encrypt_batch(values, CONTEXT)
        from kmsfast.service import kinds

        both = zip(kinds.to_list(blobs), kinds.to_list(other), strict=True)
        blobs = kinds.from_list([pair[i % 2] for i, pair in enumerate(both)], blobs)
    else:
        key.rotate()
    done = kms.rewrap_batch(blobs, CONTEXT)
    assert type(done) is type(blobs)
    from kmsfast.service import kinds

    before, after = kinds.to_list(blobs), kinds.to_list(done)
    assert {int.from_bytes(blob[20:24], "big") for blob in after} == {2}
    assert [a == b for a, b in zip(before, after, strict=True)] == [
        mixed and i % 2 == 1 for i in range(50)
    ]
    assert kinds.to_list(kms.decrypt_batch(done, CONTEXT)) == RECORDS
    assert kms.rewrap_batch(done, CONTEXT) is done


def test_rewrapping_several_keys_with_nulls_and_failures(
    kms: kmsfast.Kms, key: kmsfast.Key
) -> None:
    other = kms.create_key()
    blobs = [key.encrypt(b"a"), None, other.encrypt(b"b"), b"nonsense", key.encrypt(b"c", CONTEXT)]
    key.rotate()
    with pytest.raises(BatchError, match="2 of 5") as raised:
        kms.rewrap_batch(blobs)
    done = raised.value.values
    assert done[1:] == [None, blobs[2], None, None]
    assert kms.decrypt(done[0]) == b"a"
    assert kmsfast.inspect(done[0]).key_version == 2
    assert kms.rewrap_batch([]) == []
    assert kms.rewrap_batch([None]) == [None]
    with pytest.raises(ValidationError):
        kms.rewrap_batch(7)


# ---- data keys ------------------------------------------------------------------------------


def test_envelope_encryption(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    data_key = key.generate_data_key(32, CONTEXT)
    assert data_key.key_arn == key.arn
    assert data_key.plaintext is not None
    sealed_outside = AESGCM(data_key.plaintext).encrypt(bytes(12), b"secret", None)
    again = kms.decrypt(data_key.ciphertext_blob, CONTEXT)
    assert AESGCM(again).decrypt(bytes(12), sealed_outside, None) == b"secret"
    with pytest.raises(InvalidCiphertext):
        kms.decrypt(data_key.ciphertext_blob)


def test_data_keys_without_plaintext(kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    first, second = (key.generate_data_key_without_plaintext(16, CONTEXT) for _ in range(2))
    assert first.plaintext is None
    plain = kms.decrypt(first.ciphertext_blob, CONTEXT)
    assert len(plain) == 16
    assert plain != kms.decrypt(second.ciphertext_blob, CONTEXT)


def test_data_keys_do_not_show(key: kmsfast.Key) -> None:
    data_key = key.generate_data_key(24)
    assert data_key.plaintext is not None
    shown = f"{data_key!r} {data_key}"
    assert data_key.plaintext.hex() not in shown
    assert repr(data_key.plaintext) not in shown
    assert "<secret 24 bytes>" in shown


@pytest.mark.parametrize("size", [1, 64, 1024])
def test_sizes_of_data_keys(kms: kmsfast.Kms, key: kmsfast.Key, size: int) -> None:
    data_key = key.generate_data_key(size)
    assert kms.decrypt(data_key.ciphertext_blob) == data_key.plaintext
    assert len(data_key.plaintext or b"") == size


@pytest.mark.parametrize("size", [0, -1, 1025])
def test_sizes_that_no_data_key_has(key: kmsfast.Key, size: int) -> None:
    with pytest.raises(ValidationError, match="between 1 and 1024"):
        key.generate_data_key(size)
