"""What a pass over a table is told and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from kmsfast.errors import BatchError, InvalidCiphertext, KmsError, ValidationError

if TYPE_CHECKING:
    from kmsfast.local import Kms

__all__ = [
    "ColumnFacts",
    "Context",
    "Done",
    "Failures",
    "OnError",
    "Options",
    "Progress",
    "RecordsFailed",
    "no_column",
    "rewrapped",
]

Context = Mapping[str, str] | None
OnError = Literal["stop", "null"]
#: Called with (rows done, rows in all) from time to time.
Progress = Callable[[int, int], None]


#: Names of columns that an error lists.
MAX_NAMES = 20


class Options(NamedTuple):
    """How the cryptographic calls are made: encryption context and number of threads."""

    context: Context = None
    threads: int = 1

    @property
    def beside_others(self) -> Options:
        """The same with one thread less, for a stage that works while others read and write."""
        return self._replace(threads=max(1, self.threads - 1))


class RecordsFailed(InvalidCiphertext):
    """Some records of a column do not open."""


@dataclass(slots=True)
class Failures:
    """Records that did not open, by column.

    Attributes:
        on_error: "stop" raises at the first; "null" counts, and the values become null or empty.
        counts: failed records of each column.
        first: where and why the first of each column failed.
    """

    on_error: OnError = "stop"
    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, column: str, first_row: int, errors: Mapping[int, KmsError]) -> None:
        """Notes the errors of a chunk that starts at data row `first_row` (counted from 1).

        Raises:
            RecordsFailed: there are errors and `on_error` is "stop".
        """
        if not errors:
            return
        index = min(errors)
        what = f"row {first_row + index}, column {column!r}: {errors[index]}"
        if self.on_error == "stop":
            raise RecordsFailed(what) from errors[index]
        self.counts[column] = self.counts.get(column, 0) + len(errors)
        self.first.setdefault(column, what)


@dataclass(frozen=True, slots=True)
class Done:
    """What a pass over a table did.

    Attributes:
        rows: data rows.
        columns: the columns that were changed.
        failures: records that did not open, when told to go on.
    """

    rows: int
    columns: tuple[str, ...]
    failures: Failures


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What an encrypted column says about itself, without keys.

    Attributes:
        name: of the column.
        suite: "blob" or "sealed".
        original_type: type before encryption, in words.
        records: number of records by (key id, key version).
        nulls: rows without a value.
        not_blobs: values that are no blobs.
    """

    name: str
    suite: str
    original_type: str
    records: dict[tuple[str, int], int]
    nulls: int
    not_blobs: int


def no_column(table: str, name: str, names: Sequence[str]) -> ValidationError:
    """The error for a column that the table does not have."""
    shown = ", ".join(map(repr, names[:MAX_NAMES]))
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ValidationError(f"{table} has no column {name!r}; its columns are: {shown}{more}")


def rewrapped(kms: Kms, blobs: Any, context: Context, column: str, first_row: int) -> Any:
    """`kms.rewrap_batch`, with an error that names row and column."""
    try:
        return kms.rewrap_batch(blobs, context)
    except BatchError as error:
        Failures("stop").add(column, first_row, error.errors)
        raise
