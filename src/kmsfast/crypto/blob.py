"""Blobs (docs/blob-format.md): one record, and batches that name several keys.

Handles are those of :mod:`kmsfast.crypto.keys`; contexts are canonical bytes
(:mod:`kmsfast.model.context`). Any call raises StaleHandle when a key was evicted from the arena.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kmsfast.crypto.column import Column, as_column, chunks_of, concat_chunks, split_like
from kmsfast.crypto.native import (
    BLOB_OVERHEAD,
    PREFIX_LEN,
    RETRIES,
    check,
    checked_int,
    checked_threads,
    ffi,
    lib,
    with_handle,
)
from kmsfast.errors import FrameError, InvalidCiphertext, KmsError, StaleHandle, ValidationError

if TYPE_CHECKING:
    import numpy as np
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = [
    "KeyName",
    "bind",
    "data_key",
    "open_batch",
    "open_one",
    "own",
    "parse_key",
    "prefix",
    "record_error",
    "seal_batch",
    "seal_bound",
    "seal_one",
    "start_of",
    "try_open",
    "uses",
]

# Resolves the 56 bytes that start a blob to a handle that is in the arena at that moment.
Resolver = Callable[[bytes], int]

_MAGIC: Final = 0xF5

# Looked up once: a single record takes less than a microsecond.
_bound_seal: Final = lib.kf_bound_seal
_bound_open: Final = lib.kf_bound_open

_RECORD_ERRORS: Final[dict[int, tuple[type[KmsError], str]]] = {
    lib.KF_REC_TRUNCATED: (
        FrameError,
        f"shorter than the {BLOB_OVERHEAD} bytes of an empty blob",
    ),
    lib.KF_REC_MAGIC: (FrameError, "not a kmsfast blob (the first byte is not f5)"),
    lib.KF_REC_VERSION: (
        FrameError,
        (
            "a blob of a frame version that this release does not know; a newer release wrote it, "
            "or it was changed"
        ),
    ),
    lib.KF_REC_SUITE: (
        FrameError,
        (
            "a blob of a suite that this operation does not know; a newer release wrote it, "
            "or it was changed"
        ),
    ),
    lib.KF_REC_FLAGS: (FrameError, "a blob with a reserved flag set"),
    lib.KF_REC_COMMITMENT: (
        InvalidCiphertext,
        "the key commitment is not that of the key version that the blob names",
    ),
    lib.KF_REC_AUTH: (
        InvalidCiphertext,
        (
            "the blob does not open: it was changed, or the encryption context or associated data "
            "differs from the one it was encrypted with"
        ),
    ),
}


class KeyName(NamedTuple):
    """The key version that a blob names."""

    key_id: bytes
    version: int
    flags: int


def record_error(status: int, found: int | None = None) -> KmsError:
    """The error of a ``kf_record_status``; a new one, since it keeps the frames it is raised in.

    Args:
        found: the byte of the header that is wrong.
    """
    kind, text = _RECORD_ERRORS[status]
    return kind(text if found is None else f"{text} (found {found:#04x})")


def parse_key(blob: bytes) -> KeyName:
    """The key version that a blob, or its first 56 bytes, names.

    Raises:
        FrameError: not a blob, or of a version, suite or flags that this release does not know.
    """
    if len(blob) < PREFIX_LEN:
        raise record_error(lib.KF_REC_TRUNCATED)
    for at, expected, status in (
        (0, _MAGIC, lib.KF_REC_MAGIC),
        (1, 1, lib.KF_REC_VERSION),
        (2, 1, lib.KF_REC_SUITE),
    ):
        if blob[at] != expected:
            raise record_error(status, blob[at])
    if blob[3] & ~1:
        raise record_error(lib.KF_REC_FLAGS, blob[3])
    return KeyName(bytes(blob[4:20]), int.from_bytes(blob[20:24], "big"), blob[3])


def start_of(blob: bytes) -> bytes:
    """The 56 bytes of a whole blob that name its key version and commit to it.

    Raises:
        FrameError: shorter than the blob of an empty record.
    """
    if len(blob) < BLOB_OVERHEAD:
        raise record_error(lib.KF_REC_TRUNCATED)
    return bytes(blob[:PREFIX_LEN])


def prefix(handle: int) -> bytes:
    """The 56 bytes that start every blob of a key version: header 24, commitment 32."""
    out = ffi.new("uint8_t[]", PREFIX_LEN)
    check(lib.kf_key_prefix(handle, out))
    return bytes(ffi.buffer(out))


# ---- one record -----------------------------------------------------------------------------


def bind(handle: int, context: bytes) -> Any:
    """A key version bound to a context: what single records of both have in common.

    It holds nothing secret, and is good as long as the handle is.
    """
    binding = ffi.new("struct kf_binding *")
    check(lib.kf_bind(binding, handle, context, len(context)))
    return binding


def own(binding: Any) -> Any:
    """The same, with a count of its own."""
    made = ffi.new("struct kf_binding *")
    made[0] = binding[0]
    made.uses = 0
    return made


def uses(binding: Any) -> int:
    """How often it has sealed or opened."""
    return int(binding.uses)


def seal_bound(binding: Any, plaintext: bytes) -> bytes:
    """The blob of one record, ``len(plaintext) + 96`` bytes."""
    size = len(plaintext)
    # C fills the fresh bytes before anybody else sees them: the cheapest object to write into.
    out = bytes(size + BLOB_OVERHEAD)
    status = _bound_seal(binding, out, plaintext, size)
    if status:
        check(status)
    return out


def try_open(binding: Any, blob: bytes) -> bytes | None:
    """The plaintext of one blob, or None when it does not open by this binding, for any reason."""
    size = len(blob)
    if size < BLOB_OVERHEAD:
        return None
    out = bytes(size - BLOB_OVERHEAD)
    return None if _bound_open(binding, out, blob, size) else out


def seal_one(handle: int, plaintext: bytes, context: bytes, aad: bytes = b"") -> bytes:
    """The blob of one record, ``len(plaintext) + 96`` bytes."""
    out = bytes(len(plaintext) + BLOB_OVERHEAD)
    check(
        lib.kf_blob_seal_one(
            handle, out, plaintext, len(plaintext), context, len(context), aad, len(aad)
        )
    )
    return out


def open_one(handle: int, blob: bytes, context: bytes, aad: bytes = b"") -> bytes:
    """The plaintext of one blob.

    Raises:
        InvalidCiphertext: it does not open; FrameError when it is not even a blob.
    """
    size = len(blob) - BLOB_OVERHEAD
    if size < 0:
        raise record_error(lib.KF_REC_TRUNCATED)
    out, record = bytes(size), ffi.new("uint8_t *")
    status = lib.kf_blob_open_one(
        handle, out, record, blob, len(blob), context, len(context), aad, len(aad)
    )
    if status == lib.KF_ERR_AUTH:
        raise record_error(record[0])
    check(status)
    return out


def data_key(
    handle: int, num_bytes: int, context: bytes, with_plaintext: bool
) -> tuple[bytes | None, bytes]:
    """A fresh data key of 1 to 1,024 bytes: its plaintext if asked for, and its blob."""
    checked_int(num_bytes, 1, 1024, "num_bytes")
    # C fills the fresh bytes before anybody else sees them: no other copy is made.
    out = bytes(num_bytes + BLOB_OVERHEAD)
    plaintext = bytes(num_bytes) if with_plaintext else None
    check(
        lib.kf_data_key(
            handle, ffi.NULL if plaintext is None else plaintext, out, num_bytes, context,
            len(context),
        )
    )  # fmt: skip
    return plaintext, out


# ---- batches --------------------------------------------------------------------------------


def seal_batch(
    handle: int, values: Any, context: bytes, *, aad: Any = None, threads: int = 1
) -> Any:
    """One blob per record, as the same kind (:mod:`kmsfast.crypto.column`).

    Raises:
        ValidationError: values or aad of a wrong kind, or aad of another length.
    """
    checked_threads(threads)
    chunks = chunks_of(values)
    if chunks is not None:
        parts = zip(chunks, split_like(chunks, aad, "aad"), strict=True)
        return concat_chunks(
            [seal_batch(handle, part, context, aad=own, threads=threads) for part, own in parts],
            like=values,
        )
    column, extra = _columns(values, aad)
    sink = column.plan(BLOB_OVERHEAD)
    check(
        lib.kf_blob_seal(
            handle, sink.out, sink.out_len, sink.offsets, sink.ptrs, column.struct, column.num,
            column.skip_ptr, context, len(context), _struct_of(extra), threads,
        )
    )  # fmt: skip
    return sink.finish(())


def open_batch(
    resolve: Resolver, blobs: Any, context: bytes, *, aad: Any = None, threads: int = 1
) -> tuple[Any, dict[int, KmsError]]:
    """The plaintexts as the same kind, and the error of each record that does not open.

    Args:
        resolve: gives the handle for a prefix; its KmsError becomes that of all its records.
    """
    checked_threads(threads)
    if chunks_of(blobs) is not None:
        return _open_chunks(resolve, blobs, context, aad, threads)
    column, extra = _columns(blobs, aad)
    run = _Opening(resolve, column, extra, context, threads)
    run.expect_one_key()
    run.resolve_the_rest()
    errors = dict(run.errors())
    return run.sink.finish(errors), errors


class _Opening:
    """One batch on its way: first as if all blobs named the first one's key, then by groups."""

    def __init__(
        self, resolve: Resolver, column: Column, aad: Column | None, context: bytes, threads: int
    ) -> None:
        self._resolve, self._column, self._aad = resolve, column, aad
        self._context, self._threads = context, threads
        self.sink = column.plan(-BLOB_OVERHEAD)
        self._status = np.full(column.num, lib.KF_REC_SKIPPED, np.uint8)
        self._others = column.num
        self._failures_possible = False
        self._by_group: dict[int, KmsError] = {}
        self._group = np.empty(0, np.int32)

    def expect_one_key(self) -> None:
        """Serves the records of the first blob's key in one pass over the data."""
        skip = self._column.skip
        first = 0 if skip is None else int(np.argmin(skip))
        if self._column.num == 0 or (skip is not None and skip[first]):
            self._others = 0
            return
        start = self._column.peek(first, PREFIX_LEN)
        if len(start) < PREFIX_LEN:
            return
        try:
            parse_key(start)
            self._open(lambda: [self._resolve(start)], start, ffi.NULL)
        except StaleHandle:
            raise
        except KmsError:
            return  # the groups' pass gives this error to the records that it concerns

    def resolve_the_rest(self) -> None:
        """Scans what is left, resolves each distinct key once, and opens its records."""
        if not self._others:
            return
        self._failures_possible = True
        mask = (self._status != lib.KF_REC_SKIPPED).astype(np.uint8)
        if self._column.skip is not None:
            mask |= self._column.skip
        before = self._status.copy()
        prefixes = self._scan(mask)
        self._status[mask != 0] = before[mask != 0]
        known = self._committed(prefixes)
        at_once = _groups_at_once()
        for low in range(0, len(known), at_once):
            self._open_groups(prefixes, known[low : low + at_once])

    def errors(self) -> Iterator[tuple[int, KmsError]]:
        """Index and error of each record that failed."""
        if not self._failures_possible:
            return
        for i in np.flatnonzero(self._status > lib.KF_REC_SKIPPED):
            yield int(i), record_error(int(self._status[i]))
        if self._by_group:
            failed = np.zeros(int(self._group.max()) + 2, np.bool_)  # the last is that of group -1
            failed[list(self._by_group)] = True
            for i in np.flatnonzero(failed[self._group]):
                yield int(i), self._by_group[int(self._group[i])]

    def _scan(self, mask: Any) -> list[bytes]:
        """The distinct prefixes of the records that ``mask`` leaves; fills ``_group``."""
        self._group = np.empty(self._column.num, np.int32)
        found = ffi.new("int32_t *")
        capacity = 64
        while True:
            prefixes = np.empty((capacity, PREFIX_LEN), np.uint8)
            status = lib.kf_blob_scan(
                ffi.from_buffer("uint8_t[]", prefixes), capacity, found,
                ffi.from_buffer("int32_t[]", self._group),
                ffi.from_buffer("uint8_t[]", self._status), self._column.struct,
                self._column.num, ffi.from_buffer("uint8_t[]", mask),
            )  # fmt: skip
            if status != lib.KF_ERR_CAPACITY:
                check(status)
                return [row.tobytes() for row in prefixes[: found[0]]]
            capacity *= 8

    def _committed(self, prefixes: list[bytes]) -> list[int]:
        """The groups whose prefix is that of a usable key version; the others get their error.

        Only these cost a pass over the data: forged blobs, however many, are refused here.
        """
        known: list[int] = []
        for group, start in enumerate(prefixes):
            own = self._own_prefix(group, start)
            if own == start:
                known.append(group)
            elif own is not None:
                self._by_group[group] = record_error(lib.KF_REC_COMMITMENT)
        return known

    def _own_prefix(self, group: int, start: bytes) -> bytes | None:
        """The prefix of the key version that ``start`` names; None: it has an error now."""
        return with_handle(
            lambda: self._handle(group, start), lambda handle: prefix(handle) if handle else None
        )

    def _handle(self, group: int, start: bytes) -> int:
        """The handle of a group's key version, or 0 when the group has an error now."""
        try:
            return self._resolve(start)
        except StaleHandle:
            raise
        except KmsError as error:
            self._by_group[group] = error.with_traceback(None)  # whose frames hold the whole batch
            return 0

    def _open_groups(self, prefixes: list[bytes], groups: list[int]) -> None:
        local = np.full(len(prefixes) + 1, -1, np.int32)  # the last is that of group -1
        local[groups] = np.arange(len(groups))
        mine = local[self._group]
        self._open(
            lambda: [self._handle(group, prefixes[group]) for group in groups],
            b"".join(prefixes[group] for group in groups),
            ffi.from_buffer("int32_t[]", mine),
        )

    def _open(self, handles: Callable[[], list[int]], prefixes: bytes, group: Any) -> None:
        bad, other = ffi.new("int64_t *"), ffi.new("int64_t *")
        for _ in range(RETRIES):
            keys = handles()
            status = lib.kf_blob_open(
                self.sink.out, self.sink.out_len, self.sink.offsets, self.sink.ptrs,
                ffi.from_buffer("uint8_t[]", self._status), bad, other,
                ffi.new("uint64_t[]", keys), prefixes, len(keys), group, self._column.struct,
                self._column.num, self._column.skip_ptr, self._context, len(self._context),
                _struct_of(self._aad), self._threads,
            )  # fmt: skip
            if status != lib.KF_ERR_STALE:
                break
        check(status)
        self._others = other[0]
        self._failures_possible |= bad[0] != 0


