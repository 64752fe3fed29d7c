"""What external key store proxies answer, checked by the specification. No I/O.

Source: AWS KMS External Key Store Proxy API Specification, version 1 of the API. Whatever an
answer must have and has not makes it malformed; what it has besides is not looked at.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
from base64 import b64decode
from typing import Any, Final

from kmsfast.external.http import Answer
from kmsfast.model.key_store_faults import Fault, OutsideFailed
from kmsfast.model.outside_blob import Box

__all__ = ["box_of", "check_health", "check_key", "members_of", "plaintext_of"]

_OK: Final = 200
_REPORTED: Final = {str(fault): fault for fault in Fault if fault.endswith("Exception")}
_HEALTH: Final = ("xksProxyVendor", "xksProxyModel", "ekmVendor")
_MANAGER: Final = ("id", "model")
_STATES: Final = frozenset({"ACTIVE", "DEGRADED", "UNAVAILABLE"})
_MOST_MANAGERS: Final = 10
_MAX_METADATA: Final = 20
_NONCES: Final = frozenset({12, 16})
_TAG_LEN: Final = 16


def members_of(answer: Answer) -> dict[str, Any]:
    """The members of a successful answer.

    Raises:
        OutsideFailed: the proxy refused, by the name that it gave, or it is no answer.
    """
    members = _object(answer.body)
    if answer.status == _OK:
        return members
    name = members.get("errorName")
    raise OutsideFailed(_REPORTED.get(name, Fault.MALFORMED) if isinstance(name, str) else _BAD)


_BAD: Final = Fault.MALFORMED


def check_health(members: dict[str, Any]) -> None:
    """Passes when the answer is one to GetHealthStatus and a key manager can work."""
    size, managers = members.get("xksProxyFleetSize"), members.get("ekmFleetDetails")
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise OutsideFailed(_BAD)
    if not isinstance(managers, list) or not 1 <= len(managers) <= _MOST_MANAGERS:
        raise OutsideFailed(_BAD)
    if not all(isinstance(each, dict) for each in managers):
        raise OutsideFailed(_BAD)
    texts = [members.get(name) for name in _HEALTH]
    texts += [each.get(name) for each in managers for name in _MANAGER]
    states = [each.get("healthStatus") for each in managers]
    if not all(isinstance(text, str) for text in texts) or not _STATES.issuperset(map(str, states)):
        raise OutsideFailed(_BAD)
    if set(states) == {"UNAVAILABLE"}:
        raise OutsideFailed(Fault.UNAVAILABLE)


def check_key(members: dict[str, Any]) -> None:
    """Passes when GetKeyMetadata tells of an enabled AES-256 key that encrypts and decrypts."""
    spec, status = members.get("keySpec"), members.get("keyStatus")
    usage = members.get("keyUsage")
    if not isinstance(spec, str) or not isinstance(status, str) or not isinstance(usage, list):
        raise OutsideFailed(_BAD)
    if len(usage) > _MOST_MANAGERS or not all(isinstance(each, str) for each in usage):
        raise OutsideFailed(_BAD)
    if spec != "AES_256":
        raise OutsideFailed(
            Fault.KEY_USAGE,
            "The key spec of the external key must be AES_256. The key spec of specified external "
            f"key is {_printable(spec)}.",
        )
    if status != "ENABLED":
        raise OutsideFailed(
            Fault.KEY_STATE,
            "The status of the external key must be ENABLED. The status of specified external key "
            f"is {_printable(status)}.",
        )
    if not {"ENCRYPT", "DECRYPT"} <= set(usage):
        raise OutsideFailed(
            Fault.KEY_USAGE,
            "The key usage of the external key must include ENCRYPT and DECRYPT. The key use of "
            f"specified external key is {_printable(', '.join(usage))}.",
        )


def box_of(members: dict[str, Any], size: int, aad: bytes) -> Box:
    """What Encrypt answers, when it is a ciphertext of ``size`` bytes and its digest is right."""
    box = Box(
        nonce=_bytes(members, "initializationVector"),
        metadata=_bytes(members, "ciphertextMetadata", optional=True),
        ciphertext=_bytes(members, "ciphertext"),
        tag=_bytes(members, "authenticationTag"),
    )
    if (
        len(box.nonce) not in _NONCES
        or len(box.metadata) > _MAX_METADATA
        or len(box.ciphertext) != size
        or len(box.tag) != _TAG_LEN
    ):
        raise OutsideFailed(_BAD)
    # Specification, Appendix C.
    found = hashlib.sha256(b"".join((aad, box.metadata, box.nonce, box.ciphertext, box.tag)))
    if not hmac.compare_digest(found.digest(), _bytes(members, "ciphertextDataIntegrityValue")):
        raise OutsideFailed(_BAD)
    return box


def plaintext_of(members: dict[str, Any], size: int) -> bytes:
    """What Decrypt answers, when it is as long as the ciphertext was."""
    plaintext = _bytes(members, "plaintext")
    if len(plaintext) != size:
        raise OutsideFailed(_BAD)
    return plaintext


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise OutsideFailed(_BAD) from error
    if not isinstance(found, dict):
        raise OutsideFailed(_BAD)
    return found


def _bytes(members: dict[str, Any], name: str, *, optional: bool = False) -> bytes:
    text = members.get(name)
    if text is None and optional:
        return b""
    try:
        return b64decode(text, validate=True)  # type: ignore[arg-type]
    except (binascii.Error, TypeError, ValueError) as error:
        raise OutsideFailed(_BAD) from error


def _printable(text: str) -> str:
    """At most 64 characters of ASCII, whatever a proxy sends."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:64])
