"""Who is at the other end of a Unix socket, as the kernel says: never what the peer says itself.

The process id that comes with it is not looked at (:mod:`kmsfast.model.peer`).
"""

from __future__ import annotations

import socket
import struct
from typing import Final

from kmsfast.server.socket_door import Peer

__all__ = ["peer_of"]

_CREDENTIALS: Final = struct.Struct("=iII")  # struct ucred of Linux: pid, uid, gid
_PEERGROUPS: Final = 59  # SO_PEERGROUPS of asm-generic/socket.h, since Linux 4.13
_MOST_GROUPS: Final = 256  # what fits into the longest option that Python asks for
_LOCAL: Final = 0  # SOL_LOCAL and LOCAL_PEERCRED of macOS (sys/un.h)
_LOCAL_PEERCRED: Final = 1
_XUCRED: Final = struct.Struct("=IIh2x16I")  # version, uid, number of groups, groups


def peer_of(connected: socket.socket) -> Peer:
    """The uid and groups that the peer had when it connected.

    Raises:
        OSError: the kernel does not say.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return peer_of_xucred(connected.getsockopt(_LOCAL, _LOCAL_PEERCRED, _XUCRED.size))
    raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, gid = _CREDENTIALS.unpack(raw)
    return Peer(uid, tuple(dict.fromkeys((gid, *_groups(connected)))))


def peer_of_xucred(raw: bytes) -> Peer:
    """The peer of a ``struct xucred``, whose first group is the effective one."""
    _, uid, count, *groups = _XUCRED.unpack(raw)
    return Peer(uid, tuple(groups[:count]))


def _groups(connected: socket.socket) -> tuple[int, ...]:
    """Supplementary groups; none where the kernel does not say, or there are more than it can."""
    try:
        raw = connected.getsockopt(socket.SOL_SOCKET, _PEERGROUPS, 4 * _MOST_GROUPS)
    except OSError:
        return ()
    return struct.unpack(f"={len(raw) // 4}I", raw)
