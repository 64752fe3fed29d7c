"""Files as streams, read, sealed and written in a thread each, or all in one."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

import kmsfast
from kmsfast.errors import InvalidCiphertext

RECORD, BLOCK = 65_536, 1 << 20
SIZES = [0, 1, RECORD, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 7 * BLOCK + 12_345]
THREADS = pytest.mark.parametrize("threads", [1, 2, 3])


@pytest.fixture
def key(kms: kmsfast.Kms) -> kmsfast.Key:
    return kms.create_key()


def threads_left() -> list[str]:
    lasting = {"kmsfast-usage", "kmsfast-audit"}
    names = {each.name for each in threading.enumerate() if each.name.startswith("kmsfast")}
    return sorted(names - lasting)


@THREADS
@pytest.mark.parametrize("size", SIZES)
def test_files_of_any_size(
    kms: kmsfast.Kms, key: kmsfast.Key, tmp_path: Path, threads: int, size: int
) -> None:
    data = os.urandom(size)
    plain, stream = tmp_path / "plain", tmp_path / "stream"
    plain.write_bytes(data)
    with plain.open("rb") as source, stream.open("wb") as target:
        key.encrypt_stream(source, target, threads=threads)
    back = io.BytesIO()
    with stream.open("rb") as source:
        kms.decrypt_stream(source, back, threads=threads)
    assert back.getvalue() == data
    assert not threads_left()


@THREADS
@pytest.mark.parametrize("at", [136, 136 + 3 * BLOCK, -1])
@pytest.mark.parametrize("cut", [False, True])
def test_a_file_that_was_changed(
    kms: kmsfast.Kms, key: kmsfast.Key, tmp_path: Path, threads: int, at: int, cut: bool
) -> None:
    data = os.urandom(5 * BLOCK)
    sealed, stream = io.BytesIO(), tmp_path / "stream"
    key.encrypt_stream(io.BytesIO(data), sealed)
    wrong = bytearray(sealed.getvalue())
    if cut:
        del wrong[at:]
    else:
        wrong[at] ^= 1
    stream.write_bytes(wrong)
    out = io.BytesIO()
    with stream.open("rb") as source, pytest.raises(InvalidCiphertext):
        kms.decrypt_stream(source, out, threads=threads)
    good = (at % len(sealed.getvalue()) - 136) // (RECORD + 16)
    assert out.getvalue() == data[: good * RECORD]
    assert not threads_left()


@THREADS
def test_a_target_that_fails(key: kmsfast.Key, tmp_path: Path, threads: int) -> None:
    class Full(io.BytesIO):
        def write(self, data: object, /) -> int:
            if self.tell() > BLOCK:
                raise OSError(28, "No space left on device")
            return super().write(data)  # type: ignore[arg-type]

    plain = tmp_path / "plain"
    plain.write_bytes(bytes(9 * BLOCK))
    with plain.open("rb") as source, pytest.raises(OSError, match="No space"):
        key.encrypt_stream(source, Full(), threads=threads)
    assert not threads_left()


@THREADS
def test_a_source_that_fails(key: kmsfast.Key, tmp_path: Path, threads: int) -> None:
    class Failing(io.FileIO):
        def readinto(self, buffer: object, /) -> int:
            if self.tell() >= 2 * BLOCK:
                raise OSError(5, "Input/output error")
            return super().readinto(buffer) or 0  # type: ignore[arg-type]

    plain = tmp_path / "plain"
    plain.write_bytes(bytes(9 * BLOCK))
    out = io.BytesIO()
    with Failing(plain) as source, pytest.raises(OSError, match="Input/output"):
        key.encrypt_stream(source, out, threads=threads)  # type: ignore[arg-type]
    assert not threads_left()


def test_a_pipe_is_read_by_the_caller(key: kmsfast.Key) -> None:
    class Watched(io.FileIO):
        readers: set[int] = set()  # noqa: RUF012 - of the one object of this class

        def readinto(self, buffer: object, /) -> int:
            self.readers.add(threading.get_ident())
            return super().readinto(buffer) or 0  # type: ignore[arg-type]

    reading, writing = os.pipe()
    os.write(writing, b"some bytes")
    os.close(writing)
    with Watched(reading) as source:
        key.encrypt_stream(source, io.BytesIO(), threads=2)  # type: ignore[arg-type]
        assert source.readers == {threading.get_ident()}
