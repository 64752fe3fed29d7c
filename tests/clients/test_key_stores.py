"""boto3 on a server with custom key stores: a SoftHSM token and an external key store proxy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_clients import client_of
from botocore.exceptions import ClientError
from serving import served
from tokens import CLUSTERS, PIN, certificate, has_softhsm, needs_softhsm
from xks_proxy import ACCESS_KEY_ID, ENDPOINT, PATH, SECRET, Key, XksProxy, running

CLUSTER = list(CLUSTERS)[3]
CONTEXT = {"table": "orders"}
CREDENTIAL = {"AccessKeyId": ACCESS_KEY_ID, "RawSecretAccessKey": SECRET}
PROXY = {
    "XksProxyUriEndpoint": ENDPOINT,
    "XksProxyUriPath": PATH,
    "XksProxyConnectivity": "PUBLIC_ENDPOINT",
    "XksProxyAuthenticationCredential": CREDENTIAL,
}


@pytest.fixture(scope="module")
def proxy() -> Iterator[XksProxy]:
    with running() as listening:
        listening.keys = {f"external-{i}": Key() for i in range(4)}
        yield listening


@pytest.fixture(scope="module")
def kms(
    tmp_path_factory: pytest.TempPathFactory, proxy: XksProxy, request: pytest.FixtureRequest
) -> Iterator[Any]:
    clusters = request.getfixturevalue("softhsm").configuration() if has_softhsm() else ""
    store = tmp_path_factory.mktemp("key-stores") / "store"
    store.mkdir(mode=0o700)
    (store / "key-stores.toml").write_text(
        f'{clusters}[proxies."{ENDPOINT}"]\naddress = "{proxy.url}"\ntimeout = 20\n'
    )
    with served(store) as running_server:
        client = client_of(running_server.url)
        yield client
        client.close()


def refused(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**members)
    found = error.value.response["Error"]
    return found["Code"], found.get("Message", "")


def described(kms: Any, key_store_id: str) -> dict[str, Any]:
    found = kms.describe_custom_key_stores(CustomKeyStoreId=key_store_id)
    assert not found["Truncated"]
    return found["CustomKeyStores"][0]


def use(kms: Any, key_id: str) -> None:
    """Everything that a key of a custom key store does."""
    sealed = kms.encrypt(KeyId=key_id, Plaintext=b"plaintext", EncryptionContext=CONTEXT)
    blob = sealed["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == b"plaintext"
    assert (opened["KeyId"], opened["EncryptionAlgorithm"]) == (key_id, "SYMMETRIC_DEFAULT")
    assert "KeyMaterialId" not in opened
    for kind in ("AES_256", "AES_128"):
        made = kms.generate_data_key(KeyId=key_id, KeySpec=kind)
        again = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], KeyId=key_id)
        assert again["Plaintext"] == made["Plaintext"]
    blind = kms.generate_data_key_without_plaintext(KeyId=key_id, NumberOfBytes=7)
    assert len(kms.decrypt(CiphertextBlob=blind["CiphertextBlob"])["Plaintext"]) == 7
    ordinary = kms.create_key()["KeyMetadata"]["Arn"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=ordinary
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key_id, ordinary)
    back = kms.re_encrypt(CiphertextBlob=moved["CiphertextBlob"], DestinationKeyId=key_id)
    assert kms.decrypt(CiphertextBlob=back["CiphertextBlob"])["Plaintext"] == b"plaintext"
    other = kms.encrypt(KeyId=ordinary, Plaintext=b"x")["CiphertextBlob"]
    assert refused(kms.decrypt, CiphertextBlob=other, KeyId=key_id)[0] == "IncorrectKeyException"
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=ordinary)[0] == "IncorrectKeyException"
    assert refused(
        kms.encrypt, KeyId=key_id, Plaintext=b"x", DryRun=True
    )[0] == "DryRunOperationException"  # fmt: skip
    for operation, members in (
        (kms.rotate_key_on_demand, {}),
        (kms.enable_key_rotation, {}),
        (kms.generate_data_key_pair, {"KeyPairSpec": "RSA_2048"}),
    ):
        assert refused(operation, KeyId=key_id, **members)[0] == "UnsupportedOperationException"
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False


@needs_softhsm
def test_a_cloudhsm_key_store(kms: Any, tmp_path: Path) -> None:
    anchor = certificate(tmp_path)
    given = {
        "CustomKeyStoreName": "hsm", "CloudHsmClusterId": CLUSTER, "KeyStorePassword": PIN,
        "TrustAnchorCertificate": anchor,
    }  # fmt: skip
    store = kms.create_custom_key_store(**given)["CustomKeyStoreId"]
    assert refused(kms.create_custom_key_store, **given)[0] == "CustomKeyStoreNameInUseException"
    assert refused(
        kms.create_custom_key_store, **{**given, "CustomKeyStoreName": "other"}
    )[0] == "CloudHsmClusterInUseException"  # fmt: skip
    shown = described(kms, store)
    assert shown.pop("CreationDate") is not None
    assert shown == {
        "CustomKeyStoreId": store, "CustomKeyStoreName": "hsm", "CloudHsmClusterId": CLUSTER,
        "TrustAnchorCertificate": anchor, "ConnectionState": "DISCONNECTED",
        "CustomKeyStoreType": "AWS_CLOUDHSM",
    }  # fmt: skip
    create = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}
    assert refused(kms.create_key, **create)[0] == "CustomKeyStoreInvalidStateException"
    assert refused(
        kms.generate_random, NumberOfBytes=8, CustomKeyStoreId=store
    )[0] == "CustomKeyStoreInvalidStateException"  # fmt: skip
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert described(kms, store)["ConnectionState"] == "CONNECTED"
    key = kms.create_key(**create, Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
    assert (key["Origin"], key["CustomKeyStoreId"]) == ("AWS_CLOUDHSM", store)
    assert (key["CloudHsmClusterId"], key["KeyState"]) == (CLUSTER, "Enabled")
    assert not {"CurrentKeyMaterialId", "XksKeyConfiguration"} & set(key)
    use(kms, key["Arn"])
    blob = kms.encrypt(KeyId=key["Arn"], Plaintext=b"x")["CiphertextBlob"]
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    assert refused(kms.decrypt, CiphertextBlob=changed) == ("InvalidCiphertextException", "")
    random = kms.generate_random(NumberOfBytes=1024, CustomKeyStoreId=store)["Plaintext"]
    assert len(random) == 1024
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert kms.describe_key(KeyId=key["Arn"])["KeyMetadata"]["KeyState"] == "Unavailable"
    assert not kms.describe_key(KeyId=key["Arn"])["KeyMetadata"]["Enabled"]
    assert refused(kms.decrypt, CiphertextBlob=blob)[0] == "KMSInvalidStateException"
    assert refused(
        kms.disconnect_custom_key_store, CustomKeyStoreId=store
    )[0] == "CustomKeyStoreInvalidStateException"  # fmt: skip
    assert refused(
        kms.delete_custom_key_store, CustomKeyStoreId=store
    )[0] == "CustomKeyStoreHasCMKsException"  # fmt: skip
    kms.update_custom_key_store(
        CustomKeyStoreId=store, KeyStorePassword="wrong-pin", NewCustomKeyStoreName="renamed"
    )
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    failed = described(kms, store)
    assert (failed["ConnectionState"], failed["ConnectionErrorCode"]) == (
        "FAILED", "INVALID_CREDENTIALS",
    )  # fmt: skip
    assert failed["CustomKeyStoreName"] == "renamed"
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.update_custom_key_store(CustomKeyStoreId=store, KeyStorePassword=PIN)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_an_external_key_store(kms: Any, proxy: XksProxy) -> None:
    given = {"CustomKeyStoreName": "xks", "CustomKeyStoreType": "EXTERNAL_KEY_STORE", **PROXY}
    store = kms.create_custom_key_store(**given)["CustomKeyStoreId"]
    assert described(kms, store)["XksProxyConfiguration"] == {
        "Connectivity": "PUBLIC_ENDPOINT", "AccessKeyId": ACCESS_KEY_ID,
        "UriEndpoint": ENDPOINT, "UriPath": PATH,
    }  # fmt: skip
    assert refused(
        kms.create_custom_key_store, **{**given, "CustomKeyStoreName": "again"}
    )[0] == "XksProxyUriInUseException"  # fmt: skip
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    create = {
        "Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "external-0",
    }  # fmt: skip
    key = kms.create_key(**create)["KeyMetadata"]
    assert key["XksKeyConfiguration"] == {"Id": "external-0"}
    assert (key["CustomKeyStoreId"], key["Origin"]) == (store, "EXTERNAL_KEY_STORE")
    assert "CloudHsmClusterId" not in key
    assert refused(kms.create_key, **create)[0] == "XksKeyAlreadyInUseException"
    for wrong, code in (
        ({"XksKeyId": "none"}, "XksKeyNotFoundException"),
        ({"CustomKeyStoreId": "cks-none"}, "CustomKeyStoreNotFoundException"),
        ({"XksKeyId": "external-1", "MultiRegion": True}, "UnsupportedOperationException"),
        ({"XksKeyId": "external-1", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
         "UnsupportedOperationException"),
    ):  # fmt: skip
        assert refused(kms.create_key, **{**create, **wrong})[0] == code
    use(kms, key["Arn"])
    operations = [call.members["requestMetadata"]["kmsOperation"] for call in proxy.calls]
    assert {"Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
            "ReEncrypt", "CreateKey", "ConnectCustomKeyStore"} <= set(operations)  # fmt: skip
    blob = kms.encrypt(KeyId=key["Arn"], Plaintext=b"x")["CiphertextBlob"]
    code, message = refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert code == "KMSInvalidStateException"
    assert message.startswith("The external key store proxy rejected the request because the")
    assert refused(
        kms.generate_random, NumberOfBytes=8, CustomKeyStoreId=store
    )[0] == "UnsupportedOperationException"  # fmt: skip


def test_listing_and_finding(kms: Any) -> None:
    page = kms.describe_custom_key_stores(Limit=1)
    while page["Truncated"]:
        assert len(page["CustomKeyStores"]) == 1
        page = kms.describe_custom_key_stores(Limit=1, Marker=page["NextMarker"])
    assert refused(
        kms.describe_custom_key_stores, CustomKeyStoreName="none"
    )[0] == "CustomKeyStoreNotFoundException"  # fmt: skip
    assert refused(
        kms.describe_custom_key_stores, CustomKeyStoreName="a", CustomKeyStoreId="b"
    )[0] == "ValidationException"  # fmt: skip
    for operation in (
        kms.connect_custom_key_store, kms.disconnect_custom_key_store,
        kms.delete_custom_key_store, kms.update_custom_key_store,
    ):  # fmt: skip
        assert refused(operation, CustomKeyStoreId="cks-none")[0] == (
            "CustomKeyStoreNotFoundException"
        )


def test_what_is_refused(kms: Any) -> None:
    name = {"CustomKeyStoreName": os.urandom(4).hex()}
    xks = {**name, "CustomKeyStoreType": "EXTERNAL_KEY_STORE", **PROXY}
    for given, code in (
        (name, "ValidationException"),
        ({**xks, "KeyStorePassword": "1234567"}, "ValidationException"),
        ({**xks, "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE"},
         "XksProxyVpcEndpointServiceNotFoundException"),
        ({**xks, "XksProxyUriPath": "/another/kms/xks/v1"},
         "XksProxyInvalidConfigurationException"),
        ({**name, "CloudHsmClusterId": "cluster-" + "z" * 11, "KeyStorePassword": "1234567",
          "TrustAnchorCertificate": "none"}, "IncorrectTrustAnchorException"),
    ):  # fmt: skip
        assert refused(kms.create_custom_key_store, **given)[0] == code
