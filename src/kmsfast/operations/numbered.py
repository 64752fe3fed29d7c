"""Operations by number on one record: the same operations, asked in the socket's short form.

A request becomes the members that AWS has for it, and goes the way of every other door. What AWS
has no member for (associated data, signatures of another encoding) is done by the service itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from kmsfast.app import Application
from kmsfast.errors import InvalidMac, InvalidSignature
from kmsfast.model.key import require_usage
from kmsfast.model.keyspec import KeyUsage, algorithms_of
from kmsfast.model.message import MessageType, signing_algorithm
from kmsfast.operations.encryption import key_of
from kmsfast.operations.names import any_name
from kmsfast.operations.requests import Given
from kmsfast.wire.socket_requests import ByNumber

if TYPE_CHECKING:
    from kmsfast.service.signing import SigningOptions

__all__ = ["SINGLES", "Single", "common", "signing_options", "with_algorithm"]

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
        "MessageType": _message_type(call, call.options.algorithm or ""),
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


# ---- algorithms that are not named --------------------------------------------------------------


def with_algorithm(app: Application, call: ByNumber) -> ByNumber:
    """The request with its algorithm, the only one that its key has for it, where none is named.

    Raises:
        ValidationError: there are several. Errors of the key's name; InvalidKeyUsage.
    """
    usage = _USAGES.get(call.operation.name)
    if usage is None or call.options.algorithm is not None:
        return call
    key = any_name(app, call.key or "")
    require_usage(key, usage, call.operation.name)
    if usage is KeyUsage.SIGN_VERIFY:
        offered = algorithms_of(key.spec, usage)
        asked = MessageType(_message_type(call, offered[0]))
        algorithm = signing_algorithm(key.spec, None, asked)
    else:
        (algorithm,) = algorithms_of(key.spec, usage)
    return replace(call, options=replace(call.options, algorithm=algorithm))


_USAGES: Final = {
    "Sign": KeyUsage.SIGN_VERIFY,
    "Verify": KeyUsage.SIGN_VERIFY,
    "GenerateMac": KeyUsage.GENERATE_VERIFY_MAC,
    "VerifyMac": KeyUsage.GENERATE_VERIFY_MAC,
}


def _message_type(call: ByNumber, algorithm: str) -> str:
    """What AWS calls the kind of the messages; what ML-DSA has for a digest is mu."""
    if not call.options.digest:
        return "RAW"
    return "EXTERNAL_MU" if algorithm.startswith("ML_DSA") else "DIGEST"


# ---- what AWS has no members for ----------------------------------------------------------------


def _encrypt_with_aad(app: Application, given: Given, call: ByNumber) -> bytes:
    key = any_name(app, given["KeyId"])
    return app.encryption.encrypt(key.raw_id, call.payload, call.context, call.options.aad)


def _decrypt_with_aad(app: Application, given: Given, call: ByNumber) -> bytes:
    key_of(app, call.payload, given.get("KeyId"))
    return app.encryption.decrypt(call.payload, call.context, call.options.aad)


def signing_options(app: Application, call: ByNumber) -> SigningOptions:
    """The options of a request whose algorithm is known; signatures are DER unless it says raw."""
    options = call.options
    algorithm = options.algorithm or ""
    encoding = "der" if algorithm.startswith("ECDSA") else None
    return app.signing.options(
        algorithm,
        _message_type(call, algorithm),
        "raw" if options.raw else encoding,
        deterministic=options.deterministic,
    )


def _sign(app: Application, given: Given, call: ByNumber) -> bytes:
    key = any_name(app, given["KeyId"])
    return app.signing.sign(key.raw_id, call.payload, signing_options(app, call))


def _verify(app: Application, given: Given, call: ByNumber) -> bool:
    key = any_name(app, given["KeyId"])
    message, signature = call.payload
    app.signing.verify(key.raw_id, message, signature, signing_options(app, call))
    return True


def _if_aad(special: _Special) -> Callable[[ByNumber], _Special | None]:
    return lambda call: None if call.options.aad is None else special


def _if_raw(special: _Special) -> Callable[[ByNumber], _Special | None]:
    return lambda call: special if call.options.raw or call.options.deterministic else None


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
    "Sign": Single(_signing, _member("Signature"), _if_raw(_sign)),
    "Verify": Single(_signing, _member("SignatureValid"), _if_raw(_verify), InvalidSignature),
    "GenerateMac": Single(_macking, _member("Mac")),
    "VerifyMac": Single(_macking, _member("MacValid"), refusal=InvalidMac),
    "ReEncrypt": Single(_re_encrypting, _BLOB),
    "GenerateRandom": Single(_one("NumberOfBytes"), _member("Plaintext")),
}
"""By the names that :data:`kmsfast.wire.socket_operations.NUMBERS` gives them."""
