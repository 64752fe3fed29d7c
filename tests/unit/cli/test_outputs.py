"""Several outputs of one command: all of them appear or none, and JSON mixes with none."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import Cli

from kmsfast.cli.outputs import check_outputs, opened_outputs, write_each
from kmsfast.errors import ValidationError
from kmsfast.tables.output import OutputExists

PAIR = ("data-key-pair", "ECC_NIST_EDWARDS25519", "-k", "alias/orders")


@pytest.fixture
def signing(cli: Cli) -> tuple[str, ...]:
    """The options that name a signing key; `letter` is there to be signed."""
    cli.ok(
        "key", "create", "--spec", "ECC_NIST_P256", "--usage", "SIGN_VERIFY", "--alias", "alias/s"
    )
    (cli.directory / "letter").write_text("text")
    return "-k", "alias/s"


@pytest.mark.parametrize("taken", ["pub", "blob", "key"])
def test_a_pair_is_written_whole_or_not_at_all(cli: Cli, taken: str) -> None:
    (cli.directory / taken).write_text("mine")
    before = cli.names()
    usual = (*PAIR, "--public", "pub", "--blob", "blob", "--private", "key")
    assert taken in cli.refused(6, *usual)
    assert cli.names() == before
    assert (cli.directory / taken).read_text() == "mine"
    cli.ok(*usual, "--force")
    assert cli.names() == before | {"pub", "blob", "key"}


def test_two_results_never_share_a_file(cli: Cli) -> None:
    before = cli.names()
    (cli.directory / "link").symlink_to("key")
    for force in ((), ("--force",)):
        for public, blob, private in (
            ("x", "x", "y"), ("x", "y", "x"), ("x", "y", "./y"), ("x", "key", "link"),
            ("-", "-", "y"),
        ):  # fmt: skip
            options = ("--public", public, "--blob", blob, "--private", private, *force)
            assert "are the same output" in cli.refused(2, *PAIR, *options)
    assert cli.names() == before | {"link"}
    cli.ok(*PAIR, "--public", "/dev/null", "--blob", "/dev/null")


def test_parameters_are_written_whole_or_not_at_all(cli: Cli) -> None:
    key = cli.ok("key", "create", "--origin", "EXTERNAL").strip()
    (cli.directory / "token").write_text("mine")
    before = cli.names()
    usual = ("material", "parameters", key, "--wrapping-key", "RSA_2048", "--public", "public")
    cli.refused(6, *usual, "--token", "token")
    cli.refused(2, *usual, "--token", "public", "--force")
    assert "are files" in cli.refused(2, *usual, "--token", "-")
    assert cli.names() == before


def test_a_directory_is_signed_whole_or_not_at_all(cli: Cli, signing: tuple[str, ...]) -> None:
    tree, signatures = cli.directory / "tree", cli.directory / "signatures"
    tree.mkdir()
    signatures.mkdir()
    for name in "abc":
        (tree / name).write_text(name)
    (signatures / "c.sig").write_text("mine")
    cli.refused(6, "sign", "tree", *signing, "-o", "signatures")
    assert [each.name for each in signatures.iterdir()] == ["c.sig"]
    (signatures / "c.sig").unlink()
    (tree / "d").symlink_to("nothing")
    cli.refused(6, "sign", "tree", *signing, "-o", "signatures")
    assert list(signatures.iterdir()) == []


def test_what_appeared_before_another_failed_is_removed(tmp_path: Path) -> None:
    first, second, old = tmp_path / "first", tmp_path / "second", tmp_path / "old"
    with pytest.raises(OutputExists), opened_outputs([str(first), str(second)], force=False):
        first.write_text("of another process")
    assert first.read_text() == "of another process"
    assert not second.exists()
    old.mkdir()
    with pytest.raises(ValidationError, match="is a directory"):
        write_each([(second, b"x"), (old, b"y")], force=True)
    assert not second.exists()
    with pytest.raises(ValidationError, match="is a directory"):
        check_outputs([str(second), str(old)], force=True)


def test_json_and_a_result_are_not_mixed(cli: Cli, signing: tuple[str, ...]) -> None:
    cli.ok("key", "create", "--spec", "HMAC_256", "--alias", "alias/mac")
    for spec in "ab":
        cli.ok(
            "key", "create", "--spec", "ECC_NIST_P256", "--usage", "KEY_AGREEMENT",
            "--alias", f"alias/{spec}",
        )  # fmt: skip
    cli.ok("public-key", "alias/b", "-o", "b.pem")
    (cli.directory / "digests").write_text("00" * 32)
    for command in (
        ("sign", "letter", *signing), ("sign", "digests", *signing, "--batch", "hex"),
        ("mac", "letter", "-k", "alias/mac"), ("derive", "alias/a", "b.pem"),
        ("mac", "letter", "-k", "alias/mac", "--batch", "lines"), ("public-key", "alias/a"),
    ):  # fmt: skip
        said = cli.refused(2, *command, "-o", "-", "--json")
        assert "--json and --output - both write to standard output" in said
    cli.refused(2, *PAIR, "--public", "-", "--blob", "blob", "--json")
    assert "blob" not in cli.names()
