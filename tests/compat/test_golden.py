"""Stores and ciphertexts of every release and schema open for ever: a copy is opened and used."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import golden
import pytest
import reference
from clocks import Clock
from external_stores import configure
from signing import derived
from wrapping import bring
from xks_proxy import Key, running

import kmsfast
from kmsfast.store.schema import SCHEMA_VERSION

RELEASES = sorted(path.name for path in golden.DIRECTORY.iterdir() if path.is_dir())
STORES = ["store", "passphrase"]
# All keys of releases before schema 3, which say nothing of it.
OLDER = {"spec": "SYMMETRIC_DEFAULT", "usage": "ENCRYPT_DECRYPT", "origin": "AWS_KMS"}


class Golden:
    """A copy of the files of one release, and what they must give."""

    def __init__(self, release: str, directory: Path) -> None:
        shutil.copytree(golden.DIRECTORY / release, directory)
        for store in {*STORES, "kinds", "imported", "regions", "key-stores"} & {
            path.name for path in directory.iterdir()
        }:
            (directory / store).chmod(0o700)
            for path in (directory / store).iterdir():
                path.chmod(0o600)  # which version control does not keep
        self.release, self.directory = release, directory
        self.expected: dict[str, Any] = json.loads((directory / "expected.json").read_text())

    def open(self, store: str, *, days_later: float = 0) -> kmsfast.Kms:
        clock = Clock()
        clock.now = self.expected[store]["now"]
        clock.forward(days=days_later)
        root = kmsfast.Passphrase(golden.PASSPHRASE) if store == "passphrase" else None
        return kmsfast.open(self.directory / store, clock=clock, root=root)


@pytest.fixture(params=RELEASES)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Golden:
    return Golden(request.param, tmp_path / "copy")


def arguments(item: dict[str, Any]) -> tuple[bytes, dict[str, str], bytes | None]:
    aad = item["aad"]
    return bytes.fromhex(item["blob"]), item["context"], None if aad is None else bytes.fromhex(aad)


def check_blobs(kms: kmsfast.Kms, items: list[dict[str, Any]]) -> None:
    assert items
    for item in items:
        blob, context, aad = arguments(item)
        plain = golden.plaintext(item["size"])
        info = kmsfast.inspect(blob)
        assert (info.key_id, info.key_version) == (item["key_id"], item["version"])
        assert info.plaintext_size == item["size"]
        assert kms.decrypt(blob, context, aad) == plain
        opened = kms.decrypt_batch([blob] * 3, context, aad=None if aad is None else [aad] * 3)
        assert opened == [plain] * 3
        with pytest.raises(kmsfast.InvalidCiphertext):
            kms.decrypt(blob, {**context, "other": ""}, aad)


def schema_in(store: Path) -> int:
    with closing(sqlite3.connect(store / "store.db")) as rows:
        return rows.execute("PRAGMA user_version").fetchone()[0]


def test_this_release_has_its_own() -> None:
    assert golden.name() in RELEASES


def test_every_schema_has_one() -> None:
    schemas = {release: int(release.rpartition("-schema-")[2]) for release in RELEASES}
    assert set(schemas.values()) == set(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("store", STORES)
def test_the_schema_is_that_of_its_name_until_it_is_opened(made: Golden, store: str) -> None:
    assert schema_in(made.directory / store) == int(made.release.rpartition("-schema-")[2])
    made.open(store).close()
    assert schema_in(made.directory / store) == SCHEMA_VERSION


@pytest.mark.parametrize("store", STORES)
def test_metadata(made: Golden, store: str) -> None:
    expected = made.expected[store]
    with made.open(store) as kms:
        found = golden.facts(kms)
    keys = {key_id: {**OLDER, **key} for key_id, key in expected["keys"].items()}
    assert found == {"store": expected["store"], "keys": keys, "aliases": expected["aliases"]}


def test_principals(made: Golden) -> None:
    """Of releases before schema 4, which knew nobody."""
    nobody = {"known": {}, "mapped": []}
    with made.open("store") as kms:
        assert golden.principals(kms) == made.expected["store"].get("principals", nobody)
        key = made.expected["store"].get("access_key")
        if key is not None:
            found = kms._app.deployment.access.signing_key(key["id"], "20260101", "eu-central-1")
            assert found == (derived(key["secret"], "20260101", "eu-central-1"), True)
            kms.principals.delete("nightly")


@pytest.mark.parametrize("store", STORES)
def test_every_blob(made: Golden, store: str, implementation: str) -> None:
    with made.open(store) as kms:
        for key in kms.keys():
            blobs = [b for b in made.expected[store]["blobs"] if b["key_id"] == key.id]
            if key.state == "Disabled":
                with pytest.raises(kmsfast.KeyDisabled):
                    kms.decrypt(*arguments(blobs[0]))
            if key.state == "PendingDeletion":
                with pytest.raises(kmsfast.InvalidState):
                    kms.decrypt(*arguments(blobs[0]))
                key.cancel_deletion()
            key.enable()
        check_blobs(kms, made.expected[store]["blobs"])


def test_the_key_whose_time_comes(made: Golden) -> None:
    expected = made.expected["store"]
    gone = [k for k, key in expected["keys"].items() if key["state"] == "PendingDeletion"]
    with made.open("store", days_later=31) as kms:
        assert {key.id for key in kms.keys()} == set(expected["keys"]) - set(gone)
        assert len(gone) == 1
        for item in expected["blobs"]:
            if item["key_id"] in gone:
                with pytest.raises(kmsfast.KeyNotFound):
                    kms.decrypt(*arguments(item))


def test_batch_stream_and_data_key(made: Golden, implementation: str) -> None:
    expected = made.expected["store"]
    batch, stream, data_key = (expected[name] for name in ("batch", "stream", "data_key"))
    values = [bytes.fromhex(value) for value in batch["values"]]
    sealed = kmsfast.SealedBatch(bytes.fromhex(batch["header"]), values)
    plain = [golden.plaintext(size) for size in batch["sizes"]]
    out = io.BytesIO()
    with made.open("store") as kms:
        assert kms.open_batch(sealed, batch["context"]) == plain
        assert [kms.open_record(sealed, i, batch["context"]) for i in range(len(plain))] == plain
        with (made.directory / "stream.kms").open("rb") as source:
            kms.decrypt_stream(source, out, stream["context"])
        opened = kms.decrypt(bytes.fromhex(data_key["blob"]), data_key["context"])
    assert out.getvalue() == golden.plaintext(stream["size"])
    assert opened.hex() == data_key["plaintext"]


def kinds_of(made: Golden) -> dict[str, Any]:
    """What is expected of the store with keys of all kinds, where the release has one."""
    if "kinds" not in made.expected:
        pytest.skip("all its keys are symmetric")
    expected: dict[str, Any] = made.expected["kinds"]
    return expected


def test_keys_of_every_kind(made: Golden) -> None:
    expected = kinds_of(made)
    with made.open("kinds") as kms:
        assert golden.facts(kms)["keys"] == expected["keys"]
        for key_id, der in expected["public_keys"].items():
            assert kms.key(key_id).public_key_der().hex() == der
        for item in expected["signatures"]:
            form = {name: item[name] for name in ("algorithm", "message_type")}
            message, signature = golden.message(**form), bytes.fromhex(item["signature"])
            key = kms.key(item["key_id"])
            key.verify(message, signature, **form)
            with pytest.raises(kmsfast.InvalidSignature):
                key.verify(message[::-1], signature, **form)
            key.verify(message, key.sign(message, **form), **form)
        for item in expected["macs"]:
            assert kms.key(item["key_id"]).mac(golden.plaintext(17)).hex() == item["mac"]
        for item in expected["ciphertexts"]:
            key, ciphertext = kms.key(item["key_id"]), bytes.fromhex(item["ciphertext"])
            opened = key.decrypt(ciphertext, algorithm=item["algorithm"])
            assert opened == golden.plaintext(17)
        pair = expected["data_key_pair"]
        opened = kms.decrypt(bytes.fromhex(pair["blob"]), pair["context"])
        assert opened.hex() == pair["private_key"]


def test_the_reference_reads_every_kind_of_material(made: Golden) -> None:
    expected = kinds_of(made)
    with closing(sqlite3.connect(made.directory / "kinds" / "store.db")) as rows:
        store_id, wrapped = rows.execute("SELECT store_id, wrapped_key FROM store").fetchone()
        versions = rows.execute(
            "SELECT spec, key_id, number, wrapped, flags, public_key FROM key_versions "
            "JOIN keys USING (key_id)"
        ).fetchall()
    root = (made.directory / "kinds" / "root.key").read_bytes()
    store_key = reference.unwrap_store_key(root, wrapped, store_id)
    assert len(versions) == len(expected["keys"])
    for spec, key_id, number, data, flags, public in versions:
        algorithm = reference.algorithm_of(spec)
        material = reference.unwrap_material(
            store_key, store_id, data, key_id, number, flags, algorithm
        )
        assert reference.public_key_of(algorithm, material) == public


def test_imported_material(made: Golden) -> None:
    if "imported" not in made.expected:
        pytest.skip("it had no import")
    expected = made.expected["imported"]
    with made.open("imported") as kms:
        assert golden.facts(kms)["keys"] == expected["keys"]
        rotated, deleted, empty = (kms.key(expected[n]) for n in ("rotated", "deleted", "empty"))
        assert (rotated.state, rotated.current_version) == ("Enabled", 2)
        assert [v.description for v in rotated.versions()] == ["number 0", "number 1", "number 2"]
        assert {deleted.state, empty.state} == {"PendingImport"}
        for i, version in enumerate(rotated.versions()):
            assert bring(rotated, golden.material(i)).material_id == version.material_id
        with pytest.raises(kmsfast.IncorrectKeyMaterial):
            bring(deleted, golden.material(1))
        bring(deleted, golden.material(0))
        check_blobs(kms, expected["blobs"])
        rotated.rotate()
        assert kms.decrypt(rotated.encrypt(b"third")) == b"third"
    with made.open("imported", days_later=301) as kms:
        assert kms.decrypt(*arguments(expected["blobs"][0])) == golden.plaintext(0)


def test_regions_and_accounts(made: Golden) -> None:
    if "regions" not in made.expected:
        pytest.skip("it had one region and account")
    expected = made.expected["regions"]
    with made.open("regions") as kms:
        homes = [kms, kms.at("eu-west-1"), kms.at(account="111122223333")]
        assert [golden.facts(each) for each in homes] == expected["homes"]
        replica = homes[1].key(expected["primary"])
        assert (replica.regions, replica.state) == (("us-east-1", "eu-west-1"), "Disabled")
        replica.enable()
        for each in homes[:2]:
            check_blobs(each, expected["blobs"])
        kms.key("alias/primary").update_primary_region("eu-west-1")
        replica.rotate()
        assert kms.key("alias/primary").decrypt(replica.encrypt(b"x")) == b"x"


def test_a_key_in_an_external_key_store(made: Golden) -> None:
    if "key-stores" not in made.expected:
        pytest.skip("it had no custom key stores")
    expected, path = made.expected["key-stores"], made.directory / "key-stores"
    with running() as proxy, kmsfast.open(path) as kms:
        proxy.keys["external-1"] = Key(golden.material(0))
        configure(path / "key-stores.toml", proxy)
        assert golden.facts(kms) == {name: expected[name] for name in golden.facts(kms)}
        (store,) = kms.custom_key_stores()
        assert {"id": store.id, "name": store.name, "type": store.type} == expected["key_store"]
        for item in expected["blobs"]:
            plain = kms.decrypt(bytes.fromhex(item["blob"]), item["context"])
            assert plain == golden.plaintext(item["size"])
        key = kms.key(expected["key"])
        assert key.decrypt(key.encrypt(b"x")) == b"x"


def test_the_store_is_used_on(made: Golden) -> None:
    expected = made.expected["store"]
    with made.open("store") as kms:
        key = kms.key("alias/golden/several")
        old = [b for b in expected["blobs"] if b["key_id"] == key.id and b["aad"] is None]
        newest = key.current_version
        assert {b["version"] for b in old} == set(range(1, newest + 1))
        key.rotate()
        assert kmsfast.inspect(key.encrypt(b"new")).key_version == newest + 1
        kms.create_key(alias="alias/new")
        for item in old:
            blob, context, _ = arguments(item)
            (moved,) = kms.rewrap_batch([blob], context)
            assert kmsfast.inspect(moved).key_version == newest + 1
            assert kms.decrypt(moved, context) == golden.plaintext(item["size"])
        kms.change_root(kmsfast.RootKeyFile(made.directory / "other.key"))
    with made.open("store") as kms:
        assert len(kms.keys()) == len(expected["keys"]) + 1
        blob, context, aad = arguments(old[0])
        assert kms.decrypt(blob, context, aad) == golden.plaintext(old[0]["size"])


def test_the_reference_reads_the_store_as_the_documents_say(made: Golden) -> None:
    """Root key file and rows to plaintext, without a line of kmsfast."""
    expected = made.expected["store"]
    with closing(sqlite3.connect(made.directory / "store" / "store.db")) as rows:
        store_id, wrapped = rows.execute("SELECT store_id, wrapped_key FROM store").fetchone()
        versions = rows.execute(
            "SELECT key_id, number, wrapped, flags FROM key_versions JOIN keys USING (key_id)"
        ).fetchall()
    root = (made.directory / "store" / "root.key").read_bytes()
    store_key = reference.unwrap_store_key(root, wrapped, store_id)
    materials = {
        (key_id, number): reference.unwrap_material(
            store_key, store_id, material, key_id, number, flags
        )
        for key_id, number, material, flags in versions
    }
    for item in expected["blobs"]:
        blob, context, aad = arguments(item)
        material = materials[blob[4:20], item["version"]]
        plain = reference.open_blob(material, blob, context, aad or b"")
        assert plain == golden.plaintext(item["size"])
