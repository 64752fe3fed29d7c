"""Both gates, as they are called, turn red by a slow-down that is planted in the seal kernels.

In a clone of the repository, whose last commit plants it. Takes minutes: builds the core twice.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gates.commits import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sources,
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="the kernels are those of x86-64"),
    pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind"),
]

# For each record. An iteration is six instructions, and about 0.4 ns where loads after stores are
# cheap: 17 % of the instructions of a record of 64 bytes, a tenth of its time.
LOOP = "    for (volatile size_t i = 0; i < {times} * n; i++) {{\n    }}\n"
CALL = "    kf_gcm_seal_all(&work, nonces, rec, n);\n"
ROW = "GCM seal 64 B"


def git(folder: Path, *arguments: str) -> None:
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *names, *arguments], check=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HEAD~2 is the repository, HEAD~1 says the same in another commit, HEAD has the slow-down."""
    folder = tmp_path_factory.mktemp("planted") / "clone"
    subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(folder)], check=True)
    (folder / "NOTHING").write_text("\n")
    git(folder, "add", "NOTHING")
    git(folder, "commit", "-q", "-m", "nothing")
    for name, times in (("aesni", 7), ("vaes", 5)):
        path = folder / "csrc" / f"kf_gcm_{name}.c"
        text = path.read_text()
        assert text.count(CALL) == 1
        path.write_text(text.replace(CALL, LOOP.format(times=times) + CALL))
    git(folder, "commit", "-q", "-a", "-m", "slow")
    return folder


def gate(clone: Path, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(clone / "benchmarks" / script), *options]
    return subprocess.run(
        command, cwd=clone, capture_output=True, text=True, check=False, timeout=900
    )


def results(clone: Path, gate_of: str, rows: str) -> list[dict[str, Any]]:
    found = json.loads((clone / "build" / f"bench-{gate_of}.json").read_text())[rows]
    return list(found)


def test_instructions_turn_red(clone: Path) -> None:
    done = gate(clone, "instructions.py", "--base", "HEAD~1")
    assert done.returncode == 1, done.stdout + done.stderr
    faults = {
        (line["path"], line["name"])
        for line in results(clone, "instructions", "lines")
        if line["is_fault"]
    }
    assert ("aesni", ROW) in faults
    assert not [name for path, name in faults if path == "portable"]
    assert not [name for _, name in faults if "P-256" in name or "HMAC" in name or "XAES" in name]


def test_times_turn_red(clone: Path) -> None:
    done = gate(
        clone, "compare.py", "--base", "HEAD~1", "--kind", "native", "-k", "64 B", "--quick"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    verdicts = {row["name"]: row["verdict"] for row in results(clone, "compare", "rows")}
    assert verdicts[ROW] == "SLOWER"
    assert verdicts["GCM open 64 B"] != "SLOWER"
    assert verdicts["HMAC 64 B"] != "SLOWER"


def test_both_are_green_without_it(clone: Path) -> None:
    git(clone, "checkout", "-q", "HEAD~1")
    try:
        counted = gate(clone, "instructions.py", "--base", "HEAD~1")
        assert counted.returncode == 0, counted.stdout + counted.stderr
        timed = gate(
            clone, "compare.py", "--base", "HEAD~1", "--kind", "native", "-k", "64 B", "--quick"
        )
        assert timed.returncode == 0, timed.stdout + timed.stderr
    finally:
        git(clone, "checkout", "-q", "-")
