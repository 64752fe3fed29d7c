"""The client that waits: a key store behind a socket, and its keys, for programs with threads.

Rules:
- each call takes a connection of its own from the pool, so threads never wait for each other;
- a connection that was lost is replaced; requests that do no harm twice are then made again, once
  for each attempt that the pool allows, others raise ServerUnreachable;
- a child of a fork leaves its parent's connections alone and makes its own.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO, Final, NoReturn, Self, TypeVar

from kmsfast.client.asking import Context
from kmsfast.client.calls import Answer, Call, Request, Sync
from kmsfast.client.faults import lost, unreachable
from kmsfast.client.keys import KeyCalls
from kmsfast.client.protocol import Hello, Protocol
from kmsfast.client.stores import KmsCalls
from kmsfast.errors import (
    DependencyTimeout,
    KmsError,
    ProtocolError,
    ServerUnreachable,
    ValidationError,
)
from kmsfast.model.arn import Home
from kmsfast.model.key import KeyManager, KeyState, RotationStatus
from kmsfast.model.key_store import Backing
from kmsfast.model.keyspec import KeySpec, KeyUsage, Origin
from kmsfast.service import streams

__all__ = ["Key", "Kms", "connect"]

T = TypeVar("T")
_ATTEMPTS: Final = 3
_PAUSE: Final = 0.05  # seconds before the second attempt, doubled before the third
_WINDOW: Final = 64  # requests of one call that may be unanswered
_AHEAD: Final = 64 << 10  # bytes of requests that wait to be sent while more are made
_BUFFERS: Final = 64  # of one system call
_AT_ONCE: Final = socket.MSG_DONTWAIT
_NAME: Final = "kmsfast-python"


class Connection:
    """One connection: requests out, answers in, both at once where there is much of both.

    Raises:
        OSError: nobody answers there. KmsError: the server refuses us.
    """

    def __init__(self, path: str, protocol: Protocol, timeout: float) -> None:
        self._protocol, self._timeout = protocol, timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(path)
            self._socket.setblocking(True)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(timeout))
            self._send(deque(protocol.greeting()))
            while protocol.hello is None:
                for number, _ in self._received():
                    _asked({}, number)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Ends it."""
        self._socket.close()

    def exchange(self, requests: Iterable[Request]) -> list[Answer]:
        """The answers to requests, in their order.

        Raises:
            OSError: the connection is lost; nobody knows what was done.
            DependencyTimeout: the server was silent for too long. ProtocolError: it answers wrong.
        """
        answers: dict[int, Answer] = {}
        asked: dict[int, tuple[int, Request]] = {}
        out: deque[Any] = deque()
        frames, more = self._frames(requests, asked), True
        while True:
            ahead = sum(map(len, out))
            while more and ahead < _AHEAD and len(asked) < _WINDOW:
                frame = next(frames, None)
                more = frame is not None
                out += frame or ()
                ahead += sum(map(len, frame or ()))
            if out:
                self._send(out)
            elif not asked:
                return [answers[index] for index in range(len(answers))]
            if more and not out and len(asked) < _WINDOW:
                continue  # the server has some to work on while the next are made
            if out or asked:
                for number, answer in self._received(sending=bool(out)):
                    index, request = _asked(asked, number)
                    if request.take is not None:
                        request.take(answer)
                    answers[index] = answer if request.take is None else Answer(None, answer.error)

    def _frames(
        self, requests: Iterable[Request], asked: dict[int, tuple[int, Request]]
    ) -> Iterator[list[Any]]:
        for index, request in enumerate(requests):
            number, frames = self._protocol.frames(request)
            asked[number] = index, request
            yield from frames

    def _send(self, out: deque[Any]) -> None:
        """Sends as much as goes without waiting; what does not stays."""
        try:
            while out:
                if len(out) == 1:
                    sent = self._socket.send(out[0], _AT_ONCE)
                else:
                    sent = self._socket.sendmsg(list(islice(out, _BUFFERS)), (), _AT_ONCE)
                while out and sent >= len(out[0]):
                    sent -= len(out.popleft())
                if sent:
                    out[0] = memoryview(out[0])[sent:]
        except BlockingIOError:
            return

    def _received(self, *, sending: bool = False) -> Iterator[tuple[int, Answer]]:
        """What has come, waiting for it; with something to send, only until that can be sent."""
        if sending:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | select.POLLOUT)
            if not (ready := poll.poll(self._timeout * 1000)):
                raise _silent(self._timeout)
            if not ready[0][1] & (select.POLLIN | select.POLLHUP | select.POLLERR):
                return
        try:
            size = self._socket.recv_into(self._protocol.room())
        except BlockingIOError:  # SO_RCVTIMEO
            raise _silent(self._timeout) from None
        if size == 0:
            raise ConnectionResetError("the server closed the connection")
        yield from self._protocol.received(size)


