"""Which permissions each operation needs, on what, and what of a request policies can ask for.

Source: developer guide, "Permissions reference" and "Condition keys for AWS KMS"; API reference.
Rules:
- an operation without a row here is refused to everybody: forgetting one gives nothing away;
- a key is found as its operation finds it, so that the error of a name that leads nowhere is the
  same; what is decided for an alias's key is then done with that key, under its ARN: the alias may
  lead elsewhere by then;
- a ciphertext that names no key, and one whose key the caller may not use, get one answer;
- to tag a key while it is made needs kms:TagResource as well, in an identity policy that is not
  about particular keys (page "Controlling access to tags").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from kmsfast.app import Application
from kmsfast.errors import (
    AccessDenied,
    CiphertextOfUnknownKey,
    GrantNotFound,
    InvalidCiphertext,
    KmsError,
)
from kmsfast.model.alias import PREFIX
from kmsfast.model.arn import Home
from kmsfast.model.key import KeyMetadata
from kmsfast.model.policy_principal import Principal
from kmsfast.model.policy_request import KeyFacts
from kmsfast.operations.grants import retired_grant, wanted_grant
from kmsfast.operations.names import any_name, id_or_arn, named_key
from kmsfast.operations.requests import Given
from kmsfast.service.authorization import Asked, facts_of

__all__ = ["PERMISSIONS", "permitted"]

_UNKNOWN: Final = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this "
    "region, or you are not allowed to access."
)
# Members whose value is that of a condition key.
_CONDITIONS: Final[Mapping[str, str]] = {
    "BypassPolicyLockoutSafetyCheck": "kms:BypassPolicyLockoutSafetyCheck",
    "EncryptionAlgorithm": "kms:EncryptionAlgorithm",
    "ExpirationModel": "kms:ExpirationModel",
    "KeyAgreementAlgorithm": "kms:KeyAgreementAlgorithm",
    "KeyPairSpec": "kms:DataKeyPairSpec",
    "MacAlgorithm": "kms:MacAlgorithm",
    "MessageType": "kms:MessageType",
    "PendingWindowInDays": "kms:ScheduleKeyDeletionPendingWindowInDays",
    "PrimaryRegion": "kms:PrimaryRegion",
    "ReplicaRegion": "kms:ReplicaRegion",
    "RotationPeriodInDays": "kms:RotationPeriodInDays",
    "SigningAlgorithm": "kms:SigningAlgorithm",
    "ValidTo": "kms:ValidTo",
    "WrappingAlgorithm": "kms:WrappingAlgorithm",
    "WrappingKeySpec": "kms:WrappingKeySpec",
}
# Of CreateKey alone: elsewhere these are the key's, or a data key's.
_OF_NEW_KEYS: Final = {
    "KeySpec": "kms:KeySpec",
    "CustomerMasterKeySpec": "kms:KeySpec",
    "KeyUsage": "kms:KeyUsage",
    "MultiRegion": "kms:MultiRegion",
    "Origin": "kms:KeyOrigin",
}

_WITH_POLICY: Final = frozenset({"CreateKey", "PutKeyPolicy", "ReplicateKey"})


class Need(NamedTuple):
    """One permission.

    Attributes:
        key: that it is needed on; None: on an alias, or on nothing.
        unnamed: the key is one that the request does not name, but its ciphertext.
        member: the member that names the key.
        app: the service of the region in which it is needed; None: the request's.
        made: the key that the operation will make, when it is needed on that.
    """

    action: str
    key: KeyMetadata | None
    asked: Asked
    alias_arn: str | None = None
    unnamed: bool = False
    member: str | None = None
    app: Application | None = None
    made: KeyFacts | None = None


Needs = Callable[[Application, Given, Mapping[str, Any]], Iterator[Need]]


def permitted(
    app: Application, caller: Principal, operation: str, given: Given, values: Mapping[str, Any]
) -> Given:
    """The request, with ARNs in place of the names of keys, when the caller may make it.

    Args:
        values: condition keys that the door knows: ``aws:SourceIp`` and so on.

    Raises:
        AccessDenied, CiphertextOfUnknownKey: it may not. KeyNotFound and other errors of names.
    """
    needs = PERMISSIONS.get(operation)
    if needs is None:
        raise AccessDenied(
            f"User: {caller.arn} is not authorized to perform: kms:{operation} on resource: *"
        )
    settled: dict[str, Any] = {}
    for need in needs(app, given, values):
        authorizer = (need.app or app).authorizer
        if need.made is not None:
            authorizer.check_new_key(caller, need.action, need.made, need.asked)
            continue
        try:
            authorizer.check(
                caller, need.action, need.key, partial(_the, need.asked), alias_arn=need.alias_arn
            )
        except AccessDenied:
            if need.unnamed:
                raise CiphertextOfUnknownKey(_UNKNOWN) from None
            raise
        if need.member is not None and need.key is not None:
            settled[need.member] = need.key.arn
    if operation in _WITH_POLICY and "Policy" in given:
        _check_lockout(app, caller, given, values)
    return {**given, **settled}


def _check_lockout(
    app: Application, caller: Principal, given: Given, values: Mapping[str, Any]
) -> None:
    """Passes when whoever puts a policy can put another one later, or says that it need not."""
    key = id_or_arn(app, given["KeyId"]) if "KeyId" in given else None
    app.authorizer.check_lockout(
        caller, given["Policy"], key, Asked(values=values),
        bypass=bool(given.get("BypassPolicyLockoutSafetyCheck")),
    )  # fmt: skip


def _the(asked: Asked) -> Asked:
    return asked


# ---- what operations need -----------------------------------------------------------------------


def _asked(
    given: Given,
    values: Mapping[str, Any],
    *,
    name: str | None = None,
    context: str = "EncryptionContext",
    more: Mapping[str, str] = _CONDITIONS,
) -> Asked:
    found = {key: _text(given[member]) for member, key in more.items() if member in given}
    alias = None
    if name is not None:
        resource = name.split(":", 5)[-1]
        alias = resource if resource.startswith(PREFIX) else None
    tags = given.get("Tags")
    return Asked(
        context=given.get(context),
        alias=alias,
        grant_tokens=tuple(given.get("GrantTokens", ())),
        tags={tag["TagKey"]: tag["TagValue"] for tag in tags} if tags else _tag_keys(given),
        values={**values, **found},
    )


def _tag_keys(given: Given) -> Mapping[str, str] | None:
    names = given.get("TagKeys")
    return dict.fromkeys(names, "") if names else None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _on_key(action: str, *, aliases: bool = False, member: str = "KeyId") -> Needs:
    """The one permission on the key that a member names."""

    def needs(app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
        name = given[member]
        key = (any_name if aliases else id_or_arn)(app, name)
        yield Need(action, key, _asked(given, values, name=name), member=member)

    return needs


def _on_nothing(action: str) -> Needs:
    def needs(_app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
        yield Need(action, None, _asked(given, values))

    return needs


def _create_key(app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
    asked = _asked(given, values, more={**_CONDITIONS, **_OF_NEW_KEYS})
    yield Need("CreateKey", None, asked)
    if given.get("Tags"):
        # Only a pattern that takes every key matches this name of no particular one.
        made = KeyFacts(
            app.store.home.arn("key/*"),
            spec=given.get("KeySpec") or given.get("CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"),
            usage=given.get("KeyUsage", "ENCRYPT_DECRYPT"),
            origin=given.get("Origin", "AWS_KMS"),
            multi_region_type="PRIMARY" if given.get("MultiRegion") else None,
        )
        yield Need("TagResource", None, _asked(given, values), made=made)


def _create_grant(app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
    """On the key; a grant that allows it allows no more than itself to the new one."""
    key = id_or_arn(app, given["KeyId"])
    asked = replace(_asked(given, values), grant=wanted_grant(given))
    yield Need("CreateGrant", key, asked, member="KeyId")


def _retire_grant(app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
    """The grant itself says who may; one that is not there is the operation's to refuse."""
    raw_id, grant_id = retired_grant(app, given)
    found = app.grants.find(raw_id, grant_id)
    if found is None:
        raise GrantNotFound(f"Grant ID {grant_id} not found")
    yield Need("RetireGrant", app.ring.key(raw_id), replace(_asked(given, values), grant=found))


