"""MAC keys: HMAC of one message and of batches of every kind, against Python's own hmac."""

from __future__ import annotations

import hmac
import os
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import reference
import scripts
from ring import STORE_ID, Ring

from kmsfast.crypto import keys, mac
from kmsfast.crypto.column import Packed
from kmsfast.errors import InvalidMac, StaleHandle, StoreIntegrity, ValidationError

KEY_ID = b"m" * 16


@dataclass
class Key:
    """A MAC key that the test knows."""

    bits: int
    material: bytes
    handle: int

    @property
    def mac_len(self) -> int:
        return self.bits // 8

    def mac(self, msg: bytes) -> bytes:
        return hmac.digest(self.material, msg, f"sha{self.bits}")

    def batch(self, values: Any, **more: Any) -> Any:
        return mac.mac_batch(self.handle, values, mac_len=self.mac_len, **more)

    def verify(self, values: Any, macs: Any, **more: Any) -> list[bool]:
        verdicts = mac.verify_batch(self.handle, values, macs, **more)
        assert verdicts.dtype == np.bool_
        return verdicts.tolist()


def imported(ring: Ring, bits: int, material: bytes) -> Key:
    wrapped = mac.import_material(ring.store, bytearray(material), KEY_ID, 1, 0, bits=bits)
    return Key(bits, material, mac.load(ring.store, wrapped, KEY_ID, 1, 0, bits=bits))


