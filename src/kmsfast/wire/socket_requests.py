"""Requests of the socket: the array of a frame to what was asked, checked for its form.

Rules:
- an array that is no request at all is :class:`MalformedFrame`, and ends the connection; a request
  whose parts have a wrong form is refused by its id, and the connection goes on;
- what keys, contexts and lengths mean is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from kmsfast.errors import KmsError, ValidationError
from kmsfast.wire.refusals import SerializationError, UnknownOperation, failure, invalid
from kmsfast.wire.socket_columns import Column, read_column
from kmsfast.wire.socket_frames import MAX_ITEMS, MAX_MESSAGE, MalformedFrame
from kmsfast.wire.socket_operations import CHUNK, NUMBERS, Numbered, Payload

__all__ = [
    "MAGIC",
    "VERSION",
    "ByName",
    "ByNumber",
    "Chunk",
    "Hello",
    "Options",
    "Refused",
    "read_hello",
    "read_request",
]

MAGIC: Final = "kmsfast"
VERSION: Final = 1
_MAX_ID: Final = (1 << 64) - 1
_MAX_VERSION: Final = (1 << 32) - 1
_MOST_TOKENS: Final = 10
_LONGEST_KEY: Final = 2048
_LONGEST_CLIENT: Final = 256


class Refused(Exception):
    """A request that has an id and cannot be done.

    Attributes:
        request_id: its id. error: why.
    """

    def __init__(self, request_id: int, error: KmsError) -> None:
        super().__init__(str(error))
        self.request_id, self.error = request_id, error


class Hello(NamedTuple):
    """What a client says first.

    Attributes:
        version: of the protocol, that both speak.
        region: of the keys; None: the store's.
        client: its name and version.
    """

    version: int
    region: str | None
    client: str


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a request by number; ``aad`` is bytes, or a Column for a batch."""

    deadline: int | None = None
    tokens: tuple[str, ...] = ()
    more: int = 0
    aad: Any = field(default=None, repr=False)
    algorithm: str | None = None
    digest: bool = False
    raw: bool = False
    deterministic: bool = False
    to_context: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ByName:
    """An operation of AWS KMS by its name."""

    id: int
    name: str
    members: dict[str, Any] = field(repr=False)
    deadline: int | None = None


@dataclass(slots=True)
class ByNumber:
    """An operation by number.

    Attributes:
        payload: as it was sent, until :meth:`read` has been called; then of the operation's form:
            bytes, two of them, an integer, a Column, two of them, or two integers.
    """

    id: int
    number: int
    operation: Numbered
    key: str | None
    context: Mapping[str, str] | None
    payload: Any = field(repr=False)
    options: Options = field(repr=False, default_factory=Options)

    def read(self) -> None:
        """Gives the payload its form, when all of it is there.

        Raises:
            SerializationError: it has another. ValidationError: numbers out of their range.
        """
        self.payload = _PAYLOADS[self.operation.payload](self.payload)
        if self.operation.many and self.options.aad is not None:
            aad = read_column(self.options.aad, "aad")
            self.options = _with_aad(self.options, aad, self.payload)


class Chunk(NamedTuple):
    """More of the payload of an earlier request."""

    id: int
    data: bytes

    def __repr__(self) -> str:
        return f"Chunk(id={self.id}, <{len(self.data)} bytes>)"


def read_hello(values: list[Any]) -> Hello:
    """The client's hello.

    Raises:
        MalformedFrame: it is none. ValidationError: no version is spoken by both.
    """
    if len(values) != 4 or values[0] != MAGIC or type(values[3]) is not dict:
        raise MalformedFrame('The first frame is ["kmsfast", least, greatest, {...}]')
    _, least, greatest, facts = values
    if not _is_within(least, 0, _MAX_VERSION) or not _is_within(greatest, least, _MAX_VERSION):
        raise MalformedFrame("least and greatest are the versions that the client speaks")
    region, client = facts.get("region"), facts.get("client", "")
    if not isinstance(region, str | None) or not isinstance(client, str):
        raise MalformedFrame("region and client are strings")
    if not least <= VERSION <= greatest:
        raise ValidationError(
            f"The client speaks versions {least} to {greatest}, the server version {VERSION}"
        )
    return Hello(VERSION, region, client[:_LONGEST_CLIENT])


