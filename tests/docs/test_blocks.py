"""Every code block of every page is run here, or on the list of those that are not.

- ``sh``: each command must succeed; ``console``: and print what the page says;
- ``python``: is executed, the blocks of a page one after the other, in the folder of its shell;
- ``toml``, ``json``, ``yaml``: are read by the program that reads them (worlds.py);
- ``text``: formats and formulas: nothing to run, but each is on the list, not_run.toml.
"""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from inspect import CO_COROUTINE
from pathlib import Path
from typing import Any

import pytest
from blocks import NOT_RUN, PAGES, ROOT, SHELL, Block, blocks, steps
from foreign import system
from shell import Shell
from worlds import ELSEWHERE, NOTHING, READERS, WORLDS, World

#: How many commands and blocks are not run. Whoever adds one says so here as well.
EXCEPTIONS = 41


def page_of(page: str) -> list[Block]:
    return [block for block in blocks(page) if not block.is_excepted]


#: Servers and clients of AWS take a second of processor each: what these pages show is also tested
#: by tests/clients, so they run with the long tests.
SLOW = {"docs/audit.md", "docs/http.md", "docs/metrics.md", "docs/principals.md", "docs/quotas.md",
        "docs/s3.md"}  # fmt: skip
RUN = [
    pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else [])
    for page in PAGES
    if page_of(page) and page not in ELSEWHERE
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The command that is ``kmsfast`` in the pages' shells (prompt.py)."""
    path = tmp_path_factory.mktemp("prompt") / "socket"
    script = Path(__file__).parent / "prompt.py"
    with subprocess.Popen([sys.executable, script, "serve", path], stdout=subprocess.PIPE) as made:
        assert made.stdout is not None
        assert made.stdout.readline() == b"ready\n"
        yield f"{sys.executable} -I -S {script} run {path}"
        made.terminate()


@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_page_run(
    page: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = WORLDS.get(page, NOTHING)
    for name in world.needs:
        pytest.importorskip(name)
    for name in world.programs:
        system(name)
    with Shell(tmp_path, world.swaps, program) as shell:
        monkeypatch.chdir(tmp_path)
        for name, value in shell.environment.items():
            monkeypatch.setenv(name, value)
        world.prepare(tmp_path)
        if world.before:
            shell.run(world.before)
        names: dict[str, Any] = {"__name__": page}
        execute(world.python, names, "before")
        for block in page_of(page):
            run(block, shell, names, world)
        execute(world.after, names, "after")


def run(block: Block, shell: Shell, names: dict[str, Any], world: World) -> None:
    """One block, in the page's shell or with the names that the page has by now."""
    if block.language in SHELL:
        for step in steps(block):
            if step.first in NOT_RUN.get(block.page, {}):
                continue
            printed = shell.run(step.command, fails=block.language == "console")
            if step.output:
                assert shell.matches(printed, step.output), f"{block}: {step.command}\n{printed}"
    elif (block.page, block.language) in READERS:
        READERS[block.page, block.language](shell.swapped(block.text), shell.folder)
    else:
        execute(shell.swapped(block.text), names, str(block), block.line)


def execute(code: str, names: dict[str, Any], where: str, line: int = 1) -> None:
    """Runs Python as at the top of a module; ``await`` may stand there."""
    text = "\n" * (line - 1) + code
    compiled = compile(text, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if compiled.co_flags & CO_COROUTINE:
        asyncio.run(eval(compiled, names))
    else:
        exec(compiled, names)


def test_every_block_says_its_language_and_is_run_or_listed() -> None:
    known = SHELL | {"python"}
    for page in PAGES:
        for block in blocks(page):
            if block.is_excepted or page in ELSEWHERE:
                continue
            assert block.language in known or (page, block.language) in READERS, (
                f"{block}: nothing runs {block.language or 'an indented block'!r}: {block.first}"
            )


def test_pages_that_are_slow_are_pages() -> None:
    assert set(PAGES) >= SLOW


def test_what_is_run_elsewhere_is_run_there() -> None:
    for page, test in ELSEWHERE.items():
        path, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), page
        assert (ROOT / page).exists()


def test_the_list_of_exceptions_has_no_more_than_there_are() -> None:
    assert sum(map(len, NOT_RUN.values())) == EXCEPTIONS
    for page, entries in NOT_RUN.items():
        found: Counter[str] = Counter()
        for block in blocks(page):
            if block.language in SHELL:
                found.update(step.first for step in steps(block))
            else:
                found[block.first] += 1
        assert set(entries) <= set(found), f"{page}: {set(entries) - set(found)}"
        assert all(len(reason) > 10 for reason in entries.values())


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("false", "failed"),
        ("kmsfast key describe alias/nobody", "failed"),
        ("echo one\nfalse | cat\necho two", "failed"),
    ],
)
def test_a_command_that_fails_is_noticed(text: str, fault: str, tmp_path: Path) -> None:
    block = Block("page", 1, "sh", text)
    with Shell(tmp_path) as shell, pytest.raises(AssertionError, match=fault):
        run(block, shell, {}, NOTHING)


def test_another_output_is_noticed(tmp_path: Path) -> None:
    block = Block("page", 1, "console", "$ echo one\none\n$ echo two three\ntwo...\n$ echo 4\n5\n")
    with Shell(tmp_path) as shell, pytest.raises(AssertionError, match="echo 4"):
        run(block, shell, {}, NOTHING)


def test_python_that_fails_is_noticed_with_its_line() -> None:
    with pytest.raises(ZeroDivisionError) as found:
        execute("x = 1\n1 / 0", {}, "docs/x.md:7", 7)
    assert found.traceback[-1].lineno + 1 == 8
