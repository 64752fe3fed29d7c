"""CloudHSM key stores: PKCS#11 tokens that stand for clusters.

Rules:
- the user's PIN is the password of the key store; a session is opened when the first call needs
  one, and kept, so that a process that opens a connected store again needs nobody's help;
- a PIN that the token refused is not tried again before the key store is connected anew: tokens
  lock their user out after a few wrong ones;
- keys are made in the token: AES-256, sensitive, not extractable, for encryption and decryption
  alone; their CKA_ID is the key's id, 16 bytes;
- AES-GCM runs in the token, with nonces of 12 random bytes from here, since PKCS#11 v2.40 takes
  them from the caller;
- tokens tell a wrong tag from a failure of their own in different ways, and SoftHSM does not: after
  an unclear error a probe with the same key decides;
- one call at a time for each PKCS#11 library (:mod:`.pkcs11_module`).

Source: PKCS#11 Cryptographic Token Interface Base and Current Mechanisms Specification 2.40.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import pkcs11
from pkcs11 import exceptions

from kmsfast.crypto.certificates import fingerprint
from kmsfast.errors import IncorrectTrustAnchor, InvalidCiphertext
from kmsfast.external.configuration import Cluster
from kmsfast.external.pkcs11_module import Library, library_of
from kmsfast.model.key_store_faults import Fault, OutsideFailed
from kmsfast.model.outside_blob import Box
from kmsfast.service.ports import Place, Use

__all__ = ["Tokens"]

_NONCE_LEN: Final = 12
_TAG_LEN: Final = 16
_BITS: Final = 256
_NEEDED: Final = frozenset({pkcs11.Mechanism.AES_KEY_GEN, pkcs11.Mechanism.AES_GCM})
T = TypeVar("T")

_FAULTS: Final[Mapping[type[Exception], Fault]] = {
    exceptions.PinIncorrect: Fault.CREDENTIALS,
    exceptions.PinInvalid: Fault.CREDENTIALS,
    exceptions.PinLenRange: Fault.CREDENTIALS,
    exceptions.PinExpired: Fault.CREDENTIALS,
    exceptions.PinLocked: Fault.LOCKED_OUT,
    exceptions.UserPinNotInitialized: Fault.NO_USER,
    exceptions.UserAlreadyLoggedIn: Fault.LOGGED_IN,
    exceptions.AnotherUserAlreadyLoggedIn: Fault.LOGGED_IN,
    exceptions.NoSuchToken: Fault.NO_TOKEN,
    exceptions.MultipleTokensReturned: Fault.NO_TOKEN,
    exceptions.TokenNotPresent: Fault.NO_TOKEN,
    exceptions.TokenNotRecognised: Fault.NO_TOKEN,
    exceptions.DeviceRemoved: Fault.NO_TOKEN,
    exceptions.SlotIDInvalid: Fault.NO_TOKEN,
    exceptions.NoSuchKey: Fault.TOKEN_KEY,
    exceptions.MechanismInvalid: Fault.MECHANISM,
    exceptions.MechanismParamInvalid: Fault.MECHANISM,
}
# A session that ended, not a call that failed; another session may do.
_ENDED: Final = (
    exceptions.SessionClosed,
    exceptions.SessionHandleInvalid,
    exceptions.UserNotLoggedIn,
    exceptions.ObjectHandleInvalid,
    exceptions.KeyHandleInvalid,
    exceptions.DeviceRemoved,
    exceptions.TokenNotPresent,
)
# Faults after which a library is asked to look for its tokens again.
_AWAY: Final = frozenset({Fault.NO_TOKEN, Fault.TOKEN})
_WRONG: Final = (exceptions.EncryptedDataInvalid, exceptions.EncryptedDataLenRange)


class _Held(NamedTuple):
    """A session of a token whose user is logged in, and the keys that it has found.

    Attributes:
        generation: of the library, whose sessions end with it.
    """

    session: Any
    keys: dict[str, Any]
    generation: int


class _Slot:
    """One key store's use of its token; with the library's lock held."""

    def __init__(self) -> None:
        self.held: _Held | None = None
        self.refused = False

    def current(self, library: Library) -> _Held | None:
        """The session, while it is one."""
        held = self.held
        if held is not None and (library.is_of_parent or held.generation != library.generation):
            self.held = None
        return self.held

    def drop(self, library: Library) -> None:
        """Ends the session; the token may be gone, and the session with it."""
        held, self.held = self.current(library), None
        if held is not None:
            with suppress(exceptions.PKCS11Error):
                held.session.close()


class Tokens:
    """The tokens of all CloudHSM key stores; see :class:`kmsfast.service.ports.Outside`.

    Args:
        clusters: the token of each CloudHSM cluster.
        path: of the configuration that they are from.
    """

    def __init__(self, clusters: Mapping[str, Cluster], path: Path) -> None:
        self._clusters, self._path = clusters, path
        self._slots: dict[str, tuple[Library, _Slot]] = {}
        self._turn = threading.Lock()

    def check(self, place: Place, operation: str) -> None:  # noqa: ARG002 - as the port has it
        """Passes when there is an initialised token with the trust anchor.

        Raises:
            OutsideFailed: none is configured, it is not there, or it lacks AES-GCM.
            IncorrectTrustAnchor: the configuration names another certificate.
        """
        cluster = self._cluster(place)
        if cluster.trust_anchor is not None and (
            fingerprint(cluster.trust_anchor) != fingerprint(place.store.trust_anchor or "")
        ):
            raise IncorrectTrustAnchor(
                f"The trust anchor certificate is not that of CloudHSM cluster "
                f"{place.store.cluster_id}"
            )
        library = library_of(cluster.module)
        with library.lock, _explained():
            library.check_process()
            token = library.token(cluster.token)
            if pkcs11.TokenFlag.TOKEN_INITIALIZED not in token.flags:
                raise OutsideFailed(Fault.NO_TOKEN)
            if not set(token.slot.get_mechanisms()) >= _NEEDED:
                raise OutsideFailed(Fault.MECHANISM)

    def connect(self, place: Place, operation: str) -> None:
        """Logs in with the password as it is now; a token that was away is looked for once more."""
        library, slot = self._slot(place)
        with library.lock:
            library.check_process()
            slot.drop(library)
            slot.refused = False
            try:
                with _explained():
                    self._open(library, slot, place)
            except OutsideFailed as failed:
                if failed.fault not in _AWAY:
                    raise
                with _explained():
                    library.renew()
                    self._open(library, slot, place)
        self.check(place, operation)

    def disconnect(self, key_store_id: str) -> None:
        """Logs out."""
        with self._turn:
            found = self._slots.pop(key_store_id, None)
        if found is not None:
            library, slot = found
            with library.lock:
                slot.drop(library)

    def make_key(self, place: Place, name: str, use: Use) -> None:  # noqa: ARG002
        """Makes a key in the token; its label is its name."""

        def make(held: _Held) -> None:
            held.keys[name] = held.session.generate_key(
                pkcs11.KeyType.AES,
                _BITS,
                id=_id(name),
                label=name,
                store=True,
                capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
                template={
                    pkcs11.Attribute.SENSITIVE: True,
                    pkcs11.Attribute.EXTRACTABLE: False,
                    pkcs11.Attribute.MODIFIABLE: False,
                },
            )

        self._with_session(place, make)

    def destroy_key(self, place: Place, name: str) -> None:
        """Removes a key from the token."""

        def destroy(held: _Held) -> None:
            _key(held, name).destroy()
            held.keys.pop(name, None)

        self._with_session(place, destroy)

    def seal(self, place: Place, use: Use, plaintext: bytes, aad: bytes) -> Box:
        """Encrypts in the token."""
        nonce = os.urandom(_NONCE_LEN)
        whole = self._with_session(
            place, lambda held: _key(held, use.name).encrypt(plaintext, **_gcm(nonce, aad))
        )
        if len(whole) != len(plaintext) + _TAG_LEN:
            raise OutsideFailed(Fault.TOKEN)
        return Box(nonce, b"", whole[:-_TAG_LEN], whole[-_TAG_LEN:])

    def open(self, place: Place, use: Use, box: Box, aad: bytes) -> bytes:
        """Decrypts in the token.

        Raises:
            InvalidCiphertext: it does not authenticate.
        """
        whole = box.ciphertext + box.tag

        def decrypt(held: _Held) -> bytes:
            key = _key(held, use.name)
            try:
                return bytes(key.decrypt(whole, **_gcm(box.nonce, aad)))
            except _ENDED:
                raise
            except exceptions.PKCS11Error as error:
                if not isinstance(error, _WRONG):
                    key.encrypt(b"", **_gcm(os.urandom(_NONCE_LEN), b""))  # the probe
                raise InvalidCiphertext(
                    "the blob does not open: it was changed, or the encryption context differs "
                    "from the one it was encrypted with"
                ) from None

        return self._with_session(place, decrypt)

    def random(self, place: Place, num_bytes: int) -> bytes:
        """Random bytes of the token."""
        return self._with_session(
            place, lambda held: bytes(held.session.generate_random(8 * num_bytes))
        )

    def close(self) -> None:
        """Logs out of all tokens."""
        for key_store_id in list(self._slots):
            self.disconnect(key_store_id)

    def _cluster(self, place: Place) -> Cluster:
        cluster = self._clusters.get(place.store.cluster_id or "")
        if cluster is None:
            raise OutsideFailed(
                Fault.CLUSTER,
                hint=f"{place.store.cluster_id!r} is not in the clusters of {str(self._path)!r}",
            )
        return cluster

    def _slot(self, place: Place) -> tuple[Library, _Slot]:
        library = library_of(self._cluster(place).module)
        with self._turn:
            found = self._slots.get(place.store.id)
            if found is None or found[0] is not library:
                found = self._slots[place.store.id] = library, _Slot()
            return found

    def _with_session(self, place: Place, use: Callable[[_Held], T]) -> T:
        """Calls ``use`` with a session; once more with a new one when the session had ended."""
        library, slot = self._slot(place)
        with library.lock, _explained():
            library.check_process()
            held = slot.current(library)
            if held is not None:
                try:
                    return use(held)
                except _ENDED:
                    slot.drop(library)
                except exceptions.PKCS11Error:
                    slot.drop(library)  # the next call begins anew
                    raise
            return use(self._open(library, slot, place))

    def _open(self, library: Library, slot: _Slot, place: Place) -> _Held:
        if slot.refused:
            raise OutsideFailed(
                Fault.CREDENTIALS, hint="the token refused it; connect the key store again"
            )
        token = library.token(self._cluster(place).token)
        with place.secret() as secret:
            try:
                session = token.open(rw=True, user_pin=bytes(secret).decode())
            except exceptions.PKCS11Error as error:
                slot.refused = _FAULTS.get(type(error)) in {Fault.CREDENTIALS, Fault.LOCKED_OUT}
                raise
        slot.held = _Held(session, {}, library.generation)
        return slot.held


def _key(held: _Held, name: str) -> Any:
    """A key of the token, looked up once in each session."""
    found = held.keys.get(name)
    if found is None:
        found = held.keys[name] = held.session.get_key(
            object_class=pkcs11.ObjectClass.SECRET_KEY, id=_id(name)
        )
    return found


def _id(name: str) -> bytes:
    """The CKA_ID of a key: the 16 bytes of its id."""
    return bytes.fromhex(name.replace("-", ""))


def _gcm(nonce: bytes, aad: bytes) -> dict[str, Any]:
    return {
        "mechanism": pkcs11.Mechanism.AES_GCM,
        "mechanism_param": pkcs11.GCMParams(nonce=nonce, aad=aad),
    }


@contextmanager
def _explained() -> Iterator[None]:
    """Errors of PKCS#11 as faults."""
    try:
        yield
    except exceptions.PKCS11Error as error:
        raise OutsideFailed(
            _FAULTS.get(type(error), Fault.TOKEN), hint=f"PKCS#11 says {type(error).__name__}"
        ) from error
