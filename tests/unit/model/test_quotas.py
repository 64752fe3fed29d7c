"""AWS's figures, and what a file says in their place."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from botocore_model import kms_model

from kmsfast.errors import ValidationError
from kmsfast.model.quota_figures import REGIONAL, REQUESTS, RESOURCES, UNPUBLISHED
from kmsfast.model.quotas import AWS, Quotas, quotas_of


def read(text: str) -> Quotas:
    return quotas_of(tomllib.loads(text), "quotas.toml")


def test_figures_of_aws() -> None:
    assert read("") == AWS
    assert (AWS.keys, AWS.aliases_per_key, AWS.grants_per_key) == (100_000, 50, 50_000)
    assert (AWS.key_policy_bytes, AWS.on_demand_rotations, AWS.custom_key_stores) == (
        32_768, 25, 10,
    )  # fmt: skip
    assert [AWS.rate("symmetric", each) for each in ("us-east-1", "eu-west-2", "eu-west-3")] == [
        100_000, 20_000, 10_000,
    ]  # fmt: skip
    assert AWS.rate("data-key-pair.RSA_4096", "cn-north-1") == 0.1
    assert REGIONAL.keys() <= REQUESTS.keys() >= UNPUBLISHED


def test_every_pair_spec_has_a_figure() -> None:
    specs = kms_model()["shapes"]["DataKeyPairSpec"]["enum"]
    assert {name for name in REQUESTS if name.startswith("data-key-pair.")} == {
        f"data-key-pair.{spec}" for spec in specs
    }


def test_a_file_says_what_is_other() -> None:
    found = read(
        "[resources]\nkeys = 3\naliases-per-key = 60\n"
        "[requests]\nsymmetric = 2.5\ndata-key-pair.RSA_2048 = 7\n'data-key-pair.SM2' = 1\n"
    )
    assert (found.keys, found.aliases_per_key, found.grants_per_key) == (3, 60, 50_000)
    assert found.rate("symmetric", "us-east-1") == 2.5
    assert found.rate("data-key-pair.RSA_2048", "cn-north-1") == 7
    assert found.rate("data-key-pair.SM2", "cn-north-1") == 1
    assert found.rate("rsa", "us-east-1") == 1_000
    assert {name: found.resource(name) for name in RESOURCES}["keys"] == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[resource]", "no section 'resource'; did you mean resources?"),
        ("resources = 1", "must be a table"),
        ("[resources]\nkey = 1", "no quota 'key'; did you mean keys?"),
        ("[requests]\nEncrypt = 1", "no quota 'Encrypt'"),
        ("[requests.data-key-pair]\nRSA_1024 = 1", "no quota 'data-key-pair.RSA_1024'"),
        ("[resources]\nkeys = 0", "keys must be a number above 0, not 0"),
        ("[resources]\nkeys = 1.5", "keys must be a whole number, not 1.5"),
        ("[resources]\nkeys = true", "not True"),
        ("[requests]\nrsa = -1", "above 0, not -1"),
        ("[requests]\nrsa = nan", "above 0, not nan"),
        ("[requests]\nrsa = inf", "above 0, not inf"),
        ("[requests]\nrsa = 1e-300", "above 0, not 1e-300"),
        (f"[resources]\nkeys = {10**400}", "above 0, not 1000"),
        ("[requests]\nrsa = '1'", "above 0, not '1'"),
        ("[resources]\nkey-policy-bytes = 131073", "can be 131072 at most"),
    ],
)
def test_what_cannot_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValidationError, match=r"^quotas\.toml: ") as caught:
        read(text)
    assert words in str(caught.value)


def test_quotas_are_compared_by_their_figures() -> None:
    changed: Any = Quotas(keys=1)
    assert changed != AWS
    assert Quotas() == AWS
