"""Requests by number (docs/socket.md), for one record and for batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kmsfast.client.calls import Answer, Call, Request
from kmsfast.client.columns import Batch, Piece, Rebuild, Results, as_rows, zip_pieces
from kmsfast.client.faults import no_answer, of_code
from kmsfast.client.protocol import CHUNK
from kmsfast.errors import BatchError, KmsError, ProtocolError, ValidationError
from kmsfast.model.context import canonical, copied
from kmsfast.service.encryption import BatchResult, Errors

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = [
    "OVERHEAD",
    "Context",
    "Number",
    "checked",
    "many",
    "one_bin",
    "one_data_key",
    "one_truth",
    "settled",
    "truths",
]

Context = Mapping[str, str] | None


class Number(IntEnum):
    """Operations that have a number for one record, and another for many."""

    ENCRYPT = 1
    DECRYPT = 2
    GENERATE_DATA_KEY = 3
    GENERATE_DATA_KEY_WITHOUT_PLAINTEXT = 4
    SIGN = 5
    VERIFY = 6
    GENERATE_MAC = 7
    VERIFY_MAC = 8
    RE_ENCRYPT = 9
    GENERATE_RANDOM = 10

    @property
    def many(self) -> int:
        """For a batch."""
        return self + _MANY


OVERHEAD: Final = 96
"""Bytes by which a blob is longer than its plaintext (docs/blob-format.md)."""

_MANY: Final = 32


def _one(
    number: Number, key: str | None, context: Context, payload: Any, **options: Any
) -> Call[Any]:
    """The answer for one record; what is left out or None of the options is not sent."""
    said = {name: value for name, value in options.items() if value is not None}
    chunks = None
    if isinstance(payload, bytes | memoryview) and len(payload) > CHUNK:
        whole = memoryview(payload)
        payload, chunks, said["more"] = whole[:CHUNK], whole[CHUNK:], len(whole) - CHUNK
    elif isinstance(payload, bytes):
        payload = memoryview(payload)
    return (yield from _whole(_request(number, key, context, payload, said, chunks)))


def one_bin(
    number: Number, key: str | None, context: Context, payload: Any, **options: Any
) -> Call[bytes]:
    """The same where the answer is bytes."""
    made = yield from _one(number, key, context, payload, **options)
    if type(made) is not bytes:
        raise no_answer(number)
    return made


def one_data_key(key: str, context: Context, num_bytes: int) -> Call[tuple[bytes, bytes]]:
    """A data key, in the clear and as a blob."""
    made = yield from _one(Number.GENERATE_DATA_KEY, key, context, num_bytes)
    match made:
        case [bytes(plain), bytes(blob)]:
            return plain, blob
        case _:
            raise no_answer(Number.GENERATE_DATA_KEY)


def one_truth(number: Number, key: str, pair: list[bytes], **options: Any) -> Call[bool]:
    """Whether a signature or a MAC is that of a message."""
    made = yield from _one(number, key, None, pair, **options)
    if type(made) is not bool:
        raise no_answer(number)
    return made


def checked(context: Context) -> dict[str, str] | None:
    """A context as it goes to the server; None: it has no pairs.

    Raises:
        ContextError: it is none.
    """
    canonical(context)
    return copied(context) or None


def _request(  # noqa: PLR0917 - as it stands in the frame
    number: int,
    key: str | None,
    context: Context,
    payload: Any,
    options: Mapping[str, Any],
    chunks: memoryview | None,
) -> Request:
    members = (key, checked(context), payload)
    return Request(number, (*members, options) if options else members, chunks)


def _whole(request: Request) -> Call[Any]:
    """The body of an answer, its parts put together."""
    (answer,) = yield [request]
    body = answer.value()
    if not answer.parts:
        return body
    if not isinstance(body, bytes | memoryview):
        raise no_answer(request.operation)
    return b"".join([*answer.parts, body])


@dataclass(slots=True)
class Gathered:
    """What came back of a batch so far."""

    results: Results
    failed: dict[int, KmsError]

    def take(self, first: int, num: int, answer: Answer) -> None:
        """Takes the answer for so many records from ``first`` on, while it is there.

        Raises:
            ProtocolError: it is none for so many.
        """
        if answer.error is None:
            values, errors = _batch(answer.body)
            self.results.place(first, num, values, answer.parts)
            self._fail(first, num, errors)

    def take_truths(self, first: int, num: int, answer: Answer) -> None:
        """The same of an answer whose values are a byte for each record."""
        if answer.error is None:
            values, errors = _batch(answer.body)
            self.results.place(first, num, [num, 1, values])
            self._fail(first, num, errors)

    def _fail(self, first: int, num: int, errors: Any) -> None:
        """Takes the errors of some records, in place of those of an answer before a retry."""
        for index in [index for index in self.failed if first <= index < first + num]:
            del self.failed[index]
        for each in errors:
            match each:
                case [int(index), str(code), _, str(message), *_] if 0 <= index < num:
                    self.failed[first + index] = of_code(code, message)
                case _:
                    raise ProtocolError("the server says of a batch what is no error of a record")


def _batch(body: Any) -> tuple[Any, Any]:
    """Values and errors of an answer to a batch."""
    match body:
        case [values, None]:
            return values, ()
        case [values, list(errors)]:
            return values, errors
        case _:
            raise ProtocolError("the server's answer to a batch is not [values, errors]")


def many(
    number: Number,
    key: str | None,
    context: Context,
    batch: Batch,
    aad: Any = None,
    **options: Any,
) -> Call[Gathered]:
    """The answers for all records of a batch.

    Args:
        aad: associated data of each record, a batch of as many.
    """
    said = {name: value for name, value in options.items() if value is not None}
    bound = checked(context)
    gathered = Gathered(Results(batch.num), {})

    def requests() -> Iterator[Request]:
        for piece, extra in _beside(batch, aad):
            more = said if extra is None else said | {"aad": extra}
            column, chunks = piece, None
            if len(piece.data) > CHUNK:
                column, chunks = piece._replace(data=piece.data[:CHUNK]), piece.data[CHUNK:]
                more = more | {"more": len(chunks)}
            members = (key, bound, column)
            yield Request(
                number.many, (*members, more) if more else members, chunks,
                take=partial(gathered.take, piece.first, piece.num),
                room=partial(gathered.results.room, piece),
            )  # fmt: skip

    yield from _all(_Again(requests))
    return gathered


def truths(
    number: Number, key: str, messages: Batch, claims: Batch, **options: Any
) -> Call[npt.NDArray[np.bool_]]:
    """Whether each claim, a signature or a MAC, is that of its message."""
    said = {name: value for name, value in options.items() if value is not None}
    gathered = Gathered(Results(messages.num), {})

    def requests() -> Iterator[Request]:
        for message, claim in zip_pieces(messages, claims):
            members = (key, None, [message, claim])
            yield Request(
                number.many, (*members, said) if said else members,
                take=partial(gathered.take_truths, message.first, message.num),
            )  # fmt: skip

    yield from _all(_Again(requests))
    return as_rows(gathered.results).reshape(-1).astype(np.bool_)


def settled(gathered: Gathered, rebuild: Rebuild, num: int, errors: Errors = "raise") -> Any:
    """The values of a batch, and what becomes of its failed records.

    Raises:
        BatchError: some failed, and ``errors`` is "raise".
    """
    values = rebuild(gathered.results)
    failed = dict(sorted(gathered.failed.items()))
    if errors == "return":
        return BatchResult(values, failed)
    if failed:
        raise BatchError(failed, values, num)
    return values


def _beside(batch: Batch, aad: Any) -> Iterator[tuple[Piece, Piece | None]]:
    if aad is None:
        return ((piece, None) for piece in batch.pieces())
    other = Batch(aad, "aad")
    if other.num != batch.num:
        raise ValidationError(f"there are {batch.num} records and {other.num} of associated data")
    return zip_pieces(batch, other)


class _Again:
    """Requests that are made anew each time that they are gone through, not all at once."""

    def __init__(self, make: Callable[[], Iterator[Request]]) -> None:
        self._make = make

    def __iter__(self) -> Iterator[Request]:
        return self._make()


def _all(requests: Iterable[Request]) -> Call[None]:
    """Passes when all are answered, each to whom it tells.

    Raises:
        KmsError: one of the errors, where some answers are that.
    """
    for answer in (yield requests):
        answer.value()
