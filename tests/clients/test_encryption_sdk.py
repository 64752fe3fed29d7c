"""The AWS Encryption SDK for Python (programs/encryption_sdk.py)."""

from __future__ import annotations

from pathlib import Path

from foreign import PROGRAMS, environment, installed, installed_module, run
from serving import Served

SHOWN = """\
a message opens
the context is in its header
another context is refused
another key is refused
a changed message is refused
a discovery keyring finds the key
a multi-keyring wraps for each key
the other key opens
a disabled key is refused
an enabled key opens again
an alias encrypts for its key
an RSA keyring opens
an ECDH keyring opens on the other side
five messages need one data key
keyrings open what master keys made
"""


def test_it_works_unchanged(server: Served, tmp_path: Path) -> None:
    installed_module("aws_encryption_sdk")
    program = [installed("bin/python"), PROGRAMS / "encryption_sdk.py"]
    assert run(program, environment(server.url, tmp_path), tmp_path) == SHOWN
