"""Stores with key stores outside: a token, or a proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from external_stores import configure, create_xks, create_xks_key
from tokens import CLUSTERS, PIN, SoftHsm, certificate
from xks_proxy import Key, XksProxy, running

import kmsfast


@pytest.fixture
def configuration(path: Path) -> Path:
    path.mkdir(mode=0o700)
    return path / "key-stores.toml"


@pytest.fixture
def reopened(path: Path, configuration: Path) -> Callable[[], kmsfast.Kms]:
    """Opens the store as another process would."""
    assert configuration.parent == path
    return lambda: kmsfast.open(path)


@pytest.fixture
def with_tokens(path: Path, configuration: Path, softhsm: SoftHsm) -> Iterator[kmsfast.Kms]:
    configuration.write_text(softhsm.configuration())
    with kmsfast.open(path, create=True) as kms:
        yield kms


@pytest.fixture(scope="session")
def anchor(tmp_path_factory: pytest.TempPathFactory) -> str:
    return certificate(tmp_path_factory.mktemp("anchor"))


@pytest.fixture
def token_store(with_tokens: kmsfast.Kms, anchor: str) -> kmsfast.CustomKeyStore:
    """A connected CloudHSM key store."""
    made = with_tokens.create_custom_key_store(
        "token", cluster_id=next(iter(CLUSTERS)), password=PIN, trust_anchor=anchor
    )
    return with_tokens.connect_custom_key_store(made.id)


@pytest.fixture
def token_key(with_tokens: kmsfast.Kms, token_store: kmsfast.CustomKeyStore) -> kmsfast.Key:
    return with_tokens.create_key(origin="AWS_CLOUDHSM", custom_key_store_id=token_store.id)


@pytest.fixture
def proxy() -> Iterator[XksProxy]:
    with running() as listening:
        listening.keys = {"external-1": Key(), "external-2": Key(nonce_len=16, metadata=b"v=1")}
        yield listening


@pytest.fixture
def with_proxy(path: Path, configuration: Path, proxy: XksProxy) -> Iterator[kmsfast.Kms]:
    configure(configuration, proxy)
    with kmsfast.open(path, create=True) as kms:
        yield kms


@pytest.fixture
def xks_store(with_proxy: kmsfast.Kms) -> kmsfast.CustomKeyStore:
    """A connected external key store."""
    return with_proxy.connect_custom_key_store(create_xks(with_proxy).id)


@pytest.fixture
def xks_key(with_proxy: kmsfast.Kms, xks_store: kmsfast.CustomKeyStore) -> kmsfast.Key:
    return create_xks_key(with_proxy, xks_store)
