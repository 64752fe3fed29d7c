"""``kmsfast bench``: what it measures, which keys it uses, and what it leaves behind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import Cli
from serving import served_at_socket

import kmsfast

QUICK = ("bench", "--seconds", "0.1")
OF_KEY = [
    "encrypt 64 B", "decrypt 64 B", "encrypt_batch 10,000 x 64 B, numpy",
    "decrypt_batch 10,000 x 64 B, numpy", "encrypt 1 MiB", "encrypt 64 MiB",
]  # fmt: skip
OF_PAIR = ["sign P-256", "sign_batch P-256, 1,024 digests"]
CONCURRENT = "encrypt 64 B, 64 tasks of asyncio"


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served_at_socket(tmp_path_factory.mktemp("socket") / "store") as path:
        yield path


def test_this_process(empty: Cli, tmp_path: Path) -> None:
    """With a store of its own, which is gone afterwards; that of the user is not made."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = empty.names()
    found = json.loads(empty.ok(*QUICK, "--json", TMPDIR=str(scratch)))
    assert [row["name"] for row in found["rows"]] == OF_KEY + OF_PAIR
    assert found["seconds"] == 0.1
    assert found["in-process"].startswith("kmsfast ")
    for row in found["rows"]:
        assert row["calls"] > 0
        assert 0 < row["p50_us"] <= row["p99_us"]
        assert row["rate"] > 0
    units = {row["name"]: row["unit"] for row in found["rows"]}
    assert units["encrypt 1 MiB"] == "bytes/s"
    assert units["sign P-256"] == "signatures/s"
    assert empty.names() == before
    assert not list(scratch.iterdir())


def test_a_server_and_its_keys(empty: Cli, socket: Path) -> None:
    """The keys that were made are named, and wait for their deletion."""
    done = empty(*QUICK, "--socket", socket)
    assert done.code == 0, done.err
    server, heads, *rows = done.out.splitlines()
    assert f"socket {socket}" in server
    assert heads.split() == ["WHAT", "CALLS", "P50", "P99", "RATE"]
    assert {row.split("  ")[0] for row in rows} == {*OF_KEY, CONCURRENT, *OF_PAIR}
    deleted = [line for line in done.err.splitlines() if line.endswith(" is deleted in 7 days")]
    named = [line.split()[1].rstrip(",") for line in deleted]
    with kmsfast.connect(socket) as kms:
        assert [kms.key(each).state for each in named] == ["PendingDeletion"] * 2
        assert {key.id for key in kms.keys()} == set(named)


def test_keys_of_the_user(empty: Cli, socket: Path) -> None:
    """Only these are used: no other is made, and what needs another is left out."""
    with kmsfast.connect(socket) as kms:
        pair = kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY").id
        before = {key.id for key in kms.keys()}
        done = empty(*QUICK, "--sign-key", pair, "--json", KMSFAST_SOCKET=str(socket))
        assert (done.code, done.err) == (0, "")
        assert [row["name"] for row in json.loads(done.out)["rows"]] == OF_PAIR
        assert {key.id for key in kms.keys()} == before
        assert kms.key(pair).state == "Enabled"


def test_what_cannot_be_measured(empty: Cli, socket: Path) -> None:
    at = ("--socket", socket)
    assert "no server answers" in empty.refused(6, *QUICK, "--socket", f"{socket}-not")
    assert "alias/none is not found" in empty.refused(4, *QUICK, *at, "--key", "alias/none")
    with kmsfast.connect(socket) as kms:
        plain = kms.create_key().id
    assert "name a key of ECC_NIST_P256" in empty.refused(2, *QUICK, *at, "--sign-key", plain)
    assert "--key" in empty.refused(2, "--principal", "ada", *QUICK)


def test_who_may_make_no_key(empty: Cli, tmp_path: Path) -> None:
    with kmsfast.open(tmp_path / "served", create=True) as kms:
        kms.principals.create_user("ada")
        kms.principals.map_uid(os.getuid(), "ada")
    with served_at_socket(tmp_path / "served", signed=True) as path:
        refused = empty.refused(8, *QUICK, "--socket", path)
    assert "name yours by --key and --sign-key" in refused
    assert "kms:CreateKey" in refused
