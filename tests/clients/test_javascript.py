"""The AWS SDK for JavaScript (programs/kms.cjs)."""

from __future__ import annotations

from pathlib import Path

from foreign import PROGRAMS, environment, installed, run, system
from serving import Served

SHOWN = """\
a key is new
a ciphertext opens
a data key opens
another context is refused
a disabled key is refused
an unknown key is refused
Node's own crypto verifies
a paginator lists keys
"""


def test_it_works_unchanged(server: Served, tmp_path: Path) -> None:
    modules = installed("js/node_modules/@aws-sdk/client-kms").parents[1]
    env = environment(server.url, tmp_path, NODE_PATH=str(modules))
    assert run([system("node"), PROGRAMS / "kms.cjs"], env, tmp_path) == SHOWN
