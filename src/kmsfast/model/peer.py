"""Users and groups of the operating system that are principals of the store.

Rules:
- who connects by a socket is known by its uid and gids, as the kernel says them (SO_PEERCRED); a
  process id is never looked at, for it may be that of another process by now;
- a uid goes before a gid; of several gids that are mapped to different principals none counts, for
  which of them is meant nobody can say;
- 65534 stands for ids that a user namespace does not have (``overflowuid``): it is never mapped and
  never grants, and neither is -1, which stands for no id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from kmsfast.errors import ValidationError

__all__ = ["PeerKind", "checked_peer", "principal_of_peer"]

OVERFLOW: Final = 65_534
_END: Final = (1 << 32) - 1  # -1 as a uid_t


class PeerKind(StrEnum):
    """What is mapped."""

    UID = "uid"
    GID = "gid"


def checked_peer(kind: PeerKind, number: int) -> tuple[PeerKind, int]:
    """The uid or gid, when it can be mapped.

    Raises:
        ValidationError: out of range, or one that stands for ids that are not known.
    """
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _END:
        raise ValidationError(f"{number!r} is no {kind}; one is 0 to {_END - 1}")
    if number == OVERFLOW:
        raise ValidationError(
            f"{kind} {OVERFLOW} stands for every id that a user namespace does not have; it cannot "
            "be a principal"
        )
    return kind, number


def principal_of_peer(
    peers: Mapping[tuple[PeerKind, int], str], uid: int, gids: Iterable[int]
) -> str | None:
    """The ARN of the principal that a peer is, or None: then it is nobody.

    Args:
        peers: what is mapped.
        gids: all groups of the peer.
    """
    if not _is_known(uid):
        return None  # a group of a process whose user is not known says nothing of it
    mapped = peers.get((PeerKind.UID, uid))
    if mapped is not None:
        return mapped
    found = {peers.get((PeerKind.GID, gid)) for gid in gids if _is_known(gid)} - {None}
    return found.pop() if len(found) == 1 else None


def _is_known(number: int) -> bool:
    return 0 <= number < _END and number != OVERFLOW
