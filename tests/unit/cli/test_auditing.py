"""``kmsfast audit`` on a log that the test wrote."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import scripts
from audit_logs import ARN, event
from cli_runner import Cli

import kmsfast
from kmsfast.audit.frames import segment_name

DAY = 86_400_000_000


def store_of(cli: Cli) -> Path:
    return cli.directory / "store"


@pytest.fixture
def log(cli: Cli) -> Cli:
    """A store whose log has five events, a day apart."""
    with kmsfast.open(store_of(cli)) as kms:
        trail = kms.audit.open()
        for number, members in enumerate(
            (
                {"name": "CreateKey", "is_read_only": False},
                {"request": {"KeyId": ARN, "EncryptionContext": {"App": "x"}}},
                {"name": "Decrypt", "error": "InvalidCiphertextException"},
                {"name": "Decrypt", "records": 1000, "failed": 2},
                {"name": "GenerateRandom", "keys": (), "request_id": "r-1"},
            )
        ):
            trail.append(event(number * DAY, **members).pack())
        trail.close()
    return cli


def names(cli: Cli, *options: str) -> list[str]:
    done = cli("audit", "search", *options)
    assert done.code == 0, done.err
    return [json.loads(line)["eventName"] for line in done.out.splitlines()]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ["CreateKey", "Encrypt", "Decrypt", "Decrypt", "GenerateRandom"]),
        (("--key", ARN), ["CreateKey", "Encrypt", "Decrypt", "Decrypt"]),
        (("--key", "1234abcd-12ab-34cd-56ef-1234567890ab", "--limit", "1"), ["Decrypt"]),
        (("--key", "other"), []),
        (("--operation", "Encrypt"), ["Encrypt"]),
        (("--errors",), ["Decrypt", "Decrypt"]),
        (("--request-id", "r-1"), ["GenerateRandom"]),
        (("--principal", "arn:aws:iam::*:user/ann", "--operation", "CreateKey"), ["CreateKey"]),
        (("--principal", "arn:aws:iam::*:user/bob"), []),
        (("--since", "1970-01-02", "--until", "1970-01-03T00:00Z"), ["Encrypt"]),
    ],
)
def test_search_takes_what_is_asked_for(
    log: Cli, options: tuple[str, ...], expected: list[str]
) -> None:
    assert names(log, *options) == expected


def test_an_event_is_a_record_of_cloudtrail(log: Cli) -> None:
    found: list[dict[str, Any]] = [
        json.loads(line) for line in log("audit", "search").out.splitlines()
    ]
    encrypt, failed, batch, random = found[1:]
    assert encrypt["requestParameters"] == {"keyId": ARN, "encryptionContext": {"App": "x"}}
    assert encrypt["resources"] == [
        {"accountId": "000000000000", "type": "AWS::KMS::Key", "ARN": ARN}
    ]
    assert encrypt["eventTime"] == "1970-01-02T00:00:00Z"
    assert encrypt["userIdentity"]["arn"].endswith("user/ann")
    assert failed["errorCode"] == "InvalidCiphertextException"
    assert batch["additionalEventData"] == {"records": 1000, "failedRecords": 2}
    assert random["requestID"] == "r-1"
    assert len({one["eventID"] for one in found}) == 5


def test_text_that_no_terminal_takes_is_printed(log: Cli) -> None:
    with kmsfast.open(store_of(log)) as kms:
        trail = kms.audit.open()
        trail.append(event(9 * DAY, request={"KeyId": "\ud800"}).pack())
        trail.close()
    done = log("audit", "search", "--limit", "1")
    assert done.code == 0, done.err
    assert json.loads(done.out)["requestParameters"] == {"keyId": "\ud800"}


def test_tail_prints_the_last_and_follows(log: Cli) -> None:
    assert len(log("audit", "tail", "-n", "2").out.splitlines()) == 2
    follower = scripts.start(
        """
        import sys
        from kmsfast.cli.main import main
        main()
        """,
        "--store", store_of(log), "audit", "tail", "-f", "-n", "1", "--operation", "Encrypt",
    )  # fmt: skip
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["eventName"] == "Encrypt"
    time.sleep(0.5)
    with kmsfast.open(store_of(log)) as kms:
        trail = kms.audit.open()
        trail.append(event(1, name="Decrypt").pack())
        trail.append(event(2, records=7).pack())
        trail.close()
    assert json.loads(follower.stdout.readline())["additionalEventData"]["records"] == 7
    follower.kill()
    follower.communicate()


def test_verify_says_what_is_wrong_and_where(log: Cli) -> None:
    done = log("audit", "verify")
    assert (done.code, "nobody has changed the log" in done.out) == (0, True)
    path = store_of(log) / "audit" / segment_name(1)
    data = bytearray(path.read_bytes())
    place = data.index(b"CreateKey")
    data[place] ^= 1
    path.write_bytes(data)
    done = log("audit", "verify")
    assert done.code == 3
    assert "CHANGED  00000001.log" in done.out
    assert "record 2: was changed" in done.out
    report = json.loads(log("audit", "verify", "--json").out)
    assert [finding["record"] for finding in report["findings"]] == [2]


def test_an_auditor_has_the_public_key(log: Cli) -> None:
    pem = log("audit", "public-key").out
    assert pem.startswith("-----BEGIN PUBLIC KEY-----")
    (log.directory / "log.pem").write_text(pem)
    assert log("audit", "verify", "--public-key", "log.pem").code == 0
    other = log("key", "create", "--spec", "ECC_NIST_P256", "--usage", "SIGN_VERIFY").out.strip()
    (log.directory / "other.pem").write_text(log("public-key", other).out)
    done = log("audit", "verify", "--public-key", "other.pem")
    assert (done.code, "does not sign" in done.out) == (3, True)


def test_restart_keeps_the_old_log(log: Cli) -> None:
    (store_of(log) / "audit" / "end").unlink()
    assert "end cannot be read" in log("audit", "verify").err
    done = log("audit", "restart")
    assert done.code == 0
    assert len(list(store_of(log).glob("audit.*/*.log"))) == 1
    assert names(log) == []


def test_without_a_log_it_is_said(cli: Cli) -> None:
    assert names(cli) == []
    done = cli("audit", "verify")
    assert done.code != 0
    assert "nothing was recorded" in done.err


def test_old_events_are_removed(log: Cli) -> None:
    with kmsfast.open(store_of(log)) as kms:
        trail = kms.audit.open()
        assert trail.begin_anew(trail.now + 1)
        trail.append(event(9 * DAY, name="Sign").pack())
        trail.close()
    directory = store_of(log) / "audit"
    os.utime(directory / segment_name(1), (1_000_000_000, 1_000_000_000))
    none = log("audit", "remove", "--before", "2001-09-01")
    assert (none.code, none.err) == (0, "")
    assert "nothing was removed: every segment of the log has events of 2001-09-01T00:00:00Z" in (
        none.out
    )
    done = log("audit", "remove", "--older-than", "52w")
    assert done.code == 0, done.err
    assert done.out.startswith("removed 1 segment with what was recorded before 20")
    assert names(log) == ["Sign"]
    shown = log("audit", "verify")
    assert shown.code == 0
    assert "note: removed at" in shown.out


@pytest.mark.parametrize("options", [(), ("--before", "2026-01-01", "--older-than", "1d")])
def test_which_events_go_must_be_said_once(log: Cli, options: tuple[str, ...]) -> None:
    done = log("audit", "remove", *options)
    assert done.code == 2
    assert "either --before or --older-than" in done.err


@pytest.mark.parametrize("age", ["90", "d", "0d", "-1d", "1y", "9999999d"])
def test_ages(log: Cli, age: str) -> None:
    done = log("audit", "remove", "--older-than", age)
    assert done.code == 2
    assert "no age" in done.err or "No such option" in done.err


def test_without_a_log_search_says_so(cli: Cli) -> None:
    for command in ("search", "tail"):
        done = cli("audit", command)
        assert (done.code, done.out) == (0, "")
        assert "there is no audit log in" in done.err
    done = cli("audit", "remove", "--older-than", "90d")
    assert done.code != 0
    assert "there is no audit log in" in done.err
