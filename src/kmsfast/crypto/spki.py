"""Public keys of P-256 as SubjectPublicKeyInfo (RFC 5480): one fixed start, then the point.

For batches of them, and for keys that no library need parse. Whether a point is on the curve is
checked where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kmsfast.errors import ValidationError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    U8 = npt.NDArray[np.uint8]
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["from_point", "points_of", "to_point"]

# id-ecPublicKey, prime256v1, a BIT STRING of 66 bytes without unused bits, an uncompressed point.
_START: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_POINT_LEN: Final = 64
_LEN: Final = len(_START) + _POINT_LEN


def from_point(point: bytes) -> bytes:
    """The DER of x || y, 64 bytes."""
    return _START + point


def to_point(der: bytes) -> bytes:
    """X || y of a DER SubjectPublicKeyInfo.

    Raises:
        ValidationError: it is not that of an uncompressed point of P-256.
    """
    if len(der) != _LEN or not der.startswith(_START):
        raise ValidationError("the public key is not that of a P-256 key, in DER")
    return der[len(_START) :]


def points_of(public_keys: Any) -> U8:
    """Points as uint8 of (n, 64): of a list of DER keys, or of numpy uint8 of (n, 91) or (n, 64).

    Raises:
        ValidationError: another kind, or a key that is not an uncompressed point of P-256.
    """
    if isinstance(public_keys, list):
        for i, der in enumerate(public_keys):
            if not isinstance(der, bytes) or len(der) != _LEN:
                raise ValidationError(
                    f"public_keys[{i}] is no DER SubjectPublicKeyInfo of P-256, of {_LEN} bytes"
                )
        rows = np.frombuffer(b"".join(public_keys), np.uint8).reshape(-1, _LEN)
    else:
        rows = public_keys
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2:
        raise ValidationError("public_keys must be a list of bytes, or numpy uint8 of (n, 91)")
    if rows.shape[1] == _LEN:
        wrong = np.flatnonzero((rows[:, : len(_START)] != np.frombuffer(_START, np.uint8)).any(1))
        if wrong.size:
            raise ValidationError(
                f"public_keys[{int(wrong[0])}] is no DER SubjectPublicKeyInfo of P-256"
            )
        rows = rows[:, len(_START) :]
    if rows.shape[1] != _POINT_LEN:
        raise ValidationError(f"public_keys has rows of {rows.shape[1]} bytes, not of {_LEN}")
    points: U8 = np.ascontiguousarray(rows)
    return points
