"""Unwrapping of imported material, wrapped by the ``openssl`` command as its users would."""

from __future__ import annotations

import os
import pickle

import pytest
from wrapping import wrap

from kmsfast.crypto.importing import WRAPPING_ALGORITHMS, WRAPPING_SPECS, WrappingKey, unwrapped
from kmsfast.errors import InvalidCiphertext

KEY = {spec: WrappingKey.generate(spec) for spec in ("RSA_2048", "RSA_3072")}


@pytest.mark.parametrize("spec", KEY)
@pytest.mark.parametrize("algorithm", WRAPPING_ALGORITHMS)
def test_openssl_wraps_what_unwraps_here(spec: str, algorithm: str) -> None:
    sizes = (28, 32, 64) if algorithm.startswith("RSAES") else (28, 32, 121, 1217)
    for size in sizes:
        material = os.urandom(size)
        wrapped = wrap(KEY[spec].public, algorithm, material)
        with unwrapped(KEY[spec].private, algorithm, wrapped) as plain:
            assert plain == material
        assert plain == bytes(size)


@pytest.mark.parametrize("algorithm", WRAPPING_ALGORITHMS)
def test_whatever_is_wrong_the_error_is_the_same(algorithm: str) -> None:
    key, other = KEY["RSA_2048"], KEY["RSA_3072"]
    good = wrap(key.public, algorithm, os.urandom(32))
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
        wrap(other.public, algorithm, os.urandom(32)),
        wrap(key.public, twin, os.urandom(32)),
    ]
    said = set()
    for wrapped in bad:
        with pytest.raises(InvalidCiphertext) as caught, unwrapped(key.private, algorithm, wrapped):
            pytest.fail("unwrapped")
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
