"""P-256 from Python: what goes in and comes out, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from p256_keys import KEY_ID, N, P, be, der, import_key, new_key, raw
from ring import Ring

from kmsfast.crypto import keys, p256
from kmsfast.errors import StaleHandle, StoreIntegrity, ValidationError

SIZES = [0, 1, 2, 9, 10, 31, 32, 33, 129, 1025]


def digests_of(num: int) -> Any:
    return np.frombuffer(os.urandom(32 * num), np.uint8).reshape(num, 32)


# ---- kinds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("num", SIZES)
def test_arrays_in_arrays_out(ring: Ring, p256_implementation: str, num: int) -> None:
    key, digests = new_key(ring), digests_of(num)
    signatures = p256.sign_batch(key.handle, digests, threads=2)
    assert isinstance(signatures, np.ndarray)
    assert (signatures.shape, signatures.dtype) == ((num, 64), np.uint8)
    valid = p256.verify_batch(key.public, digests, signatures, threads=2)
    assert (valid.shape, valid.dtype) == ((num,), np.bool_)
    assert valid.all()


@pytest.mark.parametrize("num", SIZES)
def test_lists_in_lists_out(ring: Ring, p256_implementation: str, num: int) -> None:
    key = new_key(ring)
    digests = [row.tobytes() for row in digests_of(num)]
    signatures = p256.sign_batch(key.handle, digests)
    assert isinstance(signatures, list)
    assert all(type(s) is bytes and s[0] == 0x30 and s[1] == len(s) - 2 for s in signatures)
    assert p256.verify_batch(key.public, digests, signatures).all()
    assert p256.verify_many([key.public] * num, digests, signatures).all()


def test_the_other_encodings(ring: Ring) -> None:
    key, digests = new_key(ring), digests_of(40)
    listed = [row.tobytes() for row in digests]
    as_der = p256.sign_batch(key.handle, digests, encoding=p256.Encoding.DER, deterministic=True)
    as_raw = p256.sign_batch(key.handle, listed, encoding=p256.Encoding.RAW, deterministic=True)
    assert isinstance(as_der, list)
    assert isinstance(as_raw, list)
    assert as_der == p256.sign_batch(key.handle, listed, deterministic=True)
    array = np.frombuffer(b"".join(as_raw), np.uint8).reshape(-1, 64)
    assert (array == p256.sign_batch(key.handle, digests, deterministic=True)).all()
    assert p256.verify_batch(key.public, listed, as_raw, encoding=p256.Encoding.RAW).all()
    assert p256.verify_batch(key.public, digests, as_der).all()
    publics = np.frombuffer(key.public * 40, np.uint8).reshape(40, 64)
    assert p256.verify_many(publics, listed, array).all()


def test_one_signature(ring: Ring, p256_implementation: str) -> None:
    key, digest = new_key(ring), os.urandom(32)
    for encoding in p256.Encoding:
        signature = p256.sign(key.handle, digest, encoding=encoding)
        assert p256.verify(key.public, digest, signature, encoding=encoding)
        assert not p256.verify(key.public, os.urandom(32), signature, encoding=encoding)
        assert not p256.verify(key.public, digest, signature[:-1], encoding=encoding)
    assert p256.sign(key.handle, digest) != p256.sign(key.handle, digest)
    fixed = [p256.sign(key.handle, digest, deterministic=True) for _ in range(2)]
    assert fixed[0] == fixed[1]


# ---- what is not valid ----------------------------------------------------------------------


def forged(r: int, s: int) -> list[tuple[str, bytes]]:
    """Signatures beside (r, s) that no strict reader takes."""
    good = der(r, s)
    body_r, body_s = good[2 : 4 + good[3]], good[4 + good[3] :]

    def sequence(content: bytes, length: bytes | None = None) -> bytes:
        return b"\x30" + (bytes([len(content)]) if length is None else length) + content

    def integer(content: bytes) -> bytes:
        return b"\x02" + bytes([len(content)]) + content

    return [
        ("empty", b""),
        ("r = 0", der(0, s)),
        ("s = 0", der(r, 0)),
        ("r = n", der(N, s)),
        ("s = n", der(r, N)),
        ("r = n + 1", der(N + 1, s)),
        ("r + n", der(r + N, s)),
        ("s + n", der(r, s + N)),
        ("r negative", sequence(integer(be(r | 1 << 255)) + body_s)),
        ("a zero before r", sequence(integer(b"\0\0" + be(r)) + body_s)),
        ("a zero before s", sequence(body_r + integer(b"\0\0" + be(s)))),
        ("a byte behind", good + b"\0"),
        ("cut short", good[:-1]),
        ("three numbers", sequence(body_r + body_s + integer(b"\1"))),
        ("a long length", sequence(body_r + body_s, b"\x81" + bytes([len(good) - 2]))),
        ("an indefinite length", sequence(body_r + body_s + b"\0\0", b"\x80")),
        ("raw in DER's place", raw(r, s)),
        ("too long to read", sequence(integer(bytes(200)), b"\x7f")),
    ]


def test_what_is_no_signature_is_not_valid(ring: Ring, p256_implementation: str) -> None:
    key, digest = new_key(ring), os.urandom(32)
    array = p256.sign_batch(key.handle, np.frombuffer(digest, np.uint8).reshape(1, 32))
    row = np.asarray(array)[0].tobytes()
    r, s = int.from_bytes(row[:32], "big"), int.from_bytes(row[32:], "big")
    bad = forged(r, s)
    for name, signature in bad:
        assert not p256.verify(key.public, digest, signature), name
    # among good ones, which they do not disturb
    good = der(r, s)
    batch = [b for _, signature in bad for b in (good, signature)]
    expected = [True, False] * len(bad)
    digests = [digest] * len(batch)
    assert p256.verify_batch(key.public, digests, batch).tolist() == expected
    assert p256.verify_many([key.public] * len(batch), digests, batch).tolist() == expected
    # a high and a low s are both good
    assert p256.verify(key.public, digest, der(r, N - s))


def test_digests_of_zero_and_of_multiples_of_n(ring: Ring, p256_implementation: str) -> None:
    key = new_key(ring)
    digests = [bytes(32), be(N), be(N + 1), be(N - 1), b"\xff" * 32] * 8
    signatures = p256.sign_batch(key.handle, digests)
    assert p256.verify_batch(key.public, digests, signatures).all()
    assert p256.verify_many([key.public] * 40, digests, signatures).all()
    assert p256.verify(key.public, bytes(32), signatures[1])  # n is 0 modulo n


def test_public_keys_that_are_no_points(ring: Ring) -> None:
    key, digest = new_key(ring), os.urandom(32)
    signature = p256.sign(key.handle, digest)
    x, y = key.public[:32], key.public[32:]
    bad = [
        bytes(64),
        x + be(int.from_bytes(y, "big") ^ 1),
        be(P) + y,
        x + be(P),
        b"\xff" * 64,
        y + x,
    ]
    for public in bad:
        for use in (
            lambda q: p256.ecdh(key.handle, q),
            lambda q: p256.verify(q, digest, signature),
            lambda q: p256.verify_batch(q, [digest], [signature]),
        ):
            with pytest.raises(ValidationError, match="not a point of P-256"):
                use(public)
        assert p256.verify_many([public, key.public], [digest] * 2, [signature] * 2).tolist() == [
            False,
            True,
        ]
    assert p256.verify(key.public, digest, signature)


# ---- arguments ------------------------------------------------------------------------------


def test_digests_of_another_length(ring: Ring) -> None:
    key = new_key(ring)
    with pytest.raises(ValidationError, match="a digest has 32 bytes, not 31 bytes"):
        p256.sign(key.handle, bytes(31))
    with pytest.raises(ValidationError, match=r"digests\[1\] has 33 bytes; a digest has 32"):
        p256.sign_batch(key.handle, [bytes(32), bytes(33)])
    with pytest.raises(ValidationError, match="digests of 20 bytes"):
        p256.sign_batch(key.handle, np.zeros((3, 20), np.uint8))
    with pytest.raises(ValidationError, match=r"digests\[1\] is None"):
        p256.sign_batch(key.handle, [bytes(32), None])  # type: ignore[list-item]
    with pytest.raises(ValidationError, match=r"digests\[0\] is str"):
        p256.sign_batch(key.handle, ["0" * 32])  # type: ignore[list-item]
    with pytest.raises(ValidationError, match="two dimensions"):
        p256.sign_batch(key.handle, np.zeros(32, np.uint8))
    with pytest.raises(ValidationError, match="uint8"):
        p256.sign_batch(key.handle, np.zeros((2, 32), np.int8))  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="threads must be between"):
        p256.sign_batch(key.handle, [bytes(32)], threads=0)


def test_numbers_that_do_not_agree(ring: Ring) -> None:
    key = new_key(ring)
    with pytest.raises(ValidationError, match="2 signatures for 1 digests"):
        p256.verify_batch(key.public, [bytes(32)], [bytes(70)] * 2)
    with pytest.raises(ValidationError, match="1 public keys for 2 digests"):
        p256.verify_many([key.public], [bytes(32)] * 2, [bytes(70)] * 2)
    with pytest.raises(ValidationError, match=r"publics\[0\] has 64 bytes, not 63"):
        p256.verify_many([key.public[1:]], [bytes(32)], [bytes(70)])
    with pytest.raises(ValidationError, match="has 64 bytes, not 65"):
        p256.verify(b"\x04" + key.public, bytes(32), bytes(70))
    wide = p256.verify_batch(key.public, [bytes(32)], np.zeros((1, 65), np.uint8))
    assert wide.tolist() == [False]


# ---- keys -----------------------------------------------------------------------------------


def test_generated_keys(ring: Ring, p256_implementation: str) -> None:
    wrapped, public = p256.generate(ring.store, KEY_ID, 3, 0)
    assert (len(wrapped), len(public)) == (72, 64)
    handle, again = p256.load(ring.store, wrapped, KEY_ID, 3, 0)
    assert again == public
    assert p256.generate(ring.store, KEY_ID, 3, 0)[1] != public
    for key_id, version, flags in [(bytes(16), 3, 0), (KEY_ID, 4, 0), (KEY_ID, 3, 1)]:
        with pytest.raises(StoreIntegrity):
            p256.load(ring.store, wrapped, key_id, version, flags)
    with pytest.raises(StoreIntegrity):
        p256.load(ring.store, wrapped[:-1], KEY_ID, 3, 0)
    with pytest.raises(StoreIntegrity):
        p256.load(ring.store, ring.store.generate_material(KEY_ID, 3, 0), KEY_ID, 3, 0)
    keys.release(handle)
    for use in (
        lambda: p256.sign(handle, bytes(32)),
        lambda: p256.sign_batch(handle, [bytes(32)]),
        lambda: p256.ecdh(handle, public),
    ):
        with pytest.raises(StaleHandle):
            use()


@pytest.mark.parametrize("scalar", [0, N, N + 1, 2**256 - 1])
def test_scalars_out_of_range(ring: Ring, scalar: int) -> None:
    with pytest.raises(ValidationError, match="between 1 and n - 1"):
        p256.import_private(ring.store, be(scalar), KEY_ID, 1, 0)


def test_scalars_of_another_length(ring: Ring) -> None:
    with pytest.raises(ValidationError, match="has 32 bytes, not 31"):
        p256.import_private(ring.store, bytes(31), KEY_ID, 1, 0)


@pytest.mark.parametrize("scalar", [1, 2, N - 1, N - 2, 2**255, (N + 1) // 2])
def test_scalars_at_the_edges(ring: Ring, p256_implementation: str, scalar: int) -> None:
    key = import_key(ring, scalar)
    digests = digests_of(40)
    assert p256.verify_batch(key.public, digests, p256.sign_batch(key.handle, digests)).all()


# ---- implementations ------------------------------------------------------------------------


def test_the_environment_names_the_implementation() -> None:
    program = "from kmsfast.crypto import p256; print(p256.implementation())"

    def run(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "KMSFAST_P256_IMPL": name},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("portable").stdout == "portable\n"
    done = run("none such")
    assert done.returncode != 0
    assert "KMSFAST_P256_IMPL='none such' names no implementation" in done.stderr


def test_an_implementation_that_is_not_there() -> None:
    with pytest.raises(ValidationError, match="'none such' of P-256 cannot run"):
        p256.force("none such")
    assert p256.implementation() in p256.implementations()
    assert p256.implementations()[-1] == "portable"
