"""Costs on the command line: the table, JSON, and charts."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from cli_runner import Cli
from clocks import Clock

from kmsfast import app
from kmsfast.audit.event import Caller, Event
from kmsfast.local import of_owner

CALLER = Caller("Root", "arn:aws:iam::000000000000:root", "000000000000")
OPERATIONS = (
    "Encrypt", "Decrypt", "DescribeKey", "ListKeys", "GenerateMac", "ListAliases", "GenerateRandom",
    "GetKeyPolicy",
)  # fmt: skip
JANUARY = ("--since", "2026-01-01", "--until", "2026-02-01")


@pytest.fixture
def used(empty: Cli) -> Cli:
    """A key that was used in January 2026."""
    clock = Clock()
    kms = of_owner(app.start(empty.directory / "store", create=True, clock=clock))
    with kms:
        key = kms.create_key(alias="alias/orders")
        recorder = kms._app.deployment.recorder()
        for day in range(31):
            for i, name in enumerate(OPERATIONS):
                recorder.record(
                    Event(int(clock() * 1e6), name, "us-east-1",
                          () if name.startswith("List") else (key.arn,), CALLER,
                          records=1000 * (8 - i) + day)
                )  # fmt: skip
            clock.forward(days=1)
    return empty


def test_what_a_person_sees(used: Cli) -> None:
    lines = used.ok("cost", *JANUARY).splitlines()
    assert lines[0] == (
        "4.2992 USD from 2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z, all regions; prices of "
        "2026-11-28"
    )
    assert lines[2].split() == [
        "MONTH", "REQUESTS", "FOR", "KEYS", "FOR", "ROTATIONS", "FOR", "REQUESTS", "TOTAL",
    ]  # fmt: skip
    # 31 days of 36,000 requests and 8 x (0 + ... + 30): 20,000 are free, the others 0.03.
    assert lines[3].split() == ["2026-01", "1119720", "1.0000", "0.0000", "3.2992", "4.2992"]
    assert lines[4].split() == ["all", *lines[3].split()[1:]]
    assert lines[7].split()[1:4] == ["us-east-1", "alias/orders", "870790"]
    assert lines[8].split()[:4] == ["no", "key", "recorded", "-"]
    assert len(lines) == 9
    assert used.ok("cost", *JANUARY, "--region", "eu-west-1").startswith("0.0000 USD")


def test_json(used: Cli) -> None:
    found = json.loads(used.ok("cost", *JANUARY, "--json"))
    assert (found["currency"], found["recorded_since"]) == ("USD", "2026-01-01T00:00:00Z")
    assert found["total"]["cost"]["keys"] == "1.00000000"
    assert found["total"]["cost"]["rotations"] == "0.00000000"
    assert found["total"]["requests"] == {"standard": 1_119_720}
    assert [each["month"] for each in found["months"]] == ["2026-01"]
    assert [each["aliases"] for each in found["keys"]] == [[], ["alias/orders"]]
    assert found["prices"]["source"].startswith("https://aws.amazon.com/")
    assert (len(found["lines"]), found["notes"]) == (2, [])


def test_charts(used: Cli) -> None:
    used.ok("cost", *JANUARY, "--chart", "january.svg")
    used.ok("cost", *JANUARY, "--chart", "january.png")
    used.ok("cost", "--since", "2026-01-03", "--until", "2026-01-05", "--chart", "hours.svg")
    used.ok("cost", "--chart", "months.svg")
    drawn = (used.directory / "january.svg").read_text()
    ET.fromstring(drawn)
    for words in ("requests per day", "Encrypt", "GenerateMac", "others", "31 Jan 2026"):
        assert f"<!-- {words} -->" in drawn or words in drawn
    assert "GetKeyPolicy" not in drawn
    assert "requests per hour" in (used.directory / "hours.svg").read_text()
    assert "requests per month" in (used.directory / "months.svg").read_text()
    png = (used.directory / "january.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">2I", png[16:24]) == (1500, 750)
    again = used("cost", *JANUARY, "--chart", "january.svg")
    assert again.code != 0
    assert "january.svg" in again.err
    used.ok("cost", *JANUARY, "--chart", "january.svg", "--force")
    assert drawn == (used.directory / "january.svg").read_text()


def test_charts_that_cannot_be(used: Cli) -> None:
    assert ".svg or .png" in used.refused(2, "cost", "--chart", "x.pdf")
    assert "no recorded requests" in used.refused(
        1, "cost", "--until", "2026-01-01T00:00", "--since", "2025-01-01", "--chart", "x.svg"
    )
    assert not (used.directory / "x.svg").exists()


def test_charts_without_the_library(used: Cli, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'matplotlib' else find(name, *more)\n"
    )
    said = used.refused(2, "cost", "--chart", "x.svg", PYTHONPATH=str(hidden))
    assert "pip install 'kmsfast[charts]'" in said


def test_a_store_without_a_log(cli: Cli) -> None:
    said = cli.ok("cost")
    assert "note: no requests were recorded, so what they would have cost is not known" in said
    year = datetime.now(UTC).year
    assert str(year) in said
