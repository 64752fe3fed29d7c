"""What every door has in common: who comes by it, whether he may, and what is recorded of it.

Rules:
- a door lets an operation be done when its caller may do it, and hands out what came of it when its
  event is written; if the event cannot be, what was made is wiped, and AuditUnusable raised;
- the owner of the store is asked nothing, a named principal all that a request over HTTP is;
- single uses of a key that go by what is remembered are counted (:mod:`.tally`): one event before
  the first of them is handed out, and one with their number when a second is over;
- an event has names, numbers and encryption contexts; never plaintexts, ciphertexts or keys.
"""

from kmsfast.doors.door import AUDIT_MODES, Call, Door, Outcome, Request, checked_mode, fine
from kmsfast.doors.tally import Entry
from kmsfast.doors.visitor import Visitor

__all__ = [
    "AUDIT_MODES", "Call", "Door", "Entry", "Outcome", "Request", "Visitor", "checked_mode", "fine",
]  # fmt: skip
