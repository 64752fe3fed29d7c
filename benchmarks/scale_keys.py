"""What many keys in one store cost: opening it, finding a key, listing, memory."""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import kmsfast
from kmsfast import app
from kmsfast.errors import KmsError
from kmsfast.model.seed import SeedKey
from kmsfast.service.seeding import Seeding

USED = 1_000  # keys, at most, that are used in turn


def keys(num: int) -> dict[str, float]:
    """Milliseconds, and MiB, with ``num`` keys."""
    with tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder:
        store = Path(folder) / "store"
        _filled(store, num)
        before = resident()
        found = {"open the store": min(_opening(store) for _ in range(3))}
        with kmsfast.open(store, audit="off") as kms:
            found["store open"] = resident() - before
            names = [f"alias/bench-{number}" for number in range(0, num, max(1, num // USED))]
            found["first use of a key"] = _each(lambda name: kms.key(name).encrypt(b"x"), names)
            again = [kms.key(name) for name in names]
            found["use of a key"] = min(_each(lambda key: key.encrypt(b"x"), again)
                                        for _ in range(3))  # fmt: skip
            found["name of no key"] = _each(lambda name: _missing(kms, name), ["alias/no"] * 5)
            found["list all"] = min(_each(lambda _: kms.keys(), [0]) for _ in range(2))
            ids = kms._app.management.key_ids
            found["list ids (ListKeys)"] = min(_each(lambda _: ids(), [0]) for _ in range(2))
            found["all listed"] = resident() - before
            found["make a key"] = _each(lambda _: kms.create_key(), range(5))
    return found


def resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _filled(store: Path, num: int) -> None:
    """Makes a store with so many keys, in one transaction."""
    made = app.start(store, create=True)
    (store / "quotas.toml").write_text("[resources]\nkeys = 1000000\n")  # for those made later
    seed = [
        SeedKey(UUID(int=number + 1).bytes, f"{number}", False, (f"alias/bench-{number}",), {},
                bytearray())
        for number in range(num)
    ]  # fmt: skip
    Seeding(made.ring).apply(seed)
    made.deployment.close()


def _opening(store: Path) -> float:
    start = time.perf_counter()
    kmsfast.open(store, audit="off").close()
    return (time.perf_counter() - start) * 1000


def _each(do: Callable[[Any], object], values: Sequence[Any]) -> float:
    start = time.perf_counter()
    for value in values:
        do(value)
    return (time.perf_counter() - start) * 1000 / len(values)


def _missing(kms: kmsfast.Kms, name: str) -> None:
    try:
        kms.key(name)
    except KmsError:
        return
    raise AssertionError(f"{name} is there")
