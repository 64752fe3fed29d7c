"""Usual requests: answered as the general way answers them, or left to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from api import Api, service_model, unblob
from clocks import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmsfast.crypto import keys
from kmsfast.operations import OPERATIONS

PLAIN = bytes(range(64))
CONTEXT = {"tenant": "acme", "purpose": "invoices"}
CONTEXTS: list[dict[str, Any]] = [
    {}, {"EncryptionContext": {}}, {"EncryptionContext": CONTEXT}, {"EncryptionContext": {"k": ""}},
]  # fmt: skip


class Both:
    """The API, whose usual requests may be asked for alone."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.usual = {
            name: operation.usual(api.app, service_model().operations[name]).answer
            for name, operation in OPERATIONS.items()
            if operation.usual is not None
        }
        self.key = api.create_key()
        api("CreateAlias", AliasName="alias/a", TargetKeyId=self.key["KeyId"])

    def usually(self, operation: str, **members: Any) -> dict[str, Any] | None:
        """The answer of the usual way alone; None: it has none."""
        answer = self.usual[operation](body_of(members))
        return None if answer is None else json.loads(answer)

    def generally(self, operation: str, **members: Any) -> dict[str, Any]:
        """The answer of the general way alone."""
        shape = service_model().operations[operation]
        answer = OPERATIONS[operation].run(self.api.app, shape.read(body_of(members)))
        return json.loads(shape.write(answer))

    @property
    def names(self) -> list[str]:
        arn = self.key["Arn"]
        home = arn.partition(":key/")[0]
        return ["alias/a", f"{home}:alias/a", self.key["KeyId"], arn]


def body_of(members: dict[str, Any], **options: Any) -> bytes:
    def plain(value: bytes) -> str:
        return base64.b64encode(value).decode()

    return json.dumps(members, default=plain, **options).encode()


@pytest.fixture
def both(api: Api) -> Both:
    return Both(api)


@pytest.mark.parametrize("context", CONTEXTS)
def test_both_ways_encrypt_and_decrypt_alike(both: Both, context: dict[str, Any]) -> None:
    for name in both.names:
        members = {"KeyId": name, "Plaintext": PLAIN, **context}
        assert both.usually("Encrypt", **members) is None  # nothing is known of the name yet
        general = both.generally("Encrypt", **members)
        usual = both.usually("Encrypt", **members)
        assert usual is not None
        assert list(usual) == list(general)
        assert {**usual, "CiphertextBlob": ""} == {**general, "CiphertextBlob": ""}
        assert usual["CiphertextBlob"] != general["CiphertextBlob"]
        for sealed in usual, general:
            for named in {}, {"KeyId": name}:
                opening = {"CiphertextBlob": sealed["CiphertextBlob"], **context, **named}
                opened = both.generally("Decrypt", **opening)
                assert unblob(opened["Plaintext"]) == PLAIN
                again = both.usually("Decrypt", **opening)
                assert again == opened
                assert list(again or ()) == list(opened)


@pytest.mark.parametrize("size", [{"KeySpec": "AES_256"}, {"KeySpec": "AES_128"},
                                  {"NumberOfBytes": 1}, {"NumberOfBytes": 1024}])  # fmt: skip
@pytest.mark.parametrize("context", CONTEXTS)
def test_both_ways_make_data_keys_alike(
    both: Both, size: dict[str, Any], context: dict[str, Any]
) -> None:
    for operation in "GenerateDataKey", "GenerateDataKeyWithoutPlaintext":
        members = {"KeyId": "alias/a", **size, **context}
        both.generally(operation, **members)
        general, usual = both.generally(operation, **members), both.usually(operation, **members)
        assert usual is not None
        assert list(usual) == list(general)
        opened = both.generally("Decrypt", CiphertextBlob=usual["CiphertextBlob"], **context)
        plaintext = usual.get("Plaintext", opened["Plaintext"])
        assert plaintext == opened["Plaintext"] != general.get("Plaintext")
        assert len(unblob(plaintext)) == {"AES_256": 32, "AES_128": 16}.get(
            size.get("KeySpec", ""), size.get("NumberOfBytes")
        )
        assert usual["KeyMaterialId"] == general["KeyMaterialId"]


