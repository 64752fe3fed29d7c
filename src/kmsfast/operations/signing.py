"""Signatures and MACs.

These change nothing, so a dry run does all of the work and says only that it would have succeeded.
"""

from __future__ import annotations

from typing import Final

from kmsfast.app import Application
from kmsfast.operations.names import any_name
from kmsfast.operations.requests import Given, Operation, Result

__all__ = ["OPERATIONS"]

_RAW: Final = "RAW"


def sign(app: Application, given: Given) -> Result:
    """The signature of a message or digest."""
    key, algorithm = any_name(app, given["KeyId"]), given["SigningAlgorithm"]
    options = app.signing.options(algorithm, given.get("MessageType", _RAW), None)
    signature = app.signing.sign(key.raw_id, given["Message"], options)
    return {"KeyId": key.arn, "Signature": signature, "SigningAlgorithm": algorithm}


def verify(app: Application, given: Given) -> Result:
    """That a signature is that of a message or digest."""
    key, algorithm = any_name(app, given["KeyId"]), given["SigningAlgorithm"]
    options = app.signing.options(algorithm, given.get("MessageType", _RAW), None)
    app.signing.verify(key.raw_id, given["Message"], given["Signature"], options)
    return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


def generate_mac(app: Application, given: Given) -> Result:
    """The MAC of a message."""
    key, algorithm = any_name(app, given["KeyId"]), given["MacAlgorithm"]
    mac = app.macs.mac(key.raw_id, given["Message"], algorithm)
    return {"Mac": mac, "MacAlgorithm": algorithm, "KeyId": key.arn}


def verify_mac(app: Application, given: Given) -> Result:
    """That a MAC is that of a message."""
    key, algorithm = any_name(app, given["KeyId"]), given["MacAlgorithm"]
    app.macs.verify(key.raw_id, given["Message"], given["Mac"], algorithm)
    return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": algorithm}


OPERATIONS: Final = {
    "Sign": Operation(sign),
    "Verify": Operation(verify),
    "GenerateMac": Operation(generate_mac),
    "VerifyMac": Operation(verify_mac),
}
