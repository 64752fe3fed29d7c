"""What both clients do alike: how long a call may take, and how often it is made.

Rules:
- the time of a call begins when it is made, and anew with each answer that is whole: a call of one
  request ends by then whatever bytes come meanwhile, and a batch goes on while it is worked on;
- a connection that was lost is replaced; requests that do no harm twice are then made again, others
  raise ServerUnreachable, since nobody knows whether they were done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final, NoReturn

from kmsfast.client.calls import Request
from kmsfast.client.faults import lost, silent, unreachable
from kmsfast.errors import KmsError, ProtocolError, ServerUnreachable, ValidationError

__all__ = ["PROGRAM", "WINDOW", "Attempts", "Deadline", "Server", "asked", "closed", "seconds"]

PROGRAM: Final = "kmsfast-python"
"""What the server's log calls us."""

WINDOW: Final = 64
"""Requests of one call that may be unanswered."""

_ATTEMPTS: Final = 3
_PAUSE: Final = 0.05  # seconds before the second attempt, doubled before the third
_LONGEST: Final = 10**9  # seconds that a timeout may have


def seconds(timeout: Any) -> float:
    """A timeout that somebody gave.

    Raises:
        ValidationError: it is none.
    """
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not 0 < timeout <= _LONGEST:
        raise ValidationError(
            f"timeout is seconds, more than 0 and at most {_LONGEST}, not {timeout!r}"
        )
    return float(timeout)


class Deadline:
    """Until when the next answer of a call must be whole.

    Args:
        timeout: seconds. clock: that they are of.
    """

    __slots__ = ("_clock", "at", "timeout")

    def __init__(self, timeout: float, clock: Callable[[], float] = monotonic) -> None:
        self.timeout, self._clock = timeout, clock
        self.answered()

    def answered(self) -> None:
        """An answer is whole: the next one has as much time."""
        self.at = self._clock() + self.timeout

    def left(self) -> float:
        """Seconds that are left, more than 0.

        Raises:
            DependencyTimeout: there are none.
        """
        left = self.at - self._clock()
        if left <= 0:
            raise silent(self.timeout)
        return left


class Attempts:
    """How often one call is made."""

    __slots__ = ("_failed", "_path", "_requests")

    def __init__(self, path: str, requests: Iterable[Request]) -> None:
        self._path, self._requests, self._failed = path, requests, 0

    def failed(self, error: OSError, *, was_asked: bool) -> float:
        """Seconds after which the call is made again.

        Args:
            was_asked: whether the server may have got some of it.

        Raises:
            KmsError: it is not.
        """
        if isinstance(error, KmsError):
            raise error
        self._failed += 1
        is_last = self._failed == _ATTEMPTS
        if was_asked and (is_last or not all(each.is_repeatable for each in self._requests)):
            raise lost(self._path, error) from error
        if is_last:
            raise unreachable(self._path, error) from error
        return _PAUSE * float(1 << (self._failed - 1))


def asked(waiting: dict[int, Any], number: int) -> Any:
    """Takes what waits for the answer to a request.

    Raises:
        ProtocolError: nothing does.
    """
    try:
        return waiting.pop(number)
    except KeyError:
        raise ProtocolError(f"the server answers {number}, which was not asked") from None


class Server:
    """What is said of a client's key store, and of what it is not."""

    _path: str

    def __repr__(self) -> str:
        return f"<kmsfast server {self._path!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Kms has connections and cannot be pickled or copied; connect again")


def closed() -> ServerUnreachable:
    """Somebody uses a client that was closed."""
    return ServerUnreachable("the client was closed; connect again")
