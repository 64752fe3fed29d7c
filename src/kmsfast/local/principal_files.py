"""Files of principals: TOML and the documents that it names, to what is wanted.

A policy is the document itself, as JSON, or the path of one, relative to the file.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final

from kmsfast.errors import ValidationError
from kmsfast.model.arn import Home
from kmsfast.model.principal_file import SECTIONS, Wanted, parsed

__all__ = ["read_principals"]

_MAX_BYTES: Final = 16 << 20


def read_principals(path: str | os.PathLike[str], home: Home) -> Wanted:
    """What a file says of principals.

    Args:
        home: whose account names without an ARN are of.

    Raises:
        ValidationError: the file is not as docs/principals.md has it; the message says where.
        OSError: it, or a policy that it names, cannot be read.
    """
    file = Path(path)
    try:
        document = tomllib.loads(_text_of(file))
    except tomllib.TOMLDecodeError as error:
        raise ValidationError(f"{file} is no TOML: {error}") from None
    try:
        return parsed(_with_documents(document, file.parent), home)
    except ValidationError as error:
        raise ValidationError(f"{file}: {error}") from error


def _with_documents(document: dict[str, Any], directory: Path) -> dict[str, Any]:
    """The same with documents in place of the paths of policies; other mistakes stay in it."""
    for section in SECTIONS.values():
        members = document.get(section)
        for one in members.values() if isinstance(members, dict) else ():
            policies = one.get("policies") if isinstance(one, dict) else None
            if isinstance(policies, dict):
                one["policies"] = {name: _read(text, directory) for name, text in policies.items()}
    return document


def _read(policy: Any, directory: Path) -> Any:
    is_path = isinstance(policy, str) and not policy.lstrip().startswith("{")
    return _text_of(directory / policy) if is_path else policy


def _text_of(path: Path) -> str:
    with path.open("rb") as stream:
        data = stream.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValidationError(f"{path} has more than {_MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValidationError(f"{path} is not UTF-8 at byte {error.start}") from None
