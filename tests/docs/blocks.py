"""The code blocks of the pages, as CommonMark finds them, and the few that are not run."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
)
#: By page: a command, or the first line of a block, and why it is not run.
NOT_RUN: dict[str, dict[str, str]] = tomllib.loads(
    (Path(__file__).parent / "not_run.toml").read_text()
)
SHELL = {"sh", "console"}
_COMMONMARK = MarkdownIt("commonmark")


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        page, line: where it is; the line is that of its first line of code.
        language: what the fence says; empty for an indented block.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def first(self) -> str:
        return self.text.strip().partition("\n")[0].strip()

    @property
    def is_excepted(self) -> bool:
        """Of shell blocks single commands are, never the whole."""
        return self.language not in SHELL and self.first in NOT_RUN.get(self.page, {})

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """Those of a page. A fence with {braces} is a directive of the site, and no code."""
    return list(_blocks(_COMMONMARK.parse((ROOT / page).read_text()), page))


def _blocks(tokens: list[Any], page: str) -> Iterator[Block]:
    for token in tokens:
        if token.type == "code_block":
            yield Block(page, token.map[0] + 1, "", token.content)
        elif token.type == "fence" and not token.info.startswith("{"):
            yield Block(page, token.map[0] + 2, token.info.strip(), token.content)


@dataclass(frozen=True)
class Step:
    """A command of a block, and what the page says that it prints (None: nothing is said)."""

    command: str
    output: str | None = None

    @property
    def first(self) -> str:
        return self.command.strip().partition("\n")[0].strip()


def steps(block: Block) -> list[Step]:
    """The commands of a shell block.

    In ``console`` a command stands behind ``$``, and what it prints follows; in ``sh`` there are
    commands alone. A line that ends with a backslash goes on in the next one, and in ``console``
    what stands behind ``>`` belongs to the command.
    """
    if block.language == "sh":
        return [Step(command) for command in _joined(block.text.splitlines())]
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif not found[-1][1] and (line.startswith("> ") or found[-1][0][-1].endswith("\\")):
            found[-1][0].append(line.removeprefix("> "))
        else:
            found[-1][1].append(line)
    return [Step("\n".join(said), "\n".join(printed)) for said, printed in found]


def _joined(lines: list[str]) -> Iterator[str]:
    command: list[str] = []
    for line in lines:
        command.append(line)
        if not line.endswith("\\") and "".join(command).strip():
            yield "\n".join(command)
            command = []
