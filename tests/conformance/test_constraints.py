"""Each constraint of AWS's service model, violated once, in each operation of the model.

The cases are made from the model (constraint_cases.py), also for operations that are not offered:
a request is checked before that is said. Whatever is refused must have changed nothing, which is
seen in the rows of the store.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from api import Api
from botocore_model import kms_model
from constraint_cases import KEY_ID, cases

from kmsfast import app


@dataclass
class Deployment:
    """A store with one key, and the API on it."""

    api: Api
    folder: Path
    key: str

    def rows(self) -> list[str]:
        """All that the store has, as SQL."""
        address = f"file:{self.folder / 'store.db'}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as database:
            return list(database.iterdump())

    def named(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with the key's id where one is wanted."""
        return {name: self.key if value == KEY_ID else value for name, value in request.items()}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("conformance") / "store"
    running = app.start(folder, create=True)
    made = Api(running)
    yield Deployment(made, folder, made.create_key()["KeyId"])
    running.close()


@pytest.fixture
def api(deployment: Deployment) -> Api:
    return deployment.api


@pytest.mark.parametrize("operation", sorted(kms_model()["operations"]))
def test_each_constraint_violated_once(deployment: Deployment, operation: str) -> None:
    before = deployment.rows()
    found = list(cases(operation))
    # At least: one member, of the wrong type in three ways.
    assert len(found) >= 3
    for case in found:
        answer = deployment.api.refused(operation, **deployment.named(case.request))
        assert answer == (case.code, case.message), case.what
    assert deployment.rows() == before


def test_changes_would_be_seen(deployment: Deployment) -> None:
    before = deployment.rows()
    deployment.api("UpdateKeyDescription", KeyId=deployment.key, Description="seen")
    assert deployment.rows() != before


def test_there_are_as_many_cases_as_the_model_has_constraints() -> None:
    """So that an empty list of cases is noticed."""
    assert sum(len(list(cases(operation))) for operation in kms_model()["operations"]) > 1500


def test_several_failures_are_reported_together(api: Api) -> None:
    assert api.refused("Encrypt", KeyId="", Plaintext=b"", GrantTokens=[""]) == (
        "ValidationException",
        (
            "3 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1; Value at 'plaintext' failed to "
            "satisfy constraint: Member must have length greater than or equal to 1; Value '[]' at "
            "'grantTokens' failed to satisfy constraint: Member must satisfy constraint: [Member "
            "must have length less than or equal to 8192, Member must have length greater than or "
            "equal to 1, Member must not be null]"
        ),
    )


def test_unknown_members_are_as_if_they_were_not_there(api: Api) -> None:
    api("GenerateRandom", NumberOfBytes=1, Nonsense={"a": [1]})


def test_nothing_secret_is_repeated(api: Api) -> None:
    secret = base64.b64encode(b"top secret" * 1000).decode()
    for body in (
        {"KeyId": "x", "Plaintext": secret},
        {"KeyId": "x", "Plaintext": secret + "!"},
        {"KeyId": ["x"], "Plaintext": secret},
    ):
        text = json.dumps(body).encode()
        for cut in (text, text[:-1], text + b"}", text.replace(b'"KeyId"', b'"Plaintext"')):
            reply = api.send(cut, "TrentService.Encrypt")
            assert reply.status == 400
            assert b"dG9w" not in reply.body
            assert b"top secret" not in reply.body
