"""Targets, credentials and hosts."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from api import Api

from kmsfast.errors import StoreUnusable
from kmsfast.operations import OPERATIONS, Operation
from kmsfast.server.endpoint import Reply, Request


def authorization(access_key: str, region: str) -> str:
    scope = f"{access_key}/20260101/{region}/kms/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"


def get(api: Api, path: str, *, method: str = "GET", host: bytes = b"localhost") -> Reply:
    reply = api.endpoint.answer(Request(method=method, path=path, host=host))
    return reply if isinstance(reply, Reply) else reply()


@pytest.mark.parametrize(
    "target", ["", "TrentService", "TrentService.", "TrentService.NoSuch", "Other.ListKeys",
               "trentservice.ListKeys", "TrentService.ListKeys "],
)  # fmt: skip
def test_targets_that_are_no_operation(api: Api, target: str) -> None:
    assert api.send(b"{}", target) == Reply(
        400, b'{"__type":"UnknownOperationException"}', "UnknownOperationException"
    )


def test_operations_that_are_not_offered_say_why(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a service model that is newer than the release."""
    monkeypatch.setattr("kmsfast.server.endpoint.OPERATIONS", {})
    assert Api(api.app).refused("GetKeyLastUsage", KeyId="x") == (
        "UnsupportedOperationException",
        "GetKeyLastUsage is not supported by this release: AWS has added it since",
    )


def arns(api: Api, access_key: str, region: str) -> list[str]:
    reply = api.send(b"{}", "TrentService.ListKeys", authorization(access_key, region))
    assert reply.status == 200, reply.body
    return [key["KeyArn"] for key in json.loads(reply.body)["Keys"]]


def test_an_access_key_of_12_digits_is_an_account(api: Api) -> None:
    ours = api.create_key()["Arn"]
    for _ in range(2):
        assert arns(api, "AKIDEXAMPLE", "us-east-1") == arns(api, "0" * 12, "us-east-1") == [ours]
        assert arns(api, "111122223333", "us-east-1") == []
    theirs = api.send(b"{}", "TrentService.CreateKey", authorization("111122223333", "us-east-1"))
    (arn,) = arns(api, "111122223333", "us-east-1")
    assert arn.startswith("arn:aws:kms:us-east-1:111122223333:key/")
    assert json.loads(theirs.body)["KeyMetadata"]["AWSAccountId"] == "111122223333"
    assert arns(api, "AKIDEXAMPLE", "us-east-1") == [ours]
    assert api.refused("DescribeKey", KeyId=arn) == (
        "NotFoundException",
        f"Key '{arn}' does not exist",
    )


