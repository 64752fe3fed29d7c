"""Children of one fork that encrypt at once: nonces of their own, and nothing under wiped keys.

Rule: every blob of every process is checked from outside, with the material that the test reads
from the store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import reference
import scripts
from cryptography.exceptions import InvalidTag

import kmsfast

CHILDREN, SINGLE, BATCH = 64, 20, 600
EACH = SINGLE + BATCH + 2  # and a data key, and that of a sealed batch

CONCURRENT = """
    import os, sys
    import kmsfast
    from kmsfast.crypto.native import ffi, lib
    path, children, single, batch = sys.argv[1], *map(int, sys.argv[2:])
    kms = kmsfast.open(path)
    key = kms.key("alias/main")
    first = key.encrypt(b"x")
    handle = key._sealing.binding.key
    key.encrypt_batch([b"x"] * 5000, threads=2)  # whatever a generator keeps, all children inherit

    def make(key, name):
        blobs = [key.encrypt(b"x") for _ in range(single)]
        blobs += key.encrypt_batch([b"x"] * batch, threads=2)
        blobs.append(key.generate_data_key(32).ciphertext_blob)
        blobs.append(key.seal_batch([b"x"]).header[8:])
        with open(f"{path}.blobs.{name}", "wb") as out:
            for blob in blobs:
                out.write(len(blob).to_bytes(4, "big") + blob)

    def use_the_parents_handle():
        out, status = ffi.new("uint8_t[]", b"Z" * 99), ffi.new("uint8_t *")
        column = ffi.new("struct kf_column *")
        text = ffi.new("uint8_t[]", b"x")
        column.data, column.data_len, column.width = text, 1, 1
        blob, null = ffi.from_buffer("uint8_t[]", first), ffi.NULL
        done = {
            lib.kf_blob_seal_one(handle, out, text, 1, null, 0, null, 0),
            lib.kf_blob_seal(handle, out, 97, null, null, column, 1, null, null, 0, null, 1),
            lib.kf_blob_open_one(handle, out, status, blob, 97, null, 0, null, 0),
            lib.kf_data_key(handle, out, out, 1, null, 0),
            lib.kf_key_prefix(handle, out),
            lib.kf_key_check(handle),
        }
        assert bytes(ffi.buffer(out, 99)) == b"Z" * 99, "written under a wiped key"
        return done

    def child(name):
        os.read(wait, 1)  # until the parent lets all of them go
        assert use_the_parents_handle() == {lib.KF_ERR_FORKED}
        with kmsfast.open(path) as again:
            make(again.key("alias/main"), name)
            assert use_the_parents_handle() <= {lib.KF_ERR_FORKED, lib.KF_ERR_STALE}

    wait, go = os.pipe()
    running = []
    for name in range(children):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(go)
                child(name)
                status = 0
            finally:
                os._exit(status)
        running.append(pid)
    os.close(go)
    make(key, "parent")
    print([os.waitpid(pid, 0)[1] for pid in running] == [0] * children)
"""


def blobs_in(path: Path) -> Iterator[bytes]:
    data, at = path.read_bytes(), 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : end]
        at = end


def material_of(path: Path, key: kmsfast.Key) -> bytes:
    with closing(sqlite3.connect(path / "store.db")) as rows:
        store_id, wrapped = rows.execute("SELECT store_id, wrapped_key FROM store").fetchone()
        (material,) = rows.execute("SELECT wrapped FROM key_versions").fetchone()
    store_key = reference.unwrap_store_key((path / "root.key").read_bytes(), wrapped, store_id)
    return reference.unwrap_material(store_key, store_id, material, key._raw_id, 1)


def test_children_that_encrypt_at_once(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key(alias="alias/main")
    assert scripts.run(CONCURRENT, path, CHILDREN, SINGLE, BATCH) == "True\n"
    files = list(path.parent.glob(f"{path.name}.blobs.*"))
    blobs = [blob for file in files for blob in blobs_in(file)]
    assert len(files) == CHILDREN + 1
    assert len(blobs) == (CHILDREN + 1) * EACH
    assert len({blob[56:80] for blob in blobs}) == len(blobs)
    # XAES derives a key from the first half of the nonce and uses the second with it
    assert len({blob[56:68] for blob in blobs}) == len(blobs)

    material = material_of(path, key)
    start = reference.prefix(material, key._raw_id, 1)
    bound = reference.digest(start, None)
    zero_keys = [bytes(32), reference.xaes_key(bytes(32), key._raw_id, 1)]
    for blob in blobs:
        assert blob[:56] == start
        assert reference.open_blob(material, blob, None) == b"x" or len(blob) == 128
        for zero in zero_keys:
            with pytest.raises(InvalidTag):
                reference.xaes_open(zero, blob[56:80], blob[80:], bound)
