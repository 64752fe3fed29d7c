"""Key material from elsewhere, for keys of origin EXTERNAL."""

from __future__ import annotations

from typing import Final

from kmsfast.app import Application
from kmsfast.model.imports import ExpirationModel
from kmsfast.operations.names import id_or_arn
from kmsfast.operations.requests import Given, Operation, Result

__all__ = ["OPERATIONS"]


def get_parameters_for_import(app: Application, given: Given) -> Result:
    """A public key to wrap material with, and the token that goes back with it."""
    key = id_or_arn(app, given["KeyId"])
    made = app.importing.parameters(
        key.raw_id, given["WrappingAlgorithm"], given["WrappingKeySpec"]
    )
    return {
        "KeyId": made.key_arn,
        "ImportToken": made.import_token,
        "PublicKey": made.public_key,
        "ParametersValidTo": made.valid_to,
    }


def import_key_material(app: Application, given: Given) -> Result:
    """Takes wrapped material into a key."""
    done = app.importing.import_material(
        id_or_arn(app, given["KeyId"]).raw_id,
        given["ImportToken"],
        given["EncryptedKeyMaterial"],
        expiration_model=given.get("ExpirationModel", ExpirationModel.KEY_MATERIAL_EXPIRES),
        valid_to=given.get("ValidTo"),
        import_type=given.get("ImportType"),
        description=given.get("KeyMaterialDescription"),
        named=given.get("KeyMaterialId"),
    )
    return {"KeyId": done.key_arn, "KeyMaterialId": done.material_id}


def delete_imported_key_material(app: Application, given: Given) -> Result:
    """Removes material; the key is unusable until the same is imported again."""
    raw_id = id_or_arn(app, given["KeyId"]).raw_id
    gone = app.importing.delete_material(raw_id, given.get("KeyMaterialId"))
    return {"KeyId": gone.key_arn, "KeyMaterialId": gone.material_id}


OPERATIONS: Final = {
    "GetParametersForImport": Operation(get_parameters_for_import),
    "ImportKeyMaterial": Operation(import_key_material),
    "DeleteImportedKeyMaterial": Operation(delete_imported_key_material),
}
