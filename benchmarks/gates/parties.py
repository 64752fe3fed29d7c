"""The commits that are compared: each laid out, built, and ready to start workers."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gates.cases import build, environment
from gates.commits import Unusable, lay_out
from gates.workers import Command

WORKER = Path(__file__).resolve().with_name("python_cases.py")

# Kinds of rows of this machine, and what chooses their implementations. PYTHON: the package's.
PYTHON = "python"
NATIVE: dict[str, str] = {}
AESNI = {"KMSFAST_IMPL": "aesni", "KMSFAST_CPU_MASK": "vaes,vpclmul,avx512_ifma"}
KINDS = {"native": NATIVE, "aesni": AESNI, PYTHON: NATIVE}
if platform.machine() != "x86_64":
    del KINDS["aesni"]


@dataclass(frozen=True, slots=True)
class Party:
    """A commit that is built: the program of the cases, and where its package is."""

    commit: str
    program: Path
    site: Path

    def command(self, kind: str) -> Command:
        """How its worker for a kind of rows is started."""
        choices = environment(KINDS[kind])
        if kind != PYTHON:
            return Command([str(self.program)], choices)
        choices |= {"PYTHONPATH": str(self.site), "PYTHONHASHSEED": "0"}
        return Command([sys.executable, str(WORKER)], choices)


def _install(tree: Path, site: Path) -> None:
    """The package of a tree, without what it depends on: that is here already."""
    if site.is_dir():
        return
    half = site.with_name("site.new")
    shutil.rmtree(half, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(half),
    ]
    done = subprocess.run([*command, str(tree)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unusable(f"the package of {tree} cannot be built:\n{done.stderr[-3000:]}")
    half.rename(site)


def _check_origin(party: Party) -> None:
    """The worker's package is the commit's, not the one of this environment."""
    command = party.command(PYTHON)
    code = "import kmsfast, _kmsfast; print(kmsfast.__file__); print(_kmsfast.__file__)"
    done = subprocess.run(
        [command.words[0], "-c", code],
        env=command.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or any(
        not line.startswith(str(party.site)) for line in done.stdout.splitlines()
    ):
        raise Unusable(f"{party.site} is not what Python imports: {done.stdout}{done.stderr}")


def _make(commit: str, kinds: Sequence[str]) -> Party:
    tree = lay_out(commit)
    party = Party(commit, build(tree, tree.with_name("cases")), tree.with_name("site"))
    if PYTHON in kinds:
        _install(tree, party.site)
        _check_origin(party)
    return party


def make(base: str, head: str, kinds: Sequence[str]) -> tuple[Party, Party]:
    """Both commits, as far as these kinds need it; at the same time where they are not built yet.

    Raises:
        Unusable: one of them cannot be built, or both are the same.
    """
    if base == head:
        raise Unusable(f"{base} is this commit itself: there is nothing to compare")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        before, now = pool.map(lambda commit: _make(commit, kinds), (base, head))
    return before, now