@pytest.fixture(params=mac.BITS)
def key(ring: Ring, request: pytest.FixtureRequest) -> Key:
    return imported(ring, request.param, os.urandom(request.param // 8))


@pytest.fixture
def key256(ring: Ring) -> Key:
    return imported(ring, 256, os.urandom(32))


# ---- keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", mac.BITS)
def test_generated_material_is_fresh_and_as_long_as_the_digest(ring: Ring, bits: int) -> None:
    wrapped = [mac.generate(ring.store, KEY_ID, 7, 1, bits=bits) for _ in range(2)]
    materials = []
    for one in wrapped:
        material = reference.unwrap_material(
            ring.store_key, STORE_ID, one, KEY_ID, 7, 1, reference.ALGORITHM_HMAC
        )
        assert len(material) == bits // 8
        handle = mac.load(ring.store, one, KEY_ID, 7, 1, bits=bits)
        assert Key(bits, material, handle).batch([b"x"]) == [
            hmac.digest(material, b"x", f"sha{bits}")
        ]
        materials.append(material)
    assert materials[0] != materials[1]


def test_material_of_another_place_does_not_load(ring: Ring) -> None:
    wrapped = mac.generate(ring.store, KEY_ID, 1, 0, bits=256)
    for key_id, version, flags, bits in (
        (b"n" * 16, 1, 0, 256),
        (KEY_ID, 2, 0, 256),
        (KEY_ID, 1, 1, 256),
        (KEY_ID, 1, 0, 224),
        (KEY_ID, 1, 0, 512),
    ):
        with pytest.raises(StoreIntegrity, match=f"version {version} .* HMAC_{bits}"):
            mac.load(ring.store, wrapped, key_id, version, flags, bits=bits)
    with pytest.raises(StoreIntegrity, match="does not authenticate"):
        mac.load(ring.store, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), KEY_ID, 1, 0, bits=256)
    with pytest.raises(StoreIntegrity, match="does not authenticate"):
        mac.load(ring.store, wrapped[:-1], KEY_ID, 1, 0, bits=256)
    with pytest.raises(StoreIntegrity):
        ring.store.load_material(wrapped, KEY_ID, 1, 0)
    encryption = ring.store.generate_material(KEY_ID, 1, 0)
    with pytest.raises(StoreIntegrity):
        mac.load(ring.store, encryption, KEY_ID, 1, 0, bits=256)


def test_imported_material_is_wiped(ring: Ring) -> None:
    material = bytearray(os.urandom(48))
    mac.import_material(ring.store, material, KEY_ID, 1, 0, bits=384)
    assert material == bytes(48)
    for size, bits in ((31, 256), (32, 224), (0, 256), (64, 384)):
        material = bytearray(b"x" * size)
        with pytest.raises(ValidationError, match=f"HMAC_{bits} key has .* bytes, not {size}"):
            mac.import_material(ring.store, material, KEY_ID, 1, 0, bits=bits)
        assert material == bytes(size)
    material = bytearray(b"x" * 32)
    with pytest.raises(StoreIntegrity, match="an id"):
        mac.import_material(ring.store, material, b"short", 1, 0, bits=256)
    assert material == bytes(32)


@pytest.mark.parametrize("bits", [0, 255, 160, -256, "256", None])
def test_no_such_hash(ring: Ring, bits: Any) -> None:
    with pytest.raises(ValidationError, match="bits must be one of 224, 256, 384, 512, not"):
        mac.generate(ring.store, KEY_ID, 1, 0, bits=bits)
    with pytest.raises(ValidationError, match="bits must be one of"):
        mac.load(ring.store, b"", KEY_ID, 1, 0, bits=bits)


# ---- one message ----------------------------------------------------------------------------


def test_one_message_of_every_length(key: Key) -> None:
    data = os.urandom(300)
    for size in range(301):
        made = mac.mac(key.handle, data[:size], mac_len=key.mac_len)
        assert made == key.mac(data[:size]), size
        mac.verify(key.handle, data[:size], made)


def test_what_is_not_the_mac_is_refused(key: Key) -> None:
    good = key.mac(b"message")
    flipped = [
        good[:i] + bytes([good[i] ^ 1 << random.randrange(8)]) + good[i + 1 :]
        for i in range(len(good))
    ]
    for wrong in [*flipped, good[:-1], good + b"\0", b"", bytes(len(good))]:
        with pytest.raises(InvalidMac, match=f"the MAC of {len(wrong)} bytes is not") as raised:
            mac.verify(key.handle, b"message", wrong)
        assert raised.value.code == "KMSInvalidMacException"
    with pytest.raises(InvalidMac):
        mac.verify(key.handle, b"messagf", good)
    with pytest.raises(ValidationError, match="MACs of this key do not have 20 bytes"):
        mac.mac(key.handle, b"message", mac_len=20)


# ---- batches --------------------------------------------------------------------------------


def test_every_length(key: Key) -> None:
    data = os.urandom(300)
    records = [data[:size] for size in range(301)]
    known = [key.mac(one) for one in records]
    assert key.batch(records) == known
    assert key.batch(records[::-1]) == known[::-1]
    assert all(key.verify(records, known))
    for size in range(0, 301, 13):
        rows = np.frombuffer(os.urandom(5 * size), np.uint8).reshape(5, size)
        assert [row.tobytes() for row in key.batch(rows)] == [
            key.mac(row.tobytes()) for row in rows
        ]


@pytest.mark.parametrize("num", [0, 1, 2, 3, 4, 5, 63, 64, 65, 255, 256, 257, 2048, 2049])
@pytest.mark.parametrize("size", [55, 56, 64, None])
def test_numbers_of_records(key256: Key, num: int, size: int | None) -> None:
    chance = random.Random(num)
    records = [os.urandom(chance.randrange(200) if size is None else size) for _ in range(num)]
    known = [key256.mac(one) for one in records]
    assert key256.batch(records) == known
    assert key256.verify(records, known) == [True] * num


def test_long_records_among_short_ones(key: Key) -> None:
    records = [os.urandom(size) for size in (10, 5000, 20, 5000, 100_000, 5001, 30, 4999, 0)]
    assert key.batch(records) == [key.mac(one) for one in records]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_give_the_same(key: Key, threads: int) -> None:
    records = [os.urandom(i % 150) for i in range(10_000)]
    known = [key.mac(one) for one in records]
    assert key.batch(records, threads=threads) == known
    known[7777] = known[7778]
    assert key.verify(records, known, threads=threads) == [i != 7777 for i in range(10_000)]


@pytest.mark.parametrize("threads", [0, 257, True, "2"])
def test_threads_out_of_range(key256: Key, threads: Any) -> None:
    with pytest.raises(ValidationError, match="threads must be between 1 and 256"):
        key256.batch([b"x"], threads=threads)
    with pytest.raises(ValidationError, match="threads must be between 1 and 256"):
        key256.verify([b"x"], [b"x"], threads=threads)


RECORDS = [b"", b"a", b"b" * 64, b"c" * 200, b"a"]


def packed(records: list[bytes]) -> Packed:
    data = np.frombuffer(b"".join(records), np.uint8)
    return Packed(data, np.cumsum([0, *map(len, records)], dtype=np.int64))


def test_numpy_gives_rows(key: Key) -> None:
    known = [key.mac(one) for one in RECORDS]
    rows = np.frombuffer(os.urandom(7 * 64), np.uint8).reshape(7, 64)
    for values, expected in (
        (packed(RECORDS), known),
        (rows, [key.mac(row.tobytes()) for row in rows]),
        (np.array([b"abc", b"def"]), [key.mac(b"abc"), key.mac(b"def")]),
    ):
        macs = key.batch(values)
        assert (macs.dtype, macs.shape) == (np.uint8, (len(expected), key.mac_len))
        assert [row.tobytes() for row in macs] == expected
        assert key.verify(values, macs) == [True] * len(expected)
    assert key.batch(np.zeros((0, 64), np.uint8)).shape == (0, key.mac_len)
    assert key.verify(np.zeros((0, 64), np.uint8), np.zeros((0, key.mac_len), np.uint8)) == []


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_arrow_gives_fixed_size_binary(key: Key, kind: Any) -> None:
    values = pa.array([*RECORDS, None], kind)
    known = [*(key.mac(one) for one in RECORDS), None]
    macs = key.batch(values)
    macs.validate(full=True)
    assert (macs.type, macs.to_pylist()) == (pa.binary(key.mac_len), known)
    assert key.batch(values[1:3]).to_pylist() == known[1:3]
    fixed = key.batch(pa.array([b"ab", None, b"cd"], pa.binary(2)))
    assert fixed.to_pylist() == [key.mac(b"ab"), None, key.mac(b"cd")]
    assert key.verify(values, macs) == [True] * len(RECORDS) + [False]


def test_chunks(key256: Key) -> None:
    values = pa.chunked_array([[b"a", None], [], [b"b", b"c"]], pa.binary())
    known = [key256.mac(b"a"), None, key256.mac(b"b"), key256.mac(b"c")]
    macs = key256.batch(values)
    assert (macs.type, macs.to_pylist()) == (pa.binary(32), known)
    verdicts = [True, False, True, True]
    assert key256.verify(values, macs) == verdicts
    assert key256.verify(values, known) == verdicts
    assert key256.verify([b"a", None, b"b", b"c"], macs) == verdicts
    none = pa.chunked_array([], pa.binary())
    assert key256.batch(none).type == pa.binary(32)
    assert key256.verify(none, none) == []
    with pytest.raises(ValidationError, match=r"macs for a chunked array must be .* of 4 records"):
        key256.verify(values, known[:3])


def test_nulls_have_no_mac(key: Key) -> None:
    values = [b"a", None, b"b", None]
    macs = key.batch(values)
    assert macs == [key.mac(b"a"), None, key.mac(b"b"), None]
    assert key.verify(values, macs) == [True, False, True, False]
    assert key.verify(values, [macs[0], macs[0], None, None]) == [True, False, False, False]
    assert key.verify([b"a", b"b"], [None, macs[2]]) == [False, True]


def test_wrong_macs_in_a_batch(key: Key) -> None:
    records = [os.urandom(30) for _ in range(600)]
    macs = [bytearray(key.mac(one)) for one in records]
    wrong = {5, 255, 256, 257, 599}
    for i in wrong:
        macs[i][random.randrange(key.mac_len)] ^= 1 << random.randrange(8)
    given = [bytes(one) for one in macs]
    given[300], given[301], given[302] = given[300][:-1], given[301] + b"\0", b""
    wrong |= {300, 301, 302}
    assert key.verify(records, given) == [i not in wrong for i in range(600)]
    rows = np.frombuffer(b"".join(records), np.uint8).reshape(600, 30)
    assert key.verify(rows, np.zeros((600, key.mac_len - 1), np.uint8)) == [False] * 600


def test_batches_that_do_not_fit(key256: Key) -> None:
    with pytest.raises(ValidationError, match="macs has 1 records, values has 2"):
        key256.verify([b"a", b"b"], [b"x" * 32])
    with pytest.raises(ValidationError, match=r"macs\[0\] is str"):
        key256.verify([b"a"], ["x" * 32])
    with pytest.raises(ValidationError, match=r"values\[1\] is int"):
        key256.batch([b"a", 5])
    for mac_len in (28, 31, 33, 64):
        for values in ([b"a"], np.zeros((1, 3), np.uint8)):
            with pytest.raises(ValidationError, match=f"do not have {mac_len} bytes"):
                mac.mac_batch(key256.handle, values, mac_len=mac_len)


# ---- handles --------------------------------------------------------------------------------


def uses(handle: int) -> list[Any]:
    return [
        lambda: mac.mac(handle, b"x", mac_len=32),
        lambda: mac.verify(handle, b"x", b"x" * 32),
        lambda: mac.mac_batch(handle, [b"x"], mac_len=32),
        lambda: mac.verify_batch(handle, [b"x"], [b"x" * 32]),
    ]


def test_keys_of_another_kind(ring: Ring, key256: Key) -> None:
    for use in uses(ring.add().handle):
        with pytest.raises(ValidationError, match="a key of another kind"):
            use()
    with pytest.raises(ValidationError, match="a key of another kind"):
        mac.generate(Held(key256.handle), KEY_ID, 1, 0, bits=256)  # type: ignore[arg-type]


@dataclass
class Held:
    """What looks like a store key."""

    _handle: int


def test_released_keys_are_stale(key256: Key) -> None:
    keys.release(key256.handle)
    for use in uses(key256.handle):
        with pytest.raises(StaleHandle):
            use()


def test_keys_give_way_in_a_full_arena(ring: Ring) -> None:
    from kmsfast.crypto import native

    slots = native.describe()["arena"]["slots"]
    first = imported(ring, 256, bytes(32))
    for _ in range(slots):
        last = imported(ring, 256, bytes(32))
    assert last.batch([b"x"]) == [last.mac(b"x")]
    with pytest.raises(StaleHandle):
        first.batch([b"x"])


FORKED = """
import os, sys
from kmsfast.crypto import keys, mac
from kmsfast.errors import StaleHandle, StoreForked

path = sys.argv[1]
keys.RootKey.create_file(path)
root = keys.RootKey.load_file(path)
store, wrapped_store = keys.StoreKey.create(root, b"s" * 16)
wrapped = mac.generate(store, b"k" * 16, 1, 0, bits=256)
handle = mac.load(store, wrapped, b"k" * 16, 1, 0, bits=256)
known = mac.mac(handle, b"message", mac_len=32)
uses = [
    lambda: mac.mac(handle, b"x", mac_len=32),
    lambda: mac.verify(handle, b"message", known),
    lambda: mac.mac_batch(handle, [b"x"], mac_len=32),
    lambda: mac.verify_batch(handle, [b"message"], [known]),
]

def refused(*kinds):
    for use in uses:
        try:
            use()
        except kinds:
            continue
        os._exit(1)

if (child := os.fork()) == 0:
    refused(StoreForked)
    keys.open_arena()
    refused(StoreForked, StaleHandle)
    again = keys.StoreKey.load(keys.RootKey.load_file(path), wrapped_store, b"s" * 16)
    anew = mac.load(again, wrapped, b"k" * 16, 1, 0, bits=256)
    refused(StoreForked, StaleHandle)
    os._exit(mac.mac(anew, b"message", mac_len=32) != known)
print(os.waitpid(child, 0)[1], mac.mac(handle, b"message", mac_len=32) == known)
"""


def test_a_forked_child_has_no_keys_of_its_parent(tmp_path: Any) -> None:
    assert scripts.run(FORKED, tmp_path / "root.key") == "0 True\n"
