"""``kmsfast key-store``, on the proxy of the tests and a SoftHSM token."""

from __future__ import annotations

import json
from pathlib import Path

from cli_runner import Cli
from store_files import files_of
from tokens import CLUSTERS, PIN, SoftHsm, certificate, needs_softhsm
from xks_proxy import ACCESS_KEY_ID, ENDPOINT, PATH, SECRET, Key, running

from kmsfast.cli.exits import Code

SECRET_OF = {"KMSFAST_KEY_STORE_SECRET": SECRET}
CREATE = (
    "key-store", "create", "proxy", "--type", "EXTERNAL_KEY_STORE", "--uri-endpoint", ENDPOINT,
    "--uri-path", PATH, "--access-key-id", ACCESS_KEY_ID,
)  # fmt: skip


def listed(cli: Cli, name: str) -> dict[str, object]:
    return next(each for each in json.loads(cli.ok("key-store", "list", "--json"))
                if each["name"] == name)  # fmt: skip


def test_the_life_of_an_external_key_store(empty: Cli) -> None:
    cli = empty
    cli.ok("init")
    with running() as proxy:
        proxy.keys["external-1"] = Key()
        file = cli.directory / "elsewhere.toml"
        file.write_text(f'[proxies."{ENDPOINT}"]\naddress = "{proxy.url}"\ntimeout = 30\n')
        here = {"KMSFAST_KEY_STORES": str(file)}
        assert "KMSFAST_KEY_STORE_SECRET" in cli.refused(Code.STORE, *CREATE, **here)
        made = cli.ok("--key-stores", file, *CREATE, **SECRET_OF).strip()
        assert listed(cli, "proxy")["state"] == "DISCONNECTED"
        assert cli.ok("key-store", "connect", made, **here) == f"{made} is connected\n"
        assert cli.ok("key-store", "list").split()[-5:] == [
            "proxy", "EXTERNAL_KEY_STORE", "CONNECTED", "-", ENDPOINT + PATH,
        ]  # fmt: skip
        key = cli.ok(
            "key", "create", "--origin", "EXTERNAL_KEY_STORE", "--key-store", made,
            "--xks-key-id", "external-1", **here,
        ).strip()  # fmt: skip
        shown = json.loads(cli.ok("key", "describe", key, "--json"))
        assert (shown["custom_key_store_id"], shown["name_in_key_store"]) == (made, "external-1")
        assert shown["versions"][0]["material_id"] is None
        cli.ok("key-store", "update", made, "--name", "renamed", **here)
        assert "DisconnectCustomKeyStore" not in cli.ok("key-store", "disconnect", made, **here)
        assert json.loads(cli.ok("key", "describe", key, "--json"))["state"] == "Unavailable"
        assert "KMS keys" in cli.refused(Code.STATE, "key-store", "delete", made, **here)
        proxy.secret = "A" * 43
        line = cli.refused(Code.STATE, "key-store", "connect", made, **here)
        assert "INVALID_CREDENTIALS" in line
        assert listed(cli, "renamed")["error"] == "INVALID_CREDENTIALS"
        cli.refused(Code.NOT_FOUND, "key-store", "connect", "cks-none", **here)
    everything = b"".join(each.read_bytes() for each in files_of(cli.directory / "store"))
    assert SECRET.encode() not in everything


@needs_softhsm
def test_a_token(empty: Cli, softhsm: SoftHsm, tmp_path: Path) -> None:
    cli = empty
    cli.ok("init")
    (cli.directory / "store" / "key-stores.toml").write_text(softhsm.configuration())
    certificate(cli.directory)
    made = cli.ok(
        "key-store", "create", "hsm", "--cluster-id", list(CLUSTERS)[2], "--trust-anchor",
        "customerCA.crt", KMSFAST_KEY_STORE_SECRET="wrong-pin",
    ).strip()  # fmt: skip
    cli.refused(Code.STATE, "key-store", "connect", made)
    cli.ok("key-store", "disconnect", made)
    cli.ok("key-store", "update", made, "--password", KMSFAST_KEY_STORE_SECRET=PIN)
    cli.ok("key-store", "connect", made)
    key = cli.ok("key", "create", "--origin", "AWS_CLOUDHSM", "--key-store", made).strip()
    (cli.directory / "plain").write_bytes(b"plaintext")
    line = cli.refused(Code.USAGE, "encrypt", "plain", "-o", "sealed", "-k", key)
    assert "data key" in line
    cli.ok("key-store", "disconnect", made)
    cli.ok("key", "delete", key)
