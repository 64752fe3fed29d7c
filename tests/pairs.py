"""Keys of every spec and usage in one store, for tests that use them and change nothing."""

from __future__ import annotations

from pathlib import Path

import kmsfast
from kmsfast.model.keyspec import algorithms_of

Kind = tuple[kmsfast.KeySpec, kmsfast.KeyUsage]

KINDS: list[Kind] = [
    (spec, usage)
    for spec in kmsfast.KeySpec
    for usage in kmsfast.KeyUsage
    if algorithms_of(spec, usage)
]
SIGNING = [kind for kind in KINDS if kind[1] == "SIGN_VERIFY"]
RSA_ENCRYPTING = [
    kind for kind in KINDS if kind[1] == "ENCRYPT_DECRYPT" and kind[0].startswith("RSA")
]
AGREEING = [kind for kind in KINDS if kind[1] == "KEY_AGREEMENT"]
ENCAPSULATING = [kind for kind in KINDS if kind[1] == "ENCAPSULATE_DECAPSULATE"]
MACS = [kind for kind in KINDS if kind[1] == "GENERATE_VERIFY_MAC"]


def name_of(kind: Kind) -> str:
    """What pytest calls it."""
    return f"{kind[0]}-{kind[1]}"


class AllKeys:
    """A store with a key of each kind, made when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self.kms = kmsfast.open(path, create=True)
        self._made: dict[Kind, kmsfast.Key] = {}

    def __getitem__(self, kind: Kind) -> kmsfast.Key:
        if kind not in self._made:
            self._made[kind] = self.kms.create_key(spec=kind[0], usage=kind[1])
        return self._made[kind]
