"""Published answers for ML-KEM, through our module (SOURCES)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem as lattices

from kmsfast.crypto import mlkem

PRIVATE = {
    "ML_KEM_768": lattices.MLKEM768PrivateKey,
    "ML_KEM_1024": lattices.MLKEM1024PrivateKey,
}


def cases(spec: str) -> Iterator[dict[str, bytes]]:
    name = f"asymmetric/MLKEM/kat_{spec.replace('_KEM', 'KEM')}.rsp"
    case: dict[str, bytes] = {}
    for line in (files("cryptography_vectors") / name).read_text().splitlines():
        key, _, value = line.partition(" = ")
        if key == "count":
            if case:
                yield case
            case = {}
        elif value:
            case[key] = bytes.fromhex(value)
    yield case


@pytest.mark.parametrize("spec", PRIVATE)
def test_shared_secrets(spec: str) -> None:
    found = list(cases(spec))
    assert len(found) == 1000
    for case in found:
        private = PRIVATE[spec].from_seed_bytes(case["d"] + case["z"])
        public = private.public_key()
        assert mlkem.spec_of(public) == spec
        assert public.public_bytes_raw() == case["pk"]
        assert mlkem.decapsulate(private, spec, case["ct"]) == case["ss"]
        assert mlkem.decapsulate(private, spec, case["ct_n"]) == case["ss_n"]