def test_random_bytes(both: Both) -> None:
    for size in 1, 32, 1024:
        made = [both.usually("GenerateRandom", NumberOfBytes=size) for _ in range(3)]
        assert all(each is not None and len(unblob(each["Plaintext"])) == size for each in made)
        assert size < 9 or made[0] != made[1] != made[2] != made[0]
    assert both.usually("GenerateRandom") is None
    assert both.usually("GenerateRandom", NumberOfBytes=1, CustomKeyStoreId="cks-1234") is None


def test_lengths_are_those_of_the_service_model(both: Both) -> None:
    for size, usual in (1, True), (4096, True), (4097, False), (0, False):
        members = {"KeyId": "alias/a", "Plaintext": bytes(size)}
        both.generally("Encrypt", KeyId="alias/a", Plaintext=PLAIN)
        assert (both.usually("Encrypt", **members) is not None) == usual
        assert usual or both.api.refused("Encrypt", **members)[0] == "ValidationException"


def test_what_does_not_open_is_left_to_the_general_way(both: Both) -> None:
    other = both.api.create_key()["KeyId"]
    sealed = both.generally("Encrypt", KeyId="alias/a", Plaintext=PLAIN)["CiphertextBlob"]
    blob = unblob(sealed)
    both.generally("Decrypt", CiphertextBlob=blob)
    assert both.usually("Decrypt", CiphertextBlob=blob) is not None
    for changed in blob[:-1] + bytes([blob[-1] ^ 1]), blob[:-1], blob[:40], blob[:20]:
        assert both.usually("Decrypt", CiphertextBlob=changed) is None
        assert both.api.refused("Decrypt", CiphertextBlob=changed) == (
            "InvalidCiphertextException", None,
        )  # fmt: skip
    assert both.usually("Decrypt", CiphertextBlob=blob, EncryptionContext=CONTEXT) is None
    assert both.usually("Decrypt", CiphertextBlob=blob, KeyId=other) is None
    assert both.api.refused("Decrypt", CiphertextBlob=blob, KeyId=other)[0] == (
        "IncorrectKeyException"
    )
    assert both.usually("Decrypt", CiphertextBlob=blob) is not None


