"""CSV files that are not what they seem: each refused with its line and the remedy, or kept."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_runner import Cli

import kmsfast
from kmsfast.errors import ValidationError
from kmsfast.tables import csv_text
from kmsfast.tables.csv_text import CsvFormat, decrypt_csv, describe_csv, encrypt_csv
from kmsfast.tables.report import RecordsFailed


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kmsfast.Kms]:
    with kmsfast.open(tmp_path_factory.mktemp("csv") / "store", create=True) as opened:
        opened.create_key(alias="alias/orders")
        yield opened


def sealed(kms: kmsfast.Kms, data: bytes, *columns: str, form: CsvFormat | None = None) -> bytes:
    target = io.BytesIO()
    names = columns or ("email",)
    encrypt_csv(io.BytesIO(data), target, kms.key("alias/orders"), names, form=form or CsvFormat())
    return target.getvalue()


def back(kms: kmsfast.Kms, data: bytes, form: CsvFormat | None = None) -> bytes:
    target = io.BytesIO()
    decrypt_csv(io.BytesIO(data), target, kms, form=form or CsvFormat())
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no header"),
        (b"id,email,email\n1,a,b\n", "line 1: the column name 'email' occurs twice"),
        (b"id, email\n1,a\n", "its columns are: 'id', ' email'"),
        (b"id,email\n1,a\n2,b,c\n", "line 3: a row of 3, a header of 2 fields"),
        (b'id,email\n1,"a\r\nb\nc"\n2\n', "line 5: a row of 1, a header of 2 fields"),
        (b"id,email\n1,a\n\n2,b\n", "line 3 is empty; remove it"),
        (b"email\na\n\nb\n", "line 3 is empty; remove it"),
        (b'id,email\n1,"a\n2,b\n', "line 3: the file ends within a quoted value"),
        (b'id,email\n1,"a"b\n', "line 2: text after a closing quote"),
        (b"id,email\n1,a\n2,caf\xe9\n", "line 3: byte 0xe9 is not utf-8 text"),
        ("id,email\n1,a\n".encode("utf-16"), "line 1: byte 0xff is not utf-8 text"),
    ],
)
def test_what_is_refused(kms: kmsfast.Kms, data: bytes, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        sealed(kms, data)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfid,email\r\n1,a\r\n",
        b'id,email\r\n1,"x\r\ny"\r\n2,"x\ny"\r\n',
        b"id,email\n1,a\x00b\n2,\n",
        b'id,email\n1,"say ""hi"", twice"\n',
        b"id,,email\n1,2,3\n",
        b'email\n""\na\n"a,b"\n a\n',
        b"id,email\n",
    ],
)
def test_what_comes_back_to_the_byte(kms: kmsfast.Kms, data: bytes) -> None:
    encrypted = sealed(kms, data)
    assert back(kms, encrypted) == data


@pytest.mark.parametrize(
    ("data", "same_as"),
    [
        (b"id,email\n1,a", b"id,email\n1,a\n"),
        (b"id,email\n1,a\r\n2,b\n", b"id,email\n1,a\n2,b\n"),
        (b"id,email\r1,a\r", b"id,email\n1,a\n"),
        (b'id,email\n"1","a"\n', b"id,email\n1,a\n"),
    ],
)
def test_what_comes_back_written_otherwise(kms: kmsfast.Kms, data: bytes, same_as: bytes) -> None:
    assert back(kms, sealed(kms, data)) == same_as


def test_other_encodings(kms: kmsfast.Kms) -> None:
    for name in ("latin-1", "utf-16", "cp1252"):
        data = "id,email\n1,café\n".encode(name)
        form = CsvFormat(encoding=name)
        encrypted = sealed(kms, data, form=form)
        assert back(kms, encrypted, form) == data
    encrypted = sealed(kms, "id,email\n1,café\n".encode())
    with pytest.raises(ValidationError, match="'é' cannot be written in ascii"):
        back(kms, encrypted, CsvFormat(encoding="ascii"))
    with pytest.raises(ValidationError, match="no text encoding 'klingon'"):
        sealed(kms, b"id,email\n1,a\n", form=CsvFormat(encoding="klingon"))


def test_long_values_stay_whole(kms: kmsfast.Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of any length is one row or an error, never two rows."""
    monkeypatch.setattr(csv_text, "MAX_VALUE", 1000)
    monkeypatch.setattr(csv_text, "MAX_LINE", 2000)
    whole = b"email\n" + b"x" * 1000 + b"\n"
    assert back(kms, sealed(kms, whole)) == whole
    for long, said in (
        (b"email\na\n" + b"x" * 1001 + b"\n", r"row 2, column 'email': a value of 1,001 bytes"),
        (b"email\na\n" + b"x" * 2000 + b"\n", r"line 3: more than"),
        (b'email\na\n"' + b"x\n" * 1001 + b'"\n', r"line \d+: a value of more than"),
    ):
        with pytest.raises(ValidationError, match=said):
            sealed(kms, long)


