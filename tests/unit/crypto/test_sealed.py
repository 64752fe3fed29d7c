"""Sealed batches: what is moved, dropped, doubled, cut off or mixed does not open."""

from __future__ import annotations

import os

import numpy as np
import pytest
import reference
from ring import Ring, Version

from kmsfast.crypto.column import Packed
from kmsfast.crypto.sealed import HEADER_LEN, SealedReader, SealedWriter, parse_header
from kmsfast.errors import FrameError, InvalidCiphertext, ValidationError

CONTEXT = {"file": "x"}
CANONICAL = reference.canonical(CONTEXT)


def seal(key: Version, records: list[bytes]) -> tuple[bytes, list[bytes]]:
    with SealedWriter(key.handle, CANONICAL) as writer:
        return writer.header, writer.seal(records, last=True)


def test_batches_open_with_the_reference(ring: Ring, implementation: str) -> None:
    key = ring.add()
    for num in (1, 2, 9, 300):
        records = [os.urandom(i * 7 % 500) for i in range(num)]
        header, sealed = seal(key, records)
        assert len(header) == HEADER_LEN
        assert [len(s) - len(r) for s, r in zip(sealed, records, strict=True)] == [16] * num
        assert reference.open_sealed(key.material, header, sealed, CONTEXT) == records
        with SealedReader(key.handle, header, CANONICAL) as reader:
            assert reader.open(sealed, first=0, last=True, threads=2) == (records, {})
            middle = num // 2
            one, errors = reader.open([sealed[middle]], first=middle, last=middle == num - 1)
            assert (one, errors) == ([records[middle]], {})


def test_calls_continue_one_batch(ring: Ring) -> None:
    key = ring.add()
    with SealedWriter(key.handle, CANONICAL, record_size=100) as writer:
        parts = [
            writer.seal(np.full((3, 100), 1, np.uint8), last=False),
            writer.seal(np.full((2, 100), 2, np.uint8), last=False),
            writer.seal(np.full((1, 5), 3, np.uint8), last=True),
        ]
        with pytest.raises(ValidationError, match="final record"):
            writer.seal([b"more"], last=False)
    records = [row.tobytes() for part in parts for row in part]
    opened = reference.open_sealed(key.material, writer.header, records, CONTEXT)
    assert b"".join(opened) == b"\1" * 300 + b"\2" * 200 + b"\3" * 5


def test_record_size_is_kept(ring: Ring) -> None:
    key = ring.add()
    with SealedWriter(key.handle, b"", record_size=10) as writer:
        for records, last in (([b"short"], False), ([b"x" * 11], True), ([b"x" * 11], False)):
            with pytest.raises(ValidationError):
                writer.seal(records, last=last)
        writer.seal([b"x" * 10, b"end"], last=True)


def test_nothing_can_be_moved_dropped_doubled_cut_or_mixed(ring: Ring, implementation: str) -> None:
    key = ring.add()
    records = [os.urandom(20) for _ in range(6)]
    header, sealed = seal(key, records)
    other_header, other = seal(key, records)
    wrong = {
        "reordered": [sealed[1], sealed[0], *sealed[2:]],
        "dropped": sealed[1:],
        "doubled": [sealed[0], *sealed[:1], *sealed[2:]],
        "cut off": sealed[:-1],
        "mixed": [other[0], *sealed[1:]],
        "changed": [sealed[0][:-1] + bytes([sealed[0][-1] ^ 1]), *sealed[1:]],
        "too short": [b"", *sealed[1:]],
        "extended": [*sealed, sealed[-1]],
    }
    with SealedReader(key.handle, header, CANONICAL) as reader:
        for what, batch in wrong.items():
            opened, errors = reader.open(batch, first=0, last=True)
            assert errors, what
            assert all(opened[i] is None for i in errors)
        _, errors = reader.open(sealed, first=0, last=False)
        assert list(errors) == [5]  # a final record in the middle
    with SealedReader(key.handle, other_header, CANONICAL) as reader:
        assert len(reader.open(sealed, first=0, last=True)[1]) == 6


def test_headers_are_authenticated(ring: Ring) -> None:
    key = ring.add()
    header, sealed = seal(key, [b"a", b"b"])
    for at in range(HEADER_LEN):
        changed = header[:at] + bytes([header[at] ^ 1]) + header[at + 1 :]
        try:
            reader = SealedReader(key.handle, changed, CANONICAL)
        except InvalidCiphertext:
            continue
        assert 4 <= at < 8, at  # the record size shows when records are opened
        assert len(reader.open(sealed, first=0, last=True)[1]) == 2
    with pytest.raises(InvalidCiphertext, match="context"):
        SealedReader(key.handle, header, b"")
    with pytest.raises(FrameError, match="first byte"):
        parse_header(b"not a header")
    for wrong in (header[:-1], header + b"\0"):
        with pytest.raises(FrameError, match="header of a sealed batch"):
            parse_header(wrong)
        with pytest.raises(FrameError, match="header of a sealed batch"):
            SealedReader(key.handle, wrong, CANONICAL)


def test_a_reader_never_seals_and_nulls_are_refused(ring: Ring) -> None:
    key = ring.add()
    header, _ = seal(key, [b"a"])
    reader = SealedReader(key.handle, header, CANONICAL)
    writer = object.__new__(SealedWriter)
    import threading

    writer._handle, writer._turn, writer.record_size = reader._handle, threading.Lock(), 0
    with pytest.raises(ValidationError):
        writer.seal([b"more"], last=True)
    writer._handle = 0
    with SealedWriter(key.handle, b"") as fresh, pytest.raises(ValidationError, match="nulls"):
        fresh.seal([None], last=True)
    with SealedWriter(key.handle, b"", 4) as sized:
        with pytest.raises(ValidationError, match="every record of this sealed batch has 4 bytes"):
            sized.seal([b"abc"], last=False)
        with pytest.raises(ValidationError, match="it ends with one"):
            sized.seal([], last=True)
    with pytest.raises(ValidationError, match="the SealedWriter was closed"):
        sized.seal([b"abcd"], last=True)
    with pytest.raises(ValidationError, match="record_size must be between 0 and 4294967295"):
        SealedWriter(key.handle, b"", -1)


def test_packed_records(ring: Ring) -> None:
    key = ring.add()
    values = Packed(np.arange(100, dtype=np.uint8), np.array([0, 10, 10, 50, 100]))
    with SealedWriter(key.handle, b"") as writer:
        sealed = writer.seal(values, last=True)
    with SealedReader(key.handle, writer.header, b"") as reader:
        opened, errors = reader.open(sealed, first=0, last=True)
    assert not errors
    assert (opened.data == values.data).all()
    assert (opened.offsets == values.offsets).all()
