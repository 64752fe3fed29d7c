"""Signatures and MACs.

These change nothing, so a dry run does all of the work and says only that it would have succeeded.
What keys in C make is made at once for those who asked for the same kind lately (warm).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from kmsfast.app import Application
from kmsfast.errors import StaleHandle
from kmsfast.model.key import KeyMetadata
from kmsfast.operations.names import any_name
from kmsfast.operations.requests import Given, Operation, Result

if TYPE_CHECKING:
    from kmsfast.service.signing import SigningOptions

__all__ = ["OPERATIONS"]

_RAW: Final = "RAW"
# Requests with other members than these take the way that looks at all of them.
_PLAIN_SIGN: Final = frozenset(
    {"KeyId", "Message", "MessageType", "SigningAlgorithm", "GrantTokens", "Signature"}
)
_PLAIN_MAC: Final = frozenset({"KeyId", "Message", "MacAlgorithm", "GrantTokens", "Mac"})


class _Signer(NamedTuple):
    """A key that signs in C, as one kind of request wants it."""

    arn: str
    lengths: range
    sign: Callable[[bytes], bytes]
    verify: Callable[[bytes, bytes], bool]


class _Macker(NamedTuple):
    """An HMAC key, for requests that name it so."""

    arn: str
    length: int
    make: Callable[[bytes], bytes]
    check: Callable[[bytes, bytes], None]


def sign(app: Application, given: Given) -> Result:
    """The signature of a message or digest."""
    epoch, algorithm = app.ring.epoch[0], given["SigningAlgorithm"]
    key = any_name(app, given["KeyId"])
    options = app.signing.options(algorithm, given.get("MessageType", _RAW), None)
    signature = app.signing.sign(key.raw_id, given["Message"], options)
    _keep_signer(app, epoch, key, options, given)
    return _signed(key.arn, signature, algorithm)


def sign_warm(app: Application, given: Given) -> Result | None:
    """The same without a look into the store."""
    signer = _signer(app, given)
    if signer is None:
        return None
    try:
        signature = signer.sign(given["Message"])
    except StaleHandle:
        return None
    app.singles.used(signer.arn, "Sign")
    return _signed(signer.arn, signature, given["SigningAlgorithm"])


def verify(app: Application, given: Given) -> Result:
    """That a signature is that of a message or digest."""
    epoch, algorithm = app.ring.epoch[0], given["SigningAlgorithm"]
    key = any_name(app, given["KeyId"])
    options = app.signing.options(algorithm, given.get("MessageType", _RAW), None)
    app.signing.verify(key.raw_id, given["Message"], given["Signature"], options)
    _keep_signer(app, epoch, key, options, given)
    return _verified(key.arn, algorithm)


def verify_warm(app: Application, given: Given) -> Result | None:
    """The same without a look into the store; what does not verify is looked at again there."""
    signer = _signer(app, given)
    if signer is None or not signer.verify(given["Message"], given["Signature"]):
        return None
    app.singles.used(signer.arn, "Verify")
    return _verified(signer.arn, given["SigningAlgorithm"])


def generate_mac(app: Application, given: Given) -> Result:
    """The MAC of a message."""
    epoch, algorithm = app.ring.epoch[0], given["MacAlgorithm"]
    key = any_name(app, given["KeyId"])
    mac = app.macs.mac(key.raw_id, given["Message"], algorithm)
    _keep_macker(app, epoch, key, given)
    return _macked(key.arn, mac, algorithm)


def generate_mac_warm(app: Application, given: Given) -> Result | None:
    """The same without a look into the store."""
    macker = _macker(app, given)
    if macker is None:
        return None
    try:
        mac = macker.make(given["Message"])
    except StaleHandle:
        return None
    app.singles.used(macker.arn, "GenerateMac")
    return _macked(macker.arn, mac, given["MacAlgorithm"])


def verify_mac(app: Application, given: Given) -> Result:
    """That a MAC is that of a message."""
    epoch, algorithm = app.ring.epoch[0], given["MacAlgorithm"]
    key = any_name(app, given["KeyId"])
    app.macs.verify(key.raw_id, given["Message"], given["Mac"], algorithm)
    _keep_macker(app, epoch, key, given)
    return _mac_verified(key.arn, algorithm)


def verify_mac_warm(app: Application, given: Given) -> Result | None:
    """The same without a look into the store."""
    macker = _macker(app, given)
    if macker is None or len(given["Mac"]) != macker.length:
        return None
    try:
        macker.check(given["Message"], given["Mac"])
    except StaleHandle:
        return None
    app.singles.used(macker.arn, "VerifyMac")
    return _mac_verified(macker.arn, given["MacAlgorithm"])


OPERATIONS: Final = {
    "Sign": Operation(sign, sign_warm),
    "Verify": Operation(verify, verify_warm),
    "GenerateMac": Operation(generate_mac, generate_mac_warm),
    "VerifyMac": Operation(verify_mac, verify_mac_warm),
}


def _signing_kind(given: Given) -> tuple[str, ...]:
    return "Sign", given["KeyId"], given["SigningAlgorithm"], given.get("MessageType", _RAW)


def _mac_kind(given: Given) -> tuple[str, ...]:
    return "Mac", given["KeyId"], given["MacAlgorithm"]


def _keep_signer(
    app: Application, epoch: int, key: KeyMetadata, options: SigningOptions, given: Given
) -> None:
    """Makes the next warm calls possible, of a key that C computes with.

    Args:
        epoch: of the store, from before the key was found by its name.
    """
    ready = app.signing.ready(key.raw_id, options)
    if ready is not None:
        signer = _Signer(key.arn, *ready[1:])
        app.remembered.keep(epoch, ready[0], signer, *_signing_kind(given))


def _signer(app: Application, given: Given) -> _Signer | None:
    if not _PLAIN_SIGN.issuperset(given):
        return None
    signer: _Signer | None = app.remembered.get(*_signing_kind(given))
    return signer if signer is not None and len(given["Message"]) in signer.lengths else None


def _keep_macker(app: Application, epoch: int, key: KeyMetadata, given: Given) -> None:
    """The same for MACs."""
    ready = app.macs.ready(key.raw_id)
    macker = _Macker(key.arn, *ready[1:])
    app.remembered.keep(epoch, ready[0], macker, *_mac_kind(given))


def _macker(app: Application, given: Given) -> _Macker | None:
    if not _PLAIN_MAC.issuperset(given):
        return None
    macker: _Macker | None = app.remembered.get(*_mac_kind(given))
    return macker


def _signed(arn: str, signature: bytes, algorithm: str) -> Result:
    return {"KeyId": arn, "Signature": signature, "SigningAlgorithm": algorithm}


def _verified(arn: str, algorithm: str) -> Result:
    return {"KeyId": arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


def _macked(arn: str, mac: bytes, algorithm: str) -> Result:
    return {"Mac": mac, "MacAlgorithm": algorithm, "KeyId": arn}


def _mac_verified(arn: str, algorithm: str) -> Result:
    return {"KeyId": arn, "MacValid": True, "MacAlgorithm": algorithm}
