"""What the reactor in C may answer by itself: tickets, made of requests that the long way answered.

Rules:
- a ticket stands for a decision that is the same for every request of its caller, action and key:
  one that depends on a context, an alias or a date makes none;
- everything in it was looked up after its epoch was read, and it holds while that stands: a key
  that is disabled, rotated or deleted, a changed policy, a revoked grant or a principal that is
  somebody else makes it void for the next request;
- a key whose material can expire, is elsewhere, or is not computed with in C makes none;
- where every record is to be on the disk before its answer leaves, there are none at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from kmsfast.app import Application
from kmsfast.audit.frames import pack
from kmsfast.crypto import counters, spki
from kmsfast.crypto.reactor import NEVER as ALWAYS
from kmsfast.crypto.reactor import SLOTS, Reactor, Ticket
from kmsfast.errors import KmsError
from kmsfast.model.key import KeyMetadata
from kmsfast.operations.names import any_name
from kmsfast.operations.numbered import with_algorithm
from kmsfast.server.socket_door import Visitor
from kmsfast.server.socket_metering import DOOR
from kmsfast.service.keyring import NEVER
from kmsfast.service.material import in_c
from kmsfast.wire.socket_columns import Column
from kmsfast.wire.socket_requests import ByNumber

__all__ = ["Tickets"]

_HEADER: Final = 24  # bytes of a blob that name its key version
_MOST_HEADERS: Final = 16  # of one batch
_MOST_CALLERS: Final = 1 << 16
_LONGEST_SINGLE: Final = 4096  # bytes of a message that comes alone
_ANY: Final = 1 << 40


class _Facts(NamedTuple):
    """What C needs of a key for a request.

    Attributes:
        fact: that the request has beside the name of its key.
    """

    handle: int = 0
    due: int = ALWAYS
    public: bytes = bytes(64)
    mac_len: int = 0
    max_record: int = _ANY
    fact: bytes = b""


class Tickets:
    """Issues tickets of one reactor, and learns from it which were used.

    Args:
        recorded: events are written of what they answer.
    """

    def __init__(self, reactor: Reactor, *, recorded: bool) -> None:
        self._reactor, self._recorded = reactor, recorded
        self._callers: dict[tuple[Any, ...], int] = {}
        self._slots: dict[tuple[str, str], int] = {}
        self._uses: list[tuple[Application, str, str] | None] = [None]  # by slot; 0: of no key
        self._lock = threading.Lock()

    def number_of(self, visitor: Visitor) -> int:
        """The number of a visitor's tickets, whose events are all of the same caller; 0: none."""
        name = visitor.home, visitor.event_caller()
        with self._lock:
            if name not in self._callers and len(self._callers) < _MOST_CALLERS:
                self._callers[name] = len(self._callers) + 1
            return self._callers.get(name, 0)

    def issue(self, visitor: Visitor, sent: ByNumber) -> None:
        """Makes tickets for requests like one that was just answered, if that can be."""
        making = _MAKING.get(sent.operation.name)
        number = self.number_of(visitor)
        if making is None or not number:
            return
        with suppress(KmsError):  # something has changed meanwhile: the next request says what
            self._issue(visitor, sent, number, making)

    def note_uses(self) -> None:
        """Records the uses of keys since this was last called."""
        with self._lock:
            last = self._reactor.used()
            used = [(self._uses[slot], name) for slot, name in last if slot < len(self._uses)]
        for each, request_id in used:
            if each is not None:
                app, arn, operation = each
                app.ring.usage.note(arn, operation, request_id)

    # ---- within -----------------------------------------------------------------------------

    def _issue(self, visitor: Visitor, sent: ByNumber, number: int, making: _Making) -> None:
        app = visitor.app
        epoch = app.ring.settled()  # before anything is looked up
        if epoch == NEVER:
            return
        named = None if sent.key is None else any_name(app, sent.key)
        for key, facts in making(app, named, sent, epoch):
            if not self._is_settled(visitor, sent.operation.name, key, epoch):
                continue
            slot = self._slot(app, key, sent.operation.name)
            if slot is None:
                continue
            members = _members(app, sent)
            self._reactor.put(
                number,
                sent.number,
                (sent.key or "").encode(),
                facts.fact,
                Ticket(
                    facts.handle,
                    epoch,
                    facts.due,
                    facts.max_record,
                    facts.public,
                    facts.mac_len,
                    slot,
                    self._recorded,
                    _event(visitor, sent.operation.name, key),
                    b"".join(pack(each) for pair in members.items() for each in pair),
                    len(members),
                    timer=counters.timer(DOOR, sent.operation.name),
                ),
            )

    @staticmethod
    def _is_settled(visitor: Visitor, action: str, key: KeyMetadata | None, epoch: int) -> bool:
        """Whether every such request is allowed while the epoch stands."""
        caller = visitor.caller()
        if caller is None:
            return True
        return visitor.app.authorizer.lasting(caller, action, key) == epoch

    def _slot(self, app: Application, key: KeyMetadata | None, operation: str) -> int | None:
        """Where uses are noted; None: there is no more room."""
        if key is None:
            return 0
        name = key.arn, operation
        with self._lock:
            found = self._slots.get(name)
            if found is None and len(self._uses) < SLOTS:
                found = self._slots[name] = len(self._uses)
                self._uses.append((app, key.arn, operation))
        return found


