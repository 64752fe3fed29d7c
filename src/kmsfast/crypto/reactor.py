"""The reactor of the socket in C: connections, frames and hot requests (csrc/kf_reactor.h).

Rules:
- one thread runs it (:meth:`Reactor.run`, without the interpreter's lock); every other method may
  be called by any thread between opening and closing it;
- what it does not answer comes as an :class:`Event`, whose bytes are memory of C: they are good
  until :meth:`Event.done`, which wipes them;
- it answers requests that a :class:`Ticket` covers, while the epoch is the ticket's and until it is
  due; a hot request that does not succeed comes as an event as well, as if there were no ticket.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from kmsfast.crypto.log import End, Segment
from kmsfast.crypto.native import check, ffi, lib, shared

__all__ = ["NEVER", "SLOTS", "Counts", "Event", "EventKind", "Limits", "Log", "Reactor", "Ticket"]

NEVER: Final = (1 << 63) - 1
"""The ``due`` of a ticket that time does not end."""

SLOTS: Final[int] = lib.KF_REACTOR_SLOTS


class EventKind(IntEnum):
    """What has happened."""

    CONNECTED = lib.KF_EVENT_CONNECTED
    FRAME = lib.KF_EVENT_FRAME
    CLOSED = lib.KF_EVENT_CLOSED  # nothing else comes from it, and nothing reaches it
    TOO_LONG = lib.KF_EVENT_TOO_LONG  # it is not read any more: say so, and drop it
    HALF_CLOSED = lib.KF_EVENT_HALF_CLOSED  # no more comes from it: see :meth:`Reactor.send`
    RECORDED = lib.KF_EVENT_RECORDED  # the audit log has records that are to be synced


class Limits(NamedTuple):
    """What a connection may do.

    Attributes:
        max_frame: bytes; at least 1,024.
        max_hello: bytes of the first frame.
        max_message: bytes of a payload with its chunks.
        max_unsent: bytes of answers beyond which it is not read.
        max_pending: bytes of requests being worked on, beyond which it is not read.
        max_held: the same of one uid, with the bytes of events until :meth:`Event.done`.
        max_inflight: requests being worked on, of one connection, likewise.
        max_connections: of one uid.
        max_open: of all.
        hello_ms: within which it must have said hello.
        frame_ms: within which a frame that has begun must be there.
        write_ms: within which it must take some of what it is sent.
        threads: of one batch.
        refusal: a frame, with its length, for who has too many connections.
        full: the same where all have.
    """

    max_frame: int = 16 << 20
    max_hello: int = 4096
    max_message: int = 1 << 30
    max_unsent: int = 1 << 20
    max_pending: int = 64 << 20
    max_held: int = 256 << 20
    max_inflight: int = 1024
    max_connections: int = 256
    max_open: int = 16_384
    hello_ms: int = 10_000
    frame_ms: int = 30_000
    write_ms: int = 60_000
    threads: int = 1
    refusal: bytes = b""
    full: bytes = b""


class Ticket(NamedTuple):
    """How requests of one caller, operation and key name are answered.

    Attributes:
        key: handle of the key; 0 for random bytes.
        epoch: of the store, read before anything was looked up.
        due: microseconds since 1970-01-01 UTC until which it holds.
        max_record: bytes of a record beyond which the request comes as an event.
        public: to verify with P-256: x || y, 64 bytes.
        mac_len: bytes of a MAC.
        slot: where its uses are noted, below :data:`SLOTS`.
        recorded: an event goes to the audit log before each answer.
        event: the event's members from the name to the message, in msgpack.
        members: pairs of its request, in msgpack; how many: ``num_members``. The encryption
            context, NumberOfBytes and MessageType are added to them.
        is_read_only: as CloudTrail has it.
        timer: counts what is answered (:mod:`kmsfast.crypto.counters`); 0: nobody does.
    """

    key: int
    epoch: int
    due: int = NEVER
    max_record: int = 1 << 40
    public: bytes = bytes(64)
    mac_len: int = 0
    slot: int = 0
    recorded: bool = False
    event: bytes = b""
    members: bytes = b""
    num_members: int = 0
    is_read_only: bool = True
    timer: int = 0


class Log(NamedTuple):
    """The audit log as the reactor appends to it.

    Attributes:
        end: of the log.
        lock_fd: its lock file, opened for the reactor alone: a lock is that of an open file and
            does not tell threads apart. It and that of ``file`` are duplicated.
        file: the segment that takes records.
    """

    end: End
    lock_fd: int
    file: Segment


class Counts(NamedTuple):
    """Totals since the reactor was opened; those by operation are indexed by its number."""

    connections: int
    refused: int
    timeouts: int
    hot: Sequence[int]
    records: Sequence[int]
    bytes: Sequence[int]
    handed: int
    unrecorded: int


class Event:
    """What has happened on a connection.

    Attributes:
        kind: of it.
        conn: number of the connection, never used again; 0 for RECORDED.
        uid: of the peer when it connected.
        arrived: when the frame was complete, in microseconds of ``time.monotonic``.
        frame: without its length. Of CONNECTED: gids, native uint32 each, the primary one first.
        rest: of a request whose payload comes in chunks: what all of these brought, when the
            reactor has received them.
    """

    __slots__ = ("_event", "_reactor", "arrived", "conn", "frame", "kind", "rest", "uid")

    def __init__(self, reactor: Any, event: Any) -> None:
        self._reactor, self._event = reactor, event
        self.kind = EventKind(event.kind)
        self.conn, self.uid, self.arrived = event.conn, event.uid, event.arrived
        self.frame, self.rest = _view(event.frame), _view(event.rest)

    def done(self) -> None:
        """Wipes its bytes; ``frame`` and ``rest`` must not be used any more."""
        self.frame = self.rest = memoryview(b"")
        lib.kf_reactor_done(self._reactor, self._event)


class Reactor:
    """A loop in C that serves connections.

    Args:
        listening: descriptors of listening Unix sockets; they stay the caller's.
        epoch: a view of one uint64: the store's epoch.
        limits: of its connections.

    Raises:
        StoreUnusable: the system has no epoll(7), or it cannot be had.
    """

    def __init__(self, listening: Sequence[int], epoch: memoryview, limits: Limits) -> None:
        self._epoch, self._mapped = shared("uint64_t *", epoch)
        self._log: Any = None
        refusal = ffi.from_buffer("uint8_t[]", limits.refusal)
        full = ffi.from_buffer("uint8_t[]", limits.full)
        texts = {"refusal": _text(refusal), "full": _text(full)}
        given = ffi.new("struct kf_reactor_limits *", limits._asdict() | texts)
        out = ffi.new("struct kf_reactor **")
        check(
            lib.kf_reactor_open(out, list(listening), len(listening), self._epoch, given),
            "the socket's reactor cannot be opened",
        )
        self._reactor = out[0]
        self._uses = ffi.new("struct kf_reactor_use[]", SLOTS)

    @staticmethod
    def is_available() -> bool:
        """Whether this system has what it needs."""
        return hasattr(os, "eventfd")

    @property
    def event_fd(self) -> int:
        """Readable while there are events."""
        return int(lib.kf_reactor_event_fd(self._reactor))

    def run(self) -> None:
        """Serves until :meth:`stop` was called and what was read is answered.

        Raises:
            StoreUnusable: the kernel refuses.
        """
        check(lib.kf_reactor_run(self._reactor), "the socket's reactor has ended")

    def stop(self, patience: float) -> None:
        """Accepts and reads no more; what is unanswered after so many seconds is given up."""
        lib.kf_reactor_stop(self._reactor, int(patience * 1000))

    def close(self) -> None:
        """Closes all connections; :meth:`run` has returned, and nothing else is called any more."""
        if self._reactor is not None:
            lib.kf_reactor_close(self._reactor)
            self._reactor = self._log = self._epoch = self._mapped = None

    def take(self) -> Event | None:
        """The next event, if there is one."""
        event = ffi.new("struct kf_event *")
        lib.kf_reactor_take(self._reactor, event)
        return Event(self._reactor, event) if event.kind else None

    def send(self, conn: int, frames: bytes | bytearray | memoryview, answered: int = 1) -> None:
        """Sends whole frames, each with its length, which answer so many of its requests.

        The hello is one of these; of a request that comes in chunks its first frame is, and the
        others are not. Requests whose chunks will not come are answered by no bytes.
        """
        given = ffi.from_buffer("uint8_t[]", frames)
        check(lib.kf_reactor_send(self._reactor, conn, given, len(given), answered))

    def admit(self, conn: int, caller: int) -> None:
        """Its requests are read from now on; ``caller``: of tickets, from 1 on, or 0."""
        check(lib.kf_reactor_admit(self._reactor, conn, caller))

    def drop(self, conn: int) -> None:
        """Closes it when what was sent before is with the kernel."""
        check(lib.kf_reactor_drop(self._reactor, conn))

    def put(self, caller: int, operation: int, key: bytes, fact: bytes, ticket: Ticket) -> None:
        """Answers such requests by a ticket from now on, in place of an earlier one.

        Args:
            caller: who was admitted under this number.
            operation: number of the request.
            key: name as requests give it; empty for none.
            fact: the first 24 bytes of blobs to decrypt; the algorithm of signatures and MACs.
            ticket: what holds.

        Raises:
            StaleHandle: the key was evicted.
        """
        event, members = (
            ffi.from_buffer("uint8_t[]", ticket.event),
            ffi.from_buffer("uint8_t[]", ticket.members),
        )
        facts = ticket._asdict()
        facts |= {"event": _text(event), "members": _text(members), "public64": facts.pop("public")}
        given = ffi.new("struct kf_ticket *", facts)
        check(
            lib.kf_ticket_put(
                self._reactor, caller, operation, key, len(key), fact, len(fact), given
            )
        )

    def forget(self, caller: int = 0) -> None:
        """Forgets the tickets of a caller; 0: of everybody."""
        lib.kf_ticket_forget(self._reactor, caller)

    def used(self) -> list[tuple[int, str]]:
        """The slots of tickets that were used since this was last asked.

        Each with the id of the last request, by which the audit log knows it.
        """
        num = lib.kf_reactor_used(self._reactor, self._uses, SLOTS)
        return [(use.slot, f"{use.conn}-{use.id}") for use in self._uses[0:num]]

    def record(self, log: Log | None) -> None:
        """Where events are recorded; None: nowhere, and tickets with ``recorded`` do not hold.

        It is to be said anew whenever the log has begun a segment or was repaired, and None when a
        sync has failed.

        Raises:
            StoreUnusable: there are too many open files.
        """
        if log is None:
            check(lib.kf_reactor_record(self._reactor, ffi.NULL))
            self._log = None
            return
        file = log.file
        given = ffi.new(
            "struct kf_reactor_log *",
            (log.end.struct, log.lock_fd, file.fd, file.number, file.max_offset),
        )
        check(lib.kf_reactor_record(self._reactor, given), "the audit log cannot be recorded to")
        self._log = log.end  # of the one before nobody reads any more

    def counts(self) -> Counts:
        """Totals so far."""
        out = ffi.new("struct kf_reactor_counts *")
        lib.kf_reactor_counts(self._reactor, out)
        return Counts(*(_plain(getattr(out, name)) for name in Counts._fields))


def _text(bytes_of: Any) -> tuple[Any, int]:
    return (ffi.cast("uint8_t *", bytes_of), len(bytes_of))


def _view(text: Any) -> memoryview:
    return memoryview(ffi.buffer(text.at, text.len)) if text.len else memoryview(b"")


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else tuple(value)
