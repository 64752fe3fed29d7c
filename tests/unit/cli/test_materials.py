"""``kmsfast material``: an import as its user does it, and what goes wrong."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from cli_runner import Cli
from wrapping import wrap


def bring(cli: Cli, key: str, material: bytes, *options: str) -> str:
    """Imports; returns what was printed."""
    folder = cli.directory
    asked = cli(
        "material", "parameters", key, "--public", "public.der", "--token", "token",
        "--algorithm", "RSAES_OAEP_SHA_256", "--wrapping-key", "RSA_2048", "--force",
    )  # fmt: skip
    assert asked.code == 0, asked.err
    wrapped = wrap((folder / "public.der").read_bytes(), "RSAES_OAEP_SHA_256", material)
    (folder / "wrapped").write_bytes(wrapped)
    done = cli("material", "import", key, "--token", "token", "--material", "wrapped", *options)
    assert done.code == 0, done.err
    return done.out


def described(cli: Cli, key: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(cli("key", "describe", key, "--json").out)
    return found


@pytest.fixture
def key(cli: Cli) -> str:
    return cli("key", "create", "--origin", "EXTERNAL", "--alias", "alias/mine").out.strip()


def test_an_import_and_its_whole_life(cli: Cli, key: str) -> None:
    first, second = os.urandom(32), os.urandom(32)
    assert described(cli, key)["state"] == "PendingImport"
    said = bring(cli, "alias/mine", first, "--never-expires", "--description", "from the vault")
    assert said.startswith(f"{key} has it\nmaterial id ")
    (cli.directory / "plain").write_bytes(b"text")
    assert cli("encrypt", "plain", "-o", "sealed", "-k", "alias/mine").code == 0

    assert "which waits for 'kmsfast key rotate'" in bring(
        cli, key, second, "--new", "--never-expires"
    )
    assert "waits for rotation" in cli("key", "describe", key).out
    assert cli("key", "rotate", key).code == 0
    assert described(cli, key)["current_version"] == 2

    gone = json.loads(cli("material", "delete", key, "--json").out)
    assert gone["state"] == "PendingImport"
    refused = cli("decrypt", "sealed", "-o", "back")
    assert refused.code != 0
    assert "pending import" in refused.err
    assert "gone; import it again" in cli("key", "describe", key).out

    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    bring(cli, key, second, "--expires", until.isoformat())
    versions = described(cli, key)["versions"]
    assert isinstance(versions, list)
    assert [v["material_description"] for v in versions] == ["from the vault", ""]
    assert versions[1]["material_id"] == gone["material_id"]
    assert "expires" in cli("key", "describe", key).out
    assert cli("decrypt", "sealed", "-o", "back").code == 0
    assert (cli.directory / "back").read_bytes() == b"text"


def test_what_goes_wrong_is_said(cli: Cli, key: str) -> None:
    bring(cli, key, os.urandom(32), "--never-expires")
    usual = ("material", "import", key, "--token", "token", "--material", "wrapped")
    for options, said in (
        ((), "say --expires TIME or --never-expires"),
        (("--expires", "2030-01-01", "--never-expires"), "say --expires TIME or"),
        (("--expires", "tomorrow"), "'tomorrow' is no date or time"),
        (("--expires", "2000-01-01"), "must lie in the future"),
        (("--never-expires", "--new"), "already"),
        (("--never-expires", "--material-id", "0" * 64), "under this id"),
    ):
        done = cli(*usual, *options)
        assert done.code != 0
        assert said in done.err
    other = cli("key", "create").out.strip()
    assert "origin is AWS_KMS" in cli("material", "delete", other).err
    again = cli("material", "parameters", key, "--public", "public.der", "--token", "other")
    assert again.code != 0
    assert "public.der" in again.err
    assert not (cli.directory / "other").exists()
