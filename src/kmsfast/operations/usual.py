"""Usual requests to encrypt, decrypt and make data keys, answered from body to body.

Rules:
- this is :mod:`.encryption` for requests that C can read (:mod:`kmsfast.crypto.bodies`) and whose
  key was used lately (:mod:`kmsfast.service.singles`); everything else is None, and goes there;
- answers are written by the same writers: once for each name of a key, around values of no bytes,
  which C fills in;
- what is known of a name is good as long as what it was made of;
- what is answered here C has counted (docs/metrics.md).

A request is answered in two steps: its key is found, then C does the work. Between them it is
decided who may do it, where requests are signed (:mod:`kmsfast.server.signed_usual`).
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any, Final, NamedTuple, cast

from kmsfast.app import Application
from kmsfast.audit.frames import pack
from kmsfast.crypto import bodies, counters
from kmsfast.crypto.bodies import Template
from kmsfast.errors import StaleHandle
from kmsfast.operations.requests import Found, Given, Names, Result
from kmsfast.operations.results import SYMMETRIC, decrypted, encrypted, generated, size_of
from kmsfast.service.remembered import keep_few
from kmsfast.service.singles import DataKeyOf, Opened, Opening, Sealed, Sealing
from kmsfast.wire.model import OperationShape
from kmsfast.wire.shapes import Blob

__all__ = ["BlobsOfDataKeys", "DataKeys", "Decrypting", "Encrypting", "RandomBytes"]

_HEADER_CHARS: Final = 32  # of base64: the 24 bytes of a blob that name its key version
_LONGEST_BODY: Final = 64  # of GenerateRandom, to be remembered
_DOOR: Final = "http"  # by which JSON comes
_MADE: Final = counters.counter(counters.TEMPLATES_MADE)
_NEVER_DUE: Final = float("inf")
_NO_NAME: Final = b"\0"  # of no key; empty would be any


class _Known(NamedTuple):
    """How requests that name a key in one way are answered, in this epoch and until then."""

    epoch: int
    due: float
    template: Template
    key_arn: str


class _Usual:
    """The names of keys for which templates are there, and what the operations share."""

    operation: str
    _KIND: bodies.Kind

    def __init__(self, app: Application, shape: OperationShape) -> None:
        self._epoch, self._clock, self._singles = app.ring.epoch, app.ring.clock, app.singles
        self._usage, self._shape = app.ring.usage, shape
        self._timer = counters.timer(_DOOR, self.operation)
        self._known: dict[Any, _Known] = {}

    def answer(self, body: bytes) -> bytes | None:
        """The body of the answer; None: this request takes the general way."""
        found = self.find(body)
        return None if found is None else self.make(found, body)

    def find(self, body: bytes, names: Names | None = None) -> Found | None:
        """How a request is answered; None likewise."""
        raise NotImplementedError

    def make(self, found: Found, body: bytes) -> bytes | None:
        """The body of the answer; None likewise."""
        answer = self._made(found, body)
        if answer is None:
            self._known.pop(found.name, None)  # an evicted key may be the reason
        elif found.key_arn not in self._usage.window.uses:  # else it was recorded a moment ago
            self._usage.note(found.key_arn, self.operation, self._singles.request_id)
        return answer

    def recorded(self, _found: Found, body: bytes) -> bytes:
        """The members of the request that are recorded, packed."""
        return bodies.recorded(self._KIND, body)

    def _made(self, found: Found, body: bytes) -> bytes | None:
        raise NotImplementedError

    def _template(self, name: Any) -> _Known | None:
        """How a request is answered that names its key so, if that is known."""
        known = self._known.get(name)
        if known is None or known.epoch != self._epoch[0]:
            return None
        due = known.due
        return None if due != _NEVER_DUE and self._clock() >= due else known

    def _learn(self, name: Any, of: Sealing | Opening, empty: Result) -> _Known | None:
        """Makes the template of an answer without bytes."""
        try:
            template = _template_of(of.handle, self._shape, empty, self._timer)
        except StaleHandle:
            return None
        counters.add(_MADE, 1)
        due = of.due if isinstance(of, Sealing) else None
        made = _Known(of.epoch, _NEVER_DUE if due is None else due, template, of.key_arn)
        keep_few(self._known, name, made)
        return made


class Encrypting(_Usual):
    """Encrypt."""

    operation, _KIND = "Encrypt", bodies.Kind.ENCRYPT

    def __init__(self, app: Application, shape: OperationShape) -> None:
        super().__init__(app, shape)
        self._sizes = cast("Blob", shape.request.member("Plaintext")).sizes

    def find(self, body: bytes, names: Names | None = None) -> Found | None:
        """How a request is answered; None: this request takes the general way."""
        place = bodies.scan_encrypt(body)
        if place is None:
            return None
        name, _, size = place
        if names is not None:
            name = names.get(name, _NO_NAME)
        known = self._template(name) or self._new(name)
        if known is None or size not in self._sizes:
            return None
        return Found(name, known.template, size, known.key_arn)

    def _made(self, found: Found, body: bytes) -> bytes | None:
        return bodies.encrypt(found.template, body, found.size)

    def _new(self, name: bytes) -> _Known | None:
        known = self._singles.sealing(name.decode())
        if known is None:
            return None
        return self._learn(name, known, encrypted(Sealed(b"", known.key_arn), SYMMETRIC))


class Decrypting(_Usual):
    """Decrypt."""

    operation, _KIND = "Decrypt", bodies.Kind.DECRYPT

    def __init__(self, app: Application, shape: OperationShape) -> None:
        super().__init__(app, shape)
        self._sizes = cast("Blob", shape.request.member("CiphertextBlob")).sizes

    def find(self, body: bytes, names: Names | None = None) -> Found | None:
        """How a request is answered; None: this request takes the general way."""
        place = bodies.scan_decrypt(body)
        if place is None:
            return None
        name, at, size = place
        if name and names is not None:
            name = names.get(name, _NO_NAME)
        both = body[at : at + _HEADER_CHARS], name
        known = self._template(both) or self._new(*both)
        if known is None or size not in self._sizes:
            return None
        return Found(both, known.template, size, known.key_arn)

    def _made(self, found: Found, body: bytes) -> bytes | None:
        return bodies.decrypt(found.template, body, found.size)

    def _new(self, start: bytes, name: bytes) -> _Known | None:
        try:
            header = a2b_base64(start, strict_mode=True)
        except ValueError:
            return None
        known = self._singles.opening(header, name.decode() or None)
        if known is None:
            return None
        empty = decrypted(Opened(b"", known.key_arn, known.material_id), SYMMETRIC)
        return self._learn((start, name), known, empty)


class DataKeys(_Usual):
    """GenerateDataKey."""

    operation, _KIND = "GenerateDataKey", bodies.Kind.DATA_KEY

    _PLAINTEXT: bytes | None = b""

    def __init__(self, app: Application, shape: OperationShape) -> None:
        super().__init__(app, shape)
        self._sizes: dict[bytes, int] = {}  # by the text of KeySpec or NumberOfBytes

    def find(self, body: bytes, names: Names | None = None) -> Found | None:
        """How a request is answered; None: this request takes the general way."""
        place = bodies.scan_data_key(body)
        if place is None:
            return None
        name, at, length = place
        if names is not None:
            name = names.get(name, _NO_NAME)
        text = body[at : at + length]
        size = self._sizes.get(text) or self._size(text, body)
        known = self._template(name) or self._new(name)
        return None if known is None else Found(name, known.template, size, known.key_arn)

    def _made(self, found: Found, body: bytes) -> bytes | None:
        plain = self._PLAINTEXT is not None
        return bodies.data_key(found.template, body, found.size, with_plaintext=plain)

    def _size(self, text: bytes, body: bytes) -> int:
        size = size_of(self._shape.read(body))
        keep_few(self._sizes, text, size)
        return size

    def _new(self, name: bytes) -> _Known | None:
        known = self._singles.sealing(name.decode())
        if known is None:
            return None
        made = DataKeyOf(self._PLAINTEXT, b"", known.key_arn, known.material_id)
        return self._learn(name, known, generated(made))


class BlobsOfDataKeys(DataKeys):
    """GenerateDataKeyWithoutPlaintext."""

    operation = "GenerateDataKeyWithoutPlaintext"
    _PLAINTEXT = None


class RandomBytes:
    """GenerateRandom."""

    operation = "GenerateRandom"

    def __init__(self, _app: Application, shape: OperationShape) -> None:
        self._shape = shape
        timer = counters.timer(_DOOR, "GenerateRandom")
        self._template = _template_of(None, shape, {"Plaintext": b""}, timer)
        self._sizes: dict[bytes, int] = {}  # by whole bodies

    def answer(self, body: bytes) -> bytes | None:
        """The body of the answer; None: this request takes the general way."""
        found = self.find(body)
        return None if found is None else self.make(found, body)

    def find(self, body: bytes, _names: Names | None = None) -> Found | None:
        """How a request is answered; None likewise."""
        size = self._sizes.get(body) or self._size(body)
        return None if size is None else Found(None, self._template, size, "")

    def make(self, found: Found, _body: bytes) -> bytes | None:
        """The body of the answer; None likewise."""
        return bodies.random_bytes(found.template, found.size)

    def recorded(self, found: Found, _body: bytes) -> bytes:
        """The members of the request that are recorded, packed."""
        return pack({"NumberOfBytes": found.size})

    def _size(self, body: bytes) -> int | None:
        given: Given = self._shape.read(body)
        if given.keys() != {"NumberOfBytes"}:
            return None
        size: int = given["NumberOfBytes"]
        if len(body) <= _LONGEST_BODY:
            keep_few(self._sizes, body, size)
        return size


def _template_of(handle: int | None, shape: OperationShape, empty: Result, timer: int) -> Template:
    """An answer cut where its empty values stand: one, or two, of which the second is secret."""
    first, *middle, last = shape.write(empty).split(b'""')
    between = b'"' + middle[0] + b'"' if middle else b""
    return Template(handle, first + b'"', between, b'"' + last, timer)
