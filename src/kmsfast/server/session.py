"""One connection of the socket, without the socket: bodies of frames in, frames out.

Rules:
- what is malformed raises :class:`Closing`, with the frame that says so, and ends the connection;
  every other request gets one answer or one error;
- what may wait for the disk, or computes for long, is handed back as a function for a thread; so is
  the first request of its kind after any change of the store. Others are answered at once;
- an answer leaves when its event is written, or not at all;
- a deadline is looked at when work begins.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, cast

from kmsfast.crypto.counters import now
from kmsfast.errors import KmsError, UnsupportedOperation
from kmsfast.operations import MISSING, OPERATIONS, refuse_long_contexts
from kmsfast.operations.batches import BATCHES, Batch, given_of, names_its_keys
from kmsfast.operations.numbered import SINGLES, with_algorithm
from kmsfast.operations.requests import Given, check_tokens
from kmsfast.server.socket_chunks import Chunks, Whole, continued
from kmsfast.server.socket_door import Door, Peer, Visitor
from kmsfast.server.socket_recording import Outcome
from kmsfast.service.usage import request_of
from kmsfast.wire.faults import INTERNAL, worded
from kmsfast.wire.refusals import DeadlineExceeded, Throttled, UnknownOperation
from kmsfast.wire.socket_answers import RETRYABLE, answer, error_frame, plain
from kmsfast.wire.socket_frames import (
    MAX_FRAME,
    MAX_INFLIGHT,
    MAX_ITEMS,
    MAX_MESSAGE,
    MalformedFrame,
    decode,
    encode,
)
from kmsfast.wire.socket_requests import (
    MAGIC,
    ByName,
    ByNumber,
    Chunk,
    Refused,
    read_hello,
    read_request,
)

if TYPE_CHECKING:
    from kmsfast.server.socket_tickets import Tickets

__all__ = ["Closing", "Later", "Session"]

Later = Callable[[], bytes]
"""The frames of an answer that takes the disk, another process, or long."""

_ABOUT_USES: Final = "GetKeyLastUsage"
_HEADER: Final = 24  # bytes of a blob that name its key version
_MOST_SEEN: Final = 1024
_LOG: Final = logging.getLogger(__name__)


class Closing(Exception):
    """The connection ends, after this frame."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.frame = error_frame(None, error)


class Session:
    """Answers the frames of one connection, in any order.

    Args:
        peer: who has connected.
        clock: seconds, monotonic; of deadlines.
        tickets: learns of requests that were answered; None: nobody does.

    Attributes:
        visitor: who asks, once the hello is over.
    """

    def __init__(
        self,
        door: Door,
        peer: Peer,
        clock: Callable[[], float],
        tickets: Tickets | None = None,
    ) -> None:
        self._door, self._peer, self._clock, self._tickets = door, peer, clock, tickets
        self.visitor: Visitor | None = None
        self._chunks = Chunks(door.announced, peer.uid)
        self._seen_in, self._seen = -1, set[Any]()
        door.metering.opened()

    def close(self) -> None:
        """The connection is gone."""
        self._chunks.clear()
        self._door.metering.closed()

    def half_closed(self) -> int:
        """The client sends no more: how many of its requests will never be whole."""
        return self._chunks.give_up()

    def hello(self, body: bytes) -> tuple[bytes, Visitor]:
        """The server's hello, to the client's, and who asks.

        Raises:
            Closing: it is none, or the peer is nobody.
        """
        try:
            said = read_hello(decode(body))
            visitor = Visitor(self._door, self._peer, said.region, said.client)
        except KmsError as error:
            raise Closing(error) from None
        self.visitor = visitor
        return _hello(said.version, visitor), visitor

    def receive(self, body: bytes, arrived: float, rest: bytes = b"") -> bytes | Later | None:
        """The frames of an answer, or what makes them; None: more of the request must come first.

        Args:
            arrived: when the frame came, by the clock.
            rest: what the chunks of the request brought, where they are received already.

        Raises:
            Closing: it is malformed, or we have failed to see what it is.
        """
        try:
            return self._received(body, arrived, rest)
        except MalformedFrame as error:
            raise Closing(error) from None
        except Refused as refused:
            return error_frame(refused.request_id, refused.error)
        except Exception as error:  # noqa: BLE001 - whoever sent it must not wait for ever
            _LOG.exception("a frame could not be read")
            raise Closing(error) from None

    # ---- within -----------------------------------------------------------------------------

    def _received(self, body: bytes, arrived: float, rest: bytes) -> bytes | Later | None:
        visitor = self.visitor
        if visitor is None:
            raise MalformedFrame("The first frame is the hello")
        request = read_request(decode(body))
        if isinstance(request, Chunk):
            whole = self._chunks.add(request)
            return None if whole is None else self._whole(visitor, whole)
        if rest and isinstance(request, ByNumber):
            request = continued(request, rest)
        elif isinstance(request, ByNumber) and request.options.more:
            return self._growing(request, arrived)
        return self._begun(visitor, request, arrived)

    def _growing(self, request: ByNumber, arrived: float) -> bytes | None:
        try:
            self._chunks.begin(request, arrived)
        except Throttled as error:
            return error_frame(request.id, error)
        return None

    def _whole(self, visitor: Visitor, whole: Whole) -> bytes | Later:
        """The answer to a request that came in chunks, which are counted until it is there."""
        made = self._begun(visitor, whole.request, whole.arrived)
        if isinstance(made, bytes):
            self._chunks.done(whole)
            return made

        def releasing() -> bytes:
            try:
                return made()
            finally:
                self._chunks.done(whole)

        return releasing

    def _begun(self, visitor: Visitor, request: ByName | ByNumber, arrived: float) -> bytes | Later:
        call = _Call(self._door, visitor, request, self._due(request, arrived), self._clock)
        if isinstance(request, ByName):
            return call.run
        if request.operation.many or self._tickets is not None:
            return self._teaching(visitor, request, call)
        epoch = self._door.app.ring.epoch[0]
        if epoch != self._seen_in or len(self._seen) >= _MOST_SEEN:
            self._seen_in, self._seen = epoch, set()
        kind = _kind(request)
        if kind in self._seen and not call.waits_to_record:
            done = call.at_once()
            if done is not None:
                return done
        seen = self._seen

        def learning() -> bytes:
            done = call.run()
            if call.succeeded:
                seen.add(kind)
            return done

        return learning

    def _teaching(self, visitor: Visitor, request: ByNumber, call: _Call) -> Later:
        """The work, after which the reactor may know how such requests are answered."""
        tickets = self._tickets
        if tickets is None:
            return call.run

        def teaching() -> bytes:
            done = call.run()
            if call.succeeded:
                tickets.issue(visitor, request)
            return done

        return teaching

    def _due(self, request: ByName | ByNumber, arrived: float) -> float | None:
        wanted = request.deadline if isinstance(request, ByName) else request.options.deadline
        return None if wanted is None else arrived + wanted / 1000


