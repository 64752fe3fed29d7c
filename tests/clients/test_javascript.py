"""The AWS SDK and the AWS Encryption SDK for JavaScript (programs/*.cjs)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foreign import PROGRAMS, environment, installed, installed_module, run, system
from serving import Served

SDK = """\
a key is new
a ciphertext opens
a data key opens
another context is refused
a disabled key is refused
an unknown key is refused
Node's own crypto verifies
a paginator lists keys
"""
ENCRYPTION_SDK = """\
a message opens
its context is that of the header
another key is refused
a message of the Python SDK opens
"""


def node(package: str, server: Served, home: Path) -> dict[str, str]:
    """The environment of a program that requires a package."""
    installed(f"js/node_modules/{package}")
    return environment(server.url, home, NODE_PATH=str(installed("js/node_modules")))


def test_the_sdk(server: Served, tmp_path: Path) -> None:
    env = node("@aws-sdk/client-kms", server, tmp_path)
    assert run([system("node"), PROGRAMS / "kms.cjs"], env, tmp_path) == SDK


def test_the_encryption_sdk(server: Served, kms: Any, key: str, tmp_path: Path) -> None:
    env = node("@aws-crypto/client-node", server, tmp_path)
    installed_module("aws_encryption_sdk")
    message = tmp_path / "message"
    run([installed("bin/python"), PROGRAMS / "seal_message.py", key, message], env, tmp_path)
    other = kms.create_key()["KeyMetadata"]["Arn"]
    program = [system("node"), PROGRAMS / "encryption_sdk.cjs", key, other, message]
    assert run(program, env, tmp_path) == ENCRYPTION_SDK
