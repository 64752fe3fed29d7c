"""What importing kmsfast brings with it: modules, not milliseconds, are bounded."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

# Its own file, and what that needs of the standard library: no numpy, SQLite, cffi or cryptography.
AT_IMPORT = {"kmsfast"}
# The in-process door: no HTTP, no Arrow, no command line.
NEVER_IN_PROCESS = {
    "asyncio", "boto3", "botocore", "click", "http.server", "httptools", "kmsfast.cli",
    "kmsfast.server", "kmsfast.tables", "pkcs11", "pyarrow", "urllib.request", "uvloop", "yaml",
}  # fmt: skip
# What the command line may need to say what its commands are.
NEVER_FOR_HELP = {
    "_kmsfast",
    "asyncio",
    "cffi",
    "cryptography",
    "nacl",
    "numpy",
    "pyarrow",
    "sqlite3",
}
HEAVY = {
    "asyncio",
    "ctypes",
    "email",
    "http",
    "inspect",
    "logging",
    "sqlite3",
    "ssl",
    "tempfile",
    "unittest",
}


def imported(code: str) -> set[str]:
    """The modules that a fresh interpreter imports for a piece of code, beyond those for none."""

    def of(piece: str) -> set[str]:
        command = [sys.executable, "-X", "importtime", "-c", piece]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return set(
            re.findall(r"^import time: +\d+ \| +\d+ \| +([\w.]+)$", done.stderr, re.MULTILINE)
        )

    return of(code) - of("pass")


def packages(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def test_the_measure_sees_what_is_imported() -> None:
    assert {"decimal", "kmsfast"} <= imported("import kmsfast, decimal")


def test_importing_kmsfast_imports_its_own_file_and_light_modules() -> None:
    modules = imported("import kmsfast")
    foreign = packages(modules) - set(sys.stdlib_module_names)
    assert {name for name in modules if name.startswith(("kmsfast", "_kmsfast"))} == AT_IMPORT
    assert foreign == AT_IMPORT
    assert packages(modules) & HEAVY == set()


def test_the_in_process_door_imports_no_server_and_no_columns_of_others() -> None:
    modules = imported("import kmsfast; kmsfast.open")
    assert "kmsfast.local.kms" in modules  # what import_module imports by itself is not listed
    reached = {
        name
        for name in NEVER_IN_PROCESS
        if any(m == name or m.startswith(name + ".") for m in modules)
    }
    assert reached == set()


@pytest.mark.parametrize("code", ["import kmsfast.errors", "from kmsfast import KmsError"])
def test_errors_are_imported_without_the_core(code: str) -> None:
    assert packages(imported(code)) & {"_kmsfast", "numpy", "cryptography", "sqlite3"} == set()


def test_help_waits_for_no_library_of_cryptography() -> None:
    code = "import sys; sys.argv = ['kmsfast', '--help']; from kmsfast.cli.main import main; main()"
    assert packages(imported(code)) & NEVER_FOR_HELP == set()
