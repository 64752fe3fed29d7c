"""Sockets that systemd opened and hands over (sd_listen_fds(3)).

Rules:
- the descriptors are those of this process alone: LISTEN_PID says so; they are taken once, and
  what said so goes from the environment, so that no child believes it;
- their places, modes and owners are systemd's: nothing of them is changed or removed.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from kmsfast.errors import ValidationError
from kmsfast.server.unix_place import Place

__all__ = ["activated"]

_FIRST: Final = 3  # SD_LISTEN_FDS_START
_NAMES: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")


def activated(name: str | None, environment: MutableMapping[str, str] | None = None) -> Place:
    """The Unix socket that systemd listens on for this process.

    Args:
        name: its FileDescriptorName; None: the only one that there is.

    Raises:
        ValidationError: there is none, or several; or it is of another kind.
    """
    found = _handed_over(os.environ if environment is None else environment)
    chosen = [fd for fd, each in found if name in {None, each}]
    if len(chosen) != 1:
        names = ", ".join(sorted(each for _, each in found)) or "none at all"
        what = "a socket" if name is None else f"a socket {name!r}"
        raise ValidationError(
            f"systemd was to hand over {what}, and has handed over {names}: start the .socket "
            "unit, and name one of them with systemd:NAME"
        )
    listening = _checked(chosen[0])
    return Place(listening, str(listening.getsockname()))


def _handed_over(environment: MutableMapping[str, str]) -> list[tuple[int, str]]:
    """Descriptors and their names."""
    said = {each: environment.pop(each, "") for each in _NAMES}
    count = said["LISTEN_FDS"]
    if said["LISTEN_PID"] != str(os.getpid()) or not count.isdecimal():
        return []
    names = said["LISTEN_FDNAMES"].split(":") if said["LISTEN_FDNAMES"] else []
    padded = names + ["unknown"] * (int(count) - len(names))
    found = list(zip(range(_FIRST, _FIRST + int(count)), padded, strict=False))
    for descriptor, _ in found:
        os.set_inheritable(descriptor, False)
    return found


def _checked(descriptor: int) -> socket.socket:
    try:
        found = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ValidationError(
            f"descriptor {descriptor} is no socket: {os.strerror(error.errno or 0)}"
        ) from error
    listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if found.family != socket.AF_UNIX or found.type != socket.SOCK_STREAM or not listens:
        found.detach()
        raise ValidationError(
            f"descriptor {descriptor} is no Unix stream socket that listens: ListenStream= of the "
            ".socket unit is a path"
        )
    return found
