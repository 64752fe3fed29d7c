"""Published answers for the key types that `cryptography` serves, through our modules (SOURCES)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
from cryptography.hazmat.primitives.asymmetric import ec as curves
from cryptography.hazmat.primitives.asymmetric import ed25519 as edwards
from cryptography.hazmat.primitives.asymmetric import mldsa as lattices
from cryptography.hazmat.primitives.asymmetric import rsa as modular
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kmsfast.crypto import ec, ed25519, mldsa, rsa
from kmsfast.errors import InvalidCiphertext

Case = dict[str, str]


def text_of(name: str) -> str:
    return (files("cryptography_vectors") / "asymmetric" / name).read_text()


def cases(name: str, first: str) -> Iterator[tuple[str, Case]]:
    """What stands in brackets above each case, and the case; ``first``: its first name."""
    heading, case = "", {}
    for line in text_of(name).splitlines():
        found = re.fullmatch(r"(\w[\w ]*?) = ?(.*)", line)
        if line.startswith("["):
            if case:
                yield heading, case
            heading, case = (line if "=" not in line or "mod" in line else heading), {}
        elif found:
            if found[1] == first and case:
                yield heading, case
                case = {}
            case[found[1]] = found[2]
    yield heading, case


# ---- RSA --------------------------------------------------------------------------------------


def rsa_cases(name: str) -> Iterator[tuple[modular.RSAPublicKey, str, Case]]:
    """Public key, hash and case, for moduli and hashes that keys here have."""
    modulus, bits = 0, 0
    for line in re.split(r"\n\n+", text_of(name)):
        if found := re.search(r"\[mod = (\d+)\]", line):
            bits = int(found[1])
        fields = dict(re.findall(r"^(\w+) = (.*)$", line, re.MULTILINE))
        modulus = int(fields["n"], 16) if "n" in fields else modulus
        sha = fields.get("SHAAlg", "")[3:]
        if bits >= 2048 and sha in {"256", "384", "512"}:
            yield modular.RSAPublicNumbers(int(fields["e"], 16), modulus).public_key(), sha, fields


def test_rsa_pkcs1() -> None:
    seen = {"P": 0, "F": 0}
    for public, sha, case in rsa_cases("RSA/FIPS_186-2/SigVer15_186-3.rsp"):
        message, signature = bytes.fromhex(case["Msg"]), bytes.fromhex(case["S"])
        valid = case["Result"][0]
        algorithm = f"RSASSA_PKCS1_V1_5_SHA_{sha}"
        assert rsa.verify(public, algorithm, message, signature, hashed=False) == (valid == "P")
        seen[valid] += 1
    assert seen == {"P": 27, "F": 135}


def test_rsa_pss_with_another_salt_is_none_of_ours() -> None:
    """The salts of the file have 10 bytes, those of AWS as many as the digest."""
    seen = 0
    for public, sha, case in rsa_cases("RSA/FIPS_186-2/SigVerPSS_186-3.rsp"):
        message, signature = bytes.fromhex(case["Msg"]), bytes.fromhex(case["S"])
        algorithm = f"RSASSA_PSS_SHA_{sha}"
        assert not rsa.verify(public, algorithm, message, signature, hashed=False)
        seen += 1
    assert seen == 162


def private_key(fields: Case) -> modular.RSAPrivateKey:
    numbers = {name: int(value, 16) for name, value in fields.items()}
    public = modular.RSAPublicNumbers(numbers["Public exponent"], numbers["Modulus"])
    return modular.RSAPrivateNumbers(
        numbers["Prime 1"], numbers["Prime 2"], numbers["Exponent"], numbers["Prime exponent 1"],
        numbers["Prime exponent 2"], numbers["Coefficient"], public,
    ).private_key()  # fmt: skip


def rsa_examples(text: str) -> tuple[modular.RSAPrivateKey, list[tuple[bytes, bytes]]]:
    """The private key of a block of OAEP examples, and their messages and ciphertexts."""
    parts = [
        (name, re.sub(r"\s", "", value))
        for name, value in re.findall(
            r"^# ([\w ]+?) ?: ?\n((?:[0-9a-f]+\s+)+)",
            text.partition("# Private key")[2],
            re.MULTILINE,
        )
    ]
    of = {
        name: [bytes.fromhex(v) for n, v in parts if n == name]
        for name in ("Message", "Encryption")
    }
    fields = {name: value for name, value in parts if name not in {*of, "Seed"}}
    return private_key(fields), list(zip(*of.values(), strict=True))


def test_rsa_oaep_sha_256() -> None:
    """Derived from RSA Laboratories' vectors and verified with Bouncy Castle."""
    seen = 0
    text = text_of("RSA/oaep-custom/oaep-sha256-sha256.txt")
    for block in re.split(r"# =+\n", text)[1:]:
        key, examples = rsa_examples(block)
        for message, ciphertext in examples:
            assert rsa.decrypt(key, "RSAES_OAEP_SHA_256", ciphertext) == message
            with pytest.raises(InvalidCiphertext):
                rsa.decrypt(key, "RSAES_OAEP_SHA_1", ciphertext)
            seen += 1
    assert seen == 60


