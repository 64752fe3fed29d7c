"""Wiring: the one place that turns a path and settings into a running service."""

from __future__ import annotations

import os
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kmsfast.errors import ValidationError
from kmsfast.model.arn import Home
from kmsfast.service.encryption import Encryption
from kmsfast.service.keyring import Keyring
from kmsfast.service.management import Management
from kmsfast.service.outside import OutsideKeys
from kmsfast.service.ports import Clock
from kmsfast.store.directory import StoreDirectory, create_store, open_store
from kmsfast.store.roots import Passphrase, Root, RootKeyFile

if TYPE_CHECKING:
    from kmsfast.model.key_store import KeyStoreType
    from kmsfast.service.asymmetric import Asymmetric
    from kmsfast.service.importing import Importing
    from kmsfast.service.key_stores import KeyStores
    from kmsfast.service.macs import Macs
    from kmsfast.service.policies import Policies
    from kmsfast.service.ports import Outside
    from kmsfast.service.rotations import Rotations
    from kmsfast.service.signing import Signing
    from kmsfast.service.singles import Singles
    from kmsfast.wire.markers import Markers

__all__ = ["BUSY_TIMEOUT", "KEY_STORES", "Application", "checked_root", "start"]

BUSY_TIMEOUT = 10.0
_MAX_TIMEOUT = 86_400
KEY_STORES = "key-stores.toml"


class Application:
    """The parts of a running service.

    What encrypts is there from the start; the others are imported when they are first asked for, so
    that commands without signatures and MACs do not wait for them.
    """

    def __init__(self, store: StoreDirectory, ring: Keyring, key_stores: Path) -> None:
        self.store, self.ring, self._key_stores = store, ring, key_stores
        self.outside = OutsideKeys(ring, self._found_outside)
        ring.when_purged = self.outside.forget
        self.management = Management(ring, self.outside)
        self.encryption = Encryption(ring, self.outside)

    def close(self) -> None:
        """Ends connections to key stores outside, wipes all keys from memory, closes the store."""
        self.outside.close()
        self.ring.close()

    def _found_outside(self, kind: KeyStoreType) -> Outside:
        from kmsfast.external import outside

        return outside(kind, self._key_stores, self.store.home, self.ring.clock)

    @cached_property
    def key_stores(self) -> KeyStores:
        """Custom key stores."""
        from kmsfast.service.key_stores import KeyStores

        return KeyStores(self.ring, self.outside)

    @cached_property
    def asymmetric(self) -> Asymmetric:
        """Public keys, RSA encryption, key agreement, data key pairs."""
        from kmsfast.service.asymmetric import Asymmetric

        return Asymmetric(self.ring)

    @cached_property
    def signing(self) -> Signing:
        """Signatures."""
        from kmsfast.service.signing import Signing

        return Signing(self.ring)

    @cached_property
    def macs(self) -> Macs:
        """MACs."""
        from kmsfast.service.macs import Macs

        return Macs(self.ring)

    @cached_property
    def importing(self) -> Importing:
        """Import of key material."""
        from kmsfast.service.importing import Importing

        return Importing(self.ring)

    @cached_property
    def policies(self) -> Policies:
        """Key policies."""
        from kmsfast.service.policies import Policies

        return Policies(self.ring)

    @cached_property
    def rotations(self) -> Rotations:
        """Rotation as the API has it."""
        from kmsfast.service.rotations import Rotations

        return Rotations(self.ring)

    @cached_property
    def singles(self) -> Singles:
        """Single records for callers that name keys by text."""
        from kmsfast.service.singles import Singles

        return Singles(self.ring, self.encryption.bindings)

    @cached_property
    def markers(self) -> Markers:
        """Markers of listings."""
        from kmsfast.wire.markers import Markers

        return Markers(self.store.store_key.mac, self.ring.clock)


def checked_root(root: Root) -> Root:
    """The root key's place, when it is one.

    Raises:
        ValidationError: neither a RootKeyFile nor a Passphrase.
    """
    if not isinstance(root, RootKeyFile | Passphrase):
        raise ValidationError(
            f"a root key is RootKeyFile(path) or Passphrase(text), not {type(root).__name__}"
        )
    return root


def start(
    path: str | os.PathLike[str],
    *,
    create: bool = False,
    root: Root | None = None,
    region: str | None = None,
    account: str | None = None,
    clock: Clock | None = None,
    busy_timeout: float = BUSY_TIMEOUT,
    key_stores: str | os.PathLike[str] | None = None,
) -> Application:
    """Opens or creates the store at ``path`` and puts the service on it.

    Args:
        key_stores: the configuration of key stores outside; None: ``key-stores.toml`` in ``path``.
    """
    if root is not None:
        checked_root(root)
    if isinstance(busy_timeout, bool) or not isinstance(busy_timeout, int | float):
        raise ValidationError(f"busy_timeout is seconds, not {busy_timeout!r}")
    if not 0 <= busy_timeout <= _MAX_TIMEOUT:
        raise ValidationError(
            f"busy_timeout must be between 0 and {_MAX_TIMEOUT} seconds, not {busy_timeout!r}"
        )
    ticking = clock or time.time
    directory = Path(path)
    if create:
        home = Home(region or Home().region, account or Home().account)
        now = int(ticking() * 1_000_000)
        store = create_store(directory, root, home, now, busy_timeout=busy_timeout)
    else:
        store = open_store(directory, root, region, account, busy_timeout=busy_timeout)
    ring = Keyring(store, ticking)
    opened = Application(store, ring, Path(key_stores or directory / KEY_STORES))
    try:
        ring.purge_due()
    except BaseException:
        opened.close()
        raise
    return opened
