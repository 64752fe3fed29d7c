"""Runs the tests against the kmsfast that this interpreter has installed, outside the sources.

Rules:
- they run in this process: under an emulator, a child would run on the machine's own CPU;
- the tests are copied away from the repository; what imports kmsfast or its core from inside the
  repository ends the run;
- tests that need the sources themselves (marker ``sources``) are left out, with --quick the slower
  directories too; a directory without tests fails.
Usage: run_tests.py [--quick | DIRECTORY...] [PYTEST OPTIONS], by the interpreter to test.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("vectors", "compat", "unit/crypto", "unit/wire", "unit/local")
OPTIONAL = ("pyarrow", "botocore", "boto3", "httptools", "yaml")
ALL = ("vectors", "compat", "differential", "properties", "unit")


def installed(name: str) -> Path:
    """Where a module is imported from. Raises SystemExit when it is the repository."""
    module = importlib.import_module(name)
    path = Path(module.__file__ or "").resolve()
    if path.is_relative_to(ROOT / "src") or path.is_relative_to(ROOT / "build"):
        raise SystemExit(
            f"{name} is {path}: not what is installed, but the sources; install the wheel, not -e"
        )
    return path


def without(directory: Path, module: str) -> list[str]:
    """Options that leave out the tests which need a module that is not here; says so."""
    if importlib.util.find_spec(module):
        return []
    needs = re.compile(rf"^\s*(?:import|from) {module}\b", re.MULTILINE)
    found = sorted(path for path in directory.rglob("test_*.py") if needs.search(path.read_text()))
    print(f"{module} is not installed: {len(found)} files of tests are left out", flush=True)
    return [f"--ignore={path}" for path in found]


def main() -> int:
    """Copies the tests, runs them."""
    options = [option for option in sys.argv[1:] if option != "--quick"]
    named = tuple(option for option in options if option in ALL)
    directories = named or (QUICK if "--quick" in sys.argv else ALL)
    with tempfile.TemporaryDirectory(prefix="kmsfast-tests-") as directory:
        os.chdir(directory)
        sys.path[:] = [
            entry for entry in sys.path if entry and Path(entry).resolve() != Path(__file__).parent
        ]
        for name in ("kmsfast", "_kmsfast"):
            print(f"{name}: {installed(name)}", flush=True)
        shutil.copytree(ROOT / "tests", "tests", ignore=shutil.ignore_patterns("__pycache__"))
        for wanted in directories:
            if not list(Path("tests", wanted).rglob("test_*.py")):
                raise SystemExit(f"tests/{wanted} has no tests")
        import pytest

        options += [option for module in OPTIONAL for option in without(Path("tests"), module)]
        where = [
            "-c",
            str(ROOT / "pyproject.toml"),
            "--rootdir",
            directory,
            "-p",
            "no:cacheprovider",
        ]
        chosen = [
            "-m",
            "not slow and not sources",
            *(option for option in options if option not in ALL),
        ]
        return pytest.main([*where, *chosen, *(f"tests/{name}" for name in directories)])


if __name__ == "__main__":
    sys.exit(main())
