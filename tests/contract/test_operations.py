"""Each operation of AWS KMS through each door: the same answers, and the same errors.

All doors are on one store at the same time: HTTP and the socket in one server, boto3 on both, and
Python's objects in this process and behind the socket. What boto3 gets over HTTP is what the others
are compared with. What is new each time (ids, times, ciphertexts) is compared by its form.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
from aws_clients import client_of
from aws_over_socket import client_over
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore_model import kms_model
from constraint_cases import needed, request_of
from contract_doors import Awaited
from every_operation import CALLS, ELSEWHERE, MESSAGE
from external_stores import configure
from named_methods import METHODS, NamedMethods
from refused_operations import BY_ALIAS, BY_API_ALONE, CASES
from serving import served
from xks_proxy import running

import kmsfast
from kmsfast.operations import MISSING, OPERATIONS, WITHOUT_METHOD

WIRES = ("HTTP", "socket by name")
OBJECTS = ("in-process", "socket", "socket, async")
Doors = Mapping[str, Any]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Clients of boto3's names for one store, by door."""
    store = tmp_path_factory.mktemp("operations") / "store"
    store.mkdir(mode=0o700)
    path = store.parent / "socket"
    with ExitStack() as stack:
        configure(store / "key-stores.toml", stack.enter_context(running()))
        regions = ("--regions", f"us-east-1,{ELSEWHERE}")
        server = stack.enter_context(served(store, *regions, "--socket", str(path)))
        unchecked = {"parameter_validation": False}  # so that the server does it
        runner = stack.enter_context(asyncio.Runner())
        awaited = runner.run(kmsfast.connect_async(path))
        yield {
            "HTTP": client_of(server.url, config=unchecked),
            "socket by name": stack.enter_context(client_over(path, config=unchecked)),
            "in-process": NamedMethods(stack.enter_context(kmsfast.open(store))),
            "socket": NamedMethods(stack.enter_context(kmsfast.connect(path))),
            "socket, async": NamedMethods(Awaited(runner, awaited)),
        }
        runner.run(awaited.close())


# ---- answers ------------------------------------------------------------------------------------

FORMS = (
    (re.compile(r"(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"), "<id>"),
    (re.compile(r"cks-[0-9a-f]{17}"), "<key store>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<64 digits>"),
    (re.compile(r"[A-Za-z0-9+/=_-]{80,}"), "<token>"),
)
VARIABLE = {"Signature", "PrivateKeyPlaintext", "PrivateKeyCiphertextBlob", "ImportToken"}


def form(value: Any, name: str = "") -> Any:
    """A value without what is new each time."""
    if isinstance(value, Mapping):
        return {each: form(value[each], each) for each in value if each != "ResponseMetadata"}
    if isinstance(value, list):
        return sorted((form(each, name) for each in value), key=repr)
    if value == MESSAGE:
        return value
    if name == "NextMarker":
        return "<token>"
    if isinstance(value, bytes):
        return "<bytes>" if name in VARIABLE else f"<{len(value)} bytes>"
    if isinstance(value, datetime):
        return "<time>"
    if isinstance(value, str):
        for pattern, shown in FORMS:
            value = pattern.sub(shown, value)
    return value


def agrees(found: Any, expected: Any) -> bool:
    """Whether what objects tell is so in the answer of the API, which has more.

    A key is named by its ARN or by its id: which one is not compared.
    """
    if isinstance(found, dict):
        return all(name in expected and agrees(found[name], expected[name]) for name in found)
    if isinstance(found, list):
        return len(found) == len(expected) and all(map(agrees, found, expected))
    return bool(_bare(found) == _bare(expected))


def _bare(value: Any) -> Any:
    return value.rpartition(":key/")[2] if isinstance(value, str) else value


def test_every_operation_is_in_the_table() -> None:
    """Called here, or named as not offered, with the reason."""
    names = set(kms_model()["operations"])
    assert set(CALLS) | set(MISSING) == set(OPERATIONS) | set(MISSING) == names
    assert set(METHODS) | set(WITHOUT_METHOD) | set(MISSING) == names
    assert not set(METHODS) & set(WITHOUT_METHOD)
    assert all(WITHOUT_METHOD.values())
    assert {operation for operation, _, _ in CASES} >= set(OPERATIONS) - CANNOT_FAIL


