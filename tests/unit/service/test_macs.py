"""MACs by keys of every spec: against the standard library, and every way they are refused."""

from __future__ import annotations

import hmac
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import reference
from pairs import KINDS, MACS, AllKeys, Kind, name_of

import kmsfast
from kmsfast.crypto import keys
from kmsfast.errors import InvalidKeyUsage, InvalidMac, KeyDisabled, ValidationError
from kmsfast.model.keyspec import MAC_ALGORITHMS

MESSAGE = b"account 4711"
mac_keys = pytest.mark.parametrize("kind", MACS, ids=name_of)


def bits_of(kind: Kind) -> int:
    return int(kind[0].removeprefix("HMAC_"))


@mac_keys
def test_a_mac(all_keys: AllKeys, kind: Kind) -> None:
    key = all_keys[kind]
    mac = key.mac(MESSAGE)
    assert len(mac) == bits_of(kind) // 8
    assert key.mac(MESSAGE, algorithm=f"HMAC_SHA_{bits_of(kind)}") == mac
    key.verify_mac(MESSAGE, mac)
    changed = bytes([mac[0] ^ 1]) + mac[1:]
    for message, claimed in (
        (b"other", mac), (MESSAGE, changed), (MESSAGE, mac[:-1]), (MESSAGE, mac + b"0"),
        (MESSAGE, b"\0"), (MESSAGE, bytes(6144)),
    ):  # fmt: skip
        with pytest.raises(InvalidMac) as raised:
            key.verify_mac(message, claimed)
        assert raised.value.code == "KMSInvalidMacException"
        assert mac.hex() not in str(raised.value)


@mac_keys
def test_it_is_hmac(path: Path, kind: Kind) -> None:
    """By the key material, which the test unwraps as docs/key-hierarchy.md says."""
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key(spec=kind[0])
        mac, batch = key.mac(MESSAGE), key.mac_batch([MESSAGE, b"", b"x" * 5000])
        with kms._app.store.read() as rows:
            store, wrapped = rows.store_row(), rows.material(kms._ring.key(key._raw_id), 1)
    assert wrapped is not None
    root = (path / "root.key").read_bytes()
    store_key = reference.unwrap_store_key(root, store["wrapped_key"], store["store_id"])
    material = reference.unwrap_material(
        store_key, store["store_id"], wrapped, key._raw_id, 1, algorithm=reference.ALGORITHM_HMAC
    )
    assert len(material) == bits_of(kind) // 8
    name = f"sha{bits_of(kind)}"
    assert mac == hmac.new(material, MESSAGE, name).digest()
    assert batch == [hmac.new(material, m, name).digest() for m in (MESSAGE, b"", b"x" * 5000)]


@mac_keys
def test_batches(all_keys: AllKeys, kind: Kind) -> None:
    key, records = all_keys[kind], [b"%03d" % i for i in range(100)]
    macs = key.mac_batch(records, threads=2)
    assert macs == [key.mac(record) for record in records]
    assert key.verify_mac_batch(records, macs).all()
    assert not key.verify_mac_batch(records, macs[::-1]).any()
    rows = np.frombuffer(b"".join(records), np.uint8).reshape(100, 3)
    made = key.mac_batch(rows)
    assert (made.dtype, made.shape) == (np.uint8, (100, bits_of(kind) // 8))
    assert made.tobytes() == b"".join(macs)
    assert key.verify_mac_batch(rows, made).all()
    arrow = key.mac_batch(pa.array([*records, None]))
    assert arrow.to_pylist() == [*macs, None]
    found = key.verify_mac_batch(pa.array([*records, None]), arrow)
    assert found.tolist() == [True] * 100 + [False]


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_keys_that_make_no_macs(all_keys: AllKeys, kind: Kind) -> None:
    if kind in MACS:
        pytest.skip("makes them")
    key = all_keys[kind]
    for operation, use in (
        ("GenerateMac", lambda: key.mac(MESSAGE)),
        ("GenerateMac", lambda: key.mac_batch([MESSAGE])),
        ("VerifyMac", lambda: key.verify_mac(MESSAGE, b"x", algorithm="HMAC_SHA_256")),
        ("VerifyMac", lambda: key.verify_mac_batch([MESSAGE], [b"x"])),
    ):
        with pytest.raises(InvalidKeyUsage) as raised:
            use()
        said = f"{key.arn} key usage is {kind[1]} which is not valid for {operation}."
        assert str(raised.value) == said


@mac_keys
@pytest.mark.parametrize("algorithm", MAC_ALGORITHMS)
def test_algorithms_of_other_specs(all_keys: AllKeys, kind: Kind, algorithm: str) -> None:
    if algorithm == f"HMAC_SHA_{bits_of(kind)}":
        pytest.skip("has it")
    key = all_keys[kind]
    said = f"Algorithm {algorithm} is incompatible with key spec {kind[0]}."
    for use in (
        lambda: key.mac(MESSAGE, algorithm=algorithm),
        lambda: key.verify_mac(MESSAGE, b"x", algorithm=algorithm),
        lambda: key.mac_batch([MESSAGE], algorithm=algorithm),
    ):
        with pytest.raises(InvalidKeyUsage) as raised:
            use()
        assert str(raised.value).startswith(said)


@mac_keys
def test_parameters(all_keys: AllKeys, kind: Kind) -> None:
    key = all_keys[kind]
    assert len(key.mac(bytes(4096))) == bits_of(kind) // 8
    for message in (b"", bytes(4097)):
        with pytest.raises(ValidationError, match="Member must have length"):
            key.mac(message)
        with pytest.raises(ValidationError, match="Member must have length"):
            key.verify_mac(message, b"x")
    for mac in (b"", bytes(6145)):
        with pytest.raises(ValidationError, match="the MAC has"):
            key.verify_mac(MESSAGE, mac)
    with pytest.raises(ValidationError, match="at 'macAlgorithm'"):
        key.mac(MESSAGE, algorithm="HMAC_SHA_1")
    with pytest.raises(ValidationError, match="must be bytes"):
        key.mac("text")
    with pytest.raises(ValidationError, match="macs has 2 records, values has 1"):
        key.verify_mac_batch([b"a"], [b"x", b"y"])


def test_states_and_eviction(kms: kmsfast.Kms) -> None:
    key = kms.create_key(spec="HMAC_256")
    mac = key.mac(MESSAGE)
    for handle in list(kms._ring._handles.values()):
        keys.release(handle)  # as when other keys take its place
    assert key.mac(MESSAGE) == mac
    key.disable()
    for use in (lambda: key.mac(MESSAGE), lambda: key.verify_mac(MESSAGE, mac)):
        with pytest.raises(KeyDisabled):
            use()
