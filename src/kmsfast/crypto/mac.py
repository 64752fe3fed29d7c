"""MAC keys: HMAC under SHA-224, SHA-256, SHA-384 or SHA-512 (FIPS 198-1), key bytes in C alone.

A key is of ``bits`` 224, 256, 384 or 512; its material and its MACs have ``bits // 8`` bytes.
Handles are those of :func:`load`. Any call with one raises StaleHandle when the key was evicted
from the arena.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kmsfast.crypto.column import Column, as_column, chunks_of, split_like
from kmsfast.crypto.keys import StoreKey, _id16
from kmsfast.crypto.native import check, checked_threads, ffi, lib
from kmsfast.errors import InvalidMac, StoreIntegrity, ValidationError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = [
    "BITS",
    "generate",
    "import_material",
    "load",
    "mac",
    "mac_batch",
    "verify",
    "verify_batch",
]

BITS: Final = (224, 256, 384, 512)
_WRAP_OVERHEAD: Final = 40

# Looked up once: a single message takes less than a microsecond.
_mac_one: Final = lib.kf_mac_one
_verify_one: Final = lib.kf_mac_verify_one


# ---- keys -----------------------------------------------------------------------------------


def generate(store: StoreKey, key_id: bytes, version: int, flags: int, *, bits: int) -> bytes:
    """Fresh key material, wrapped for its key id (16 bytes), version and flags.

    Returns:
        ``bits // 8 + 40`` bytes.

    Raises:
        ValidationError: no hash of ``bits``.
    """
    wrapped = _room_for(bits)
    check(lib.kf_mac_generate(wrapped, store._handle, _id16(key_id), version, flags, bits))
    return bytes(ffi.buffer(wrapped))


def import_material(
    store: StoreKey, material: bytearray, key_id: bytes, version: int, flags: int, *, bits: int
) -> bytes:
    """Key material that the caller brings, wrapped as :func:`generate` wraps its own.

    Args:
        material: ``bits // 8`` bytes, wiped on every way out.

    Raises:
        ValidationError: no hash of ``bits``, or material of another length.
    """
    given = ffi.from_buffer("uint8_t[]", material, require_writable=True)
    try:
        wrapped = _room_for(bits)
        if len(given) != bits // 8:
            raise ValidationError(
                f"the key material of an HMAC_{bits} key has {bits // 8} bytes, not {len(given)}"
            )
        check(
            lib.kf_mac_import(
                wrapped, store._handle, _id16(key_id), version, flags, bits, given, len(given)
            )
        )
        return bytes(ffi.buffer(wrapped))
    finally:
        lib.kf_forget(given, len(given))


def load(
    store: StoreKey, wrapped: bytes, key_id: bytes, version: int, flags: int, *, bits: int
) -> int:
    """Unwraps key material into the arena; returns the handle.

    Raises:
        StoreIntegrity: the material was not wrapped for this key, version, flags and hash.
        ValidationError: no hash of ``bits``.
    """
    _checked_bits(bits)
    handle = ffi.new("uint64_t *")
    status = lib.kf_mac_load(
        handle, store._handle, wrapped, len(wrapped), _id16(key_id), version, flags, bits
    )
    if status == lib.KF_ERR_AUTH:
        raise StoreIntegrity(
            f"the key material of version {version} does not authenticate as that of an "
            f"HMAC_{bits} key; the store was changed from outside: restore it from a backup"
        )
    check(status)
    return int(handle[0])


def _checked_bits(bits: int) -> None:
    if bits not in BITS:
        raise ValidationError(f"bits must be one of {', '.join(map(str, BITS))}, not {bits!r}")


def _room_for(bits: int) -> Any:
    """A buffer for wrapped material."""
    _checked_bits(bits)
    return ffi.new("uint8_t[]", bits // 8 + _WRAP_OVERHEAD)


# ---- one message ----------------------------------------------------------------------------


def mac(handle: int, msg: bytes, *, mac_len: int) -> bytes:
    """The MAC of one message; ``mac_len`` is that of the key.

    Raises:
        ValidationError: the key's MACs have another length.
    """
    # C fills the fresh bytes before anybody else sees them: the cheapest object to write into.
    out = bytes(mac_len)
    status = _mac_one(handle, out, mac_len, msg, len(msg))
    if status:
        _check(status, mac_len)
    return out


def verify(handle: int, msg: bytes, mac: bytes) -> None:
    """Returns when ``mac`` is that of the message; compared in constant time.

    Raises:
        InvalidMac: it is not.
    """
    status = _verify_one(handle, mac, len(mac), msg, len(msg))
    if status == lib.KF_ERR_AUTH:
        raise InvalidMac(
            f"the MAC of {len(mac)} bytes is not that of the message under this key: one of the "
            "two was changed, or the MAC was made with another key or algorithm"
        )
    check(status)


def _check(status: int, mac_len: int) -> None:
    if status == lib.KF_ERR_ARGUMENT:
        raise ValidationError(f"MACs of this key do not have {mac_len} bytes")
    check(status)


# ---- batches --------------------------------------------------------------------------------


def mac_batch(handle: int, values: Any, *, mac_len: int, threads: int = 1) -> Any:
    """One MAC of ``mac_len`` bytes per record of a batch (:mod:`kmsfast.crypto.column`).

    Returns:
        A list of bytes for a list (None where the record is), uint8 of shape (n, mac_len) for
        numpy arrays and Packed, fixed_size_binary for Arrow arrays (null where the record is).

    Raises:
        ValidationError: values of a wrong kind, or the key's MACs have another length.
    """
    checked_threads(threads)
    chunks = chunks_of(values)
    if chunks is not None:
        import pyarrow as pa

        done = [mac_batch(handle, part, mac_len=mac_len, threads=threads) for part in chunks]
        return pa.chunked_array(done, type=pa.binary(mac_len))
    column = as_column(values)
    sink = column.plan_fixed(mac_len)
    status = lib.kf_mac_batch(
        handle, sink.out, sink.out_len, sink.ptrs, mac_len, column.struct, column.num,
        column.skip_ptr, threads,
    )  # fmt: skip
    _check(status, mac_len)
    return sink.finish(())


def verify_batch(handle: int, values: Any, macs: Any, *, threads: int = 1) -> npt.NDArray[np.bool_]:
    """Whether each MAC is that of its record; compared in constant time.

    Args:
        values: a batch of any kind.
        macs: as many MACs, a batch of any kind as well.

    Returns:
        bool of shape (n,); False where the record or its MAC is null, and for MACs of another
        length than the key's.

    Raises:
        ValidationError: values or macs of a wrong kind, or not as many.
    """
    checked_threads(threads)
    chunks = chunks_of(values)
    if chunks is not None:
        parts = zip(chunks, split_like(chunks, macs, "macs"), strict=True)
        done = [verify_batch(handle, part, own, threads=threads) for part, own in parts]
        return np.concatenate(done) if done else np.empty(0, np.bool_)
    if chunks_of(macs) is not None:
        macs = macs.combine_chunks()
    column, given = as_column(values), as_column(macs, "macs")
    if given.num != column.num:
        raise ValidationError(f"macs has {given.num} records, values has {column.num}")
    status = np.empty(column.num, np.uint8)
    skip = _either(column, given)
    check(
        lib.kf_mac_verify_batch(
            handle, ffi.from_buffer("uint8_t[]", status), column.struct, given.struct, column.num,
            ffi.NULL if skip is None else ffi.from_buffer("uint8_t[]", skip), threads,
        )
    )  # fmt: skip
    passed: npt.NDArray[np.bool_] = status == lib.KF_REC_OK
    return passed


def _either(column: Column, other: Column) -> npt.NDArray[np.uint8] | None:
    """The mask of records that are null in one of two columns."""
    if column.skip is None or other.skip is None:
        return other.skip if column.skip is None else column.skip
    return column.skip | other.skip