def test_rsa_oaep_sha_1() -> None:
    """RSA Laboratories' vectors, the key of 2,048 bits."""
    text = text_of("RSA/pkcs-1v2-1d2-vec/oaep-vect.txt")
    key, examples = rsa_examples(text.split("# Example 10: ")[1])
    assert len(examples) == 6
    for message, ciphertext in examples:
        assert rsa.decrypt(key, "RSAES_OAEP_SHA_1", ciphertext) == message


# ---- elliptic curves --------------------------------------------------------------------------

CURVES = {
    "P-384,SHA-384": ("ECC_NIST_P384", curves.SECP384R1(), "ECDSA_SHA_384"),
    "P-521,SHA-512": ("ECC_NIST_P521", curves.SECP521R1(), "ECDSA_SHA_512"),
    "K-256,SHA-256": ("ECC_SECG_P256K1", curves.SECP256K1(), "ECDSA_SHA_256"),
}


def check_ecdsa(heading: str, case: Case, expected: bool) -> None:
    spec, curve, algorithm = CURVES[heading.strip("[]")]
    point = (int(case[name], 16) for name in ("Qx", "Qy"))
    public = curves.EllipticCurvePublicNumbers(*point, curve).public_key()
    size = (curve.key_size + 7) // 8
    raw = b"".join(int(case[name], 16).to_bytes(size, "big") for name in ("R", "S"))
    der = ec.from_raw(raw, spec)
    assert der is not None
    assert ec.to_raw(der, spec) == raw
    message = bytes.fromhex(case["Msg"])
    assert ec.verify(public, algorithm, message, der, hashed=False) == expected


def test_ecdsa_on_nists_curves() -> None:
    seen = {"P": 0, "F": 0}
    for heading, case in cases("ECDSA/FIPS_186-3/SigVer.rsp", "Msg"):
        if heading.strip("[]") in CURVES:
            check_ecdsa(heading, case, case["Result"][0] == "P")
            seen[case["Result"][0]] += 1
    assert seen["P"] + seen["F"] == 30
    assert seen["P"] >= 5


def test_ecdsa_on_secp256k1() -> None:
    seen = 0
    for heading, case in cases("ECDSA/SECP256K1/SigGen.txt", "Msg"):
        if heading.strip("[]") in CURVES:
            check_ecdsa(heading, case, expected=True)
            seen += 1
    assert seen == 225


def test_rfc_6979() -> None:
    """Deterministic signatures of "sample" and "test" by the keys of the RFC's appendix."""
    text = text_of("ECDSA/RFC6979/evppkey_ecdsa_rfc6979.txt")
    keys = {
        name: load_pem_private_key(pem.encode(), None)
        for name, pem in re.findall(
            r"PrivateKey=(P-(?:384|521)_PRIV)\n(-+BEGIN PRIVATE KEY-+\n.*?-+END PRIVATE KEY-+\n)",
            text,
            re.DOTALL,
        )
    }
    seen = 0
    for sha, name, message, output in re.findall(
        r'DigestSign = SHA(\d+)\nKey = (\S+)\nNonceType = deterministic\nInput = "(\w+)"\n'
        r"Output = (\w+)", text
    ):  # fmt: skip
        if name in keys and sha in {"256", "384", "512"}:
            made = ec.sign(keys[name], f"ECDSA_SHA_{sha}", message.encode(), hashed=False,
                           deterministic=True)  # fmt: skip
            assert made.hex() == output.lower()
            seen += 1
    assert seen == 12


