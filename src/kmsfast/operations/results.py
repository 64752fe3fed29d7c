"""The answers of encrypting, decrypting and making data keys, and what data keys are asked for."""

from __future__ import annotations

from typing import Final

from kmsfast.errors import ValidationError
from kmsfast.operations.requests import Given, Result
from kmsfast.service.singles import DataKeyOf, Opened, Sealed

__all__ = ["SYMMETRIC", "decrypted", "encrypted", "generated", "size_of"]

SYMMETRIC: Final = "SYMMETRIC_DEFAULT"
_SPEC_BYTES: Final = {"AES_256": 32, "AES_128": 16}


def size_of(given: Given) -> int:
    """The size of the data key that a request asks for, in bytes.

    Raises:
        ValidationError: it says it twice, or not at all.
    """
    if ("NumberOfBytes" in given) == ("KeySpec" in given):
        raise ValidationError("Please specify either number of bytes or key spec.")
    size: int = (
        given["NumberOfBytes"] if "NumberOfBytes" in given else _SPEC_BYTES[given["KeySpec"]]
    )
    return size


def encrypted(sealed: Sealed, algorithm: str) -> Result:
    """Of Encrypt."""
    return {
        "CiphertextBlob": sealed.ciphertext,
        "KeyId": sealed.key_arn,
        "EncryptionAlgorithm": algorithm,
    }


def decrypted(opened: Opened, algorithm: str) -> Result:
    """Of Decrypt."""
    return {
        "KeyId": opened.key_arn,
        "Plaintext": opened.plaintext,
        "EncryptionAlgorithm": algorithm,
        "KeyMaterialId": opened.material_id,
    }


def generated(made: DataKeyOf) -> Result:
    """Of GenerateDataKey and GenerateDataKeyWithoutPlaintext."""
    return {
        "CiphertextBlob": made.ciphertext,
        "Plaintext": made.plaintext,
        "KeyId": made.key_arn,
        "KeyMaterialId": made.material_id,
    }
