"""Key stores outside: a PKCS#11 token in the place of a CloudHSM cluster, and XKS proxies.

Rules:
- everything here implements :class:`kmsfast.service.ports.Outside`; the service knows no other way
  to it, and nothing here knows the store, a key's state or a policy;
- a call may wait for a device or the network: none is made within a transaction or an event loop;
- each failure is an :class:`OutsideFailed` with its fault, and what the other side said stays out
  of it;
- what an operator configures (:mod:`.configuration`) is read when the first call needs it.
"""

from __future__ import annotations

from pathlib import Path

from kmsfast.errors import ValidationError
from kmsfast.external.configuration import load
from kmsfast.model.arn import Home
from kmsfast.model.key_store import KeyStoreType
from kmsfast.service.ports import Clock, Outside

__all__ = ["outside"]


def outside(kind: KeyStoreType, path: Path, home: Home, clock: Clock) -> Outside:
    """What stands behind custom key stores of a type.

    Args:
        path: of the configuration; when it is not there, no cluster is known, and proxies are
            reached where their addresses say.

    Raises:
        ValidationError: the configuration is none, or others can write it; or PKCS#11 is needed
            and not installed.
    """
    configuration = load(path)
    if kind is KeyStoreType.AWS_CLOUDHSM:
        try:
            from kmsfast.external.tokens import Tokens
        except ImportError as error:
            raise ValidationError(
                f"CloudHSM key stores need {error.name}, which is not installed: "
                "pip install 'kmsfast[pkcs11]'"
            ) from error
        return Tokens(configuration.clusters, path)
    from kmsfast.external.xks_proxy import XksProxies

    return XksProxies(configuration.proxies, home, clock)
