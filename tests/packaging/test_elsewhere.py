"""Where there is no epoll the reactor's files still make a library that loads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"
COMPILER = os.environ.get("CC", "cc").split()[0]

pytestmark = [
    pytest.mark.sources,
    pytest.mark.skipif(
        not shutil.which(COMPILER) or not shutil.which("nm"), reason="needs a compiler and nm"
    ),
]


def test_what_the_reactor_names_is_there(tmp_path: Path) -> None:
    """Its files, compiled as if for another system: what they ask of each other, one of them has.

    An extension is linked without asking, so that a name which is nowhere is found by who imports.
    """
    headers = "".join((CSRC / name).read_text() for name in ("kf_reactor.h", "kf_api.h"))
    own = set(re.findall(r"\bkf_(?:reactor|conn|uid|event|command|inbox|wake)\w*(?=\()", headers))
    flags = ["-U__linux__", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    for source in CSRC.glob("kf_reactor*.c"):
        out = tmp_path / f"{source.stem}.o"
        subprocess.run([COMPILER, *flags, "-c", str(source), "-o", str(out)], check=True)
    command = ["nm", *map(str, tmp_path.glob("*.o"))]
    symbols = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = set(re.findall(r"\bT _?(kf_\w+)", symbols))
    asked = set(re.findall(r"\bU _?(kf_\w+)", symbols))
    assert "kf_reactor_open" in found
    assert asked & own - found == set()
    assert {name for name in own if name.startswith("kf_reactor_")} <= found
