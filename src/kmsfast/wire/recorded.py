"""What of requests and answers may be recorded, by the shapes of AWS's service model.

Rules:
- only what the model knows is kept: a member that it does not have, a value of another type, and
  whatever it calls a blob or sensitive goes, at any depth. So neither key material nor data nor a
  password is recorded, under its own name or under a misspelt one;
- names and values of an encryption context are kept, as CloudTrail keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

__all__ = ["Recordable", "recordable"]

Keep = Callable[[Any], Any]
"""The part of a value that may be recorded; None: nothing."""


class Recordable(NamedTuple):
    """What may be recorded of an operation."""

    request: Keep
    answer: Keep


def recordable(model: Mapping[str, Any]) -> dict[str, Recordable]:
    """For each operation of a service model as botocore has it (``service-2.json``)."""
    shapes: Mapping[str, Mapping[str, Any]] = model["shapes"]

    def of(named: Mapping[str, Any] | None) -> Keep:
        return _nothing if named is None else _keep(shapes, named["shape"])

    return {
        name: Recordable(of(each.get("input")), of(each.get("output")))
        for name, each in model["operations"].items()
    }


def _keep(shapes: Mapping[str, Mapping[str, Any]], name: str) -> Keep:
    shape = shapes[name]
    kind = shape["type"]
    if shape.get("sensitive") or kind == "blob":
        return _nothing
    if kind == "structure":
        plain: dict[str, tuple[type, ...]] = {}
        deep: dict[str, Keep] = {}
        for member, each in shape["members"].items():
            of = shapes[each["shape"]]
            if each.get("sensitive") or of.get("sensitive"):
                continue
            if of["type"] in _TYPES:
                plain[member] = _TYPES[of["type"]]
            elif of["type"] != "blob":
                deep[member] = _keep(shapes, each["shape"])
        return lambda value: _of_structure(plain, deep, value)
    if kind == "list":
        inner = _keep(shapes, shape["member"]["shape"])
        return lambda value: _of_list(inner, value)
    if kind == "map":
        inner = _keep(shapes, shape["value"]["shape"])
        return lambda value: _of_map(inner, value)
    types = _TYPES[kind]
    return lambda value: value if _is_kept(value, types) else None


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "timestamp": (int, float),
}


_TOO_LARGE: Final = 1 << 63


def _nothing(_value: Any) -> None:
    return None


def _is_kept(value: Any, types: tuple[type, ...]) -> bool:
    """Whether a value is of the type that it must have; numbers have at most 64 bits."""
    kind = type(value)
    return kind in types and (kind is not int or -_TOO_LARGE <= value < _TOO_LARGE)


def _of_structure(
    plain: Mapping[str, tuple[type, ...]], deep: Mapping[str, Keep], value: Any
) -> Any:
    if type(value) is not dict:
        return None
    kept = {}
    for name, each in value.items():
        if name in plain:
            if _is_kept(each, plain[name]):
                kept[name] = each
        elif name in deep:
            inner = deep[name](each)
            if inner is not None:
                kept[name] = inner
    return kept


def _of_list(inner: Keep, value: Any) -> Any:
    return tuple(inner(each) for each in value) if isinstance(value, list) else None


def _of_map(inner: Keep, value: Any) -> Any:
    return {name: inner(each) for name, each in value.items()} if isinstance(value, dict) else None