def _replicate_key(app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
    """On the primary key, and to make a key in the region of the replica."""
    key = id_or_arn(app, given["KeyId"])
    asked = _asked(given, values)
    yield Need("ReplicateKey", key, asked, member="KeyId")
    made = {
        "kms:KeySpec": str(key.spec),
        "kms:KeyUsage": str(key.usage),
        "kms:KeyOrigin": str(key.origin),
        "kms:MultiRegion": "true",
    }
    own = {name: value for name, value in asked.values.items() if name not in made}
    yield Need("CreateKey", None, Asked(tags=asked.tags, values={**own, **made}))
    if given.get("Tags"):
        there = replace(app.store.home, region=given["ReplicaRegion"])
        facts = replace(
            facts_of(key),
            arn=there.arn(f"key/{key.id}"), aliases=(), tags={}, multi_region_type="REPLICA",
        )  # fmt: skip
        yield Need("TagResource", None, asked, made=facts)


def _update_primary(app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
    """On the key that is primary, and on the one that will be."""
    key, asked = id_or_arn(app, given["KeyId"]), _asked(given, values)
    yield Need("UpdatePrimaryRegion", key, asked, member="KeyId")
    if given["PrimaryRegion"] in key.regions and given["PrimaryRegion"] != app.store.home.region:
        other = app.deployment.at(Home(given["PrimaryRegion"], app.store.home.account))
        yield Need("UpdatePrimaryRegion", other.ring.key(key.raw_id), asked, app=other)


def _decrypt(app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
    yield _opening(app, given, values, "Decrypt", "KeyId", "EncryptionContext")


def _re_encrypt(app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
    source = _opening(app, given, values, "ReEncryptFrom", "SourceKeyId", "SourceEncryptionContext")
    name = given["DestinationKeyId"]
    target = any_name(app, name)
    same = source.key is not None and source.key.arn == target.arn
    own = {**values, "kms:ReEncryptOnSameKey": _text(same)}
    from_values = {**source.asked.values, **own}
    if "SourceEncryptionAlgorithm" in given:
        from_values["kms:EncryptionAlgorithm"] = given["SourceEncryptionAlgorithm"]
    if "DestinationEncryptionAlgorithm" in given:
        own["kms:EncryptionAlgorithm"] = given["DestinationEncryptionAlgorithm"]
    asked = source.asked
    yield source._replace(
        asked=Asked(asked.context, asked.alias, None, asked.grant_tokens, None, from_values)
    )
    to = _asked(given, own, name=name, context="DestinationEncryptionContext")
    yield Need("ReEncryptTo", target, to, member="DestinationKeyId")


def _opening(  # noqa: PLR0917 - in the order in which they are read
    app: Application,
    given: Given,
    values: Mapping[str, Any],
    action: str,
    member: str,
    context: str,
) -> Need:
    """The permission to open a ciphertext."""
    name = given.get(member)
    asked = _asked(given, values, name=name, context=context)
    if name is not None:
        return Need(action, any_name(app, name), asked, member=member)
    try:
        named = named_key(given["CiphertextBlob"])
    except KeyError:
        raise InvalidCiphertext from None
    with suppress(KmsError):
        key = app.ring.key(named.key_id, multi_region=bool(named.flags & 1))
        return Need(action, key, asked, unnamed=True)
    raise CiphertextOfUnknownKey(_UNKNOWN)


def _on_alias(action: str, member: str | None) -> Needs:
    """The permissions on an alias, on the key that it leads to, and on the one that it will."""

    def needs(app: Application, given: Given, values: Mapping[str, Any]) -> Iterator[Need]:
        name, asked = given["AliasName"], _asked(given, values)
        arn = app.store.home.arn(name)
        if action != "CreateAlias":
            yield Need(action, app.ring.find(name), asked)
        if member is not None:
            yield Need(action, id_or_arn(app, given[member]), asked, member=member)
        yield Need(action, None, asked, alias_arn=arn)

    return needs


# By id, ARN or alias.
_USES: Final = (
    "Decapsulate DeriveSharedSecret DescribeKey Encapsulate Encrypt GenerateDataKey "
    "GenerateDataKeyPair "
    "GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac GetPublicKey "
    "Sign Verify VerifyMac"
)
# By id or ARN.
_ADMINISTRATION: Final = (
    "CancelKeyDeletion DeleteImportedKeyMaterial DisableKey DisableKeyRotation EnableKey "
    "EnableKeyRotation GetKeyLastUsage GetKeyPolicy GetKeyRotationStatus GetParametersForImport "
    "ImportKeyMaterial ListGrants ListKeyPolicies ListKeyRotations ListResourceTags PutKeyPolicy "
    "RevokeGrant RotateKeyOnDemand ScheduleKeyDeletion TagResource UntagResource "
    "UpdateKeyDescription"
)
PERMISSIONS: Final[Mapping[str, Needs]] = {
    **{name: _on_key(name, aliases=True) for name in _USES.split()},
    **{name: _on_key(name) for name in _ADMINISTRATION.split()},
    **{
        name: _on_nothing(name)
        for name in (
            "ConnectCustomKeyStore",
            "CreateCustomKeyStore",
            "DeleteCustomKeyStore",
            "DescribeCustomKeyStores",
            "DisconnectCustomKeyStore",
            "GenerateRandom",
            "ListAliases",
            "ListKeys",
            "ListRetirableGrants",
            "UpdateCustomKeyStore",
        )
    },
    "CreateGrant": _create_grant,
    "RetireGrant": _retire_grant,
    "CreateKey": _create_key,
    "ReplicateKey": _replicate_key,
    "UpdatePrimaryRegion": _update_primary,
    "Decrypt": _decrypt,
    "ReEncrypt": _re_encrypt,
    "CreateAlias": _on_alias("CreateAlias", "TargetKeyId"),
    "UpdateAlias": _on_alias("UpdateAlias", "TargetKeyId"),
    "DeleteAlias": _on_alias("DeleteAlias", None),
}
