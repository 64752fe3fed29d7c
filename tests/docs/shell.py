"""One shell for a page: its commands in order, what they print, and the servers that they start."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from foreign import environment

WAIT = 120
END, FAILED = "the end of this command", "the end of this shell"
# `serve` would not return: here it does when it serves, and the one before it is ended. Addresses
# of the pages are given to everybody by the machine that runs this; servers get a free port.
PREAMBLE = r"""
exec 2>&1
trap 'printf "\n%s\n" "the end of this shell"' EXIT
shopt -s expand_aliases
server=
stop() {
  if [ -n "$server" ]; then kill "$server"; wait "$server" || true; server=; fi
}
serve() {
  stop
  rm -f "$HOME/.served"
  command kmsfast "$@" >"$HOME/.served" 2>"$HOME/.refused" &
  server=$!
  until [ -s "$HOME/.served" ]; do
    kill -0 "$server" 2>/dev/null || { cat "$HOME/.refused"; server=; return 1; }
    sleep 0.02
  done
}
kmsfast() {
  case " $* " in
    *" serve "*) serve "$@" ;;
    *" env "*) command kmsfast "$@" | sed "s/4599/$PORT/" ;;
    *) command $KMSFAST "$@" ;;
  esac
}
"""
# What is new in every session, and what stands for it.
_VARYING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\b(AKIA|AIDA|AROA|AGPA)[A-Z0-9]{12,}"), "ID"),
    (re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}"), "BYTES"),
    (re.compile(r"\b[0-9]{10}(\.[0-9]+)?\b"), "TIME"),
    (re.compile(r"\b20\d\d-\d\d-\d\d(T[\d:.]+(Z|\+00:00))?"), "TIME"),
    (re.compile(r"\buid \d+"), "uid N"),
    (re.compile(r"[ \t]+"), " "),
)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Shell:
    """bash in a folder that is its home, with the programs of this environment in its path."""

    def __init__(
        self, folder: Path, swaps: tuple[tuple[str, str], ...] = (), program: str = "kmsfast"
    ) -> None:
        self.folder, self.port = folder, free_port()
        self.swaps = (*swaps, ("127.0.0.1:4599", f"127.0.0.1:{self.port}"))
        kept = {
            name: value
            for name, value in environment("", folder).items()
            if not name.startswith(("KMSFAST_", "AWS_", "XDG_"))
        }
        self.environment = kept | {
            "PORT": str(self.port),
            "KMSFAST": program,
            "KMSFAST_STORE": str(folder / "store"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "COLUMNS": "200",
        }
        self._scripts = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], env=self.environment, cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0,
        )  # fmt: skip
        self.run(PREAMBLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Ends the shell and whatever it has started."""
        self._end()
        self._process.communicate(timeout=WAIT)
        self._scripts.cleanup()

    def _end(self) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self._process.pid, signal.SIGTERM)

    def swapped(self, text: str) -> str:
        """A text of a page with what is different where it is run."""
        for old, new in self.swaps:
            text = text.replace(old, new.replace("FOLDER", str(self.folder)))
        return text

    def run(self, command: str, *, fails: bool = False) -> str:
        """What a command prints. It must succeed, unless it may fail."""
        text = re.sub(r"(\bserve\b.*?)\s*&$", r"\1", self.swapped(command), flags=re.MULTILINE)
        script = Path(self._scripts.name) / "command"
        script.write_text(text + "\n")
        options = "+e +o pipefail" if fails else "-eo pipefail"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(
            f"set {options}\n. '{script}' </dev/null\nset +e\nprintf '\\n%s\\n' '{END}'\n"
        )
        self._process.stdin.flush()
        printed: list[str] = []
        late = threading.Timer(WAIT, self._end)
        late.start()
        try:
            for line in self._process.stdout:
                if line.rstrip("\n") == END:
                    return "".join(printed).removesuffix("\n")
                if line.rstrip("\n") == FAILED:
                    break
                printed.append(line)
        finally:
            late.cancel()
        raise AssertionError(f"failed: {text}\n{''.join(printed)}")

    def matches(self, printed: str, expected: str) -> bool:
        """Whether this is what a page says: ``...`` stands for anything, and so do new ids."""
        said, seen = shape(self.swapped(expected)), shape(printed)
        pattern = ".*".join(re.escape(part) for part in said.split("..."))
        return re.fullmatch(pattern, seen, re.DOTALL) is not None


def shape(text: str) -> str:
    """A text without what is new in every session."""
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return "\n".join(line.strip() for line in text.strip().splitlines())
