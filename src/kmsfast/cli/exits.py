"""Exit codes, and errors as one line on stderr.

Rules:
- each way to fail has a code of its own (docs/cli.md) and one line that begins with the program,
  says which input it is about (a note on the error), what was wrong, and what to do;
- a traceback appears only with KMSFAST_DEBUG=1;
- signals become exceptions, so that unfinished output is removed on the way out.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from types import FrameType
from typing import Any, Final

import click

from kmsfast import errors

__all__ = ["Code", "run"]


class Code(IntEnum):
    """What the program returns to the shell."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    NOT_OPENED = 3
    NOT_FOUND = 4
    STATE = 5
    FILE = 6
    STORE = 7
    DENIED = 8
    INTERRUPTED = 128 + signal.SIGINT
    PIPE_CLOSED = 128 + signal.SIGPIPE


#: The first class that an error is an instance of decides.
_CODES: Final[tuple[tuple[type[BaseException], Code], ...]] = (
    (click.UsageError, Code.USAGE),
    (click.Abort, Code.INTERRUPTED),
    (BrokenPipeError, Code.PIPE_CLOSED),
    (errors.BatchError, Code.NOT_OPENED),
    (errors.InvalidCiphertext, Code.NOT_OPENED),
    (errors.IncorrectKey, Code.NOT_OPENED),
    (errors.InvalidSignature, Code.NOT_OPENED),
    (errors.InvalidMac, Code.NOT_OPENED),
    (errors.StoreNotFound, Code.NOT_FOUND),
    (errors.KeyNotFound, Code.NOT_FOUND),
    (errors.PrincipalNotFound, Code.NOT_FOUND),
    (errors.PrincipalExists, Code.STATE),
    (errors.AccessDenied, Code.DENIED),
    (errors.CustomKeyStoreNotFound, Code.NOT_FOUND),
    (errors.KeyDisabled, Code.STATE),
    (errors.InvalidState, Code.STATE),
    (errors.AliasExists, Code.STATE),
    (errors.LimitExceeded, Code.STATE),
    (errors.CustomKeyStoreInvalidState, Code.STATE),
    (errors.CustomKeyStoreNameInUse, Code.STATE),
    (errors.CustomKeyStoreHasKeys, Code.STATE),
    (errors.ClusterInUse, Code.STATE),
    (errors.ClusterInvalidConfiguration, Code.STATE),
    (errors.ClusterNotActive, Code.STATE),
    (errors.ClusterNotFound, Code.NOT_FOUND),
    (errors.ClusterNotRelated, Code.STATE),
    (errors.XksProxyUriInUse, Code.STATE),
    (errors.XksProxyUriUnreachable, Code.STATE),
    (errors.XksProxyIncorrectCredential, Code.STATE),
    (errors.XksProxyInvalidResponse, Code.STATE),
    (errors.XksProxyInvalidConfiguration, Code.STATE),
    (errors.XksKeyAlreadyInUse, Code.STATE),
    (errors.XksKeyInvalidConfiguration, Code.STATE),
    (errors.XksKeyNotFound, Code.NOT_FOUND),
    (errors.StoreExists, Code.STORE),
    (errors.StoreUnusable, Code.STORE),
    (errors.StoreBusy, Code.STORE),
    (errors.StoreIntegrity, Code.STORE),
    (errors.RootKeyMissing, Code.STORE),
    (errors.RootKeyWrong, Code.STORE),
    (errors.ValidationError, Code.USAGE),
    (errors.InvalidKeyUsage, Code.USAGE),
    (errors.UnsupportedOperation, Code.USAGE),
    (errors.InvalidAliasName, Code.USAGE),
    (errors.NotAuthorized, Code.USAGE),
    (errors.InvalidArn, Code.USAGE),
    (errors.IncorrectTrustAnchor, Code.USAGE),
    (errors.InvalidGrantId, Code.USAGE),
    (errors.InvalidGrantToken, Code.USAGE),
    (errors.TagError, Code.USAGE),
    (errors.MalformedPolicyDocument, Code.USAGE),
    (errors.ProtocolError, Code.FILE),
    (OSError, Code.FILE),
    (click.FileError, Code.FILE),
)

#: What to do about errors whose own words, made for programs as well, do not say it.
_HINTS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (errors.InvalidKeyId, "a key is named by its id, ARN or alias/NAME: see 'kmsfast key list'"),
    (errors.GrantNotFound, "'kmsfast grant list KEY' shows the grants of a key"),
    (errors.KeyNotFound, "'kmsfast key list' shows the keys of this store"),
    (errors.PrincipalNotFound, "'kmsfast principal list' shows whom the store knows"),
    (errors.KeyDisabled, "'kmsfast key enable KEY' allows it again"),
    (
        errors.ProtocolError,
        "check that --socket (or KMSFAST_SOCKET) names the socket of a kmsfast of this version",
    ),
)

