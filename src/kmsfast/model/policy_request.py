"""A request as policies see it: who, what, on which key, and the values of condition keys.

Rules:
- pure: the request carries its time, and whoever makes it brings what a door alone knows
  (``aws:SourceIp``, ``aws:SecureTransport``, ``kms:ViaService`` and so on);
- parameters that were not given count with their defaults, where AWS KMS says so;
- ``kms:ResourceAliases`` and ``aws:ResourceTag/*`` exist for identity policies only;
- names of condition keys have no case, their values have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from kmsfast.errors import ValidationError
from kmsfast.model.policy_actions import (
    ACTIONS,
    ALL_ACTIONS,
    CRYPTOGRAPHIC,
    checked_action,
    full_name,
    on_keys,
)
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_keys import family
from kmsfast.model.policy_principal import Principal

__all__ = ["KeyFacts", "Request", "ValueOf", "Values"]

Values = Mapping[str, tuple[str, ...]]
ValueOf = Callable[[str], tuple[str, ...]]

MAX_GRANT_TOKENS: Final = 10
_WITH_ALIAS: Final = CRYPTOGRAPHIC | {"DescribeKey", "GetPublicKey"}
_CREATE_KEY: Final = {
    "kms:keyspec": ("SYMMETRIC_DEFAULT",),
    "kms:keyusage": ("ENCRYPT_DECRYPT",),
    "kms:keyorigin": ("AWS_KMS",),
    "kms:multiregion": ("false",),
}
_SYMMETRIC: Final = {"kms:encryptionalgorithm": ("SYMMETRIC_DEFAULT",)}
_NO_SERVICE: Final = {"kms:grantisforawsresource": ("false",)}

# Values of parameters that a request leaves out. BypassPolicyLockoutSafetyCheck and ExpirationModel
# are not here: the condition keys page tests their absence with Null.
_DEFAULTS: Final[Mapping[str, Values]] = {
    "CreateKey": _CREATE_KEY,
    **{name: _SYMMETRIC for name in ACTIONS if name.startswith("GenerateDataKey")},
    **{name: {"kms:messagetype": ("RAW",)} for name in ("Sign", "Verify")},
    **dict.fromkeys(("CreateGrant", "ListGrants", "RevokeGrant"), _NO_SERVICE),
    "EnableKeyRotation": {"kms:rotationperiodindays": ("365",)},
    "ScheduleKeyDeletion": {"kms:schedulekeydeletionpendingwindowindays": ("30",)},
}
_ENCRYPTING: Final = frozenset({"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"})
_OLD_NAMES: Final = (
    ("kms:customermasterkeyspec", "kms:keyspec"),
    ("kms:customermasterkeyusage", "kms:keyusage"),
)
_NOTHING: Final[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The key that a request is about, as conditions can ask for it.

    Attributes:
        account: that of the ARN.
        values: condition keys for every policy.
        identity_values: those that identity policies alone can ask for.

    Raises:
        ValidationError: not the ARN of a key.
    """

    arn: str
    spec: str = "SYMMETRIC_DEFAULT"
    usage: str = "ENCRYPT_DECRYPT"
    origin: str = "AWS_KMS"
    multi_region_type: str | None = None
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    account: str = field(init=False)
    values: Values = field(init=False, repr=False, compare=False)
    identity_values: Values = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = self.arn.split(":", 5)
        if len(parts) != 6 or parts[2] != "kms" or not parts[5].startswith("key/"):
            raise ValidationError(f"{self.arn!r} is not the ARN of a key")
        values = {
            "aws:requestedregion": parts[3],
            "aws:resourceaccount": parts[4],
            "kms:keyspec": self.spec,
            "kms:keyusage": self.usage,
            "kms:keyorigin": self.origin,
            "kms:multiregion": str(self.multi_region_type is not None).lower(),
            "kms:multiregionkeytype": self.multi_region_type,
        }
        tagged = family("aws:resourcetag/", self.tags)
        if self.aliases:
            tagged["kms:resourcealiases"] = self.aliases
        found: dict[str, tuple[str, ...]] = {
            name: (text,) for name, text in values.items() if text is not None
        }
        for name, value in (
            ("account", parts[4]), ("values", _with_old_names(found)), ("identity_values", tagged),
        ):  # fmt: skip
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be decided.

    Args:
        principal: the caller.
        action: of :mod:`kmsfast.model.policy_actions`, with or without ``kms:``.
        time: an aware datetime (``aws:CurrentTime``, ``aws:EpochTime``).
        key: the key, for actions on one.
        alias_arn: the alias, when what an action does to it is decided rather than to its key.
        context: the encryption context.
        alias: the alias by which the request named the key (``kms:RequestAlias``).
        grant: the one that CreateGrant would make, or that RetireGrant would end.
        grant_tokens: at most 10.
        tags: ``aws:RequestTag/*`` and ``aws:TagKeys``.
        values: any further condition keys; they go before what is derived from the rest.

    Attributes:
        resource: what Resource elements are compared with; ``*`` for an action on nothing.
        values: all that were given, in lower case.

    Raises:
        ValidationError: an unknown action, a key, alias or grant that is missing or too much, a
            time without a zone, too many grant tokens.
    """

    principal: Principal
    action: str
    time: datetime
    key: KeyFacts | None = None
    alias_arn: str | None = None
    context: Mapping[str, str] | None = None
    alias: str | None = None
    grant: Grant | None = None
    grant_tokens: tuple[str, ...] = ()
    tags: Mapping[str, str] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    resource: str = field(init=False)

    def __post_init__(self) -> None:
        action = checked_action(self.action)
        if self.time.tzinfo is None:
            raise ValidationError(f"the time of a request needs a zone: {self.time.isoformat()}")
        if on_keys(action) and (self.key is None) is (self.alias_arn is None):
            raise ValidationError(f"kms:{action} is decided on a key; name one")
        if self.alias_arn is not None and ALL_ACTIONS[action] != "alias":
            raise ValidationError(f"kms:{action} is not decided on an alias; name the key")
        if not on_keys(action) and (self.key is not None or self.alias_arn is not None):
            raise ValidationError(
                f"{full_name(action)} is not about a key or an alias; leave it out"
            )
        if action == "RetireGrant" and self.grant is None:
            raise ValidationError("kms:RetireGrant is decided on a grant; give the one to retire")
        if len(self.grant_tokens) > MAX_GRANT_TOKENS:
            raise ValidationError(
                f"at most {MAX_GRANT_TOKENS} grant tokens are allowed, not {len(self.grant_tokens)}"
            )
        resource = self.alias_arn or (self.key.arn if self.key is not None else "*")
        given = {name.lower(): _several(value) for name, value in self.values.items()}
        for name, value in (("action", action), ("resource", resource), ("values", given)):
            object.__setattr__(self, name, value)

    @property
    def source(self) -> tuple[str, ...]:
        """The resource on whose behalf it is made (``aws:SourceArn``), if any."""
        found: tuple[str, ...] = self.values.get("aws:sourcearn", _NOTHING)
        return found

    def lookups(self) -> tuple[ValueOf, ValueOf]:
        """Condition keys as key policies and as identity policies can ask for them."""
        derived = self._derived()
        maps: list[Mapping[str, Any]] = [self.values, derived, self.principal.values]
        if self.key is not None:
            maps.append(self.key.values)

        def of_key_policy(name: str) -> tuple[str, ...]:
            for values in maps:
                found: tuple[str, ...] | None = values.get(name)
                if found is not None:
                    return found
            return self._moment(name)

        if self.key is None:
            return of_key_policy, of_key_policy
        more = self.key.identity_values

        def of_identity_policy(name: str) -> tuple[str, ...]:
            return of_key_policy(name) or more.get(name, _NOTHING)

        return of_key_policy, of_identity_policy

    def _derived(self) -> dict[str, tuple[str, ...]]:
        """The values of parameters and their defaults."""
        key, action = self.key, self.action
        found: dict[str, tuple[str, ...]] = {"aws:viaawsservice": ("false",)}
        found.update(_DEFAULTS.get(action, {}))
        if action in _ENCRYPTING and (key is None or key.spec == "SYMMETRIC_DEFAULT"):
            found.update(_SYMMETRIC)
        if action == "CreateKey":
            found.update({name: self.values[name] for name in _CREATE_KEY if name in self.values})
            if found["kms:multiregion"] == ("true",):
                found["kms:multiregionkeytype"] = ("PRIMARY",)
            _with_old_names(found)
        if self.principal.account is not None and ALL_ACTIONS[action] != "none":
            found["kms:calleraccount"] = (self.principal.account,)
        if self.alias is not None and action in _WITH_ALIAS:
            found["kms:requestalias"] = (self.alias,)
        context = self.context
        if action == "CreateGrant" and self.grant is not None:
            found.update(self.grant.values)
            context = self.grant.constraint_context
        if context:
            found["kms:encryptioncontextkeys"] = tuple(context)
            found.update(family("kms:encryptioncontext:", context))
        if self.tags:
            found["aws:tagkeys"] = tuple(self.tags)
            found.update(family("aws:requesttag/", self.tags))
        return found

    def _moment(self, name: str) -> tuple[str, ...]:
        if name == "aws:currenttime":
            return (self.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),)
        if name == "aws:epochtime":
            return (str(int(self.time.timestamp())),)
        return _NOTHING


def _with_old_names(values: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The same values under the deprecated names as well."""
    values.update({old: values[new] for old, new in _OLD_NAMES if new in values})
    return values


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
