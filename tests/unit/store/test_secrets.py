"""No key bytes where they do not belong: files, logs, errors, the process's memory.

The keys are unwrapped here in Python, from the root key file, to know what to look for.
"""

from __future__ import annotations

import copy
import logging
import pickle
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
import reference
import scripts
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from store_files import files_of

import kmsfast


def secrets(path: Path) -> dict[str, bytes]:
    """Every key of a store at rest, by name.

    The store may be open here, and closing its file in this process would drop SQLite's locks: so
    another process copies it.
    """
    copied = path.with_name("copy")
    subprocess.run(["cp", "-r", path, copied], check=True)
    database = sqlite3.connect(copied / "store.db")
    store_id, wrapped = database.execute("SELECT store_id, wrapped_key FROM store").fetchone()
    root = (path / "root.key").read_bytes()
    store_key = reference.unwrap_store_key(root, wrapped, store_id)
    found = {"root": root[16:], "store key": store_key}
    found["store wrap subkey"] = reference.material_wrap_key(store_key, store_id)
    for spec, key_id, number, data in database.execute(
        "SELECT spec, key_id, number, wrapped FROM key_versions JOIN keys USING (key_id)"
    ):
        algorithm = reference.algorithm_of(spec)
        material = reference.unwrap_material(
            store_key, store_id, data, key_id, number, algorithm=algorithm
        )
        if algorithm == reference.ALGORITHM_AES256:
            found[f"material {number}"] = material
            found[f"subkey {number}"] = reference.xaes_key(material, key_id, number)
        elif algorithm == reference.ALGORITHM_PKCS8:
            found[f"{spec} whole"] = material
            found[f"{spec} secret"] = secret_in(material)
        else:
            found[f"{spec} material {key_id.hex()}"] = material
    database.close()
    shutil.rmtree(copied)
    return found


def secret_in(der: bytes) -> bytes:
    """The scalar or the seed of a private key."""
    private = load_der_private_key(der, None)
    if isinstance(private, EllipticCurvePrivateKey):
        return private.private_numbers().private_value.to_bytes(48, "big")
    return private.private_bytes_raw()


# P-256, whose keys C holds, and what `cryptography` holds.
PRIVATE = ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_EDWARDS25519", "ML_DSA_44"]


