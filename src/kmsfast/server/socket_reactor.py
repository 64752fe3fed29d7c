"""The socket's connections under the reactor in C: sessions for what it does not answer.

Rules:
- the reactor has the connections and all their bounds; what it hands on goes to the session of its
  connection, and answers go back from whichever thread made them;
- bytes of an event are C's: they are copied once. They are given back when the request is answered,
  so that what is in work counts for its uid, whoever has gone meanwhile;
- what requests were answered may become tickets (:mod:`kmsfast.server.socket_tickets`).
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from kmsfast.crypto.reactor import Event, EventKind, Limits, Log, Reactor
from kmsfast.errors import KmsError
from kmsfast.server.process import most_connections
from kmsfast.server.session import Closing, Later, Session
from kmsfast.server.socket_door import Door, Peer
from kmsfast.server.socket_tickets import Tickets
from kmsfast.server.turns import Turns
from kmsfast.wire.refusals import Throttled
from kmsfast.wire.socket_answers import error_frame
from kmsfast.wire.socket_frames import MAX_FRAME, MalformedFrame

if TYPE_CHECKING:
    from kmsfast.audit.lent import LentLog
    from kmsfast.audit.recorder import Recorder
    from kmsfast.server.unix_place import Place

__all__ = ["ReactorServer"]

GRACE: Final = 10.0
_THREADS: Final = 8
_SWEEP: Final = 0.5
_LOG: Final = logging.getLogger(__name__)


class ReactorServer:
    """Serves a door to the connections of a place.

    Args:
        recorder: of the audit log; None: nothing is recorded.
        per_uid: connections that one uid may have.

    Raises:
        StoreUnusable: the kernel refuses.
    """

    def __init__(
        self, door: Door, place: Place, recorder: Recorder | None, *, per_uid: int
    ) -> None:
        yours = f"Your uid has {per_uid} connections already; close some"
        most = most_connections()
        limits = Limits(
            max_connections=per_uid,
            max_open=most,
            threads=door.threads,
            refusal=error_frame(None, Throttled(yours)),
            full=error_frame(None, Throttled(f"The server has {most} connections; try again")),
        )
        place.listening.setblocking(False)
        listening = [place.listening.fileno()]
        self._reactor = Reactor(listening, door.app.ring.epoch, limits)
        self._door, self._recorder = door, recorder
        self._sessions: dict[int, Session] = {}
        self._in_work = set[Event]()
        self._turns = Turns(_THREADS, "kmsfast-socket")
        self._tickets: Tickets | None = None
        self._log: LentLog | None = None
        # What C answers counts towards no quota.
        if door.quotas is None and (recorder is None or not recorder.is_strict):
            self._tickets = Tickets(self._reactor, recorded=recorder is not None)
            door.before_usage = self._tickets.note_uses
        if recorder is not None and self._tickets is not None:
            record = self._reactor.record
            self._log = recorder.lent(
                lambda end, lock_fd, file: record(Log(end, lock_fd, file)), lambda: record(None)
            )
        self._own = ThreadPoolExecutor(1, thread_name_prefix="kmsfast-reactor")
        self._running: asyncio.Future[None] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Lets clients connect."""
        loop.add_reader(self._reactor.event_fd, self._events)
        self._running = loop.run_in_executor(self._own, self._reactor.run)

    async def sweep(self) -> None:
        """Notes which keys were used; for ever."""
        while True:
            await asyncio.sleep(_SWEEP)
            if self._tickets is not None:
                self._tickets.note_uses()

    async def drain(self) -> None:
        """Ends all connections, after their answers, or after GRACE."""
        self._reactor.stop(GRACE)
        if self._running is not None:
            await self._running
        asyncio.get_running_loop().remove_reader(self._reactor.event_fd)
        self._turns.shutdown()
        for event in self._in_work:  # dropped
            event.done()
        self._own.shutdown()
        if self._log is not None:
            self._log.close()
        if self._tickets is not None:
            self._tickets.note_uses()
        self._door.before_usage = _nothing
        _LOG.info("served %s", _sums(self._reactor))
        self._reactor.close()
        self._sessions.clear()

    # ---- within -----------------------------------------------------------------------------

    def _events(self) -> None:
        """Takes what there is."""
        while (event := self._reactor.take()) is not None:
            try:
                work = self._handled(event)
            except Exception:  # noqa: BLE001 - its client must not wait for ever
                _LOG.exception("an event of the socket failed")
                self._drop(event.conn)
                work = None
            if work is None:
                event.done()
            else:
                self._in_work.add(event)
                self._turns.submit(event.uid, partial(self._work, event, work))

    def _handled(self, event: Event) -> Later | None:
        """Answers it, or returns what does."""
        session = self._sessions.get(event.conn)
        match event.kind:
            case EventKind.CONNECTED:
                gids = struct.unpack(f"={len(event.frame) // 4}I", event.frame)
                peer = Peer(event.uid, tuple(dict.fromkeys(gids)))
                self._sessions[event.conn] = Session(
                    self._door, peer, time.monotonic, self._tickets
                )
            case EventKind.CLOSED:
                self._sessions.pop(event.conn, None)
                if session is not None:
                    session.close()
                    _LOG.info("closed uid=%s", event.uid)
            case EventKind.RECORDED:
                if self._log is not None:
                    self._log.appended()
            case EventKind.TOO_LONG:
                error = MalformedFrame(f"A frame has 1 to {MAX_FRAME} bytes")
                self._end(event.conn, event.uid, Closing(error))
            case EventKind.HALF_CLOSED if session is not None:
                self._reactor.send(event.conn, b"", session.half_closed())
            case EventKind.FRAME if session is not None:
                try:
                    return self._frame(event, session)
                except Closing as closing:
                    self._end(event.conn, event.uid, closing)
        return None

    def _frame(self, event: Event, session: Session) -> Later | None:
        body = bytes(event.frame)
        if session.visitor is None:
            said, visitor = session.hello(body)
            self._reactor.send(event.conn, said)
            number = 0 if self._tickets is None else self._tickets.number_of(visitor)
            self._reactor.admit(event.conn, number)
            _LOG.info("opened uid=%s principal=%s", event.uid, visitor.arn)
            return None
        made = session.receive(body, event.arrived / 1e6, bytes(event.rest))
        if not isinstance(made, bytes):
            return made
        self._answered(event.conn, made)
        return None

    def _work(self, event: Event, work: Later) -> None:
        """In a thread. The session has an answer to every failure but of memory."""
        try:
            self._answered(event.conn, work())
        except Exception:  # noqa: BLE001 - its client must not wait for ever
            _LOG.exception("an answer of the socket failed")
            self._drop(event.conn)
        finally:
            self._in_work.discard(event)
            event.done()

    def _answered(self, conn: int, frames: bytes) -> None:
        if self._log is not None:
            self._log.follow()
        self._reactor.send(conn, frames)

    def _drop(self, conn: int) -> None:
        """Closes it without an answer; when there is no memory even for that, it stays."""
        with suppress(KmsError):
            self._reactor.drop(conn)

    def _end(self, conn: int, uid: int, closing: Closing) -> None:
        """Says why, and closes."""
        _LOG.info("ended uid=%s: %s", uid, closing)
        self._reactor.send(conn, closing.frame, 0)
        self._reactor.drop(conn)


def _nothing() -> None:
    return None


def _sums(reactor: Reactor) -> str:
    """Totals, for the log."""
    counts = reactor.counts()
    return (
        f"hot={sum(counts.hot)} records={sum(counts.records)} handed={counts.handed} "
        f"unrecorded={counts.unrecorded} refused={counts.refused} timeouts={counts.timeouts}"
    )