def test_blocks_are_bounded_by_characters(
    kms: kmsfast.Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_CHARS", 1000)
    data = b"id,email\n" + b"".join(b"%d,%s\n" % (i, b"x" * 300) for i in range(40))
    table = csv_text._Csv(io.BytesIO(data), CsvFormat())
    assert [len(block) for block in table.blocks()] == [4] * 10
    assert back(kms, sealed(kms, data)) == data
    with pytest.raises(ValidationError, match="line 42: a row of 1"):
        sealed(kms, data + b"40\n")


def test_what_is_encrypted_is_not_encrypted_again(kms: kmsfast.Kms) -> None:
    rows = b"".join(b"%d,c%d@example.com\n" % (i, i) for i in range(300))
    once = sealed(kms, b"id,email\n" + rows)
    with pytest.raises(ValidationError, match=r"'email' is encrypted already; 'kmsfast rewrap'"):
        sealed(kms, once)
    with pytest.raises(ValidationError, match="'email' is encrypted already"):
        sealed(kms, once, "id", "email")
    assert back(kms, sealed(kms, once, "id")) == b"id,email\n" + rows
    # A value of the user's own that looks like one among others is a value.
    mixed = once + b"1,plain\n"
    sealed(kms, mixed.replace(b"\n", b"\n0,plain\n", 1))
    sealed(kms, b"id,email\n")


def test_looking_at_the_first_rows_is_bounded(
    kms: kmsfast.Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_text, "BLOCK_CHARS", 1000)
    table = csv_text._Csv(io.BytesIO(b"email\n" + (b"x" * 300 + b"\n") * 50), CsvFormat())
    table.refuse_encrypted(["email"])
    assert len(table._first) == 4
    assert sum(map(len, table.blocks())) == 50


def test_nothing_encrypted(kms: kmsfast.Kms) -> None:
    with pytest.raises(ValidationError, match="no cell"):
        describe_csv(io.BytesIO(b"id,email\n1,a\n"))
    assert describe_csv(io.BytesIO(b"id,email\n")) == []


def test_inspecting_takes_time_by_the_size(kms: kmsfast.Kms) -> None:
    """Not by its square: 100,000 different cells, of which one column holds blobs."""
    data = b"id,email\n" + b"".join(b"%032d,a\n" % i for i in range(100_000))
    started = time.process_time()
    (facts,) = describe_csv(io.BytesIO(sealed(kms, data)))
    assert time.process_time() - started < 20
    assert (facts.name, sum(facts.records.values()), facts.not_blobs) == ("email", 100_000, 0)


def test_an_error_names_the_file_and_leaves_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(b"id,email\n1,a\n2\n")
    before = cli.names()
    said = cli.refused(2, "encrypt", "bad.csv", "-o", "x", "--columns", "email", "-k",
                       "alias/orders")  # fmt: skip
    assert said.startswith("kmsfast: bad.csv: line 3: ")
    assert cli.names() == before


def test_a_damaged_first_cell_is_not_passed_over(kms: kmsfast.Kms) -> None:
    encrypted = sealed(kms, b"id,email\n1,a\n2,b\n3,c\n", "email", "id").split(b"\n")
    encrypted[1] = encrypted[1].replace(b",9", b",8")
    with pytest.raises(RecordsFailed, match="row 1, column 'email'"):
        back(kms, b"\n".join(encrypted))