def test_no_change_is_missed(both: Both, clock: Clock) -> None:
    api, key = both.api, both.key["KeyId"]
    operations = {
        "Encrypt": {"KeyId": "alias/a", "Plaintext": PLAIN},
        "Decrypt": {"CiphertextBlob": api("Encrypt", KeyId=key, Plaintext=PLAIN)["CiphertextBlob"]},
        "GenerateDataKey": {"KeyId": "alias/a", "KeySpec": "AES_256"},
        "GenerateDataKeyWithoutPlaintext": {"KeyId": "alias/a", "KeySpec": "AES_256"},
    }
    other = api.create_key()["KeyId"]
    changes: list[Callable[[], object]] = [
        lambda: api("DisableKey", KeyId=key),
        lambda: api("EnableKey", KeyId=key),
        lambda: api("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90),
        lambda: api("RotateKeyOnDemand", KeyId=key),
        lambda: api("UpdateAlias", AliasName="alias/a", TargetKeyId=other),
    ]
    for change in changes:
        for operation, members in operations.items():
            api.reply(operation, members)
        change()
        for operation, members in operations.items():
            assert both.usually(operation, **members) is None
    for _ in range(2):
        made = api("Encrypt", KeyId="alias/a", Plaintext=PLAIN)
    assert made["KeyId"].endswith(other)
    api("EnableKeyRotation", KeyId=other, RotationPeriodInDays=90)
    api("Encrypt", KeyId="alias/a", Plaintext=PLAIN)
    assert both.usually("Encrypt", **operations["Encrypt"]) is not None
    clock.forward(days=91)
    assert both.usually("Encrypt", **operations["Encrypt"]) is None


def test_evicted_keys_are_loaded_again(both: Both) -> None:
    members = {"KeyId": "alias/a", "Plaintext": PLAIN}
    both.generally("Encrypt", **members)
    assert both.usually("Encrypt", **members) is not None
    keys.release(both.api.app.singles.sealing("alias/a").handle)  # type: ignore[union-attr]
    assert both.usually("Encrypt", **members) is None
    both.api("Encrypt", **members)
    assert both.usually("Encrypt", **members) is not None


def test_the_endpoint_takes_the_usual_way(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = api.create_key()["Arn"]
    for _ in range(2):
        api("Encrypt", KeyId=arn, Plaintext=PLAIN)
    monkeypatch.setattr(
        type(service_model().operations["Encrypt"]),
        "read",
        lambda _shape, _body: pytest.fail("read"),
    )
    assert api("Encrypt", KeyId=arn, Plaintext=PLAIN)["KeyId"] == arn


# ---- any body --------------------------------------------------------------------------------

_TEXTS = st.text(st.sampled_from('aB0/+= "\\\n\x7fé'), max_size=6)
_VALUES = st.one_of(
    st.sampled_from(["alias/a", "AAAA", "AAA=", "AA==", "AAB=", "A===", "AES_256", "", "x"]),
    st.sampled_from([None, True, 0, 16, 32, 32.0, 2000, -1, [], {}, CONTEXT]),
    st.dictionaries(_TEXTS, st.one_of(_TEXTS, st.just("v"), st.none()), max_size=3),
)
_NAMES = st.sampled_from(
    ["KeyId", "Plaintext", "KeySpec", "NumberOfBytes", "EncryptionContext", "DryRun", "X", "keyId"]
)
_PAIRS = st.lists(st.tuples(_NAMES, _VALUES), max_size=4)
_LAYOUTS = st.sampled_from(["%s", " \n%s\t", "%s x", "[%s]", "\ufeff%s"])


def _written(pairs: list[tuple[str, Any]], ascii_only: bool) -> str:
    members = (f"{json.dumps(n)}:{json.dumps(v, ensure_ascii=ascii_only)}" for n, v in pairs)
    return "{" + ", ".join(members) + "}"


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operation=st.sampled_from(["Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"]),
    start=st.booleans(), pairs=_PAIRS, layout=_LAYOUTS, ascii_only=st.booleans(),
)  # fmt: skip
def test_what_the_usual_way_answers_the_general_way_answers_so(
    both: Both, operation: str, start: bool, pairs: list[tuple[str, Any]], layout: str,
    ascii_only: bool,
) -> None:  # fmt: skip
    likely = [("KeyId", "alias/a"), ("Plaintext", "QUJD")] if start else []
    if start and operation != "Encrypt":
        likely[1] = ("KeySpec", "AES_256")
    both.generally("Encrypt", KeyId="alias/a", Plaintext=PLAIN)
    body = (layout % _written(likely + pairs, ascii_only)).encode()
    try:
        answer = both.usual[operation](body)
    except Exception:  # noqa: BLE001 - then the general way refuses it likewise
        answer = None
    if answer is None:
        return
    shape = service_model().operations[operation]
    members = shape.read(body)
    general = json.loads(shape.write(OPERATIONS[operation].run(both.api.app, members)))
    usual = json.loads(answer)
    assert list(usual) == list(general)
    assert {n: len(v) for n, v in usual.items()} == {n: len(v) for n, v in general.items()}
    context = {"EncryptionContext": members.get("EncryptionContext", {})}
    opened = both.generally("Decrypt", CiphertextBlob=usual["CiphertextBlob"], **context)
    assert operation != "Encrypt" or unblob(opened["Plaintext"]) == members["Plaintext"]