# Operations that any request of a right form succeeds with.
CANNOT_FAIL = {"DescribeCustomKeyStores"}


@pytest.fixture(scope="module")
def expected(doors: Doors) -> Callable[[str], Any]:
    """What HTTP answers to an operation."""
    kept: dict[str, Any] = {}

    def answer(operation: str) -> Any:
        if operation not in kept:
            kept[operation] = form(CALLS[operation](doors["HTTP"]))
        return kept[operation]

    return answer


LISTS = {"ListKeys"}  # of which boto3 asks for one, and objects give all


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_over_http_an_answer_has_the_members_of_the_model(
    expected: Callable[[str], Any], operation: str
) -> None:
    shape = kms_model()["operations"][operation].get("output")
    known = set(kms_model()["shapes"][shape["shape"]]["members"]) if shape else set()
    given = set(expected(operation))
    assert given <= known
    assert bool(given) == bool(known)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_the_socket_answers_the_same(
    doors: Doors, expected: Callable[[str], Any], operation: str
) -> None:
    expected(operation)
    assert form(CALLS[operation](doors["socket by name"])) == expected(operation)


@pytest.mark.parametrize("door", OBJECTS)
@pytest.mark.parametrize("operation", sorted(METHODS))
def test_objects_tell_the_same(
    doors: Doors, expected: Callable[[str], Any], operation: str, door: str
) -> None:
    found = form(CALLS[operation](doors[door]))
    if operation in LISTS:
        found = {name: values[:1] for name, values in found.items()}
    assert agrees(found, expected(operation)), (found, expected(operation))
    assert bool(found) or not set(expected(operation)) - {"KeyId", "KeyMaterialId"}


@pytest.mark.parametrize("operation", sorted(MISSING))
def test_what_is_not_offered_says_why(doors: Doors, operation: str) -> None:
    for door in WIRES:
        with pytest.raises(ClientError) as caught:
            getattr(doors[door], xform_name(operation))(**needed(request_of(operation)))
        message = f"{operation} is not supported by this release: {MISSING[operation]}"
        assert caught.value.response["Error"] == {
            "Code": "UnsupportedOperationException", "Message": message,
        }  # fmt: skip


# ---- errors -------------------------------------------------------------------------------------


def error(client: Any, operation: str, given: dict[str, Any]) -> tuple[str, str]:
    """Code and message of the error."""
    try:
        found = getattr(client, xform_name(operation))(**given)
    except ClientError as refused:
        said = refused.response["Error"]
        return said["Code"], form(said["Message"])
    except kmsfast.KmsError as refused:
        return refused.code, form(str(refused))
    raise AssertionError(f"{operation} answers {found}")


@pytest.mark.parametrize(("operation", "what"), [case[:2] for case in CASES])
def test_errors_are_the_same(doors: Doors, operation: str, what: str) -> None:
    wrong = next(case[2] for case in CASES if case[:2] == (operation, what))
    found = {door: error(doors[door], operation, wrong(doors[door])) for door in WIRES}
    assert found["socket by name"] == found["HTTP"]
    if operation in WITHOUT_METHOD or (operation, what) in BY_API_ALONE:
        return
    code, message = found["HTTP"]
    told = {door: error(doors[door], operation, wrong(doors[door])) for door in OBJECTS}
    assert {each for each, _ in told.values()} == {code}, told
    assert told["socket"] == told["socket, async"]
    if what == BY_ALIAS or message.startswith("1 validation error detected"):
        return  # objects take aliases everywhere, and have words of their own for parameters
    if message:
        # In this process errors say more: which value, what to do.
        assert told["in-process"][1].startswith(message.rstrip("."))
        assert told["socket"][1] == message
    else:
        assert " " in told["in-process"][1]
        assert " " in told["socket"][1]