#: What to do about the errors of the operating system that users meet.
_REMEDIES: Final = {
    errno.EFBIG: "raise the limit of file sizes (ulimit -f) or write elsewhere with --output",
    errno.EBADF: "standard input or output was closed before the program started",
    errno.ENOSPC: "free some space or write elsewhere with --output",
    errno.EDQUOT: "free some of your quota or write elsewhere with --output",
    errno.EROFS: "write elsewhere with --output, or use another --store",
    errno.EACCES: "check the permissions of the file and of its directory",
    errno.EPERM: "check the permissions of the file and of its directory",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file",
    errno.EADDRINUSE: "another program listens there; end it, or listen on another port (--http; "
    "port 0 takes a free one)",
}


#: A group without a command; click before 8.2 prints the help by itself.
_HELP: Final[Any] = getattr(click.exceptions, "NoArgsIsHelpError", ())


class _Terminated(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(command: Callable[[], object]) -> int:
    """Runs a click command that was told not to exit by itself; returns the exit code."""
    _replace_closed_streams()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    stdout = sys.stdout
    try:
        result = command()
        sys.stdout.flush()
    except SystemExit as leaving:
        if sys.stdout is not stdout:  # click's way to swallow a broken pipe
            return _report(BrokenPipeError())
        return leaving.code if isinstance(leaving.code, int) else Code.OK
    except BaseException as error:
        if os.environ.get("KMSFAST_DEBUG") == "1":
            raise
        return _report(error)
    return result if isinstance(result, int) else Code.OK


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise _Terminated(number)


def _replace_closed_streams() -> None:
    """Standard streams that were closed fail on first use, and no file gets their numbers."""
    for name, number, mode, access in (
        ("stdin", 0, "r", os.O_WRONLY),
        ("stdout", 1, "w", os.O_RDONLY),
        ("stderr", 2, "w", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, access)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, mode))


def _report(error: BaseException) -> int:
    """Says on stderr what went wrong and returns the exit code for it."""
    with suppress(OSError):  # a closed or full stdout: the error being reported is said on stderr
        sys.stdout.flush()
    # The interpreter flushes stdout once more at exit, which would fail aloud if this did.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if isinstance(error, BrokenPipeError):
        return Code.PIPE_CLOSED
    if isinstance(error, _HELP):
        click.echo(error.format_message(), err=True)  # the list of commands, as it is
        return Code.USAGE
    # One line, and no control characters of file names or cells reach the terminal.
    line = " ".join(_message(error).split())
    line = "".join(char if char.isprintable() else "?" for char in line)
    click.echo(f"kmsfast: {line}", err=True)
    if isinstance(error, _Terminated):
        return 128 + error.number
    deciding = _deciding(error)
    return next((code for kind, code in _CODES if isinstance(deciding, kind)), Code.UNEXPECTED)


def _deciding(error: BaseException) -> BaseException:
    """The error of the record, where one of a table failed: its key may be disabled, say."""
    cause = error.__cause__
    record = isinstance(error, errors.InvalidCiphertext) and isinstance(cause, errors.KmsError)
    return cause if record and cause is not None else error


def _message(error: BaseException) -> str:
    """The error in words: the input, what was wrong, what to do."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            message = words(error)
            break
    else:
        return f"unexpected {type(error).__name__}: {error} (KMSFAST_DEBUG=1 shows where)"
    for note in getattr(error, "__notes__", ()):
        if note not in message:
            message = f"{note}: {message}"
    return message


def _kms(error: BaseException) -> str:
    """An error of kmsfast, with a hint if there is one."""
    deciding = _deciding(error)
    hint = next((words for kind, words in _HINTS if isinstance(deciding, kind)), None)
    return str(error) if hint is None else f"{str(error).rstrip('.')}; {hint}"


def _usage(error: Any) -> str:
    message: str = error.format_message()
    return f"{message} (see '{error.ctx.command_path} --help')" if error.ctx else message


def _system(error: OSError) -> str:
    """An error of the operating system: file, reason, remedy."""
    if error.errno is None:
        return str(error)
    name = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
    remedy = _REMEDIES.get(error.errno)
    return f"{name}{os.strerror(error.errno)}" + (f"; {remedy}" if remedy else "")


#: The first class that an error is an instance of decides.
_WORDS: Final[tuple[tuple[type[BaseException], Callable[[Any], str]], ...]] = (
    (click.UsageError, _usage),
    (click.Abort, lambda _: "interrupted"),
    (_Terminated, lambda error: f"ended by {signal.Signals(error.number).name}"),
    (click.ClickException, lambda error: str(error.format_message())),
    (errors.KmsError, _kms),
    (OSError, _system),
    (MemoryError, lambda _: "out of memory"),
)
