"""Makes the virtual environment, after checking what a fresh machine may lack.

Usage: python3 tools/make_venv.py DIRECTORY
"""

import shutil
import sys
import sysconfig
from pathlib import Path

DEBIAN = "sudo apt-get install -y python3-venv python3-dev gcc make"


def missing() -> list[str]:
    """What this machine lacks, in words."""
    lacks = []
    if sys.version_info < (3, 11):
        lacks.append(f"Python 3.11 or newer (this is {sys.version.split()[0]})")
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        lacks.append("Python's venv module with pip")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        lacks.append("the Python headers")
    if not (shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")):
        lacks.append("a C compiler")
    return lacks


def main() -> int:
    """Checks, then makes the environment."""
    lacks = missing()
    if lacks:
        print(f"missing: {'; '.join(lacks)}\non Debian or Ubuntu: {DEBIAN}", file=sys.stderr)  # noqa: T201
        return 1
    import venv

    venv.create(sys.argv[1], with_pip=True, clear=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
