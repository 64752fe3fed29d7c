"""Processes that run cases on request: the program in C, or python_cases.py with one package.

Both speak the same lines: ``list`` as their argument prints records and name of each case; ``time``
reads "INDEX REPS" and answers with nanoseconds, or with "lacks REASON" when this commit cannot.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from gates.commits import Unusable


class Lacks(Exception):
    """A commit cannot do a case; says why."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a party's worker is started."""

    words: list[str]
    environment: dict[str, str] = field(repr=False)

    def cases(self) -> dict[str, int]:
        """The cases' names with their indices."""
        done = subprocess.run(
            [*self.words, "list"], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unusable(f"{' '.join(self.words)} does not start:\n{done.stderr[-2000:]}")
        return {line.split("\t")[1]: i for i, line in enumerate(done.stdout.splitlines())}


class Worker:
    """One process, ended with the block."""

    def __init__(self, command: Command) -> None:
        self._name = " ".join(command.words)
        self._process = subprocess.Popen(
            [*command.words, "time"],
            env=command.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def measure(self, index: int, reps: int) -> float:
        """Nanoseconds of one call, over so many.

        Raises:
            Lacks: this commit has not what the case needs.
            Unusable: the process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{index} {reps}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline().strip()
        if line.startswith("lacks"):
            raise Lacks(line.removeprefix("lacks "))
        if not line.isdigit():
            raise Unusable(f"{self._name} time has ended at case {index}, asked for {reps} calls")
        return int(line) / reps
