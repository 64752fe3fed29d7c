"""The key that signs checkpoints: a P-256 pair of the log's own, its private key wrapped.

The file ``signer`` in the log's directory: 64 bytes public key (x || y), 72 bytes private key
wrapped by the store key, 32 bytes MAC of both by the store key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kmsfast.audit.segments import write_whole
from kmsfast.crypto import p256
from kmsfast.crypto.keys import StoreKey, release
from kmsfast.crypto.native import with_handle
from kmsfast.errors import AuditUnusable

__all__ = ["Signer"]

_PUBLIC_LEN, _WRAPPED_LEN, _MAC_LEN = 64, 72, 32
# What the wrapped key is bound to in place of the id of a key.
_ID: Final = b"audit checkpoint"


class Signer:
    """Signs checkpoints.

    Attributes:
        public_key: x || y, 64 bytes.
    """

    def __init__(self, store_key: StoreKey, data: bytes, path: Path) -> None:
        body, mac = data[:-_MAC_LEN], data[-_MAC_LEN:]
        if len(body) != _PUBLIC_LEN + _WRAPPED_LEN or not store_key.check_mac(mac, _message(body)):
            raise AuditUnusable(
                f"{path} was changed from outside or is damaged; restore it from a backup, or "
                "begin a new audit log with 'kmsfast audit restart'"
            )
        self._store_key, self._wrapped = store_key, body[_PUBLIC_LEN:]
        self.public_key = body[:_PUBLIC_LEN]
        self._handle = 0

    @classmethod
    def create(cls, store_key: StoreKey, path: Path) -> Signer:
        """Makes the key and its file, in place of one that is there.

        Raises:
            OSError: the file cannot be written.
        """
        wrapped, public = p256.generate(store_key, _ID, 1, 0)
        body = public + wrapped
        data = body + store_key.mac(_message(body))
        write_whole(path, data)
        return cls(store_key, data, path)

    @classmethod
    def load(cls, store_key: StoreKey, path: Path) -> Signer:
        """Reads the file.

        Raises:
            OSError: it cannot be read. AuditUnusable: it is not authentic.
        """
        return cls(store_key, path.read_bytes(), path)

    def sign(self, digest: bytes) -> bytes:
        """The signature of a SHA-256 digest, r || s, 64 bytes."""
        return with_handle(
            self._load, lambda handle: p256.sign(handle, digest, encoding=p256.Encoding.RAW)
        )

    def close(self) -> None:
        """Wipes the private key."""
        if self._handle:
            release(self._handle)
            self._handle = 0

    def _load(self) -> int:
        from kmsfast.crypto.keys import in_arena

        if not self._handle or not in_arena(self._handle):
            self._handle, public = p256.load(self._store_key, self._wrapped, _ID, 1, 0)
            if public != self.public_key:
                raise AuditUnusable("the audit log's private key is not that of its public key")
        return self._handle


def _message(body: bytes) -> bytes:
    return b"kmsfast audit signer v1" + body