def read_request(values: list[Any]) -> ByName | ByNumber | Chunk:
    """What a frame after the hello asks.

    Raises:
        MalformedFrame: nothing that has an id. Refused: something that cannot be done.
    """
    if len(values) < 3 or not _is_within(values[0], 0, _MAX_ID):
        raise MalformedFrame("A request is [id, operation, ...]")
    request_id, operation = values[0], values[1]
    try:
        if type(operation) is int:
            return _by_number(request_id, operation, values)
        if type(operation) is str:
            return _by_name(request_id, operation, values)
    except KmsError as error:
        if isinstance(error, MalformedFrame):
            raise
        raise Refused(request_id, error) from None
    raise MalformedFrame("An operation is a string or an integer")


def _by_name(request_id: int, name: str, values: list[Any]) -> ByName:
    if len(values) > 4 or type(values[2]) is not dict:
        raise SerializationError("A request by name is [id, name, {members}, {options}]")
    options = values[3] if len(values) == 4 else None
    return ByName(request_id, name, values[2], _options(options, _BY_NAME, values).deadline)


def _by_number(request_id: int, number: int, values: list[Any]) -> ByNumber | Chunk:
    if number == CHUNK:
        if len(values) != 3 or type(values[2]) is not bytes:
            raise MalformedFrame("A chunk is [id, 0, bin]")
        return Chunk(request_id, values[2])
    operation = NUMBERS.get(number)
    if operation is None:
        raise UnknownOperation(f"No operation has the number {number}")
    if not 5 <= len(values) <= 6:
        raise SerializationError(
            "A request by number is [id, number, key, context, payload, {options}]"
        )
    key, context, payload = values[2:5]
    options = _options(values[5] if len(values) == 6 else None, _of(operation), values)
    return ByNumber(
        request_id, number, operation, _key(key, operation), _context(context), payload, options
    )


def _key(key: Any, operation: Numbered) -> str | None:
    if key is None:
        if operation.needs_key:
            raise invalid([failure(None, "keyId", "Member must not be null")])
        return None
    if type(key) is not str:
        raise SerializationError("The key is a string or nil")
    if not 1 <= len(key) <= _LONGEST_KEY:
        raise ValidationError(f"The name of a key has 1 to {_LONGEST_KEY} characters")
    return key


