"""What ``kmsfast doctor`` looks at.

Rules:
- every check is made whatever became of the one before; nothing is changed, nothing created;
- "warn" is what works but protects less than it could, "FAIL" what does not work.
"""

from __future__ import annotations

import platform
import resource
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from kmsfast.cli.session import Session
from kmsfast.errors import KmsError, StoreNotFound

__all__ = ["Check", "diagnose"]

Verdict = Literal["ok", "note", "warn", "FAIL"]
FAST: Final = ("vaes", "aesni", "armv8")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    facts: str


def diagnose(session: Session) -> list[Check]:
    """All checks, in the order in which one depends on the other."""
    checks = [_attempt("core", _core)]
    checks.append(_attempt("store", lambda: _store(session)))
    if checks[-1].verdict in {"ok", "warn"}:
        checks.append(_attempt("root key", lambda: _root_key(session)))
    if checks[0].verdict != "FAIL":
        # After the store, which puts the first keys into it.
        checks.append(_attempt("locked memory", _arena))
    return checks


def _attempt(name: str, check: Callable[[], tuple[Verdict, str]]) -> Check:
    try:
        return Check(name, *check())
    except StoreNotFound as error:
        return Check(name, "note", str(error))
    except (KmsError, OSError, ImportError) as error:
        return Check(name, "FAIL", str(error))


def _core() -> tuple[Verdict, str]:
    from kmsfast.crypto import native

    found = native.describe()
    name = found["implementation"]
    others = ", ".join(item for item in found["available"] if item != name) or "none"
    features = " ".join(found["cpu_features"]) or "none"
    text = (
        f"{name}, self-test passed (also possible here: {others}; CPU features: {features}; "
        f"{platform.machine()}, Python {platform.python_version()})"
    )
    if not name.startswith(FAST):
        return "warn", f"{text}; many times slower than one with AES instructions"
    return "ok", text


def _arena() -> tuple[Verdict, str]:
    from kmsfast.crypto import native

    arena = native.describe()["arena"]
    if not arena["slots"]:
        return "note", "not in use before a store is open"
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    limit = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft >> 10} KiB"
    text = f"{arena['slots']} key slots, {arena['bytes'] >> 10} KiB (limit: {limit})"
    gaps = [
        gap
        for given, gap in (
            (arena["locked"], f"keys may be swapped to disk: mlock: {arena['lock_error']}"),
            (arena["excluded_from_core_dumps"], "keys may be part of core dumps"),
            (arena["wiped_by_kernel_on_fork"], "children of a fork get a copy of the keys' memory"),
        )
        if not given
    ]
    return ("warn", f"{text}; {'; '.join(gaps)}") if gaps else ("ok", text)


def _store(session: Session) -> tuple[Verdict, str]:
    facts = session.own.describe()
    shown = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    mode = stat.S_IMODE(session.store.stat().st_mode)
    if mode & 0o077:
        return "warn", f"{shown}; its directory has mode {mode:04o}: chmod 700 {session.store}"
    return "ok", shown


def _root_key(session: Session) -> tuple[Verdict, str]:
    facts = session.own.describe()
    if facts["root"] == "passphrase":
        return "ok", "from a passphrase (Argon2id)"
    path = session.root_key_path or session.store / str(facts["root_path"])
    return _judged(path, session.store)


def _judged(path: Path, store: Path) -> tuple[Verdict, str]:
    known = path.stat()
    mode = stat.S_IMODE(known.st_mode)
    text = f"{path}, mode {mode:04o}, owner {known.st_uid}"
    if mode & 0o077:
        return "warn", f"{text}: others can read it: chmod 600 {path}"
    if path.resolve().parent == store.resolve():
        return "ok", f"{text}; it lies in the store: a backup of the directory has both"
    return "ok", text
