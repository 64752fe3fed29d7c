"""Requests that violate one constraint of AWS's service model each, made from the model.

Rules:
- the words that are expected of the answers are written down here; nothing of the server's own
  reading of the model is used;
- valid values are made from the model as well, so that an operation which it gains is covered
  without a word here. KEY_ID stands for the id of a key that is there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore_model import kms_model

KEY_ID = "0987dcba-09fe-87dc-65ba-ab0987654321"
# A string shape takes the first of these that it admits.
CANDIDATES = (
    KEY_ID,
    "alias/x",
    "us-west-2",
    "x",
    "abcdefgh",
    *(character * length for character in "A0" for length in (12, 20, 43, 64)),
)


def shape(name: str) -> dict[str, Any]:
    return kms_model()["shapes"][name]


def request_of(operation: str) -> dict[str, Any]:
    return shape(kms_model()["operations"][operation]["input"]["shape"])


def camel(name: str) -> str:
    return name[0].lower() + name[1:]


def sample(name: str) -> Any:
    """A value that a shape admits."""
    model = shape(name)
    if "enum" in model:
        return model["enum"][0]
    return MAKERS[model["type"]](model)


def admitted(model: dict[str, Any]) -> str:
    """The first candidate that a string shape admits."""
    return next(text for text in CANDIDATES if not string_failures(model, text))


def needed(model: dict[str, Any]) -> dict[str, Any]:
    """A value for each required member."""
    return {name: sample(model["members"][name]["shape"]) for name in model.get("required", ())}


MAKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "string": admitted,
    "blob": lambda model: base64.b64encode(bytes(model["min"])).decode(),
    "list": lambda model: [sample(model["member"]["shape"])],
    "structure": needed,
    "integer": lambda model: model["min"],
    "boolean": lambda _: True,
    "timestamp": lambda _: 1.0,
    "map": lambda _: {},
}


@dataclass
class Case:
    operation: str
    what: str
    request: dict[str, Any]
    code: str
    message: str


def failed(value: str, path: str, *constraints: str) -> str:
    parts = [f"Value{value} at '{path}' failed to satisfy constraint: {c}" for c in constraints]
    errors = "error" if len(parts) == 1 else "errors"
    return f"{len(parts)} validation {errors} detected: {'; '.join(parts)}"


def string_failures(model: dict[str, Any], value: str) -> list[str]:
    found = []
    pattern = model.get("pattern")
    if pattern and not re.compile(pattern, re.ASCII).fullmatch(value):
        found.append(f"Member must satisfy regular expression pattern: {pattern}")
    if len(value) < model.get("min", 0):
        found.append(f"Member must have length greater than or equal to {model['min']}")
    if "max" in model and len(value) > model["max"]:
        found.append(f"Member must have length less than or equal to {model['max']}")
    return found


def enum_failure(model: dict[str, Any]) -> str:
    return f"Member must satisfy enum value set: [{', '.join(model['enum'])}]"


def bad_strings(model: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if model.get("min", 0) > 0:
        yield "too short", "a" * (model["min"] - 1)
    if "max" in model:
        yield "too long", "a" * (model["max"] + 1)
    if "pattern" in model:
        yield "not of the pattern", "\u2603" * max(1, model.get("min", 1))


def violations(name: str, path: str) -> Iterator[tuple[str, Any, str]]:
    """What violates a shape: which constraint, by which value, with which message."""
    model = shape(name)
    kind = model["type"]
    if kind == "string" and "enum" in model:
        yield "no such name", "NO_SUCH", failed(" 'NO_SUCH'", path, enum_failure(model))
    elif kind == "string":
        for what, value in bad_strings(model):
            shown = "" if model.get("sensitive") else f" '{value}'"
            yield what, value, failed(shown, path, *string_failures(model, value))
    elif kind == "blob":
        for what, size, bound in (
            ("too short", model["min"] - 1, f"greater than or equal to {model['min']}"),
            ("too long", model["max"] + 1, f"less than or equal to {model['max']}"),
        ):
            data = base64.b64encode(bytes(size)).decode()
            yield what, data, failed("", path, f"Member must have length {bound}")
    elif kind == "integer":
        for what, number, bound in (
            ("too small", model["min"] - 1, f"greater than or equal to {model['min']}"),
            ("too large", model["max"] + 1, f"less than or equal to {model['max']}"),
        ):
            words = f"Member must have value {bound}"
            yield what, number, failed(f" '{number}'", path, words)
    elif kind == "list":
        yield from list_violations(model, path)
    elif kind == "structure":
        yield from structure_violations(model, path)


def list_violations(model: dict[str, Any], path: str) -> Iterator[tuple[str, Any, str]]:
    name = model["member"]["shape"]
    each = shape(name)
    if each["type"] == "structure":
        for what, value, message in structure_violations(each, f"{path}.2.member"):
            yield f"second: {what}", [needed(each), value], message
        return
    good = each["enum"][0] if "enum" in each else "a"
    if "max" in model:
        value = [good] * (model["max"] + 1)
        words = f"Member must have length less than or equal to {model['max']}"
        yield "too many", value, failed(f" '[{', '.join(value)}]'", path, words)
    if model.get("min", 0) > 0:
        words = f"Member must have length greater than or equal to {model['min']}"
        yield "too few", [], failed(" '[]'", path, words)
    if "enum" in each:
        all_words, bad = [enum_failure(each)], [("no such name", "NO_SUCH")]
    else:
        all_words = [f"Member must have length less than or equal to {each['max']}",
                     f"Member must have length greater than or equal to {each['min']}"]  # fmt: skip
        bad = list(bad_strings(each))
    words = (
        f"Member must satisfy constraint: [{', '.join([*all_words, 'Member must not be null'])}]"
    )
    for what, value in bad:
        yield f"second: {what}", [good, value], failed(f" '[{good}, {value}]'", path, words)
    yield "second: null", [good, None], failed(f" '[{good}, null]'", path, words)


def structure_violations(model: dict[str, Any], path: str) -> Iterator[tuple[str, Any, str]]:
    base = needed(model)
    for name in model.get("required", ()):
        rest = {other: value for other, value in base.items() if other != name}
        message = failed(" null", f"{path}.{camel(name)}", "Member must not be null")
        yield f"{name} missing", rest, message
    for name, member in model["members"].items():
        for what, value, message in violations(member["shape"], f"{path}.{camel(name)}"):
            yield f"{name} {what}", {**base, name: value}, message


# What is no value of a type, and what AWS says then; 1.5 is taken for an integer by nobody.
WRONG_TYPES: dict[str, list[Any]] = {
    "string": [1, True, [], {}],
    "blob": [1, True, [], {}],
    "integer": ["1", True, [], {}, 1.5],
    "boolean": ["true", 1, [], {}],
    "timestamp": ["2026-01-01", True, [], {}],
    "list": ["a", 1, {}],
    "map": ["a", 1, []],
    "structure": ["a", 1, []],
}
TYPE_NAMES = {
    "string": "a String", "blob": "a Blob", "integer": "an Integer", "boolean": "a Boolean",
    "timestamp": "a Timestamp", "list": "a List", "map": "a Map", "structure": "a Structure",
}  # fmt: skip


def type_message(kind: str, value: Any) -> str:
    if isinstance(value, dict):
        return "Start of structure or map found where not expected."
    if isinstance(value, list):
        return "Start of list found where not expected"
    tokens = {bool: "TRUE_VALUE", str: "STRING_VALUE", int: "NUMBER_VALUE", float: "DECIMAL_VALUE"}
    return f"{tokens[type(value)]} can not be converted to {TYPE_NAMES[kind]}"


def of_wrong_type(name: str) -> Iterator[tuple[Any, str]]:
    """What is of another type than a shape, itself or somewhere inside, and what AWS says."""
    model = shape(name)
    kind = model["type"]
    for value in WRONG_TYPES[kind]:
        yield value, type_message(kind, value)
    if kind == "list":
        for value, message in of_wrong_type(model["member"]["shape"]):
            yield [value], message
    elif kind == "map":
        for value, message in of_wrong_type(model["value"]["shape"]):
            yield {"a": value}, message
    elif kind == "structure":
        for member, each in model["members"].items():
            for value, message in of_wrong_type(each["shape"]):
                yield {**needed(model), member: value}, message


def cases(operation: str) -> Iterator[Case]:
    """Every case of an operation."""
    model = request_of(operation)
    base = needed(model)
    for name in model.get("required", ()):
        message = failed(" null", camel(name), "Member must not be null")
        for what, request in (
            ("missing", {other: value for other, value in base.items() if other != name}),
            ("null", {**base, name: None}),
        ):
            yield Case(operation, f"{name} {what}", request, "ValidationException", message)
    for name, member in model["members"].items():
        for what, value, message in violations(member["shape"], camel(name)):
            request = {**base, name: value}
            yield Case(operation, f"{name} {what}", request, "ValidationException", message)
        for value, message in of_wrong_type(member["shape"]):
            request = {**base, name: value}
            yield Case(
                operation, f"{name} is {value!r}", request, "SerializationException", message
            )
