"""ARCHITECTURE.md names what there is."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()


def table_under(heading: str) -> str:
    """The lines of the table under a heading."""
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    return "\n".join(line for line in section.splitlines() if line.startswith("|"))


def test_the_table_of_csrc_has_every_file_and_no_other() -> None:
    names = re.findall(r"`([\w.*]+)`", table_under("csrc"))
    files = [path.name for path in (ROOT / "csrc").iterdir() if path.is_file()]
    assert names
    assert [file for file in files if not any(fnmatch(file, name) for name in names)] == []
    assert [name for name in names if not any(fnmatch(file, name) for file in files)] == []


def test_the_way_of_an_encryption_and_the_layers_are_there() -> None:
    for name in re.findall(r"`((?:src|csrc|docs|tests)/[\w./*-]+)`", TEXT):
        assert list(ROOT.glob(name.rstrip("/"))), name
    first_cells = re.findall(r"^\| [^|]+", table_under("Layers"), re.MULTILINE)
    for layer in re.findall(r"`(\w+)`", " ".join(first_cells)):
        package = ROOT / "src" / "kmsfast" / layer
        assert package.is_dir() or package.with_suffix(".py").exists(), layer