def test_there_are_not_more_accounts_than_fit(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmsfast.server.endpoint._MOST_HOMES", 3)
    replies = [
        api.send(b"{}", "TrentService.ListKeys", authorization(f"{i:012}", "us-east-1"))
        for i in range(5)
    ]
    assert [reply.error for reply in replies] == ["", "", "", *["UnrecognizedClientException"] * 2]
    assert arns(api, "0" * 12, "us-east-1") == []


def test_the_credential_names_the_region(api: Api) -> None:
    api.app.deployment.serve_regions(["us-east-1", "eu-west-1"])
    two = Api(api.app)
    made = two.send(b"{}", "TrentService.CreateKey", authorization("AKID", "eu-west-1"))
    arn = json.loads(made.body)["KeyMetadata"]["Arn"]
    assert arn.startswith("arn:aws:kms:eu-west-1:000000000000:")
    assert (arns(two, "AKID", "eu-west-1"), arns(two, "AKID", "us-east-1")) == ([arn], [])
    assert two.refused("DescribeKey", KeyId=arn) == ("NotFoundException", "Invalid arn eu-west-1")
    reply = two.send(b"{}", "TrentService.ListKeys", authorization("AKID", "eu-west-2"))
    assert "This server serves eu-west-1, us-east-1." in json.loads(reply.body)["message"]


def test_another_region_is_not_served(api: Api) -> None:
    for _ in range(2):
        reply = api.send(b"{}", "TrentService.ListKeys", authorization("AKID", "eu-west-1"))
        assert (reply.status, reply.error) == (400, "InvalidSignatureException")
        assert json.loads(reply.body)["message"] == (
            "Credential should be scoped to a valid region, not 'eu-west-1'. This server serves "
            "us-east-1."
        )


def test_many_credentials_do_not_pile_up(api: Api) -> None:
    for i in range(3000):
        header = authorization(f"AKID{i}", "us-east-1")
        assert api.send(b"{}", "TrentService.GenerateRandom", header).error == "ValidationException"
    get(api, "/healthz", host=b"x" * 10_000)
    api.send(b"{}", "TrentService.ListKeys", authorization("A" * 10_000, "us-east-1"))
    assert len(api.endpoint._scopes) <= 1024
    assert max(map(len, [*api.endpoint._scopes, *api.endpoint._hosts])) <= 256


def test_health(api: Api) -> None:
    assert get(api, "/healthz") == Reply(200, b'{"status":"ok"}')
    assert get(api, "/readyz") == Reply(200, b'{"status":"ready"}')
    for method, path in (("GET", "/"), ("POST", "/x"), ("PUT", "/"), ("OPTIONS", "/"),
                         ("POST", "/healthz"), ("GET", "/readyz/")):  # fmt: skip
        assert get(api, path, method=method).status == 404
    api.app.close()
    assert get(api, "/healthz").status == 200
    ready = get(api, "/readyz")
    assert (ready.status, ready.error) in {(500, "KMSInternalException"), (503, "")}


@pytest.mark.parametrize(
    ("host", "served"),
    [
        (b"localhost", True), (b"localhost:4599", True), (b"LOCALHOST:1", True),
        (b"kms.localhost:1", True), (b"127.0.0.1", True), (b"127.8.8.8:80", True),
        (b"[::1]:80", True), (b"", True), (b"example.com", False), (b"10.0.0.1:80", False),
        (b"127.0.0.1.example.com", False), (b"localhost.example.com", False),
        (b"[::2]:80", False), (b"127.0.0", False), (b"notlocalhost", False),
        (b"[::1]", True), (b"localhost.:80", True), (b"[::1]evil.com", False),
        (b"[::1].evil.com:80", False), (b"[::1", False), (b"localhost:80.evil.com", False),
        (b"localhost:evil.com", False), (b"localhost:80:80", False), (b"localhost\n", False),
        (b"evil.com/.localhost", False), (b"evil@127.0.0.1", False), (b"127.0.0.\xb2", False),
    ],
)  # fmt: skip
def test_a_name_of_another_machine_is_refused(api: Api, host: bytes, served: bool) -> None:
    for _ in range(2):
        assert get(api, "/healthz", host=host).status == (200 if served else 403)


def test_an_unexpected_error_is_answered_and_logged(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("of the program")

    for operation in (Operation(broken), Operation(broken, broken)):
        monkeypatch.setitem(OPERATIONS, "GenerateRandom", operation)  # type: ignore[arg-type]
        broken_api = Api(api.app)
        with caplog.at_level(logging.ERROR):
            code, message = broken_api.refused("GenerateRandom", NumberOfBytes=1)
        assert (code, message) == (
            "KMSInternalException", "An internal error occurred; the server's log says more",
        )  # fmt: skip
        assert "request test failed" in caplog.text
        assert "of the program" in caplog.text
        caplog.clear()


def test_an_error_that_says_what_to_do_is_logged_in_one_line(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> Any:
        raise StoreUnusable("store.db: the disk is full; free some space")

    monkeypatch.setitem(OPERATIONS, "GenerateRandom", Operation(full))
    with caplog.at_level(logging.ERROR):
        code, _ = Api(api.app).refused("GenerateRandom", NumberOfBytes=1)
    assert code == "KMSInternalException"
    assert "request test failed: store.db: the disk is full; free some space" in caplog.text
    assert "Traceback" not in caplog.text


def test_reprs_show_no_plaintext() -> None:
    reply = Reply(200, b'{"Plaintext":"c2VjcmV0"}')
    assert repr(reply) == f"{reply}" == "Reply(status=200, error='')"
    made = repr(Request(method="POST", body=b"secret", authorization=b"signature"))
    assert "POST" in made
    assert "secret" not in made
    assert "signature" not in made
