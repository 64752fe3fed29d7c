"""Signing and verifying by keys of every spec, and every way in which it is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from pairs import KINDS, SIGNING, AllKeys, Kind, name_of

import kmsfast
from kmsfast.errors import (
    InvalidKeyUsage,
    InvalidSignature,
    InvalidState,
    KeyDisabled,
    UnsupportedOperation,
    ValidationError,
)
from kmsfast.model.keyspec import KNOWN_SIGNING_ALGORITHMS, algorithms_of
from kmsfast.model.message import MessageType, hash_of, length_of, message_types_of

MESSAGE = b"to whom it may concern"
USES = [
    (kind, algorithm, message_type)
    for kind in SIGNING
    for algorithm in algorithms_of(*kind)
    for message_type in message_types_of(algorithm)
]
ECDSA = [kind for kind in SIGNING if "ECDSA" in algorithms_of(*kind)[0]]
signing = pytest.mark.parametrize("kind", SIGNING, ids=name_of)
ecdsa = pytest.mark.parametrize("kind", ECDSA, ids=name_of)


def given(algorithm: str, message_type: str, message: bytes = MESSAGE) -> bytes:
    """What is signed of a message: itself, its digest, or something as long as its mu."""
    name = hash_of(algorithm)
    if message_type == "DIGEST" and name:
        return hashlib.new(name.replace("_", "").lower(), message).digest()
    return message if message_type == "RAW" else hashlib.sha512(message).digest()


@pytest.mark.parametrize(("kind", "algorithm", "message_type"), USES)
def test_what_is_signed_verifies_and_nothing_else(
    all_keys: AllKeys, kind: Kind, algorithm: str, message_type: MessageType
) -> None:
    key, data = all_keys[kind], given(algorithm, message_type)
    form = {"algorithm": algorithm, "message_type": message_type}
    signature = key.sign(data, **form)
    key.verify(data, signature, **form)
    changed = bytearray(signature)
    changed[len(signature) // 2] ^= 1
    other = given(algorithm, message_type, b"another message")
    wrong = [
        (other, signature), (data, bytes(changed)), (data, signature[:-1]),
        (data, signature + b"0"),
        (data, b"\0"), (data, bytes(len(signature))), (data, b"\xff" * len(signature)),
    ]  # fmt: skip
    for message, claimed in wrong:
        with pytest.raises(InvalidSignature) as raised:
            key.verify(message, claimed, **form)
        assert raised.value.code == "KMSInvalidSignatureException"
    messages, signatures = [data, *(m for m, _ in wrong)], [signature, *(s for _, s in wrong)]
    found = key.verify_batch(messages, signatures, **form)
    assert found.dtype == np.bool_
    assert found.tolist() == [True] + [False] * len(wrong)


@pytest.mark.parametrize(("kind", "algorithm", "message_type"), USES)
def test_batches(all_keys: AllKeys, kind: Kind, algorithm: str, message_type: MessageType) -> None:
    key, form = all_keys[kind], {"algorithm": algorithm, "message_type": message_type}
    messages = [given(algorithm, message_type, b"%d" % i) for i in range(5)]
    signatures = key.sign_batch(messages, **form)
    assert len(signatures) == 5
    for message, signature in zip(messages, signatures, strict=True):
        key.verify(message, bytes(signature), **form)
    assert key.verify_batch(messages, signatures, **form).all()
    assert not key.verify_batch(messages, signatures[::-1], **form)[[0, 1, 3, 4]].any()
    width = length_of(algorithm, message_type)
    if width is not None:
        rows = np.frombuffer(b"".join(messages), np.uint8).reshape(5, width)
        assert key.verify_batch(rows, key.sign_batch(rows, **form), **form).all()
        assert key.verify_batch(messages, key.sign_batch(rows, **form), **form).all()


@pytest.mark.parametrize(
    ("kind", "algorithm", "message_type"), [u for u in USES if u[2] == "DIGEST"]
)
def test_a_message_and_its_digest_have_the_same_signatures(
    all_keys: AllKeys, kind: Kind, algorithm: str, message_type: MessageType
) -> None:
    if algorithm == "ED25519_PH_SHA_512":
        pytest.skip("signs no messages")
    key, digest = all_keys[kind], given(algorithm, message_type)
    signature = key.sign(digest, algorithm=algorithm, message_type="DIGEST")
    key.verify(MESSAGE, signature, algorithm=algorithm)
    key.verify(digest, key.sign(MESSAGE, algorithm=algorithm), algorithm=algorithm,
               message_type="DIGEST")  # fmt: skip


@ecdsa
def test_raw_signatures(all_keys: AllKeys, kind: Kind) -> None:
    key = all_keys[kind]
    size = {"P256": 64, "P384": 96, "P521": 132, "P256K1": 64}[kind[0].rpartition("_")[2]]
    raw = key.sign(MESSAGE, encoding="raw")
    assert len(raw) == size
    key.verify(MESSAGE, raw, encoding="raw")
    for message, claimed in ((MESSAGE, key.sign(MESSAGE)), (b"other", raw), (MESSAGE, raw[:-1])):
        with pytest.raises(InvalidSignature):
            key.verify(message, claimed, encoding="raw")
    with pytest.raises(InvalidSignature):
        key.verify(MESSAGE, raw)
    batch = key.sign_batch([MESSAGE] * 3, message_type="RAW", encoding="raw")
    assert [len(each) for each in batch] == [size] * 3
    assert key.verify_batch([MESSAGE] * 3, batch, message_type="RAW", encoding="raw").all()


@ecdsa
def test_arrays_of_digests_and_signatures(all_keys: AllKeys, kind: Kind) -> None:
    key, size = all_keys[kind], {"256": 32, "384": 48, "512": 64}[algorithms_of(*kind)[0][-3:]]
    rows = np.frombuffer(np.random.default_rng(1).bytes(7 * size), np.uint8).reshape(7, size)
    made = key.sign_batch(rows)
    assert (made.dtype, made.ndim, len(made)) == (np.uint8, 2, 7)
    assert key.verify_batch(rows, made).all()
    assert not key.verify_batch(rows[::-1], made)[[0, 1, 2, 4, 5, 6]].any()
    for row, signature in zip(rows, made, strict=True):
        key.verify(row.tobytes(), signature.tobytes(), message_type="DIGEST", encoding="raw")
    der = key.sign_batch(rows, encoding="der")
    assert isinstance(der, list)
    assert key.verify_batch(rows, der).all()
    assert not key.verify_batch(rows, der, encoding="raw").any()
    messages = np.frombuffer(b"abcdef", np.uint8).reshape(3, 2)
    hashed = key.sign_batch(messages, message_type="RAW")
    assert key.verify_batch([b"ab", b"cd", b"ef"], hashed, message_type="RAW").all()
    none = key.sign_batch(rows[:0])
    assert len(none) == len(key.verify_batch(rows[:0], none)) == 0
    assert key.sign_batch([]) == []


@ecdsa
def test_deterministic_signatures(all_keys: AllKeys, kind: Kind) -> None:
    key = all_keys[kind]
    assert key.sign(MESSAGE, deterministic=True) == key.sign(MESSAGE, deterministic=True)
    assert key.sign(MESSAGE) != key.sign(MESSAGE)
    key.verify(MESSAGE, key.sign(MESSAGE, deterministic=True))


@signing
def test_what_is_no_name_is_refused_after_a_signature_as_well(
    all_keys: AllKeys, kind: Kind
) -> None:
    key, algorithm = all_keys[kind], algorithms_of(*kind)[0]
    key.verify(MESSAGE, key.sign(MESSAGE, algorithm=algorithm), algorithm=algorithm)
    for wrong in ("no", 0, 1, None, [], np.bool_(True), np.zeros(2)):
        with pytest.raises(ValidationError, match="deterministic must be bool"):
            key.sign(MESSAGE, algorithm=algorithm, deterministic=wrong)
        with pytest.raises(ValidationError, match="deterministic must be bool"):
            key.sign_batch([MESSAGE], algorithm=algorithm, deterministic=wrong)
    with pytest.raises(ValidationError, match="must be str"):
        key.sign(MESSAGE, algorithm=np.array(["a", "b"]))


@signing
def test_choices_of_ecdsa_alone(all_keys: AllKeys, kind: Kind) -> None:
    key, algorithm = all_keys[kind], algorithms_of(*kind)[0]
    if kind in ECDSA:
        pytest.skip("has them")
    for choice in ({"encoding": "der"}, {"encoding": "raw"}, {"deterministic": True}):
        with pytest.raises(ValidationError, match="is a choice of ECDSA alone"):
            key.sign(MESSAGE, algorithm=algorithm, **choice)


# ---- what is refused, generated from the tables ----------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_a_key_of_another_usage(all_keys: AllKeys, kind: Kind) -> None:
    if kind in SIGNING:
        pytest.skip("signs")
    key = all_keys[kind]
    for operation, use in (
        ("Sign", lambda: key.sign(MESSAGE, algorithm="RSASSA_PSS_SHA_256")),
        ("Sign", lambda: key.sign_batch([bytes(5)])),
        ("Verify", lambda: key.verify(MESSAGE, b"x", algorithm="ECDSA_SHA_256")),
        ("Verify", lambda: key.verify_batch([bytes(32)], [b"x"])),
    ):
        with pytest.raises(InvalidKeyUsage) as raised:
            use()
        assert str(raised.value) == (
            f"{key.arn} key usage is {kind[1]} which is not valid for {operation}."
        )
        assert raised.value.code == "InvalidKeyUsageException"


@signing
@pytest.mark.parametrize("algorithm", KNOWN_SIGNING_ALGORITHMS)
def test_an_algorithm_of_another_spec(all_keys: AllKeys, kind: Kind, algorithm: str) -> None:
    if algorithm in algorithms_of(*kind):
        pytest.skip("has it")
    key = all_keys[kind]
    for use in (
        lambda: key.sign(MESSAGE, algorithm=algorithm),
        lambda: key.verify(MESSAGE, b"x", algorithm=algorithm, message_type="DIGEST"),
        lambda: key.sign_batch([b""], algorithm=algorithm),
    ):
        with pytest.raises(InvalidKeyUsage) as raised:
            use()
        said = f"Algorithm {algorithm} is incompatible with key spec {kind[0]}."
        assert str(raised.value).startswith(said)


@pytest.mark.parametrize(("kind", "algorithm", "message_type"), [u for u in USES if u[2] != "RAW"])
def test_lengths_of_digests(
    all_keys: AllKeys, kind: Kind, algorithm: str, message_type: MessageType
) -> None:
    key, size = all_keys[kind], length_of(algorithm, message_type)
    assert size is not None
    form = {"algorithm": algorithm, "message_type": message_type}
    for wrong in {1, size - 1, size + 1, 2 * size, 4096}:
        for use, arguments in (
            (key.sign, (bytes(wrong),)),
            (key.verify, (bytes(wrong), b"x")),
            (key.sign_batch, ([bytes(size), bytes(wrong)],)),
        ):
            with pytest.raises(ValidationError, match="invalid length for algorithm " + algorithm):
                use(*arguments, **form)


@signing
def test_parameters(all_keys: AllKeys, kind: Kind) -> None:
    key, algorithm = all_keys[kind], algorithms_of(*kind)[0]
    for message in (b"", bytes(4097)):
        with pytest.raises(ValidationError, match="Member must have length"):
            key.sign(message, algorithm=algorithm)
    for wrong, match in (
        ({"algorithm": "RSA"}, "at 'signingAlgorithm'"),
        ({"message_type": "raw"}, r"at 'messageType' .* set: \[RAW, DIGEST, EXTERNAL_MU\]"),
        ({"encoding": "pem"}, "at 'encoding'"),
        ({"algorithm": ["RSA"]}, "must be str"),
        ({"algorithm": np.array(["a", "b"])}, "must be str"),
    ):
        with pytest.raises(ValidationError, match=match):
            key.sign(MESSAGE, **wrong)
        with pytest.raises(ValidationError, match=match):
            key.verify(MESSAGE, b"x", **wrong)
    for signature in (b"", bytes(6145)):
        with pytest.raises(ValidationError, match="the signature has"):
            key.verify(MESSAGE, signature, algorithm=algorithm)
    for nothing in ("text", None, 5):
        with pytest.raises(ValidationError, match="must be bytes"):
            key.sign(nothing, algorithm=algorithm)
    for batch in ("text", None, [None], ["a"], 5):
        with pytest.raises(ValidationError):
            key.sign_batch(batch, algorithm=algorithm, message_type="RAW")
    with pytest.raises(ValidationError, match="2 messages and 1 signatures"):
        key.verify_batch([b"a", b"b"], [b"x"], algorithm=algorithm)


def test_checks_come_in_the_order_of_aws(all_keys: AllKeys, kms: kmsfast.Kms) -> None:
    """Parameters, key, usage, state, algorithm, digest length: the first that is wrong is said."""
    mac = kms.create_key(spec="RSA_2048", usage="ENCRYPT_DECRYPT")
    mac.disable()
    key = kms.create_key(spec="ECC_NIST_P384", usage="SIGN_VERIFY")
    wrong = {"algorithm": "ECDSA_SHA_256", "message_type": "DIGEST"}
    with pytest.raises(ValidationError, match="messageType"):
        mac.sign(MESSAGE, message_type="x")
    with pytest.raises(InvalidKeyUsage, match="key usage is"):
        mac.sign(MESSAGE, **wrong)
    key.disable()
    with pytest.raises(KeyDisabled, match="is disabled"):
        key.sign(MESSAGE, **wrong)
    key.enable()
    with pytest.raises(InvalidKeyUsage, match="Algorithm"):
        key.sign(MESSAGE, **wrong)
    with pytest.raises(ValidationError, match="Digest is invalid length"):
        key.sign(MESSAGE, message_type="DIGEST")


def test_states(kms: kmsfast.Kms) -> None:
    key = kms.create_key(spec="ECC_NIST_EDWARDS25519")
    signature = key.sign(MESSAGE)
    key.schedule_deletion(7)
    for use in (
        lambda: key.sign(MESSAGE),
        lambda: key.verify(MESSAGE, signature),
        key.public_key_der,
    ):
        with pytest.raises(InvalidState):
            use()
    key.cancel_deletion()
    with pytest.raises(KeyDisabled):
        key.verify(MESSAGE, signature)
    key.enable()
    key.verify(MESSAGE, signature)


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_only_symmetric_keys_rotate(all_keys: AllKeys, kind: Kind) -> None:
    if kind[0] == "SYMMETRIC_DEFAULT":
        pytest.skip("rotates")
    key = all_keys[kind]
    for use in (
        key.rotate, key.enable_rotation, key.disable_rotation,
        lambda: all_keys.kms.create_key(spec=kind[0], usage=kind[1], rotation_period_days=90),
    ):  # fmt: skip
        with pytest.raises(UnsupportedOperation) as raised:
            use()
        assert raised.value.code == "UnsupportedOperationException"
    assert not key.rotation.enabled
    assert key.current_version == 1


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_keys_outlive_their_process(path: Path, kind: Kind) -> None:
    if kind[0] in ("RSA_3072", "RSA_4096"):
        pytest.skip("as RSA_2048, and slow")
    with kmsfast.open(path, create=True) as kms:
        made = kms.create_key(spec=kind[0], usage=kind[1], multi_region=True)
        public = made.public_key_der() if made.versions()[0].public_key else None
    with kmsfast.open(path) as kms:
        key = kms.key(made.id)
        assert (key.spec, key.usage, key.origin) == (*kind, "AWS_KMS")
        assert key.algorithms == algorithms_of(*kind)
        assert (key.public_key_der() if public else None) == public
        if kind in SIGNING:
            algorithm = key.algorithms[0]
            key.verify(MESSAGE, key.sign(MESSAGE, algorithm=algorithm), algorithm=algorithm)