def test_files_hold_no_key(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key(alias="alias/a")
        key.encrypt_batch([b"x"] * 100)
        for _ in range(3):
            key.rotate()
        for spec in PRIVATE:
            kms.create_key(spec=spec, usage="SIGN_VERIFY").sign(b"x")
        kms.create_key(spec="HMAC_256").mac(b"x")
        known = secrets(path)
        assert len(known) == 11 + 1 + 2 * len(PRIVATE) - 1
        files = [str(f.relative_to(path)) for f in files_of(path)]
        assert "store.db-wal" in files
        for name in files:
            data = (path / name).read_bytes() if name != "store.db" else b""
            for what, secret in known.items():
                assert (secret in data) == (name == "root.key" and what == "root"), (name, what)
    database = (path / "store.db").read_bytes()
    assert not [what for what, secret in known.items() if secret in database]


def test_logs_and_errors_hold_no_key(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[object] = []
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key(alias="alias/a")
        blob = key.encrypt(b"the plaintext", {"a": "b"})
        known = secrets(path)
        database = kms._app.store.directory._database
        with database.read() as connection:
            connection.execute("PRAGMA query_only = ON")
        for use in (
            key.rotate, lambda: kms.decrypt(blob), lambda: kms.decrypt_batch([blob[:-1]]),
            lambda: kms.key("nobody"), lambda: key.encrypt("the plaintext"),
        ):  # fmt: skip
            with pytest.raises(kmsfast.KmsError) as raised:
                use()
            said += [raised.value, raised.value.__cause__]
            said += [e.frame.f_locals for e in raised.traceback if "kmsfast" in str(e.path)]
        said += [kms, key, kms._ring, kms._app, kms._app.store.store_key, kms.describe()]
    text = caplog.text + "\n".join(f"{thing!r} {thing}" for thing in said)
    for what, secret in known.items():
        for form in (secret.hex(), repr(secret)[2:-1], str(list(secret))[1:-1]):
            assert form not in text, what
    messages = "\n".join(str(thing) for thing in said if isinstance(thing, BaseException))
    assert "the plaintext" not in messages
    assert blob.hex() not in messages
    assert repr(blob)[2:-1] not in messages


BUSY = """
    import sys
    import kmsfast
    kms = kmsfast.open(sys.argv[1])
    key = kms.key("alias/a")
    key.encrypt_batch([b"x"] * 1000, {"a": "b"})
    kms.decrypt_batch(key.encrypt_batch([b"x"] * 1000))
    key.rotate()
    kms.decrypt(key.encrypt(b"x"))
    kms.key("alias/mac").mac_batch([b"x"] * 1000)
    kms.key("alias/mac").verify_mac(b"x", kms.key("alias/mac").mac(b"x"))
    signing = kms.key("alias/sign")
    signing.verify_batch([b"x" * 32] * 100, signing.sign_batch([b"x" * 32] * 100))
    signing.verify(b"x", signing.sign(b"x", deterministic=True))
    kms.key("alias/derive").derive_shared_secret(kms.key("alias/derive").public_key_der())
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_memory_holds_keys_in_the_arena_alone(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        kms.create_key(alias="alias/a")
        kms.create_key(alias="alias/mac", spec="HMAC_256")
        kms.create_key(alias="alias/sign", spec="ECC_NIST_P256", usage="SIGN_VERIFY")
        kms.create_key(alias="alias/derive", spec="ECC_NIST_P256", usage="KEY_AGREEMENT")
    busy = scripts.start(BUSY, path)
    assert busy.stdout is not None
    assert busy.stdout.readline() == "ready\n"
    try:
        where = _hits(busy.pid, secrets(path))
    except PermissionError:
        pytest.skip("this system does not let a process look into its children")
    finally:
        busy.communicate("\n")
    assert where.pop("arena")
    assert where == {}


def _hits(pid: int, known: dict[str, bytes]) -> dict[str, set[str]]:
    """The keys found in each mapping of a process; mappings left out of dumps are the arena."""
    found: dict[str, set[str]] = {}
    smaps = Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8")
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for block in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", smaps)[1:]:
            head, flags = block.split("\n", 1)[0], block.rpartition("VmFlags:")[2].split()
            begin, end = (int(part, 16) for part in head.split()[0].split("-"))
            if "r" not in head.split()[1] or {"io", "pf"} & set(flags) or "[v" in head:
                continue  # pages of devices and of the kernel
            memory.seek(begin)
            data = memory.read(end - begin)
            names = {what for what, secret in known.items() if secret in data}
            if names:
                found.setdefault("arena" if "dd" in flags else head, set()).update(names)
    return found


def test_nothing_that_holds_keys_is_pickled_or_copied(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key()
        with key.sealed_writer() as writer:
            for thing in (kms, key, key.generate_data_key(), writer, kmsfast.Passphrase("p")):
                for use in (copy.copy, copy.deepcopy, pickle.dumps):
                    with pytest.raises(TypeError, match="cannot be pickled or copied"):
                        use(thing)


def test_errors_travel_between_processes() -> None:
    error = kmsfast.BatchError({1: kmsfast.InvalidCiphertext("changed")}, [b"a", None], 2)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.values, list(again.errors)) == (str(error), [b"a", None], [1])


def test_a_changed_root_leaves_nothing_under_the_old_one(path: Path, tmp_path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        with kms._app.store.read() as rows:
            before = rows.store_row()["wrapped_key"]
        kms.change_root(kmsfast.RootKeyFile(tmp_path / "new.key"))
        for wrong in (None, "new.key", tmp_path):
            with pytest.raises(kmsfast.ValidationError, match="a root key is"):
                kms.change_root(wrong)
        for file in files_of(path):
            assert before not in file.read_bytes(), file
