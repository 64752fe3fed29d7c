"""Errors that a server answers, as the classes that are raised in-process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kmsfast import errors
from kmsfast.errors import (
    DependencyTimeout,
    InvalidCiphertext,
    InvalidMac,
    InvalidSignature,
    KmsError,
    ProtocolError,
    ServerUnreachable,
    UnsupportedOperation,
)

__all__ = ["lost", "no_answer", "of_code", "silent", "unreachable"]


def of_code(code: str, message: str) -> KmsError:
    """The error of a code of AWS; of classes that share one, the most general."""
    kind = _CLASSES.get(code)
    if kind is not None:
        return kind(message or _UNSAID.get(kind, code))
    error = KmsError(message)
    error.code = code
    return error


def unreachable(path: str, error: OSError) -> ServerUnreachable:
    """Nobody could be asked."""
    return ServerUnreachable(
        f"no server answers at {path!r}: {error.strerror or error}",
        hint=f"start one by kmsfast serve --socket {path}, or check the path and who may open it",
    )


def lost(path: str, error: OSError) -> ServerUnreachable:
    """Somebody was asked and did not answer."""
    return ServerUnreachable(
        f"the server at {path!r} went away before it answered ({error.strerror or error})",
        hint="whether the request was done is not known",
    )


def no_answer(operation: object) -> ProtocolError:
    """Somebody was asked and answers something else."""
    return ProtocolError(f"the server's answer is none to {operation}; is it a newer server?")


def silent(timeout: float) -> DependencyTimeout:
    """Somebody was asked and has not answered yet."""
    return DependencyTimeout(
        f"the server has not answered in {timeout:g} seconds; the timeout of kmsfast.connect "
        "allows more"
    )


def _classes() -> dict[str, type[KmsError]]:
    found: dict[str, type[KmsError]] = {}
    for each in vars(errors).values():  # in the order in which they are defined, bases first
        if isinstance(each, type) and issubclass(each, KmsError):
            found.setdefault(each.code, each)
    return found


# AWS answers these without a message.
_UNSAID: Final[Mapping[type[KmsError], str]] = {
    InvalidCiphertext: "the ciphertext does not open: it was changed, is none of this key, or the "
    "encryption context differs from the one it was encrypted with",
    InvalidSignature: "the signature is not that of this message",
    InvalidMac: "the MAC is not that of this message",
    UnsupportedOperation: "the operation is not for keys of this spec, origin or key store",
}
_CLASSES: Final[Mapping[str, type[KmsError]]] = _classes()
