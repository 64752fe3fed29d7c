"""How requests name keys, and which error a name that leads nowhere gets.

AWS takes aliases in the operations that use a key and in DescribeKey; all others take a key's id
or ARN alone, and to them an alias is no name of a key.
"""

from __future__ import annotations

from kmsfast.app import Application
from kmsfast.crypto.blob import KeyName, parse_key
from kmsfast.errors import InvalidAliasName, InvalidKeyId, KeyNotFound
from kmsfast.model.alias import PREFIX
from kmsfast.model.key import KeyMetadata
from kmsfast.model.outside_blob import is_outside
from kmsfast.model.outside_blob import parse as parse_outside

__all__ = ["any_name", "id_or_arn", "named_key"]


def any_name(app: Application, name: str) -> KeyMetadata:
    """The key of an id, an ARN, an alias or an alias's ARN.

    Raises:
        KeyNotFound: none. InvalidArn: malformed. ForeignArn: one of elsewhere.
    """
    try:
        return app.ring.find(name)
    except InvalidAliasName:
        resource = app.store.home.resource(name) if name.startswith("arn:") else name
        raise KeyNotFound(f"Alias {app.store.home.arn(resource)} is not found.") from None


def id_or_arn(app: Application, name: str) -> KeyMetadata:
    """The key of an id or an ARN.

    Raises:
        InvalidKeyId: an alias, or no name at all. As :func:`any_name`.
    """
    if name.startswith(PREFIX) or (name.startswith("arn:") and ":alias/" in name):
        raise InvalidKeyId(f"Invalid keyId {name!r}")
    return app.ring.find(name)


def named_key(data: bytes) -> KeyName:
    """The key version that a ciphertext names; its first 56 bytes are enough where it lies here.

    Raises:
        FrameError: no blob.
    """
    if is_outside(data):
        found = parse_outside(data)
        return KeyName(found.key_id, found.version, 0)
    return parse_key(data)
