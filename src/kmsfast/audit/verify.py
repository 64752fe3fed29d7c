"""Whether anybody changed an audit log, and where.

Rules:
- every record's hash is computed, every checkpoint's signature checked, and the end compared with
  the mark, which only the store key can make;
- a finding names the segment, the record and the byte. After a record that is wrong the search
  goes on, so that one run finds all;
- what cannot be shown is said: records behind the mark, and for an auditor with the public key
  alone those behind the last checkpoint, could have been cut off or made up;
- what a process that was killed left behind the mark is no finding: a record that was never
  finished, a segment that never began.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kmsfast.audit.ends import Mark
from kmsfast.audit.event import events_of
from kmsfast.audit.frames import (
    MAGIC,
    NO_CHAIN,
    Checkpoint,
    Frame,
    Header,
    Kind,
    Note,
    checkpoint_message,
    frames,
    segment_name,
    unpack,
)
from kmsfast.audit.segments import segments
from kmsfast.crypto import p256
from kmsfast.errors import FrameError, KmsError

__all__ = ["Finding", "Report", "verify"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written.

    Attributes:
        segment: the file's number.
        record: counted from 1 over the whole log; 0: of the file as a whole.
        offset: byte of the file.
    """

    segment: int
    record: int
    offset: int
    what: str

    def __str__(self) -> str:
        where = f"{segment_name(self.segment)}, byte {self.offset}"
        return (
            f"{where}, record {self.record}: {self.what}"
            if self.record
            else f"{where}: {self.what}"
        )


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        segments: numbers of the files that are there.
        records: how many records were read.
        events: how many events of callers are in them.
        checkpoints: how many signatures were good.
        signed: records up to the last good checkpoint.
        notes: what the log says of itself: repairs, removals.
        unfinished: bytes of a record that a process which died left at the end; the next one that
            appends cuts them off, and notes it.
        findings: what is wrong; empty: nobody changed the log.
    """

    segments: list[int] = field(default_factory=list)
    records: int = 0
    events: int = 0
    checkpoints: int = 0
    signed: int = 0
    notes: list[Note] = field(default_factory=list)
    unfinished: int = 0
    findings: list[Finding] = field(default_factory=list)


def verify(
    directory: Path,
    store_id: bytes,
    public_key: bytes,
    mark: Mark | None,
    sizes: Mapping[int, int] | None = None,
) -> Report:
    """Reads a whole log, which others may append to meanwhile.

    Args:
        store_id: 16 bytes.
        public_key: of the checkpoints, x || y of P-256, 64 bytes.
        mark: the authentic mark of its end; None: it is not known, and nothing is compared with it.
        sizes: the segments and their sizes in bytes, as they were when nobody was writing; None:
            nobody is.

    Raises:
        OSError: a file cannot be read.
    """
    there = segments(directory) if sizes is None else sorted(sizes)
    verifier = _Verifier(directory, there, store_id, public_key, mark)
    verifier.sizes = sizes or {}
    return verifier.run()


class _Verifier:
    def __init__(
        self,
        directory: Path,
        there: list[int],
        store_id: bytes,
        public_key: bytes,
        mark: Mark | None,
    ) -> None:
        self.directory, self.store_id, self.public_key = directory, store_id, public_key
        self.mark = mark
        self.report = Report(there)
        self.sizes: Mapping[int, int] = {}
        self.chain, self.num = NO_CHAIN, 0  # of the last record
        self.removed: tuple[int, bytes, int] | None = None  # what the log begins behind
        self.marked = mark is None

    def run(self) -> Report:
        """The report."""
        numbers = self._begun()
        if not numbers:
            if self.mark is None or self.mark.segment:  # else nothing was ever recorded
                self._find(1, 0, 0, "the log has no segment")
            return self.report
        if numbers[0] != 1:
            self.removed = (numbers[0], *self._start_of(numbers[0]))
            _, self.chain, self.num = self.removed
        expected = numbers[0]
        for number in numbers:
            if number != expected:
                if not self._is_noted(number, self._start_of(number)[0]):
                    self._find(number, 0, 0, f"the segments {expected} to {number - 1} are missing")
                self.chain, self.num = self._start_of(number)
            self._segment(number)
            expected = number + 1
        self._check_removed()
        if not self.marked and self.mark is not None:
            self._find(
                self.mark.segment,
                self.mark.num,
                self.mark.offset,
                "the log had this record, which was synced, and no longer has it: it was cut or "
                "changed",
            )
        return self.report

    def _segment(self, number: int) -> None:
        with _mapped(self.directory / segment_name(number), self.sizes.get(number)) as data:
            if data[: len(MAGIC)] != MAGIC:
                self._find(number, 0, 0, "the file does not begin as a segment does")
            self._mark_at(number, len(MAGIC))
            end = len(MAGIC)
            try:
                for frame in frames(data, len(MAGIC), self.chain):
                    self._record(number, frame)
                    end = frame.end
            except FrameError:
                if self.mark is not None and self.marked and number == self.mark.segment:
                    self.report.unfinished = len(data) - end
                else:
                    self._find(number, self.num + 1, end, "from here on there are no records")
            if end == len(MAGIC):
                self._find(number, 0, end, "the segment has no records")

    def _record(self, number: int, frame: Frame) -> None:
        is_first = frame.offset == len(MAGIC)
        self.num += 1
        self.report.records += 1
        if frame.chain != frame.computed:
            self._find(
                number,
                self.num,
                frame.offset,
                "was changed, or is not the one that was written after the record before it",
            )
        try:
            kind = Kind(frame.kind)
            self._KINDS[kind](self, number, frame)
        except (FrameError, ValueError) as error:
            self._find(number, self.num, frame.offset, f"cannot be read: {error}")
            kind = Kind.EVENT
        if is_first != (kind is Kind.HEADER):
            self._find(number, self.num, frame.offset, "a header belongs first in a segment")
        self.chain = frame.chain
        self._mark_at(number, frame.end)

    def _header(self, number: int, frame: Frame) -> None:
        header: Header = unpack(Header, frame.body)
        if header[:4] != (number, self.num - 1, self.store_id, self.public_key):
            self._find(
                number, self.num, frame.offset, "the header is of another segment, store or key"
            )

    def _events(self, _number: int, frame: Frame) -> None:
        self.report.events += len(events_of(frame.kind, frame.body))

    def _checkpoint(self, number: int, frame: Frame) -> None:
        point: Checkpoint = unpack(Checkpoint, frame.body)
        message = checkpoint_message(self.store_id, point.num, point.chain, point.time)
        if (
            point.num != self.num - 1
            or point.chain != self.chain
            or not self._is_signed(message, point.signature)
        ):
            self._find(
                number, self.num, frame.offset, "the checkpoint does not sign the records before it"
            )
            return
        self.report.checkpoints += 1
        self.report.signed = self.num - 1

    def _note(self, _number: int, frame: Frame) -> None:
        self.report.notes.append(unpack(Note, frame.body))

    _KINDS: dict[Kind, Callable[[Any, int, Frame], None]] = {  # noqa: RUF012
        Kind.HEADER: _header,
        Kind.EVENT: _events,
        Kind.EVENTS: _events,
        Kind.CHECKPOINT: _checkpoint,
        Kind.NOTE: _note,
    }

    def _is_signed(self, message: bytes, signature: bytes) -> bool:
        digest = hashlib.sha256(message).digest()
        try:
            return p256.verify(self.public_key, digest, signature, encoding=p256.Encoding.RAW)
        except KmsError:
            return False

    def _check_removed(self) -> None:
        """What the log begins behind must be what it says was removed."""
        if self.removed is None:
            return
        segment, chain, _ = self.removed
        if not self._is_noted(segment, chain):
            self._find(segment, 0, 0, f"the segments 1 to {segment - 1} are missing")

    def _is_noted(self, segment: int, chain: bytes) -> bool:
        """Whether the log says that what came before a segment was removed."""
        return any(
            note.what == "removed" and note.segment == segment and note.chain == chain
            for note in self._notes()
        )

    def _begun(self) -> list[int]:
        """The segments of the log: a file behind the mark's is none, unless it has events."""
        there, mark = self.report.segments, self.mark
        if mark is not None:
            for number in [number for number in there if number > mark.segment]:
                if self._kinds(number) - {Kind.HEADER}:
                    self._find(number, 0, 0, "the segment is behind the end of the log")
                there.remove(number)
        return there

    def _kinds(self, number: int) -> set[int]:
        with _mapped(self.directory / segment_name(number)) as data:
            found: set[int] = set()
            with suppress(FrameError):
                found.update(frame.kind for frame in frames(data, len(MAGIC), NO_CHAIN))
            return found

    def _start_of(self, number: int) -> tuple[bytes, int]:
        """The hash that a segment's first record must follow, and the number of records before it.

        What the segment says of itself, for want of the one before it; a note of the removal or
        the finding that it is missing says whether that is so.
        """
        with _mapped(self.directory / segment_name(number)) as data:
            try:
                first = next(frames(data, len(MAGIC), NO_CHAIN))
                header: Header = unpack(Header, first.body)
            except (FrameError, StopIteration):
                return NO_CHAIN, 0
        for note in self._notes():
            if note.what == "removed" and note.segment == number:
                return note.chain, header.num_before
        return NO_CHAIN, header.num_before

    def _notes(self) -> Iterator[Note]:
        for number in self.report.segments:
            with _mapped(self.directory / segment_name(number)) as data:
                try:
                    for frame in frames(data, len(MAGIC), NO_CHAIN):
                        if frame.kind == Kind.NOTE:
                            yield unpack(Note, frame.body)
                except FrameError:
                    continue  # found again, and reported, by the reading of the segment

    def _mark_at(self, number: int, offset: int) -> None:
        if self.mark is not None and self.mark == (number, offset, self.num, self.chain):
            self.marked = True

    def _find(self, segment: int, record: int, offset: int, what: str) -> None:
        self.report.findings.append(Finding(segment, record, offset, what))


@contextmanager
def _mapped(path: Path, size: int | None = None) -> Iterator[mmap.mmap | bytes]:
    """A file's bytes, or the first ``size`` of them, without reading all of them at once."""
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END) if size is None else size
        if not length:
            yield b""
            return
        with mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ) as data:
            yield data
