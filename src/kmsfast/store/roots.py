"""Where the root key comes from: a key file, or a passphrase.

Rules:
- a root key is made only for an empty store, or for a change of the root key that was asked for;
- how the root key is found (kind, path, Argon2id parameters) is written in the store beside the
  wrapped store key. It is needed before anything can be authenticated, so it is trusted only as far
  as it leads to a key that unwraps the store key; after that the row's MAC is checked as well. The
  parameters are bounded, so that a changed store cannot ask for all memory;
- a passphrase is not kept: only what Argon2id makes of it enters the arena.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kmsfast.crypto.keys import RootKey
from kmsfast.errors import (
    RootKeyMissing,
    RootKeyWrong,
    StoreIntegrity,
    StoreUnusable,
    ValidationError,
)

__all__ = ["DEFAULT_NAME", "Passphrase", "Root", "RootKeyFile", "RootRow", "load", "make"]

DEFAULT_NAME: Final = "root.key"

# RFC 9106 section 4, the second recommended option: 64 MiB, 3 passes, 4 lanes.
_ITERATIONS: Final = 3
_LANES: Final = 4
_MEMORY_KIB: Final = 64 * 1024
_MAX_MEMORY_KIB: Final = 4 * 1024 * 1024
_MAX_ITERATIONS: Final = 1000
_MAX_LANES: Final = 64


@dataclass(frozen=True, slots=True)
class RootKeyFile:
    """A root key file: 32 random bytes after a line that names the format, mode 0600.

    Attributes:
        path: the file; made when a store is created with it and it does not exist.
    """

    path: str | os.PathLike[str]


class Passphrase:
    """A passphrase, which Argon2id (RFC 9106) turns into the root key. Prints without it.

    Args:
        text: not empty; encoded as UTF-8.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not text:
            raise ValidationError("a passphrase is text that is not empty")
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise ValidationError("a passphrase is valid Unicode; this one has a lone surrogate")
        self._text = text

    def derive(self, row: RootRow) -> RootKey:
        """The root key under the store's parameters."""
        if row.kdf_salt is None:
            raise RootKeyWrong(
                "this store is opened by a root key file, not by a passphrase; give none"
            )
        return RootKey.from_passphrase(
            self._text,
            row.kdf_salt,
            iterations=_bounded(row.kdf_iterations, _MAX_ITERATIONS),
            lanes=_bounded(row.kdf_lanes, _MAX_LANES),
            memory_cost=_bounded(row.kdf_memory_kib, _MAX_MEMORY_KIB),
        )

    def __repr__(self) -> str:
        return "<Passphrase>"

    def __reduce__(self) -> Any:
        raise TypeError("a Passphrase cannot be pickled or copied")


Root = RootKeyFile | Passphrase


# The types of a RootRow's fields, which are read before their MAC can be checked. The numbers are
# bounded where they are used.
_ROOT_ROW_TYPES: Final = {"root_kind": str, "root_path": str | None, "kdf_salt": bytes | None}


@dataclass(frozen=True, slots=True)
class RootRow:
    """How the store says that its root key is found; columns of the table ``store``."""

    root_kind: str
    root_path: str | None = None
    kdf_salt: bytes | None = None
    kdf_iterations: int | None = None
    kdf_lanes: int | None = None
    kdf_memory_kib: int | None = None

    def __post_init__(self) -> None:
        for name, kinds in _ROOT_ROW_TYPES.items():
            if not isinstance(getattr(self, name), kinds):
                raise StoreIntegrity(
                    f"the store's {name} has another type: it was changed from outside; restore it "
                    "from a backup"
                )


def make(root: Root | None, directory: Path) -> tuple[RootKey, RootRow]:
    """A root key for a new store, or one that will be its root from now on.

    A key file that is not there yet is made; one that is there is used.
    """
    if isinstance(root, Passphrase):
        row = RootRow(
            "passphrase",
            kdf_salt=os.urandom(16),
            kdf_iterations=_ITERATIONS,
            kdf_lanes=_LANES,
            kdf_memory_kib=_MEMORY_KIB,
        )
        return root.derive(row), row
    path = Path(root.path if root else directory / DEFAULT_NAME).absolute()
    if not path.exists():
        RootKey.create_file(str(path))
    inside = path.parent == directory.absolute()
    return _loaded(path), RootRow("file", path.name if inside else str(path))


def load(root: Root | None, row: RootRow, directory: Path) -> RootKey:
    """The root key of an existing store.

    Raises:
        RootKeyMissing: the key file is gone, or the store wants a passphrase and none was given.
        RootKeyWrong: a key file was given and the store wants a passphrase, or the reverse.
    """
    if isinstance(root, Passphrase):
        return root.derive(row)
    if root is not None:
        if row.root_kind != "file":
            raise RootKeyWrong(
                "this store is opened by a passphrase, not by a root key file; give the passphrase"
            )
        return _loaded(Path(root.path).absolute())
    if row.root_kind != "file" or row.root_path is None:
        raise RootKeyMissing(
            "this store is opened by a passphrase: root=kmsfast.Passphrase(...), on the command "
            "line KMSFAST_PASSPHRASE or --passphrase"
        )
    return _loaded(directory.absolute() / row.root_path)


def _loaded(path: Path) -> RootKey:
    try:
        return RootKey.load_file(str(path))
    except RootKeyWrong as error:
        raise RootKeyWrong(
            f"{error}; name the right one (--root-key), or restore it from your backup"
        ) from None


def _bounded(value: int | None, most: int) -> int:
    if not isinstance(value, int) or not 1 <= value <= most:
        raise StoreUnusable(
            "the store's Argon2id parameters are out of range: it was changed from outside"
        )
    return value
