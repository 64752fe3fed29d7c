"""The workflows break no rule of their linters or of the project, and each linter is awake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from wheel_tools import ROOT, needs_actionlint, needs_wheel_tools, run, said

pytestmark = [needs_wheel_tools, needs_actionlint]
WORKFLOWS = ROOT / ".github" / "workflows"
CHECKOUT = re.compile(r"actions/checkout@[0-9a-f]{40} # v[\d.]+")


def test_nothing_is_found() -> None:
    done = run("workflows.py")
    assert done.returncode == 0, said(done)
    assert f"workflows: {len(list(WORKFLOWS.glob('*.yml')))} files" in done.stdout


def test_every_task_that_workflows_call_is_there() -> None:
    """A matrix names the tasks of the core."""
    makefiles = [ROOT / "Makefile", *ROOT.glob("*/*.mk"), *ROOT.glob("*/*/*.mk")]
    targets = set(
        re.findall(r"^([a-z-]+):", "".join(p.read_text() for p in makefiles), re.MULTILINE)
    )
    text = "".join(path.read_text() for path in WORKFLOWS.glob("*.yml"))
    named = set(re.findall(r"run: make ([a-z-]+)", text))
    (tasks,) = re.findall(r"task: \[(.*)\]", text)
    assert named | set(tasks.split(", ")) <= targets
    for script in re.findall(r"run: (?:python3 )?((?:tools|\.ci)/[\w/.-]+)", text):
        assert (ROOT / script).is_file(), script


PLANTED = [
    ("test.yml", CHECKOUT, "actions/checkout@v5", "is not pinned by a hash"),
    ("test.yml", CHECKOUT, "actions/checkout@main", "unpinned-uses"),
    ("test.yml", "persist-credentials: false", "persist-credentials: true", "keeps the token"),
    ("test.yml", "permissions: {}", "permissions: write-all", "excessive-permissions"),
    ("test.yml", "permissions: {}", "permissions: read-all", "permissions at the top are not {}"),
    ("test.yml", "run: .ci/run", "run: pip install x && pytest", "no single command"),
    ("test.yml", "runs-on: ubuntu-24.04", "runs-on: ubuntu-latest", "runs on ubuntu-latest"),
    ("test.yml", "    timeout-minutes: 60\n", "", "no timeout-minutes"),
    ("test.yml", "matrix.compiler", "matrix.compilre", '"compilre" is not defined'),
    ("test.yml", "fail-fast: false", "fail-fast: maybe", "syntax-check"),
    ("benchmarks.yml", 'BASE="$BASE"', "BASE=${{ github.head_ref }}", "template-injection"),
    ("release.yml", "needs: [attest]", "needs: [attset]", "attset"),
]


@pytest.mark.parametrize(("name", "old", "new", "finding"), PLANTED)
def test_a_planted_fault_is_found(
    name: str, old: str | re.Pattern[str], new: str, finding: str, tmp_path: Path
) -> None:
    text = (WORKFLOWS / name).read_text()
    planted = (
        old.sub(new, text, count=1) if isinstance(old, re.Pattern) else text.replace(old, new, 1)
    )
    assert planted != text
    copy = tmp_path / ".github" / "workflows" / name
    copy.parent.mkdir(parents=True)
    copy.write_text(planted)
    done = run("workflows.py", copy)
    assert done.returncode == 1
    assert finding in said(done)
