"""Batches of every kind, lists, numpy and Arrow, against the reference."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import reference
from ring import Ring

from kmsfast.crypto import blob
from kmsfast.crypto.column import Packed

NUM = 300  # more than a window, and not a multiple of one
CONTEXT = {"kind": "any"}
CANONICAL = reference.canonical(CONTEXT)

Records = list[bytes | None]
Build = Callable[[Records], Any]


# ---- kinds of one width ---------------------------------------------------------------------


def rows(records: Records) -> Any:
    return np.array(records, dtype=f"V{len(records[0])}").view(np.uint8).reshape(len(records), -1)


def fixed_arrow(records: Records) -> Any:
    width = len(next(r for r in records if r is not None))
    padded = pa.array([b"\xff" * width, *records, None], pa.binary(width))
    return padded.slice(1, len(records))


FIXED: dict[str, Build] = {
    "rows": rows,
    "V": lambda records: np.array(records, dtype=f"V{len(records[0])}"),
    "S": lambda records: rows(records).view(f"S{len(records[0])}").reshape(-1),
    "Arrow fixed_size_binary": fixed_arrow,
}


# ---- kinds of any length --------------------------------------------------------------------


def packed(records: Records, gap: bytes = b"") -> Packed:
    data = gap + b"".join(r or b"" for r in records) + gap
    offsets = np.cumsum([len(gap), *(len(r or b"") for r in records)], dtype=np.int64)
    return Packed(np.frombuffer(data, np.uint8), offsets)


def sliced(records: Records, kind: pa.DataType) -> pa.Array:
    """An array that starts 3 records into its buffers and ends before their end."""
    return pa.array([b"before", None, b"", *records, b"after"], kind).slice(3, len(records))


def chunked(records: Records, kind: pa.DataType) -> pa.ChunkedArray:
    cuts = [0, 1, 1, 8, 270, len(records)]
    parts = [sliced(records[a:b], kind) for a, b in pairwise(cuts)]
    return pa.chunked_array(parts, kind)


RAGGED: dict[str, Build] = {
    "list": list,
    "packed": packed,
    "packed, beginning and ending inside its data": lambda records: packed(records, b"gap"),
    "Arrow binary": lambda records: pa.array(records, pa.binary()),
    "Arrow binary, sliced": lambda records: sliced(records, pa.binary()),
    "Arrow large_binary, sliced": lambda records: sliced(records, pa.large_binary()),
    "Arrow string, sliced": lambda records: sliced(records, pa.string()),
    "Arrow large_string, sliced": lambda records: sliced(records, pa.large_string()),
    "Arrow binary, chunked": lambda records: chunked(records, pa.binary()),
    "Arrow large_binary, chunked": lambda records: chunked(records, pa.large_binary()),
    "Arrow string, chunked": lambda records: chunked(records, pa.string()),
}


def as_list(values: Any) -> Records:
    if isinstance(values, Packed):
        ends = values.offsets.tolist()
        return [values.data[a:b].tobytes() for a, b in pairwise(ends)]
    if isinstance(values, np.ndarray):
        return [row.tobytes() for row in values]
    return values if isinstance(values, list) else values.to_pylist()


def text_records(nulls: bool) -> Records:
    """ASCII, so that every kind can hold them."""
    chance = random.Random(3)
    records: Records = [b"%d" % chance.randrange(10 ** (i % 90 + 1)) for i in range(NUM)]
    for i in range(0, NUM, 5):
        records[i] = b""
    if nulls:
        for i in chance.sample(range(NUM), 40):
            records[i] = None
    return records


# ---- the tests ------------------------------------------------------------------------------

AAD: dict[str, Build] = {
    "no aad": lambda aads: None,
    "aad in a list": list,
    "aad packed": lambda aads: packed(aads, b"gap"),
    "aad in Arrow": lambda aads: sliced(aads, pa.string()),
}


def check(ring: Ring, records: Records, kind: Build, aad: str, blob_kind: Build) -> None:
    """The reference opens what is sealed as a kind, and what it sealed opens as a kind."""
    key = ring.add()
    own = [b"" if aad == "no aad" else b"of record %d" % i for i in range(len(records))]
    column = AAD[aad](own)
    sealed = blob.seal_batch(key.handle, kind(records), CANONICAL, aad=column, threads=2)
    pairs = zip(as_list(sealed), own, strict=True)
    assert [None if s is None else key.open(s, CONTEXT, a) for s, a in pairs] == records
    pairs = zip(records, own, strict=True)
    made = blob_kind([None if r is None else key.seal(r, CONTEXT, a) for r, a in pairs])
    opened, errors = blob.open_batch(ring.resolve, made, CANONICAL, aad=column, threads=2)
    assert not errors
    assert as_list(opened) == records


@pytest.mark.parametrize("kind", FIXED)
@pytest.mark.parametrize("width", [1, 15, 16, 17, 64, 100])
def test_kinds_of_one_width(ring: Ring, implementation: str, kind: str, width: int) -> None:
    # no zeros: numpy's S drops them at the end
    text = bytes(byte or 1 for byte in os.urandom(NUM * width))
    records: Records = [text[i * width : (i + 1) * width] for i in range(NUM)]
    for aad in ("no aad", "aad in a list"):
        check(ring, records, FIXED[kind], aad, FIXED[kind])


def test_fixed_arrow_with_nulls(ring: Ring, implementation: str) -> None:
    records: Records = [b"%08d" % i if i % 3 else None for i in range(NUM)]
    check(ring, records, fixed_arrow, "aad packed", fixed_arrow)


KINDS = [(kind, aad) for kind in RAGGED for aad in ("no aad", "aad in a list")]
KINDS += [(kind, aad) for kind in ("list", "Arrow string, sliced") for aad in list(AAD)[2:]]


@pytest.mark.parametrize(("kind", "aad"), KINDS)
def test_kinds_of_any_length(ring: Ring, implementation: str, kind: str, aad: str) -> None:
    blob_kind = kind.replace("string", "binary")  # blobs are no text
    for nulls in (False, True):
        if not (nulls and "packed" in kind):
            check(ring, text_records(nulls), RAGGED[kind], aad, RAGGED[blob_kind])
