"""Calls without I/O: what is asked of a server, and what is made of its answers.

A call is a generator: it yields requests, is sent their answers, and returns its result. Whoever
drives it decides how to wait, so a method is written once and is there for both clients: where the
object belongs to the synchronous one it returns the result, else something to await.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Any, Concatenate, Generic, NamedTuple, ParamSpec, Self, TypeVar, overload

from kmsfast.errors import KmsError

__all__ = ["Answer", "Async", "Call", "Request", "Sync", "ask", "method"]


class Answer(NamedTuple):
    """What came back: the body, or the error.

    Attributes:
        parts: what of a long answer came before the body, in order.
    """

    body: Any
    error: KmsError | None = None
    parts: tuple[memoryview, ...] = ()

    def value(self) -> Any:
        """The body.

        Raises:
            KmsError: what the server answered instead.
        """
        if self.error is not None:
            raise self.error
        return self.body

    def __repr__(self) -> str:
        """Without the body, which may have a plaintext."""
        return f"Answer(error={self.error!r})"


class Request(NamedTuple):
    """One request.

    Attributes:
        operation: its name or number.
        members: what follows it in the frame.
        chunks: what of its payload does not fit into the frame.
        is_repeatable: whether it does no harm twice, when it is not known whether it was done.
        take: is told the answer as soon as it is there, since its columns lie in memory that is
            used again; None: the answer is kept whole.
        room: of a batch: where the records of its answer are to be received, asked with their
            number and width, or None; the answer has then IN_PLACE for them.
    """

    operation: str | int
    members: tuple[Any, ...]
    chunks: memoryview | None = None
    is_repeatable: bool = True
    take: Callable[[Answer], None] | None = None
    room: Callable[[int, int], memoryview | None] | None = None

    def answered(self, answer: Answer) -> Answer:
        """What is kept of its answer, once whoever is to be told it was."""
        if self.take is None:
            return answer
        self.take(answer)
        return Answer(None, answer.error)

    def __repr__(self) -> str:
        """Without its members, which may have a plaintext."""
        return f"Request({self.operation!r})"


T = TypeVar("T")
P = ParamSpec("P")

Call = Generator[Iterable[Request], Sequence[Answer], T]


def ask(request: Request) -> Call[Any]:
    """The body of the answer to one request."""
    (answer,) = yield [request]
    return answer.value()


class Sync:
    """An object whose calls wait for their results."""

    def _drive(self, call: Call[T]) -> T:
        """Sends what a call asks for; each class of sync.py says by which connections."""
        raise NotImplementedError


class Async:
    """An object whose calls are awaited."""

    def _drive(self, call: Call[T]) -> Awaitable[T]:
        """Likewise; each class of aio.py says by which connection."""
        raise NotImplementedError


class method(Generic[P, T]):  # noqa: N801 - a decorator
    """A method that is written as a call."""

    def __init__(self, make: Callable[Concatenate[Any, P], Call[T]]) -> None:
        self._make = make
        self.__doc__, self.__name__ = make.__doc__, make.__name__

    @overload
    def __get__(self, owner: None, kind: type) -> Self: ...
    @overload
    def __get__(self, owner: Sync, kind: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, owner: Async, kind: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, owner: Any, kind: type) -> Any:
        """The method of an object, as whoever drives it has it."""
        return self if owner is None else partial(self._call, owner)

    def _call(self, owner: Any, *args: P.args, **named: P.kwargs) -> Any:
        return owner._drive(self._make(owner, *args, **named))
