"""sign, verify, mac, public-key, derive and data-key-pair, as they are used."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest
from cli_runner import Cli

import kmsfast

SIGNING = {
    "alias/p256": "ECC_NIST_P256", "alias/p384": "ECC_NIST_P384", "alias/rsa": "RSA_2048",
    "alias/ed": "ECC_NIST_EDWARDS25519", "alias/ml": "ML_DSA_44",
}  # fmt: skip
ALGORITHM = {"alias/rsa": ("--algorithm", "RSASSA_PSS_SHA_256")}

USED = {
    "alias/p256": "ECDSA_SHA_256", "alias/p384": "ECDSA_SHA_384", "alias/rsa": "RSASSA_PSS_SHA_256",
    "alias/ed": "ED25519_SHA_512", "alias/ml": "ML_DSA_SHAKE_256",
}  # fmt: skip


@pytest.fixture
def signer(empty: Cli) -> Cli:
    """A store with keys of several specs, and message.txt."""
    with kmsfast.open(empty.directory / "store", create=True) as kms:
        for alias, spec in SIGNING.items():
            kms.create_key(spec=spec, usage="SIGN_VERIFY", alias=alias)
        kms.create_key(spec="HMAC_256", alias="alias/mac")
        for alias in ("alias/alice", "alias/bob"):
            kms.create_key(spec="ECC_NIST_P384", usage="KEY_AGREEMENT", alias=alias)
        kms.create_key(alias="alias/orders")
    (empty.directory / "message.txt").write_text("to whom it may concern\n")
    return empty


def of_key(alias: str) -> tuple[str, ...]:
    return ("-k", alias, *ALGORITHM.get(alias, ()))


def test_keys_of_every_spec_are_made_and_shown(empty: Cli) -> None:
    empty.ok("init")
    key = empty.ok("key", "create", "--spec", "ECC_NIST_P384", "--usage", "KEY_AGREEMENT").strip()
    shown = json.loads(empty.ok("key", "describe", key, "--json"))
    assert (shown["spec"], shown["usage"], shown["origin"]) == (
        "ECC_NIST_P384", "KEY_AGREEMENT", "AWS_KMS"
    )  # fmt: skip
    assert shown["algorithms"] == ["ECDH"]
    assert "ECC_NIST_P384" in empty.ok("key", "list")
    assert "KEY_AGREEMENT" in empty.ok("key", "describe", key)
    said = empty.refused(2, "key", "create", "--spec", "RSA_2048")
    assert "ENCRYPT_DECRYPT and SIGN_VERIFY" in said
    assert "China" in empty.refused(2, "key", "create", "--spec", "SM2", "--usage", "SIGN_VERIFY")
    assert "[SYMMETRIC_DEFAULT, " in empty.refused(2, "key", "create", "--spec", "RSA_1024")
    empty.refused(2, "key", "create", "--spec", "HMAC_256", "--usage", "SIGN_VERIFY")
    assert "rotate" in empty.refused(2, "key", "rotate", key)
    empty.refused(2, "key", "create", "--spec", "HMAC_256", "--rotation-days", "90")


@pytest.mark.parametrize("alias", SIGNING)
def test_a_file(signer: Cli, alias: str) -> None:
    shown = signer.ok("sign", "message.txt", *of_key(alias))
    (signer.directory / "shown").write_text(shown)
    signer.ok("sign", "message.txt", *of_key(alias), "-o", "raw.sig")
    signer.refused(6, "sign", "message.txt", *of_key(alias), "-o", "raw.sig")
    signer.ok("sign", "message.txt", *of_key(alias), "-o", "raw.sig", "--force")
    for name in ("shown", "raw.sig"):
        assert signer.ok("verify", "message.txt", *of_key(alias), "-s", name) == "verified\n"
    (signer.directory / "other.txt").write_text("to whom it may concern")
    said = signer.refused(3, "verify", "other.txt", *of_key(alias), "-s", "raw.sig")
    assert said.startswith("kmsfast: other.txt: the signature is not that of this message")


@pytest.mark.parametrize("alias", SIGNING)
def test_json(signer: Cli, alias: str) -> None:
    found = json.loads(signer.ok("sign", "message.txt", *of_key(alias), "--json"))
    assert found["spec"] == SIGNING[alias]
    assert found["algorithm"] == USED[alias]
    (signer.directory / "sig").write_bytes(b64decode(found["signature"]))
    found = json.loads(signer.ok("verify", "message.txt", *of_key(alias), "-s", "sig", "--json"))
    assert (found["verified"], found["wrong"]) == (1, [])
    found = json.loads(signer.ok("sign", "message.txt", *of_key(alias), "--json", "-o", "sig2"))
    assert "signature" not in found


@pytest.mark.parametrize("alias", SIGNING)
def test_a_large_file_and_a_pipe(signer: Cli, alias: str) -> None:
    data, options = os.urandom(3 << 20), of_key(alias)
    (signer.directory / "large").write_bytes(data)
    if alias == "alias/ed":
        said = signer.refused(2, "sign", "large", *options)
        assert "large: ED25519_SHA_512 signs messages of at most 4096 bytes" in said
        options = (*options, "--algorithm", "ED25519_PH_SHA_512")
    signer.ok("sign", "large", *options, "-o", "large.sig")
    piped = subprocess.run(
        signer.command("verify", "-", *options, "-s", "large.sig"),
        cwd=signer.directory, env=signer.environment(), input=data, capture_output=True,
        check=False,
    )  # fmt: skip
    assert piped.stdout == b"verified\n", piped.stderr
    (signer.directory / "large").write_bytes(data[:-1])
    signer.refused(3, "verify", "large", *options, "-s", "large.sig")


def test_digests(signer: Cli) -> None:
    message = (signer.directory / "message.txt").read_bytes()
    (signer.directory / "digest").write_bytes(hashlib.sha256(message).digest())
    options = (*of_key("alias/p256"), "--message-type", "digest")
    signer.ok("sign", "digest", *options, "-o", "sig", "--encoding", "raw", "--deterministic")
    assert len((signer.directory / "sig").read_bytes()) == 64
    signer.ok("verify", "message.txt", *of_key("alias/p256"), "-s", "sig", "--encoding", "raw")
    signer.ok("verify", "digest", *options, "-s", "sig", "--encoding", "raw")
    said = signer.refused(2, "sign", "message.txt", *options)
    assert "Digest is invalid length for algorithm ECDSA_SHA_256" in said
    said = signer.refused(2, "sign", "digest", *of_key("alias/ml"), "--message-type", "external-mu")
    assert "invalid length" in said


@pytest.mark.parametrize("alias", ["alias/p256", "alias/p384", "alias/rsa"])
@pytest.mark.parametrize("encoding", [(), ("--encoding", "raw")])
def test_a_file_of_hex_digests(signer: Cli, alias: str, encoding: tuple[str, ...]) -> None:
    if alias == "alias/rsa" and encoding:
        pytest.skip("RSA has one encoding")
    sha = hashlib.sha384 if alias == "alias/p384" else hashlib.sha256
    lines = [sha(b"%d" % i).hexdigest() for i in range(50)]
    (signer.directory / "digests").write_text("\n".join(lines) + "\n")
    options = (*of_key(alias), "--batch", "hex", *encoding)
    signer.ok("sign", "digests", *options, "-o", "signatures")
    signatures = (signer.directory / "signatures").read_text().split()
    assert len(signatures) == 50
    assert len(signer.ok("sign", "digests", *options).split()) == 50
    said = signer.ok("verify", "digests", *options, "-s", "signatures")
    assert said == "verified 50 signatures\n"
    found = json.loads(signer.ok("sign", "digests", *options, "--json"))
    assert len(found["signatures"]) == 50
    signatures[16], signatures[40] = signatures[40], signatures[16]
    (signer.directory / "wrong").write_text("\n".join(signatures))
    said = signer.refused(3, "verify", "digests", *options, "-s", "wrong")
    assert said == "kmsfast: 2 of 50 signatures do not verify; the first is that of record 17\n"
    result = signer("verify", "digests", *options, "-s", "wrong", "--json")
    assert (result.code, json.loads(result.out)["wrong"]) == (3, [17, 41])
    (signer.directory / "digests").write_text(f"{lines[0]}\nxyz\n")
    said = signer.refused(2, "sign", "digests", *options)
    assert "line 2 of digests is not hexadecimal" in said


@pytest.mark.parametrize("alias", ["alias/p256", "alias/p384", "alias/rsa", "alias/ed"])
def test_a_file_of_binary_digests(signer: Cli, alias: str) -> None:
    size = {"alias/p384": 48, "alias/ed": 64}.get(alias, 32)
    (signer.directory / "digests").write_bytes(os.urandom(20 * size))
    raw = ("--encoding", "raw") if "p" in alias else ()
    options = (*of_key(alias), "--batch", "binary", *raw)
    signer.ok("sign", "digests", *options, "-o", "signatures", "--threads", "2")
    assert "20 signatures" in signer.ok("verify", "digests", *options, "-s", "signatures")
    if raw:
        said = signer.refused(2, "sign", "digests", *of_key(alias), "--batch", "binary", "-o", "x")
        assert "--encoding raw" in said
    (signer.directory / "cut").write_bytes((signer.directory / "digests").read_bytes()[:-1])
    said = signer.refused(2, "sign", "cut", *options, "-o", "x")
    assert f"no whole records of {size}" in said
    assert "--output" in signer.refused(2, "sign", "digests", *options)


@pytest.mark.parametrize("alias", SIGNING)
def test_a_directory(signer: Cli, alias: str) -> None:
    tree = signer.directory / "tree"
    (tree / "deep" / "er").mkdir(parents=True)
    for name in ("a.txt", "b.bin", "deep/c", "deep/er/d"):
        (tree / name).write_bytes(os.urandom(100))
    said = signer.ok("sign", "tree", *of_key(alias), "-o", "signatures")
    assert said == "signed 4 files\n"
    made = {str(p.relative_to(signer.directory / "signatures"))
            for p in (signer.directory / "signatures").rglob("*") if p.is_file()}  # fmt: skip
    assert made == {"a.txt.sig", "b.bin.sig", "deep/c.sig", "deep/er/d.sig"}
    assert "4 signatures" in signer.ok("verify", "tree", *of_key(alias), "-s", "signatures")
    (tree / "b.bin").write_bytes(b"changed")
    (tree / "new").write_bytes(b"not signed")
    said = signer.refused(3, "verify", "tree", *of_key(alias), "-s", "signatures")
    assert said == "kmsfast: 2 of 5 signatures do not verify; the first is that of b.bin\n"
    assert "--output" in signer.refused(2, "sign", "tree", *of_key(alias))
    signer.refused(6, "sign", "tree", *of_key(alias), "-o", "signatures")


@pytest.mark.parametrize("place", ["tree", "tree/signatures"])
def test_signatures_in_the_directory_itself(signer: Cli, place: str) -> None:
    tree = signer.directory / "tree"
    (tree / "deep").mkdir(parents=True)
    for name in ("a", "alone.sig", "deep/b"):
        (tree / name).write_text(name)
    key = of_key("alias/p256")
    for _ in range(2):
        assert signer.ok("sign", "tree", *key, "-o", place, "--force") == "signed 3 files\n"
        assert "3 signatures" in signer.ok("verify", "tree", *key, "-s", place)
    (tree / "deep" / "new").write_text("not signed")
    said = signer.refused(3, "verify", "tree", *key, "-s", place)
    assert "1 of 4 signatures do not verify; the first is that of deep/new" in said


def test_json_of_digests_names_the_algorithm_of_digests(signer: Cli) -> None:
    (signer.directory / "digests").write_text("00" * 64)
    options = ("digests", *of_key("alias/ed"), "--batch", "hex", "--json")
    assert json.loads(signer.ok("sign", *options))["algorithm"] == "ED25519_PH_SHA_512"


def test_files_that_are_gone(signer: Cli) -> None:
    tree, key = signer.directory / "tree", of_key("alias/p256")
    (tree / "deep").mkdir(parents=True)
    for name in ("a", "deep/b", "c.sig"):
        (tree / name).write_text(name)
    for place in (".", "signatures", "tree/inside"):
        signer.ok("sign", "tree", *key, "-o", place)
        assert "3 signatures" in signer.ok("verify", "tree", *key, "-s", place)
    shutil.rmtree(tree / "inside")
    (tree / "deep" / "b").unlink()
    said = signer.refused(3, "verify", "tree", *key, "-s", "signatures")
    assert said == "kmsfast: 1 of 3 signatures do not verify; the first is that of deep/b\n"
    signer.ok("sign", "tree", *key, "-o", "tree")
    (tree / "a").unlink()
    said = signer.refused(3, "verify", "tree", *key, "-s", "tree")
    assert said == "kmsfast: 1 of 2 signatures do not verify; the first is that of a.sig\n"
    shutil.rmtree(tree)
    tree.mkdir()
    said = signer.refused(3, "verify", "tree", *key, "-s", "signatures")
    assert "3 of 3 signatures do not verify" in said
    shutil.rmtree(signer.directory / "signatures")
    assert "tree has no files" in signer.refused(2, "verify", "tree", *key, "-s", "signatures")


def test_macs(signer: Cli) -> None:
    key = ("-k", "alias/mac")
    shown = signer.ok("mac", "message.txt", *key)
    assert len(b64decode(shown)) == 32
    (signer.directory / "shown").write_text(shown)
    signer.ok("mac", "message.txt", *key, "-o", "tag")
    for name in ("shown", "tag"):
        assert signer.ok("mac", "message.txt", *key, "--verify", name) == "verified\n"
    found = json.loads(signer.ok("mac", "message.txt", *key, "--json"))
    assert (found["mac"], found["algorithm"]) == (shown.strip(), "HMAC_SHA_256")
    (signer.directory / "letter").write_text("x")
    assert "letter: the MAC" in signer.refused(3, "mac", "letter", *key, "--verify", "tag")
    (signer.directory / "long").write_bytes(bytes(4097))
    assert "4096" in signer.refused(2, "mac", "long", *key)
    signer.refused(2, "mac", "message.txt", *key, "--verify", "tag", "-o", "x")


def test_macs_of_lines(signer: Cli) -> None:
    key = ("-k", "alias/mac", "--batch", "lines")
    lines = [f"c{i}@example.com" for i in range(100)]
    (signer.directory / "mails").write_text("\n".join(lines) + "\n")
    signer.ok("mac", "mails", *key, "-o", "index")
    index = (signer.directory / "index").read_text().split()
    with kmsfast.open(signer.directory / "store") as kms:
        expected = kms.key("alias/mac").mac_batch([line.encode() for line in lines])
    assert index == [mac.hex() for mac in expected]
    assert signer.ok("mac", "mails", *key).split() == index
    assert signer.ok("mac", "mails", *key, "--verify", "index") == "verified 100 MACs\n"
    (signer.directory / "index").write_text("\n".join([*index[:98], index[99], index[98]]))
    said = signer.refused(3, "mac", "mails", *key, "--verify", "index")
    assert said == "kmsfast: 2 of 100 MACs do not verify; the first is that of record 99\n"
    found = json.loads(signer.ok("mac", "mails", *key, "--json"))
    assert [b64decode(mac).hex() for mac in found["macs"]] == index


@pytest.mark.parametrize("alias", SIGNING)
def test_public_keys(signer: Cli, alias: str) -> None:
    pem = signer.ok("public-key", alias)
    assert pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    signer.ok("public-key", alias, "-o", "pub.pem")
    assert (signer.directory / "pub.pem").read_text() == pem
    signer.ok("public-key", alias, "--der", "-o", "pub.der")
    der = (signer.directory / "pub.der").read_bytes()
    found = json.loads(signer.ok("public-key", alias, "--json"))
    assert (
        b64decode(found["public_key"]) == der == b64decode(signer.ok("public-key", alias, "--der"))
    )
    assert (found["spec"], found["usage"]) == (SIGNING[alias], "SIGN_VERIFY")
    with kmsfast.open(signer.directory / "store") as kms:
        assert kms.key(alias).public_key_der() == der


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_openssl_takes_the_files(signer: Cli) -> None:
    signer.ok("sign", "message.txt", "-k", "alias/p256", "-o", "m.sig")
    signer.ok("public-key", "alias/p256", "-o", "pub.pem")
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", "pub.pem", "-signature", "m.sig", "message.txt"],
        cwd=signer.directory, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "Verified OK\n"


def test_both_derive_the_same_secret(signer: Cli) -> None:
    for alias in ("alice", "bob"):
        signer.ok("public-key", f"alias/{alias}", "-o", f"{alias}.pem")
        signer.ok("public-key", f"alias/{alias}", "--der", "-o", f"{alias}.der")
    signer.ok("derive", "alias/alice", "bob.pem", "-o", "one")
    found = json.loads(signer.ok("derive", "alias/bob", "alice.der", "--json"))
    secret = (signer.directory / "one").read_bytes()
    assert len(secret) == 48
    assert b64decode(found["shared_secret"]) == secret
    one = signer.directory / "one"
    assert one.stat().st_mode & 0o777 == 0o600
    one.chmod(0o644)
    signer.ok("derive", "alias/alice", "bob.pem", "-o", "one", "--force")
    assert one.stat().st_mode & 0o777 == 0o600
    assert "--output" in signer.refused(2, "derive", "alias/alice", "bob.pem")
    signer.ok("public-key", "alias/p256", "-o", "other.pem")
    said = signer.refused(2, "derive", "alias/alice", "other.pem", "-o", "x")
    assert "it is of ECC_NIST_P256" in said
    said = signer.refused(2, "derive", "alias/p384", "bob.pem", "-o", "x")
    assert "not valid for DeriveSharedSecret" in said


def test_data_key_pairs(signer: Cli) -> None:
    made = ("data-key-pair", "ECC_NIST_EDWARDS25519", "-k", "alias/orders", "-c", "a=b")
    signer.ok(*made, "--public", "pub.pem", "--blob", "private.kms", "--private", "private.der")
    files = [signer.directory / name for name in ("pub.pem", "private.kms", "private.der")]
    for file in files:
        file.chmod(0o644)
    signer.ok(
        *made, "--public", "pub.pem", "--blob", "private.kms", "--private", "private.der", "--force"
    )
    assert [file.stat().st_mode & 0o777 for file in files] == [0o644, 0o644, 0o600]
    with kmsfast.open(signer.directory / "store") as kms:
        opened = kms.decrypt((signer.directory / "private.kms").read_bytes(), {"a": "b"})
    assert opened == (signer.directory / "private.der").read_bytes()
    before = signer.names()
    found = json.loads(signer.ok(*made, "--public", "p2", "--blob", "b2", "--json"))
    assert found["spec"] == "ECC_NIST_EDWARDS25519"
    assert signer.names() == before | {"p2", "b2"}
    signer.refused(6, *made, "--public", "p3", "--blob", "b2")
    signer.refused(2, "data-key-pair", "AES", "-k", "alias/orders", "--public", "a", "--blob", "b")
    said = signer.refused(
        2, "data-key-pair", "RSA_2048", "-k", "alias/p256", "--public", "a", "--blob", "b"
    )
    assert "not valid for GenerateDataKeyPairWithoutPlaintext" in said


def test_keys_that_do_something_else(signer: Cli) -> None:
    for command in (
        ("sign", "message.txt", "-k", "alias/orders"), ("mac", "message.txt", "-k", "alias/p256"),
        ("encrypt", "message.txt", "-o", "x", "-k", "alias/p256"), ("public-key", "alias/mac"),
        ("sign", "message.txt", "-k", "alias/rsa"),
        ("sign", "message.txt", "-k", "alias/p256", "--algorithm", "ECDSA_SHA_384"),
    ):  # fmt: skip
        signer.refused(2, *command)
    signer.refused(4, "sign", "message.txt", "-k", "alias/nobody")
    signer.refused(6, "sign", "nothing", "-k", "alias/p256")
    signer.refused(6, "verify", "message.txt", "-k", "alias/p256", "-s", "nothing")
    signer.ok("key", "disable", "alias/p256")
    signer.refused(5, "sign", "message.txt", "-k", "alias/p256")


def test_commands_that_need_no_library_do_not_wait_for_it(signer: Cli) -> None:
    """P-256 and HMAC keys of a store are C's: neither `cryptography` nor numpy is imported."""
    for command in (
        ("sign", "message.txt", "-k", "alias/p256"), ("mac", "message.txt", "-k", "alias/mac"),
        ("public-key", "alias/p256"), ("key", "list"),
    ):  # fmt: skip
        code = (
            "import sys; from kmsfast.cli.main import cli; cli.main(standalone_mode=False); "
            "print(*{'cryptography', 'nacl', 'numpy'} & set(sys.modules), file=sys.stderr)"
        )
        done = subprocess.run(
            [signer.command()[0], "-c", code, *command], cwd=signer.directory,
            env=signer.environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stderr.strip() == "", command


def test_the_message_file_is_left_alone(signer: Cli) -> None:
    before = (signer.directory / "message.txt").read_bytes()
    signer.ok("sign", "message.txt", "-k", "alias/p256")
    assert (signer.directory / "message.txt").read_bytes() == before
    assert signer.names() == {"store", "message.txt"}
    assert Path(signer.directory / "store").is_dir()
