"""Request quotas at the endpoint: what counts towards what, for whom, and what is not counted."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api import service_model
from signing import signed

import kmsfast
from kmsfast.app import Application
from kmsfast.model.policy_actions import ACTIONS
from kmsfast.model.quota_figures import REQUESTS
from kmsfast.model.quotas import Quotas
from kmsfast.operations import OPERATIONS
from kmsfast.operations.charges import charges, known_charges
from kmsfast.server.endpoint import Endpoint, Reply, Request
from kmsfast.server.throttling import QuotaGuard
from kmsfast.service.principals import NewAccessKey
from kmsfast.service.request_quotas import RequestQuotas

STAMP = "20260101T000000Z"
MESSAGE = (
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
)
DATA = b64encode(b"x").decode()


class Seconds:
    """A clock that stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Calls:
    """An endpoint with quotas."""

    def __init__(self, kms: kmsfast.Kms, *, guarded: bool = False, **figures: float) -> None:
        self.kms, self.time = kms, Seconds()
        figures = {name.replace("_", "-", 1): figure for name, figure in figures.items()}
        quotas = RequestQuotas(Quotas(requests=figures), self.time)
        guard = QuotaGuard(kms._app, quotas) if guarded else None
        self.endpoint = Endpoint(kms._app, service_model(), guard, quotas=quotas)

    def send(self, operation: str, by: NewAccessKey | str = "", **members: Any) -> Reply:
        target, body = f"TrentService.{operation}", json.dumps(members).encode()
        request = Request("POST", "/", b"localhost", b"", target.encode(), b"", body)
        if isinstance(by, NewAccessKey):
            made = signed(
                body, headers={"x-amz-target": target}, stamp=STAMP, access_key=by.id,
                secret=by.secret,
            )  # fmt: skip
            request.headers, request.uri = list(made.headers), b"/"
            request.authorization = dict(made.headers)[b"authorization"]
            request.host = dict(made.headers)[b"host"]
        elif by:
            request.authorization = (
                f"AWS4-HMAC-SHA256 Credential={by}/20260101/us-east-1/kms/aws4_request, x"
            ).encode()
        reply = self.endpoint.answer(request)
        return reply if isinstance(reply, Reply) else reply()

    def passing(self, operation: str, by: NewAccessKey | str = "", **members: Any) -> int:
        """How many of these requests pass before one is throttled."""
        for number in range(100):
            reply = self.send(operation, by, **members)
            if reply.error == "ThrottlingException":
                assert reply.status == 400
                assert json.loads(reply.body)["message"] == MESSAGE
                return number
            assert reply.status == 200, reply.body
        raise AssertionError("no end")


def test_ways_of_an_operation_count_alike(kms: kmsfast.Kms) -> None:
    """The first one goes to the store, later ones are answered at once, or from body to body."""
    key = kms.create_key(alias="alias/a")
    for context in ({}, {"EncryptionContext": {"a": "é"}}):
        calls = Calls(kms, symmetric=7)
        assert calls.passing("Encrypt", KeyId=key.arn, Plaintext=DATA, **context) == 7
        calls.time.now += 1
        for _ in range(6):
            assert calls.send("Encrypt", KeyId="alias/a", Plaintext=DATA).status == 200
        assert calls.passing("GenerateRandom", NumberOfBytes=16) == 1
        assert calls.passing("GenerateDataKey", KeyId=key.arn, KeySpec="AES_256") == 0


def test_the_hint_says_when_to_come_back(kms: kmsfast.Kms) -> None:
    calls = Calls(kms, CreateKey=0.5)
    assert calls.send("CreateKey").retry_after == 0
    calls.time.now += 0.25
    refused = calls.send("CreateKey")
    assert (refused.error, refused.retry_after) == ("ThrottlingException", 1750)
    assert len(kms.keys()) == 1
    calls.time.now += 1.75
    assert calls.send("CreateKey").status == 200


def test_types_of_keys_have_their_own(kms: kmsfast.Kms) -> None:
    calls = Calls(kms, symmetric=2, rsa=3, ecc=4, DescribeKey=5)
    rsa = kms.create_key(spec="RSA_2048", usage="ENCRYPT_DECRYPT", alias="alias/rsa")
    ecc = kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")
    key = kms.create_key()
    oaep = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256", "Plaintext": DATA}
    assert calls.passing("Encrypt", KeyId="alias/rsa", **oaep) == 3
    assert calls.passing("Encrypt", KeyId=rsa.arn, **oaep) == 0
    assert calls.passing(
        "Sign", KeyId=ecc.id, Message=DATA, SigningAlgorithm="ECDSA_SHA_256"
    ) == 4  # fmt: skip
    assert calls.passing("Encrypt", KeyId=key.id, Plaintext=DATA) == 2
    assert calls.passing("DescribeKey", KeyId=key.id) == 5


def test_accounts_of_unsigned_requests(kms: kmsfast.Kms) -> None:
    calls = Calls(kms, ListKeys=2)
    assert calls.passing("ListKeys") == 2
    assert calls.passing("ListKeys", "000000000000") == 0
    assert calls.passing("ListKeys", "111122223333") == 2


