"""The path of the AWS KMS guide with the ``aws`` command: docs/aws-cli.md, run again."""

from __future__ import annotations

import pytest
from aws_session import PAGE, Step, recorded, replay, rewritten
from foreign import environment, system
from serving import served

# What the guide's path consists of.
COMMANDS = (
    "create-key", "create-alias", "encrypt", "decrypt", "enable-key-rotation",
    "rotate-key-on-demand", "put-key-policy", "get-key-policy",
    "create-grant", "list-grants", "revoke-grant", "retire-grant", "get-parameters-for-import",
    "import-key-material", "sign", "verify", "get-public-key",
    "schedule-key-deletion", "cancel-key-deletion",
)  # fmt: skip


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """The session, run anew on a store of its own."""
    system("openssl")
    folder = tmp_path_factory.mktemp("session")
    with served(tmp_path_factory.mktemp("aws") / "store") as server:
        return replay(recorded(PAGE.read_text()), environment(server.url, folder), folder)


def test_what_was_recorded_is_what_is_printed(again: list[Step]) -> None:
    for now, then in zip(again, recorded(PAGE.read_text()), strict=True):
        assert now.shape == then.shape, now.command


def test_the_path_is_complete(again: list[Step]) -> None:
    said = "".join(step.command for step in again)
    for name in COMMANDS:
        assert f"aws kms {name} " in said
    printed = [step.output for step in again]
    assert "Verified OK\n" in printed
    assert printed.count("Lorem ipsum dolor sit amet\n") == 6


def test_a_page_is_made_of_its_steps() -> None:
    page = PAGE.read_text()
    assert rewritten(page, recorded(page)) == page


def test_shapes_tell_answers_apart() -> None:
    first = Step("$ x\n", '{"KeyId": "0987dcba-09fe-87dc-65ba-ab0987654321", "At": 1795870000.5}')
    other = Step("$ x\n", '{"KeyId": "1987dcba-09fe-87dc-65ba-ab0987654321", "At": 1795870001.0}')
    wrong = Step("$ x\n", '{"KeyId": "0987dcba-09fe-87dc-65ba-ab0987654321", "At": 1}')
    assert first.shape == other.shape != wrong.shape
