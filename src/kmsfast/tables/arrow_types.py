"""Arrow columns as bytes, and back to exactly the same column.

Rules:
- text and binary values are encrypted as they are; values of fixed width by their little-endian
  bytes as Arrow lays them out; booleans as one byte, 0 or 1;
- nulls stay nulls; dictionaries and extension types are encrypted by their values and restored;
- nested columns (lists, structs, maps) are refused by name;
- the original field (name, type, nullability, metadata) is kept in the metadata of the encrypted
  one as a serialized Arrow schema. It is not authenticated: whoever can write the file can change
  as what the decrypted bytes are read, not the bytes.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from kmsfast.errors import ValidationError

__all__ = ["ENCRYPTED_KEY", "encrypted_field", "from_bytes", "original_field", "to_bytes"]

#: Field metadata of an encrypted column: its suite ("blob" or "sealed"), ...
ENCRYPTED_KEY = b"kmsfast.column"
#: ... the original field as an Arrow IPC schema in base64, ...
FIELD_KEY = b"kmsfast.field"
#: ... and its type in words, for people.
TYPE_KEY = b"kmsfast.type"


def encrypted_field(field: pa.Field, suite: str, extra: Mapping[bytes, bytes]) -> pa.Field:
    """The field that an encrypted column gets: binary, with the original in its metadata.

    Raises:
        ValidationError: the type cannot be encrypted, or the column is encrypted already.
    """
    if original_field(field) is not None:
        raise ValidationError(
            f"column {field.name!r} is encrypted already; use rewrap to bring it to a new version"
        )
    _check_type(field, field.type)
    serialized = base64.b64encode(pa.schema([field]).serialize().to_pybytes())
    metadata = dict(field.metadata or {})
    metadata |= {
        ENCRYPTED_KEY: suite.encode(),
        TYPE_KEY: str(field.type).encode(),
        FIELD_KEY: serialized,
    }
    return pa.field(field.name, _binary_like(field.type), field.nullable, {**metadata, **extra})


def original_field(field: pa.Field) -> pa.Field | None:
    """The field that an encrypted column had before; None if the column is not encrypted.

    Raises:
        ValidationError: the metadata of the column was damaged.
    """
    metadata = field.metadata or {}
    serialized = metadata.get(FIELD_KEY)
    if serialized is None:
        if metadata.keys() & {ENCRYPTED_KEY, TYPE_KEY}:
            raise ValidationError(f"column {field.name!r}: a part of its kmsfast metadata is gone")
        return None
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(serialized, validate=True)))
        original = schema.field(0)
    except (ValueError, OSError, IndexError) as error:
        raise ValidationError(
            f"column {field.name!r}: damaged kmsfast metadata: {error}"
        ) from error
    return original.with_name(field.name)


def to_bytes(array: pa.Array) -> pa.Array:
    """The values as a binary or large_binary array; copies only booleans and null-padded input."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return to_bytes(array.storage)
    if pa.types.is_dictionary(kind):
        return to_bytes(array.dictionary_decode())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return array
    if _is_variable(kind):
        return _viewed(array, _binary_like(kind))
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.binary())
    if pa.types.is_boolean(kind):
        array = array.cast(pa.uint8())
    return _fixed_to_bytes(array)


def from_bytes(array: pa.Array, kind: pa.DataType, column: str) -> pa.Array:
    """The inverse of `to_bytes` for the Arrow type `kind`.

    Raises:
        ValidationError: the bytes cannot be of that type (invalid UTF-8, another width).
    """
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, from_bytes(array, kind.storage_type, column))
    if pa.types.is_dictionary(kind):
        return from_bytes(array, kind.value_type, column).dictionary_encode().cast(kind)
    try:
        return _plain_from_bytes(array, kind)
    except (pa.ArrowInvalid, ValueError) as error:
        raise ValidationError(f"column {column!r} does not hold {kind} values: {error}") from error


def _plain_from_bytes(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if kind == array.type:
        return array
    if pa.types.is_null(kind):
        return pa.nulls(len(array))
    if _is_variable(kind):
        text = _viewed(array, kind)
        text.validate(full=True)  # that it is UTF-8, which cast() looks at as well
        return text
    if pa.types.is_boolean(kind):
        return _fixed_from_bytes(array, pa.uint8()).cast(kind)
    return _fixed_from_bytes(array, kind)


def _viewed(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The same bytes as binary or text; cast() would import pyarrow.compute, which takes 50 ms."""
    if {array.type, kind} in ({pa.binary(), pa.string()}, {pa.large_binary(), pa.large_string()}):
        return array.view(kind)
    return array.cast(kind)


def _is_variable(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
        )
    )


def _binary_like(kind: pa.DataType) -> pa.DataType:
    """Binary with 64-bit offsets where the original has them."""
    if pa.types.is_dictionary(kind):
        return _binary_like(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return _binary_like(kind.storage_type)
    large = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    return pa.large_binary() if large else pa.binary()


def _check_type(field: pa.Field, kind: pa.DataType) -> None:
    if isinstance(kind, pa.BaseExtensionType):
        _check_type(field, kind.storage_type)
    elif pa.types.is_dictionary(kind):
        _check_type(field, kind.value_type)
    elif pa.types.is_nested(kind):
        raise ValidationError(
            f"column {field.name!r} is {field.type}; nested columns cannot be encrypted: "
            "flatten the table first"
        )


def _fixed_to_bytes(array: pa.Array) -> pa.Array:
    """A fixed-width array as binary over the same data buffer."""
    _check_byte_order()
    width = array.type.byte_width
    validity, data = array.buffers()
    offsets = (np.arange(len(array) + 1, dtype=np.int64) + array.offset) * width
    offsets = offsets.astype(np.int32, casting="unsafe") if offsets[-1] < 2**31 else offsets
    kind = pa.binary() if offsets.dtype == np.int32 else pa.large_binary()
    if array.offset and validity is not None:
        validity = _shifted_validity(array)
    return pa.Array.from_buffers(
        kind, len(array), [validity, pa.py_buffer(offsets), data], array.null_count
    )


def _shifted_validity(array: pa.Array) -> Any:
    return pa.array(array.is_valid()).buffers()[1] if array.null_count else None


def _fixed_from_bytes(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """A binary array whose valid values have the width of `kind`, as an array of `kind`."""
    _check_byte_order()
    width, count = kind.byte_width, len(array)
    offset_type = np.int64 if pa.types.is_large_binary(array.type) else np.int32
    validity, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, offset_type)[array.offset : array.offset + count + 1]
    valid = ~array.is_null().to_numpy(zero_copy_only=False)
    lengths = np.diff(offsets)[valid]
    if not np.all(lengths == width):
        raise ValueError(f"a value has {lengths[lengths != width][0]} bytes, expected {width}")
    values = np.zeros((count, width), np.uint8)
    if len(lengths):
        data = np.frombuffer(data_buffer, np.uint8)
        starts = offsets[:-1][valid].astype(np.int64)
        if array.null_count == 0:
            values = data[starts[0] : starts[0] + count * width]
        else:
            values[valid] = data[starts[:, None] + np.arange(width)]
    if array.offset and validity is not None:
        validity = _shifted_validity(array)
    return pa.Array.from_buffers(kind, count, [validity, pa.py_buffer(values)], array.null_count)


def _check_byte_order() -> None:
    if sys.byteorder != "little":
        raise ValidationError("columns of fixed width need a little-endian machine")
