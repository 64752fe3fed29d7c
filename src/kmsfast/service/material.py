"""Key material of every spec: how it is made, and how it gets into use.

Material that C computes with is unwrapped into the arena and named by a handle; private keys of the
other types become objects of `cryptography`, kept by :class:`PrivateKeys`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from kmsfast.crypto import pkcs8
from kmsfast.crypto.keys import StoreKey, release
from kmsfast.errors import ComputationFault, IncorrectKeyMaterial
from kmsfast.model.key import KeyMetadata
from kmsfast.model.keyspec import KeySpec

__all__ = ["Made", "PrivateKeys", "in_c", "load", "make", "take"]

_MOST: Final = 64


class Made(NamedTuple):
    """Material of a key version, fresh or brought.

    Attributes:
        wrapped: by the store key.
        public_key: of a pair, as a DER SubjectPublicKeyInfo.
        material_name: what tells brought material of the other specs from all other of its key.
    """

    wrapped: bytes
    public_key: bytes | None = None
    material_name: bytes | None = None


class _Core(NamedTuple):
    """How C makes, takes and loads the material of a spec."""

    make: Callable[[StoreKey, bytes, int, int], Made]
    take: Callable[[StoreKey, bytearray, bytes, int, int], Made]
    load: Callable[[StoreKey, KeyMetadata, int, bytes], int]


def _make_symmetric(store: StoreKey, key_id: bytes, version: int, flags: int) -> Made:
    return Made(store.generate_material(key_id, version, flags))


def _take_symmetric(
    store: StoreKey, given: bytearray, key_id: bytes, version: int, flags: int
) -> Made:
    _check_length(given, 32, KeySpec.SYMMETRIC_DEFAULT)
    name = store.name_material(given, key_id)
    return Made(store.import_material(given, key_id, version, flags), material_name=name)


def _hmac(bits: int) -> _Core:
    def make(store: StoreKey, key_id: bytes, version: int, flags: int) -> Made:
        from kmsfast.crypto import mac

        return Made(mac.generate(store, key_id, version, flags, bits=bits))

    def take(store: StoreKey, given: bytearray, key_id: bytes, version: int, flags: int) -> Made:
        from kmsfast.crypto import mac

        _check_length(given, bits // 8, KeySpec(f"HMAC_{bits}"))
        name = store.name_material(given, key_id)
        wrapped = mac.import_material(store, given, key_id, version, flags, bits=bits)
        return Made(wrapped, material_name=name)

    def load(store: StoreKey, key: KeyMetadata, number: int, wrapped: bytes) -> int:
        from kmsfast.crypto import mac

        return mac.load(store, wrapped, key.raw_id, number, key.flags, bits=bits)

    return _Core(make, take, load)


def _check_length(given: bytearray, size: int, spec: KeySpec) -> None:
    if len(given) != size:
        raise IncorrectKeyMaterial(
            f"the key material of a {spec} key has {size} bytes, not {len(given)}"
        )


def _make_p256(store: StoreKey, key_id: bytes, version: int, flags: int) -> Made:
    from kmsfast.crypto import p256, spki

    wrapped, point = p256.generate(store, key_id, version, flags)
    return Made(wrapped, spki.from_point(point))


def _take_p256(store: StoreKey, given: bytearray, key_id: bytes, version: int, flags: int) -> Made:
    from kmsfast.crypto import p256, spki

    with pkcs8.p256_scalar(given) as scalar:
        wrapped, point = p256.import_private(store, scalar, key_id, version, flags)
    return Made(wrapped, spki.from_point(point))


def _load_symmetric(store: StoreKey, key: KeyMetadata, number: int, wrapped: bytes) -> int:
    return store.load_material(wrapped, key.raw_id, number, key.flags)


def _load_p256(store: StoreKey, key: KeyMetadata, number: int, wrapped: bytes) -> int:
    from kmsfast.crypto import p256, spki

    handle, point = p256.load(store, wrapped, key.raw_id, number, key.flags)
    if spki.from_point(point) != key.public_key:
        release(handle)
        raise ComputationFault(
            f"the private key of {key.arn} was loaded as that of another public key: this machine "
            "computed wrongly"
        )
    return handle


_IN_C: Final[dict[KeySpec, _Core]] = {
    KeySpec.SYMMETRIC_DEFAULT: _Core(_make_symmetric, _take_symmetric, _load_symmetric),
    KeySpec.ECC_NIST_P256: _Core(_make_p256, _take_p256, _load_p256),
    KeySpec.HMAC_224: _hmac(224),
    KeySpec.HMAC_256: _hmac(256),
    KeySpec.HMAC_384: _hmac(384),
    KeySpec.HMAC_512: _hmac(512),
}


def in_c(spec: KeySpec) -> bool:
    """Whether C computes with keys of the spec."""
    return spec in _IN_C


def make(store: StoreKey, spec: KeySpec, key_id: bytes, version: int, flags: int) -> Made:
    """Fresh material for a version of a key."""
    if in_c(spec):
        return _IN_C[spec].make(store, key_id, version, flags)
    return Made(*pkcs8.generate(store, spec, key_id, version, flags))


def take(store: StoreKey, key: KeyMetadata, number: int, given: bytearray) -> Made:
    """Material that the caller brings, for a version of a key.

    Raises:
        IncorrectKeyMaterial: it is not what keys of the spec have.
    """
    if in_c(key.spec):
        return _IN_C[key.spec].take(store, given, key.raw_id, number, key.flags)
    return Made(*pkcs8.import_material(store, given, key.raw_id, number, key.flags, spec=key.spec))


def load(store: StoreKey, key: KeyMetadata, number: int, wrapped: bytes) -> int:
    """The handle of a version in the arena, of a key that C computes with.

    Raises:
        StoreIntegrity: the material is not that of the version.
        ComputationFault: a private key that loads as another than its public key says.
    """
    return _IN_C[key.spec].load(store, key, number, wrapped)


class PrivateKeys:
    """Objects of `cryptography` that were used lately, at most 64; the oldest use gives way.

    Safe to share between threads: the worst of a race is that a key is loaded twice.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, int], Any] = OrderedDict()
        self._turn = threading.Lock()

    def of(self, raw_id: bytes, number: int, load: Callable[[], Any]) -> Any:
        """The private key of a version, loaded when it is not known."""
        name = raw_id, number
        with self._turn:
            known = self._known.get(name)
            if known is not None:
                self._known.move_to_end(name)
                return known
        loaded = load()
        with self._turn:
            self._known[name] = loaded
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return loaded

    def forget(self, raw_id: bytes) -> None:
        """Drops the private keys of a key."""
        with self._turn:
            for name in [name for name in self._known if name[0] == raw_id]:
                del self._known[name]

    def clear(self) -> None:
        """Drops all of them."""
        with self._turn:
            self._known.clear()
