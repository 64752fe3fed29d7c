"""NIST's CAVP files for AES-256-GCM, through the C suite (SOURCES)."""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from pathlib import Path

import c_suite
import pytest

pytestmark = pytest.mark.sources  # of the C suite

NAMES = ["gcmEncryptExtIV256.rsp", "gcmDecrypt256.rsp"]
USED, OF = 375, 7875
GROUP = {"Keylen": 256, "IVlen": 96, "Taglen": 128}


def cases_in(text: str) -> tuple[int, int]:
    """How many cases there are, and how many of the sizes that the core has."""
    group: dict[str, int] = {}
    used = total = 0
    for line in text.splitlines():
        if sized := re.fullmatch(r"\[(\w+) = (\d+)\]", line):
            group[sized[1]] = int(sized[2])
        if line.startswith("Key = "):
            total += 1
            used += all(group[name] == size for name, size in GROUP.items())
    return used, total


@pytest.fixture(params=NAMES)
def vectors(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of one of the files."""
    with as_file(files("cryptography_vectors") / "ciphers/AES/GCM" / request.param) as source:
        copy = tmp_path / request.param
        copy.write_text(source.read_text())
    return copy


def test_every_case_gives_nists_answer(implementation: str, vectors: Path) -> None:
    used, total = cases_in(vectors.read_text())
    assert (used, total) == (USED, OF)
    said = c_suite.passes("nist_vectors", implementation, "--rsp", str(vectors))
    assert f"  {used} cases of {vectors}\n" in said


@pytest.mark.parametrize("field", ["Key", "IV", "CT", "AAD", "Tag"])
def test_a_wrong_answer_is_noticed(vectors: Path, field: str) -> None:
    text = vectors.read_text()
    start = text.index(
        "[Keylen = 256]\n[IVlen = 96]\n[PTlen = 408]\n[AADlen = 720]\n[Taglen = 128]"
    )
    end = text.index("[Keylen", start + 1)
    wrong, count = re.subn(
        rf"(?m)^({field} = )(\w)", lambda m: f"{m[1]}{int(m[2], 16) ^ 1:x}", text[start:end]
    )
    assert count == 15
    vectors.write_text(text[:start] + wrong + text[end:])
    done = c_suite.run("nist_vectors", "portable", "--rsp", str(vectors))
    assert done.returncode == 1, done.stdout
    assert "375 cases" in done.stdout
