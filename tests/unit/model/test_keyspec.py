"""The tables of key specs, usages, algorithms and messages, against what AWS documents."""

from __future__ import annotations

import numpy as np
import pytest

from kmsfast.errors import InvalidKeyUsage, UnsupportedOperation, ValidationError
from kmsfast.model import keyspec, message
from kmsfast.model.keyspec import KeySpec, KeyUsage
from kmsfast.model.message import MessageType

# AWS KMS Developer Guide, "Key spec reference", and API Reference, CreateKey: once more, by usage.
OAEP = {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}
RSA_SIGNING = {f"RSASSA_{p}_SHA_{n}" for p in ("PSS", "PKCS1_V1_5") for n in (256, 384, 512)}
DOCUMENTED: dict[str, dict[str, set[str]]] = {
    "SYMMETRIC_DEFAULT": {"ENCRYPT_DECRYPT": {"SYMMETRIC_DEFAULT"}},
    **{
        f"RSA_{bits}": {"ENCRYPT_DECRYPT": OAEP, "SIGN_VERIFY": RSA_SIGNING}
        for bits in (2048, 3072, 4096)
    },
    "ECC_NIST_P256": {"SIGN_VERIFY": {"ECDSA_SHA_256"}, "KEY_AGREEMENT": {"ECDH"}},
    "ECC_NIST_P384": {"SIGN_VERIFY": {"ECDSA_SHA_384"}, "KEY_AGREEMENT": {"ECDH"}},
    "ECC_NIST_P521": {"SIGN_VERIFY": {"ECDSA_SHA_512"}, "KEY_AGREEMENT": {"ECDH"}},
    "ECC_SECG_P256K1": {"SIGN_VERIFY": {"ECDSA_SHA_256"}},
    "ECC_NIST_EDWARDS25519": {"SIGN_VERIFY": {"ED25519_SHA_512", "ED25519_PH_SHA_512"}},
    **{f"ML_DSA_{n}": {"SIGN_VERIFY": {"ML_DSA_SHAKE_256"}} for n in (44, 65, 87)},
    **{f"ML_KEM_{n}": {"ENCAPSULATE_DECAPSULATE": {"ML_KEM"}} for n in (768, 1024)},
    **{
        f"HMAC_{bits}": {"GENERATE_VERIFY_MAC": {f"HMAC_SHA_{bits}"}}
        for bits in (224, 256, 384, 512)
    },
}


def test_the_tables_are_those_of_aws() -> None:
    found = {
        str(spec): {
            str(usage): set(keyspec.algorithms_of(spec, usage))
            for usage in KeyUsage
            if keyspec.algorithms_of(spec, usage)
        }
        for spec in KeySpec
    }
    assert found == DOCUMENTED


@pytest.mark.parametrize("spec", KeySpec)
def test_every_usage_is_taken_or_refused(spec: KeySpec) -> None:
    for usage in KeyUsage:
        if usage in DOCUMENTED[spec]:
            assert keyspec.checked_usage(spec, str(usage)) is usage
        else:
            with pytest.raises(ValidationError) as raised:
                keyspec.checked_usage(spec, usage)
            assert str(raised.value) == f"KeyUsage {usage} is not compatible with KeySpec {spec}"


@pytest.mark.parametrize("spec", KeySpec)
def test_a_usage_may_be_left_out_where_there_is_one(spec: KeySpec) -> None:
    if len(DOCUMENTED[spec]) == 1:
        assert keyspec.checked_usage(spec, None) == next(iter(DOCUMENTED[spec]))
    else:
        with pytest.raises(ValidationError, match="You must specify a KeyUsage value for all KMS"):
            keyspec.checked_usage(spec, None)


@pytest.mark.parametrize("spec", ["SM2", "ML_KEM_512"])
def test_what_aws_has_and_we_do_not_is_refused_by_name(spec: str) -> None:
    with pytest.raises(UnsupportedOperation, match=spec):
        keyspec.checked_spec(spec)


@pytest.mark.parametrize("spec", ["", "rsa_2048", "RSA_1024", "AES_256", None, 5, [], {}])
def test_unknown_specs(spec: str) -> None:
    with pytest.raises(ValidationError, match="at 'keySpec' failed to satisfy constraint") as said:
        keyspec.checked_spec(spec)
    assert "[SYMMETRIC_DEFAULT, RSA_2048, " in str(said.value)