def _context(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    if type(value) is not dict or not set(map(type, value.values())) <= {str}:
        raise SerializationError("An encryption context is a map of strings to strings, or nil")
    return value


# ---- options ------------------------------------------------------------------------------------


_BY_NAME: Final = frozenset({"deadline"})
_ALL: Final = frozenset({"deadline", "tokens"})
_OF: Final[Mapping[str, frozenset[str]]] = {
    "Encrypt": frozenset({"aad"}),
    "Decrypt": frozenset({"aad"}),
    "Sign": frozenset({"algorithm", "digest", "raw", "deterministic"}),
    "Verify": frozenset({"algorithm", "digest", "raw"}),
    "GenerateMac": frozenset({"algorithm"}),
    "VerifyMac": frozenset({"algorithm"}),
    "ReEncrypt": frozenset({"to_context"}),
}


def _of(operation: Numbered) -> frozenset[str]:
    """The options that an operation by number has."""
    more = {"more"} if operation.chunked else set()
    return _ALL | _OF.get(operation.name, frozenset()) | more


def _options(given: Any, known: frozenset[str], values: list[Any]) -> Options:
    operation = NUMBERS.get(values[1]) if type(values[1]) is int else None
    if given is not None and type(given) is not dict:
        raise SerializationError("The options are a map or nil")
    for name, value in (given or {}).items():
        if name not in known:
            raise ValidationError(f"This operation has no option {name!r}")
        if not _CHECKS[name](value):
            raise SerializationError(f"The option {name!r} is {_FORMS[name]}")
    found = Options(**(given or {}))
    if operation is None:
        return found
    if not operation.many and not isinstance(found.aad, bytes | None):
        raise SerializationError("The option 'aad' of one record is bin")
    return _fitting(found, operation, values[4])


def _fitting(options: Options, operation: Numbered, payload: Any) -> Options:
    """The options, tokens as a tuple, when what comes in chunks can be continued."""
    if options.more:
        start = payload
        if operation.payload is Payload.COLUMN:
            start = payload[2] if type(payload) is list and len(payload) == 3 else None
        if type(start) is not bytes:
            raise SerializationError("Only a bin or a packed column continues in chunks")
        if len(start) + options.more > MAX_MESSAGE:
            raise ValidationError(f"A payload has at most {MAX_MESSAGE} bytes")
    if type(options.tokens) is tuple:
        return options
    return replace(options, tokens=tuple(options.tokens))


def _with_aad(options: Options, aad: Column, payload: Column) -> Options:
    if aad.num != payload.num:
        raise ValidationError(f"aad has {aad.num} records, the payload {payload.num}")
    if aad.absent is not None and (
        payload.absent is None or bool((aad.absent & ~payload.absent).any())
    ):
        raise ValidationError("aad has no nil for a record that is there; use an empty bin")
    here = aad.without(payload.absent)
    return replace(options, aad=here.values)


def _is_within(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _are_strings(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) <= _MOST_TOKENS
        and all(type(each) is str for each in value)
    )


def _is_map(value: Any) -> bool:
    return value is None or (type(value) is dict and set(map(type, value.values())) <= {str})


def _is_flag(value: Any) -> bool:
    return type(value) is bool


_CHECKS: Final = {
    "deadline": lambda value: _is_within(value, 0, _MAX_VERSION),
    "tokens": _are_strings,
    "more": lambda value: _is_within(value, 0, MAX_MESSAGE),
    "aad": lambda value: type(value) in {bytes, list},
    "algorithm": lambda value: type(value) is str and len(value) <= _LONGEST_CLIENT,
    "digest": _is_flag,
    "raw": _is_flag,
    "deterministic": _is_flag,
    "to_context": _is_map,
}
_FORMS: Final = {
    "deadline": "milliseconds, an integer of 32 bits",
    "tokens": f"an array of at most {_MOST_TOKENS} strings",
    "more": f"a number of bytes, at most {MAX_MESSAGE}",
    "aad": "bin, or a column",
    "algorithm": "a string",
    "digest": "a boolean",
    "raw": "a boolean",
    "deterministic": "a boolean",
    "to_context": "a map of strings to strings",
}


# ---- payloads -----------------------------------------------------------------------------------


def _bin(value: Any) -> bytes:
    if type(value) is not bytes:
        raise SerializationError("The payload is bin")
    return value


def _pair(value: Any) -> tuple[bytes, bytes]:
    if type(value) is not list or len(value) != 2 or not set(map(type, value)) <= {bytes}:
        raise SerializationError("The payload is an array of two bin")
    return value[0], value[1]


def _number(value: Any) -> int:
    if type(value) is not int:
        raise SerializationError("The payload is an integer")
    return value


def _column(value: Any) -> Column:
    return read_column(value, "The payload")


def _columns(value: Any) -> tuple[Column, Column]:
    if type(value) is not list or len(value) != 2:
        raise SerializationError("The payload is an array of two columns")
    first, second = read_column(value[0], "The first"), read_column(value[1], "The second")
    if first.num != second.num:
        raise ValidationError(f"The columns have {first.num} and {second.num} records")
    return first, second


def _counts(value: Any) -> tuple[int, int]:
    if type(value) is not list or len(value) != 2 or not set(map(type, value)) <= {int}:
        raise SerializationError("The payload is [count, bytes of each]")
    if not 0 <= value[0] <= MAX_ITEMS:
        raise ValidationError(f"count must be 0 to {MAX_ITEMS}, not {value[0]}")
    return value[0], value[1]


_PAYLOADS: Final = {
    Payload.BIN: _bin,
    Payload.PAIR: _pair,
    Payload.NUMBER: _number,
    Payload.COLUMN: _column,
    Payload.COLUMNS: _columns,
    Payload.COUNTS: _counts,
}
