"""The audit log of a store, open for appending by any number of processes.

Rules:
- when :meth:`AuditLog.append` returns, the record is with the kernel: it survives ``kill -9``. With
  ``sync`` it is on the disk. When it raises, the record is not there, and the caller must not hand
  out what the record would have been about;
- what was not synced is synced within 100 ms, by a thread; then the mark moves (:mod:`.ends`), and
  once a second a checkpoint is signed;
- a record that a dying process left unfinished is cut off by the next one that appends, which
  notes it in the log. Nothing else is ever taken from the end;
- whatever is unauthenticated may be anything: where the log is to be found, and what must be in it,
  is what the mark says;
- a segment that is full is closed with a checkpoint and a mark before the next one begins, which is
  one of the log when the mark is in it, behind its header. Until then it is a file that goes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kmsfast.audit.ends import EndFile, Mark
from kmsfast.audit.frames import (
    MAGIC,
    NO_CHAIN,
    Checkpoint,
    Header,
    Kind,
    Note,
    checkpoint_message,
    pack,
    record,
    segment_name,
)
from kmsfast.audit.segments import (
    create_segment,
    last_chain,
    open_segment,
    read_header,
    segments,
    sync_directory,
    whole_end,
)
from kmsfast.audit.signer import Signer
from kmsfast.crypto.keys import StoreKey
from kmsfast.crypto.log import MAX_BODY, MAX_RECORDS, Append, Segment, append
from kmsfast.errors import AuditUnusable, KmsError, StoreForked

__all__ = ["SEGMENT_BYTES", "AuditLog"]

SEGMENT_BYTES: Final = 64 << 20
_ROOM_FOR_CHECKPOINT: Final = 256
_SYNC_WITHIN: Final = 0.05  # s; half of what is promised
_CHECKPOINT_EVERY: Final = 1.0
_TRIES: Final = 16
_DONE: Final = int(Append.DONE)
_START: Final = len(MAGIC)
END, SIGNER = "end", "signer"


class AuditLog:
    """The log in a directory, made when it is not there.

    Args:
        directory: its parent is there.
        store_key: authenticates the mark, wraps the key that signs.
        store_id: 16 bytes.
        clock: Unix time in seconds.
        segment_bytes: a segment ends before it is longer.

    Raises:
        AuditUnusable: it was cut or changed from outside, or cannot be written.
    """

    def __init__(
        self,
        directory: Path,
        store_key: StoreKey,
        store_id: bytes,
        *,
        clock: Callable[[], float] = time.time,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.directory, self._store_id, self._clock = directory, store_id, clock
        self._max_offset = segment_bytes - _ROOM_FOR_CHECKPOINT
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._fd, self._segment = -1, 0
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._syncer: threading.Thread | None = None
        self._last_checkpoint, self._signed_num = 0.0, 0
        self._failure: OSError | None = None
        try:
            self._file, self._signer = _opened(directory, store_key)
            self.end = self._file.end
            with self.end.locked():
                self._settle()
        except OSError as error:
            raise _unwritable(directory, error) from error

    @property
    def public_key(self) -> bytes:
        """That checks the checkpoints, x || y of P-256, 64 bytes."""
        return self._signer.public_key

    @property
    def segment(self) -> Segment:
        """The file that takes records, as far as this process knows, for what appends in C."""
        return self._file_now

    @property
    def now(self) -> int:
        """The time, in microseconds since 1970-01-01 UTC."""
        return int(self._clock() * 1_000_000)

    def append(self, body: bytes, *, sync: bool = False) -> int:
        """Appends an event: how many records the log has then.

        Args:
            body: of the event, at most 1 MiB.
            sync: return when it is on the disk.

        Raises:
            AuditUnusable: it was not appended, or is not known to be on the disk.
        """
        num = self._append_events([body])
        if sync:
            self._sync()
        else:
            self._sync_soon()
        return num

    def append_all(self, bodies: Sequence[bytes]) -> None:
        """Appends events, by as few writes as it can.

        Raises:
            AuditUnusable: one was not appended; others may have been.
        """
        for start in range(0, len(bodies), MAX_RECORDS):
            self._append_events(bodies[start : start + MAX_RECORDS])
        self._sync_soon()

    def copy_of_segment(self) -> Segment:
        """The segment that takes records, with a descriptor that whoever asked closes.

        Raises:
            AuditUnusable: the log has failed, or is closed.
        """
        self._check_process()
        with self._lock:
            self._check_usable()
            return self._file_now._replace(fd=os.dup(self._fd))

    def sync_soon(self) -> None:
        """Syncs within 100 ms what others than :meth:`append` have appended by this process.

        Raises:
            AuditUnusable: the log has failed, or is closed.
        """
        self._check_process()
        with self._lock:
            self._check_usable()
        self._sync_soon()

    def checkpoint(self) -> None:
        """Syncs, signs what is there, and syncs that.

        Raises:
            AuditUnusable: the disk failed.
        """
        with self._alone():
            self._follow()
            self._sign()
        self._sync()

    def remove_before(self, when: int) -> list[int]:
        """Removes the segments whose last change lies before ``when``, in microseconds.

        The current segment stays. That they are gone is noted, and signed, before they go.

        Returns:
            The numbers of the removed segments.
        """
        with self._alone():
            self._follow()
            there = [number for number in segments(self.directory) if number < self._segment]
            old = [number for number in there if self._changed(number) < when]
            kept = there[len(old)] if len(old) < len(there) else self._segment
            if kept - 1 not in old or old != there[: len(old)]:
                return []
            chain = self._chain_before(kept)
            note = Note("removed", self.now, len(old), kept, chain)
            self._append_locked(Kind.NOTE, pack(note))
            self._sign()
        self._sync()
        for number in reversed(old):  # if this ends halfway, whole segments follow the first one
            (self.directory / segment_name(number)).unlink()
        sync_directory(self.directory)
        return old

    def begin_anew(self, since: int) -> bool:
        """Begins another segment, if the current one has records and began before ``since``.

        What is in it can then be removed without what comes.

        Args:
            since: microseconds since 1970-01-01 UTC.

        Returns:
            Whether it did.

        Raises:
            AuditUnusable: the disk failed.
        """
        try:
            with self._alone():
                self._follow()
                header = read_header(self.directory, self._segment)
                if header.time >= since or self.end.num <= header.num_before + 1:
                    return False
                self._end_segment()
                return True
        except OSError as error:
            raise _unwritable(self.directory, error) from error

    def begin_ahead(self) -> bool:
        """Begins another segment, if the current one has less than a quarter left.

        Who only appends, and leaves it to others to go on where a segment is full, is not kept up.

        Returns:
            Whether it did.

        Raises:
            AuditUnusable: the disk failed.
        """
        if not self._is_nearly_full():
            return False
        try:
            with self._alone():
                self._follow()
                if not self._is_nearly_full():  # any more: another process was first
                    return False
                self._end_segment()
                return True
        except OSError as error:
            raise _unwritable(self.directory, error) from error

    def close(self) -> None:
        """Syncs, signs, and closes the files. The log of before a fork is only let go."""
        if self._fd < 0:
            return
        ours = self._process == os.getpid()
        try:
            if ours:
                self._stop_syncer()
                if self._failure is None and self.end.num > self._signed_num:
                    self.checkpoint()
        finally:
            if ours:
                with self._lock:  # nobody is to write to what gets the number next
                    self._close_files()
                self._signer.close()
            else:
                self._close_files()

    def _close_files(self) -> None:
        os.close(self._fd)
        self._fd = -1
        self._file.close()

    def _check_usable(self) -> None:
        if self._failure is not None:
            raise _unwritable(self.directory, self._failure)
        if self._fd < 0:
            raise AuditUnusable(f"the audit log in {self.directory} was closed")

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise StoreForked("the audit log was opened before a fork; open the store again here")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the log's lock, which does not tell the threads of a process apart."""
        self._check_process()
        with self._lock, self.end.locked():
            yield

    # ---- appending --------------------------------------------------------------------------

    def _append_events(self, bodies: Sequence[bytes]) -> int:
        self._check_process()
        with self._lock:
            if self._failure is not None:
                raise _unwritable(self.directory, self._failure)
            if self._fd < 0:
                raise AuditUnusable(f"the audit log in {self.directory} was closed")
            for body in bodies:
                if len(body) > MAX_BODY:
                    raise AuditUnusable(
                        f"a record of {len(body)} bytes is too long for the audit log"
                    )
            done = append(self.end, self._file_now, Kind.EVENT, bodies)
            if done == _DONE:
                return self.end.appended
            self._mend(self._checked(done))
            for body in bodies:  # the rest of a segment may have no room for all of them
                num = self._append(body)
        return num

    def _append(self, body: bytes) -> int:
        for _ in range(_TRIES):
            done = append(self.end, self._file_now, Kind.EVENT, [body])
            if done == _DONE:
                return self.end.appended
            self._mend(self._checked(done))
        raise AuditUnusable(f"{self.directory} is changed faster than it can be appended to")

    def _append_locked(self, kind: Kind, body: bytes) -> None:
        done = self._checked(self.end.append_locked(self._fd, kind, body))
        if done is not Append.DONE:
            raise AuditUnusable(f"the audit log in {self.directory} cannot be repaired")

    def _checked(self, done: int) -> Append:
        if done == Append.FAILED:
            number = self.end.errno
            raise _unwritable(self.directory, OSError(number, os.strerror(number)))
        return Append(done)

    def _mend(self, what: Append) -> None:
        try:
            with self.end.locked():
                before = self._segment
                self._follow()
                if what is Append.FULL and self._segment == before:
                    self._end_segment()
        except OSError as error:
            raise _unwritable(self.directory, error) from error

    def _follow(self) -> None:
        """Opens the segment that the log ends in, if it is another one; repairs the log first."""
        if self.end.busy:
            self._repair()
        elif self.end.segment != self._segment:
            self._adopt(open_segment(self.directory, self.end.segment), self.end.segment)

    def _adopt(self, descriptor: int, segment: int) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._segment = descriptor, segment
        self._file_now = Segment(descriptor, segment, self._max_offset)

    def _is_nearly_full(self) -> bool:
        return self.end.offset >= self._max_offset // 4 * 3

    def _end_segment(self) -> None:
        self._sign()
        self._sync_locked()
        self._begin_segment(self._segment + 1)

    def _begin_segment(self, number: int) -> None:
        num, before = (self.end.num, self.end.chain) if number > 1 else (0, NO_CHAIN)
        header = Header(number, num, self._store_id, self.public_key, self.now)
        first, chain = record(Kind.HEADER, pack(header), before)
        self._adopt(create_segment(self.directory, number, first), number)
        at = Mark(number, _START + len(first), num + 1, chain)
        self.end.begin()  # who dies from here on leaves a log that is repaired from the mark
        self._file.move_mark(at)
        self._file.sync()
        self.end.move(*at)

    # ---- the end ----------------------------------------------------------------------------

    def _settle(self) -> None:
        """Finds out whether the log ends where it is said to; else looks for the end."""
        mark, end = self._file.mark(), self.end
        if not mark.segment:
            self._begin_segment(1)
            return
        self._open_marked(mark)
        fits = (
            end.segment == mark.segment
            and not end.busy
            and end.num >= mark.num
            and os.fstat(self._fd).st_size == end.offset
            and last_chain(self._fd, end.offset) == end.chain
        )
        if not fits:
            self._repair()
        if end.num > mark.num:  # nobody has synced since
            self._sync_locked()

    def _open_marked(self, mark: Mark) -> None:
        """Opens the segment of the mark.

        Raises:
            AuditUnusable: it does not have the record before the mark.
        """
        self._adopt(open_segment(self.directory, mark.segment), mark.segment)
        if last_chain(self._fd, mark.offset) != mark.chain:
            raise AuditUnusable(
                f"the audit log in {self.directory} was cut or changed: it no longer has its "
                f"record {mark.num}; see 'kmsfast audit verify', and begin a new log with "
                "'kmsfast audit restart'"
            )

    def _repair(self) -> None:
        """Moves the end behind the last whole record, and cuts off what follows it."""
        mark = self._file.mark()
        self._open_marked(mark)
        offset, more, chain = whole_end(self._fd, mark.offset, mark.chain)
        lost = os.fstat(self._fd).st_size - offset
        os.ftruncate(self._fd, offset)
        self.end.move(self._segment, offset, mark.num + more, chain)
        if lost:
            note = Note("repaired", self.now, lost, self._segment, chain)
            self._append_locked(Kind.NOTE, pack(note))

    def _changed(self, segment: int) -> int:
        return (self.directory / segment_name(segment)).stat().st_mtime_ns // 1000

    def _chain_before(self, segment: int) -> bytes:
        """The hash of the last record of the segment before this one."""
        descriptor = open_segment(self.directory, segment - 1)
        try:
            chain = last_chain(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)
        if chain is None:
            raise AuditUnusable(f"segment {segment - 1} of the audit log was cut")
        return chain

    # ---- signing and syncing ----------------------------------------------------------------

    def _sign(self) -> None:
        num, chain, now = self.end.num, self.end.chain, self.now
        message = checkpoint_message(self._store_id, num, chain, now)
        signature = self._signer.sign(hashlib.sha256(message).digest())
        self._append_locked(Kind.CHECKPOINT, pack(Checkpoint(num, chain, now, signature)))
        self._signed_num, self._last_checkpoint = self.end.num, time.monotonic()

    def _sync(self) -> None:
        try:
            with self._alone():
                self._follow()
                at = Mark(self._segment, self.end.offset, self.end.num, self.end.chain)
                descriptor = os.dup(self._fd)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            with self._alone():
                if self._file.mark().num < at.num:
                    self._file.move_mark(at)
        except OSError as error:
            # What the kernel failed to write once it may have forgotten: it is not tried again.
            self._failure = error
            raise _unwritable(self.directory, error) from error

    def _sync_locked(self) -> None:
        try:
            os.fdatasync(self._fd)
            at = Mark(self._segment, self.end.offset, self.end.num, self.end.chain)
            self._file.move_mark(at)
            self._file.sync()
        except OSError as error:
            self._failure = error  # as above
            raise

    def _sync_soon(self) -> None:
        if not self._dirty.is_set():
            self._dirty.set()
            if self._syncer is None and not self._start_syncer():
                self._sync()

    def _start_syncer(self) -> bool:
        """Starts the thread; False: that cannot be done, as at the end of the interpreter."""
        with self._lock:
            if self._syncer is None:
                thread = threading.Thread(
                    target=self._sync_often, name="kmsfast-audit", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError:
                    self._dirty.clear()
                    return False
                self._syncer = thread
            return True

    def _stop_syncer(self) -> None:
        self._closing.set()
        self._dirty.set()
        if self._syncer is not None:
            self._syncer.join()

    def _sync_often(self) -> None:
        while True:
            self._dirty.wait()
            if self._closing.wait(_SYNC_WITHIN) or self._failure is not None:
                return
            self._dirty.clear()
            if self._closing.is_set():  # since it was waited for; what closing set was cleared
                return
            try:
                if time.monotonic() - self._last_checkpoint >= _CHECKPOINT_EVERY:
                    self.checkpoint()
                else:
                    self._sync()
            except (KmsError, OSError) as error:
                if self._failure is None:
                    cause = error.__cause__
                    self._failure = cause if isinstance(cause, OSError) else OSError(str(error))


def _opened(directory: Path, store_key: StoreKey) -> tuple[EndFile, Signer]:
    """The file of the end, and the key that signs."""
    directory.mkdir(mode=0o700, exist_ok=True)
    with _alone(directory):
        return _opened_alone(directory, store_key)


def _opened_alone(directory: Path, store_key: StoreKey) -> tuple[EndFile, Signer]:
    end, signer = directory / END, directory / SIGNER
    if end.exists() or segments(directory):
        for path in (end, signer):
            if not path.exists():
                raise AuditUnusable(
                    f"{path} is missing, without which the audit log cannot go on; restore it from "
                    "a backup, or begin a new log with 'kmsfast audit restart'"
                )
        return EndFile(end, store_key), Signer.load(store_key, signer)
    # Another log has another key: whoever knows that of a log that was removed sees it.
    key = Signer.create(store_key, signer)
    file = EndFile.create(end, store_key)
    sync_directory(directory)
    return file, key


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Holds the lock of the directory, in which one process at a time makes files."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # A child that was forked meanwhile has the descriptor as well: closing unlocks nothing.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _unwritable(directory: Path, error: OSError) -> AuditUnusable:
    return AuditUnusable(
        f"the audit log in {directory} cannot be written: {error.strerror or error}; nothing is "
        "done unrecorded, so nothing is done until it can be written again"
    )
