"""Keys and signatures against the program ``openssl``, in both directions, where it knows them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from pairs import AGREEING, RSA_ENCRYPTING, SIGNING, AllKeys, Kind, name_of

from kmsfast.crypto.pkcs8 import public_pem
from kmsfast.model.keyspec import algorithms_of

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")

MESSAGE = b"signed here, verified there"
USES = [
    (kind, algorithm)
    for kind in SIGNING
    for algorithm in algorithms_of(*kind)
    if not kind[0].startswith("ML_DSA") and algorithm != "ED25519_PH_SHA_512"  # openssl 3.0 has not
]


def openssl(directory: Path, *arguments: str, ok: bool = True) -> bytes:
    done = subprocess.run(
        ["openssl", *arguments], cwd=directory, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout


def files(directory: Path, **contents: bytes) -> None:
    for name, data in contents.items():
        (directory / name).write_bytes(data)


def how(algorithm: str) -> list[str]:
    """The options of ``openssl pkeyutl`` for a signature of a message."""
    if algorithm.startswith("ED25519"):
        return ["-rawin"]
    digest = ["-rawin", "-digest", "sha" + algorithm[-3:]]
    if "PSS" in algorithm:
        return [*digest, "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]
    return digest


@pytest.mark.parametrize(("kind", "algorithm"), USES)
def test_openssl_verifies_what_is_signed_here(
    all_keys: AllKeys, tmp_path: Path, kind: Kind, algorithm: str
) -> None:
    key = all_keys[kind]
    signature = key.sign(MESSAGE, algorithm=algorithm)
    files(tmp_path, pub=public_pem(key.public_key_der()), m=MESSAGE, s=signature, x=MESSAGE[1:])
    verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "pub", "-sigfile", "s", *how(algorithm)]
    openssl(tmp_path, *verify, "-in", "m")
    openssl(tmp_path, *verify, "-in", "x", ok=False)


@pytest.mark.parametrize("kind", SIGNING, ids=name_of)
def test_openssl_reads_public_keys(all_keys: AllKeys, tmp_path: Path, kind: Kind) -> None:
    if kind[0].startswith("ML_DSA"):
        pytest.skip("openssl 3.0 has no ML-DSA")
    der = all_keys[kind].public_key_der()
    files(tmp_path, der=der, pem=public_pem(der))
    read = ["pkey", "-pubin", "-pubout"]
    assert openssl(tmp_path, *read, "-inform", "DER", "-in", "der") == public_pem(der)
    assert openssl(tmp_path, *read, "-in", "pem", "-outform", "DER") == der


@pytest.mark.parametrize("kind", RSA_ENCRYPTING, ids=name_of)
@pytest.mark.parametrize("sha", ["1", "256"])
def test_what_openssl_encrypts_opens_here(
    all_keys: AllKeys, tmp_path: Path, kind: Kind, sha: str
) -> None:
    key = all_keys[kind]
    files(tmp_path, pub=public_pem(key.public_key_der()), m=MESSAGE)
    options = [f"-pkeyopt rsa_{name}" for name in (
        "padding_mode:oaep", f"oaep_md:sha{sha}", f"mgf1_md:sha{sha}")]  # fmt: skip
    ciphertext = openssl(
        tmp_path, "pkeyutl", "-encrypt", "-pubin", "-inkey", "pub", "-in", "m",
        *" ".join(options).split(),
    )  # fmt: skip
    assert key.decrypt(ciphertext, algorithm=f"RSAES_OAEP_SHA_{sha}") == MESSAGE


@pytest.mark.parametrize("kind", AGREEING, ids=name_of)
def test_openssl_derives_the_same_secret(all_keys: AllKeys, tmp_path: Path, kind: Kind) -> None:
    key, curve = all_keys[kind], kind[0].rpartition("_")[2].replace("P", "P-")
    files(tmp_path, pub=public_pem(key.public_key_der()))
    openssl(tmp_path, "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}",
            "-out", "own")  # fmt: skip
    theirs = openssl(tmp_path, "pkey", "-in", "own", "-pubout", "-outform", "DER")
    secret = openssl(tmp_path, "pkeyutl", "-derive", "-inkey", "own", "-peerkey", "pub")
    assert key.derive_shared_secret(theirs) == secret


def test_openssl_uses_a_data_key_pair(all_keys: AllKeys, tmp_path: Path) -> None:
    key = all_keys.kms.create_key()
    for spec in ("RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519"):
        made = key.generate_data_key_pair(spec)
        assert made.private_key is not None
        files(tmp_path, private=made.private_key)
        public = openssl(tmp_path, "pkey", "-inform", "DER", "-in", "private", "-pubout",
                         "-outform", "DER")  # fmt: skip
        assert public == made.public_key
