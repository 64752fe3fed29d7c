"""The place of a Unix socket in the file system: made, taken over, guarded, removed.

Rules:
- two servers never have one place: a lock file beside the socket is held as long as it is served;
- the socket of a server that is dead is replaced, one that somebody answers on never is, and what
  is no socket, or a symbolic link, is never touched;
- nobody can connect before owner and mode are what they shall be, and no moment has a wider mode.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsfast.errors import ValidationError

__all__ = ["Place", "UnixPlace", "claim"]

BACKLOG: Final = 1024
_LONGEST: Final = 107  # bytes of sun_path but its end


@dataclass(frozen=True, slots=True)
class UnixPlace:
    """Where a socket shall be.

    Attributes:
        mode: permissions of the socket: who may write to it may connect.
        group: that it shall belong to; None: the server's.
    """

    path: str
    mode: int = 0o600
    group: str | None = None

    def __post_init__(self) -> None:
        if not self.path or "\0" in self.path or len(os.fsencode(self.path)) > _LONGEST:
            raise ValidationError(
                f"{self.path!r} is no path of a socket; one has 1 to {_LONGEST} bytes"
            )
        if not 0 <= self.mode <= 0o777 or self.mode & 0o600 != 0o600:
            raise ValidationError(
                f"{self.mode:04o} is no mode of a socket: its owner reads and writes, as with 0600 "
                "or 0660"
            )


@dataclass(slots=True)
class Place:
    """A socket that listens, and its place as long as it is ours.

    Attributes:
        listening: the socket.
        lock: descriptor of the lock file; -1: the place is somebody else's to remove.
    """

    listening: socket.socket
    path: str
    lock: int = -1
    inode: int = 0

    def close(self) -> None:
        """Listens no more, and removes what was made."""
        self.listening.close()
        if self.lock < 0:
            return
        with suppress(OSError):
            if os.lstat(self.path).st_ino == self.inode:
                os.unlink(self.path)  # noqa: PTH108 - a path of the operating system
        with suppress(OSError):
            os.unlink(_lock_path(self.path))  # noqa: PTH108 - while it is locked
        os.close(self.lock)
        self.lock = -1


def claim(wanted: UnixPlace) -> Place:
    """A socket that listens at a place which nobody else has.

    Raises:
        ValidationError: a server is there, or something that is no socket; the directory can be
            written by everybody. OSError: the place cannot be written.
    """
    group = -1 if wanted.group is None else _group(wanted.group)
    _check_directory(Path(wanted.path).absolute().parent, wanted, group)
    lock = _locked(wanted.path)
    try:
        _remove_stale(wanted.path)
        listening = _bound(wanted, group)
    except BaseException:
        with suppress(OSError):
            os.unlink(_lock_path(wanted.path))  # noqa: PTH108 - while it is locked
        os.close(lock)
        raise
    return Place(listening, wanted.path, lock, os.lstat(wanted.path).st_ino)


def _lock_path(path: str) -> str:
    return f"{path}.lock"


def _group(name: str) -> int:
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ValidationError(f"there is no group {name!r} on this machine") from None


def _check_directory(directory: Path, wanted: UnixPlace, group: int) -> None:
    """Makes the directory if it is not there; refuses one in which others could change places."""
    if not directory.exists():
        mask = os.umask(0o027 if group >= 0 else 0o077)
        try:
            directory.mkdir(mode=0o750 if group >= 0 else 0o700)
        finally:
            os.umask(mask)
        if group >= 0:
            os.chown(directory, -1, group)
    found = directory.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise ValidationError(
            f"{str(directory)!r} is no directory; {wanted.path!r} cannot be in it"
        )
    if found.st_mode & 0o002 and not found.st_mode & stat.S_ISVTX:
        raise ValidationError(
            f"everybody can write to {str(directory)!r}, and so could put another socket into the "
            "place of this one: choose another directory, or 'chmod o-w' it"
        )


def _locked(path: str) -> int:
    """The lock file of a place, locked.

    Raises:
        ValidationError: another server has it.
    """
    name = _lock_path(path)
    while True:
        made = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(made, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(made).st_ino == os.lstat(name).st_ino:
                return made
        except BlockingIOError:
            os.close(made)
            raise _taken(path) from None
        except FileNotFoundError:
            pass  # whoever had it removed it meanwhile: another one is made
        except BaseException:
            os.close(made)
            raise
        os.close(made)


def _remove_stale(path: str) -> None:
    """Removes the socket of a server that is dead.

    Raises:
        ValidationError: it is none, or somebody listens.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ValidationError(f"{path!r} is there already, and is no socket; nothing was touched")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108 - a path of the operating system
            return
        except BlockingIOError:  # it has a queue, which is full
            pass
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), path) from error
    raise _taken(path)


def _bound(wanted: UnixPlace, group: int) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        mask = os.umask(0o777 & ~wanted.mode)
        try:
            made.bind(wanted.path)
        finally:
            os.umask(mask)
        if group >= 0:
            os.chown(wanted.path, -1, group, follow_symlinks=False)
        made.listen(BACKLOG)  # before this, whoever connects is refused
    except OSError as error:
        made.close()
        raise OSError(error.errno, os.strerror(error.errno or 0), wanted.path) from error
    return made


def _taken(path: str) -> ValidationError:
    return ValidationError(f"another server listens on {path!r}")
