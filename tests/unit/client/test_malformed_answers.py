"""Whatever a server answers, it is an answer or a ProtocolError, of the call that asked alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_servers import answers, fake
from socket_line import frame

import kmsfast
from kmsfast import KmsError, ProtocolError
from kmsfast.client.asking import Gathered
from kmsfast.client.calls import Answer
from kmsfast.client.columns import Results

ARN = "arn:aws:kms:us-east-1:000000000000:key/k"
ROWS = np.zeros((3, 4), np.uint8)
KEY = {"Arn": ARN, "KeyId": "k", "SigningAlgorithms": ["ECDSA_SHA_256"]}

MALFORMED: dict[str, tuple[Callable[[Any, Any], Any], list[Any]]] = {
    "a batch": (
        lambda _, key: key.encrypt_batch([b"a", b"b"]),
        [
            b"", None, [], [[2, 97, bytes(194)]], [None, None], [[2, 97, bytes(193)], None],
            [[3, 97, bytes(291)], None], [[2, bytes(7), b""], None], [[2, b"x" * 8, b""], None],
            [[2, -1, b""], None], [[2, 97, "text"], None], [[2, 97, None], None],
            [[2, None, b""], None],
            [["2", 97, bytes(194)], None], [[2, 97, bytes(194)], [5]],
            [[2, 97, bytes(194)], [[2, "X", False, "index"]]],
            [[2, 97, bytes(194)], [[-1, "X", False, "index"]]],
            [[2, 97, bytes(194)], [[0, 1, False, "code"]]], [[2, 97, bytes(194)], "errors"],
            [[2, 1 << 40, b""], None], {"a": 1},
        ],
    ),
    "rows of several lengths": (
        lambda kms, _: kms.decrypt_batch(np.zeros((2, 100), np.uint8)),
        [[[2, b"\1\0\0\0\2\0\0\0", b"abb"], None]],
    ),
    "truths": (
        lambda _, key: key.verify_mac_batch([b"a", b"b"], [b"c", b"d"]),
        [[b"\1", None], [b"\1\1\1", None], [None, None], ["ab", None], [[1, 1], None]],
    ),
    "one": (lambda _, key: key.encrypt(b"x"), [None, 1, "text", [b"x"], {}]),
    "a data key": (lambda _, key: key.generate_data_key(), [None, b"x", [b"x"], [b"x", 1]]),
    "a truth": (lambda _, key: key.verify_mac(b"x", b"y"), [None, 1, b"\1", "true"]),
    "members": (
        lambda _, key: key.describe(),
        [None, b"x", {}, {"KeyMetadata": None}, {"KeyMetadata": {}}, {"KeyMetadata": KEY}],
    ),
    "a listing": (lambda kms, _: kms.keys(), [{}, {"Keys": 1}, {"Keys": [{}]}, {"Keys": [1]}]),
    "a key": (lambda kms, _: kms.create_key(), [{}, {"KeyMetadata": {"Arn": 5}}]),
    "tags": (lambda _, key: key.get_tags(), [{"Tags": [1]}, {"Tags": [{"TagKey": "a"}]}]),
    "a time": (
        lambda _, key: key.get_parameters_for_import(),
        [{"ParametersValidTo": "noon"}, {"ParametersValidTo": 1e300}, {"ParametersValidTo": 5}],
    ),
    "a public key": (lambda _, key: key.public_key_pem(), [{"PublicKey": "x"}]),
}  # fmt: skip
CASES = [(name, body) for name, (_, bodies) in MALFORMED.items() for body in bodies]


def test_both_clients_say_that_it_is_no_answer(tmp_path: Path) -> None:
    bodies: list[Any] = []
    last = answers(lambda request: [request[0], 0, bodies[-1]])

    def waited() -> None:
        with kmsfast.connect(tmp_path / "s") as kms:
            for name, body in CASES:
                bodies.append(body)
                with pytest.raises(ProtocolError):
                    MALFORMED[name][0](kms, kms._key(ARN))

    async def asked() -> None:
        async with await kmsfast.connect_async(tmp_path / "t") as kms:
            link = kms._client._link
            for name, body in CASES:
                bodies.append(body)
                with pytest.raises(ProtocolError):
                    await MALFORMED[name][0](kms, kms._key(ARN))
            assert kms._client._link is link

    with fake(tmp_path / "s", last):
        waited()
    with fake(tmp_path / "t", last):
        asyncio.run(asked())


def test_other_tasks_do_not_notice(tmp_path: Path) -> None:
    """Answers come together, after all was asked; one of them is malformed."""
    waiting: list[list[Any]] = []

    def reply(request: list[Any]) -> bytes:
        waiting.append(request)
        if len(waiting) < 3:
            return b""
        return b"".join(
            frame(number, 0, [[1, 97, bytes(97 if operation != 34 else 5)], None])
            for number, operation, *_ in waiting
        )

    async def asked() -> list[Any]:
        async with await kmsfast.connect_async(tmp_path / "s") as kms:
            key = kms._key(ARN)
            return await asyncio.gather(
                key.encrypt_batch([b"a"]), kms.decrypt_batch([bytes(97)]),
                key.encrypt_batch([b"c"]), return_exceptions=True,
            )  # fmt: skip

    with fake(tmp_path / "s", answers(reply)):
        first, second, third = asyncio.run(asked())
    assert first == third == [bytes(97)]
    assert isinstance(second, ProtocolError)


def test_states_that_are_not_known_yet_say_what_to_do(tmp_path: Path) -> None:
    newer = {
        **KEY, "KeyState": "Frozen", "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT",
        "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "Description": "", "MultiRegion": False,
        "CreationDate": 5,
    }  # fmt: skip
    with (
        fake(tmp_path / "s", answers(lambda request: [request[0], 0, {"KeyMetadata": newer}])),
        kmsfast.connect(tmp_path / "s") as kms,
        pytest.raises(KmsError, match=r"Frozen.*update the client"),
    ):
        kms._key(ARN).describe()


def test_errors_of_an_answer_before_a_retry_are_forgotten() -> None:
    gathered = Gathered(Results(2), {})
    failing = [[2, b"\x01\0\0\0\xff\xff\xff\xff", b"a"], [[1, "KMSInternalException", True, ""]]]
    gathered.take(0, 2, Answer(failing))
    gathered.take(0, 2, Answer([[2, 1, b"ab"], None]))
    assert not gathered.failed
    rows = gathered.results.rows()
    assert rows is not None
    assert rows.tobytes() == b"ab"
