"""Batches built wrong, or changed while C reads them: an error or a result, never memory."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from ring import Ring

from kmsfast.crypto import blob, column_numpy, native
from kmsfast.crypto.column import Packed, as_column
from kmsfast.errors import ValidationError

BYTES = np.arange(16, dtype=np.uint8)
OFFSETS = np.array([0, 4, 9, 16])


class Lying(np.ndarray):
    """Says of itself what is not so."""

    def __len__(self) -> int:
        return 10**6

    @property
    def size(self) -> int:
        return 10**6


@pytest.mark.parametrize(
    "values",
    [
        Packed(BYTES, OFFSETS),
        pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), 3, [None, pa.py_buffer(OFFSETS), pa.py_buffer(BYTES)]
        ),
        pa.array([b"abc", None, b"defg"]),
    ],
    ids=["packed", "large_binary", "binary"],
)
def test_c_reads_offsets_of_its_own(values: object) -> None:
    """What was checked is what is used, whatever the caller's threads write meanwhile."""
    theirs = [OFFSETS]
    if isinstance(values, pa.Array):
        theirs = [np.frombuffer(values.buffers()[1], np.uint8)]
    made = as_column(values)
    assert not any(np.shares_memory(made.offsets, array) for array in theirs)


def test_offsets_that_change_during_the_call(ring: Ring) -> None:
    key, num = ring.add(), 4000
    data, good = np.zeros(num * 8, np.uint8), np.arange(num + 1) * 8
    offsets, stop = good.copy(), threading.Event()

    def scribble() -> None:
        while not stop.is_set():
            offsets[1:] = 2**40
            offsets[:] = good

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        for _ in range(200):
            try:
                sealed = blob.seal_batch(key.handle, Packed(data, offsets), b"", threads=2)
            except ValidationError:
                continue
            assert len(sealed.data) == num * (8 + 96)
    finally:
        stop.set()
        thread.join()


def test_a_list_that_changes_during_the_call(ring: Ring) -> None:
    key, stop = ring.add(), threading.Event()
    records: list[bytes] = [b"x" * 64] * 2000

    def replace() -> None:
        while not stop.is_set():
            records[:] = [bytes([i % 256]) * 64 for i in range(2000)]
            records.clear()
            records.extend([b"y" * 64] * 2000)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _ in range(50):
            sealed = blob.seal_batch(key.handle, records, b"", threads=2)
            assert all(len(one) == 160 for one in sealed)
    finally:
        stop.set()
        thread.join()


def test_subclasses_are_read_as_what_is_in_memory(ring: Ring) -> None:
    key = ring.add()

    class Text(bytes):
        def __len__(self) -> int:
            return 10**6

    class Records(list):
        def __len__(self) -> int:
            return 10**6

    sealed = blob.seal_batch(key.handle, Records([Text(b"abc"), b"d"]), b"")
    assert blob.open_batch(ring.resolve, sealed, b"")[0] == [b"abc", b"d"]
    rows = np.zeros((2, 3), np.uint8).view(Lying)
    assert blob.seal_batch(key.handle, rows, b"").shape == (2, 99)
    packed = Packed(BYTES.view(Lying), OFFSETS.view(Lying))
    assert len(blob.seal_batch(key.handle, packed, b"").data) == 16 + 3 * 96


