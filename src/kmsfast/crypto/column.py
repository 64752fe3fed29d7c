"""Batches of records: lists, numpy and Arrow in, the same kind out, as the C core reads them.

Every kind becomes a :class:`Column` (what C reads) and plans a :class:`Sink` (what C writes):

=============================  ==============================================================
in                             out
=============================  ==============================================================
``list`` of ``bytes | None``   ``list`` of ``bytes | None``
numpy ``uint8`` of (n, w)      numpy ``uint8`` of (n, w + delta)
numpy ``S``/``V`` of (n,)      numpy ``V`` of (n,), w + delta bytes wide
:class:`Packed`                :class:`Packed`
Arrow binary, string           binary (large_binary when over 2 GiB); nulls stay null
Arrow large_binary/_string     large_binary
Arrow fixed_size_binary(w)     fixed_size_binary(w + delta)
=============================  ==============================================================

No record is copied: numpy and Arrow buffers are read where they lie, and results are written where
they will stay. What says where records begin and end is copied, since C runs without the GIL: a
thread of the caller that writes to its offsets meanwhile must not lead C out of a buffer. One that
writes to its records gets the result of some mixture of old and new bytes, and no bytes of others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from kmsfast.crypto.column_base import Column, Sink
from kmsfast.crypto.column_list import ListColumn
from kmsfast.crypto.column_numpy import FixedColumn, Packed, PackedColumn
from kmsfast.errors import ValidationError

if TYPE_CHECKING:
    import numpy as np
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["Column", "Packed", "Sink", "as_column", "chunks_of", "concat_chunks", "split_like"]


def as_column(values: Any, what: str = "values") -> Column:
    """The column of a batch in any supported kind.

    Raises:
        ValidationError: another type, dtype or shape; offsets that decrease or leave the buffer.
    """
    if isinstance(values, list):
        return ListColumn(values, what)
    if isinstance(values, Packed) or (isinstance(values, tuple) and len(values) == 2):
        return PackedColumn(Packed(*values), what)
    if isinstance(values, np.ndarray):
        return FixedColumn(values, what)
    if _is_arrow(values):
        from kmsfast.crypto.column_arrow import arrow_column

        return arrow_column(values, what)
    raise ValidationError(
        f"{what} must be a list of bytes, a numpy array, Packed(data, offsets) or an Arrow array, "
        f"not {type(values).__name__}"
    )


def chunks_of(values: Any) -> list[Any] | None:
    """The chunks of an Arrow ChunkedArray, else None."""
    if _is_arrow(values) and type(values).__name__ == "ChunkedArray":
        return cast("list[Any]", values.chunks)
    return None


def concat_chunks(chunks: list[Any], like: Any) -> Any:
    """Chunks as one ChunkedArray; all become large_binary when one of them had to.

    Args:
        like: what the chunks were made from; gives the type when there are none.
    """
    import pyarrow as pa

    if not chunks:
        large = like.type in (pa.large_binary(), pa.large_string())
        return pa.chunked_array([], type=pa.large_binary() if large else pa.binary())
    widest = pa.large_binary()
    if any(chunk.type == widest for chunk in chunks):
        chunks = [chunk.cast(widest) for chunk in chunks]
    return pa.chunked_array(chunks)


def split_like(chunks: list[Any], values: Any, what: str) -> list[Any]:
    """What belongs to the records of each chunk of a chunked array; None for each if there is none.

    Raises:
        ValidationError: not one for each record, or of a kind that cannot be cut.
    """
    if values is None:
        return [None] * len(chunks)
    total = sum(len(chunk) for chunk in chunks)
    if isinstance(values, tuple) or not hasattr(values, "__len__") or len(values) != total:
        raise ValidationError(
            f"{what} for a chunked array must be a list, an array of (n, w) or an Arrow array of "
            f"{total} records"
        )
    whole: Any = values if chunks_of(values) is None else values.combine_chunks()
    ends = np.cumsum([len(chunk) for chunk in chunks])
    return [whole[end - len(chunk) : end] for chunk, end in zip(chunks, ends, strict=True)]


def _is_arrow(values: Any) -> bool:
    return type(values).__module__.partition(".")[0] == "pyarrow"
