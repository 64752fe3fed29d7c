"""Finishes wheels in place: adds the bill of materials, then writes each anew, reproducibly.

The last step of every wheel, after auditwheel or delocate. Usage: finish.py DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

import archive
import sbom


def finish(path: Path) -> None:
    """Finishes one wheel; one that is finished already stays as it is, byte for byte."""
    members = archive.read_wheel(path)
    members.pop(sbom.path(members), None)
    members[sbom.path(members)] = archive.Member(sbom.encoded(members))
    archive.write_wheel(path, members)


def main() -> None:
    """Every wheel of the directory."""
    directory = Path(sys.argv[1])
    wheels = sorted(directory.glob("*.whl"))
    if not wheels:
        raise SystemExit(f"{directory} has no wheel to finish")
    for wheel in wheels:
        finish(wheel)
        print(f"finished {wheel.name}")


if __name__ == "__main__":
    main()
