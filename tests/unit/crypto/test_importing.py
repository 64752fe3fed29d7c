"""Unwrapping of imported material, wrapped by the ``openssl`` command as its users would."""

from __future__ import annotations

import os
import pickle
import subprocess
from pathlib import Path

import pytest

from kmsfast.crypto.importing import WRAPPING_ALGORITHMS, WRAPPING_SPECS, WrappingKey, unwrap
from kmsfast.errors import InvalidCiphertext

KEY = {spec: WrappingKey.generate(spec) for spec in ("RSA_2048", "RSA_3072")}


def openssl(*args: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *args], input=given, capture_output=True, check=True).stdout


def oaep(public: Path, data: bytes, hash_name: str) -> bytes:
    options = ["rsa_padding_mode:oaep", f"rsa_oaep_md:{hash_name}", f"rsa_mgf1_md:{hash_name}"]
    pkeyopts = [part for option in options for part in ("-pkeyopt", option)]
    return openssl(
        "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", str(public), *pkeyopts,
        given=data,
    )  # fmt: skip


def wrap(folder: Path, key: WrappingKey, algorithm: str, material: bytes) -> bytes:
    public = folder / "wrapping.der"
    public.write_bytes(key.public)
    hash_name = "sha1" if algorithm.endswith("SHA_1") else "sha256"
    if algorithm.startswith("RSAES"):
        return oaep(public, material, hash_name)
    aes = os.urandom(32)
    inner = openssl(
        "enc", "-id-aes256-wrap-pad", "-K", aes.hex(), "-iv", "A65959A6", given=material
    )
    return oaep(public, aes, hash_name) + inner


@pytest.mark.parametrize("spec", KEY)
@pytest.mark.parametrize("algorithm", WRAPPING_ALGORITHMS)
def test_openssl_wraps_what_unwraps_here(tmp_path: Path, spec: str, algorithm: str) -> None:
    sizes = (28, 32, 64) if algorithm.startswith("RSAES") else (28, 32, 121, 1217)
    for size in sizes:
        material = os.urandom(size)
        wrapped = wrap(tmp_path, KEY[spec], algorithm, material)
        assert unwrap(KEY[spec].private, algorithm, wrapped) == material


@pytest.mark.parametrize("algorithm", WRAPPING_ALGORITHMS)
def test_whatever_is_wrong_the_error_is_the_same(tmp_path: Path, algorithm: str) -> None:
    key, other = KEY["RSA_2048"], KEY["RSA_3072"]
    good = wrap(tmp_path, key, algorithm, os.urandom(32))
    twin = algorithm[:-1] + "56" if algorithm.endswith("_1") else algorithm[:-3] + "1"
    twin = twin.replace("SHA_56", "SHA_256")
    bad = [
        good[:-1],
        good + b"\0",
        good[:255],
        b"",
        bytes(len(good)),
        good[:100] + bytes([good[100] ^ 1]) + good[101:],
        good[:-1] + bytes([good[-1] ^ 1]),
        wrap(tmp_path, other, algorithm, os.urandom(32)),
        wrap(tmp_path, key, twin, os.urandom(32)),
    ]
    said = set()
    for wrapped in bad:
        with pytest.raises(InvalidCiphertext) as caught:
            unwrap(key.private, algorithm, wrapped)
        said.add(str(caught.value))
        assert caught.value.__suppress_context__
    assert len(said) == 1


def test_wrapping_key_keeps_its_private_half() -> None:
    key = KEY["RSA_2048"]
    assert key.private.hex()[:32] not in repr(key)
    assert repr(key) == f"WrappingKey(private=<secret {len(key.private)} bytes>)"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(key)


def test_specs_are_the_sizes_of_their_names() -> None:
    assert {spec: int(spec[4:]) for spec in WRAPPING_SPECS} == WRAPPING_SPECS
