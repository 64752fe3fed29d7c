"""What each method of Python's door does, by the names of AWS: decided and recorded in one place.

A method that does an operation has its row as a decorator: the operation's name, which arguments
are members of the request, and where its keys and its records are. A test goes through all public
methods and fails when one has none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, cast

from kmsfast.doors import Call, Door, Outcome, Request, fine
from kmsfast.local.members import Arguments, Member, Members, pairs, records_of
from kmsfast.service.encryption import BatchResult

__all__ = ["CONTEXT", "looks", "of_batch", "operation", "operation_with_call"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

CONTEXT: Final[Member] = ("EncryptionContext", pairs)
_HEADER_LEN: Final = 24


class _OfDoor(Protocol):
    _door: Door


class _Row:
    """How the calls of one method are requests; see :func:`operation` for the arguments."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | Callable[..., str],
        members: dict[str, Member],
        *,
        skipped: int,
        records: str | None = None,
        count: Callable[[Any], int] = records_of,
        ciphertext: str | None = None,
        start: Callable[[Any], Any] | None = None,
        opens: bool = False,
        counted: bool = False,
        secret: bool = False,
        outcome: Callable[[Any], Outcome] | None = None,
        nested: dict[str, tuple[str, ...]] | None = None,
        service: str = "kms",
    ) -> None:
        self.nested = nested or {}
        self.function, self.name, self.service = function, name, service
        self.members = Members(function, members, skipped)
        self.records, self.ciphertext, self.opens = records, ciphertext, opens
        self.start, self.count = start, count
        self.counted, self.secret = counted, secret
        self.outcome = outcome or fine

    def request(self, of: Any, called: Arguments) -> tuple[Request, Arguments]:
        given, called = self.members.of(called)
        for outer, inner in self.nested.items():
            deep = {name: given.pop(name) for name in inner if name in given}
            if deep:
                given[outer] = deep
        arn = getattr(of, "arn", None)
        if arn is not None:
            given = {"KeyId": arn, **given}
        hidden: dict[str, Any] = {}
        if self.ciphertext is not None:
            start = self.members.value(self.ciphertext, called)
            if self.start is not None:
                start = self.start(start)
            if isinstance(start, bytes | bytearray | memoryview):
                hidden["CiphertextBlob"] = bytes(start)
        name = self.name if isinstance(self.name, str) else self.name(of, given)
        records = 1
        if self.records is not None:
            records = self.count(self.members.value(self.records, called))
        request = Request(
            name, given, hidden, () if arn is None else (arn,), records, self.opens,
            _told(name, given, hidden) if self.counted else None, self.secret, self.service,
        )  # fmt: skip
        return request, called


def operation(
    name: str | Callable[..., str], *, members: dict[str, Member] | None = None, **how: Any
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes a method one that does an operation.

    Args:
        name: as AWS names it, or what makes it of the object and the members.
        members: of the request, by the names of parameters. The key is that of the object.
        records: the parameter that is a batch; ``count``: what counts its records.
        ciphertext: the parameter that names the key; ``start``: what finds the blob in it.
        opens: the keys are those that a batch of ciphertexts names.
        secret: what it makes is wiped when it may not be handed out.
        outcome: what came of it, of what it returns.
        nested: members that are within another one.
        service: that IAM or this program has it, and only the owner of a store.
    """

    def made(function: Callable[P, R]) -> Callable[P, R]:
        row = _Row(function, name, members or {}, skipped=1, **how)

        @wraps(function)
        def through(*args: P.args, **kwargs: P.kwargs) -> R:
            of = cast(_OfDoor, args[0])
            if of._door.is_open:
                return function(*args, **kwargs)
            request, called = row.request(of, Arguments(args[1:], kwargs))

            def work(_call: Call) -> R:
                made: R = cast(Callable[..., R], function)(of, *called.positional, **called.named)
                return made

            outcome: Callable[[R], Outcome] = row.outcome
            return of._door.call(request, work, outcome)

        through.row = row  # type: ignore[attr-defined]
        return through

    return made


def operation_with_call(
    name: str, *, members: dict[str, Member] | None = None, **how: Any
) -> Callable[[Callable[Concatenate[S, Call, P], R]], Callable[Concatenate[S, P], R]]:
    """The same for the long way of a method whose next calls go by what this one needed.

    The function gets the call, and says by :attr:`Call.afterwards` what to remember.
    """

    def made(function: Callable[Concatenate[S, Call, P], R]) -> Callable[Concatenate[S, P], R]:
        row = _Row(function, name, members or {}, skipped=2, counted=True, **how)

        @wraps(function)
        def through(of: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            door = cast(_OfDoor, of)._door
            request, called = row.request(of, Arguments(args, kwargs))

            def work(call: Call) -> R:
                made: R = cast(Callable[..., R], function)(
                    of, call, *called.positional, **called.named
                )
                return made

            outcome: Callable[[R], Outcome] = row.outcome
            return door.call(request, work, outcome)

        through.row = row  # type: ignore[attr-defined]
        return through

    return made


def looks(name: str) -> Callable[[Callable[[S], R]], Callable[[S], R]]:
    """Makes a getter one that tells what an operation would tell.

    It is decided for a named principal. It is not recorded: what it tells this process knows
    already, and nobody could keep the log of attributes apart from that of uses.
    """

    def made(getter: Callable[[S], R]) -> Callable[[S], R]:
        @wraps(getter)
        def through(of: S) -> R:
            door = cast(_OfDoor, of)._door
            if door.visitor.is_named:
                door.look(name, cast(Any, of).arn)
            return getter(of)

        through.looks = name  # type: ignore[attr-defined]
        return through

    return made


def _told(name: str, given: dict[str, Any], hidden: dict[str, Any]) -> tuple[Any, ...]:
    """What tells a use from others that are not like it."""
    start = hidden.get("CiphertextBlob", b"")[:_HEADER_LEN]
    return (name, start, *(_hashable(each) for each in given.items()))


def _hashable(item: tuple[str, Any]) -> tuple[Any, ...]:
    name, value = item
    return (name, *value.items()) if isinstance(value, dict) else item


def of_batch(made: Any) -> Outcome:
    """What came of a batch of which single records may have failed."""
    if not isinstance(made, BatchResult) or not made.errors:
        return fine(made)
    return Outcome({}, len(made.errors), made.errors[min(made.errors)])