def _asked(asked: dict[int, tuple[int, Request]], number: int) -> tuple[int, Request]:
    try:
        return asked.pop(number)
    except KeyError:
        raise ProtocolError(f"the server answers {number}, which was not asked") from None


def _silent(timeout: float) -> DependencyTimeout:
    return DependencyTimeout(
        f"the server was silent for {timeout:g} seconds; the timeout of kmsfast.connect allows more"
    )


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("@ll", whole, int((seconds - whole) * 1_000_000))


class Pool:
    """Connections to one server that nobody uses now.

    Args:
        timeout: seconds without a byte from the server after which a call fails.
    """

    def __init__(self, path: str, region: str | None, timeout: float, size: int) -> None:
        self.path, self.region, self.timeout, self._size = path, region, timeout, size
        self._idle: deque[Connection] = deque()
        self._turn, self._pid, self._closed = threading.Lock(), os.getpid(), False
        self.hello: Hello | None = None

    def exchange(self, requests: Iterable[Request]) -> list[Answer]:
        """The answers to requests, on some connection.

        Args:
            requests: can be gone through again.

        Raises:
            ServerUnreachable: no server, or it went away. DependencyTimeout: it is silent.
            KmsError: it refuses us.
        """
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                connection = self._take()
            except KmsError:
                raise
            except OSError as error:
                if last:
                    raise unreachable(self.path, error) from error
            else:
                try:
                    answers = connection.exchange(requests)
                except BaseException as error:
                    connection.close()
                    self._drop_idle()  # they are of the server that has gone
                    if isinstance(error, KmsError) or not isinstance(error, OSError):
                        raise
                    if last or not all(each.is_repeatable for each in requests):
                        raise lost(self.path, error) from error
                else:
                    self._give(connection)
                    return answers
            time.sleep(_PAUSE * 2**attempt)
        raise AssertionError

    def close(self) -> None:
        """Closes the connections; those that are used now are closed when they come back."""
        self._closed = True
        self._drop_idle()

    def _take(self) -> Connection:
        if self._closed:
            raise ServerUnreachable("the client was closed; connect again")
        if os.getpid() != self._pid:
            with self._turn:
                self._idle, self._pid = deque(), os.getpid()  # the parent's are not closed here
        try:
            return self._idle.pop()
        except IndexError:
            protocol = Protocol(self.region, _NAME)
            made = Connection(self.path, protocol, self.timeout)
            self.hello = protocol.hello
            return made

    def _give(self, connection: Connection) -> None:
        if self._closed or len(self._idle) >= self._size:
            connection.close()
        else:
            self._idle.append(connection)

    def _drop_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread took the last one
                return


