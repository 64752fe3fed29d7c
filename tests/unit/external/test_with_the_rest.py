"""Keys in custom key stores beside the rest of the service: last uses, grants, dry runs, resets."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from api import Api, unblob
from external_stores import create_xks_key
from tokens import CLUSTERS, PIN
from xks_proxy import XksProxy

import kmsfast
from kmsfast.model.arn import Home
from kmsfast.model.seed import parse_seed
from kmsfast.operations import OPERATIONS
from kmsfast.server.service_model import load_service_model

ADA = "arn:aws:iam::000000000000:user/ada"
CONTEXT = {"table": "orders"}
DRY_RUN = "DryRunOperationException"
ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(params=["token", "proxy"])
def key(request: pytest.FixtureRequest) -> kmsfast.Key:
    """A key of either type of key store."""
    name = {"token": "token_key", "proxy": "xks_key"}[request.param]
    found: kmsfast.Key = request.getfixturevalue(name)
    return found


@pytest.fixture
def api(key: kmsfast.Key) -> Api:
    return Api(key._app)


def _in_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def last(key: kmsfast.Key) -> str | None:
    use = key.last_usage().use
    return use and use.operation


def test_the_last_use_from_python(key: kmsfast.Key) -> None:
    assert last(key) is None
    blob = key.encrypt(b"x", CONTEXT)
    assert last(key) == "Encrypt"
    assert key.decrypt(blob, CONTEXT) == b"x"
    assert last(key) == "Decrypt"
    key.generate_data_key()
    assert last(key) == "GenerateDataKey"
    key.generate_data_key_without_plaintext()
    assert last(key) == "GenerateDataKeyWithoutPlaintext"


def test_what_failed_is_no_use(key: kmsfast.Key) -> None:
    blob = key.encrypt(b"x", CONTEXT)
    key.generate_data_key()
    with pytest.raises((kmsfast.InvalidCiphertext, kmsfast.InvalidState)):
        key.decrypt(blob)
    assert last(key) == "GenerateDataKey"


def test_every_request_is_a_use_and_none_is_answered_from_memory(
    api: Api, key: kmsfast.Key
) -> None:
    blob = unblob(api("Encrypt", KeyId=key.id, Plaintext=b"x")["CiphertextBlob"])
    model = load_service_model().operations
    for operation, members in (
        ("Encrypt", {"KeyId": key.id, "Plaintext": b"x"}),
        ("Decrypt", {"CiphertextBlob": blob}),
        ("ReEncrypt", {"CiphertextBlob": blob, "DestinationKeyId": key.id}),
        ("GenerateDataKey", {"KeyId": key.id, "KeySpec": "AES_256"}),
        ("GenerateDataKeyWithoutPlaintext", {"KeyId": key.id, "KeySpec": "AES_256"}),
    ):
        for _ in range(2):
            answer = api(operation, **members)
            assert not [name for name in answer if name.endswith("MaterialId")]
            assert last(key) == operation
            known = OPERATIONS[operation]
            if known.warm is not None:
                assert known.at_once(key._app, members) is None
            if known.usual is not None:
                body = json.dumps(members, default=_in_base64).encode()
                assert known.usual(key._app, model[operation]).answer(body) is None


def test_a_re_encryption_is_one_of_both_keys(with_proxy: kmsfast.Kms, xks_key: kmsfast.Key) -> None:
    api, here = Api(with_proxy._app), with_proxy.create_key()
    there = api(
        "ReEncrypt", CiphertextBlob=here.encrypt(b"x"), DestinationKeyId=xks_key.id,
        SourceEncryptionContext={},
    )  # fmt: skip
    assert (last(here), last(xks_key)) == ("ReEncrypt", "ReEncrypt")
    assert "SourceKeyMaterialId" in there
    assert "DestinationKeyMaterialId" not in there
    back = api(
        "ReEncrypt", CiphertextBlob=unblob(there["CiphertextBlob"]), DestinationKeyId=here.id
    )
    assert here.decrypt(unblob(back["CiphertextBlob"])) == b"x"


def test_dry_runs_check_everything_and_are_no_uses(api: Api, key: kmsfast.Key) -> None:
    blob = key.encrypt(b"x")
    key.generate_data_key()
    for operation, members in (
        ("Encrypt", {"KeyId": key.id, "Plaintext": b"x"}),
        ("Decrypt", {"CiphertextBlob": blob}),
        ("ReEncrypt", {"CiphertextBlob": blob, "DestinationKeyId": key.id}),
        ("GenerateDataKey", {"KeyId": key.id, "KeySpec": "AES_256"}),
        ("GenerateDataKeyWithoutPlaintext", {"KeyId": key.id, "KeySpec": "AES_256"}),
        ("CreateGrant", {"KeyId": key.id, "GranteePrincipal": ADA, "Operations": ["Decrypt"]}),
    ):
        assert api.refused(operation, DryRun=True, **members)[0] == DRY_RUN
        assert last(key) == "GenerateDataKey"
    assert key.grants() == []
    key.disable()
    assert api.refused("Encrypt", DryRun=True, KeyId=key.id, Plaintext=b"x")[0] == (
        "DisabledException"
    )


def test_grants_are_those_of_a_symmetric_key(api: Api, key: kmsfast.Key) -> None:
    made = api(
        "CreateGrant", KeyId=key.id, GranteePrincipal=ADA,
        Operations=["Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"],
        Constraints={"EncryptionContextSubset": CONTEXT},
    )  # fmt: skip
    assert [grant.id for grant in key.grants()] == [made["GrantId"]]
    tokens = [made["GrantToken"]]
    answer = api("Encrypt", KeyId=key.id, Plaintext=b"x", GrantTokens=tokens)
    assert key.decrypt(unblob(answer["CiphertextBlob"])) == b"x"
    assert api.refused("Encrypt", KeyId=key.id, Plaintext=b"x", GrantTokens=["no"])[0] == (
        "InvalidGrantTokenException"
    )
    api("RevokeGrant", KeyId=key.id, GrantId=made["GrantId"])
    assert key.grants() == []
    code, message = api.refused(
        "CreateGrant", KeyId=key.id, GranteePrincipal=ADA, Operations=["Sign"]
    )
    assert code == "ValidationException"
    assert message is not None
    assert message.startswith("Grant operations [Sign] are not valid")


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("RotateKeyOnDemand", {}),
        ("EnableKeyRotation", {}),
        ("ListKeyRotations", {}),
        ("ReplicateKey", {"ReplicaRegion": "us-west-2"}),
        ("UpdatePrimaryRegion", {"PrimaryRegion": "us-west-2"}),
        (
            "GetParametersForImport",
            {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
        ),
        ("DeleteImportedKeyMaterial", {}),
        ("GenerateDataKeyPair", {"KeyPairSpec": "ECC_NIST_P256"}),
    ],
)
def test_what_keys_outside_do_not_do(
    api: Api, key: kmsfast.Key, operation: str, members: dict[str, Any]
) -> None:
    key._app.deployment.serve_regions(["us-east-1", "us-west-2"])
    code, _ = api.refused(operation, KeyId=key.id, **members)
    assert code == "UnsupportedOperationException"
    assert key.current_version == 1
    assert api("GetKeyRotationStatus", KeyId=key.id)["KeyRotationEnabled"] is False


def test_no_multi_region_keys_outside(api: Api, key: kmsfast.Key) -> None:
    assert key.backing is not None
    code, _ = api.refused(
        "CreateKey", Origin=key.origin, CustomKeyStoreId=key.backing.key_store_id, MultiRegion=True,
        **({"XksKeyId": "external-2"} if key.origin == "EXTERNAL_KEY_STORE" else {}),
    )  # fmt: skip
    assert code == "UnsupportedOperationException"


def test_blobs_of_others_are_refused_as_such(key: kmsfast.Key) -> None:
    kms = kmsfast.local.kms.Kms(key._door)
    other = kms.create_key()
    for mine, theirs in ((key, other), (other, key)):
        with pytest.raises(kmsfast.IncorrectKey):
            mine.decrypt(theirs.encrypt(b"x"))


def test_an_emptied_store_has_no_key_stores(
    with_proxy: kmsfast.Kms, xks_store: kmsfast.CustomKeyStore, proxy: XksProxy
) -> None:
    key = create_xks_key(with_proxy, xks_store)
    key.create_grant(["Decrypt"], grantee_principal=ADA)
    blob = key.encrypt(b"x")
    with_proxy._app.seeding.apply([], emptied=True)
    assert with_proxy.keys() == []
    assert with_proxy.custom_key_stores() == []
    calls = len(proxy.calls)
    for use in (lambda: key.encrypt(b"x"), lambda: with_proxy.decrypt(blob)):
        with pytest.raises(kmsfast.KeyNotFound):
            use()
    with pytest.raises(kmsfast.CustomKeyStoreNotFound):
        create_xks_key(with_proxy, xks_store)
    assert len(proxy.calls) == calls


def test_the_token_of_an_emptied_store_is_free_again(
    with_tokens: kmsfast.Kms, token_key: kmsfast.Key, anchor: str
) -> None:
    token_key.encrypt(b"x")
    with_tokens._app.seeding.apply([], emptied=True)
    with_tokens._app.deployment.forget_keys()
    made = with_tokens.create_custom_key_store(
        "again", cluster_id=next(iter(CLUSTERS)), password=PIN, trust_anchor=anchor
    )
    assert with_tokens.connect_custom_key_store(made.id).state == "CONNECTED"
    key = with_tokens.create_key(origin="AWS_CLOUDHSM", custom_key_store_id=made.id)
    assert key.decrypt(key.encrypt(b"x")) == b"x"


@pytest.mark.parametrize("origin", ["AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"])
def test_seeds_make_no_keys_outside(origin: str) -> None:
    with pytest.raises(kmsfast.ValidationError, match=f"origin: {origin} keys are in custom key"):
        parse_seed({"keys": [{"id": ID, "origin": origin}]}, Home())
