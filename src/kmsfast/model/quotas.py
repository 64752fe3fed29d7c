"""Quotas of one deployment: AWS's figures, and what an operator says in their place.

    [resources]
    keys = 1000

    [requests]
    symmetric = 500
    CreateKey = 0.5
    data-key-pair.RSA_2048 = 2

Rules:
- a name that is not one of AWS's families (:mod:`.quota_figures`) is refused, so that a misspelt
  one does not pass for a default;
- resources are whole numbers, requests are so many per second and may be fractions: 0.5 is one in
  two seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from kmsfast.errors import LimitExceeded, ValidationError
from kmsfast.model.quota_figures import REGIONAL, REQUESTS, RESOURCES

__all__ = ["AWS", "Quotas", "aws_rate", "exceeded", "quotas_of"]

_SECTIONS: Final = ("resources", "requests")
# AWS KMS takes no longer policy whatever the quota says (API reference, PolicyType).
_HIGHEST: Final[Mapping[str, int]] = {"key-policy-bytes": 131_072}
_LEAST, _MOST = 1e-6, 1 << 53  # one in eleven days, and more than there will be


@dataclass(frozen=True, slots=True)
class Quotas:
    """What one account may have and ask for in one region.

    Attributes:
        keys: customer managed keys, in any state.
        aliases_per_key, grants_per_key: of one key.
        key_policy_bytes: of a key policy.
        on_demand_rotations: in the life of a key.
        custom_key_stores: of both types together.
        requests: per second, of the families whose figures are not AWS's.
    """

    keys: int = RESOURCES["keys"]
    aliases_per_key: int = RESOURCES["aliases-per-key"]
    grants_per_key: int = RESOURCES["grants-per-key"]
    key_policy_bytes: int = RESOURCES["key-policy-bytes"]
    on_demand_rotations: int = RESOURCES["on-demand-rotations"]
    custom_key_stores: int = RESOURCES["custom-key-stores"]
    requests: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def resource(self, name: str) -> int:
        """A resource quota by its name in :data:`.quota_figures.RESOURCES`."""
        figure: int = getattr(self, _member(name))
        return figure

    def rate(self, family: str, region: str) -> float:
        """Requests per second of a family in a region."""
        own = self.requests.get(family)
        return aws_rate(family, region) if own is None else own


AWS: Final = Quotas()
"""AWS's figures."""


def aws_rate(family: str, region: str) -> float:
    """Requests per second of a family in a region, with AWS."""
    return REGIONAL.get(family, {}).get(region, REQUESTS[family])


def exceeded(what: str, quota: int, usage: int) -> LimitExceeded:
    """The error of a quota that is reached, in AWS's words."""
    return LimitExceeded(
        f"{what} quota for this account in this region is {quota}, current usage is {usage}."
    )


def quotas_of(content: Mapping[str, Any], where: str) -> Quotas:
    """The quotas of a configuration.

    Args:
        content: as TOML is read.
        where: the file's name, for errors.

    Raises:
        ValidationError: an unknown name, or a figure that can be none.
    """
    for name in content:
        _known(name, _SECTIONS, "section", where)
    resources = dict(_figures(content.get("resources", {}), "resources", RESOURCES, where))
    requests = dict(_figures(content.get("requests", {}), "requests", REQUESTS, where))
    for name, figure in resources.items():
        if not isinstance(figure, int):
            raise ValidationError(f"{where}: {name} must be a whole number, not {figure!r}")
        if figure > _HIGHEST.get(name, figure):
            raise ValidationError(f"{where}: {name} can be {_HIGHEST[name]} at most, not {figure}")
    return Quotas(
        **{_member(name): int(figure) for name, figure in resources.items()},
        requests=MappingProxyType(requests),
    )


def _figures(
    section: Any, name: str, known: Mapping[str, float], where: str
) -> Iterator[tuple[str, float]]:
    """The figures of a section; a name with a dot in it may be written as a table."""
    if not isinstance(section, dict):
        raise ValidationError(f"{where}: [{name}] must be a table, not {section!r}")
    flat: dict[str, Any] = {}
    for key, value in section.items():
        inner = value if isinstance(value, dict) else None
        flat.update({key: value} if inner is None else {f"{key}.{k}": v for k, v in inner.items()})
    for key, value in flat.items():
        _known(key, known, "quota", where)
        right = isinstance(value, int | float) and not isinstance(value, bool)
        if not (right and _LEAST <= value <= _MOST):
            raise ValidationError(f"{where}: {key} must be a number above 0, not {value!r}")
        yield key, value


def _known(name: str, names: Any, what: str, where: str) -> None:
    if name not in names:
        from difflib import get_close_matches

        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else "see 'kmsfast quota show --requests'"
        raise ValidationError(f"{where}: there is no {what} {name!r}; {hint}")


def _member(name: str) -> str:
    return name.replace("-", "_")
