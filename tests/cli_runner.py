"""The command line as a user has it: a process, its exit code, and what it prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

# What root does without the right to pass over the modes of files (util-linux).
OBEY_MODES = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
obeys_modes = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None,
    reason="root passes over modes, and there is no setpriv to keep it from that",
)


@dataclass
class Result:
    code: int
    out: str
    err: str


@dataclass
class Cli:
    """Runs ``kmsfast`` in a directory of its own, on a store of its own."""

    directory: Path
    before: tuple[str, ...] = ()

    def obeying_modes(self) -> Cli:
        """The same, bound by the modes of files and directories for root as well."""
        return replace(self, before=tuple(OBEY_MODES) if os.geteuid() == 0 else ())

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "KMSFAST" not in name}
        return {**kept, "KMSFAST_STORE": str(self.directory / "store"), **more}

    def command(self, *arguments: str | Path) -> list[str]:
        return [*self.before, sys.executable, "-m", "kmsfast.cli.main", *map(str, arguments)]

    def __call__(
        self, *arguments: str | Path, stdin: str | None = None, **environment: str
    ) -> Result:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment(**environment),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str | Path, **environment: str) -> str:
        result = self(*arguments, **environment)
        assert result.code == 0, result.err
        return result.out

    def refused(self, code: int, *arguments: str | Path, **environment: str) -> str:
        """One line on stderr, nothing on stdout, this exit code."""
        result = self(*arguments, **environment)
        assert (result.code, result.out) == (code, ""), result
        assert result.err.startswith("kmsfast: ")
        assert result.err.count("\n") == 1
        return result.err

    def names(self) -> set[str]:
        return {item.name for item in self.directory.iterdir()}
