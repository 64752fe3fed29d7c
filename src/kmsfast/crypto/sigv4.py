"""The signature of a request, computed and compared in C (csrc/kf_sigv4.c)."""

from __future__ import annotations

from typing import Final

from kmsfast.crypto.native import check, lib

__all__ = ["SIGNATURE_LEN", "is_signature"]

SIGNATURE_LEN: Final = 64
_KEY_LEN: Final = 32
_NONE: Final = bytes(SIGNATURE_LEN)
_DONE: Final[int] = lib.KF_OK
_OTHER: Final[int] = lib.KF_ERR_AUTH
_check: Final = lib.kf_sigv4_check


def is_signature(signature: bytes, key: bytes, scope: bytes, head: bytes, body: bytes) -> bool:
    """Whether a request carries the signature that a key makes of it; the same work for any.

    Args:
        signature: in hexadecimal; of another length than 64 it is none.
        key: the signing key, 32 bytes.
        scope: algorithm, time and credential scope, a newline behind each, at most 256 bytes.
        head: the canonical request up to the hash of its body.

    Raises:
        ValidationError: the key or the scope is of another length.
    """
    if len(key) != _KEY_LEN:
        check(lib.KF_ERR_ARGUMENT, "a signing key has 32 bytes")
    whole = len(signature) == SIGNATURE_LEN
    given = signature if whole else _NONE
    status: int = _check(key, scope, len(scope), head, len(head), body, len(body), given)
    if status not in {_DONE, _OTHER}:
        check(status)
    return status == _DONE and whole
