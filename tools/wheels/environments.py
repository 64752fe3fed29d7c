"""Virtual environments with a wheel in them, for the Pythons of the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

OLDEST = (3, 11)
TESTING = ("pytest>=8.3", "hypothesis>=6.100", "cryptography-vectors>=50", "boto3>=1.44")
EXTRAS = "arrow,http"
_ASK = (
    "import sys, sysconfig; free = bool(sysconfig.get_config_var('Py_GIL_DISABLED')); "
    "print(*sys.version_info[:3], int(free), sys.implementation.name)"
)


@dataclass(frozen=True, slots=True, order=True)
class Python:
    """An interpreter."""

    version: tuple[int, int, int]
    free_threaded: bool
    path: Path

    @property
    def name(self) -> str:
        """Such as 3.14t."""
        return ".".join(map(str, self.version[:2])) + ("t" if self.free_threaded else "")


def asked(path: Path) -> Python | None:
    """What is at a path: None when it is no CPython that kmsfast runs on."""
    done = subprocess.run([path, "-c", _ASK], capture_output=True, text=True, check=False)
    found = re.fullmatch(r"(\d+) (\d+) (\d+) ([01]) cpython\n", done.stdout)
    if found is None:
        return None
    version = int(found[1]), int(found[2]), int(found[3])
    return Python(version, found[4] == "1", path) if version[:2] >= OLDEST else None


def pythons(given: list[str]) -> list[Python]:
    """Those that are given, or one of each version on PATH or in pyenv. SystemExit when none."""
    places = [Path(name) for name in given]
    if not places:
        names = re.compile(r"python3\.\d+t?$")
        for directory in os.get_exec_path():
            if Path(directory).is_dir():
                places += [path for path in Path(directory).iterdir() if names.match(path.name)]
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        places += sorted(root.glob("versions/*/bin/python"))
    found = {python.name: python for place in places if (python := asked(place))}
    if not found:
        raise SystemExit(
            f"no CPython from {'.'.join(map(str, OLDEST))} on in {[str(p) for p in places]}"
        )
    return sorted(found.values())


def accepts(python: Python, wheel: Path) -> bool:
    """Whether the wheel's tag is for this interpreter: abi3 is not for a free-threaded one."""
    return ("-cp314t-" in wheel.name) == python.free_threaded


def environment(python: Python, wheel: Path, directory: Path, *, tests: bool = True) -> Path:
    """Makes an environment with the wheel, by pip as users do; the interpreter in it."""
    subprocess.run([python.path, "-m", "venv", directory], check=True)
    inside = directory / "bin" / "python"
    what = [f"{wheel}[{EXTRAS}]", *TESTING] if tests else [str(wheel)]
    command = [inside, "-m", "pip", "install", "-qq", "--only-binary", ":all:", *what]
    subprocess.run(command, check=True, env=without_repository())
    return inside


def without_repository() -> dict[str, str]:
    """The environment variables of a user who has no sources of kmsfast."""
    return {
        k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")
    }


def one_wheel(names: list[str]) -> Path:
    """The wheel that is named; SystemExit unless there is exactly one."""
    if len(names) != 1 or not names[0].endswith(".whl") or not Path(names[0]).is_file():
        raise SystemExit(
            f"one wheel is wanted, given: {names or 'none'}; `make wheel` makes it in dist"
        )
    return Path(names[0]).resolve()


def emulator(name: str, package: str) -> str:
    """The path of an emulator; SystemExit says what brings it."""
    if found := shutil.which(name):
        return found
    subprocess.run([Path(__file__).resolve().parents[1] / "debian-packages", package], check=True)
    if found := shutil.which(name):
        return found
    raise SystemExit(f"{name} is not there; on Debian: sudo apt-get install -y {package}")
