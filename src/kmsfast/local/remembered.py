"""What the last call on one record needed, for the next one.

Rules:
- it holds a handle of a key version, bound to a context, and never key material;
- it is good while the store's epoch stands, the context is the same and no rotation is due;
- an operation is remembered when its event is written, and what goes by it is counted; so what
  makes MACs and what verifies them is remembered apart, and so with signatures;
- it is a tuple, replaced as a whole, so that threads may share the object that remembers it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from kmsfast.service.keyring import NEVER, Ready

__all__ = [
    "NOTHING_TO_CHECK", "NOTHING_TO_MAC", "NOTHING_TO_OPEN", "NOTHING_TO_SEAL", "NOTHING_TO_SIGN",
    "NOTHING_TO_VERIFY", "NOT_READY", "Checking", "Context", "Macking", "Opening", "Sealing",
    "Signing", "Verifying", "same",
]  # fmt: skip

Context = Mapping[str, str] | None
Tick = Callable[[], int]


class Sealing(NamedTuple):
    """What the next encryption of a key needs, if nothing changes until then.

    Attributes:
        epoch: of the store.
        due: when the key rotates (Unix time), or None.
        context: as the user gave it.
        binding: the current version, bound to the context; C counts what it encrypts
            (:mod:`kmsfast.doors.tally`).
    """

    epoch: int
    due: float | None
    context: dict[str, str] | None
    binding: Any


class Opening(NamedTuple):
    """What the next decryption needs, if its blob names the same key version as the last one."""

    epoch: int
    context: dict[str, str] | None
    binding: Any


class Macking(NamedTuple):
    """What the next MAC of an HMAC key needs.

    Attributes:
        make: gives the MAC of a message.
    """

    epoch: int
    make: Callable[[bytes], bytes]
    tick: Tick


class Checking(NamedTuple):
    """What the next verification of a MAC needs.

    Attributes:
        length: bytes of a MAC.
        check: raises InvalidMac unless it is given a message and its MAC.
    """

    epoch: int
    length: int
    check: Callable[[bytes, bytes], None]
    tick: Tick


class Signing(NamedTuple):
    """What the next signature of a key that C computes with needs.

    Attributes:
        said: algorithm, message type, encoding and whether deterministic, as the user gave them.
        lengths: that a message may have.
        sign: gives the signature of a message.
    """

    epoch: int
    said: tuple[object, ...]
    lengths: range
    sign: Callable[[bytes], bytes]
    tick: Tick


class Verifying(NamedTuple):
    """What the next verification of a signature by such a key needs.

    Attributes:
        said, lengths: as of :class:`Signing`.
        verify: whether a message and a signature belong together.
    """

    epoch: int
    said: tuple[object, ...]
    lengths: range
    verify: Callable[[bytes, bytes], bool]
    tick: Tick


def same(said: tuple[object, ...], known: tuple[object, ...]) -> bool:
    """Whether a call says what the last one said."""
    try:
        return said == known
    except ValueError:  # of an array in the place of a name: not the same, and refused later
        return False


NOT_READY: Final = Ready(NEVER, 0, None)
NOTHING_TO_SEAL: Final = Sealing(NEVER, None, None, None)
NOTHING_TO_OPEN: Final = Opening(NEVER, None, None)
NOTHING_TO_MAC: Final = Macking(NEVER, bytes, int)
NOTHING_TO_CHECK: Final = Checking(NEVER, 0, lambda _message, _mac: None, int)
NOTHING_TO_SIGN: Final = Signing(NEVER, (), range(0), bytes, int)
NOTHING_TO_VERIFY: Final = Verifying(NEVER, (), range(0), lambda _message, _signature: False, int)