def test_a_request_that_is_refused_counts(kms: kmsfast.Kms) -> None:
    calls = Calls(kms, DescribeKey=2, symmetric=2)
    for name, members in (
        ("DescribeKey", {"KeyId": "alias/none"}),
        ("Encrypt", {"KeyId": "alias/none", "Plaintext": DATA}),
    ):
        found = [calls.send(name, **members).error for _ in range(3)]
        assert found == ["NotFoundException"] * 2 + ["ThrottlingException"]


def test_without_quotas_nothing_is_in_the_way(kms: kmsfast.Kms) -> None:
    plain = Endpoint(kms._app, service_model())
    bound = plain._targets[b"TrentService.Encrypt"]
    assert bound.operation is OPERATIONS["Encrypt"]
    assert getattr(bound.answer, "__self__", None) is bound.usual  # the method itself


class World:
    """Callers of two accounts, and a key that both may use."""

    def __init__(self, kms: kmsfast.Kms) -> None:
        self.kms = kms
        self.admin = kms.principals.create_administrator()
        kms.principals.create_user("ada")
        self.ada = kms.principals.create_access_key("ada")
        other = kms.at(account="111122223333")
        arn = "arn:aws:iam::111122223333:user/bob"
        other.principals.create_user("bob")
        kms.principals.attach_policy(arn, "use", _allow("kms:*"))
        self.bob = other.principals.create_access_key("bob")
        self.key = kms.create_key(policy=_allow("kms:*", Principal={"AWS": "*"}))


def _allow(action: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def world(kms: kmsfast.Kms) -> World:
    return World(kms)


def test_the_account_of_the_caller_pays(world: World) -> None:
    calls = Calls(world.kms, guarded=True, symmetric=4)
    use = {"KeyId": world.key.arn, "Plaintext": DATA}
    assert calls.send("Encrypt", world.admin, **use).status == 200
    assert calls.passing("Encrypt", world.ada, **use) == 3
    assert calls.passing("Encrypt", world.admin, **use) == 0
    assert calls.passing("Encrypt", world.bob, **use) == 4


def test_a_request_without_permission_counts_and_one_without_signature_does_not(
    world: World,
) -> None:
    calls = Calls(world.kms, guarded=True, CreateKey=2)
    wrong = NewAccessKey(world.ada.id, "wrong", *world.ada[2:])
    for _ in range(5):
        assert calls.send("CreateKey", wrong).error == "InvalidSignatureException"
    found = [calls.send("CreateKey", world.ada).error for _ in range(3)]
    assert found == ["AccessDeniedException"] * 2 + ["ThrottlingException"]


def test_every_operation_has_a_quota(path: Path) -> None:
    """No operation is without a family, and no family of an operation's name is of none."""
    with kmsfast.open(path, create=True) as kms:
        app, key = kms._app, kms.create_key().arn
        given = {
            "KeyId": key, "SourceKeyId": key, "DestinationKeyId": key, "KeyPairSpec": "RSA_2048",
            "ReplicaRegion": "us-east-1", "PrimaryRegion": "us-east-1",
        }  # fmt: skip
        found = {name: charges(app, name, given) for name in service_model().operations}
        assert all(charge.family in REQUESTS for each in found.values() for charge in each)
        assert all(found.values())
        names = {name for name in REQUESTS if name[0].isupper()} - {"LookupEvents"}
        assert names <= {charge.family for each in found.values() for charge in each}
        assert {name: known_charges(app, name, given) for name in found} == found
        assert names <= {*ACTIONS}


def families(app: Application, operation: str, **given: Any) -> list[tuple[Any, ...]]:
    return [
        (each.family, each.region, each.tokens, each.of)[: 4 if each.of else 3]
        for each in charges(app, operation, given)
    ]


def test_what_counts_more_than_once(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        app = kms._app
        app.deployment.serve_regions(["us-east-1", "eu-west-1"])
        assert families(app, "ReplicateKey", KeyId="k", ReplicaRegion="eu-west-1") == [
            ("ReplicateKey", None, 1), ("CreateKey", "eu-west-1", 2),
        ]  # fmt: skip
        assert families(app, "ReplicateKey", KeyId="k", ReplicaRegion="xx-made-up-1") == [
            ("ReplicateKey", None, 1)
        ]
        assert families(app, "UpdatePrimaryRegion", PrimaryRegion="eu-west-1") == [
            ("UpdatePrimaryRegion", None, 1), ("UpdatePrimaryRegion", "eu-west-1", 1),
        ]  # fmt: skip
        rsa = kms.create_key(spec="RSA_2048", usage="ENCRYPT_DECRYPT").arn
        key = kms.create_key().arn
        re_encrypt: Callable[..., Any] = lambda **given: families(app, "ReEncrypt", **given)
        assert re_encrypt(SourceKeyId=key, DestinationKeyId=key) == [("symmetric", None, 1)]
        assert re_encrypt(DestinationKeyId=rsa) == [("symmetric", None, 1), ("rsa", None, 1)]
        assert families(app, "GenerateRandom", CustomKeyStoreId="cks-1") == [
            ("symmetric", None, 1), ("custom-key-store", None, 1, "cks-1"),
        ]  # fmt: skip
        assert families(app, "Decrypt") == [("symmetric", None, 1)]
        assert families(app, "Sign", KeyId="alias/none") == [("rsa", None, 1)]
