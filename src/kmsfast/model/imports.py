"""What an import of key material may say: how it is wrapped, whether it is new, when it expires.

The rules and limits are those of the AWS KMS API reference (GetParametersForImport,
ImportKeyMaterial).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kmsfast.errors import UnsupportedOperation, ValidationError
from kmsfast.model.key import KeyMetadata
from kmsfast.model.keyspec import KeySpec, Origin, enumerated

__all__ = [
    "TOKEN_LIFETIME",
    "ExpirationModel",
    "ImportType",
    "checked_expiration",
    "checked_import_type",
    "checked_material_description",
    "checked_material_id",
    "checked_wrapping",
    "require_external",
]

TOKEN_LIFETIME: Final = timedelta(hours=24)
_LONGEST: Final = timedelta(days=365)
_MAX_DESCRIPTION: Final = 256
_DESCRIPTION: Final = re.compile(r"[a-zA-Z0-9:/_\s.-]*")
_MATERIAL_ID: Final = re.compile(r"[a-f0-9]{64}")
_NOT_OFFERED: Final = {
    "RSAES_PKCS1_V1_5": "AWS KMS ended it in 2023; use RSAES_OAEP_SHA_256",
    "SM2PKE": "AWS has it in its China regions only",
    "SM2": "AWS has it in its China regions only",
}


class ExpirationModel(StrEnum):
    """Whether imported material expires."""

    KEY_MATERIAL_EXPIRES = "KEY_MATERIAL_EXPIRES"
    KEY_MATERIAL_DOES_NOT_EXPIRE = "KEY_MATERIAL_DOES_NOT_EXPIRE"


class ImportType(StrEnum):
    """Whether the material is new to its key, or was there before."""

    NEW_KEY_MATERIAL = "NEW_KEY_MATERIAL"
    EXISTING_KEY_MATERIAL = "EXISTING_KEY_MATERIAL"


def require_external(key: KeyMetadata) -> None:
    """Passes for keys whose material is imported.

    Raises:
        UnsupportedOperation: the material was made here.
    """
    if key.origin is not Origin.EXTERNAL:
        raise UnsupportedOperation(
            f"{key.arn} origin is {key.origin} which is not valid for this operation.",
            hint="Create a key of origin EXTERNAL to import material",
        )


def checked_wrapping(
    key: KeyMetadata, algorithm: str, algorithms: tuple[str, ...], spec: str, specs: tuple[str, ...]
) -> None:
    """Passes when material of the key can come wrapped so.

    Raises:
        ValidationError: no name of an algorithm or wrapping key spec, or they cannot hold it.
        UnsupportedOperation: AWS has or had it, kmsfast has not.
    """
    for name in (algorithm, spec):
        if isinstance(name, str) and name in _NOT_OFFERED:
            raise UnsupportedOperation(f"{name} is not offered: {_NOT_OFFERED[name]}")
    enumerated(algorithm, algorithms, "wrappingAlgorithm")
    enumerated(spec, specs, "wrappingKeySpec")
    if algorithm.startswith("RSA_AES"):
        return
    if key.spec.startswith("RSA"):
        raise ValidationError(
            f"{algorithm} cannot wrap an RSA private key, which is too long for it; use "
            "RSA_AES_KEY_WRAP_SHA_256"
        )
    if key.spec is KeySpec.ECC_NIST_P521 and spec == "RSA_2048":
        raise ValidationError(
            f"a wrapping key of spec {spec} cannot wrap an {key.spec} private key by {algorithm}; "
            "use a longer one, or RSA_AES_KEY_WRAP_SHA_256"
        )


def checked_expiration(model: str, valid_to: datetime | None, now: datetime) -> datetime | None:
    """When the material expires; None: never.

    Raises:
        ValidationError: no such model, or a date that does not fit it: past, or over a year away.
    """
    known = ExpirationModel(enumerated(model, tuple(map(str, ExpirationModel)), "expirationModel"))
    if known is ExpirationModel.KEY_MATERIAL_DOES_NOT_EXPIRE:
        if valid_to is not None:
            raise ValidationError(
                f"A validTo date must not be set if the ExpirationModel is {known}"
            )
        return None
    if valid_to is None:
        raise ValidationError(f"A validTo date must be set if the ExpirationModel is {known}")
    if not isinstance(valid_to, datetime) or valid_to.tzinfo is None:
        raise ValidationError(f"valid_to must be a datetime with a time zone, not {valid_to!r}")
    if not now < valid_to <= now + _LONGEST:
        raise ValidationError(
            f"valid_to must lie in the future, at most 365 days from now, not at "
            f"{valid_to.isoformat()}"
        )
    return valid_to


def checked_import_type(name: str | None) -> ImportType | None:
    """The import type of that name; None stays None.

    Raises:
        ValidationError: there is none.
    """
    return (
        None
        if name is None
        else ImportType(enumerated(name, tuple(map(str, ImportType)), "importType"))
    )


def checked_material_description(text: str | None) -> str | None:
    """The description, when it has at most 256 of the characters that AWS allows.

    Raises:
        ValidationError: it has not.
    """
    if text is None:
        return None
    if (
        not isinstance(text, str)
        or len(text) > _MAX_DESCRIPTION
        or not _DESCRIPTION.fullmatch(text)
    ):
        raise ValidationError(
            f"1 validation error detected: Value '{text}' at 'keyMaterialDescription' failed to "
            "satisfy constraint: Member must have length less than or equal to 256 and satisfy "
            "regular expression pattern: ^[a-zA-Z0-9:/_\\s.-]+$"
        )
    return text


def checked_material_id(text: str | None) -> str | None:
    """A material id; None stays None.

    Raises:
        ValidationError: not 64 hexadecimal digits.
    """
    if text is None:
        return None
    if not isinstance(text, str) or not _MATERIAL_ID.fullmatch(text):
        raise ValidationError(
            f"1 validation error detected: Value '{text}' at 'keyMaterialId' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: ^[a-f0-9]+$ and have "
            "length 64"
        )
    return text
