"""Every public method of the in-process objects is there in the clients, with its parameters."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from kmsfast.client import aio, sync
from kmsfast.local import Key, Kms

# What only the owner of a store can do, and what is asked otherwise of a server.
OWN = {"audit", "change_root", "cost", "describe", "principals", "quotas", "at"}
# Of the asynchronous client: properties are awaited by other names, files are written by threads.
AWAITED_OTHERWISE = {
    "state", "spec", "usage", "origin", "backing", "algorithms", "description", "aliases", "tags",
    "policy", "multi_region", "manager", "regions", "created_at", "deletion_date",
    "current_version", "rotation", "valid_to", "encrypt_stream", "decrypt_stream",
}  # fmt: skip
REMEMBERING = {"forget_remembered", "arn", "id"}


def _public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")} - REMEMBERING


PAIRS = [
    (Kms, sync.Kms, OWN),
    (Key, sync.Key, set()),
    (Kms, aio.AsyncKms, OWN | AWAITED_OTHERWISE),
    (Key, aio.AsyncKey, AWAITED_OTHERWISE),
]


@pytest.mark.parametrize(("local", "client", "without"), PAIRS)
def test_methods_are_there(local: Any, client: Any, without: set[str]) -> None:
    assert _public(local) - without - _public(client) == set()


@pytest.mark.parametrize(("local", "client", "without"), PAIRS)
def test_parameters_are_the_same(local: Any, client: Any, without: set[str]) -> None:
    for name in sorted(_public(local) & _public(client) - without):
        ours, theirs = getattr(local, name), getattr(client, name)
        if isinstance(ours, property):
            continue
        made = getattr(theirs, "_make", theirs)
        assert _parameters(ours) == _parameters(made), name


def _parameters(function: Any) -> list[tuple[str, Any, Any]]:
    found = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in found]
