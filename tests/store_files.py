"""The files of a store, those of its audit log among them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["files_of"]


def files_of(path: Path) -> list[Path]:
    """All files in the directory of a store and below it."""
    return sorted(each for each in path.rglob("*") if each.is_file())
