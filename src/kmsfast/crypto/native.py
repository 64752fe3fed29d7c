"""The C core: loading, its status codes as errors, and what it says of itself.

Importing this module runs the known-answer self-test; when it fails, nothing of kmsfast works.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from _kmsfast import ffi, lib
from kmsfast.errors import (
    ArenaFull,
    ComputationFault,
    InvalidCiphertext,
    KmsError,
    SelfTestFailed,
    StaleHandle,
    StoreForked,
    StoreIntegrity,
    StoreUnusable,
    ValidationError,
)

__all__ = [
    "BLOB_OVERHEAD",
    "MAX_THREADS",
    "PREFIX_LEN",
    "RETRIES",
    "TAG_LEN",
    "check",
    "checked_int",
    "checked_threads",
    "describe",
    "ffi",
    "force",
    "forget",
    "lib",
    "names",
    "shared",
    "with_handle",
]

PREFIX_LEN: Final = 56
BLOB_OVERHEAD: Final = 96
TAG_LEN: Final = 16
MAX_THREADS: Final = 256
RETRIES: Final = 16  # of a call that finds its key evicted

T = TypeVar("T")
H = TypeVar("H")

_MESSAGES: Final[dict[int, tuple[type[KmsError], str]]] = {
    lib.KF_ERR_SELFTEST: (
        SelfTestFailed,
        (
            "the C core failed its known-answer self-test on this CPU; no operation is possible. "
            "Run 'kmsfast doctor', or set KMSFAST_IMPL=portable to try the portable implementation"
        ),
    ),
    lib.KF_ERR_FORKED: (
        StoreForked,
        (
            "the key store was opened before a fork and its keys were wiped in this process; "
            "call kmsfast.open() again here"
        ),
    ),
    lib.KF_ERR_STALE: (StaleHandle, "the key is no longer in the arena"),
    lib.KF_ERR_FULL: (
        ArenaFull,
        (
            "every slot of the key arena is in use; close sealed batches that are no longer needed "
            "or raise the memlock limit (ulimit -l)"
        ),
    ),
    lib.KF_ERR_KIND: (ValidationError, "the handle names a key of another kind"),
    lib.KF_ERR_ARGUMENT: (ValidationError, "an argument of the C core is out of range"),
    lib.KF_ERR_OFFSETS: (
        ValidationError,
        "offsets must not decrease, start below 0, or run past the buffer",
    ),
    lib.KF_ERR_AUTH: (InvalidCiphertext, "authentication failed"),
    lib.KF_ERR_MEMORY: (KmsError, "out of memory"),
    lib.KF_ERR_CAPACITY: (KmsError, "more distinct keys in one batch than expected"),
    lib.KF_ERR_FINISHED: (
        ValidationError,
        "the sealed batch has its final record already; records are added by a new batch",
    ),
    lib.KF_ERR_FORMAT: (StoreIntegrity, "not of the expected format"),
    lib.KF_ERR_TYPE: (ValidationError, "records must be bytes"),
    lib.KF_ERR_FAULT: (
        ComputationFault,
        (
            "a result failed its check before release, so nothing was released; this computer "
            "computes wrongly: test its memory and processor before it signs again"
        ),
    ),
}


def check(status: int, what: str = "") -> None:
    """Raises the error of a ``kf_status``; ``what`` comes before its text."""
    if status == 0:
        return
    if status == lib.KF_ERR_SYSTEM:
        reason = os.strerror(ffi.errno)
        raise StoreUnusable(f"{what or 'a system call of the C core failed'}: {reason}")
    kind, text = _MESSAGES[status]
    raise kind(f"{what}: {text}" if what else text)


def checked_int(value: int, low: int, high: int, what: str) -> int:
    """The number, when it is one and lies between ``low`` and ``high``.

    Raises:
        ValidationError: it does not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValidationError(f"{what} must be between {low} and {high}, not {value!r}")
    return value


def with_handle(find: Callable[[], H], use: Callable[[H], T]) -> T:
    """Calls ``use`` with a handle, or what has one; found again when it was evicted meanwhile."""
    for _ in range(RETRIES):
        with suppress(StaleHandle):  # found again in the next round
            return use(find())
    raise StaleHandle("keys are evicted from the arena faster than they can be used")


def forget(secret: bytes | bytearray) -> None:
    """Overwrites bytes that held a secret and that nobody else has."""
    if len(secret) > 1:  # the interpreter has one object for each bytes of length 0 and 1
        lib.kf_forget(ffi.from_buffer("uint8_t[]", secret), len(secret))


def shared(kind: str, view: memoryview) -> tuple[Any, Any]:
    """A pointer to the bytes of a view, and what keeps them where they are.

    That is made of what the view is of, never of the view: where the collector of cycles finds
    both, it clears the view although somebody has its buffer, and the interpreter crashes.
    """
    with ffi.from_buffer("uint8_t[]", view, require_writable=True) as given:
        at = ffi.cast(kind, given)
    return at, ffi.from_buffer("uint8_t[]", view.obj)


def checked_threads(threads: int) -> int:
    """A number of threads that the C core can run."""
    return checked_int(threads, 1, MAX_THREADS, "threads")


def describe() -> dict[str, Any]:
    """What runs: implementation, those this CPU could run, CPU features, key arena."""
    arena = ffi.new("struct kf_arena_info *")
    check(lib.kf_arena_describe(arena))
    return {
        "implementation": ffi.string(lib.kf_impl_name()).decode(),
        "available": names(lib.kf_impl_available),
        "cpu_features": ffi.string(lib.kf_cpu_features()).decode().split(),
        "arena": {
            "slots": arena.num_slots,
            "used": arena.used_slots,
            "loads": arena.loads,
            "evictions": arena.evictions,
            "bytes": arena.bytes,
            "locked": bool(arena.locked),
            "lock_error": os.strerror(arena.lock_errno) if arena.lock_errno else None,
            "excluded_from_core_dumps": bool(arena.dontdump),
            "wiped_by_kernel_on_fork": bool(arena.wipeonfork),
        },
    }


def names(available: Callable[[int], Any]) -> list[str]:
    """The implementations that this CPU can run, the fastest first, of a function of the core."""
    found: list[str] = []
    while (name := available(len(found))) != ffi.NULL:
        found.append(ffi.string(name).decode())
    return found


def force(name: str) -> None:
    """Uses the named implementation in the whole process (for tests and diagnosis)."""
    if lib.kf_impl_force(name.encode()) != 0:
        raise ValidationError(f"implementation {name!r} cannot run on this CPU")


def _start() -> None:
    status = lib.kf_init()
    if status == lib.KF_ERR_ARGUMENT:
        _refuse_name("KMSFAST_IMPL", lib.kf_impl_available)
        _refuse_name("KMSFAST_P256_IMPL", lib.kf_p256_impl_available)
    check(status)


def _refuse_name(variable: str, available: Callable[[int], Any]) -> None:
    """Raises if an environment variable names an implementation that cannot run here."""
    possible = names(available)
    name = os.environ.get(variable)
    if name and name not in possible:
        raise ValidationError(
            f"{variable}={name!r} names no implementation that this CPU can run; "
            f"it can run: {', '.join(possible)}"
        )


_start()