class Key(KeyCalls["Key"], Sync):
    """One key of a server; the methods are those of the in-process key, one request each."""

    __slots__ = ("_kms", "arn", "id")

    def __init__(self, kms: Kms, arn: str) -> None:
        self._kms, self.arn, self.id = kms, arn, arn.rpartition("/")[2]

    def __repr__(self) -> str:
        return f"<kmsfast key {self.arn}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and other.arn == self.arn

    def __hash__(self) -> int:
        return hash(self.arn)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Key belongs to a connection and cannot be pickled or copied; send its ARN, and use "
            "Kms.key() where it arrives"
        )

    def _drive(self, call: Call[T]) -> T:
        return self._kms._drive(call)

    def _sibling(self, region: str, metadata: Mapping[str, Any]) -> Key:
        return Key(self._kms.at(region), metadata["Arn"])

    # ---- what it is: each a request ---------------------------------------------------------

    @property
    def state(self) -> KeyState:
        """As AWS KMS names it."""
        return self.describe().state

    @property
    def spec(self) -> KeySpec:
        """What kind of material it has."""
        return self.describe().spec

    @property
    def usage(self) -> KeyUsage:
        """What it is for."""
        return self.describe().usage

    @property
    def origin(self) -> Origin:
        """Where its material comes from."""
        return self.describe().origin

    @property
    def manager(self) -> KeyManager:
        """CUSTOMER, or AWS."""
        return self.describe().manager

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that it works with, as AWS names them."""
        return self.describe().algorithms

    @property
    def description(self) -> str:
        """What the key is for."""
        return self.describe().description

    @property
    def multi_region(self) -> bool:
        """Whether it is a multi-Region key."""
        return self.describe().multi_region

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions of a multi-Region key and those related to it, the primary's first."""
        return self.describe().regions

    @property
    def created_at(self) -> datetime:
        """When it was created (UTC)."""
        return self.describe().created_at

    @property
    def deletion_date(self) -> datetime | None:
        """When it will be deleted (UTC), if its deletion is scheduled."""
        return self.describe().deletion_date

    @property
    def valid_to(self) -> datetime | None:
        """When imported material expires (UTC); None: never."""
        return self.describe().valid_to

    @property
    def aliases(self) -> tuple[str, ...]:
        """The key's aliases, sorted."""
        return self.get_aliases()

    @property
    def tags(self) -> dict[str, str]:
        """The key's tags."""
        return self.get_tags()

    @property
    def policy(self) -> str:
        """The key policy."""
        return self.get_policy()

    @property
    def rotation(self) -> RotationStatus:
        """Whether it rotates by itself, how often and when next."""
        return self.get_rotation()

    @property
    def backing(self) -> Backing | None:
        """In which custom key store its material is; None: in the store of the server."""
        return self.describe().backing

    @property
    def current_version(self) -> int:
        """The number of the version that encrypts."""
        return self.get_current_version()

    # ---- streams ----------------------------------------------------------------------------

    def encrypt_stream(
        self, src: BinaryIO, dst: BinaryIO, context: Context = None, *, threads: int = 1
    ) -> None:
        """All of ``src`` as a sealed stream into ``dst``, in constant memory; sealed here."""
        with self.sealed_writer(context, streams.RECORD_SIZE) as writer:
            streams.seal(writer, src, dst, threads)


class Kms(KmsCalls[Key], Sync):
    """A key store behind a socket. Close it, or use it as a context manager."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @property
    def server(self) -> Hello:
        """What the server said of itself, and whom it takes us for."""
        assert self._pool.hello is not None  # noqa: S101 - connect asked it
        return self._pool.hello

    def at(self, region: str | None = None) -> Kms:
        """The same store for another region.

        Raises:
            ValidationError: no region. InvalidCredentialScope: the server has no such region.
        """
        pool = self._pool
        return connect(pool.path, region=region or pool.region, timeout=pool.timeout)

    def close(self) -> None:
        """Closes the connections. Later use of its objects raises."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<kmsfast server {self._pool.path!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Kms has connections and cannot be pickled or copied; connect again")

    def decrypt_stream(
        self, src: BinaryIO, dst: BinaryIO, context: Context = None, *, threads: int = 1
    ) -> None:
        """Opens a sealed stream from ``src`` into ``dst``, in constant memory; opened here.

        Raises:
            FrameError: no sealed stream.
            InvalidCiphertext: changed or cut off; what was written until then is authentic.
        """
        with self.sealed_reader(streams.read_header(src), context) as reader:
            streams.unseal(reader, src, dst, threads)

    def _drive(self, call: Call[T]) -> T:
        try:
            requests = next(call)
            while True:
                requests = call.send(self._pool.exchange(requests))
        except StopIteration as end:
            result: T = end.value
            return result

    def _home(self) -> Home:
        return Home(self.server.region, self.server.account)

    def _key(self, arn: str) -> Key:
        return Key(self, arn)


def connect(
    path: str | os.PathLike[str],
    *,
    region: str | None = None,
    timeout: float = 30.0,
    connections: int = 16,
) -> Kms:
    """Connects to the server at a Unix socket; its keys are used as those of ``kmsfast.open``.

    Args:
        region: whose keys; None: the server's default.
        timeout: seconds without a byte from the server after which a call fails.
        connections: that are kept for later calls; each call of another thread uses one.

    Raises:
        ServerUnreachable: no server answers there.
        AccessDenied: the server does not know the user of this process.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ValidationError(f"timeout is seconds, more than 0, not {timeout!r}")
    pool = Pool(os.fspath(path), region, float(timeout), connections)
    pool.exchange(())
    return Kms(pool)
