"""Fixtures that several parts of the suite share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

import reference
from pairs import AllKeys
from ring import STORE_ID, Ring
from tokens import SoftHsm

from kmsfast.crypto import keys, native, p256

# A deadline would measure how busy the machine is.
settings.register_profile("kmsfast", deadline=None)
settings.load_profile("kmsfast")


@pytest.fixture(params=native.describe()["available"])
def implementation(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each implementation that this CPU can run, in turn."""
    before = native.describe()["implementation"]
    native.force(request.param)
    yield request.param
    native.force(before)


@pytest.fixture(params=p256.implementations())
def p256_implementation(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each implementation of P-256 that this CPU can run, in turn."""
    before = p256.implementation()
    p256.force(request.param)
    yield request.param
    p256.force(before)


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    """Key versions whose material the test knows."""
    keys.open_arena()
    path = str(tmp_path / "root.key")
    keys.RootKey.create_file(path)
    with keys.RootKey.load_file(path) as root:
        store, wrapped = keys.StoreKey.create(root, STORE_ID)
    seen = reference.unwrap_store_key(Path(path).read_bytes(), wrapped, STORE_ID)
    with store:
        yield Ring(store, seen)


@pytest.fixture(scope="session")
def all_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllKeys]:
    """One key of each spec and usage; tests leave them as they are."""
    keys_of_all_kinds = AllKeys(tmp_path_factory.mktemp("all") / "store")
    yield keys_of_all_kinds
    keys_of_all_kinds.kms.close()


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """Tokens of this process; the module reads its configuration once, when it is first used."""
    made = SoftHsm(tmp_path_factory.mktemp("softhsm"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        yield made