def _event(visitor: Visitor, operation: str, key: KeyMetadata | None) -> bytes:
    """The members of an event from its name to its message, which is empty."""
    keys = () if key is None else (key.arn,)
    values = operation, visitor.home.region, keys, visitor.event_caller(), "", ""
    return b"".join(map(pack, values))


def _members(app: Application, sent: ByNumber) -> dict[str, str]:
    """The members of a request that its event has beside those that C adds."""
    found = {} if sent.key is None else {"KeyId": sent.key}
    member = _ALGORITHMS.get(sent.operation.name)
    if member is not None:
        found[member] = with_algorithm(app, sent).options.algorithm or ""
    return found


_ALGORITHMS: Final[Mapping[str, str]] = {
    "Sign": "SigningAlgorithm",
    "Verify": "SigningAlgorithm",
    "GenerateMac": "MacAlgorithm",
    "VerifyMac": "MacAlgorithm",
}

# ---- of each kind -------------------------------------------------------------------------------

_Made = list[tuple[KeyMetadata | None, _Facts]]
_Making = Callable[[Application, KeyMetadata | None, ByNumber, int], _Made]


def _sealing(app: Application, key: KeyMetadata | None, sent: ByNumber, epoch: int) -> _Made:
    if key is None:
        return []
    ready = app.ring.ready(key.raw_id, sent.operation.name)
    if ready.epoch != epoch:
        return []
    due = ALWAYS if ready.rotation_due is None else int(ready.rotation_due * 1_000_000)
    return [(key, _Facts(ready.handle, due))]


def _opening(app: Application, key: KeyMetadata | None, sent: ByNumber, epoch: int) -> _Made:
    """For each key version that the blobs name and that has opened some."""
    del epoch  # of it is what the ring has
    made: _Made = []
    for header in _headers(sent.payload):
        handle = app.ring.opener(header)
        if handle is None or (key is not None and key.raw_id != header[4:20]):
            continue
        found = key or app.ring.key(header[4:20], multi_region=bool(header[3] & 1))
        made.append((found, _Facts(handle, fact=header)))
    return made


def _signing(app: Application, key: KeyMetadata | None, sent: ByNumber, epoch: int) -> _Made:
    if key is None or not in_c(key.spec) or app.ring.lasting(epoch, key) != epoch:
        return []
    handle = app.ring.with_version(key, int)
    public = spki.to_point(key.public_key or b"")
    return [(key, _with_fact(_Facts(handle, public=public), sent))]


def _macking(app: Application, key: KeyMetadata | None, sent: ByNumber, epoch: int) -> _Made:
    if key is None or app.ring.lasting(epoch, key) != epoch:
        return []
    handle = app.ring.with_version(key, int)
    length = int(key.spec.removeprefix("HMAC_")) // 8
    return [(key, _with_fact(_Facts(handle, mac_len=length), sent))]


def _random(app: Application, key: KeyMetadata | None, sent: ByNumber, epoch: int) -> _Made:
    del app, key, sent, epoch
    return [(None, _Facts())]


def _with_fact(facts: _Facts, sent: ByNumber) -> _Facts:
    longest = _ANY if sent.operation.many else _LONGEST_SINGLE
    fact = (sent.options.algorithm or "").encode()
    return facts._replace(max_record=longest, fact=fact)


def _headers(payload: Any) -> list[bytes]:
    """The distinct key versions that blobs name, as far as they are many."""
    if not isinstance(payload, Column):
        return [payload[:_HEADER]]
    values = payload.values
    if isinstance(values, list):
        found = {each[:_HEADER] for each in values}
    elif isinstance(values, tuple):
        data, offsets = values
        found = {data[a : a + _HEADER].tobytes() for a in offsets[:-1].tolist()}
    else:
        found = {row.tobytes() for row in values[:, :_HEADER]}
    return [each for each in found if len(each) == _HEADER][:_MOST_HEADERS]


_MAKING: Final[Mapping[str, _Making]] = {
    "Encrypt": _sealing,
    "Decrypt": _opening,
    "GenerateDataKey": _sealing,
    "GenerateDataKeyWithoutPlaintext": _sealing,
    "Sign": _signing,
    "Verify": _signing,
    "GenerateMac": _macking,
    "VerifyMac": _macking,
    "GenerateRandom": _random,
}
"""By the names that :data:`kmsfast.wire.socket_operations.NUMBERS` gives operations."""
