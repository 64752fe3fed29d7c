"""Batches of any kind (:mod:`kmsfast.crypto.column`) record by record: the way for the rare cases.

Whole batches of one key never come here; a batch that mixes key versions does when it is rewrapped,
and a single record of a sealed batch does.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kmsfast.crypto.column import Packed, as_column, chunks_of, concat_chunks
from kmsfast.crypto.native import forget

if TYPE_CHECKING:
    import numpy as np
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["fixed_width", "from_list", "num_records", "record", "to_list", "wipe"]


def to_list(values: Any) -> list[bytes | None]:
    """The records as bytes, nulls as None."""
    if isinstance(values, list):
        return values
    if isinstance(values, tuple):
        data, offsets = values
        return [data[a:b].tobytes() for a, b in pairwise(offsets)]
    if isinstance(values, np.ndarray):
        return [row.tobytes() for row in values]
    return values.to_pylist()  # type: ignore[no-any-return]


def from_list(records: Sequence[bytes | None], like: Any) -> Any:
    """Records of the same lengths as those of ``like``, as its kind; None: null or zeros."""
    if isinstance(like, list):
        return list(records)
    if isinstance(like, tuple):
        return _packed(records, like)
    if isinstance(like, np.ndarray):
        width = like.itemsize if like.ndim == 1 else like.shape[1]
        data = np.frombuffer(b"".join(r or bytes(width) for r in records), np.uint8)
        if like.ndim == 1:
            return data.view(np.dtype((np.void, width))).reshape(-1)
        return data.reshape(like.shape)
    return _arrow(records, like)


def record(values: Any, i: int) -> bytes | None:
    """One record as bytes."""
    if isinstance(values, list):
        return values[i]  # type: ignore[no-any-return]
    if isinstance(values, tuple):
        data, offsets = values
        return data[offsets[i] : offsets[i + 1]].tobytes()  # type: ignore[no-any-return]
    if isinstance(values, np.ndarray):
        return values[i].tobytes()  # type: ignore[no-any-return]
    return values[i].as_py()  # type: ignore[no-any-return]


def wipe(values: Any) -> None:
    """Overwrites results that nobody else has: a list, numpy uint8 of (n, width), or Packed."""
    if isinstance(values, list):
        for each in values:
            if each is not None:
                forget(each)
        return
    data = values.data if isinstance(values, Packed) else values
    data[...] = 0


def num_records(values: Any) -> int:
    """How many records there are.

    Raises:
        ValidationError: not a batch.
    """
    if isinstance(values, tuple) or not isinstance(values, Sized):
        return as_column(values).num
    return len(values)


def fixed_width(values: Any) -> int:
    """The width of records that all have the same by their type, else 0."""
    if isinstance(values, np.ndarray):
        return values.itemsize if values.ndim == 1 else int(values.shape[1])
    return getattr(getattr(values, "type", None), "byte_width", 0) if _is_fixed(values) else 0


def _is_fixed(values: Any) -> bool:
    return str(getattr(values, "type", "")).startswith("fixed_size_binary")


def _packed(records: Sequence[bytes | None], like: Any) -> Packed:
    offsets = like[1] - like[1][0]
    lengths = np.diff(offsets)
    filled = [r if r is not None else bytes(lengths[i]) for i, r in enumerate(records)]
    return Packed(np.frombuffer(b"".join(filled), np.uint8), offsets)


def _arrow(records: Sequence[bytes | None], like: Any) -> Any:
    import pyarrow as pa

    chunks = chunks_of(like)
    if chunks is None:
        return pa.array(records, type=like.type)
    ends = np.cumsum([0, *(len(chunk) for chunk in chunks)])
    return concat_chunks(
        [_arrow(records[ends[i] : ends[i + 1]], chunk) for i, chunk in enumerate(chunks)], like=like
    )
