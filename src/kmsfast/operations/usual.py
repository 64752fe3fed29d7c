"""Usual requests to encrypt, decrypt and make data keys, answered from body to body.

Rules:
- this is :mod:`.encryption` for requests that C can read (:mod:`kmsfast.crypto.bodies`) and whose
  key was used lately (:mod:`kmsfast.service.singles`); everything else is None, and goes there;
- answers are written by the same writers: once for each name of a key, around values of no bytes,
  which C fills in;
- what is known of a name is good as long as what it was made of;
- what is answered here C has counted (docs/metrics.md).

A request is answered in two steps: its key is found, then C does the work. Who may do it, and what
is to be recorded of it, belongs between them.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any, Final, NamedTuple, cast

from kmsfast.app import Application
from kmsfast.crypto import bodies, counters
from kmsfast.crypto.bodies import Template
from kmsfast.errors import StaleHandle
from kmsfast.operations.requests import Given, Result
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


class _Known(NamedTuple):
    """How requests that name a key in one way are answered, in this epoch and until then."""

    epoch: int
    due: float
    template: Template
    key_arn: str


class _Names:
    """The names of keys for which templates are there, and what the operations share."""

    _OPERATION: str

    def __init__(self, app: Application, shape: OperationShape) -> None:
        self._epoch, self._clock, self._singles = app.ring.epoch, app.ring.clock, app.singles
        self._usage, self._shape = app.ring.usage, shape
        self._timer = counters.timer(_DOOR, self._OPERATION)
        self._key_arn = ""  # of the template that was found last
        self._known: dict[Any, _Known] = {}

    def _template(self, name: Any) -> Template | None:
        """How a request is answered that names its key so, if that is known."""
        known = self._known.get(name)
        if known is None:
            return None
        epoch, due, template, self._key_arn = known
        if epoch != self._epoch[0] or (due != _NEVER_DUE and self._clock() >= due):
            return None
        return template

    def _learn(self, name: Any, of: Sealing | Opening, empty: Result) -> Template | None:
        """Makes the template of an answer without bytes."""
        try:
            template = _template_of(of.handle, self._shape, empty, self._timer)
        except StaleHandle:
            return None
        counters.add(_MADE, 1)
        due = of.due if isinstance(of, Sealing) else None
        self._key_arn = of.key_arn
        keep_few(
            self._known,
            name,
            _Known(of.epoch, _NEVER_DUE if due is None else due, template, of.key_arn),
        )
        return template

    def _done(self, name: Any, answer: bytes | None) -> bytes | None:
        """The answer; its key was used, or else is forgotten."""
        known = self._known.get(name)
        if answer is None:
            self._failed(name)
        elif known is not None and known.key_arn not in self._usage.window.uses:
            self._usage.note(known.key_arn, self._OPERATION, self._singles.request_id)
        return answer

    def _failed(self, name: Any) -> None:
        """Forgets the template: an evicted key may be the reason."""
        self._known.pop(name, None)


class Encrypting(_Names):
    """Encrypt."""

    _OPERATION = "Encrypt"

    def __init__(self, app: Application, shape: OperationShape) -> None:
        super().__init__(app, shape)
        self._sizes = cast("Blob", shape.request.member("Plaintext")).sizes

    def answer(self, body: bytes) -> bytes | None:
        """The body of the answer, or None."""
        place = bodies.scan_encrypt(body)
        if place is None:
            return None
        name, _, size = place
        template = self._template(name) or self._new(name)
        if template is None or size not in self._sizes:
            return None
        answer = bodies.encrypt(template, body, size)
        if answer is not None and self._key_arn in self._usage.window.uses:
            return answer  # its use was recorded a moment ago
        return self._done(name, answer)

    def _new(self, name: bytes) -> Template | None:
        known = self._singles.sealing(name.decode())
        if known is None:
            return None
        return self._learn(name, known, encrypted(Sealed(b"", known.key_arn), SYMMETRIC))


class Decrypting(_Names):
    """Decrypt."""

    _OPERATION = "Decrypt"

    def __init__(self, app: Application, shape: OperationShape) -> None:
        super().__init__(app, shape)
        self._sizes = cast("Blob", shape.request.member("CiphertextBlob")).sizes

    def answer(self, body: bytes) -> bytes | None:
        """The body of the answer, or None."""
        place = bodies.scan_decrypt(body)
        if place is None:
            return None
        name, at, size = place
        both = body[at : at + _HEADER_CHARS], name
        template = self._template(both) or self._new(*both)
        if template is None or size not in self._sizes:
            return None
        answer = bodies.decrypt(template, body, size)
        if answer is not None and self._key_arn in self._usage.window.uses:
            return answer  # its use was recorded a moment ago
        return self._done(both, answer)

    def _new(self, start: bytes, name: bytes) -> Template | None:
        try:
            header = a2b_base64(start, strict_mode=True)
        except ValueError:
            return None
        known = self._singles.opening(header, name.decode() or None)
        if known is None:
            return None
        empty = decrypted(Opened(b"", known.key_arn, known.material_id), SYMMETRIC)
        return self._learn((start, name), known, empty)


class DataKeys(_Names):
    """GenerateDataKey."""

    _OPERATION = "GenerateDataKey"

    _PLAINTEXT: bytes | None = b""

    def __init__(self, app: Application, shape: OperationShape) -> None:
        super().__init__(app, shape)
        self._sizes: dict[bytes, int] = {}  # by the text of KeySpec or NumberOfBytes

    def answer(self, body: bytes) -> bytes | None:
        """The body of the answer, or None."""
        place = bodies.scan_data_key(body)
        if place is None:
            return None
        name, at, length = place
        text = body[at : at + length]
        size = self._sizes.get(text) or self._size(text, body)
        template = self._template(name) or self._new(name)
        if template is None:
            return None
        plain = self._PLAINTEXT is not None
        answer = bodies.data_key(template, body, size, with_plaintext=plain)
        if answer is not None and self._key_arn in self._usage.window.uses:
            return answer  # its use was recorded a moment ago
        return self._done(name, answer)

    def _size(self, text: bytes, body: bytes) -> int:
        size = size_of(self._shape.read(body))
        keep_few(self._sizes, text, size)
        return size

    def _new(self, name: bytes) -> Template | None:
        known = self._singles.sealing(name.decode())
        if known is None:
            return None
        made = DataKeyOf(self._PLAINTEXT, b"", known.key_arn, known.material_id)
        return self._learn(name, known, generated(made))


class BlobsOfDataKeys(DataKeys):
    """GenerateDataKeyWithoutPlaintext."""

    _OPERATION = "GenerateDataKeyWithoutPlaintext"
    _PLAINTEXT = None


class RandomBytes:
    """GenerateRandom."""

    def __init__(self, _app: Application, shape: OperationShape) -> None:
        self._shape = shape
        timer = counters.timer(_DOOR, "GenerateRandom")
        self._template = _template_of(None, shape, {"Plaintext": b""}, timer)
        self._sizes: dict[bytes, int] = {}  # by whole bodies

    def answer(self, body: bytes) -> bytes | None:
        """The body of the answer, or None."""
        size = self._sizes.get(body) or self._size(body)
        return None if size is None else bodies.random_bytes(self._template, size)

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
