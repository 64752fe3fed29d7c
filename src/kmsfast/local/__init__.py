"""The in-process door: a key store opened in this process, and its keys as objects.

Rules:
- objects hold a name and caches, never key material; they are safe to share between threads;
- one record takes a short path: what the last call needed is remembered and used while it is good
  (:mod:`.remembered`). Whatever is unusual falls through to the service;
- after a fork every object of the parent raises StoreForked in the child; open the store there.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from kmsfast import app
from kmsfast.doors import Door, Visitor, checked_mode
from kmsfast.local.key import Key
from kmsfast.local.kms import Kms
from kmsfast.service.encryption import BatchResult, DataKey, SealedBatch
from kmsfast.service.inspection import inspect
from kmsfast.service.ports import Clock
from kmsfast.store.roots import Passphrase, Root, RootKeyFile

__all__ = [
    "BatchResult",
    "DataKey",
    "Key",
    "Kms",
    "Passphrase",
    "RootKeyFile",
    "SealedBatch",
    "Source",
    "inspect",
    "of_owner",
    "open",
    "open_for",
]


def open(  # noqa: A001 - kmsfast.open is to a store what open is to a file
    path: str | os.PathLike[str],
    *,
    create: bool = False,
    root: Root | None = None,
    region: str | None = None,
    account: str | None = None,
    clock: Clock | None = None,
    busy_timeout: float = app.BUSY_TIMEOUT,
    key_stores: str | os.PathLike[str] | None = None,
    quotas: str | os.PathLike[str] | None = None,
    principal: str | None = None,
    audit: str = "on",
) -> Kms:
    """Opens the key store in the directory ``path``.

    Args:
        create: make an empty store there, and its root key; the only way to get either.
        root: RootKeyFile(path) or Passphrase(text); None: ``root.key`` in the directory, or the
            key file that the store was created with.
        region: whose keys; a store has keys of several, and those of one are not seen in another.
            Default: the one that the store was created with, which is us-east-1 when it said none.
        account: likewise, 12 digits; 000000000000 when the store was created without one.
        clock: Unix time in seconds; for tests. Default: the system's.
        busy_timeout: seconds to wait for another process that writes.
        key_stores: the file that says what stands behind custom key stores
            (docs/custom-key-stores.md); None: ``key-stores.toml`` in the directory.
        quotas: the file that says which quotas are not AWS's (docs/quotas.md); None:
            ``quotas.toml`` in the directory, if it is there.
        principal: whom policies and grants decide about: the name or ARN of a user or role that the
            store knows, or the ARN of a session; None: the owner of the store, who may do
            everything (docs/principals.md).
        audit: "on": every operation is recorded before its result is there (docs/audit.md);
            "strict": each one by itself and on the disk; "off": none.

    Raises:
        PrincipalNotFound: the store knows nobody of that name.
        StoreNotFound, StoreExists: there is no store, or with ``create`` there is one.
        RootKeyMissing, RootKeyWrong: the root key is gone, or not the one of this store.
        StoreIntegrity: the store was changed from outside.
        StoreUnusable: read-only directory, full disk, damaged or newer store.
        StoreBusy: another process was writing for longer than ``busy_timeout``.
    """
    return open_for(
        path, Source("in-process", f"kmsfast-python uid/{os.getuid()}"), create=create, root=root,
        region=region, account=account, clock=clock, busy_timeout=busy_timeout,
        key_stores=key_stores, quotas=quotas, principal=principal, audit=audit,
    )  # fmt: skip


class Source(NamedTuple):
    """Where calls come from, as events say it.

    Attributes:
        address: the door.
        agent: the program, and the user of the operating system.
    """

    address: str
    agent: str


def open_for(
    path: str | os.PathLike[str],
    source: Source,
    *,
    principal: str | None = None,
    audit: str = "on",
    **settings: Any,
) -> Kms:
    """As :func:`open`, for a door that stands on this one."""
    checked_mode(audit)
    application = app.start(path, **settings)
    deployment = application.deployment
    try:
        visitor = Visitor(
            lambda: deployment.principals, principal, source=source.address, agent=source.agent
        )
        strict = audit == "strict"
        recorder = None if audit == "off" else deployment.recorder(strict=strict)
        return Kms(Door(application, visitor, recorder, counts=not strict))
    except BaseException:
        deployment.close()
        raise


def of_owner(application: app.Application) -> Kms:
    """What another door has open, as its owner has it; what is done by this is not recorded."""
    deployment = application.deployment
    visitor = Visitor(lambda: deployment.principals, None, source="", agent="")
    return Kms(Door(application, visitor, None))
