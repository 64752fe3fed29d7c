"""``kmsfast encapsulate`` and ``decapsulate``."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

import pytest
from cli_runner import Cli

import kmsfast


@pytest.fixture
def store(empty: Cli) -> Cli:
    kmsfast.open(empty.directory / "store", create=True).close()
    return empty


def test_a_secret_travels_in_files(store: Cli) -> None:
    store.ok("key", "create", "--spec", "ML_KEM_768", "--alias", "alias/kem")
    store.ok("encapsulate", "alias/kem", "-o", "mine", "--ciphertext", "sent")
    mine, sent = (store.directory / "mine"), (store.directory / "sent")
    assert (len(mine.read_bytes()), len(sent.read_bytes())) == (32, 1088)
    assert mine.stat().st_mode & 0o777 == 0o600
    store.ok("decapsulate", "alias/kem", "sent", "-o", "theirs")
    assert (store.directory / "theirs").read_bytes() == mine.read_bytes()
    assert (store.directory / "theirs").stat().st_mode & 0o777 == 0o600
    found = json.loads(store.ok("decapsulate", "alias/kem", "sent", "--json"))
    assert b64decode(found["shared_secret"]) == mine.read_bytes()
    assert found["algorithm"] == "ML_KEM"
    assert "bytes, not 32" in store.refused(3, "decapsulate", "alias/kem", "mine", "-o", "x")


def test_what_has_no_file_is_shown_as_json(store: Cli) -> None:
    store.ok("key", "create", "--spec", "ML_KEM_1024", "--alias", "alias/kem")
    found = json.loads(store.ok("encapsulate", "alias/kem", "--json"))
    (store.directory / "sent").write_text(b64encode(b64decode(found["ciphertext"])).decode())
    again = json.loads(store.ok("decapsulate", "alias/kem", "sent", "--json"))
    assert again["shared_secret"] == found["shared_secret"]
    found = json.loads(store.ok("encapsulate", "alias/kem", "--json", "-o", "secret"))
    assert found.keys() == {"key", "algorithm", "ciphertext"}
    found = json.loads(store.ok("encapsulate", "alias/kem", "--json", "--ciphertext", "c"))
    assert found.keys() == {"key", "algorithm", "shared_secret"}


def test_nothing_is_shown_or_written_by_mistake(store: Cli) -> None:
    store.ok("key", "create", "--spec", "ML_KEM_768", "--alias", "alias/kem")
    store.ok("key", "create", "--alias", "alias/orders")
    before = store.names()
    assert "--ciphertext" in store.refused(2, "encapsulate", "alias/kem", "-o", "x")
    assert "--output" in store.refused(2, "encapsulate", "alias/kem", "--ciphertext", "x")
    same = ("encapsulate", "alias/kem", "-o", "x", "--ciphertext", "x")
    assert "same output" in store.refused(2, *same)
    other = ("encapsulate", "alias/orders", "-o", "x", "--ciphertext", "y")
    assert "not valid for Encapsulate" in store.refused(2, *other)
    assert store.names() == before
