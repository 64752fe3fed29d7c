"""NIST's CAVP files for ECDSA and ECDH, and those of RFC 6979, for P-256 (SOURCES)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
import pytest
from p256_keys import KEY_ID, N, be, import_key, raw
from ring import Ring

from kmsfast.crypto import p256
from kmsfast.errors import ValidationError

FOLDER = files("cryptography_vectors") / "asymmetric"
HASHES = {"SHA-1": "sha1", "SHA-224": "sha224", "SHA-256": "sha256"} | {
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}
Case = dict[str, str]


def cases(name: str, section: str) -> Iterator[Case]:
    """The cases of the section, each the lines up to one that repeats a name."""
    text = (FOLDER / name).read_text()
    inside, case = False, Case()
    for line in text.splitlines():
        if line.startswith("[") and not line.startswith("[B."):
            inside = line == section
        field = re.fullmatch(r"(\w+) = (.*)", line)
        if field and field[1] in case:
            yield case
            case = Case()
        if inside and field and field[1] not in {"N", "COUNT"}:
            case[field[1]] = field[2]
    if case:
        yield case


def digest(case: Case, name: str) -> bytes:
    """The leftmost 32 bytes of the message's hash; a shorter one as the number that it is."""
    hashed = hashlib.new(HASHES[name], bytes.fromhex(case["Msg"])).digest()
    return hashed[:32].rjust(32, b"\0")


def point(case: Case, x: str = "Qx", y: str = "Qy") -> bytes:
    return be(int(case[x], 16)) + be(int(case[y], 16))


def signature(case: Case) -> bytes:
    return raw(int(case["R"], 16), int(case["S"], 16))


@pytest.mark.parametrize("name", HASHES)
def test_signatures_verify_as_nist_says(p256_implementation: str, name: str) -> None:
    found = list(cases("ECDSA/FIPS_186-3/SigVer.rsp", f"[P-256,{name}]"))
    expected = [case["Result"][0] == "P" for case in found]
    assert len(found) == 15
    assert 0 < sum(expected) < 15
    digests = [digest(case, name) for case in found]
    publics, signatures = [point(c) for c in found], [signature(c) for c in found]
    for times in (1, 9):  # one after the other, and many at once
        got = p256.verify_many(
            publics * times, digests * times, signatures * times, encoding=p256.Encoding.RAW
        )
        assert got.tolist() == expected * times
    for q, h, s, good in zip(publics, digests, signatures, expected, strict=True):
        assert p256.verify(q, h, s, encoding=p256.Encoding.RAW) == good
        assert p256.verify_batch(q, [h] * 40, [s] * 40, encoding=p256.Encoding.RAW).tolist() == (
            [good] * 40
        )


@pytest.mark.parametrize("name", [n for n in HASHES if n != "SHA-1"])
def test_generated_signatures_verify(ring: Ring, p256_implementation: str, name: str) -> None:
    found = list(cases("ECDSA/FIPS_186-3/SigGen.txt", f"[P-256,{name}]"))
    assert len(found) == 15
    for case in found:
        key = import_key(ring, int(case["d"], 16))
        assert key.public == point(case)
        hashed = digest(case, name)
        assert p256.verify(key.public, hashed, signature(case), encoding=p256.Encoding.RAW)
        # its nonce and ours make different signatures of one digest, both good
        ours = p256.sign(key.handle, hashed, encoding=p256.Encoding.RAW)
        assert p256.verify(key.public, hashed, ours, encoding=p256.Encoding.RAW)


def test_public_keys_of_private_ones(ring: Ring, p256_implementation: str) -> None:
    found = list(cases("ECDSA/FIPS_186-3/KeyPair.rsp", "[P-256]"))
    assert len(found) == 10
    for case in found:
        wrapped, public = p256.import_private(ring.store, be(int(case["d"], 16)), KEY_ID, 1, 0)
        assert public == point(case)
        assert p256.load(ring.store, wrapped, KEY_ID, 1, 0)[1] == public


def test_public_keys_are_valid_as_nist_says(p256_implementation: str) -> None:
    found = list(cases("ECDSA/FIPS_186-3/PKV.rsp", "[P-256]"))
    assert len(found) == 12
    for case in found:
        if max(len(case["Qx"]), len(case["Qy"])) > 64:  # a number that 32 bytes cannot say
            assert case["Result"].startswith("F (1 ")
        elif case["Result"].startswith("P"):
            assert not p256.verify(point(case), bytes(32), b"")
        else:
            with pytest.raises(ValidationError, match="not a point of P-256"):
                p256.verify(point(case), bytes(32), b"")


@pytest.mark.parametrize("side", ["init", "resp"])
def test_shared_secrets(ring: Ring, p256_implementation: str, side: str) -> None:
    name = f"ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_{side}.fax"
    found = [case for case in cases(name, "[EC - SHA256]") if "dsIUT" in case]
    good = 0
    for case in found:
        key = import_key(ring, int(case["dsIUT"], 16))
        try:
            shared = p256.ecdh(key.handle, point(case, "QsCAVSx", "QsCAVSy"))
        except ValidationError:
            assert "CAVS's Static public key" in case["Result"]
            continue
        same = (
            hashlib.sha256(shared).hexdigest() == case["CAVSHashZZ"]
            and shared == be(int(case["Z"], 16))
            and key.public == point(case, "QsIUTx", "QsIUTy")
        )
        assert same == case["Result"].startswith("P")
        good += same
    assert 0 < good < len(found)


def test_deterministic_signatures_are_those_of_rfc_6979(
    ring: Ring, p256_implementation: str
) -> None:
    """Appendix A.2.5, SHA-256."""
    key = import_key(ring, 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721)
    known = {
        b"sample": "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        b"test": "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    }
    for message, expected in known.items():
        hashed = hashlib.sha256(message).digest()
        one = p256.sign(key.handle, hashed, encoding=p256.Encoding.RAW, deterministic=True)
        assert one.hex() == expected
        rows = np.frombuffer(hashed * 70, np.uint8).reshape(-1, 32)
        many = p256.sign_batch(key.handle, rows, deterministic=True)
        assert {row.tobytes().hex() for row in np.asarray(many)} == {expected}
    assert int(expected[:64], 16) < N
