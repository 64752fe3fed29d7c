"""Installs a wheel for every Python of the machine, in fresh environments, and runs the tests.

Usage: try_wheel.py WHEEL -- [PYTHON...] [--all]; with --all every test that needs no sources.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environments import accepts, environment, one_wheel, pythons, without_repository

HERE = Path(__file__).resolve().parent


def main() -> None:
    """One line for each Python; ends with a non-zero code when one failed or none was tried."""
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    wheel = one_wheel(sys.argv[1:cut])
    given = [word for word in sys.argv[cut + 1 :] if word != "--all"]
    quick = [] if "--all" in sys.argv else ["--quick"]
    said, failed, tried = [], 0, 0
    for python in pythons(given):
        if not accepts(python, wheel):
            said.append(f"{python.name}: not tried, {wheel.name} is not for it")
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kmsfast-venv-") as directory:
            inside = environment(python, wheel, Path(directory, "venv"))
            command = [inside, HERE / "run_tests.py", *quick]
            done = subprocess.run(command, env=without_repository(), cwd=directory, check=False)
        tried, failed = tried + 1, failed + bool(done.returncode)
        verdict = "failed" if done.returncode else "passed"
        said.append(f"{python.name}: {verdict} in {time.monotonic() - start:.0f} s ({python.path})")
    print("\n".join([wheel.name, *said]))
    if failed or not tried:
        raise SystemExit(f"{failed} of {tried} Pythons failed")


if __name__ == "__main__":
    main()
