"""One HTTP/1.1 connection: bytes in, replies out, in the order of the requests.

Rules:
- llhttp (by httptools) reads the requests; what it refuses ends the connection with 400;
- one request of a connection is in work at a time; those that were sent ahead wait their turn;
- a reply whose event is still to be written is held by the hub, and those behind it as well;
- heads and bodies have a greatest length. A body beyond it is read to its end and answered by 413,
  so that the connection lives, unless it is longer still;
- trailers are not headers: nobody looks at them. A chunked request is the last of its connection,
  for the parser keeps its last trailer back and would give it out as a header of the next request;
- a client that sends a request slowly, or does not take its replies, is cut off by the sweep.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol, cast

import httptools

from kmsfast.crypto.counters import begin, begun
from kmsfast.server.endpoint import MAX_BODY, Later, Reply, Request

__all__ = ["IDLE", "NEVER", "Connection", "Hub"]

MAX_HEAD: Final = 32_768
_MOST_HEADERS: Final = 256
_MAX_DRAINED: Final = 16 * MAX_BODY
_REQUEST_TIME: Final = 20.0
IDLE: Final = 75.0
NEVER: Final = float("inf")

_STATUS: Final[Mapping[int, bytes]] = {
    status: f"HTTP/1.1 {status} {reason}\r\nx-amzn-RequestId: ".encode()
    for status, reason in (
        (200, "OK"), (400, "Bad Request"), (403, "Forbidden"), (404, "Not Found"),
        (408, "Request Timeout"), (413, "Content Too Large"),
        (431, "Request Header Fields Too Large"), (500, "Internal Server Error"),
        (503, "Service Unavailable"),
    )
}  # fmt: skip
_CONTENT: Final = (
    b"\r\nCache-Control: no-cache, no-store, must-revalidate, private\r\nContent-Type: "
)
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Hub(Protocol):
    """What connections have in common.

    Attributes:
        now: the loop's time, at most a second old.
        date: the Date header, at most a second old.
        stopping: finish what is there, and close.
    """

    now: float
    date: bytes
    stopping: bool

    def opened(self, connection: Connection) -> bool:
        """Counts the connection in; False: there are too many."""

    def closed(self, connection: Connection) -> None:
        """Counts it out."""

    def next_id(self) -> str:
        """A request id."""

    def answer(self, request: Request) -> Reply | Later:
        """The reply, or what makes it."""

    def count(self, request: Request, reply: Reply) -> None:
        """Counts a request that was not counted when it was answered."""

    def start(self, work: Later) -> asyncio.Future[Reply]:
        """Does work where waiting does no harm."""

    def hold(self, connection: Connection, request: Request, reply: Reply) -> None:
        """Releases a reply before anything else happens, but for the events of all that are held.

        They are written first, together.
        """


class Connection(asyncio.Protocol):
    """Reads requests and writes replies.

    Attributes:
        deadline: the hub's time after which the sweep cuts the connection off.
    """

    _KEEPS_HEADERS = False  # for whoever looks at more of them than this class does

    __slots__ = (
        "_begun",
        "_choked",
        "_chunked",
        "_chunks",
        "_drained",
        "_fed",
        "_head",
        "_held",
        "_hub",
        "_in_body",
        "_last",
        "_parser",
        "_queue",
        "_request",
        "_seen",
        "_transport",
        "_url",
        "_working",
        "deadline",
    )  # fmt: skip

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Request] = deque()
        self._working = self._last = self._begun = self._choked = False
        self._held = 0
        self._reset()

    # ---- the transport's side ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)
        self.deadline = self._hub.now + _REQUEST_TIME
        if not self._hub.opened(self):
            self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        """The client is gone."""
        self._last = True
        self._hub.closed(self)
        del self._parser  # which holds this object

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        if self._last:
            return
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish()  # the request was served as one that asks for nothing of the kind
            return
        except httptools.HttpParserError:
            self._refuse(400)
            return
        if self._begun and self._fed > MAX_HEAD:
            self._refuse(431)  # the parser holds what it has not delivered

    def eof_received(self) -> bool:
        """The client sends no more; what it sent is answered."""
        self._last = True
        return self._working or self._held > 0

    def pause_writing(self) -> None:
        """The client does not take its replies: nothing more is read until it does."""
        self._choked, self.deadline = True, self._hub.now + _REQUEST_TIME
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It took them."""
        self._choked, self.deadline = False, self._hub.now + IDLE
        self._read_on()

    def expire(self) -> None:
        """The deadline is over."""
        if self._working or self._held:
            return
        if self._begun and not self._last:
            self._refuse(408)
        else:
            self._transport.abort()

    def stop(self) -> None:
        """Closes the connection when nothing is in work, else after the reply."""
        if not self._working and not self._begun:
            self._finish()

    def abort(self) -> None:
        """Closes the connection whatever is in work."""
        self._transport.abort()

    # ---- the parser's side ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begun = True
        if not self._working:
            self.deadline = self._hub.now + _REQUEST_TIME

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._head_grows(len(url))
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        if self._in_body:
            return
        self._head_grows(len(name) + len(value))
        lowered = name.lower()
        if self._KEEPS_HEADERS:
            self._request.headers.append((lowered, value))
            if len(self._request.headers) > _MOST_HEADERS:
                self._refuse(431)
        place = _HEADERS.get(lowered)
        if place is not None:
            if place in self._seen:
                self._refuse(400)  # which of the two was meant, nobody can say
            self._seen += (place,)
            setattr(self._request, place, value)
        elif (
            lowered == b"expect"
            and value.lower() == b"100-continue"
            and not (self._working or self._last)
        ):
            self._transport.write(_CONTINUE)

    def on_headers_complete(self) -> None:
        """The body comes next."""
        self._in_body, self._fed = True, 0
        if "host" not in self._seen and self._parser.get_http_version() == "1.1":
            self._refuse(400)  # RFC 9112, section 3.2

    def on_chunk_header(self) -> None:
        """The length of a chunk."""
        self._chunked = True

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._fed = 0
        self._drained += len(data)
        if self._drained <= MAX_BODY:
            self._chunks.append(data)
        elif self._drained > _MAX_DRAINED:
            self._refuse(413)
        else:
            self._chunks.clear()

    def on_message_complete(self) -> None:
        """A request is there as a whole."""
        if self._last:
            return
        request = self._request
        request.method = self._parser.get_method().decode("ascii")
        request.path = self._url.partition(b"?")[0].decode("latin-1")
        request.too_long = self._drained > MAX_BODY
        chunks = self._chunks
        request.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        request.keep_alive = self._parser.should_keep_alive() and not self._chunked
        self._reset()
        if self._working:
            self._queue.append(request)
        else:
            self._serve(request)

    # ---- within -----------------------------------------------------------------------------

    def _reset(self) -> None:
        """Ready for another request."""
        self._request = Request()
        self._url = b""
        self._seen: tuple[str, ...] = ()
        self._chunks: list[bytes] = []
        self._drained = self._head = self._fed = 0
        self._in_body = self._begun = self._chunked = False

    def _head_grows(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD:
            self._refuse(431)

    def _serve(self, request: Request) -> None:
        request.request_id = self._hub.next_id()
        begin()
        reply = self._hub.answer(request)
        if isinstance(reply, Reply):
            if not reply.counted:
                request.begun = begun()
            self._reply(request, reply)
            return
        request.begun = begun()
        self._working = True
        if not self._choked:  # else the client still has to take earlier replies in time
            self.deadline = NEVER
        self._transport.pause_reading()
        self._hub.start(reply).add_done_callback(lambda done: self._served(request, done))

    def _served(self, request: Request, done: asyncio.Future[Reply]) -> None:
        self._working = False
        if self._transport.is_closing() or done.cancelled():
            return
        self._reply(request, done.result())
        while self._queue and not self._working and not self._transport.is_closing():
            self._serve(self._queue.popleft())
        self._read_on()

    def _reply(self, request: Request, reply: Reply) -> None:
        """Writes a reply, or has it held: for its event, or behind another one."""
        if not (reply.event or self._held):
            self._write(request, reply)
            return
        self._held += 1
        self._last = self._last or not request.keep_alive
        self._hub.hold(self, request, reply)

    def release(self, request: Request, reply: Reply) -> None:
        """Writes a reply that was held."""
        self._held -= 1
        if not self._transport.is_closing():
            self._write(request, reply)

    def _write(self, request: Request, reply: Reply) -> None:
        hub = self._hub
        if not reply.counted:
            hub.count(request, reply)
        body = reply.body
        ends = self._last and not (self._queue or self._held or self._working)
        keep = request.keep_alive and not hub.stopping and not ends
        error = b"" if not reply.error else _error_headers(reply)
        self._transport.write(
            b"%b%b%b%b\r\n%b%bDate: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (
                _STATUS[reply.status],
                request.request_id.encode(),
                _CONTENT,
                reply.content_type,
                error,
                b"" if keep else b"Connection: close\r\n",
                hub.date,
                len(body),
                b"" if request.method == "HEAD" else body,
            )
        )
        if not self._choked:
            self.deadline = hub.now + IDLE
        if not keep:
            self._finish()

    def _read_on(self) -> None:
        """Reads again, unless a request is in work or the client does not take its replies."""
        if not (self._working or self._choked or self._transport.is_closing()):
            self._transport.resume_reading()

    def _refuse(self, status: int) -> None:
        """Ends a connection that cannot go on, after what is in work."""
        if self._last:
            return
        request = Request(request_id=self._hub.next_id(), keep_alive=False)
        self._queue.clear()
        if self._working:
            self._last = True
        else:
            self._reply(request, Reply(status, b'{"__type":"BadRequest"}', "BadRequest"))

    def _finish(self) -> None:
        self._last = True
        if not (self._working or self._held):
            self._transport.close()


def _error_headers(reply: Reply) -> bytes:
    """The name of an error, and when to try again, as AWS's SDKs read it: in milliseconds."""
    retry = f"x-amz-retry-after: {reply.retry_after}\r\n" if reply.retry_after else ""
    return f"x-amzn-ErrorType: {reply.error}\r\n{retry}".encode()


_HEADERS: Final[Mapping[bytes, str]] = {
    b"x-amz-target": "target",
    b"authorization": "authorization",
    b"host": "host",
    b"origin": "origin",
}
