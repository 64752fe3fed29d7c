"""One connection of the client that waits: requests out, answers in, both at once."""

from __future__ import annotations

import select
import socket
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from kmsfast.client.calls import Answer, Request
from kmsfast.client.driving import WINDOW, Deadline, asked
from kmsfast.client.faults import silent
from kmsfast.client.protocol import Protocol

__all__ = ["Connection"]

_AHEAD: Final = 64 << 10  # bytes of requests that wait to be sent while more are made
_BUFFERS: Final = 64  # of one system call
_AT_ONCE: Final = socket.MSG_DONTWAIT
_LONGEST_POLL: Final = 86_400.0  # seconds; its argument has 31 bits of milliseconds


class Connection:
    """A socket on which one call at a time is made.

    Attributes:
        is_asked: whether the server may have got something of the last call.

    Raises:
        OSError: nobody answers there. KmsError: the server refuses us, or is silent.
    """

    def __init__(self, path: str, protocol: Protocol, deadline: Deadline) -> None:
        self._protocol = protocol
        # The kernel waits for bytes, as long as it was told last; to tell it is a system call, so
        # it may wait a 64th of the timeout too long.
        self._slack, self._patience = deadline.timeout / 64, 0.0
        self.is_asked = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(deadline.left())
            self._socket.connect(path)
            self._socket.setblocking(True)
            self._send(deque(protocol.greeting()))
            while protocol.hello is None:
                for number, _ in self._received(deadline):
                    asked({}, number)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Ends it."""
        self._socket.close()

    def exchange(self, requests: Iterable[Request], deadline: Deadline) -> list[Answer]:
        """The answers to requests, in their order.

        Raises:
            OSError: the connection is lost; nobody knows what was done.
            DependencyTimeout: no answer came in time. ProtocolError: it is none.
        """
        self.is_asked = False
        answers: dict[int, Answer] = {}
        waiting: dict[int, tuple[int, Request]] = {}
        out: deque[Any] = deque()
        frames, more = self._frames(requests, waiting), True
        while True:
            ahead = sum(map(len, out))
            while more and ahead < _AHEAD and len(waiting) < WINDOW:
                frame = next(frames, None)
                more = frame is not None
                out += frame or ()
                ahead += sum(map(len, frame or ()))
            if out:
                self._send(out)
            elif not waiting:
                return [answers[index] for index in range(len(answers))]
            if more and not out and len(waiting) < WINDOW:
                continue  # the server has some to work on while the next are made
            if out or waiting:
                for number, answer in self._received(deadline, sending=bool(out)):
                    index, request = asked(waiting, number)
                    answers[index] = request.answered(answer)
                    deadline.answered()

    def _frames(
        self, requests: Iterable[Request], waiting: dict[int, tuple[int, Request]]
    ) -> Iterator[list[Any]]:
        for index, request in enumerate(requests):
            number, frames = self._protocol.frames(request)
            waiting[number] = index, request
            yield from frames

    def _send(self, out: deque[Any]) -> None:
        """Sends as much as goes without waiting; what does not stays."""
        try:
            while out:
                if len(out) == 1:
                    sent = self._socket.send(out[0], _AT_ONCE)
                else:
                    sent = self._socket.sendmsg(list(islice(out, _BUFFERS)), (), _AT_ONCE)
                self.is_asked = True
                while out and sent >= len(out[0]):
                    sent -= len(out.popleft())
                if sent:
                    out[0] = memoryview(out[0])[sent:]
        except BlockingIOError:
            return

    def _received(
        self, deadline: Deadline, *, sending: bool = False
    ) -> Iterator[tuple[int, Answer]]:
        """What has come, waiting for it; with something to send, only until that can be sent."""
        left = deadline.left()
        if sending:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | select.POLLOUT)
            if not (ready := poll.poll(min(left, _LONGEST_POLL) * 1000)):
                raise silent(deadline.timeout)
            if not ready[0][1] & (select.POLLIN | select.POLLHUP | select.POLLERR):
                return
        self._wait_for(left)
        try:
            size = self._socket.recv_into(self._protocol.room())
        except BlockingIOError:  # SO_RCVTIMEO
            raise silent(deadline.timeout) from None
        if size == 0:
            raise ConnectionResetError("the server closed the connection")
        yield from self._protocol.received(size)

    def _wait_for(self, left: float) -> None:
        """Has the kernel wait so many seconds for bytes, or a little longer."""
        if not left <= self._patience <= left + self._slack:
            self._patience = left + self._slack / 2
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(self._patience))


def _timeval(seconds: float) -> bytes:
    """A time that is not zero, which would be for ever."""
    whole = int(seconds)
    return struct.pack("@ll", whole, min(999_999, int((seconds - whole) * 1_000_000) + 1))
