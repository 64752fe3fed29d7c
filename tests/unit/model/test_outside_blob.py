"""Blobs of keys in custom key stores: one encoding, every other refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsfast.errors import FrameError
from kmsfast.model.key_store import KeyStoreType
from kmsfast.model.outside_blob import (
    Box,
    associated_data,
    is_outside,
    make_header,
    parse,
    write,
)

XKS, HSM = KeyStoreType.EXTERNAL_KEY_STORE, KeyStoreType.AWS_CLOUDHSM
ids = st.binary(min_size=16, max_size=16)
boxes = st.builds(
    Box,
    nonce=st.sampled_from([12, 16]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    metadata=st.binary(max_size=20),
    ciphertext=st.binary(max_size=300),
    tag=st.binary(min_size=16, max_size=16),
)


@given(ids, st.integers(0, 2**32 - 1), boxes)
def test_what_was_written_is_parsed(key_id: bytes, version: int, box: Box) -> None:
    for kind in KeyStoreType:
        mine = box if kind is XKS else box._replace(metadata=b"")
        header = make_header(kind, key_id, version)
        blob = write(header, mine)
        assert is_outside(blob)
        assert parse(blob) == (kind, header, key_id, version, mine)


@given(st.binary(max_size=120))
def test_bytes_are_parsed_or_refused(data: bytes) -> None:
    for start in (b"", b"\xf5\1\3\0", b"\xf5\1\4\0"):
        whole = start + data
        try:
            found = parse(whole)
        except FrameError:
            continue
        assert write(found.header, found.box) == whole


def test_known_bytes() -> None:
    """The format of docs/custom-key-stores.md, byte by byte."""
    header = make_header(XKS, bytes(range(16)), 1)
    assert header.hex() == "f5010400000102030405060708090a0b0c0d0e0f00000001"
    blob = write(header, Box(b"N" * 16, b"M" * 3, b"C" * 5, b"T" * 16))
    assert blob[24:] == b"\x10\x03" + b"N" * 16 + b"MMM" + b"CCCCC" + b"T" * 16
    assert make_header(HSM, bytes(16), 1)[:4].hex() == "f5010300"


def test_what_is_bound() -> None:
    header = make_header(HSM, bytes(16), 1)
    assert associated_data(header, b"").hex() == (
        "f0cee7c0bdff99bfc89c5ba087bc7e5c2dc05253187f8e21beec80e7ad7f3387"
    )
    others = {
        associated_data(make_header(XKS, bytes(16), 1), b""),
        associated_data(make_header(HSM, bytes(15) + b"\1", 1), b""),
        associated_data(make_header(HSM, bytes(16), 2), b""),
        associated_data(header, b"\0"),
        associated_data(header, b""),
    }
    assert len(others) == 5


@pytest.mark.parametrize(
    ("at", "value"), [(0, 0xF4), (1, 2), (2, 1), (2, 5), (3, 1), (24, 13), (24, 0), (25, 21)]
)
def test_other_values_are_refused(at: int, value: int) -> None:
    blob = bytearray(write(make_header(XKS, bytes(16), 1), Box(bytes(12), b"", b"", bytes(16))))
    parse(bytes(blob))
    blob[at] = value
    with pytest.raises(FrameError):
        parse(bytes(blob))
