"""Wiring: the one place that turns a path and settings into a running service.

A deployment is one store, and a service on it for each region and account that somebody asks for.
They share the store's database, its epoch and the arena, and nothing else: keys of one are not seen
in another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kmsfast.errors import ValidationError
from kmsfast.model.arn import Home
from kmsfast.model.quotas import AWS, Quotas
from kmsfast.service.encryption import Encryption
from kmsfast.service.keyring import Keyring
from kmsfast.service.management import Management
from kmsfast.service.outside import OutsideKeys
from kmsfast.service.ports import Clock
from kmsfast.store.directory import StoreDirectory, StoreScope, create_store, open_store
from kmsfast.store.quotas import QUOTAS, load_quotas
from kmsfast.store.roots import Passphrase, Root, RootKeyFile

if TYPE_CHECKING:
    from kmsfast.audit.recorder import Recorder
    from kmsfast.audit.trail import Trail
    from kmsfast.model.census import Census
    from kmsfast.model.key_store import KeyStoreType
    from kmsfast.service.access import Access
    from kmsfast.service.asymmetric import Asymmetric
    from kmsfast.service.authorization import Authorizer
    from kmsfast.service.billing import Billing
    from kmsfast.service.encapsulation import Encapsulation
    from kmsfast.service.grants import Grants
    from kmsfast.service.importing import Importing
    from kmsfast.service.key_stores import KeyStores
    from kmsfast.service.listings import Listings
    from kmsfast.service.macs import Macs
    from kmsfast.service.multi_region import MultiRegion
    from kmsfast.service.policies import Policies
    from kmsfast.service.ports import Outside
    from kmsfast.service.principals import Principals
    from kmsfast.service.remembered import Remembered
    from kmsfast.service.rotations import Rotations
    from kmsfast.service.seeding import Seeding
    from kmsfast.service.signing import Signing
    from kmsfast.service.singles import Singles
    from kmsfast.wire.markers import Markers

__all__ = [
    "BUSY_TIMEOUT",
    "KEY_STORES",
    "Application",
    "Deployment",
    "checked_root",
    "start",
]

BUSY_TIMEOUT = 10.0
AUDIT = "audit"
_MAX_TIMEOUT = 86_400
KEY_STORES = "key-stores.toml"


class Deployment:
    """One store and the services on it.

    Attributes:
        key_stores: the configuration of key stores outside, whether it is there or not.
        quotas: of each account in each region.
    """

    def __init__(
        self, directory: StoreDirectory, clock: Clock, key_stores: Path, quotas: Quotas = AWS
    ) -> None:
        self.directory, self._clock, self.key_stores = directory, clock, key_stores
        self.quotas = quotas
        self._regions: tuple[str, ...] = ()
        self._made: dict[Home, Application] = {}
        self._recorders: list[Recorder] = []
        self._closed = False

    def at(self, home: Home) -> Application:
        """The service of a region and account; it has no keys where nobody made any.

        Raises:
            KmsError: the store was closed.
        """
        made = self._made.get(home)
        if made is None:
            ring = Keyring(self.directory.at(home), self._clock, self.quotas)
            made = self._made.setdefault(home, Application(self, ring))
        if self._closed:  # meanwhile; close may have been here before this one was
            made.ring.close()
            made.ring.check_open()
        return made

    @cached_property
    def principals(self) -> Principals:
        """Whom the store knows; names are of the account of its home."""
        return self.at(self.directory.home).principals

    @cached_property
    def access(self) -> Access:
        """Access keys at work."""
        from kmsfast.service.access import Access

        return Access(self.directory, self.principals)

    @cached_property
    def trail(self) -> Trail:
        """The audit log."""
        from kmsfast.audit.trail import Trail

        store = self.directory
        return Trail(store.path / AUDIT, store.store_key, store.store_id, self._clock)

    def recorder(self, *, strict: bool = False) -> Recorder:
        """What writes events of a door to the audit log; it is closed with the store."""
        from kmsfast.audit.recorder import Recorder

        made = Recorder(self.trail, strict=strict)
        self._recorders.append(made)
        return made

    def census(self, most: int) -> Census:
        """How many keys of what kind the store has, in all regions and accounts.

        Args:
            most: how many keys are named of those that end.
        """
        return self.directory.census(most)

    def homes(self) -> list[Home]:
        """The regions and accounts that have had keys, and the store's own home."""
        return self.directory.homes()

    def forget_keys(self) -> None:
        """Wipes all keys from the arena, and ends connections to key stores outside.

        What is used again is loaded and connected again.
        """
        for each in list(self._made.values()):
            each.outside.close()
            each.ring.forget_all()

    def reload(self) -> None:
        """Ends connections to key stores outside; their configuration is read again when needed."""
        for each in list(self._made.values()):
            each.outside.close()

    def serve_regions(self, names: Iterable[str]) -> None:
        """Says which regions are served; none: those of :meth:`homes`.

        Raises:
            ValidationError: a malformed name.
        """
        self._regions = tuple(Home(name).region for name in names)

    def served_regions(self) -> tuple[str, ...]:
        """The regions that are served, the default one first."""
        regions = self._regions or [home.region for home in self.homes()]
        return tuple(dict.fromkeys(regions))

    def close(self) -> None:
        """Ends connections to key stores outside, wipes all keys, and closes the store."""
        if self._closed:
            return
        self._closed = True
        for each in list(self._made.values()):
            each.outside.close()
            each.ring.close()  # which ends the windows of uses, of which there are events
        for recorder in self._recorders:
            recorder.close()
        self.directory.close()


