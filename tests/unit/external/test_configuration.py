"""``key-stores.toml``: what is read of it, and what is refused."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from kmsfast.errors import ValidationError
from kmsfast.external import outside
from kmsfast.external.configuration import Cluster, Proxy, load
from kmsfast.model.arn import Home
from kmsfast.model.key_store import KeyStoreType

CLUSTER = "cluster-aaaaaaaaaaa"
ENDPOINT = "https://xks.example.com"


def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("PEM")
    file = tmp_path / "key-stores.toml"
    file.write_text(
        f'[clusters.{CLUSTER}]\nmodule = "m.so"\ntoken = "t"\ntrust_anchor = "ca.crt"\n'
        f'[proxies."{ENDPOINT}"]\naddress = "https://10.0.0.1:8443"\nca = "ca.crt"\ntimeout = 2\n'
        '[proxies."https://plain.example.com"]\n'
        '[proxies."https://here.example.com"]\naddress = "http://[::1]:8080"\n'
    )
    found = load(file)
    assert found.clusters == {CLUSTER: Cluster("m.so", "t", "PEM")}
    assert found.proxies == {
        ENDPOINT: Proxy("10.0.0.1", 8443, ca=str(tmp_path / "ca.crt"), timeout=2),
        "https://plain.example.com": Proxy("plain.example.com", 443, timeout=0.25),
        "https://here.example.com": Proxy("::1", 8080, is_tls=False),
    }


def test_none(tmp_path: Path) -> None:
    found = load(tmp_path / "key-stores.toml")
    assert (found.clusters, found.proxies) == ({}, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "not TOML"),
        ("[cluster.a]", "'cluster'"),
        ("clusters = 1", "wrong type"),
        ('[clusters.a]\nmodule = "m"\ntoken = "t"', "cluster 'a'"),
        (f'[clusters.{CLUSTER}]\nmodule = "m"', "no 'token'"),
        (f'[clusters.{CLUSTER}]\nmodule = "m"\ntoken = 1', "wrong type"),
        (f'[clusters.{CLUSTER}]\nmodule = "m"\ntoken = "t"\npin = "1"', "'pin'"),
        (f'[clusters.{CLUSTER}]\nmodule = "m"\ntoken = "t"\ntrust_anchor = "x"', "cannot read"),
        (f'[proxies."{ENDPOINT}"]\naddress = "http://10.0.0.1"', "only https"),
        (f'[proxies."{ENDPOINT}"]\naddress = "http://localhost"', "only https"),
        (f'[proxies."{ENDPOINT}"]\naddress = "ftp://a"', "is not https"),
        (f'[proxies."{ENDPOINT}"]\naddress = "https://a/b"', "is not https"),
        (f'[proxies."{ENDPOINT}"]\naddress = "https://a:b"', "no address"),
        (f'[proxies."{ENDPOINT}"]\ntimeout = 0', "timeout"),
        (f'[proxies."{ENDPOINT}"]\ntimeout = true', "wrong type"),
        (f'[proxies]\n"{ENDPOINT}" = 1', "no table"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "key-stores.toml"
    file.write_text(text)
    with pytest.raises(ValidationError, match=r"key-stores\.toml") as refused:
        load(file)
    assert words in str(refused.value)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key-stores.toml"
    file.touch()
    file.chmod(mode)
    with pytest.raises(ValidationError, match="chmod go-w"):
        load(file)


def test_without_python_pkcs11_tokens_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    for name in ("tokens", "pkcs11_module"):
        monkeypatch.delitem(sys.modules, f"kmsfast.external.{name}", raising=False)
    given = tmp_path / "key-stores.toml", Home(), time.time
    with pytest.raises(ValidationError, match=r"pip install 'kmsfast\[pkcs11\]'"):
        outside(KeyStoreType.AWS_CLOUDHSM, *given)
    outside(KeyStoreType.EXTERNAL_KEY_STORE, *given).close()
