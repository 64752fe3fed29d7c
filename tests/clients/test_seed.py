"""Seeds and resets of a server as a process."""

from __future__ import annotations

import hmac
import re
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from aws_clients import client_of
from serving import Served, command, served

PAGE = Path(__file__).resolve().parents[2] / "docs" / "seed.md"
ORDERS = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """The example of the documentation."""
    found = re.search(r"<!-- example -->\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    path = tmp_path / "seed.yaml"
    path.write_text(found[1])
    return path


def post(server: Served, **headers: str) -> int:
    request = urllib.request.Request(
        f"{server.url}/_kmsfast/reset", data=b"", method="POST", headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def aliases(kms: Any) -> set[str]:
    return {each["AliasName"] for each in kms.list_aliases()["Aliases"]}


def test_the_example_of_the_documentation(seed: Path, tmp_path: Path) -> None:
    blobs = []
    for store in ("one", "one", "two"):  # a restart, and the same keys elsewhere
        with served(tmp_path / store, "--seed", str(seed)) as server:
            kms = client_of(server.url)
            found = kms.describe_key(KeyId="alias/orders")["KeyMetadata"]
            assert (found["KeyId"], found["Description"]) == (ORDERS, "Key of the orders")
            blobs.append(kms.encrypt(KeyId=ORDERS, Plaintext=b"x")["CiphertextBlob"])
            for blob in blobs:
                assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
            mac = kms.generate_mac(KeyId="alias/tokens", MacAlgorithm="HMAC_SHA_256", Message=b"x")[
                "Mac"
            ]
            assert mac == hmac.digest(bytes(range(32)), b"x", "sha256")
            states = {
                name: kms.describe_key(KeyId=name)["KeyMetadata"]["KeyState"]
                for name in ("alias/signer", "alias/brought-later", "alias/off")
            }
            assert list(states.values()) == ["Enabled", "PendingImport", "Disabled"]
            kms.close()


def test_a_reset_leaves_the_seed_alone(seed: Path, tmp_path: Path) -> None:
    with served(tmp_path / "store", "--seed", str(seed), "--allow-reset") as server:
        kms = client_of(server.url)
        seeded = aliases(kms)
        blob = kms.encrypt(KeyId="alias/orders", Plaintext=b"x")["CiphertextBlob"]
        made = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/made", TargetKeyId=made)
        theirs = kms.encrypt(KeyId=made, Plaintext=b"x")["CiphertextBlob"]
        kms.update_key_description(KeyId=ORDERS, Description="changed")
        kms.rotate_key_on_demand(KeyId=ORDERS)
        newer = kms.encrypt(KeyId="alias/orders", Plaintext=b"x")["CiphertextBlob"]
        kms.schedule_key_deletion(KeyId=ORDERS)
        assert post(server, Origin="http://example.com") == 403
        assert aliases(kms) == seeded | {"alias/made"}
        assert post(server) == 200
        assert aliases(kms) == seeded
        found = kms.describe_key(KeyId=ORDERS)["KeyMetadata"]
        assert (found["Description"], found["KeyState"]) == ("Key of the orders", "Enabled")
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
        with pytest.raises(kms.exceptions.InvalidCiphertextException):
            kms.decrypt(CiphertextBlob=newer)
        with pytest.raises(kms.exceptions.ClientError, match="AccessDenied"):
            kms.decrypt(CiphertextBlob=theirs)
        for _ in range(2):
            with pytest.raises(kms.exceptions.NotFoundException):
                kms.encrypt(KeyId=made, Plaintext=b"x")
        kms.close()


def test_requests_at_the_time_of_a_reset(tmp_path: Path) -> None:
    """What has begun ends before; nothing of before is there afterwards."""
    with served(tmp_path / "store", "--allow-reset") as server:
        ended = threading.Event()

        def create() -> None:
            kms = client_of(server.url)
            while not ended.is_set():
                key = kms.create_key()["KeyMetadata"]["KeyId"]
                try:
                    kms.encrypt(KeyId=key, Plaintext=b"x")
                except kms.exceptions.NotFoundException:
                    continue
            kms.close()

        threads = [threading.Thread(target=create) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            assert [post(server) for _ in range(10)] == [200] * 10
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        assert post(server) == 200
        kms = client_of(server.url)
        assert kms.list_keys()["Keys"] == []
        kms.close()


def test_no_reset_where_it_was_not_asked_for(server: Served) -> None:
    assert post(server) == 404


def test_a_seed_that_differs_stops_the_start(seed: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with served(store, "--seed", str(seed)):
        pass
    for old, new, error in (
        ("Key of the orders", "Another", f"seed: key {ORDERS}: description: "),
        ("id: 2", "id: 2\n    id: 3", "is twice in one mapping"),
        ("keys:", "keys: [", "is no YAML in line"),
    ):
        changed = tmp_path / "changed.yaml"
        changed.write_text(seed.read_text().replace(old, new, 1))
        done = subprocess.run(
            command(store, "--http", "127.0.0.1:0", "--seed", str(changed)),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode != 0
        assert error in done.stderr


def test_seeds_need_no_authentication(seed: Path, tmp_path: Path) -> None:
    for options in (["--seed", str(seed)], ["--allow-reset"]):
        program = [each for each in command(tmp_path, *options) if each != "--insecure-no-auth"]
        done = subprocess.run(
            [*program, "--http", "127.0.0.1:0"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "it needs --insecure-no-auth" in done.stderr
