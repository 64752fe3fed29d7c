"""What a seed file says of keys: plain data to checked descriptions, before anything is written.

Rules:
- what is not known, is twice there, or is of another type than it must be is an error that names
  the key and the member; nothing is guessed, no number is taken for a text;
- key material comes in one of three encodings, which is said; it is bytes that can be wiped;
- nothing here does I/O.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kmsfast.errors import KmsError, ValidationError
from kmsfast.model.alias import checked_own_alias
from kmsfast.model.arn import Home
from kmsfast.model.key import (
    checked_description,
    checked_policy,
    checked_rotation_period,
    parse_key_id,
)
from kmsfast.model.keyspec import KeySpec, Origin, checked_origin, checked_spec, checked_usage
from kmsfast.model.quotas import AWS
from kmsfast.model.tags import checked_tags

__all__ = ["SeedKey", "parse_seed"]

_ORIGINS: Final = (Origin.AWS_KMS, Origin.EXTERNAL)
_PEM: Final = re.compile(
    r"-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----\s+([A-Za-z0-9+/=\s]+)-----END \1-----"
)


@dataclass(frozen=True, slots=True)
class SeedKey:
    """One key of a seed.

    Attributes:
        said: the members that were given, checked, by their names in the file.
        material: key material; empty when there is none. Whoever has it wipes it.
    """

    raw_id: bytes
    name: str
    multi_region: bool
    aliases: tuple[str, ...]
    said: Mapping[str, Any]
    material: bytearray = field(repr=False)

    def get(self, member: str, default: Any = None) -> Any:
        """What was said of a member."""
        return self.said.get(member, default)

    def refused(self, member: str, why: str) -> ValidationError:
        """The error that names the key and the member."""
        return ValidationError(f"seed: key {self.name}: {member}: {why}")


def parse_seed(document: Any, home: Home) -> list[SeedKey]:
    """The keys that a seed describes, all checked.

    Args:
        document: as YAML's or JSON's plain data.
        home: the region and account that are served.

    Raises:
        ValidationError: anything in it is not as docs/seed.md has it.
    """
    top = _mapping(document, "seed", {"keys", "region", "account"})
    _check_home(top, home, "seed")
    listed = top.get("keys", [])
    if not isinstance(listed, list):
        raise ValidationError("seed: keys: must be a list")
    found = [_parse_key(each, i, home) for i, each in enumerate(listed)]
    for what, names in (
        ("id", [each.name for each in found]),
        ("alias", [alias for each in found for alias in each.aliases]),
    ):
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise ValidationError(f"seed: {what} {twice} is given twice")
    return found


def _parse_key(given: Any, index: int, home: Home) -> SeedKey:
    where = f"seed: keys[{index}]"
    known = _mapping(given, where, {"id", "region", "account", "alias", "material", *_MEMBERS})
    name = known.get("id")
    parsed = parse_key_id(name) if isinstance(name, str) else None
    if parsed is None:
        raise ValidationError(
            f"{where}: id: must be a UUID in lower case, or mrk- and 32 hexadecimal digits, not "
            f"{name!r}"
        )
    where = f"seed: key {name}"
    _check_home(known, home, where)
    if "alias" in known and "aliases" in known:
        raise ValidationError(f"{where}: alias: give alias or aliases, not both")
    if "alias" in known:
        known = {**known, "aliases": [known["alias"]]}
    said = {}
    for member, check in _MEMBERS.items():
        if member in known:
            try:
                said[member] = check(known[member])
            except (ValueError, KmsError) as error:
                raise ValidationError(f"{where}: {member}: {error}") from None
    if "origin" in said:
        said["origin"] = _origin(said["origin"], said.get("spec", KeySpec.SYMMETRIC_DEFAULT), where)
    key = SeedKey(
        parsed[0], str(name), parsed[1], tuple(said.pop("aliases", ())), said,
        _material(known.get("material"), where),
    )  # fmt: skip
    _check_together(key)
    return key


def _origin(name: str, spec: KeySpec, where: str) -> Origin:
    try:
        origin = checked_origin(name, spec)
    except KmsError as error:
        raise ValidationError(f"{where}: origin: {error}") from None
    if origin not in _ORIGINS:
        raise ValidationError(
            f"{where}: origin: {origin} keys are in custom key stores, which a seed does not make; "
            f"it makes keys of {' and '.join(_ORIGINS)}"
        )
    return origin


def _check_together(key: SeedKey) -> None:
    spec = key.get("spec", KeySpec.SYMMETRIC_DEFAULT)
    try:
        checked_usage(spec, key.get("usage"))
    except ValueError as error:
        raise key.refused("usage", str(error)) from None
    rotates = spec == KeySpec.SYMMETRIC_DEFAULT and key.get("origin") != Origin.EXTERNAL
    if "rotation_period_days" in key.said and not rotates:
        raise key.refused("rotation_period_days", "only symmetric keys of origin AWS_KMS rotate")
    if "enabled" in key.said and key.get("origin") == Origin.EXTERNAL and not key.material:
        raise key.refused("enabled", "a key without material is pending import")


def _mapping(value: Any, where: str, names: set[str] | None) -> dict[str, Any]:
    """The mapping, when it has these names alone; None: the caller looks at them."""
    if not isinstance(value, dict):
        what = _KINDS.get(type(value), type(value).__name__)  # never the value: it may be a key
        raise ValidationError(f"{where}: must be a mapping of names to values, not {what}")
    for name in value:
        if names is not None and name not in names:
            raise ValidationError(
                f"{where}: {name!r} is not known; there are {', '.join(sorted(names))}"
            )
    return value


def _check_home(given: Mapping[str, Any], home: Home, where: str) -> None:
    for name, served in (("region", home.region), ("account", home.account)):
        if name in given and given[name] != served:
            raise ValidationError(
                f"{where}: {name}: {given[name]!r} is not served here, {served!r} is"
                + (" (an account is a text: quote it)" if isinstance(given[name], int) else "")
            )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValidationError(f"must be a text, not {value!r}: quote it")
    return value


def _aliases(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValidationError("must be a list of names")
    most = AWS.aliases_per_key
    if len(value) > most:
        raise ValidationError(f"a key has {most} aliases at most, not {len(value)}")
    return [checked_own_alias(_text(each)) for each in value]


def _tags(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValidationError("must be a mapping of names to texts")
    return checked_tags({_text(name): _text(each) for name, each in value.items()})


def _policy(value: Any) -> str | None:
    return checked_policy(json.dumps(value) if isinstance(value, dict) else _text(value))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValidationError(f"must be true or false, not {value!r}")
    return value


_MEMBERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "aliases": _aliases,
    "spec": lambda value: checked_spec(_text(value)),
    "usage": _text,
    "origin": _text,
    "description": lambda value: checked_description(_text(value)),
    "tags": _tags,
    "policy": _policy,
    "rotation_period_days": checked_rotation_period,
    "enabled": _flag,
}


def _material(given: Any, where: str) -> bytearray:
    if given is None:
        return bytearray()
    found = _mapping(given, f"{where}: material", None)
    if len(found) != 1 or not _ENCODINGS.keys() >= found.keys():
        raise ValidationError(f"{where}: material: give one of {', '.join(_ENCODINGS)}")
    [(name, text)] = found.items()
    try:
        decoded = _ENCODINGS[name](_text(text)) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        decoded = None
    if not decoded:  # the value is not shown: it may be a key
        raise ValidationError(f"{where}: material: {name}: {_WANTED[name]}")
    return bytearray(decoded)


def _from_pem(text: str) -> bytes:
    found = _PEM.search(text)
    if found is None:
        raise ValueError
    return base64.b64decode("".join(found[2].split()), validate=True)


_KINDS: Final = {
    type(None): "nothing", str: "a text", list: "a list", int: "a number", bool: "true or false",
}  # fmt: skip
_WANTED: Final = {
    "base64": "must be a text in base64, and not empty",
    "hex": "must be a text of hexadecimal digits, two for each byte; quote one of digits alone",
    "pem": "must be one PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY in PEM",
}
_ENCODINGS: Final[Mapping[str, Callable[[str], bytes]]] = {
    "base64": lambda text: base64.b64decode("".join(text.split()), validate=True),
    "hex": bytes.fromhex,
    "pem": _from_pem,
}
