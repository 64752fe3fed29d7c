"""What a key store behind a server does: the methods of :class:`kmsfast.Kms`, as calls.

Rules: those of :mod:`.keys`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from kmsfast.client.asking import OVERHEAD, Context, Number, checked, many, one_bin, settled
from kmsfast.client.calls import Call, method
from kmsfast.client.columns import Batch, like
from kmsfast.client.description import alias_of, arn_in, grant_of
from kmsfast.client.key_stores import KeyStoreCalls
from kmsfast.client.keys import KeyCalls, Tags
from kmsfast.client.naming import every, named, pairs_of
from kmsfast.client.rewrapping import rewrapped
from kmsfast.client.sealing import OpeningCalls
from kmsfast.errors import ValidationError
from kmsfast.model.alias import Alias
from kmsfast.model.arn import Home
from kmsfast.model.console_policy import NewKey, console_policy
from kmsfast.model.keyspec import KeySpec, Origin, checked_origin, checked_spec, checked_usage
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_principal import ACCOUNT
from kmsfast.service.encryption import Errors, as_bytes

__all__ = ["KmsCalls"]

K = TypeVar("K", bound=KeyCalls[Any])


class KmsCalls(OpeningCalls, KeyStoreCalls, Generic[K]):
    """A key store behind a server."""

    def _key(self, arn: str) -> K:
        """The key of an ARN, as the client's own class makes keys."""
        raise NotImplementedError

    def _home(self) -> Home:
        """The region and account of the keys."""
        raise NotImplementedError

    # ---- keys -------------------------------------------------------------------------------

    @method
    def create_key(
        self,
        *,
        spec: str = KeySpec.SYMMETRIC_DEFAULT,
        usage: str | None = None,
        origin: str = Origin.AWS_KMS,
        description: str = "",
        alias: str | None = None,
        tags: Tags | None = None,
        rotation_period_days: int | None = None,
        multi_region: bool = False,
        policy: str | None = None,
        administrators: Sequence[str] = (),
        users: Sequence[str] = (),
        custom_key_store_id: str | None = None,
        xks_key_id: str | None = None,
    ) -> Call[K]:
        """A new, enabled key with one version; see :meth:`kmsfast.Kms.create_key`.

        Administrators and users are given by their ARNs, or accounts by their 12 digits.
        The alias and the rotation are requests of their own: when one of them fails, the key is
        there without, and its deletion is not scheduled.
        """
        if administrators or users:
            if policy is not None:
                raise ValidationError("give either a policy, or administrators and users")
            known, home = checked_spec(spec), self._home()
            kind = checked_usage(known, usage), checked_origin(origin, known)
            key = NewKey(home.account, home.partition, known, *kind, multi_region)
            policy = console_policy(key, _by_arn(administrators), _by_arn(users))
        answer = yield from named(
            "CreateKey", KeySpec=str(spec), KeyUsage=None if usage is None else str(usage),
            Origin=str(origin), Description=description, Tags=pairs_of(tags), Policy=policy,
            MultiRegion=multi_region, CustomKeyStoreId=custom_key_store_id, XksKeyId=xks_key_id,
        )  # fmt: skip
        made = self._key(arn_in(answer["KeyMetadata"]))
        if alias is not None:
            yield from named("CreateAlias", AliasName=alias, TargetKeyId=made.arn)
        if rotation_period_days is not None:
            yield from named(
                "EnableKeyRotation", KeyId=made.arn, RotationPeriodInDays=rotation_period_days
            )
        return made

    @method
    def key(self, name: str) -> Call[K]:
        """The key of an id, an ARN, an alias or an alias's ARN.

        Raises:
            KeyNotFound: there is none.
        """
        answer = yield from named("DescribeKey", KeyId=name)
        return self._key(arn_in(answer["KeyMetadata"]))

    @method
    def keys(self) -> Call[list[K]]:
        """All keys, in the order of their ids."""
        found = yield from every("ListKeys", "Keys")
        return [self._key(arn_in(each, "KeyArn")) for each in found]

    @method
    def aliases(self) -> Call[list[Alias]]:
        """All aliases of keys, by name."""
        found = yield from every("ListAliases", "Aliases", 100)
        return [alias_of(each) for each in found if "TargetKeyId" in each]

    @method
    def create_alias(self, name: str, key: K | str) -> Call[None]:
        """A new name for a key."""
        yield from named("CreateAlias", AliasName=name, TargetKeyId=_name(key))

    @method
    def update_alias(self, name: str, key: K | str) -> Call[None]:
        """Moves an alias to another key."""
        yield from named("UpdateAlias", AliasName=name, TargetKeyId=_name(key))

    @method
    def delete_alias(self, name: str) -> Call[None]:
        """Removes an alias; its key stays."""
        yield from named("DeleteAlias", AliasName=name)

    # ---- grants -----------------------------------------------------------------------------

    @method
    def retirable_grants(self, retiring_principal: str) -> Call[list[Grant]]:
        """The grants of all keys that name this principal as the one who may retire them."""
        found = yield from every(
            "ListRetirableGrants", "Grants", 100, RetiringPrincipal=retiring_principal
        )
        return [grant_of(each) for each in found]

    @method
    def retire_grant(self, grant_token: str) -> Call[None]:
        """Ends the grant that a token names."""
        yield from named("RetireGrant", GrantToken=grant_token)

    # ---- ciphertexts ------------------------------------------------------------------------

    @method
    def decrypt(
        self, blob: bytes, context: Context = None, aad: bytes | None = None
    ) -> Call[bytes]:
        """The plaintext of one blob, by the key version that it names."""
        data = as_bytes(blob, "the blob")
        return (yield from one_bin(Number.DECRYPT, None, context, data, aad=aad))

    @method
    def decrypt_batch(
        self,
        blobs: Any,
        context: Context = None,
        *,
        aad: Any = None,
        threads: int = 1,
        errors: Errors = "raise",
    ) -> Call[Any]:
        """The plaintexts of a batch; every blob finds its key version.

        Raises:
            BatchError: some failed, and ``errors`` is "raise": the others are in ``.values``.
        """
        del threads
        batch = Batch(blobs, "blobs")
        rebuild = like(batch, -OVERHEAD)
        gathered = yield from many(Number.DECRYPT, None, context, batch, aad)
        return settled(gathered, rebuild, batch.num, errors)

    @method
    def re_encrypt(
        self,
        blob: bytes,
        key: K | str,
        source_context: Context = None,
        destination_context: Context = None,
    ) -> Call[bytes]:
        """A blob under another key or context, as ReEncrypt."""
        to = checked(destination_context)
        data = as_bytes(blob, "a blob")
        number = Number.RE_ENCRYPT
        return (yield from one_bin(number, _name(key), source_context, data, to_context=to))

    @method
    def re_encrypt_batch(
        self,
        blobs: Any,
        key: K | str,
        source_context: Context = None,
        destination_context: Context = None,
        *,
        errors: Errors = "raise",
    ) -> Call[Any]:
        """The blobs of a batch under another key or context, as the kind of the input."""
        batch = Batch(blobs, "blobs")
        gathered = yield from many(
            Number.RE_ENCRYPT, _name(key), source_context, batch,
            to_context=checked(destination_context),
        )  # fmt: skip
        return settled(gathered, like(batch, 0), batch.num, errors)

    @method
    def rewrap_batch(self, blobs: Any, context: Context = None, *, threads: int = 1) -> Call[Any]:
        """The blobs under the current version of their keys; those that have it are unchanged.

        Raises:
            BatchError: some did not open; ``.values`` has the others.
        """
        del threads
        return (yield from rewrapped(blobs, context))

    @method
    def generate_random(self, num_bytes: int) -> Call[bytes]:
        """1 to 1,024 random bytes from the operating system of the server."""
        return (yield from one_bin(Number.GENERATE_RANDOM, None, None, num_bytes))


def _by_arn(given: Sequence[str]) -> list[str]:
    """Principals, when they are named so that a server needs not look them up.

    Raises:
        ValidationError: one is not.
    """
    texts = [given] if isinstance(given, str) else list(given)
    for text in texts:
        if not (text.startswith("arn:") or ACCOUNT.fullmatch(text)):
            raise ValidationError(
                f"{text!r} is neither an ARN nor an account; a server is told principals by ARN"
            )
    return texts


def _name(key: Any) -> str:
    name: str = getattr(key, "arn", key)
    return name