class Application:
    """The parts of a running service for one region and account.

    What encrypts is there from the start; the others are imported when they are first asked for, so
    that commands without signatures and MACs do not wait for them.

    Attributes:
        deployment: leads to the services of other regions and accounts on the same store.
    """

    def __init__(self, deployment: Deployment, ring: Keyring) -> None:
        self.deployment, self.ring = deployment, ring
        self.store: StoreScope = deployment.directory.at(ring.store.home)
        self.outside = OutsideKeys(ring, self._found_outside)
        ring.when_purged = self.outside.forget
        self.management = Management(ring, self.outside, self._checked_policy)
        self.encryption = Encryption(ring, self.outside)

    def _found_outside(self, kind: KeyStoreType) -> Outside:
        from kmsfast.external import outside

        return outside(kind, self.deployment.key_stores, self.store.home, self.ring.clock)

    def _checked_policy(self, document: str | None) -> str | None:
        """A key policy that can be put; None is the default one, and imports nothing."""
        if document is None:
            return None
        from kmsfast.service.policies import checked_to_put

        most = self.ring.quotas.key_policy_bytes
        return checked_to_put(document, self.deployment.principals.known, most)

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
    def encapsulation(self) -> Encapsulation:
        """Shared secrets by ML-KEM."""
        from kmsfast.service.encapsulation import Encapsulation

        return Encapsulation(self.ring)

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

        return Policies(self.ring, self._checked_policy, self.deployment.principals.arn)

    @cached_property
    def billing(self) -> Billing:
        """What there is to bill."""
        from kmsfast.service.billing import Billing

        return Billing(self.ring)

    @cached_property
    def principals(self) -> Principals:
        """Whom the store knows."""
        from kmsfast.service.principals import Principals

        directory = self.deployment.directory
        return Principals(directory, self.store.home, self.ring.clock)

    @cached_property
    def authorizer(self) -> Authorizer:
        """Who may do what."""
        from kmsfast.service.authorization import Authorizer

        return Authorizer(self.ring, self.deployment.principals, self.grants.of_grantee)

    @cached_property
    def grants(self) -> Grants:
        """Grants and their tokens."""
        from kmsfast.service.grants import Grants

        return Grants(self.ring)

    @cached_property
    def rotations(self) -> Rotations:
        """Rotation as the API has it."""
        from kmsfast.service.rotations import Rotations

        return Rotations(self.ring)

    @cached_property
    def seeding(self) -> Seeding:
        """Keys with given ids, and an emptied store."""
        from kmsfast.service.seeding import Seeding

        return Seeding(self.ring)

    @cached_property
    def multi_region(self) -> MultiRegion:
        """Replicas of multi-Region keys."""
        from kmsfast.service.multi_region import MultiRegion

        return MultiRegion(self.ring, self._checked_policy)

    @cached_property
    def singles(self) -> Singles:
        """Single records for callers that name keys by text."""
        from kmsfast.service.singles import Singles

        return Singles(self.ring, self.encryption.bindings)

    @cached_property
    def remembered(self) -> Remembered:
        """What signs and MACs for callers that name keys by text."""
        from kmsfast.service.remembered import Remembered

        return Remembered(self.ring.epoch)

    @cached_property
    def listings(self) -> Listings:
        """What long listings have read for their next pages."""
        from kmsfast.service.listings import Listings

        return Listings(self.ring.epoch)

    @cached_property
    def markers(self) -> Markers:
        """Markers of listings."""
        from kmsfast.wire.markers import Markers

        return Markers(self.store.store_key.mac, self.ring.clock, self.store.home.arn(""))

    def beside(self, region: str) -> Application:
        """The service of another region for the same account."""
        return self.deployment.at(replace(self.store.home, region=region))

    def close(self) -> None:
        """Closes the whole deployment."""
        self.deployment.close()


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
    quotas: str | os.PathLike[str] | None = None,
) -> Application:
    """Opens or creates the store at ``path`` and puts the service of a region and account on it.

    Args:
        region: by default that of the store, which is us-east-1 for a new one.
        account: likewise; 000000000000 for a new one.
        key_stores: the configuration of key stores outside; None: ``key-stores.toml`` in ``path``.
        quotas: the quotas that are not AWS's; None: ``quotas.toml`` in ``path``, if it is there.
    """
    if root is not None:
        checked_root(root)
    if isinstance(busy_timeout, bool) or not isinstance(busy_timeout, int | float):
        raise ValidationError(f"busy_timeout is seconds, not {busy_timeout!r}")
    if not 0 <= busy_timeout <= _MAX_TIMEOUT:
        raise ValidationError(
            f"busy_timeout must be between 0 and {_MAX_TIMEOUT} seconds, not {busy_timeout!r}"
        )
    limits = AWS if quotas is None else load_quotas(Path(quotas))
    ticking = clock or time.time
    directory = Path(path)
    chosen = Home(region or Home().region, account or Home().account)
    if create:
        now = int(ticking() * 1_000_000)
        store = create_store(directory, root, chosen, now, busy_timeout=busy_timeout)
    else:
        store = open_store(directory, root, busy_timeout=busy_timeout)
    deployment = Deployment(store, ticking, Path(key_stores or directory / KEY_STORES), limits)
    try:
        if quotas is None:
            deployment.quotas = load_quotas(directory / QUOTAS, missing_ok=True)
        for home in deployment.homes():
            deployment.at(home).ring.purge_due()
        return deployment.at(Home(region or store.home.region, account or store.home.account))
    except BaseException:
        deployment.close()
        raise
