"""The session in docs/aws-cli.md: its commands are run, in one shell, against a server of ours.

``python tests/aws_session.py --write`` runs them and puts what they printed into the page; without
``--write`` it prints the page. In the page a command begins with ``$``, goes on after ``>``, and is
followed by what it printed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from foreign import environment
from serving import served

PAGE = Path(__file__).parents[1] / "docs" / "aws-cli.md"
WAIT = 600
_BLOCK = re.compile(r"(?<=```console\n).*?(?=```\n)", re.DOTALL)
_COMMAND = re.compile(r"^\$ .*\n(?:^> ?.*\n)*", re.MULTILINE)
_END = "the end of this command"
# What differs from run to run, and what stands for it.
_VARYING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}"), "BYTES"),
    (re.compile(r"\b[0-9]{10}(\.[0-9]+)?\b"), "TIME"),
)


@dataclass(frozen=True)
class Step:
    """A command as the page has it, and what it printed."""

    command: str
    output: str

    @property
    def script(self) -> str:
        """The command without the prompts."""
        lines = self.command.splitlines(keepends=True)
        return "".join(line[2:] for line in lines)

    @property
    def shape(self) -> str:
        """What it printed, without what is new in every session."""
        text = self.output
        for pattern, name in _VARYING:
            text = pattern.sub(name, text)
        return text


def recorded(page: str) -> list[Step]:
    """The steps of a page."""
    return [step for block in _BLOCK.findall(page) for step in _steps(block)]


def _steps(block: str) -> list[Step]:
    starts = [found.span() for found in _COMMAND.finditer(block)]
    ends = [start for start, _ in starts[1:]] + [len(block)]
    return [
        Step(block[start:middle], block[middle:end])
        for (start, middle), end in zip(starts, ends, strict=True)
    ]


def replay(steps: list[Step], env: dict[str, str], folder: Path) -> list[Step]:
    """The same commands, in one shell in a folder, with what they print now."""
    script = "".join(f"{step.script}printf '%s\\n' '{_END}'\n" for step in steps)
    done = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{script}"], env=env, cwd=folder, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=WAIT, check=True,
    )  # fmt: skip
    outputs = done.stdout.split(f"{_END}\n")[:-1]
    return [
        Step(step.command, output.lstrip("\n")) for step, output in zip(steps, outputs, strict=True)
    ]


def rewritten(page: str, steps: list[Step]) -> str:
    """The page with these steps in place of its own."""
    left = iter(steps)

    def block(found: re.Match[str]) -> str:
        mine = [next(left) for _ in _steps(found[0])]
        return "".join(step.command + step.output for step in mine)

    return _BLOCK.sub(block, page)


def main() -> None:
    """Runs the session on a server of its own."""
    page = PAGE.read_text()
    with TemporaryDirectory() as name:
        folder = Path(name)
        work = folder / "work"
        work.mkdir()
        with served(folder / "store") as server:
            again = replay(recorded(page), environment(server.url, folder), work)
    made = rewritten(page, again)
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(made)
    else:
        sys.stdout.write(made)


if __name__ == "__main__":
    main()