def _groups_at_once() -> int:
    """How many key versions a pass over a batch opens: each pass looks at every record.

    A quarter of the arena, so that loading one evicts no other that the pass needs.
    """
    info = ffi.new("struct kf_arena_info *")
    check(lib.kf_arena_describe(info))
    return max(1, int(info.num_slots) // 4)


def _open_chunks(
    resolve: Resolver, blobs: Any, context: bytes, aad: Any, threads: int
) -> tuple[Any, dict[int, KmsError]]:
    chunks = blobs.chunks
    opened, errors, base = [], {}, 0
    for part, own in zip(chunks, split_like(chunks, aad, "aad"), strict=True):
        values, failed = open_batch(resolve, part, context, aad=own, threads=threads)
        opened.append(values)
        errors.update({base + i: error for i, error in failed.items()})
        base += len(part)
    return concat_chunks(opened, like=blobs), errors


def _columns(values: Any, aad: Any) -> tuple[Column, Column | None]:
    column = as_column(values)
    if aad is None:
        return column, None
    extra = as_column(aad, "aad")
    if extra.num != column.num:
        raise ValidationError(f"aad has {extra.num} records, values has {column.num}")
    if extra.skip is not None:
        raise ValidationError("aad has nulls; use empty bytes for records without any")
    return column, extra


def _struct_of(column: Column | None) -> Any:
    return ffi.NULL if column is None else column.struct
