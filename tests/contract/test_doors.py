"""One contract for every door: the same calls, the same results, the same errors."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import kmsfast
from kmsfast import (
    AliasExists,
    BatchError,
    ContextError,
    FrameError,
    InvalidCiphertext,
    InvalidKeyUsage,
    InvalidMac,
    InvalidSignature,
    KeyDisabled,
    KeyNotFound,
    KmsError,
    Packed,
    TagError,
    UnsupportedOperation,
    ValidationError,
)
from kmsfast.service import kinds

CONTEXT = {"table": "orders", "région": "é"}
ROWS = np.arange(3000 * 16, dtype=np.uint8).reshape(3000, 16)
RECORDS = [b"", b"a", None, b"bb" * 700, b"ccc"]
PACKED = Packed(np.frombuffer(b"abbccc", np.uint8), np.array([0, 1, 3, 6]))


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, Packed):
        return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    if isinstance(expected, np.ndarray):
        return found.dtype == expected.dtype and np.array_equal(found, expected)
    return bool(found == expected)


# ---- encryption -----------------------------------------------------------------------------


@pytest.mark.parametrize("plaintext", [b"", b"hello", bytes(5000), bytes(3_000_000)], ids=len)
@pytest.mark.parametrize("context", [None, {}, CONTEXT])
def test_one_record(kms: Any, key: Any, plaintext: bytes, context: Any) -> None:
    blob = key.encrypt(plaintext, context)
    assert len(blob) == len(plaintext) + 96
    assert kms.decrypt(blob, context) == key.decrypt(blob, context) == plaintext


def test_associated_data(kms: Any, key: Any) -> None:
    blob = key.encrypt(b"hello", CONTEXT, b"row 7")
    assert kms.decrypt(blob, CONTEXT, b"row 7") == b"hello"
    with pytest.raises(InvalidCiphertext):
        kms.decrypt(blob, CONTEXT, b"row 8")


BATCHES = {
    "list": RECORDS,
    "empty list": [],
    "rows": ROWS,
    "no rows": ROWS[:0],
    "flat": np.array([b"abc", b"def"], "V3"),
    "packed": PACKED,
    "arrow": pa.array(RECORDS, pa.binary()),
    "large arrow": pa.array(RECORDS, pa.large_binary()),
    "sliced arrow": pa.array([b"x", *RECORDS], pa.binary())[1:],
    "fixed arrow": pa.array([b"abcd", None, b"efgh"], pa.binary(4)),
    "chunked arrow": pa.chunked_array([pa.array([b"a"]), pa.array([b"b", b"cc"])]),
}


@pytest.mark.parametrize("values", BATCHES.values(), ids=BATCHES.keys())
def test_batches(kms: Any, key: Any, values: Any) -> None:
    blobs = key.encrypt_batch(values, CONTEXT)
    assert type(blobs) is type(values) or isinstance(values, pa.Array)
    for opener in (kms, key):
        assert _same(opener.decrypt_batch(blobs, CONTEXT), values)


def test_batches_with_associated_data(kms: Any, key: Any) -> None:
    aad = [b"%d" % i for i in range(len(ROWS))]
    blobs = key.encrypt_batch(ROWS, aad=aad)
    assert _same(kms.decrypt_batch(blobs, aad=aad), ROWS)
    with pytest.raises(BatchError) as caught:
        kms.decrypt_batch(blobs, aad=[*aad[:-1], b"other"])
    assert list(caught.value.errors) == [len(ROWS) - 1]
    with pytest.raises(ValidationError):
        key.encrypt_batch(ROWS, aad=aad[:-1])


@pytest.mark.parametrize("kind", ["list", "rows", "arrow"])
def test_records_fail_one_by_one(kms: Any, key: Any, kind: str) -> None:
    blobs = key.encrypt_batch(ROWS, CONTEXT)
    blobs[7, 90] ^= 1
    blobs[2900] = 0
    given = {
        "rows": blobs,
        "list": [row.tobytes() for row in blobs],
        "arrow": pa.array([row.tobytes() for row in blobs]),
    }[kind]
    found = kms.decrypt_batch(given, CONTEXT, errors="return")
    assert {i: error.code for i, error in found.errors.items()} == {
        7: "InvalidCiphertextException", 2900: "InvalidCiphertextException",
    }  # fmt: skip
    with pytest.raises(BatchError, match="2 of 3000") as caught:
        kms.decrypt_batch(given, CONTEXT)
    values = caught.value.values
    if kind == "rows":
        assert not values[[7, 2900]].any()
        assert _same(np.delete(values, [7, 2900], 0), np.delete(ROWS, [7, 2900], 0))
    else:
        values = values if kind == "list" else values.to_pylist()
        assert values[7] is values[2900] is None
        assert values[8] == ROWS[8].tobytes()


def test_a_batch_of_several_keys(kms: Any, key: Any) -> None:
    other = kms.create_key()
    blobs = [key.encrypt(b"one"), other.encrypt(b"two"), key.encrypt(b"three")]
    assert kms.decrypt_batch(blobs) == [b"one", b"two", b"three"]
    found = key.decrypt_batch(blobs, errors="return")
    assert found.values == [b"one", None, b"three"]
    assert {i: error.code for i, error in found.errors.items()} == {1: "IncorrectKeyException"}
    other.disable()
    found = kms.decrypt_batch(blobs, errors="return")
    assert found.values == [b"one", None, b"three"]
    assert {i: error.code for i, error in found.errors.items()} == {1: "DisabledException"}


def test_re_encryption(kms: Any, key: Any) -> None:
    other = kms.create_key()
    blob = kms.re_encrypt(key.encrypt(b"hello", CONTEXT), other, CONTEXT, {"new": "one"})
    assert other.decrypt(blob, {"new": "one"}) == b"hello"


@pytest.mark.parametrize("kind", ["list", "rows", "arrow"])
def test_rewrapping(kms: Any, kind: str) -> None:
    key = kms.create_key()
    rows = ROWS[:20]
    old = key.encrypt_batch(rows, CONTEXT)
    key.rotate()
    new = key.encrypt_batch(rows, CONTEXT)
    mixed = np.concatenate([old[:10], new[10:]])
    as_list = [row.tobytes() for row in mixed]
    given = {"rows": mixed, "list": as_list, "arrow": pa.array(as_list)}[kind]
    found = kms.rewrap_batch(given, CONTEXT)
    assert type(found) is type(given)
    texts = kinds.to_list(found)
    assert {text[20:24] for text in texts} == {b"\0\0\0\2"}
    assert texts[10:] == as_list[10:]
    assert key.decrypt_batch(texts, CONTEXT) == [row.tobytes() for row in rows]
    as_list[3] = b"no blob"
    with pytest.raises(BatchError) as caught:
        kms.rewrap_batch(as_list, CONTEXT)
    assert list(caught.value.errors) == [3]


def test_data_keys(kms: Any, key: Any) -> None:
    made = key.generate_data_key(48, CONTEXT)
    assert kms.decrypt(made.ciphertext_blob, CONTEXT) == made.plaintext
    assert (len(made.plaintext), made.key_arn) == (48, key.arn)
    sealed = key.generate_data_key_without_plaintext(16)
    assert sealed.plaintext is None
    assert len(kms.decrypt(sealed.ciphertext_blob)) == 16
    assert len(kms.generate_random(1024)) == 1024


def test_sealed_batches(kms: Any, key: Any) -> None:
    sealed = key.seal_batch([b"one", b"", b"three"], CONTEXT)
    assert kms.open_batch(sealed, CONTEXT) == [b"one", b"", b"three"]
    assert kms.open_record(sealed, 2, CONTEXT) == b"three"
    with pytest.raises(InvalidCiphertext):
        kms.open_batch(sealed, {"another": "context"})
    with pytest.raises(ValidationError):
        key.seal_batch([])


def test_streams(kms: Any, key: Any) -> None:
    if not hasattr(getattr(key, "_inner", key), "encrypt_stream"):
        pytest.skip("files are written by threads, not awaited")
    data = bytes(range(256)) * 1000
    sealed, back = io.BytesIO(), io.BytesIO()
    key.encrypt_stream(io.BytesIO(data), sealed, CONTEXT)
    kms.decrypt_stream(io.BytesIO(sealed.getvalue()), back, CONTEXT)
    assert back.getvalue() == data
    with pytest.raises(InvalidCiphertext):
        kms.decrypt_stream(io.BytesIO(sealed.getvalue()[:-1]), io.BytesIO(), CONTEXT)


# ---- signatures and MACs --------------------------------------------------------------------


@pytest.mark.parametrize("encoding", [None, "der", "raw"])
@pytest.mark.parametrize("message_type", ["RAW", "DIGEST"])
def test_one_signature(pair: Any, encoding: str | None, message_type: str) -> None:
    message = bytes(32)
    signature = pair.sign(message, encoding=encoding, message_type=message_type)
    assert (len(signature) == 64) == (encoding == "raw")
    pair.verify(message, signature, encoding=encoding, message_type=message_type)
    with pytest.raises(InvalidSignature):
        pair.verify(message[:-1] + b"x", signature, encoding=encoding, message_type=message_type)


def test_deterministic_signatures(pair: Any) -> None:
    made = {pair.sign(b"hello", deterministic=True) for _ in range(3)}
    assert len(made) == 1
    assert len({pair.sign(b"hello") for _ in range(3)}) == 3


@pytest.mark.parametrize("encoding", [None, "der", "raw"])
@pytest.mark.parametrize("kind", ["rows", "list"])
def test_signatures(pair: Any, encoding: str | None, kind: str) -> None:
    digests = ROWS[:64].reshape(32, 32)
    given = digests if kind == "rows" else [row.tobytes() for row in digests]
    signatures = pair.sign_batch(given, encoding=encoding)
    raw = encoding == "raw" or (encoding is None and kind == "rows")
    assert isinstance(signatures, np.ndarray) == (kind == "rows" and raw)
    assert pair.verify_batch(given, signatures, encoding=encoding).all()
    other = signatures[::-1] if isinstance(signatures, list) else signatures[::-1].copy()
    assert not pair.verify_batch(given, other, encoding=encoding).any()


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [("ECC_NIST_P256", None), ("RSA_2048", "RSASSA_PSS_SHA_256"), ("ML_DSA_44", None),
     ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512")],
)  # fmt: skip
def test_signed_streams(kms: Any, spec: str, algorithm: str | None) -> None:
    key = kms.create_key(spec=spec, usage="SIGN_VERIFY")
    message = bytes(100_000)
    signature = key.sign_stream(io.BytesIO(message), algorithm=algorithm)
    key.verify_stream(io.BytesIO(message), signature, algorithm=algorithm)
    with pytest.raises(InvalidSignature):
        key.verify_stream(io.BytesIO(message[1:]), signature, algorithm=algorithm)


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_EDWARDS25519", "ML_DSA_44"])
def test_signatures_of_other_keys(kms: Any, spec: str) -> None:
    key = kms.create_key(spec=spec, usage="SIGN_VERIFY")
    algorithm = "RSASSA_PSS_SHA_256" if spec == "RSA_2048" else None
    signature = key.sign(b"hello", algorithm=algorithm)
    key.verify(b"hello", signature, algorithm=algorithm)
    messages = [b"one", b"two"]
    signatures = key.sign_batch(messages, algorithm=algorithm, message_type="RAW")
    found = key.verify_batch(messages, signatures, algorithm=algorithm, message_type="RAW")
    assert found.tolist() == [True, True]


def test_macs(mac_key: Any) -> None:
    mac = mac_key.mac(b"hello")
    assert len(mac) == 32
    mac_key.verify_mac(b"hello", mac)
    with pytest.raises(InvalidMac):
        mac_key.verify_mac(b"hellO", mac)
    assert mac_key.mac_batch([b"hello", None, b""])[:2] == [mac, None]
    rows = mac_key.mac_batch(ROWS)
    assert rows.shape == (3000, 32)
    assert mac_key.verify_mac_batch(ROWS, rows).all()
    rows[5] ^= 1
    assert np.flatnonzero(~mac_key.verify_mac_batch(ROWS, rows)).tolist() == [5]
    assert mac_key.mac_batch(pa.array([b"hello", None])).to_pylist() == [mac, None]


def test_pairs(kms: Any) -> None:
    one, other = (kms.create_key(spec="ECC_NIST_P256", usage="KEY_AGREEMENT") for _ in range(2))
    secret = one.derive_shared_secret(other.public_key_der())
    assert secret == other.derive_shared_secret(one.public_key_der())
    assert one.public_key_pem().startswith("-----BEGIN PUBLIC KEY-----")
    kem = kms.create_key(spec="ML_KEM_768", usage="ENCAPSULATE_DECAPSULATE")
    carried = kem.encapsulate()
    assert kem.decapsulate(carried.ciphertext) == carried.shared_secret


def test_rsa_encryption(kms: Any) -> None:
    key = kms.create_key(spec="RSA_2048", usage="ENCRYPT_DECRYPT")
    blob = key.encrypt(b"hello", algorithm="RSAES_OAEP_SHA_256")
    assert key.decrypt(blob, algorithm="RSAES_OAEP_SHA_256") == b"hello"


def test_data_key_pairs(kms: Any, key: Any) -> None:
    made = key.generate_data_key_pair("ECC_NIST_P256", CONTEXT)
    assert kms.decrypt(made.private_key_blob, CONTEXT) == made.private_key
    assert key.generate_data_key_pair_without_plaintext("ECC_NIST_P256").private_key is None


# ---- keys -----------------------------------------------------------------------------------


def test_life(kms: Any) -> None:
    key = kms.create_key(description="first", rotation_period_days=180)
    blob = key.encrypt(b"old")
    key.rotate()
    assert key.decrypt(blob) == b"old"
    key.disable()
    with pytest.raises(KeyDisabled):
        key.encrypt(b"x")
    key.enable()
    key.update_description("second")
    key.tag({"a": "1", "b": "2"})
    key.untag(["a"])
    key.schedule_deletion(7)
    with pytest.raises(kmsfast.InvalidState):
        key.encrypt(b"x")
    key.cancel_deletion()
    key.enable()
    key.disable_rotation()
    key.enable_rotation(90)


def test_names(kms: Any, key: Any) -> None:
    name = "alias/contract-names"
    kms.create_alias(name, key)
    assert kms.key(name) == kms.key(key.id) == kms.key(key.arn) == key
    assert key in kms.keys()
    assert name in [alias.name for alias in kms.aliases()]
    with pytest.raises(AliasExists):
        kms.create_alias(name, key)
    kms.update_alias(name, kms.create_key())
    assert kms.key(name) != key
    kms.delete_alias(name)
    with pytest.raises(KeyNotFound):
        kms.key(name)


def test_policies_and_grants(kms: Any) -> None:
    key = kms.create_key()
    policy = key.get_policy()
    key.put_policy(policy)
    grantee = "arn:aws:iam::000000000000:role/app"
    made = key.create_grant(["Decrypt"], grantee_principal=grantee, retiring_principal=grantee)
    (found,) = key.grants()
    assert (found.id, found.grantee, found.operations) == (
        made.grant_id, grantee, frozenset({"Decrypt"}),
    )  # fmt: skip
    assert [grant.id for grant in kms.retirable_grants(grantee)] == [made.grant_id]
    kms.retire_grant(made.grant_token)
    assert key.grants(grantee) == []


def test_regions(kms: Any) -> None:
    key = kms.create_key(multi_region=True)
    blob = key.encrypt(b"hello")
    if hasattr(kms, "deployment"):
        assert key.decrypt(blob) == b"hello"
    assert key.id.startswith("mrk-")


def test_last_use(kms: Any) -> None:
    key = kms.create_key()
    assert key.last_usage().use is None
    key.encrypt(b"x")
    assert key.last_usage().use.operation == "Encrypt"


# ---- errors ---------------------------------------------------------------------------------

WRONG: dict[str, tuple[type[KmsError], Callable[[Any, Any, Any, Any], Any]]] = {
    "no such key": (KeyNotFound, lambda kms, *_: kms.key("12345678-1234-1234-1234-123456789012")),
    "no such alias": (KeyNotFound, lambda kms, *_: kms.key("alias/nothing")),
    "no plaintext": (ValidationError, lambda _, key, *__: key.encrypt("text")),
    "no context": (ContextError, lambda _, key, *__: key.encrypt(b"x", "context")),
    "no text in a context": (ContextError, lambda _, key, *__: key.encrypt(b"x", {"a": 1})),
    "an empty key in a context": (ContextError, lambda _, key, *__: key.encrypt(b"x", {"": "1"})),
    "no blob": (InvalidCiphertext, lambda kms, *_: kms.decrypt(b"no blob")),
    "another context": (
        InvalidCiphertext,
        lambda kms, key, *_: kms.decrypt(key.encrypt(b"x", CONTEXT), {"a": "b"}),
    ),
    "no batch": (ValidationError, lambda _, key, *__: key.encrypt_batch("text")),
    "no data key": (ValidationError, lambda _, key, *__: key.generate_data_key(0)),
    "too long a data key": (ValidationError, lambda _, key, *__: key.generate_data_key(1025)),
    "no random bytes": (ValidationError, lambda kms, *_: kms.generate_random(0)),
    "signing by an encryption key": (
        InvalidKeyUsage,
        lambda _, key, *__: key.sign(b"x", algorithm="ECDSA_SHA_256"),
    ),
    "encrypting by a key pair": (InvalidKeyUsage, lambda _, __, pair, *___: pair.encrypt(b"x")),
    "an unknown algorithm": (
        ValidationError,
        lambda _, __, pair, *___: pair.sign(b"x", algorithm="X"),
    ),
    "an unknown encoding": (
        ValidationError,
        lambda _, __, pair, *___: pair.sign(b"x", encoding="x"),
    ),
    "another algorithm": (
        InvalidKeyUsage,
        lambda _, __, pair, *___: pair.sign(b"x", algorithm="ECDSA_SHA_384"),
    ),
    "no digest": (
        ValidationError,
        lambda _, __, pair, *___: pair.sign(b"x", message_type="DIGEST"),
    ),
    "too long a message": (ValidationError, lambda _, __, pair, *___: pair.sign(bytes(4097))),
    "no message": (ValidationError, lambda *given: given[3].mac(b"")),
    "too many MACs": (
        ValidationError,
        lambda *given: given[3].verify_mac_batch([b"a", b"b"], [bytes(32)]),
    ),
    "rotating a key pair": (UnsupportedOperation, lambda _, __, pair, *___: pair.rotate()),
    "a reserved tag": (TagError, lambda _, key, *__: key.tag({"aws:x": "1"})),
    "no waiting period": (ValidationError, lambda kms, *_: kms.create_key().schedule_deletion(3)),
    "a truncated sealed batch": (FrameError, lambda kms, *_: kms.open_batch((b"\xf5", [b"x"]))),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(kms: Any, key: Any, pair: Any, mac_key: Any, name: str) -> None:
    expected, wrong = WRONG[name]
    with pytest.raises(KmsError) as caught:
        wrong(kms, key, pair, mac_key)
    assert caught.value.code == expected.code
    assert str(caught.value)
