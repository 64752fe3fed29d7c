"""The quotas of a region and account, and how much of them is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kmsfast.model.quota_figures import REQUESTS, RESOURCES
from kmsfast.model.quotas import AWS, aws_rate
from kmsfast.service.keyring import Keyring

__all__ = ["QuotaUse", "quota_uses"]

_OF_ACCOUNT: Final = ("keys", "custom-key-stores")


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """One quota.

    Attributes:
        kind: ``resource``, or ``request``: so many per second.
        name: as in quotas.toml.
        figure: what holds here. Of requests only servers with ``--quotas`` ask.
        aws: what holds with AWS, unless somebody had it changed there.
        usage: how much of it is used; None: it is of each key, or of requests.
    """

    kind: str
    name: str
    figure: float
    aws: float
    usage: int | None = None


def quota_uses(ring: Keyring) -> list[QuotaUse]:
    """All quotas, those of resources first."""
    region = ring.store.home.region
    ring.check_open()
    ring.purge_due()
    with ring.store.read() as rows:
        numbers = (rows.num_customer_keys(), len(rows.key_stores()))
    used = dict(zip(_OF_ACCOUNT, numbers, strict=True))
    resources = [
        QuotaUse("resource", name, ring.quotas.resource(name), AWS.resource(name), used.get(name))
        for name in RESOURCES
    ]
    requests = [
        QuotaUse("request", name, ring.quotas.rate(name, region), aws_rate(name, region))
        for name in REQUESTS
    ]
    return resources + requests
