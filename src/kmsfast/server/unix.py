"""The socket's connections on an event loop: reading, waiting, writing, and how they end.

Rules:
- the loop never waits for the disk: what may is done by threads (:mod:`kmsfast.server.session`);
- the answers of one received buffer leave in one write;
- a client that does not read, that has too many requests in work, or too many bytes of them, is not
  read from until that is over;
- a frame that has begun must be complete in time, and so must the hello; of its answers a client
  must take some within a time. A connection without requests may stay;
- threads take the requests of each uid in turn;
- whatever a client does ends nothing but its own connection;
- a server that stops answers what it has read, for as long as GRACE.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, cast

from kmsfast.server.peers import peer_of
from kmsfast.server.process import most_connections
from kmsfast.server.session import Closing, Later, Session
from kmsfast.server.socket_door import Door
from kmsfast.server.turns import Turns
from kmsfast.wire.refusals import Throttled
from kmsfast.wire.socket_frames import MAX_BEFORE_HELLO, MAX_FRAME, MAX_INFLIGHT, MalformedFrame
from kmsfast.wire.socket_reader import FrameReader

__all__ = ["PER_UID", "UnixServer"]

PER_UID: Final = 256
GRACE: Final = 10.0
_THREADS: Final = 8
_UNREAD: Final = 1 << 20  # bytes of answers
_IN_WORK: Final = 64 << 20  # bytes of frames
_HELLO_TIME: Final = 10.0
_FRAME_TIME: Final = 30.0
_WRITE_TIME: Final = 60.0
_SWEEP: Final = 1.0
_NEVER: Final = float("inf")
_LOG: Final = logging.getLogger(__name__)


class UnixServer:
    """Serves a door to connections.

    Args:
        per_uid: connections that one uid may have.
    """

    def __init__(
        self, door: Door, loop: asyncio.AbstractEventLoop, *, per_uid: int = PER_UID
    ) -> None:
        self.door, self._loop, self._per_uid = door, loop, per_uid
        self._turns = Turns(_THREADS, "kmsfast-socket")
        self._most = most_connections()
        self._connections: set[_Connection] = set()
        self._of = Counter[int]()
        self.stopping = False
        self._empty = asyncio.Event()
        self.now = loop.time

    def connection(self) -> _Connection:
        """A protocol for a client that connects."""
        return _Connection(self)

    def opened(self, connection: _Connection, uid: int) -> None:
        """Counts a connection in.

        Raises:
            Throttled: its uid has too many, or the server has.
        """
        self._connections.add(connection)
        self._of[uid] += 1
        if self._of[uid] > self._per_uid:
            raise Throttled(f"uid {uid} has {self._per_uid} connections already; close some")
        if len(self._connections) > self._most or self.stopping:
            raise Throttled("The server has too many connections, or is being stopped")

    def closed(self, connection: _Connection, uid: int | None) -> None:
        """Counts it out."""
        self._connections.discard(connection)
        if uid is not None:
            self._of[uid] -= 1
            if not self._of[uid]:
                del self._of[uid]
        if self.stopping and not self._connections:
            self._empty.set()

    def start(self, uid: int, work: Later, done: Callable[[bytes | None], object]) -> None:
        """Does work in a thread, and calls ``done`` on the loop; with None when it failed."""

        def working() -> None:
            frames = None
            try:
                frames = work()
            except Exception:  # noqa: BLE001 - its client must not wait for ever
                _LOG.exception("an answer of the socket failed")
            finally:
                self._loop.call_soon_threadsafe(done, frames)

        self._turns.submit(uid, working)

    async def sweep(self) -> None:
        """Ends connections whose time is over; for ever."""
        while True:
            await asyncio.sleep(_SWEEP)
            now = self.now()
            for each in list(self._connections):
                if min(each.deadline, each.must_be_read_by(now)) < now:
                    each.expire()

    async def drain(self) -> None:
        """Ends all connections, after their answers, or after GRACE."""
        self.stopping = True
        for each in list(self._connections):
            each.stop()
        if self._connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), GRACE)
        for each in list(self._connections):
            each.abort()
        self._turns.shutdown()


class _Connection(asyncio.BufferedProtocol):
    """One client.

    Attributes:
        deadline: when it is cut off, by the loop's clock.
    """

    def __init__(self, server: UnixServer) -> None:
        self._server, self._uid = server, cast("int | None", None)
        self._reader = FrameReader(MAX_BEFORE_HELLO)
        self._session = cast("Session", None)
        self._transport = cast("asyncio.Transport", None)
        self._backlog: deque[bytes] = deque()
        self._inflight = self._bytes = 0
        self._unsent, self._unsent_until = 0, _NEVER
        self._reading, self._unread, self._ending = True, False, False
        self.deadline = server.now() + _HELLO_TIME

    # ---- what the loop says -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_UNREAD)
        connected: socket.socket = transport.get_extra_info("socket")
        try:
            peer = peer_of(connected)
            self._uid = peer.uid
            self._server.opened(self, peer.uid)
        except OSError as error:
            _LOG.warning("a peer is not known: %s", error)
            self._transport.abort()
            return
        except Throttled as error:
            _LOG.warning("refused uid=%s: %s", self._uid, error)
            self._end(Closing(error))
            return
        self._session = Session(self._server.door, peer, self._server.now)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        del sizehint
        return self._reader.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes are there."""
        if self._ending:
            return
        try:
            found = self._reader.filled(nbytes)
        except MalformedFrame as error:
            self._end(Closing(error))
            return
        self._backlog.extend(found)
        self._work()
        if not self._ending and self._session.visitor is not None:
            if not self._reader.pending:
                self.deadline = _NEVER
            elif found or self.deadline == _NEVER:
                self.deadline = self._server.now() + _FRAME_TIME

    def eof_received(self) -> bool:
        """The client sends no more; it still gets its answers."""
        self.stop()
        return True

    def pause_writing(self) -> None:
        """The client does not read."""
        self._unread = True
        self._read_or_not()

    def resume_writing(self) -> None:
        """It does again."""
        self._unread = False
        self._work()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone; what is in work for it is done, and its answers are dropped."""
        del exc
        self._ending = True
        self._backlog.clear()
        if self._session is not None:
            self._session.close()
            _LOG.info("closed uid=%s", self._uid)
        self._server.closed(self, self._uid)

    # ---- what the server says ---------------------------------------------------------------

    def expire(self) -> None:
        """Its time is over."""
        _LOG.info("timed out uid=%s", self._uid)
        self.abort()

    def must_be_read_by(self, now: float) -> float:
        """When it is cut off unless it takes some of what it is sent before."""
        unsent = self._transport.get_write_buffer_size()
        if not unsent:
            self._unsent_until = _NEVER
        elif unsent < self._unsent or self._unsent_until == _NEVER:
            self._unsent_until = now + _WRITE_TIME
        self._unsent = unsent
        return self._unsent_until

    def stop(self) -> None:
        """Reads no more, answers what was read, and closes."""
        if not self._ending:
            self._ending = True
            self.deadline = _NEVER
            self._pause()
            self._close_if_done()

    def abort(self) -> None:
        """Ends it now."""
        self._ending = True
        self._transport.abort()

    # ---- within -----------------------------------------------------------------------------

    def _work(self) -> None:
        """Answers what has come, as far as the client may ask for more."""
        answers: list[bytes] = []
        try:
            while self._backlog and self._may_begin():
                answer = self._begun(self._backlog.popleft())
                if answer:
                    answers.append(answer)
        except Closing as closing:
            self._write(answers)
            self._end(closing)
            return
        self._write(answers)
        if self._ending:
            self._close_if_done()
        else:
            self._read_or_not()

    def _begun(self, body: bytes) -> bytes | None:
        session = self._session
        if session.visitor is None:
            said, visitor = session.hello(body)
            self._reader.limit = MAX_FRAME
            self.deadline = _NEVER
            _LOG.info("opened uid=%s principal=%s", self._uid, visitor.arn)
            return said
        made = session.receive(body, self._server.now())
        if made is None or isinstance(made, bytes):
            return made
        self._inflight += 1
        self._bytes += len(body)
        self._server.start(self._uid or 0, made, partial(self._done, len(body)))
        return None

    def _done(self, size: int, frames: bytes | None) -> None:
        self._inflight -= 1
        self._bytes -= size
        if frames is None:
            self.abort()  # nobody must wait for what will not come
        elif not self._transport.is_closing():
            self._transport.write(frames)
            self._unsent = max(self._unsent, self._transport.get_write_buffer_size())
        self._work()

    def _may_begin(self) -> bool:
        return self._inflight < MAX_INFLIGHT and self._bytes < _IN_WORK and not self._unread

    def _read_or_not(self) -> None:
        if self._ending or self._transport.is_closing():
            return
        wanted = not self._backlog and self._may_begin()
        if wanted and not self._reading:
            self._reading = True
            if self._reader.pending:
                self.deadline = self._server.now() + _FRAME_TIME
            self._transport.resume_reading()
        elif not wanted and self._reading:
            self.deadline = _NEVER  # it is us who wait
            self._pause()

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            with suppress(RuntimeError):  # it is closing
                self._transport.pause_reading()

    def _write(self, answers: list[bytes]) -> None:
        if answers and not self._transport.is_closing():
            self._transport.write(answers[0] if len(answers) == 1 else b"".join(answers))

    def _end(self, closing: Closing) -> None:
        """Says why, and closes."""
        _LOG.info("ended uid=%s: %s", self._uid, closing)
        self._ending = True
        self._backlog.clear()
        self._write([closing.frame])
        self._transport.close()

    def _close_if_done(self) -> None:
        if not self._inflight and not self._backlog:
            self._transport.close()
