"""SSE-KMS of an S3 server (SeaweedFS, on the AWS SDK for Go) with keys of ours: docs/s3.md."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from foreign import WAIT
from seaweed import Seaweed, seaweed
from serving import Served

MARK = b"PLAINTEXT-OF-AN-ORDER"
BODY = MARK + os.urandom(20_000)  # nothing that is worth compressing


@pytest.fixture(params=[False, True], ids=["no cache", "cache"])
def cached(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def s3(server: Served, tmp_path: Path, cached: bool) -> Iterator[Seaweed]:
    with seaweed(tmp_path / "seaweed", server.url, cached=cached) as running:
        yield running


class Shell:
    """``aws s3api`` in a folder with the file ``body``."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self._env, self._folder = env, folder
        (folder / "body").write_bytes(BODY)

    def _run(self, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["aws", "s3api", *words], env=self._env, cwd=self._folder, capture_output=True,
            text=True, timeout=WAIT, check=False,
        )  # fmt: skip

    def __call__(self, *words: str) -> dict[str, Any]:
        done = self._run(words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    def fails(self, *words: str) -> bool:
        return "InternalError" in self._run(words).stderr

    def put(self, bucket: str, name: str) -> dict[str, Any]:
        return self("put-object", "--bucket", bucket, "--key", name, "--body", "body")

    def get(self, bucket: str, name: str) -> bytes:
        self("get-object", "--bucket", bucket, "--key", name, "got")
        return (self._folder / "got").read_bytes()


def stored(folder: Path) -> bytes:
    """All that the S3 server keeps; it replaces some files of its index meanwhile."""
    found = []
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError, IsADirectoryError):
            found.append(path.read_bytes())
    return b"".join(found)


def test_a_bucket_encrypted_with_a_key(
    server: Served, kms: Any, key: str, s3: Seaweed, cached: bool, tmp_path: Path
) -> None:
    aws = Shell(s3.environment(server.url, tmp_path), tmp_path)
    aws("create-bucket", "--bucket", "orders")
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]}
    aws(
        "put-bucket-encryption", "--bucket", "orders",
        "--server-side-encryption-configuration", json.dumps(rules),
    )  # fmt: skip
    for name in ("read", "unread"):
        made = aws.put("orders", name)
        assert (made["ServerSideEncryption"], made["SSEKMSKeyId"]) == ("aws:kms", key)
    head = aws("head-object", "--bucket", "orders", "--key", "read")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    assert aws.get("orders", "read") == BODY
    assert MARK not in stored(s3.data)

    kms.disable_key(KeyId=key)
    put = ["put-object", "--bucket", "orders", "--key", "new", "--body", "body"]
    assert aws.fails(*put)
    assert aws.fails("get-object", "--bucket", "orders", "--key", "unread", "got")
    if cached:  # SeaweedFS remembers data keys that it has decrypted
        assert aws.get("orders", "read") == BODY
    else:
        assert aws.fails("get-object", "--bucket", "orders", "--key", "read", "got")
    kms.enable_key(KeyId=key)
    assert aws.get("orders", "unread") == BODY

    # That the mark would have been found.
    aws("create-bucket", "--bucket", "plain")
    aws.put("plain", "open")
    assert MARK in stored(s3.data)
