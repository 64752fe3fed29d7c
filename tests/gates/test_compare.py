"""`make bench-compare` with parties that invent their times: sessions, verdicts, refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import compare
import pytest
from gates import commits, parties
from gates.commits import Unusable
from gates.workers import Command, Lacks, Worker

pytestmark = pytest.mark.sources

# A party: cases with their times in nanoseconds of a call; None: it cannot do it.
FAKE = """
import sys, json
cases = json.loads(sys.argv[1])
if sys.argv[2] == "list":
    print("\\n".join(f"1\\t{name}" for name in cases))
else:
    times = list(cases.values())
    for i, line in enumerate(sys.stdin):
        index, reps = map(int, line.split())
        time = times[index]
        wobble = 1 + 0.02 * (i * 7919 % 13) / 13
        print("lacks the thing" if time is None else round(time * reps * wobble), flush=True)
"""


class Fake:
    """In the place of a Party that was built."""

    def __init__(self, **cases: float | None) -> None:
        self._cases = {name.replace("_", " "): time for name, time in cases.items()}

    def command(self, _: str) -> Command:
        return Command([sys.executable, "-S", "-c", FAKE, json.dumps(self._cases)], {})


def measured(base: Fake, head: Fake, **more: Any) -> dict[str, compare.Result]:
    options = {"kinds": ("native",), "sessions": 3, "rounds": 3, "limit": 0.05, "choice": ""}
    plan = compare.Plan(**(options | more))
    return {one.name: one for one in compare.measured(base, head, plan)}  # type: ignore[arg-type]


def test_a_slow_down_is_red_and_the_rest_is_green() -> None:
    found = measured(Fake(seal=5e3, open=7e3, gone=1e3), Fake(open=7e3, seal=5.5e3, fresh=1e3))
    assert {name: one.verdict for name, one in found.items()} == {
        "open": "ok", "seal": "SLOWER", "fresh": "new",
    }  # fmt: skip
    seal = found["seal"].estimate
    assert seal is not None
    assert seal.ratio == pytest.approx(1.1, abs=0.02)
    assert found["seal"].sessions == 6  # it was timed again before it was called slower
    assert found["open"].sessions == 3
    table = compare.table(list(found.values()))
    assert "SLOWER" in table
    assert "the base has no such case" in table


def test_what_the_base_cannot_do_is_new_and_what_this_commit_cannot_is_an_error() -> None:
    found = measured(Fake(seal=5e3, open=None), Fake(seal=5e3, open=7e3))
    assert found["open"].verdict == "new"
    assert "the thing" in found["open"].why
    with pytest.raises(RuntimeError, match="open fails in this commit: the thing"):
        measured(Fake(open=7e3), Fake(open=None))


def test_rows_are_chosen_by_their_names() -> None:
    assert set(
        measured(Fake(seal=1e6, open=1e6), Fake(seal=1e6, open=1e6), choice="native: op")
    ) == {"open"}


def test_a_worker_that_ends_is_reported() -> None:
    with (
        Worker(Fake(seal=1).command("native")) as worker,
        pytest.raises(Unusable, match="has ended at case 9"),
    ):
        worker.measure(9, 1)
    with (
        Worker(Fake(seal=None).command("native")) as worker,
        pytest.raises(Lacks, match="the thing"),
    ):
        worker.measure(0, 1)
    with pytest.raises(Unusable, match="does not start"):
        Command([sys.executable, "-c", "raise SystemExit(3)"], {}).cases()


# ---- commits ------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One commit, with one file."""
    (tmp_path / ".gitignore").write_text("/build/\n")
    (tmp_path / "file").write_text("first\n")
    names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*names, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


@pytest.mark.parametrize("name", ["nowhere", "deadbeef", "--all", "HEAD:file"])
def test_what_is_no_commit_is_refused(name: str, repository: Path) -> None:
    with pytest.raises(Unusable, match="is no commit of this repository"):
        commits.resolve(name, root=repository)


def test_no_name_is_refused(repository: Path) -> None:
    with pytest.raises(Unusable, match="BASE=COMMIT"):
        commits.resolve("", root=repository)


def test_a_dirty_tree_is_refused(repository: Path) -> None:
    commits.require_clean(root=repository)
    (repository / "file").write_text("second\n")
    with pytest.raises(Unusable, match="commit or stash file"):
        commits.require_clean(root=repository)


def test_a_commit_is_laid_out_as_it_was(repository: Path) -> None:
    head = commits.resolve("HEAD", root=repository)
    (repository / "file").write_text("second\n")
    tree = commits.lay_out(head, root=repository)
    assert (tree / "file").read_text() == "first\n"
    assert commits.lay_out(head, root=repository) == tree
    assert commits.show(head, "file", root=repository) == "first\n"
    assert commits.show(head, "nothing", root=repository) is None


def test_a_commit_is_not_compared_with_itself() -> None:
    with pytest.raises(Unusable, match="nothing to compare"):
        parties.make("a" * 40, "a" * 40, ("native",))


def test_the_command_says_what_is_wrong() -> None:
    command = [sys.executable, str(commits.ROOT / "benchmarks" / "compare.py"), "--base", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "bench-compare: 'nowhere' is no commit of this repository" in done.stderr
