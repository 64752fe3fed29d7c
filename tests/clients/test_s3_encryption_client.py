"""The Amazon S3 encryption client for Python (programs/s3_client.py), on a local S3 server."""

from __future__ import annotations

from pathlib import Path

from foreign import PROGRAMS, installed, installed_module, run
from seaweed import seaweed
from serving import Served

SHOWN = """\
an object opens
the bucket has a ciphertext
no context is refused
another context is refused
another key is refused
a disabled key is refused
a disabled key makes none
an enabled key opens again
a changed object is refused
"""


def test_it_works_unchanged(server: Served, tmp_path: Path) -> None:
    installed_module("s3_encryption")
    program = [installed("bin/python"), PROGRAMS / "s3_client.py"]
    with seaweed(tmp_path / "seaweed", server.url, cached=False) as s3:
        assert run(program, s3.environment(server.url, tmp_path), tmp_path) == SHOWN
