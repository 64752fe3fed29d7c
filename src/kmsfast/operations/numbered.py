"""Operations by number on one record: the same operations, asked in the socket's short form.

A request becomes the members that AWS has for it, and goes the way of every other door. What AWS
has no member for (associated data, signatures of another encoding) is done by the service itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kmsfast.app import Application
from kmsfast.errors import InvalidMac, InvalidSignature
from kmsfast.operations.encryption import key_of
from kmsfast.operations.names import any_name
from kmsfast.operations.requests import Given
from kmsfast.wire.socket_requests import ByNumber

__all__ = ["SINGLES", "Single", "common"]

_Special = Callable[[Application, Given, ByNumber], Any]


@dataclass(frozen=True, slots=True)
class Single:
    """How an operation by number on one record is done.

    Attributes:
        given: the members that AWS has for the request.
        body: the answer, from that by name.
        special: does what those members cannot say; None: this request needs nothing of it.
        refusal: an error that is the answer false, since the operation asks whether.
    """

    given: Callable[[ByNumber], dict[str, Any]]
    body: Callable[[Mapping[str, Any]], Any]
    special: Callable[[ByNumber], _Special | None] = lambda _call: None
    refusal: type[Exception] | tuple[()] = ()


def common(call: ByNumber) -> dict[str, Any]:
    """The members that most operations have; those that were not given are left out."""
    members = {"KeyId": call.key, "EncryptionContext": call.context}
    found: dict[str, Any] = {name: value for name, value in members.items() if value is not None}
    if call.options.tokens:
        found["GrantTokens"] = list(call.options.tokens)
    return found


def _one(member: str) -> Callable[[ByNumber], dict[str, Any]]:
    return lambda call: {**common(call), member: call.payload}


def _signing(call: ByNumber) -> dict[str, Any]:
    pair = call.payload if isinstance(call.payload, tuple) else (call.payload,)
    return {
        **common(call),
        **dict(zip(("Message", "Signature"), pair, strict=False)),
        "SigningAlgorithm": call.options.algorithm,
        "MessageType": "DIGEST" if call.options.digest else "RAW",
    }


def _macking(call: ByNumber) -> dict[str, Any]:
    pair = call.payload if isinstance(call.payload, tuple) else (call.payload,)
    return {
        **common(call),
        **dict(zip(("Message", "Mac"), pair, strict=False)),
        "MacAlgorithm": call.options.algorithm,
    }


def _re_encrypting(call: ByNumber) -> dict[str, Any]:
    found = {"CiphertextBlob": call.payload, "DestinationKeyId": call.key}
    contexts = {
        "SourceEncryptionContext": call.context,
        "DestinationEncryptionContext": call.options.to_context,
    }
    found |= {name: value for name, value in contexts.items() if value is not None}
    if call.options.tokens:
        found["GrantTokens"] = list(call.options.tokens)
    return found


# ---- what AWS has no members for ----------------------------------------------------------------


def _encrypt_with_aad(app: Application, given: Given, call: ByNumber) -> bytes:
    key = any_name(app, given["KeyId"])
    return app.encryption.encrypt(key.raw_id, call.payload, call.context, call.options.aad)


def _decrypt_with_aad(app: Application, given: Given, call: ByNumber) -> bytes:
    key_of(app, call.payload, given.get("KeyId"))
    return app.encryption.decrypt(call.payload, call.context, call.options.aad)


def _sign_raw(app: Application, given: Given, call: ByNumber) -> bytes:
    key = any_name(app, given["KeyId"])
    options = app.signing.options(given["SigningAlgorithm"], given["MessageType"], "raw")
    return app.signing.sign(key.raw_id, call.payload, options)


def _verify_raw(app: Application, given: Given, call: ByNumber) -> bool:
    key = any_name(app, given["KeyId"])
    options = app.signing.options(given["SigningAlgorithm"], given["MessageType"], "raw")
    message, signature = call.payload
    app.signing.verify(key.raw_id, message, signature, options)
    return True


def _if_aad(special: _Special) -> Callable[[ByNumber], _Special | None]:
    return lambda call: None if call.options.aad is None else special


def _if_raw(special: _Special) -> Callable[[ByNumber], _Special | None]:
    return lambda call: special if call.options.raw else None


def _member(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda result: result[name]


def _data_key(result: Mapping[str, Any]) -> list[bytes]:
    return [result["Plaintext"], result["CiphertextBlob"]]


_BLOB: Final = _member("CiphertextBlob")

SINGLES: Final[Mapping[str, Single]] = {
    "Encrypt": Single(_one("Plaintext"), _BLOB, _if_aad(_encrypt_with_aad)),
    "Decrypt": Single(_one("CiphertextBlob"), _member("Plaintext"), _if_aad(_decrypt_with_aad)),
    "GenerateDataKey": Single(_one("NumberOfBytes"), _data_key),
    "GenerateDataKeyWithoutPlaintext": Single(_one("NumberOfBytes"), _BLOB),
    "Sign": Single(_signing, _member("Signature"), _if_raw(_sign_raw)),
    "Verify": Single(_signing, _member("SignatureValid"), _if_raw(_verify_raw), InvalidSignature),
    "GenerateMac": Single(_macking, _member("Mac")),
    "VerifyMac": Single(_macking, _member("MacValid"), refusal=InvalidMac),
    "ReEncrypt": Single(_re_encrypting, _BLOB),
    "GenerateRandom": Single(_one("NumberOfBytes"), _member("Plaintext")),
}
"""By the names that :data:`kmsfast.wire.socket_operations.NUMBERS` gives them."""