WRONG: dict[str, tuple[object, str]] = {
    "big-endian offsets": (Packed(BYTES, OFFSETS.astype(">i8")), "not >i8 of shape"),
    "unsigned offsets": (Packed(BYTES, OFFSETS.astype(np.uint64)), "not <u8"),
    "offsets in a list": (Packed(BYTES, [0, 4]), "offsets must be .* not list"),
    "bytes as data": (Packed(b"abc", OFFSETS), "data must be .* not bytes"),
    "two dimensions of data": (Packed(BYTES.reshape(4, 4), OFFSETS), r"of shape \(4, 4\)"),
    "a masked array": (np.ma.masked_array(np.zeros((2, 3), np.uint8)), "masked"),
    "masked offsets": (Packed(BYTES, np.ma.masked_array(OFFSETS)), "masked"),
    "a generator": ((one for one in [b"a"]), "not generator"),
    "a bytearray in a list": ([bytearray(b"a")], r"values\[0\] is bytearray"),
    "a memoryview in a list": ([b"a", memoryview(b"a")], r"values\[1\] is memoryview"),
    "a dictionary": (pa.array([b"a", b"a"]).dictionary_encode(), "dictionary.*cast it"),
    "a view": (pa.array([b"a"], pa.binary_view()), "binary_view; cast it"),
    "a table": (pa.table({"a": [b"a"]}), "Table; cast it"),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_what_is_built_wrong_is_named(ring: Ring, name: str) -> None:
    values, says = WRONG[name]
    with pytest.raises(ValidationError, match=says):
        blob.seal_batch(ring.add().handle, values, b"")


@pytest.mark.parametrize("threads", [0, -1, 257, 2**40, "2", 1.0, None, True])
def test_threads_out_of_range(ring: Ring, threads: object) -> None:
    handle = ring.add().handle
    with pytest.raises(ValidationError, match=r"threads must be between 1 and 256, not"):
        blob.seal_batch(handle, [b"x"], b"", threads=threads)
    with pytest.raises(ValidationError, match=r"threads must be between 1 and 256, not"):
        blob.open_batch(ring.resolve, [b"x"], b"", threads=threads)


def test_no_records_have_a_shape_too(ring: Ring) -> None:
    handle = ring.add().handle
    sealed = blob.seal_batch(handle, np.zeros((0, 8), np.uint8), b"")
    assert sealed.shape == (0, 104)
    assert blob.open_batch(ring.resolve, sealed, b"")[0].shape == (0, 8)
    assert blob.open_batch(ring.resolve, np.zeros((0, 8), np.uint8), b"")[0].shape == (0, 0)
    assert len(blob.open_batch(ring.resolve, np.zeros(0, "V8"), b"")[0]) == 0
    none = pa.chunked_array([], pa.large_string())
    assert blob.seal_batch(handle, none, b"").type == pa.large_binary()


def test_results_beyond_int32_offsets_are_large_binary(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if 200 bytes were the most that 32-bit offsets reach."""

    def plan(out: object, bad: object, offsets: object, num: int, *rest: object) -> int:
        status = native.lib.kf_offsets_plan32(out, bad, offsets, num, *rest)
        return native.lib.KF_ERR_CAPACITY if out[num] > 200 else status  # type: ignore[index]

    limited = SimpleNamespace(**{name: getattr(native.lib, name) for name in dir(native.lib)})
    limited.kf_offsets_plan32 = plan
    monkeypatch.setattr(column_numpy, "lib", limited)
    handle = ring.add().handle
    short, long = pa.array([b"x", None]), pa.array(["x" * 9, "y" * 9])
    assert blob.seal_batch(handle, short, b"").type == pa.binary()
    assert blob.seal_batch(handle, long, b"").type == pa.large_binary()
    both = blob.seal_batch(handle, pa.chunked_array([short, long.cast(pa.binary())]), b"")
    assert both.type == pa.large_binary()
    opened, errors = blob.open_batch(ring.resolve, both, b"")
    assert (opened.to_pylist(), errors) == ([b"x", None, b"x" * 9, b"y" * 9], {})


@pytest.mark.slow
def test_offsets_that_wrap_round(ring: Ring) -> None:
    """Steps of less than a record that lead past 2**63 and back to 0: refused, never read."""
    num = 2**28 + 2
    offsets = (np.arange(num + 1, dtype=np.uint64) * np.uint64(2**36 - 256)).view(np.int64)
    offsets[-1] = BYTES.size  # 272 after the one before, which is -256
    assert (offsets[0], offsets[-2]) == (0, -256)
    with pytest.raises(ValidationError, match="offsets must not decrease"):
        blob.seal_batch(ring.add().handle, Packed(BYTES, offsets), b"")


@pytest.mark.slow
def test_results_of_more_than_two_gib(ring: Ring) -> None:
    """The blobs of 23 million empty strings: no longer binary, still readable."""
    handle, num = ring.add().handle, 23_000_000
    empty = pa.Array.from_buffers(
        pa.string(), num, [None, pa.py_buffer(np.zeros(num + 1, np.int32)), pa.py_buffer(b"")]
    )
    sealed = blob.seal_batch(handle, empty, b"", threads=2)
    assert (sealed.type, sealed.nbytes > 2**31) == (pa.large_binary(), True)
    opened, errors = blob.open_batch(ring.resolve, sealed, b"", threads=2)
    assert (len(opened), opened.buffers()[2].size, errors) == (num, 0, {})


def test_errors_are_new_each_time(ring: Ring) -> None:
    """One that was raised before would keep the frames, and their plaintexts, of every raise."""
    key = ring.add()
    bad = bytearray(blob.seal_one(key.handle, b"x", b""))
    bad[-1] ^= 1
    seen = []
    for _ in range(2):
        with pytest.raises(Exception, match="does not open") as raised:
            blob.open_one(key.handle, bytes(bad), b"")
        seen.append(raised.value)
    assert seen[0] is not seen[1]
    _, errors = blob.open_batch(ring.resolve, [bytes(bad)] * 2, b"")
    assert errors[0] is not errors[1]


def test_forged_blobs_cost_one_pass(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    good = blob.seal_one(ring.add().handle, b"x", b"")
    forged = [good[:24] + i.to_bytes(32, "big") + good[56:] for i in range(200)]
    forged += [good[:4] + i.to_bytes(16, "big") + good[20:] for i in range(200)]
    passes = []
    real = blob._Opening._open
    monkeypatch.setattr(blob._Opening, "_open", lambda *all_: passes.append(1) or real(*all_))
    opened, errors = blob.open_batch(ring.resolve, [*forged, good], b"")
    assert (opened[-1], len(errors), len(passes)) == (b"x", 400, 1)
