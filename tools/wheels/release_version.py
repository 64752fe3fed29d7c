"""Says whether a release's tag, the version in pyproject.toml and the changelog agree.

Usage: release_version.py TAG, such as v0.1.0
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Raises SystemExit with what differs."""
    tag = sys.argv[1]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if tag != f"v{version}":
        raise SystemExit(
            f"the tag is {tag}, the version in pyproject.toml {version}: the tag must be v{version}"
        )
    heading = re.search(
        rf"^## {re.escape(version)} .*$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    if heading is None or not re.search(r"\(\d{4}-\d\d-\d\d\)$", heading[0]):
        raise SystemExit(
            f"CHANGELOG.md has no heading '## {version} (YYYY-MM-DD)': {heading and heading[0]}"
        )
    print(f"release {version}")


if __name__ == "__main__":
    main()
