"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def examples(page: str) -> list[str]:
    """The Python examples of a page; they follow each other."""
    found = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert found
    return found


def run(code: str, directory: Path) -> None:
    script = directory / "example.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_python_example_runs(tmp_path: Path) -> None:
    example = "".join(examples(README))
    assert "1_000_000" in example
    run(example.replace("1_000_000", "10_000"), tmp_path)


BEFORE_KEY_TYPES = """
import hashlib
from pathlib import Path

import numpy as np

import kmsfast

kms = kmsfast.open("store", create=True)
digests = np.frombuffer(hashlib.shake_128(b"").digest(320), np.uint8).reshape(10, 32)
made = [kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY") for _ in range(10)]
public_keys = [each.public_key_der() for each in made]
emails = [b"a@example.com", b"b@example.com"]
Path("release.tar").write_bytes(bytes(100_000))
"""
AFTER_KEY_TYPES = """
assert valid.all()
assert key.verify_mac_batch(emails, index).all()
"""


def test_the_examples_of_key_types_run(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "key-types.md").read_text()
    run(BEFORE_KEY_TYPES + "".join(examples(page)) + AFTER_KEY_TYPES, tmp_path)


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
