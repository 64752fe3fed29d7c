"""A door: one caller's way to the operations of one region and account.

The order of one call: what earlier calls owe the log, permission, the operation, its event, and
only then its result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from uuid import uuid4

from kmsfast.audit.event import Caller, Event, Form
from kmsfast.audit.frames import pack
from kmsfast.audit.recorder import Recorder
from kmsfast.doors.tally import Entry, Tally
from kmsfast.doors.withheld import withhold
from kmsfast.errors import AccessDenied, BatchError, KmsError, ValidationError
from kmsfast.model.key import format_key_id
from kmsfast.service.telling import telling
from kmsfast.service.usage import request_of

if TYPE_CHECKING:
    from kmsfast.app import Application
    from kmsfast.doors.visitor import Visitor
    from kmsfast.model.policy_principal import Principal

__all__ = ["AUDIT_MODES", "Call", "Door", "Outcome", "Request", "checked_mode", "fine"]

AUDIT_MODES: Final = ("on", "off", "strict")
_HEADER_LEN: Final = 24
_MOST_FORMS: Final = 256
_INTERNAL: Final = KmsError.code
_NAMING: Final = ("KeyId", "TargetKeyId", "CiphertextBlob", "GrantToken")
_untold: Final = Entry(None)
# Of requests of this process: a random UUID's first four parts, and a number for the last.
_process = str(uuid4())[:-12]
_number: Final = count(1)
_nothing: Final[AbstractContextManager[None]] = nullcontext()

T = TypeVar("T")


def _rename() -> None:
    """In a child of a fork, whose requests are others."""
    global _process  # noqa: PLW0603 - it is that of the process
    _process = str(uuid4())[:-12]


os.register_at_fork(after_in_child=_rename)


class Outcome(NamedTuple):
    """What came of an operation that returned.

    Attributes:
        response: what an event keeps of it: names of what was made.
        failed: of a batch, how many of its records.
        error: of the first of them.
        keys: ARNs of those that were made.
    """

    response: Mapping[str, Any] = {}
    failed: int = 0
    error: KmsError | None = None
    keys: tuple[str, ...] = ()


@dataclass(slots=True)
class Request:
    """One operation that is asked for.

    Attributes:
        operation: as AWS names it.
        given: its members by their AWS names, as they are recorded and asked for by policies.
        hidden: members that policies need and no event has.
        keys: ARNs of the keys that are known beforehand.
        records: of a batch.
        opens: whether the keys are those that the ciphertexts of a batch name.
        name: what tells it from others, if like uses may be counted; see :mod:`.tally`.
        is_secret: what is made is wiped when it may not be handed out.
        service: ``kms``, or that of an operation which only the owner has.
    """

    operation: str
    given: Mapping[str, Any]
    hidden: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    records: int = 1
    opens: bool = False
    name: Hashable = None
    is_secret: bool = False
    service: str = "kms"


class Call:
    """A request on its way.

    Attributes:
        afterwards: done when the event is written: what the next calls need may be remembered; it
            is given what counts them.
    """

    __slots__ = ("afterwards", "heard", "id")

    def __init__(self) -> None:
        self.id = f"{_process}{next(_number):012x}"
        self.heard: dict[str, None] = {}
        self.afterwards: Callable[[Entry], object] | None = None


FINE: Final = Outcome()


def fine(_made: Any) -> Outcome:
    """That nothing has to be said of what was made."""
    return FINE


def checked_mode(audit: str) -> str:
    """The word, when it says whether a door records.

    Raises:
        ValidationError: it does not.
    """
    if audit not in AUDIT_MODES:
        raise ValidationError(f"audit is one of {', '.join(AUDIT_MODES)}, not {audit!r}")
    return audit


class Door:
    """Lets a visitor do operations.

    Attributes:
        is_open: nothing is asked and nothing is recorded.

    Args:
        recorder: of events; None: nobody records.
        counts: whether like uses of a key are counted, rather than recorded one by one.
    """

    def __init__(
        self, app: Application, visitor: Visitor, recorder: Recorder | None, *, counts: bool = True
    ) -> None:
        self.app, self.visitor = app, visitor
        self._recorder, self._counts = recorder, counts
        self.is_open = recorder is None and not visitor.is_named
        ring = app.ring
        self._clock = ring.clock
        self._tally = None
        if recorder is not None and counts:
            self._tally = Tally(ring.usage, recorder.record, ring.clock)
        self._beside: dict[Application, Door] = {app: self}
        self._forms: dict[tuple[Any, ...], tuple[Caller, Form]] = {}

    def at(self, app: Application) -> Door:
        """The same visitor's door to another region or account."""
        found = self._beside.get(app)
        if found is None:
            made = Door(app, self.visitor, self._recorder, counts=self._counts)
            made._beside = self._beside
            found = self._beside.setdefault(app, made)
        return found

    def call(
        self,
        request: Request,
        work: Callable[[Call], T],
        outcome: Callable[[T], Outcome] = fine,
    ) -> T:
        """Does an operation.

        Raises:
            AccessDenied, CiphertextOfUnknownKey: the visitor may not do it. AuditUnusable: its
                event could not be written. And what it raises itself.
        """
        self.app.ring.check_open()
        call, tally = Call(), self._tally
        told = None
        if self._recorder is not None:
            self._recorder.open()
            if tally is not None:
                tally.settle()
                if request.name is not None:
                    told = tally.find(request.name)
        try:
            self.permit(request)
            named = _nothing if self._recorder is None else request_of(call.id, dry_run=False)
            with named, self._hearing(request, call):
                made = work(call)
        except BaseException as error:
            self._record_failure(request, call, error)
            raise
        if told is not None:
            told.tick()
        else:
            told = self._recorded(request, call, made, outcome)
        if call.afterwards is not None and told is not None and self._lasts(request):
            call.afterwards(told)
        return made

    def permit(self, request: Request) -> None:
        """Passes when the visitor may ask for this.

        Raises:
            As :func:`kmsfast.operations.permissions.permitted`.
        """
        who = self.visitor.principal
        if who is None:
            return
        asked = {**request.given, **request.hidden}
        foreign = who.account != self.app.store.home.account
        if request.service != "kms" or (foreign and not any(name in asked for name in _NAMING)):
            raise AccessDenied(
                f"User: {who.arn} is not authorized to perform: "
                f"{request.service}:{request.operation} on resource: *"
            )
        if not request.opens:
            self._ask(who, request.operation, asked)

    def look(self, operation: str, key_arn: str) -> None:
        """Passes when the visitor may see of a key what an operation would tell."""
        who = self.visitor.principal
        if who is not None:
            self._ask(who, operation, {"KeyId": key_arn})

    # ---- permission -------------------------------------------------------------------------

    def _ask(self, who: Principal, operation: str, given: Mapping[str, Any]) -> None:
        from kmsfast.operations.permissions import permitted

        permitted(self.app, who, operation, given, {})

    def _hearing(self, request: Request, call: Call) -> AbstractContextManager[None]:
        """Has the keys noted that ciphertexts of a batch name, and decides about each of them."""
        if not request.opens:
            return _nothing
        who = self.visitor.principal

        def hear(start: bytes) -> None:
            arn = self._arn_of(start)
            if arn is not None:
                call.heard[arn] = None
            if who is not None:
                given = {**request.given, "CiphertextBlob": start}
                if request.operation == "ReEncrypt":
                    given["DestinationKeyId"] = arn or self._would_be(start)
                    given["DestinationEncryptionContext"] = given.get("SourceEncryptionContext")
                self._ask(who, request.operation, given)

        return telling(hear)

    def _lasts(self, request: Request) -> bool:
        """Whether what was decided holds until something changes, and not by the clock alone."""
        who = self.visitor.principal
        if who is None:
            return True
        arn = self._keys(request, Call())
        if not arn:
            return False
        key = self.app.ring.find(arn[0])
        return self.app.authorizer.lasts(who, request.operation, key)

    # ---- events -----------------------------------------------------------------------------

    def _recorded(
        self, request: Request, call: Call, made: T, outcome: Callable[[T], Outcome]
    ) -> Entry | None:
        """Writes the event; gives what counts like uses from now on, if that can be done."""
        if self._recorder is None:
            return _untold
        found = outcome(made)
        try:
            if request.name is None and found is FINE:
                self._record_like(self._recorder, request, call)
                return None
            event = self._event(request, call, found)
            self._recorder.record(event)
        except BaseException:
            if request.is_secret:
                withhold(made)
            raise
        if self._tally is None or request.name is None:
            return None
        return self._tally.begin(request.name, event)

    def _record_like(self, recorder: Recorder, request: Request, call: Call) -> None:
        """The event of what succeeded and answers nothing; most of it is as in earlier ones."""
        keys, caller = self._keys(request, call), self.visitor.caller(self.app.store.home)
        name = (request.operation, request.records, keys)
        known = self._forms.get(name)
        if known is None or known[0] is not caller:
            event = self._event(request, call, FINE)
            if not recorder.waits_for(request.operation):
                if len(self._forms) >= _MOST_FORMS:
                    self._forms = {}
                self._forms[name] = caller, Form(event)
            recorder.record(event)
            return
        body = known[1].pack(int(self._clock() * 1_000_000), pack(request.given), call.id)
        if not recorder.record_packed(body):
            recorder.record(self._event(request, call, FINE))

    def _record_failure(self, request: Request, call: Call, error: BaseException) -> None:
        if self._recorder is None:
            return
        known = error if isinstance(error, KmsError) else None
        failed = 0
        if isinstance(error, BatchError):
            failed, known = len(error.errors), error.errors[min(error.errors)]
        event = self._event(request, call, Outcome({}, failed, known or KmsError()))
        try:
            self._recorder.record(event)
        except BaseException:
            if isinstance(error, BatchError) and request.is_secret:
                withhold(error.values)
            raise

    def _event(self, request: Request, call: Call, found: Outcome) -> Event:
        home, error = self.app.store.home, found.error
        code = "" if error is None else error.code
        return Event(
            int(self._clock() * 1_000_000),
            request.operation,
            home.region,
            (*self._keys(request, call), *found.keys),
            self.visitor.caller(home),
            code,
            "" if error is None or code == _INTERNAL else error.message,
            request.given,
            found.response,
            request.records,
            found.failed,
            not Recorder.is_change(request.operation),
            call.id,
        )

    def _keys(self, request: Request, call: Call) -> tuple[str, ...]:
        blob = request.hidden.get("CiphertextBlob")
        of_blob = None if blob is None else self._arn_of(blob)
        if of_blob is None or of_blob in request.keys:
            return request.keys + tuple(call.heard)
        return (of_blob, *request.keys, *call.heard)

    def _arn_of(self, start: bytes) -> str | None:
        """The ARN of the key that a blob names; None: there is none."""
        if len(start) < _HEADER_LEN:
            return None
        with suppress(KmsError):
            return self.app.ring.key(bytes(start[4:20])).arn
        return None

    def _would_be(self, start: bytes) -> str:
        return format_key_id(bytes(start[4:20]), bool(start[3] & 1))
