"""Imports of key material through the API."""

from __future__ import annotations

from typing import Any

from api import Api, unblob
from wrapping import wrap

__all__ = ["FOREVER", "OAEP", "Importer"]

FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
OAEP = "RSAES_OAEP_SHA_256"


class Importer:
    """Brings material into one key, all of it under one wrapping key."""

    def __init__(self, api: Api, key_id: str, algorithm: str = OAEP) -> None:
        self.api, self.key_id, self.algorithm = api, key_id, algorithm
        asked = api(
            "GetParametersForImport",
            KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048",
        )  # fmt: skip
        self.valid_to, self.token = asked["ParametersValidTo"], unblob(asked["ImportToken"])
        self.public = unblob(asked["PublicKey"])

    def request(self, material: bytes, **given: Any) -> dict[str, Any]:
        return {
            "KeyId": self.key_id,
            "ImportToken": self.token,
            "EncryptedKeyMaterial": wrap(self.public, self.algorithm, material),
            **(given or FOREVER),
        }

    def bring(self, material: bytes, **given: Any) -> str:
        return self.api("ImportKeyMaterial", **self.request(material, **given))["KeyMaterialId"]

    def refused(self, material: bytes, **given: Any) -> tuple[str, str | None]:
        return self.api.refused("ImportKeyMaterial", **self.request(material, **given))
