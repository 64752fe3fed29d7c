"""ECDSA and ECDH on P-256: keys as handles to the arena, signatures and public keys as bytes.

A digest has 32 bytes. A public key is x || y, 64 bytes, big-endian. A signature is ``RAW``: r || s,
64 bytes (IEEE P1363), or ``DER``: a SEQUENCE of two INTEGERs (RFC 3279), up to 72 bytes.

=================  ==============================  ===================================
batch in           without ``encoding``            with it
=================  ==============================  ===================================
numpy uint8 (n, k)  RAW, numpy uint8 (n, 64)        RAW the same; DER ``list[bytes]``
``list[bytes]``    DER, ``list[bytes]``            RAW and DER ``list[bytes]``
=================  ==============================  ===================================

Nonces are hedged (docs/p256.md), or those of RFC 6979 when ``deterministic``. Every signature is
checked before it is returned. High values of s are as good as low ones, as FIPS 186-5 has it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from kmsfast.crypto.column_base import Column, i64, u8
from kmsfast.crypto.keys import WRAPPED_LEN, StoreKey
from kmsfast.crypto.native import check, checked_threads, ffi, lib, names
from kmsfast.errors import ComputationFault, StoreIntegrity, ValidationError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    U8 = npt.NDArray[np.uint8]
    Flags = npt.NDArray[np.bool_]
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = [
    "DIGEST_LEN",
    "PUBLIC_LEN",
    "RAW_LEN",
    "Encoding",
    "ecdh",
    "force",
    "generate",
    "implementation",
    "implementations",
    "import_private",
    "load",
    "sign",
    "sign_batch",
    "verify",
    "verify_batch",
    "verify_many",
]

DIGEST_LEN: Final = 32
PUBLIC_LEN: Final = 64
RAW_LEN: Final = 64
DER_MAX: Final = 72


class Encoding(IntEnum):
    """How a signature is written."""

    RAW = lib.KF_P256_RAW
    DER = lib.KF_P256_DER


# ---- keys -----------------------------------------------------------------------------------


def generate(store: StoreKey, key_id: bytes, version: int, flags: int) -> tuple[bytes, bytes]:
    """A fresh private key, wrapped, 72 bytes; and its public key, 64 bytes.

    Args:
        store: wraps the private key.
        key_id: 16 bytes; the wrapped key is bound to it, its version and its flags.
        version: of the key.
        flags: of the key.
    """
    wrapped, public = ffi.new("uint8_t[]", WRAPPED_LEN), ffi.new("uint8_t[]", PUBLIC_LEN)
    check(
        lib.kf_p256_generate(wrapped, public, store._handle, _id16(key_id), version, flags),
        "the key was not made",
    )
    return bytes(ffi.buffer(wrapped)), bytes(ffi.buffer(public))


def import_private(
    store: StoreKey, scalar: bytes | bytearray, key_id: bytes, version: int, flags: int
) -> tuple[bytes, bytes]:
    """As :func:`generate`, with a private scalar of 32 bytes, big-endian.

    Raises:
        ValidationError: it is 0, or not below the order of the group, or not of 32 bytes.
    """
    if len(scalar) != DIGEST_LEN:
        raise ValidationError(f"a private scalar of P-256 has 32 bytes, not {len(scalar)}")
    wrapped, public = ffi.new("uint8_t[]", WRAPPED_LEN), ffi.new("uint8_t[]", PUBLIC_LEN)
    status = lib.kf_p256_import(
        wrapped, public, store._handle, ffi.from_buffer(scalar), _id16(key_id), version, flags
    )
    if status == lib.KF_ERR_ARGUMENT:
        raise ValidationError(
            "a private scalar of P-256 lies between 1 and n - 1; this one does not"
        )
    check(status)
    return bytes(ffi.buffer(wrapped)), bytes(ffi.buffer(public))


def load(
    store: StoreKey, wrapped: bytes, key_id: bytes, version: int, flags: int
) -> tuple[int, bytes]:
    """Unwraps a private key into the arena: its handle, and its public key, 64 bytes.

    Raises:
        StoreIntegrity: the material was not wrapped for this key, version and flags.
    """
    if len(wrapped) != WRAPPED_LEN:
        raise StoreIntegrity(_CHANGED.format(version))
    handle, public = ffi.new("uint64_t *"), ffi.new("uint8_t[]", PUBLIC_LEN)
    status = lib.kf_p256_load(handle, public, store._handle, wrapped, _id16(key_id), version, flags)
    if status in {lib.KF_ERR_AUTH, lib.KF_ERR_FORMAT}:
        raise StoreIntegrity(_CHANGED.format(version))
    check(status)
    return int(handle[0]), bytes(ffi.buffer(public))


# ---- signing --------------------------------------------------------------------------------


def sign(
    handle: int, digest: bytes, *, encoding: Encoding = Encoding.DER, deterministic: bool = False
) -> bytes:
    """The signature of one digest of 32 bytes.

    Raises:
        ValidationError: the digest does not have 32 bytes.
        StaleHandle: the key is no longer in the arena.
        ComputationFault: the signature failed its check, and is not returned.
    """
    out, out_len = ffi.new("uint8_t[]", DER_MAX), ffi.new("int64_t *")
    check(lib.kf_p256_sign(handle, out, out_len, _digest(digest), encoding, deterministic))
    return bytes(ffi.buffer(out, out_len[0]))


def sign_batch(
    handle: int,
    digests: U8 | list[bytes],
    *,
    encoding: Encoding | None = None,
    deterministic: bool = False,
    threads: int = 1,
) -> U8 | list[bytes]:
    """The signatures of ``digests``: numpy uint8 of (n, 32), or a list of n times 32 bytes.

    Returns:
        As the table above says: numpy uint8 of (n, 64), or a list of n times bytes.

    Raises:
        ValidationError: a digest does not have 32 bytes.
        StaleHandle: the key is no longer in the arena.
        ComputationFault: a signature failed its check; none is returned.
    """
    column = _digests(digests)
    num, is_list = column.num, isinstance(digests, list)
    if encoding is None:
        encoding = Encoding.DER if is_list else Encoding.RAW
    der = encoding == Encoding.DER
    out: U8 = np.empty((num, DER_MAX if der else RAW_LEN), np.uint8)
    lens = i64(np.empty(num, np.int64)) if der else ffi.NULL
    status: U8 = np.empty(num, np.uint8)
    num_bad = ffi.new("int64_t *")
    check(
        lib.kf_p256_sign_batch(
            handle,
            u8(out),
            lens,
            u8(status),
            num_bad,
            column.struct,
            num,
            encoding,
            deterministic,
            checked_threads(threads),
        )
    )
    if num_bad[0]:
        raise ComputationFault(
            f"{num_bad[0]} of {num} signatures failed their check before release, the first is "
            f"record {int(np.flatnonzero(status)[0])}; none is returned. This computer computes "
            "wrongly: test its memory and processor before it signs again"
        )
    if not der and not is_list:
        return out
    signatures: list[Any] = [None] * num
    check(lib.kf_py_fill(id(signatures), u8(out), out.shape[1], lens, num))
    return signatures


# ---- verification ---------------------------------------------------------------------------


def verify(
    public: bytes, digest: bytes, signature: bytes, *, encoding: Encoding = Encoding.DER
) -> bool:
    """Whether ``signature`` is one of ``digest`` (32 bytes) under the public key (64 bytes).

    Raises:
        ValidationError: the public key is not a point, or the digest does not have 32 bytes.
    """
    status = lib.kf_p256_verify(
        _public(public), _digest(digest), _bytes(signature), len(signature), encoding
    )
    if status == lib.KF_ERR_AUTH:
        return False
    _check_point(status)
    return True


def verify_batch(
    public: bytes,
    digests: U8 | list[bytes],
    signatures: U8 | list[bytes],
    *,
    encoding: Encoding | None = None,
    threads: int = 1,
) -> Flags:
    """Which of ``signatures`` are those of ``digests`` under one public key (64 bytes).

    Args:
        public: x || y.
        digests: numpy uint8 of (n, 32), or a list of n times 32 bytes.
        signatures: numpy uint8 of (n, 64), or a list of n times bytes; None: DER in a list,
            RAW in an array.
        encoding: of the signatures.
        threads: how many compute.

    Returns:
        numpy bool of (n,). A signature of a wrong form or length is not valid.

    Raises:
        ValidationError: the public key is not a point; a digest does not have 32 bytes; there are
            more or fewer signatures than digests.
    """
    return _verify(
        lib.kf_p256_verify_batch,
        _public(public),
        _digests(digests),
        signatures,
        encoding=encoding,
        threads=threads,
    )


def verify_many(
    publics: U8 | list[bytes],
    digests: U8 | list[bytes],
    signatures: U8 | list[bytes],
    *,
    encoding: Encoding | None = None,
    threads: int = 1,
) -> Flags:
    """As :func:`verify_batch`, with a public key for each.

    Args:
        publics: numpy uint8 of (n, 64), or a list of n times 64 bytes. Where one is not a point of
            the curve, its signature is not valid.
        digests: as there.
        signatures: as there.
        encoding: as there.
        threads: as there.
    """
    keys: Any = _joined(publics)
    column = _digests(digests)
    if keys.shape[0] != column.num:
        raise ValidationError(f"{keys.shape[0]} public keys for {column.num} digests")
    return _verify(
        lib.kf_p256_verify_many,
        u8(keys),
        column,
        signatures,
        encoding=encoding,
        threads=threads,
    )


def _verify(
    function: Any,
    publics: Any,
    digests: Column,
    signatures: U8 | list[bytes],
    *,
    encoding: Encoding | None,
    threads: int,
) -> Flags:
    column = _column(signatures, "signatures")
    if digests.num != column.num:
        raise ValidationError(f"{column.num} signatures for {digests.num} digests")
    if encoding is None:
        encoding = Encoding.DER if isinstance(signatures, list) else Encoding.RAW
    valid: U8 = np.empty(column.num, np.uint8)
    _check_point(
        function(
            u8(valid),
            publics,
            digests.struct,
            column.struct,
            column.num,
            encoding,
            checked_threads(threads),
        )
    )
    return valid.view(np.bool_)


# ---- key agreement --------------------------------------------------------------------------


def ecdh(handle: int, public: bytes) -> bytes:
    """The x coordinate of the point shared with the owner of ``public``: 32 bytes, secret.

    Raises:
        ValidationError: the public key is not a point of the curve.
        StaleHandle: the key is no longer in the arena.
    """
    shared = ffi.new("uint8_t[]", DIGEST_LEN)
    try:
        _check_point(lib.kf_p256_ecdh(handle, shared, _public(public)))
        return bytes(ffi.buffer(shared))
    finally:
        lib.kf_forget(shared, DIGEST_LEN)


# ---- implementations ------------------------------------------------------------------------


def implementation() -> str:
    """Name of the implementation in use."""
    return str(ffi.string(lib.kf_p256_impl_name()).decode())


def implementations() -> list[str]:
    """The implementations that this CPU can run, the fastest first."""
    return names(lib.kf_p256_impl_available)


def force(name: str) -> None:
    """Uses the named implementation in the whole process (for tests and diagnosis).

    Raises:
        ValidationError: this CPU cannot run it.
    """
    if lib.kf_p256_impl_force(name.encode()) != 0:
        raise ValidationError(f"implementation {name!r} of P-256 cannot run on this CPU")


# ---- arguments ------------------------------------------------------------------------------

_CHANGED: Final = (
    "the key material of version {} does not authenticate; "
    "the store was changed from outside: restore it from a backup"
)


def _check_point(status: int) -> None:
    if status == lib.KF_ERR_FORMAT:
        raise ValidationError(
            "the public key is not a point of P-256: x and y must be below p and satisfy the "
            "equation of the curve"
        )
    check(status)


def _bytes(value: bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValidationError(f"a signature must be bytes, not {type(value).__name__}")
    return value


def _sized(value: bytes, size: int, what: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        found = f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
        raise ValidationError(f"{what} has {size} bytes, not {found}")
    return value


def _digest(value: bytes) -> bytes:
    return _sized(value, DIGEST_LEN, "a digest")


def _public(value: bytes) -> bytes:
    return _sized(value, PUBLIC_LEN, "a public key of P-256, x || y,")


def _id16(value: bytes) -> bytes:
    return _sized(value, 16, "a key id")


def _column(values: U8 | list[bytes], what: str) -> Column:
    """A list of bytes, or an array of (n, width), as C reads it."""
    from kmsfast.crypto.column_list import ListColumn
    from kmsfast.crypto.column_numpy import FixedColumn

    if not isinstance(values, list):
        if not isinstance(values, np.ndarray) or values.ndim != 2:
            raise ValidationError(
                f"{what} must be a list of bytes or a numpy uint8 array of two dimensions, not "
                f"{type(values).__name__}"
            )
        return FixedColumn(values, what)
    column = ListColumn(values, what)  # type: ignore[arg-type]
    if column.skip is not None:
        raise ValidationError(f"{what}[{int(column.mask.argmax())}] is None; records must be bytes")
    return column


def _digests(values: U8 | list[bytes]) -> Column:
    column = _column(values, "digests")
    if isinstance(values, list):
        wrong = np.flatnonzero(column.lens != DIGEST_LEN)  # type: ignore[attr-defined]
        if wrong.size:
            i = int(wrong[0])
            size = int(column.lens[i])  # type: ignore[attr-defined]
            raise ValidationError(f"digests[{i}] has {size} bytes; a digest has {DIGEST_LEN}")
    elif values.shape[1] != DIGEST_LEN:
        raise ValidationError(f"digests of {values.shape[1]} bytes; a digest has {DIGEST_LEN}")
    return column


def _joined(publics: U8 | list[bytes]) -> U8:
    """Public keys as one array of (n, 64)."""
    if isinstance(publics, list):
        for i, public in enumerate(publics):
            _sized(public, PUBLIC_LEN, f"publics[{i}]")
        return np.frombuffer(b"".join(publics), np.uint8).reshape(-1, PUBLIC_LEN)
    wanted = isinstance(publics, np.ndarray) and publics.ndim == 2
    if not wanted or publics.dtype != np.uint8 or publics.shape[1] != PUBLIC_LEN:
        raise ValidationError("public keys must be a list of bytes or numpy uint8 of (n, 64)")
    return np.ascontiguousarray(publics)
