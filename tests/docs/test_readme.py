"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_python_example_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "1_000_000" in example
    script = tmp_path / "example.py"
    script.write_text(example.replace("1_000_000", "10_000"))
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_link_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if not target.startswith("https://"):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} -> {target}"


def test_every_task_the_documents_name_exists() -> None:
    tasks = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = {line.split()[0] for line in tasks.stdout.splitlines() if line}
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text()
        for name in re.findall(r"(?:`|^    )make ([a-z-]+)", text, re.MULTILINE):
            assert name in names, f"{page}: make {name}"
