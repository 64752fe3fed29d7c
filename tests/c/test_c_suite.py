"""The C suite as part of ``pytest``: what tests/c/tests.mk builds and runs, target by target."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("gcc")), reason="needs make and gcc"
)
needs_valgrind = pytest.mark.skipif(
    not (shutil.which("valgrind") and Path("/usr/include/valgrind/memcheck.h").exists()),
    reason="needs valgrind with its headers (Debian: valgrind)",
)


def make(target: str, *, seconds: int) -> str:
    """The output of a target, which must succeed within the time."""
    command = ["make", "-f", "tests/c/tests.mk", "-j2", target, f"CT_PYTHON={sys.executable}"]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "KMSFAST_"))}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=inherited,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"make {target}: {done.returncode}\n{done.stdout[-8000:]}"
    return done.stdout


def test_every_implementation_is_correct() -> None:
    assert "C tests: passed" in make("c-test", seconds=240)


def test_every_function_is_called_where_none_may_work() -> None:
    """Those of kf_api.h that return a status, but for those that compute nothing secret.

    That is loading, lists, plans of offsets, what is recorded and counted, and what is asked of a
    reactor, which does not open there.
    """
    api = (ROOT / "csrc/kf_api.h").read_text()
    calls = (ROOT / "tests/c/kft_calls.c").read_text()
    declared = set(re.findall(r"^int (kf_\w+)\(", api, re.MULTILINE))
    called = set(re.findall(r"^ +ENTRY\((kf_\w+),", calls, re.MULTILINE))
    lists = {"kf_py_view", "kf_py_alloc", "kf_py_fill"}
    plans = {"kf_offsets_plan", "kf_offsets_plan32"}
    records = {"kf_request_recorded", "kf_metrics_timer"}
    reactor = {name for name in declared if name.startswith("kf_reactor_")} | {"kf_ticket_put"}
    others = lists | plans | records | reactor - {"kf_reactor_open"}
    assert declared - called == {"kf_init"} | others


@needs_valgrind
def test_secrets_decide_no_branch_and_no_address() -> None:
    output = make("ctime-quick", seconds=240)
    assert "clean  portable" in output
    assert "leak  portable" in output


def test_only_what_was_sealed_opens() -> None:
    assert "opened" in make("fuzz-smoke", seconds=240)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ctime", "sanitize", "fuzz", "qemu", "c-warnings"])
def test_long_form(target: str) -> None:
    make(target, seconds=1200)
