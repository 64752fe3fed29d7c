"""Output files that appear complete or not at all.

Rules:
- bytes go to a file without a name (Linux ``O_TMPFILE``) that gets its name when everything is
  written, so that even a killed process leaves nothing; elsewhere to a hidden file beside the
  target, removed on any error. A file that replaces another has a hidden name between link and
  rename, since no system call puts an unnamed file in the place of a named one;
- an existing file is replaced only when asked, in one step (rename), after its successor is synced;
- what is private is so from its first byte on, whatever the mode of the file that it replaces was;
- devices and pipes (``/dev/null``, ``/dev/fd/63``) have no rename and are written to directly.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from kmsfast.errors import KmsError, ValidationError

__all__ = ["OutputExists", "OutputFile", "checked_target"]

#: What ``O_TMPFILE`` says where the kernel or the file system does not know it.
_NO_TMPFILE = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}


class OutputExists(KmsError, FileExistsError):
    """A file of that name is there and nobody said that it may be replaced."""


def checked_target(path: str | os.PathLike[str], *, replace: bool) -> Path:
    """The file that a path leads to, symbolic links followed, when it may be written.

    Raises:
        OutputExists: it is there and `replace` is False.
        ValidationError: it is a directory.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir() or os.fspath(path).endswith(os.sep):
        raise ValidationError(f"{target} is a directory; name a file in it")
    if target.exists() and not _is_direct(target) and not replace:
        raise _taken(target)
    return target


class OutputFile:
    """Context manager: a binary file object that becomes `path` when the block ends without error.

    Args:
        path: the target; a symbolic link is followed.
        replace: whether a file that is there already may be replaced; its mode stays.
        private: the file is for its owner alone (mode 0600), and so is one that replaces another.

    Raises:
        OutputExists: the target exists and `replace` is False.
        ValidationError: the target is a directory.
        OSError: the directory is missing or read-only, or the disk is full.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, replace: bool = False, private: bool = False
    ) -> None:
        self._target = checked_target(path, replace=replace)
        self._replace, self._private = replace, private
        self._hidden: Path | None = None
        self._direct = _is_direct(self._target)
        self._file = self._open()

    def __enter__(self) -> BinaryIO:
        return self._file

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._file.flush()
                if not self._direct:
                    self._publish()
        finally:
            self._discard()

    def _open(self) -> BinaryIO:
        if self._direct:
            return self._target.open("wb")
        try:
            return os.fdopen(self._nameless(), "wb")
        except OSError as error:
            if error.errno not in _NO_TMPFILE or not self._target.parent.is_dir():
                error.filename = str(self._target)
                raise
        self._hidden = self._hidden_name()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.fdopen(os.open(self._hidden, flags, self._mode), "wb")

    def _nameless(self) -> int:
        if not hasattr(os, "O_TMPFILE"):
            raise OSError(errno.EOPNOTSUPP, "no O_TMPFILE on this system")
        flags = os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC
        return os.open(self._target.parent, flags, self._mode)

    @property
    def _mode(self) -> int:
        return 0o600 if self._private else 0o666

    def _hidden_name(self) -> Path:
        return self._target.with_name(f".{self._target.name}.{secrets.token_hex(6)}.kmsfast-tmp")

    def _publish(self) -> None:
        """Gives the finished file its name, in one step."""
        if self._target.exists():
            if not self._replace:
                raise _taken(self._target)
            if not self._private:
                os.fchmod(self._file.fileno(), stat.S_IMODE(self._target.stat().st_mode))
            # The old file must not be lost to a power cut before the new one is on the disk.
            os.fsync(self._file.fileno())
        if self._hidden is None:
            if not self._replace:
                self._link(self._target)
                return
            self._hidden = self._hidden_name()
            self._link(self._hidden)
        self._file.close()  # network file systems report a full disk only here
        self._hidden.replace(self._target)
        self._hidden = None

    def _link(self, name: Path) -> None:
        directory = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # dst_dir_fd makes CPython use linkat(2), which alone follows the /proc link.
            os.link(f"/proc/self/fd/{self._file.fileno()}", name.name, dst_dir_fd=directory)
        except FileExistsError:
            raise _taken(self._target) from None
        finally:
            os.close(directory)

    def _discard(self) -> None:
        with suppress(OSError):  # a second report of the error that is being raised already
            self._file.close()
        if self._hidden is not None:
            self._hidden.unlink(missing_ok=True)
            self._hidden = None


def _is_direct(target: Path) -> bool:
    """Whether it is a device or a pipe, which is written to as it is."""
    return target.exists() and not target.is_file()


def _taken(target: Path) -> OutputExists:
    return OutputExists(f"{target} exists already; give --force to replace it")
