"""What a long audit log costs: appending, opening, searching, verifying, memory."""

import gc
import resource
import tempfile
import time
from pathlib import Path

import kmsfast
from kmsfast import app
from kmsfast.audit.event import Caller, Event
from kmsfast.audit.frames import pack
from kmsfast.audit.lookup import Wanted
from kmsfast.audit.reading import Filter
from kmsfast.audit.trail import Trail
from kmsfast.audit.verify import Report

CALLER = Caller(
    "IAMUser", "arn:aws:iam::000000000000:user/ada", "000000000000", "AIDAEXAMPLE", "", "unix:0"
)
KEYS, PAGE = 1_000, 50


def events(num: int) -> dict[str, float]:
    """Milliseconds, and MiB, with ``num`` events, about a thousand keys in turn."""
    with tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as folder:
        store = Path(folder) / "store"
        made = app.start(store, create=True)
        trail = made.deployment.trail
        found = {"append 1,000": _append(trail, num)}
        made.deployment.close()
        files = [each for each in (store / "audit").iterdir() if each.is_file()]
        found["on the disk"] = sum(each.stat().st_size for each in files) / (1 << 20)
        opened = [_opening(store) for _ in range(3)]
        found["open after a restart"] = min(opened)
        with kmsfast.open(store) as kms:
            found["search all"] = _search(kms.audit, num)
            found["look up the newest 50"] = min(_newest(kms.audit) for _ in range(3))
            gc.collect()
            found["verify all"] = _verified(kms.audit, num)
    found["peak of verify"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _bodies(first: int) -> list[bytes]:
    """Events as the doors pack them, one for each key."""
    return [
        pack(Event(first + each, "Encrypt", "us-east-1", (_arn(each),), CALLER))
        for each in range(KEYS)
    ]


def _arn(number: int) -> str:
    unique = f"{number % KEYS:08x}-12ab-34cd-56ef-1234567890ab"
    return f"arn:aws:kms:us-east-1:000000000000:key/{unique}"


def _append(trail: Trail, num: int) -> float:
    """Milliseconds for a thousand events; packing them does not count, they are packed once."""
    bodies = _bodies(time.time_ns() // 1000)
    log = trail.open()
    start = time.perf_counter()
    for _ in range(num // KEYS):
        log.append_all(bodies)
    elapsed = time.perf_counter() - start
    log.close()
    return elapsed * 1000 * KEYS / num


def _opening(store: Path) -> float:
    """From opening the store until an operation is recorded."""
    start = time.perf_counter()
    with kmsfast.open(store) as kms:
        kms.generate_random(8)
        elapsed = time.perf_counter() - start
    return elapsed * 1000


def _search(trail: Trail, num: int) -> float:
    start = time.perf_counter()
    hits = sum(1 for _ in trail.search(Filter(key=_arn(7))))
    assert hits == num // KEYS
    return (time.perf_counter() - start) * 1000


def _newest(trail: Trail) -> float:
    start = time.perf_counter()
    found, _ = trail.lookup(Wanted("000000000000", "us-east-1"), PAGE)
    assert len(found) == PAGE
    return (time.perf_counter() - start) * 1000


def _verified(trail: Trail, num: int) -> float:
    start = time.perf_counter()
    report: Report = trail.verify()
    assert report.events >= num
    assert not report.findings
    return (time.perf_counter() - start) * 1000
