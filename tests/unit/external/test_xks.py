"""Keys in external key stores, with a proxy written from the specification."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from external_stores import CREDENTIAL, configure, create_xks, create_xks_key
from store_files import files_of
from xks_proxy import ENDPOINT, PATH, Key, Refusal, Running, XksProxy

import kmsfast
from kmsfast.model import outside_blob

CONTEXT = {"table": "orders"}
ROOT = "arn:aws:iam::000000000000:root"


@pytest.mark.parametrize("size", [0, 1, 16, 4096])
@pytest.mark.parametrize("name", ["external-1", "external-2"])
def test_records_are_encrypted_twice(
    with_proxy: kmsfast.Kms, xks_store: kmsfast.CustomKeyStore, proxy: XksProxy, size: int,
    name: str,
) -> None:  # fmt: skip
    key = create_xks_key(with_proxy, xks_store, name)
    plaintext = os.urandom(size)
    blob = key.encrypt(plaintext, CONTEXT)
    inner = base64.b64decode(proxy.calls[-1].members["plaintext"])
    assert len(inner) == size + 96
    assert kmsfast.inspect(inner).key_id == key.id
    assert size < 16 or plaintext not in inner
    info = kmsfast.inspect(blob)
    assert (info.key_id, info.plaintext_size) == (key.id, size)
    assert "external" in info.suite
    box = outside_blob.parse(blob).box
    assert len(box.ciphertext) == len(inner)
    assert (len(box.nonce), box.metadata) == ((12, b"") if name == "external-1" else (16, b"v=1"))
    assert with_proxy.decrypt(blob, CONTEXT) == plaintext
    assert key.decrypt(blob, CONTEXT) == plaintext


def test_what_the_proxy_sees_opens_nothing_here(
    with_proxy: kmsfast.Kms, xks_key: kmsfast.Key, proxy: XksProxy
) -> None:
    blob = xks_key.encrypt(b"plaintext", CONTEXT)
    inner = base64.b64decode(proxy.calls[-1].members["plaintext"])
    before = len(proxy.calls)
    for use in (
        lambda: with_proxy.decrypt(inner, CONTEXT),
        lambda: xks_key.decrypt(inner, CONTEXT),
        lambda: with_proxy.decrypt_batch([inner], CONTEXT),
        lambda: with_proxy.rewrap_batch([inner], CONTEXT),
    ):
        with pytest.raises((kmsfast.InvalidCiphertext, kmsfast.BatchError)):
            use()
    assert len(proxy.calls) == before
    assert with_proxy.decrypt(blob, CONTEXT) == b"plaintext"


def test_requests_say_what_they_are_for(
    with_proxy: kmsfast.Kms, xks_store: kmsfast.CustomKeyStore, proxy: XksProxy
) -> None:
    key = create_xks_key(with_proxy, xks_store)
    blob = key.encrypt(b"")
    with_proxy.decrypt(blob)
    key.generate_data_key()
    seen = [(call.path.removeprefix(PATH), call.members["requestMetadata"]) for call in proxy.calls]
    assert [(path, metadata["kmsOperation"]) for path, metadata in seen] == [
        ("/health", "CreateCustomKeyStore"),
        ("/health", "ConnectCustomKeyStore"),
        ("/keys/external-1/metadata", "CreateKey"),
        ("/keys/external-1/encrypt", "Encrypt"),
        ("/keys/external-1/decrypt", "Decrypt"),
        ("/keys/external-1/encrypt", "GenerateDataKey"),
    ]
    assert len({metadata["kmsRequestId"] for _, metadata in seen}) == len(seen)
    assert "kmsKeyArn" not in seen[2][1]
    for _, metadata in seen[3:]:
        assert metadata["kmsKeyArn"] == key.arn
        assert metadata["awsPrincipalArn"] == ROOT


def test_a_blob_opens_by_its_key_and_context_alone(
    with_proxy: kmsfast.Kms, xks_key: kmsfast.Key, xks_store: kmsfast.CustomKeyStore
) -> None:
    other = create_xks_key(with_proxy, xks_store, "external-2")
    blob = xks_key.encrypt(b"plaintext", CONTEXT)
    with pytest.raises(kmsfast.InvalidState, match="rejected the request because the specified"):
        with_proxy.decrypt(blob, {"table": "other"})
    with pytest.raises(kmsfast.IncorrectKey):
        other.decrypt(blob, CONTEXT)
    for i in [*range(60), len(blob) - 1]:
        changed = blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1 :]
        with pytest.raises((kmsfast.InvalidCiphertext, kmsfast.KeyNotFound, kmsfast.InvalidState)):
            with_proxy.decrypt(changed, CONTEXT)
    for length in (0, 2, 23, 24, 26, 50, len(blob) - 1):
        with pytest.raises((kmsfast.InvalidCiphertext, kmsfast.InvalidState)):
            with_proxy.decrypt(blob[:length], CONTEXT)
    assert with_proxy.decrypt(blob, CONTEXT) == b"plaintext"


def test_a_key_of_the_same_external_key_opens_nothing_of_another(
    with_proxy: kmsfast.Kms, xks_key: kmsfast.Key, xks_store: kmsfast.CustomKeyStore,
    proxy: XksProxy,
) -> None:  # fmt: skip
    proxy.keys["second-name"] = proxy.keys["external-1"]
    other = create_xks_key(with_proxy, xks_store, "second-name")
    blob = xks_key.encrypt(b"plaintext", CONTEXT)
    renamed = blob[:4] + other._raw_id + blob[20:]
    with pytest.raises(kmsfast.InvalidState):
        with_proxy.decrypt(renamed, CONTEXT)


def test_an_external_key_backs_one_key(
    with_proxy: kmsfast.Kms, xks_key: kmsfast.Key, xks_store: kmsfast.CustomKeyStore
) -> None:
    assert xks_key.backing == kmsfast.Backing(
        xks_store.id, "external-1", kmsfast.KeyStoreType.EXTERNAL_KEY_STORE, connected=True
    )
    with pytest.raises(kmsfast.XksKeyAlreadyInUse):
        create_xks_key(with_proxy, xks_store)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (Key(spec="RSA_2048"), "must be AES_256.*is RSA_2048"),
        (Key(status="DISABLED"), "must be ENABLED.*is DISABLED"),
        (Key(usage=["ENCRYPT", "WRAP"]), "must include ENCRYPT and DECRYPT.*is ENCRYPT, WRAP"),
    ],
)
def test_external_keys_that_cannot_be_used(
    with_proxy: kmsfast.Kms, xks_store: kmsfast.CustomKeyStore, proxy: XksProxy, key: Key,
    words: str,
) -> None:  # fmt: skip
    proxy.keys["wrong"] = key
    with pytest.raises(kmsfast.XksKeyInvalidConfiguration, match=words):
        create_xks_key(with_proxy, xks_store, "wrong")
    with pytest.raises(kmsfast.XksKeyNotFound):
        create_xks_key(with_proxy, xks_store, "none-such")
    assert with_proxy.keys() == []


def test_keys_of_another_kind_or_of_no_key_store(
    with_proxy: kmsfast.Kms, xks_store: kmsfast.CustomKeyStore
) -> None:
    given: dict[str, Any]
    named = {"custom_key_store_id": xks_store.id, "xks_key_id": "external-1"}
    for given, error in (
        ({"spec": "RSA_2048", "usage": "SIGN_VERIFY", **named}, kmsfast.UnsupportedOperation),
        ({"multi_region": True, **named}, kmsfast.UnsupportedOperation),
        ({"rotation_period_days": 90, **named}, kmsfast.UnsupportedOperation),
        ({"custom_key_store_id": xks_store.id}, kmsfast.ValidationError),
        ({"xks_key_id": "external-1"}, kmsfast.ValidationError),
        ({**named, "xks_key_id": "a/b"}, kmsfast.ValidationError),
        ({**named, "xks_key_id": ".."}, kmsfast.ValidationError),
        ({**named, "custom_key_store_id": "cks-0"}, kmsfast.CustomKeyStoreNotFound),
        ({**named, "origin": "AWS_KMS"}, kmsfast.ValidationError),
        ({"custom_key_store_id": xks_store.id, "origin": "AWS_CLOUDHSM"}, kmsfast.ValidationError),
    ):
        with pytest.raises(error):
            with_proxy.create_key(**{"origin": "EXTERNAL_KEY_STORE", **given})
    assert with_proxy.keys() == []


def test_a_key_store_that_goes_while_a_key_is_made(
    path: Path, with_proxy: kmsfast.Kms, xks_store: kmsfast.CustomKeyStore
) -> None:
    outside = with_proxy._app.outside.of(xks_store.type)
    with kmsfast.open(path) as other, pytest.MonkeyPatch.context() as patch:

        def make_key(*_arguments: object) -> None:
            other.disconnect_custom_key_store(xks_store.id)
            other.delete_custom_key_store(xks_store.id)

        patch.setattr(outside, "make_key", make_key)
        with pytest.raises(kmsfast.CustomKeyStoreNotFound):
            create_xks_key(with_proxy, xks_store)
    assert with_proxy.keys() == []


# ---- failures ---------------------------------------------------------------------------------

REFUSALS = [
    ("ValidationException", "cannot interpret", "XKS_PROXY_INVALID_RESPONSE"),
    ("InvalidStateException", "is not enabled", "XKS_PROXY_INVALID_RESPONSE"),
    ("InvalidKeyUsageException", "does not support", "XKS_PROXY_INVALID_RESPONSE"),
    ("AuthenticationFailedException", "could not authenticate", "INVALID_CREDENTIALS"),
    ("AccessDeniedException", "denied access", "XKS_PROXY_ACCESS_DENIED"),
    ("KeyNotFoundException", "was not found", "XKS_PROXY_INVALID_RESPONSE"),
    ("InvalidUriPathException", "invalid URI path", "XKS_PROXY_INVALID_CONFIGURATION"),
    ("ThrottlingException", "very high request rate", "XKS_PROXY_NOT_REACHABLE"),
    ("UnsupportedOperationException", "does not support", "XKS_PROXY_INVALID_RESPONSE"),
    ("DependencyTimeoutException", "in the time allotted", "XKS_PROXY_TIMED_OUT"),
    ("InternalException", "cannot communicate", "XKS_PROXY_INVALID_RESPONSE"),
    ("NobodyKnowsException", "cannot interpret", "XKS_PROXY_INVALID_RESPONSE"),
]


@pytest.mark.parametrize(("name", "words", "code"), REFUSALS)
def test_what_the_proxy_refuses(
    with_proxy: kmsfast.Kms, xks_key: kmsfast.Key, xks_store: kmsfast.CustomKeyStore,
    proxy: XksProxy, name: str, words: str, code: str,
) -> None:  # fmt: skip
    blob = xks_key.encrypt(b"plaintext")
    proxy.refusal = Refusal(400, name)
    for use in (lambda: xks_key.encrypt(b""), lambda: with_proxy.decrypt(blob)):
        with pytest.raises(kmsfast.InvalidState, match=words) as refused:
            use()
        assert "a secret" not in str(refused.value)
    failed = with_proxy.connect_custom_key_store(xks_store.id)
    assert (failed.state, failed.error) == ("FAILED", code)
    proxy.refusal = None
    with pytest.raises(kmsfast.InvalidState, match="not connected to its external key store proxy"):
        with_proxy.decrypt(blob)
    with_proxy.disconnect_custom_key_store(xks_store.id)
    assert with_proxy.connect_custom_key_store(xks_store.id).error is None
    assert with_proxy.decrypt(blob) == b"plaintext"


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (Refusal(401, "AuthenticationFailedException"), kmsfast.XksProxyIncorrectCredential),
        (Refusal(404, "InvalidUriPathException"), kmsfast.XksProxyInvalidConfiguration),
        (Refusal(500, "InternalException"), kmsfast.XksProxyInvalidResponse),
        (Refusal(429, "ThrottlingException"), kmsfast.XksProxyUriUnreachable),
        (Refusal(200, "AuthenticationFailedException"), kmsfast.XksProxyInvalidResponse),
    ],
)
def test_creating_asks_the_proxy(
    with_proxy: kmsfast.Kms, proxy: XksProxy, refusal: Refusal, error: type[Exception]
) -> None:
    proxy.refusal = refusal
    with pytest.raises(error):
        create_xks(with_proxy)
    assert with_proxy.custom_key_stores() == []


def test_a_proxy_whose_key_managers_are_all_away(with_proxy: kmsfast.Kms, proxy: XksProxy) -> None:
    proxy.health = ["UNAVAILABLE", "UNAVAILABLE"]
    with pytest.raises(kmsfast.XksProxyUriUnreachable):
        create_xks(with_proxy)
    proxy.health = ["UNAVAILABLE", "DEGRADED"]
    assert create_xks(with_proxy).state == "DISCONNECTED"


def changed(path: str, **members: Any) -> Callable[[str, dict[str, Any]], Any]:
    """Answers to this call with other members; None: without."""

    def twist(at: str, answer: dict[str, Any]) -> Any:
        if not at.endswith(path):
            return answer
        whole = {**answer, **members}
        return {name: value for name, value in whole.items() if value is not None}

    return twist


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "twist",
    [
        lambda _path, _answer: b"no JSON",
        lambda _path, _answer: b"[]",
        lambda _path, _answer: b"\xff",
        lambda _path, _answer: b"[" * 5000,
        lambda _path, _answer: b'{"a":"' + bytes(1 << 17) + b'"}',
        changed("encrypt", ciphertext=None),
        changed("encrypt", ciphertext=b64(bytes(5))),
        changed("encrypt", ciphertext="!!"),
        changed("encrypt", ciphertext=7),
        changed("encrypt", initializationVector=b64(bytes(13))),
        changed("encrypt", initializationVector=b64(bytes(12))),
        changed("encrypt", authenticationTag=b64(bytes(15))),
        changed("encrypt", ciphertextMetadata=b64(bytes(21))),
        changed("encrypt", ciphertextMetadata=b64(b"v=2")),
        changed("encrypt", ciphertextDataIntegrityValue=None),
        changed("encrypt", ciphertextDataIntegrityValue=b64(bytes(32))),
    ],
)
def test_answers_to_encrypt_that_are_none(
    xks_key: kmsfast.Key, proxy: XksProxy, twist: Callable[[str, dict[str, Any]], Any]
) -> None:
    proxy.twist = twist
    with pytest.raises(kmsfast.InvalidState, match="cannot interpret"):
        xks_key.encrypt(b"plaintext")


@pytest.mark.parametrize(
    ("plaintext", "words"),
    [(None, "interpret"), (b64(b"short"), "interpret"), (7, "interpret"), ("", "interpret"),
     (b64(bytes(105)), "submitted for decryption")],
)  # fmt: skip
def test_answers_to_decrypt_that_are_none(
    with_proxy: kmsfast.Kms, xks_key: kmsfast.Key, proxy: XksProxy, plaintext: Any, words: str
) -> None:
    blob = xks_key.encrypt(b"plaintext")
    proxy.twist = changed("decrypt", plaintext=plaintext)
    with pytest.raises(kmsfast.InvalidState, match=words):
        with_proxy.decrypt(blob)


def test_a_proxy_cannot_hand_out_another_plaintext(
    with_proxy: kmsfast.Kms, xks_key: kmsfast.Key, xks_store: kmsfast.CustomKeyStore,
    proxy: XksProxy,
) -> None:  # fmt: skip
    """What it answers must be an inner blob of this very key and context."""
    blob = xks_key.encrypt(b"plaintext", CONTEXT)
    xks_key.encrypt(b"plaintexu", {"table": "other"})
    of_other_context = proxy.calls[-1].members["plaintext"]
    create_xks_key(with_proxy, xks_store, "external-2").encrypt(b"plaintexu", CONTEXT)
    of_other_key = proxy.calls[-1].members["plaintext"]
    for wrong in (of_other_context, of_other_key):
        proxy.twist = changed("decrypt", plaintext=wrong)
        with pytest.raises(kmsfast.InvalidState, match="submitted for decryption"):
            with_proxy.decrypt(blob, CONTEXT)


@pytest.mark.parametrize(
    "members",
    [{"xksProxyFleetSize": 0}, {"xksProxyFleetSize": True}, {"xksProxyVendor": None},
     {"ekmFleetDetails": []}, {"ekmFleetDetails": [7]}, {"ekmFleetDetails": None},
     {"ekmFleetDetails": [{"id": "a", "model": "b", "healthStatus": "FINE"}]},
     {"ekmFleetDetails": [{"id": "a", "model": "b", "healthStatus": "ACTIVE"}] * 11}],
)  # fmt: skip
def test_answers_to_health_that_are_none(
    with_proxy: kmsfast.Kms, proxy: XksProxy, members: dict[str, Any]
) -> None:
    proxy.twist = changed("health", **members)
    with pytest.raises(kmsfast.XksProxyInvalidResponse):
        create_xks(with_proxy)


@pytest.mark.parametrize(
    "members",
    [{"keySpec": None}, {"keyUsage": "ENCRYPT"}, {"keyUsage": [1]}, {"keyStatus": 1},
     {"keyUsage": ["ENCRYPT", "DECRYPT"] * 6}],
)  # fmt: skip
def test_answers_to_metadata_that_are_none(
    with_proxy: kmsfast.Kms, xks_store: kmsfast.CustomKeyStore, proxy: XksProxy,
    members: dict[str, Any],
) -> None:  # fmt: skip
    proxy.twist = changed("metadata", **members)
    with pytest.raises(kmsfast.CustomKeyStoreInvalidState):
        create_xks_key(with_proxy, xks_store)


def test_a_proxy_that_is_down_and_comes_back(
    with_proxy: kmsfast.Kms, configuration: Path, reopened: Callable[[], kmsfast.Kms]
) -> None:
    proxy = XksProxy()
    proxy.keys["external-1"] = Key()
    with Running(proxy, None):
        configure(configuration, proxy)
        with reopened() as kms:
            store = kms.connect_custom_key_store(create_xks(kms).id)
            key = create_xks_key(kms, store)
            blob = key.encrypt(b"plaintext")
    with reopened() as kms:
        for use in (lambda: kms.key(key.id).encrypt(b""), lambda: kms.decrypt(blob)):
            with pytest.raises(kmsfast.InvalidState, match="cannot communicate"):
                use()
        with pytest.raises(kmsfast.CustomKeyStoreInvalidState, match="cannot communicate"):
            create_xks_key(kms, store, "external-2")
        assert kms.connect_custom_key_store(store.id).error == "XKS_PROXY_NOT_REACHABLE"
        kms.disconnect_custom_key_store(store.id)
        with Running(proxy, None, proxy.port):
            assert kms.connect_custom_key_store(store.id).state == "CONNECTED"
            assert kms.decrypt(blob) == b"plaintext"


def test_the_credential_is_updated_while_connected(
    with_proxy: kmsfast.Kms, xks_key: kmsfast.Key, xks_store: kmsfast.CustomKeyStore,
    proxy: XksProxy,
) -> None:  # fmt: skip
    blob = xks_key.encrypt(b"plaintext")
    proxy.secret = proxy.secret[::-1]
    with pytest.raises(kmsfast.InvalidState, match="could not authenticate"):
        with_proxy.decrypt(blob)
    wrong = kmsfast.ProxyCredential(CREDENTIAL.access_key_id, "A" * 43)
    with pytest.raises(kmsfast.XksProxyIncorrectCredential):
        with_proxy.update_custom_key_store(xks_store.id, credential=wrong)
    right = kmsfast.ProxyCredential(CREDENTIAL.access_key_id, proxy.secret)
    with_proxy.update_custom_key_store(xks_store.id, credential=right, new_name="renamed")
    assert with_proxy.decrypt(blob) == b"plaintext"
    assert with_proxy.custom_key_store(xks_store.id).name == "renamed"
    for given in ({"uri_endpoint": "https://other.example.com"}, {"password": "1234567"}):
        with pytest.raises((kmsfast.CustomKeyStoreInvalidState, kmsfast.ValidationError)):
            with_proxy.update_custom_key_store(xks_store.id, **given)
    with pytest.raises(kmsfast.XksProxyInvalidConfiguration):
        with_proxy.update_custom_key_store(xks_store.id, uri_path="/elsewhere/kms/xks/v1")


def test_members_that_are_none(with_proxy: kmsfast.Kms) -> None:
    good: dict[str, Any] = {
        "type": "EXTERNAL_KEY_STORE", "uri_endpoint": ENDPOINT, "uri_path": PATH,
        "credential": CREDENTIAL,
    }  # fmt: skip
    for wrong, error in (
        ({"uri_endpoint": "http://xks.example.com"}, kmsfast.ValidationError),
        ({"uri_endpoint": "https://xks.example.com:8443"}, kmsfast.ValidationError),
        ({"uri_path": "/kms/xks/v2"}, kmsfast.ValidationError),
        ({"uri_path": "/kms/xks/v1/"}, kmsfast.ValidationError),
        ({"credential": None}, kmsfast.ValidationError),
        ({"connectivity": "CARRIER_PIGEON"}, kmsfast.ValidationError),
        ({"connectivity": "VPC_ENDPOINT_SERVICE"}, kmsfast.XksProxyVpcEndpointServiceNotFound),
        ({"credential": kmsfast.ProxyCredential("A" * 20, "short")}, kmsfast.ValidationError),
        ({"credential": kmsfast.ProxyCredential("a" * 20, "A" * 43)}, kmsfast.ValidationError),
    ):
        with pytest.raises(error):
            with_proxy.create_custom_key_store("wrong", **{**good, **wrong})
    create_xks(with_proxy)
    with pytest.raises(kmsfast.XksProxyUriInUse):
        create_xks(with_proxy, "another name")
    with pytest.raises(kmsfast.CustomKeyStoreNameInUse):
        create_xks(with_proxy)


def test_the_secret_is_nowhere_in_the_clear(
    path: Path, with_proxy: kmsfast.Kms, xks_key: kmsfast.Key
) -> None:
    xks_key.encrypt(b"plaintext")
    secret = CREDENTIAL.secret_access_key
    assert secret not in repr(CREDENTIAL) + repr(with_proxy.custom_key_stores())
    with_proxy.close()
    for file in files_of(path):
        assert secret.encode() not in file.read_bytes()
