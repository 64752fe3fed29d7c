"""The C rows' library (build/bench/libkmsbench.so, benchmarks/c) from Python."""

import ctypes
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Self

LIBRARY = Path(__file__).resolve().parent.parent / "build" / "bench" / "libkmsbench.so"


class Party(IntEnum):
    """Who does the work; the numbers of ``enum bench_party``."""

    OURS = 0
    OPENSSL = 1
    IPSECMB = 2


def _load() -> ctypes.CDLL:
    lib = ctypes.CDLL(str(LIBRARY))
    work, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    signatures = {
        "bench_new": (work, [number, number, size, ctypes.c_int64, number]),
        "bench_free": (None, [work]),
        "bench_bytes": (size, [work]),
        "bench_has": (number, [work, number]),
        "bench_run": (size, [work, number, ctypes.c_int64]),
        "bench_agree": (number, [work, number, number]),
        "bench_mac_new": (work, [size, ctypes.c_int64]),
        "bench_mac_free": (None, [work]),
        "bench_mac_run": (size, [work, number, ctypes.c_int64]),
        "bench_mac_agree": (number, [work]),
        "bench_p256_new": (work, [size, ctypes.c_char_p]),
        "bench_p256_free": (None, [work]),
        "bench_p256_run": (size, [work, number, number, ctypes.c_int64]),
        "bench_p256_agree": (number, [work]),
        "bench_versions": (ctypes.c_char_p, []),
    }
    for name, (restype, argtypes) in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = restype, argtypes
    return lib


_lib = _load()


def versions() -> str:
    """Kernels and peers in one line."""
    text: bytes = _lib.bench_versions()
    return text.decode()


class _Held:
    """Work that the library holds while a block lasts: its functions are ``KIND_new`` and so on."""

    def __init__(self, kind: str, *args: object) -> None:
        self._kind = kind
        self._work = getattr(_lib, f"{kind}_new")(*args)
        if not self._work:
            raise RuntimeError(
                f"{kind}_new{args} failed: no memory, a failed self-test, or a peer or an "
                "implementation that is not here"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._call("free")

    def _call(self, name: str, *args: int) -> int:
        result: int = getattr(_lib, f"{self._kind}_{name}")(self._work, *args)
        return result

    def _run(self, what: str, *args: int) -> None:
        failed = self._call("run", *args)
        if failed:
            raise RuntimeError(f"{what}: {failed} failed")


class Workload(_Held):
    """Records to seal or open, with all parties ready to do it (``bench_work`` in bench.h)."""

    def __init__(
        self, *, xaes: bool, opening: bool, num: int, length: int, digest: bool = False
    ) -> None:
        super().__init__("bench", xaes, opening, num, length, digest)
        self.num = num

    def has(self, party: Party) -> bool:
        """Whether the party can run on this machine."""
        return bool(self._call("has", party))

    def agree(self, party: Party, other: Party) -> bool:
        """Whether both write the same bytes and refuse the same changed tag."""
        return bool(self._call("agree", party, other))

    def run(self, party: Party, reps: int) -> None:
        """Does the whole workload ``reps`` times."""
        self._run(f"records of {party.name}", party, reps)


class MacWorkload(_Held):
    """Messages to make HMAC-SHA-256 of, for ours and OpenSSL (``bench_mac.h``).

    length: bytes of each, or negative: 1 to as many.
    """

    def __init__(self, *, num: int, length: int) -> None:
        super().__init__("bench_mac", num, length)
        self.num = num

    def agree(self) -> bool:
        """Whether both write the same bytes."""
        return bool(self._call("agree"))

    def run(self, party: Party, reps: int) -> None:
        """Does the whole workload ``reps`` times."""
        self._run(f"messages of {party.name}", party, reps)


class Task(IntEnum):
    """What is done with signatures; the numbers of ``enum bench_p256_task``."""

    SIGN_UNCHECKED = 0
    SIGN = 1
    SIGN_TWO_THREADS = 2
    SIGN_ONE = 3
    VERIFY_KEY = 4
    VERIFY_TWO_THREADS = 5
    VERIFY_MANY = 6
    VERIFY_ONE = 7
    VERIFY_AGAIN = 8


class SignatureWorkload(_Held):
    """Digests to sign with ECDSA P-256, and signatures to verify (``bench_p256.h``).

    implementation: of P-256, forced from now on; None: the best of this CPU.
    """

    def __init__(self, *, num: int, implementation: str | None) -> None:
        super().__init__("bench_p256", num, implementation.encode() if implementation else None)
        self.num = num

    def agree(self) -> bool:
        """Whether each verifies what the other signed, and both refuse what was changed."""
        return bool(self._call("agree"))

    def run(self, task: Task, party: Party, reps: int = 1) -> None:
        """Does the task for all digests ``reps`` times."""
        self._run(f"{task.name} of {party.name}", task, party, reps)
