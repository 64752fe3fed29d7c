"""Blobs under the current versions of their keys.

Each key that the blobs name is asked for its current version; what is of an older one is
re-encrypted by the server, which does not give out what it decrypts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kmsfast.client.asking import Context, Number, checked, many
from kmsfast.client.calls import Call
from kmsfast.client.columns import Batch, as_list
from kmsfast.client.description import current_in
from kmsfast.client.faults import of_code
from kmsfast.client.naming import every
from kmsfast.crypto import blob
from kmsfast.errors import BatchError, FrameError, KmsError
from kmsfast.model.key import FLAG_MULTI_REGION, format_key_id
from kmsfast.service import kinds

__all__ = ["rewrapped"]


def rewrapped(blobs: Any, context: Context) -> Call[Any]:
    """The blobs, of the kind of the input, each under the current version of its key.

    Raises:
        BatchError: some do not open; ``.values`` has the others.
    """
    batch = Batch(blobs, "blobs")  # refuses what is none
    records = list(kinds.to_list(blobs))
    failed: dict[int, KmsError] = {}
    of_key: dict[str, dict[int, list[int]]] = {}
    for i, record in enumerate(records):
        if record is None:
            continue
        try:
            name = blob.parse_key(record)
        except FrameError as error:
            failed[i] = error
        else:
            key_id = format_key_id(name.key_id, bool(name.flags & FLAG_MULTI_REGION))
            of_key.setdefault(key_id, {}).setdefault(name.version, []).append(i)
    for key_id, versions in of_key.items():
        yield from _of_key(records, failed, key_id, versions, context)
    values = kinds.from_list(
        [None if i in failed else record for i, record in enumerate(records)], like=blobs
    )
    if failed:
        raise BatchError(dict(sorted(failed.items())), values, batch.num)
    return values


def _of_key(
    records: list[bytes | None],
    failed: dict[int, KmsError],
    key_id: str,
    versions: dict[int, list[int]],
    context: Context,
) -> Call[None]:
    """Re-encrypts the records of one key that need it, and opens the others to see that they do.

    Args:
        versions: indices of the records by the version that they name.
    """
    try:
        current = yield from _current(key_id)
    except KmsError as error:
        failed.update((i, error) for indices in versions.values() for i in indices)
        return
    for version, indices in versions.items():
        chosen = Batch([records[i] for i in indices])
        if version == current:
            gathered = yield from many(Number.DECRYPT, key_id, context, chosen)
            kinds.wipe(as_list(gathered.results))
        else:
            gathered = yield from many(
                Number.RE_ENCRYPT, key_id, context, chosen, to_context=checked(context)
            )
            made: Sequence[bytes | None] = as_list(gathered.results)
            for i, record in zip(indices, made, strict=True):
                records[i] = record
        failed.update((indices[at], error) for at, error in gathered.failed.items())


def _current(key_id: str) -> Call[int]:
    """The number of the version that encrypts."""
    shown = yield from every(
        "ListKeyRotations", "Rotations", KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL"
    )
    current = current_in(shown)
    if not current:
        raise of_code("KMSInvalidStateException", f"{key_id} has no key material")
    return current
