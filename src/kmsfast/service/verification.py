"""Signatures by keys of others: nothing of a store is needed to verify them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kmsfast.crypto import p256, spki
from kmsfast.model.keyspec import enumerated
from kmsfast.service.signing import ENCODINGS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["verify_batch"]


def verify_batch(
    public_keys: Any,
    digests: Any,
    signatures: Any,
    *,
    encoding: str | None = None,
    threads: int = 1,
) -> npt.NDArray[np.bool_]:
    """Whether each is the ECDSA P-256 signature of its digest by its own key: numpy bool of (n,).

    Args:
        public_keys: a list of DER SubjectPublicKeyInfo (:meth:`Key.public_key_der`), or numpy uint8
            of (n, 91), or of (n, 64): x and y, big-endian. For a point that is not on the curve no
            signature is valid.
        digests: SHA-256 digests, a list of bytes or numpy uint8 of (n, 32).
        signatures: a list of bytes or numpy uint8 of (n, 64).
        encoding: "der" or "raw" (r and s side by side); None: "der" in a list, "raw" in an array.
        threads: for the C core; the GIL is released.

    Raises:
        ValidationError: another kind of batch, another length, or a key that is not of P-256.
    """
    chosen = None if encoding is None else enumerated(encoding, ENCODINGS, "encoding")
    return p256.verify_many(
        spki.points_of(public_keys), digests, signatures, threads=threads,
        encoding=None if chosen is None else p256.Encoding[chosen.upper()],
    )  # fmt: skip
