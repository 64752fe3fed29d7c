"""The audit log of a store as its owner sees it: searched, followed, verified, begun anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kmsfast.audit import reading
from kmsfast.audit.cloudtrail import record
from kmsfast.audit.ends import EndFile, Mark
from kmsfast.audit.event import Event
from kmsfast.audit.frames import segment_name
from kmsfast.audit.log import END, SIGNER, AuditLog
from kmsfast.audit.lookup import Place, Wanted, newest_first
from kmsfast.audit.reading import Filter, Found
from kmsfast.audit.segments import segments, sync_directory
from kmsfast.audit.signer import Signer
from kmsfast.audit.verify import Report, verify
from kmsfast.crypto.keys import StoreKey
from kmsfast.errors import AuditUnusable, ValidationError

__all__ = ["Trail"]


class Trail:
    """The audit log of one store; it need not be open for appending.

    Args:
        directory: where it is, or would be.
        store_key: that authenticates it.
        store_id: 16 bytes.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        directory: Path,
        store_key: StoreKey,
        store_id: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory, self._store_key, self._store_id = directory, store_key, store_id
        self._clock = clock

    def search(self, wanted: Filter | None = None) -> Iterator[dict[str, Any]]:
        """The events that are wanted, oldest first, in the form of CloudTrail's records."""
        if not self.directory.exists():
            return
        yield from map(self._record, reading.read(self.directory, wanted or Filter()))

    def lookup(
        self, wanted: Wanted, most: int, place: Place | None = None
    ) -> tuple[list[tuple[Event, dict[str, Any]]], Place | None]:
        """A page of the wanted events, newest first, each with its record as CloudTrail has it.

        Args:
            most: events.
            place: where an earlier page said that it goes on; None: at the end of the log.

        Returns:
            They, and where the next page goes on; None: there is none.
        """
        page = newest_first(self.directory, self._store_id, wanted, most, place)
        own = {"recipientAccountId": wanted.account}
        return [(each.event, self._record(each) | own) for each in page.found], page.rest

    def follow(
        self, wanted: Filter | None = None, *, wait: Callable[[float], object] = time.sleep
    ) -> Iterator[dict[str, Any]]:
        """The wanted events that are appended from now on; it does not end.

        Raises:
            AuditUnusable: there is no log yet.
        """
        self._require()
        yield from map(self._record, reading.follow(self.directory, wanted or Filter(), wait=wait))

    def verify(self, public_key: bytes | None = None) -> Report:
        """Reads the whole log and says whether, and where, anybody changed it.

        Args:
            public_key: that must have signed it, 64 bytes; None: the one that the store has.

        Raises:
            AuditUnusable: there is no log, or no way to say where it ends.
        """
        self._require()
        mark, sizes = self._end()
        if public_key is None:
            public_key = self.public_key
        return verify(self.directory, self._store_id, public_key, mark, sizes)

    @property
    def public_key(self) -> bytes:
        """That checks the log's checkpoints, x || y of P-256, 64 bytes.

        Raises:
            AuditUnusable: there is no log, or its key was changed.
        """
        self._require()
        try:
            return Signer.load(self._store_key, self.directory / SIGNER).public_key
        except OSError as error:
            raise _unreadable(self.directory / SIGNER, error) from error

    def open(self) -> AuditLog:
        """The log, open for appending.

        Raises:
            AuditUnusable: it was cut or changed, or cannot be written.
        """
        return AuditLog(self.directory, self._store_key, self._store_id, clock=self._clock)

    def remove_before(self, when: datetime) -> list[int]:
        """Removes the segments whose last event lies before a time; the newest one stays.

        That they are gone is noted in the log, and verifying it finds nothing missing.

        Args:
            when: aware.

        Returns:
            The numbers of the removed segments.

        Raises:
            AuditUnusable: there is no log, it was cut or changed, or cannot be written.
            ValidationError: a time without a zone.
        """
        if when.tzinfo is None:
            raise ValidationError(f"the time needs a zone: {when.isoformat()}")
        self._require()
        log = self.open()
        try:
            return log.remove_before(int(when.timestamp() * 1_000_000))
        finally:
            log.close()

    @property
    def has_log(self) -> bool:
        """Whether anything was ever recorded."""
        return bool(self._segments())

    def restart(self) -> Path:
        """Puts the log aside, so that the next one who appends begins a new one.

        No process may have it open.

        Returns:
            Where the old one is now.

        Raises:
            AuditUnusable: there is no log.
        """
        self._require()
        when = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self.directory.with_name(f"{self.directory.name}.{when}")
        if aside.exists():
            raise AuditUnusable(f"{aside} is there already; try again in a second")
        self.directory.rename(aside)
        sync_directory(self.directory.parent)
        return aside

    def _end(self) -> tuple[Mark, dict[int, int]]:
        """The mark, and how large the segments were when nobody was writing to them."""
        path = self.directory / END
        try:
            file = EndFile(path, self._store_key)
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            with file.end.locked():
                paths = {each: self.directory / segment_name(each) for each in self._segments()}
                return file.mark(), {each: path.stat().st_size for each, path in paths.items()}
        finally:
            file.close()

    def _segments(self) -> list[int]:
        return segments(self.directory) if self.directory.exists() else []

    def _record(self, found: Found) -> dict[str, Any]:
        return record(found.event, self._store_id, found.number, found.nth)

    def _require(self) -> None:
        if not self._segments():
            raise AuditUnusable(f"there is no audit log in {self.directory}: nothing was recorded")


def _unreadable(path: Path, error: OSError) -> AuditUnusable:
    return AuditUnusable(
        f"{path} cannot be read: {error.strerror}; restore it from a backup, or begin a new log "
        "with 'kmsfast audit restart'"
    )
