"""Answers and errors as the protocol has them."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime

import pytest
from api import service_model

from kmsfast.errors import InvalidCiphertext, InvalidState, KeyNotFound, KmsError, StoreBusy
from kmsfast.wire import answers
from kmsfast.wire.credentials import NOBODY, Credential, credential_of, scope_of
from kmsfast.wire.faults import fault_of
from kmsfast.wire.refusals import RequestTooLarge, UnknownOperation

HEADER = "AWS4-HMAC-SHA256 Credential={}, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64


def test_members_that_are_none_are_left_out_and_unknown_ones_are_a_mistake() -> None:
    write = answers.structure({"A": answers.text, "B": answers.number})
    assert write({"B": 1, "A": None}) == '{"B":1}'
    with pytest.raises(KeyError):
        write({"C": 1})


@pytest.mark.parametrize(
    "text", ["", "a", 'quote " and \\', "\n\t\x00\x1f", "\u2603\U0001f511", "\ud800"]
)
def test_text_is_ascii_json(text: str) -> None:
    written = answers.text(text)
    assert written.isascii()
    assert json.loads(written) == text


def test_times_have_milliseconds() -> None:
    assert answers.moment(datetime(2026, 1, 1, microsecond=123_456, tzinfo=UTC)) == "1767225600.123"


def test_maps_and_lists() -> None:
    write = answers.map_of(answers.list_of(answers.flag))
    assert json.loads(write({'a"': [True, False], "b": []})) == {'a"': [True, False], "b": []}


def test_an_operation_without_output_answers_nothing() -> None:
    assert service_model().operations["EnableKey"].write({}) == b""


@pytest.mark.parametrize(
    ("error", "code", "status", "message"),
    [
        (KeyNotFound("Key 'x' does not exist", hint="it was deleted"), "NotFoundException", 400,
         "Key 'x' does not exist"),
        (InvalidState("x is pending deletion.", hint="cancel"), "KMSInvalidStateException", 400,
         "x is pending deletion."),
        (InvalidCiphertext("why it does not open"), "InvalidCiphertextException", 400, None),
        (UnknownOperation(), "UnknownOperationException", 400, None),
        (RequestTooLarge("more"), "RequestEntityTooLargeException", 413, "more"),
        (StoreBusy("/the/path"), "KMSInternalException", 500,
         "An internal error occurred; the server's log says more"),
        (KmsError("why"), "KMSInternalException", 500,
         "An internal error occurred; the server's log says more"),
        (RuntimeError("why"), "KMSInternalException", 500,
         "An internal error occurred; the server's log says more"),
    ],
)  # fmt: skip
def test_errors(error: Exception, code: str, status: int, message: str | None) -> None:
    fault = fault_of(error)
    assert (fault.code, fault.status) == (code, status)
    expected = {"__type": code} | ({} if message is None else {"message": message})
    assert json.loads(fault.body) == expected


def test_the_words_of_aws_and_the_hint_are_one_text_for_people() -> None:
    error = KeyNotFound("Key 'x' does not exist", hint="see the list")
    assert str(error) == "Key 'x' does not exist; see the list"
    assert error.message == "Key 'x' does not exist"
    assert str(KeyNotFound("x is gone.", hint="See the list")) == "x is gone. See the list"
    assert str(KeyNotFound("a")) == KeyNotFound("a").message == "a"
    unspoken = KeyNotFound(hint="see the list")
    assert (str(unspoken), unspoken.message) == ("see the list", "")
    assert pickle.loads(pickle.dumps(error)).hint == "see the list"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("AKIDEXAMPLE/20260101/us-east-1/kms/aws4_request", Credential("AKIDEXAMPLE", "us-east-1")),
        ("111122223333/20260101/eu-west-1/kms/aws4_request",
         Credential("111122223333", "eu-west-1")),
        ("AKID/20260101/us-east-1/s3/aws4_request", NOBODY),
        ("AKID/2026/us-east-1/kms/aws4_request", NOBODY),
        ("/20260101/us-east-1/kms/aws4_request", NOBODY),
        ("", NOBODY),
    ],
)  # fmt: skip
def test_credentials(scope: str, expected: Credential) -> None:
    assert credential_of(scope_of(HEADER.format(scope).encode())) == expected


def test_accounts_are_access_keys_of_12_digits() -> None:
    assert Credential("111122223333", "r").account == "111122223333"
    for other in ("11112222333", "1111222233334", "11112222333a", "AKIDEXAMPLE", ""):
        assert Credential(other, "r").account is None


@pytest.mark.parametrize(
    "header",
    ["", "Bearer Credential=AKID/20260101/us-east-1/kms/aws4_request", "Basic eDp5",
     "AWS4-HMAC-SHA256 "],
)  # fmt: skip
def test_other_headers_name_nobody(header: str) -> None:
    assert credential_of(scope_of(header.encode())) == NOBODY