@pytest.mark.parametrize("origin", ["", "aws_kms", None, 5, [], np.zeros(2)])
def test_unknown_origins(origin: str) -> None:
    with pytest.raises(ValidationError, match="at 'origin' failed to satisfy constraint"):
        keyspec.checked_origin(origin, KeySpec.SYMMETRIC_DEFAULT)


@pytest.mark.parametrize("spec", KeySpec)
def test_material_of_every_spec_but_those_of_encapsulation_can_be_imported(spec: KeySpec) -> None:
    if "ENCAPSULATE_DECAPSULATE" in DOCUMENTED[spec]:
        with pytest.raises(UnsupportedOperation, match=f"EXTERNAL is not offered .* {spec}"):
            keyspec.checked_origin("EXTERNAL", spec)
    else:
        assert keyspec.checked_origin("EXTERNAL", spec) == "EXTERNAL"
    assert keyspec.checked_origin("AWS_KMS", spec) == "AWS_KMS"


@pytest.mark.parametrize("spec", KeySpec)
def test_pairs_have_public_keys(spec: KeySpec) -> None:
    pair = not spec.startswith(("SYMMETRIC", "HMAC"))
    assert keyspec.is_asymmetric(spec) is pair
    if pair:
        assert keyspec.checked_pair_spec(spec) is spec
    else:
        with pytest.raises(ValidationError, match="keyPairSpec"):
            keyspec.checked_pair_spec(spec)


LENGTHS = {
    ("DIGEST", "SHA_256"): 32, ("DIGEST", "SHA_384"): 48, ("DIGEST", "SHA_512"): 64,
    ("EXTERNAL_MU", "SHAKE_256"): 64,
}  # fmt: skip


@pytest.mark.parametrize("algorithm", keyspec.SIGNING_ALGORITHMS)
def test_message_types_and_lengths(algorithm: str) -> None:
    takes = {str(each) for each in message.message_types_of(algorithm)}
    expected = {
        "ED25519_SHA_512": {"RAW"},
        "ED25519_PH_SHA_512": {"DIGEST"},
        "ML_DSA_SHAKE_256": {"RAW", "EXTERNAL_MU"},
    }
    assert takes == expected.get(algorithm, {"RAW", "DIGEST"})
    for each in message.message_types_of(algorithm):
        wanted = next(
            (n for (kind, end), n in LENGTHS.items() if kind == each and algorithm.endswith(end)),
            None,
        )
        assert message.length_of(algorithm, each) == (None if each == "RAW" else wanted)


def test_an_algorithm_is_chosen_where_one_fits() -> None:
    chosen = message.signing_algorithm
    assert chosen(KeySpec.ECC_NIST_P384, None, MessageType.RAW) == "ECDSA_SHA_384"
    edwards = KeySpec.ECC_NIST_EDWARDS25519
    assert chosen(edwards, None, MessageType.RAW) == "ED25519_SHA_512"
    assert chosen(edwards, None, MessageType.DIGEST) == "ED25519_PH_SHA_512"
    with pytest.raises(ValidationError, match="choose one: RSASSA_PSS_SHA_256"):
        chosen(KeySpec.RSA_2048, None, MessageType.RAW)
    with pytest.raises(ValidationError, match="takes EXTERNAL_MU or RAW"):
        chosen(KeySpec.ML_DSA_44, "ML_DSA_SHAKE_256", MessageType.DIGEST)
    with pytest.raises(InvalidKeyUsage, match=r"ECDSA_SHA_256 is incompatible with key spec RSA_"):
        chosen(KeySpec.RSA_2048, "ECDSA_SHA_256", MessageType.RAW)


@pytest.mark.parametrize("size", [0, 1, 4096, 4097])
def test_the_length_of_messages(size: int) -> None:
    if 1 <= size <= 4096:
        assert message.checked_message(bytes(size)) == bytes(size)
    else:
        bound = "less than or equal to 4096" if size else "greater than or equal to 1"
        with pytest.raises(ValidationError, match=f"Member must have length {bound}"):
            message.checked_message(bytes(size))