def _hello(spoken: int, visitor: Visitor) -> bytes:
    """The server's hello."""
    return encode(
        MAGIC,
        spoken,
        {
            "server": f"kmsfast/{version('kmsfast')}",
            "max_frame": MAX_FRAME,
            "max_message": MAX_MESSAGE,
            "max_items": MAX_ITEMS,
            "max_inflight": MAX_INFLIGHT,
            "features": ["batch", "chunks"],
            "region": visitor.home.region,
            "account": visitor.home.account,
            "principal": visitor.arn,
        },
    )


class _Call:
    """One request on its way.

    Attributes:
        succeeded: whether an answer was made.
        waits_to_record: whether its event waits for the disk.
    """

    def __init__(
        self,
        door: Door,
        visitor: Visitor,
        request: ByName | ByNumber,
        due: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._door, self._visitor, self._request = door, visitor, request
        self._due, self._clock = due, clock
        self._id = door.next_id()
        name = request.name if isinstance(request, ByName) else request.operation.name
        self._outcome = Outcome(name)
        self._is_read = self.succeeded = False
        self._arrived = now()

    @property
    def waits_to_record(self) -> bool:
        """See the class."""
        recording = self._door.recording
        return recording is not None and recording.waits_for(self._outcome.name)

    def run(self) -> bytes:
        """The frames of the answer, or of the error; its event is written."""
        made = self._made(wait=True)
        assert made is not None  # noqa: S101 - nothing was too slow to wait for
        return made

    def at_once(self) -> bytes | None:
        """The same, when nothing must be waited for; else None, and nothing was done."""
        return self._made(wait=False)

    def _made(self, *, wait: bool) -> bytes | None:
        request = self._request
        try:
            self._check_time()
            body = self._body(wait=wait)
            if body is _NOT_NOW:
                return None
            frames = answer(request.id, body)
            self.succeeded = True
        except Exception as error:  # noqa: BLE001 - one request must not end the server
            self._note(error)
            # Its traceback has this frame, and so the request, for as long as no collector comes.
            self._outcome.error = error.with_traceback(None)
            frames = error_frame(request.id, error)
        try:
            self._record()
        except Exception as error:  # noqa: BLE001 - what is not recorded does not leave
            self.succeeded = False
            self._outcome.error = error.with_traceback(None)
            self._note(error)
            frames = error_frame(request.id, error)
        self._count()
        return frames

    def _count(self) -> None:
        outcome, request = self._outcome, self._request
        many = isinstance(request, ByNumber) and request.operation.many
        self._door.metering.answered(
            outcome.name,
            self._arrived,
            (outcome.records, outcome.failed) if many else None,
            "" if outcome.error is None else worded(outcome.error)[0],
        )

    def _check_time(self) -> None:
        if self._due is not None and self._clock() >= self._due:
            raise DeadlineExceeded("The deadline of the request was over before it was begun")

    def _body(self, *, wait: bool) -> Any:
        request = self._request
        if isinstance(request, ByName):
            return self._by_name(request)
        if not self._is_read:
            request.read()
            self._is_read = True
        return self._batch(request) if request.operation.many else self._single(request, wait=wait)

    def _by_name(self, request: ByName) -> Any:
        shape = self._door.model.operations.get(request.name)
        if shape is None:
            raise UnknownOperation(f"There is no operation {request.name[:64]!r}")
        self._outcome.given = request.members
        operation = OPERATIONS.get(request.name)
        if operation is None:
            why = MISSING.get(request.name, "AWS has added it since")
            raise UnsupportedOperation(f"{request.name} is not supported by this release: {why}")
        given = shape.checked(request.members)
        if request.name == _ABOUT_USES:
            self._door.before_usage()
        refuse_long_contexts(given)
        app, settled = self._visitor.permitted(request.name, given)
        self._outcome.keys = _settled(settled)
        result = operation.answer(app, settled, self._id)
        self._outcome.result = result
        return plain(result)

    def _single(self, call: ByNumber, *, wait: bool) -> Any:
        name, single = call.operation.name, SINGLES[call.operation.name]
        call = self._with_algorithm(call, single.given)
        given = single.given(call)
        self._outcome.given = given
        app, settled = self._visitor.permitted(name, given)
        self._outcome.keys = _settled(settled)
        special = single.special(call)
        try:
            if special is not None:
                if not wait:
                    return _NOT_NOW
                check_tokens(app, settled)
                with request_of(self._id, dry_run=False):
                    return special(app, settled, call)
            app.singles.request_id = self._id
            result = OPERATIONS[name].at_once(app, settled)
            if result is None:
                if not wait:
                    return _NOT_NOW
                result = OPERATIONS[name].answer(app, settled, self._id)
        except single.refusal as no:
            self._outcome.error = no
            return False
        self._outcome.result = result
        return single.body(result)

    def _with_algorithm(
        self, call: ByNumber, given: Callable[[ByNumber], dict[str, Any]]
    ) -> ByNumber:
        """The request with its algorithm; that there is none is told to those who may use the key.

        Policies ask for the algorithm, so it must be known before they are asked.
        """
        try:
            return with_algorithm(self._visitor.app, call)
        except KmsError:
            self._outcome.given = given(call)
            self._visitor.permitted(call.operation.name, self._outcome.given)
            raise

    def _batch(self, call: ByNumber) -> Any:
        name, outcome = call.operation.name, self._outcome
        outcome.records = outcome.failed = _records(call)
        call = self._with_algorithm(call, given_of)
        given = given_of(call)
        outcome.given = given
        visitor = self._visitor
        app, settled = visitor.app, cast("Given", given)
        if not names_its_keys(call):
            app, settled = visitor.permitted(name, given)
        check_tokens(app, settled)
        batch = Batch(app, settled, call, visitor.permitted, self._door.threads)
        try:
            with request_of(self._id, dry_run=False):
                done = BATCHES[name](batch)
        finally:
            outcome.keys = batch.keys
        outcome.failed = len(done.errors) + done.refused
        errors = [_item(i, done.errors[i]) for i in sorted(done.errors)]
        return [done.values, errors or None]

    def _record(self) -> None:
        recording = self._door.recording
        if recording is not None:
            visitor = self._visitor
            recording.record(self._outcome, visitor.home, visitor.event_caller(), self._id)

    def _note(self, error: Exception) -> None:
        """To the log what the client is not told: our own errors say what to do."""
        if worded(error)[0] == INTERNAL:
            trace = None if isinstance(error, KmsError) else error
            _LOG.error("request %s failed: %s", self._id, error, exc_info=trace)


_NOT_NOW: Final = object()


def _kind(call: ByNumber) -> tuple[Any, ...]:
    """What of a request decides which rows of the store it needs."""
    blob = call.payload if call.operation.name in {"Decrypt", "ReEncrypt"} else b""
    start = blob[:_HEADER] if isinstance(blob, bytes) else b""
    options = call.options
    return call.number, call.key, start, options.algorithm, options.digest


def _settled(given: Mapping[str, Any]) -> tuple[str, ...]:
    """ARNs of keys for which a request was permitted."""
    found = (given.get(name, "") for name in ("SourceKeyId", "KeyId", "DestinationKeyId"))
    return tuple(each for each in found if each.startswith("arn:") and ":key/" in each)


def _records(call: ByNumber) -> int:
    """How many records a batch has."""
    first = call.payload[0] if isinstance(call.payload, tuple) else call.payload
    return first if isinstance(first, int) else int(first.num)


def _item(index: int, error: KmsError) -> list[Any]:
    code, message = worded(error)
    return [index, code, code in RETRYABLE, message]
