"""Frames alone, without cryptography: what a blob says of its key, beside other readers."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct
from typing import Any

import numpy as np
import pytest
from conftest import Compare
from rows import Row

import kmsfast
from kmsfast.crypto import blob
from kmsfast.crypto.column import as_column
from kmsfast.crypto.native import check, ffi, lib

NUM, LENGTH, PEER_NUM = 1_000_000, 64, 100_000
CONTEXT = {"table": "orders", "column": "email"}
MAX_GROUPS = 64
SINGLES = 200

# docs/blob-format.md: magic, frame version, suite, flags, key id, key version, commitment.
PREFIX = Struct(">BBBB16sI32s")


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[np.ndarray[Any, Any]]:
    """Blobs of eight versions of a key in turn, (NUM, LENGTH + 96) uint8."""
    path: Path = tmp_path_factory.mktemp("bench") / "store"
    part = np.zeros((NUM // 8, LENGTH), np.uint8)
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key(alias="alias/bench")
        made = np.empty((NUM, LENGTH + 96), np.uint8)
        for version in range(8):
            made[version::8] = key.encrypt_batch(part, context=CONTEXT)
            key.rotate()
        yield made


def scan(column: Any, group: Any, status: Any) -> int:
    """Sorts blobs by the key version that each names; returns how many versions there are."""
    prefixes, found = np.empty((MAX_GROUPS, 56), np.uint8), ffi.new("int32_t *")
    check(
        lib.kf_blob_scan(
            ffi.from_buffer("uint8_t[]", prefixes), MAX_GROUPS, found,
            ffi.from_buffer("int32_t[]", group), ffi.from_buffer("uint8_t[]", status),
            column.struct, column.num, ffi.NULL,
        )
    )  # fmt: skip
    return int(found[0])


def struct_loop(records: Sequence[bytes]) -> tuple[list[int], int]:
    """The same in Python: the group of each record, and how many groups there are."""
    groups: dict[tuple[bytes, int, bytes], int] = {}
    found, unpack = [], PREFIX.unpack_from
    for record in records:
        if len(record) < LENGTH:
            raise ValueError("cut off")
        magic, version, suite, flags, key_id, number, commitment = unpack(record)
        if magic != 0xF5 or version != 1 or suite != 1 or flags & ~1:
            raise ValueError("no blob")
        name = key_id, number, commitment
        found.append(groups.setdefault(name, len(groups)))
    return found, len(groups)


def test_frames_of_a_batch(blobs: np.ndarray[Any, Any], compare: Compare) -> None:
    """Lengths and headers checked, key versions found, records sorted by them."""
    column = as_column(blobs)
    group, status = np.empty(NUM, np.int32), np.zeros(NUM, np.uint8)
    records = [row.tobytes() for row in blobs[:PEER_NUM]]
    found, num = struct_loop(records)
    assert scan(column, group, status) == num == 8
    assert (status <= lib.KF_REC_SKIPPED).all()  # nothing was opened, nothing is wrong
    assert group[:PEER_NUM].tolist() == found
    compare(
        Row("frames of 1M x 64 B read, 8 key versions vs struct loop"),
        lambda: scan(column, group, status),
        lambda: struct_loop(records),
        units=NUM,
        peer_units=PEER_NUM,
        rounds=30,
    )


def _sdk_message() -> tuple[bytes, Any] | None:
    """A committing message of the AWS Encryption SDK and what reads its header, or None."""
    try:
        from aws_encryption_sdk.internal.formatting.deserialize import deserialize_header
        from python_peers import encryption_sdk_message
    except ImportError:
        return None
    return encryption_sdk_message(bytes(LENGTH), CONTEXT), deserialize_header


def test_frame_of_one(blobs: np.ndarray[Any, Any], compare: Compare) -> None:
    """The header of one record, as it is read before the key is looked up."""
    record, sdk = blobs[0].tobytes(), _sdk_message()

    def ours() -> None:
        for _ in range(SINGLES * 10):
            blob.parse_key(record)

    def peer() -> None:
        assert sdk is not None
        message, read = sdk
        for _ in range(SINGLES):
            read(io.BytesIO(message))

    compare(
        Row("frame of one record of 64 B read vs aws-encryption-sdk header", unit="headers/s"),
        ours,
        None if sdk is None else peer,
        units=SINGLES * 10,
        peer_units=SINGLES,
        rounds=30,
    )