# What may become of a case, by the number in its result, which says what NIST has changed.
RIGHT, REFUSED, ANOTHER = "the secret", "a key is refused", "another secret"
ECDH_RESULTS = {
    "P (0": {RIGHT}, "P (13": {RIGHT}, "F (1": {REFUSED}, "F (2": {REFUSED},
    "F (7": {REFUSED, ANOTHER}, "F (8": {ANOTHER},
}  # fmt: skip


def agreed(case: Case, curve: curves.EllipticCurve) -> str:
    point = [int(case[f"QsCAVS{axis}"], 16) for axis in "xy"]
    try:
        private = curves.derive_private_key(int(case["dsIUT"], 16), curve)
        public = curves.EllipticCurvePublicNumbers(*point, curve).public_key()
    except ValueError:
        return REFUSED
    secret = ec.exchange(private, public)
    return RIGHT if secret.hex() == case["Z"].rjust(2 * len(secret), "0") else ANOTHER


def test_ecdh() -> None:
    """NIST's primitive test; what it changed in our own public key is no input here."""
    curve_of = {"[ED - SHA384]": curves.SECP384R1(), "[EE - SHA512]": curves.SECP521R1()}
    seen = dict.fromkeys((RIGHT, REFUSED, ANOTHER), 0)
    name = "ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_init.fax"
    for heading, case in cases(name, "COUNT"):
        expected = ECDH_RESULTS.get(case.get("Result", "").split(" - ")[0])
        if heading in curve_of and expected is not None:
            found = agreed(case, curve_of[heading])
            assert found in expected, case
            seen[found] += 1
    assert seen == {RIGHT: 36, REFUSED: 10, ANOTHER: 6}


# ---- Ed25519 and ML-DSA -----------------------------------------------------------------------


def test_ed25519() -> None:
    lines = text_of("Ed25519/sign.input").splitlines()
    assert len(lines) == 1024
    for line in lines:
        seed, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
        private = edwards.Ed25519PrivateKey.from_private_bytes(seed[:32])
        signature = signed[:64]
        assert ed25519.sign(private, "ED25519_SHA_512", message, hashed=False) == signature
        key = edwards.Ed25519PublicKey.from_public_bytes(public)
        assert ed25519.verify(key, "ED25519_SHA_512", message, signature, hashed=False)


def test_ed25519_prehashed() -> None:
    """RFC 8032 7.3."""
    seed = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"
    public = "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"
    signature = bytes.fromhex(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )
    private = edwards.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    assert private.public_key().public_bytes_raw().hex() == public
    name = "ED25519_PH_SHA_512"
    assert ed25519.sign(private, name, b"abc", hashed=True) == signature
    assert ed25519.verify(private.public_key(), name, b"abc", signature, hashed=True)
    assert not ed25519.verify(private.public_key(), "ED25519_SHA_512", b"abc", signature,
                              hashed=False)  # fmt: skip


@pytest.mark.parametrize("size", [44, 65, 87])
def test_ml_dsa(size: int) -> None:
    """Signatures with a context, which the mu contains (FIPS 204 algorithm 7 step 6)."""
    public_of = getattr(lattices, f"MLDSA{size}PublicKey").from_public_bytes
    seen = 0
    for _, case in cases(f"MLDSA/kat_MLDSA_{size}_det_pure.rsp", "count"):
        public, message = public_of(bytes.fromhex(case["pk"])), bytes.fromhex(case["msg"])
        signed = bytes.fromhex(case["sm"])
        signature = signed[: len(signed) - len(message)]
        hasher = mldsa.MuHasher(public, bytes.fromhex(case["ctx"]))
        hasher.update(message)
        mu = hasher.finalize()
        name = "ML_DSA_SHAKE_256"
        assert mldsa.verify(public, name, mu, signature, hashed=True)
        assert not mldsa.verify(public, name, message, signature, hashed=False)
        assert not mldsa.verify(public, name, mu[::-1], signature, hashed=True)
        seen += 1
    assert seen == 100
