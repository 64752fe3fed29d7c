"""Towards which request quotas each operation counts.

Source: developer guide, page "Request quotas".
Rules:
- operations that use a key's material count by the type of the key; where the key is not there, as
  the operation usually does;
- a key in a custom key store counts twice: as others of its type, and for its key store;
- ReEncrypt counts once for each type of its two keys;
- what is known of the name of a key is remembered while the store's epoch stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from kmsfast.app import Application
from kmsfast.errors import KmsError
from kmsfast.model.keyspec import KeySpec
from kmsfast.operations.names import any_name
from kmsfast.operations.requests import Given
from kmsfast.service.request_quotas import Charge

__all__ = ["SYMMETRIC", "Charges", "charges", "known_charges"]

Charges = tuple[Charge, ...]

SYMMETRIC: Final[Charges] = (Charge("symmetric"),)
_REMEMBERED: Final = "charges"
_USED: Final = ("KeyId",)
_NAMING: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt",
            "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "Sign", "Verify",
            "VerifyMac",
        ),
        _USED,
    ),
    "ReEncrypt": ("SourceKeyId", "DestinationKeyId"),
}  # fmt: skip
# Of operations that are none of symmetric keys: the type that they usually have.
_USUAL: Final[Mapping[str, Charges]] = {
    **dict.fromkeys(("Sign", "Verify"), (Charge("rsa"),)),
    "DeriveSharedSecret": (Charge("ecc"),),
    **dict.fromkeys(("Encapsulate", "Decapsulate"), (Charge("ml-kem"),)),
}
_BEGINNINGS: Final[Mapping[str, str]] = {
    "RSA": "rsa", "ECC": "ecc", "ML_DSA": "ml-dsa", "ML_KEM": "ml-kem",
}  # fmt: skip
_FAMILIES: Final[Mapping[KeySpec, str]] = {
    spec: next((_BEGINNINGS[each] for each in _BEGINNINGS if spec.startswith(each)), "symmetric")
    for spec in KeySpec
}


def charges(app: Application, operation: str, given: Given) -> Charges:
    """Towards what a request counts; may look into the store.

    Args:
        app: the service in which its keys are named.
    """
    named = _named(operation, given, partial(_of_key, app))
    return _unnamed(app, operation, given) if named is None else named


def known_charges(app: Application, operation: str, given: Given) -> Charges | None:
    """The same, when it is known without the store."""
    if operation not in _NAMING:
        return _unnamed(app, operation, given)
    return _named(operation, given, lambda name, _: app.remembered.get(_REMEMBERED, name))


def _named(
    operation: str, given: Given, of: Callable[[str, Charges], Charges | None]
) -> Charges | None:
    """Those of an operation that uses keys by their names; None: it does not, or one is unknown."""
    members = _NAMING.get(operation)
    if members is None:
        return None
    usual = _USUAL.get(operation, SYMMETRIC)
    # A ciphertext whose key is not named is of a symmetric one.
    found = [of(given[each], usual) if given.get(each) else usual for each in members]
    if len(found) == 1:
        return found[0]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    return tuple(dict.fromkeys(charge for each in known for charge in each))


def _of_key(app: Application, name: str, usual: Charges) -> Charges:
    known: Charges | None = app.remembered.get(_REMEMBERED, name)
    if known is not None:
        return known
    epoch = app.ring.epoch[0]
    try:
        key = any_name(app, name)
    except KmsError:  # which the operation will say
        return usual
    found: Charges = (Charge(_FAMILIES[key.spec]),)
    if key.backing is not None:
        found += (_of_key_store(key.backing.key_store_id),)
    app.remembered.keep(epoch, app.ring.epoch[0], found, _REMEMBERED, name)
    return found


def _of_key_store(key_store_id: str) -> Charge:
    return Charge("custom-key-store", of=key_store_id)


def _unnamed(app: Application, operation: str, given: Given) -> Charges:
    """Those of an operation for which its keys do not matter."""
    special = _SPECIAL.get(operation)
    return (Charge(operation),) if special is None else special(app, given)


def _random(_app: Application, given: Given) -> Charges:
    key_store_id = given.get("CustomKeyStoreId")
    return SYMMETRIC if key_store_id is None else (*SYMMETRIC, _of_key_store(key_store_id))


def _data_key_pair(_app: Application, given: Given) -> Charges:
    return (Charge(f"data-key-pair.{given['KeyPairSpec']}"),)


def _replicate(app: Application, given: Given) -> Charges:
    """Once here, and as two new keys where the replica is to be."""
    there = Charge("CreateKey", given["ReplicaRegion"], 2)
    return (Charge("ReplicateKey"), *_if_served(app, there))


def _update_primary(app: Application, given: Given) -> Charges:
    there = Charge("UpdatePrimaryRegion", given["PrimaryRegion"])
    return (Charge("UpdatePrimaryRegion"), *_if_served(app, there))


def _if_served(app: Application, charge: Charge) -> Charges:
    return (charge,) if charge.region in app.deployment.served_regions() else ()


_SPECIAL: Final[Mapping[str, Callable[[Application, Given], Charges]]] = {
    "GenerateRandom": _random,
    "GenerateDataKeyPair": _data_key_pair,
    "GenerateDataKeyPairWithoutPlaintext": _data_key_pair,
    "ReplicateKey": _replicate,
    "UpdatePrimaryRegion": _update_primary,
}
