"""What a ciphertext says of itself, without keys."""

from __future__ import annotations

from kmsfast.crypto import blob, sealed
from kmsfast.crypto.native import BLOB_OVERHEAD
from kmsfast.errors import FrameError
from kmsfast.model.blob_info import BlobInfo
from kmsfast.model.key import FLAG_MULTI_REGION, format_key_id
from kmsfast.model.key_store import KeyStoreType
from kmsfast.model.outside_blob import is_outside, parse

__all__ = ["inspect"]


def inspect(data: bytes) -> BlobInfo:
    """The header of a blob, or of a sealed batch or stream. Nothing of it is authenticated yet.

    Raises:
        FrameError: neither of them, truncated, or of a version or suite unknown to this release.
    """
    start = bytes(data[: sealed.HEADER_LEN])
    if is_outside(start):
        return _of_key_store(bytes(data))
    if start[2:3] == b"\x02":
        batch = sealed.parse_header(start)
        name, kind, suite = blob.KeyName(*batch[:3]), "sealed batch", "AES-256-GCM, sealed"
        plaintext_size, record_size = None, batch.record_size
    else:
        name = blob.parse_key(blob.start_of(start))
        kind, suite = "blob", "XAES-256-GCM, key-committing"
        plaintext_size, record_size = len(data) - BLOB_OVERHEAD, None
    multi_region = bool(name.flags & FLAG_MULTI_REGION)
    return BlobInfo(
        kind=kind,
        frame_version=start[1],
        suite=suite,
        key_id=format_key_id(name.key_id, multi_region),
        key_version=name.version,
        multi_region=multi_region,
        plaintext_size=plaintext_size,
        record_size=record_size,
    )


_SUITES = {
    KeyStoreType.AWS_CLOUDHSM: ("AES-256-GCM, in a CloudHSM key store", 0),
    KeyStoreType.EXTERNAL_KEY_STORE: ("AES-256-GCM, in an external key store", BLOB_OVERHEAD),
}


def _of_key_store(data: bytes) -> BlobInfo:
    """The header of a blob of a key in a custom key store."""
    found = parse(data)
    suite, inner = _SUITES[found.type]
    if len(found.box.ciphertext) < inner:
        raise FrameError("the blob is shorter than that of an empty record")
    return BlobInfo(
        kind="blob",
        frame_version=data[1],
        suite=suite,
        key_id=format_key_id(found.key_id, False),
        key_version=found.version,
        multi_region=False,
        plaintext_size=len(found.box.ciphertext) - inner,
        record_size=None,
    )
