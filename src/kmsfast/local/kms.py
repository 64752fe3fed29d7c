"""An open key store: its keys and aliases, and the ciphertexts whose key is found by what they say.

Rules: those of :mod:`kmsfast.local`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from kmsfast import app
from kmsfast.crypto.blob import try_open
from kmsfast.crypto.sealed import SealedReader
from kmsfast.doors import Call, Door, Entry, Outcome, Request
from kmsfast.errors import StaleHandle, ValidationError
from kmsfast.local.key import Key, Tags
from kmsfast.local.key_stores import KeyStoreUses
from kmsfast.local.members import Member, key_name, moment, pairs, records_of
from kmsfast.local.members import tags as tag_members
from kmsfast.local.recorded import CONTEXT, of_batch, operation, operation_with_call
from kmsfast.local.remembered import NOTHING_TO_OPEN, Context, Opening
from kmsfast.model.alias import Alias
from kmsfast.model.arn import Home
from kmsfast.model.context import copied
from kmsfast.model.keyspec import KeySpec, Origin
from kmsfast.service.encryption import Errors, SealedBatch
from kmsfast.service.streaming import OpensStreams
from kmsfast.service.usage import Window
from kmsfast.store.roots import Root

if TYPE_CHECKING:
    from datetime import datetime

    from kmsfast.audit.trail import Trail
    from kmsfast.local.costs import Costs
    from kmsfast.local.principals import Principals
    from kmsfast.model.policy_grant import Grant
    from kmsfast.service.quota_uses import QuotaUse

__all__ = ["Kms"]

_HEADER_LEN: Final = 24
_ALIAS_OF_KEY: Final[dict[str, Member]] = {"name": "AliasName", "key": ("TargetKeyId", key_name)}


def _of_key(made: Key) -> Outcome:
    return Outcome({"KeyMetadata": {"Arn": made.arn, "KeyId": made.id}}, keys=(made.arn,))


def _blob_of_header(header: Any) -> Any:
    """The start of the blob that a sealed batch's header has of its data key."""
    return header[8:64] if isinstance(header, bytes | bytearray | memoryview) else None


def _records_of_sealed(sealed: Any) -> int:
    return records_of(sealed[1]) if isinstance(sealed, tuple) and len(sealed) == 2 else 1


def _blob_of_sealed(sealed: Any) -> Any:
    return _blob_of_header(sealed[0]) if isinstance(sealed, tuple) and sealed else None


class Kms(KeyStoreUses, OpensStreams):
    """An open key store. Close it, or use it as a context manager, to wipe its keys from memory."""

    def __init__(self, door: Door) -> None:
        application = door.app
        self._door, self._app, self._ring = door, application, application.ring
        self._management, self._encryption = application.management, application.encryption
        self._epoch, self._opening = application.ring.epoch, NOTHING_TO_OPEN
        self._usage = application.ring.usage

    @property
    def audit(self) -> Trail:
        """The audit log of the store: who did what with its keys.

        Raises:
            AccessDenied: to anybody but the owner of the store.
        """
        self._door.permit(Request("LookupEvents", {}, service="cloudtrail"))
        return self._app.deployment.trail

    def close(self) -> None:
        """Wipes the store's keys from memory, in all regions. Later use of its objects raises."""
        self._app.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<kmsfast store {str(self._app.store.directory.path)!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Kms holds keys and cannot be pickled or copied; open the store again")

    # ---- keys -------------------------------------------------------------------------------

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
    ) -> Key:
        """A new, enabled key with one version; by default an AES-256 key that encrypts.

        Args:
            spec: SYMMETRIC_DEFAULT, RSA_2048, ECC_NIST_P256, HMAC_256 and so on, as AWS names them
                (:class:`KeySpec`).
            usage: ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT or
                ENCAPSULATE_DECAPSULATE; None: the only one that the spec has.
            origin: EXTERNAL: the key has no material until some is imported
                (:meth:`Key.get_parameters_for_import`). AWS_CLOUDHSM, EXTERNAL_KEY_STORE: its
                material is in a custom key store.
            alias: a name that starts with ``alias/``.
            rotation_period_days: rotate by itself each 90 to 2,560 days; None: never.
            multi_region: the id starts with ``mrk-``, as that of a multi-Region key.
            policy: the key policy, kept as it is when its grammar is right. It binds
                requests over HTTP (docs/policies.md).
            administrators: instead of a policy: who manages the key and cannot use it. ARNs of
                users and roles of the key's account, or names of those that the store knows. The
                policy is the one that the AWS console writes.
            users: likewise, who uses the key and cannot manage it; also other accounts, by their
                root ARN or 12 digits.
            custom_key_store_id: in which the material is to be.
            xks_key_id: the external key, of origin EXTERNAL_KEY_STORE.

        Raises:
            InvalidAliasName, AliasExists, TagError, ValidationError: a parameter is not allowed.
            MalformedPolicyDocument, LimitExceeded: the policy is malformed, or too long.
            PrincipalNotFound: an administrator or user is named whom the store does not know.
            UnsupportedOperation: a spec that is not offered, or one that does not rotate.
            CustomKeyStoreNotFound, CustomKeyStoreInvalidState, XksKeyNotFound, XksKeyAlreadyInUse,
            XksKeyInvalidConfiguration: the key cannot be made in a custom key store.
        """
        if administrators or users:
            if policy is not None:
                raise ValidationError("give either a policy, or administrators and users")
            policy = self._app.policies.console(
                administrators, users, spec=spec, usage=usage, origin=origin,
                multi_region=multi_region,
            )  # fmt: skip
        parts: dict[str, Any] = {"alias": alias, "rotation_period_days": rotation_period_days}
        named = self._door.visitor.is_named
        key = self._create_key(
            spec=spec, usage=usage, origin=origin, description=description, tags=tags,
            policy=policy, multi_region=multi_region, key_store_id=custom_key_store_id,
            xks_key_id=xks_key_id, **({} if named else parts),
        )  # fmt: skip
        if named and alias is not None:  # each is decided, as with AWS, where they are operations
            self.create_alias(alias, key)
        if named and rotation_period_days is not None:
            key.enable_rotation(rotation_period_days)
        return key

    @operation(
        "CreateKey",
        members={
            "spec": "KeySpec",
            "usage": "KeyUsage",
            "origin": "Origin",
            "description": "Description",
            "tags": ("Tags", tag_members),
            "policy": "Policy",
            "multi_region": "MultiRegion",
            "key_store_id": "CustomKeyStoreId",
            "xks_key_id": "XksKeyId",
            "alias": "AliasName",
            "rotation_period_days": "RotationPeriodInDays",
        },
        outcome=_of_key,
    )
    def _create_key(
        self,
        *,
        spec: str,
        usage: str | None,
        origin: str,
        description: str,
        tags: Tags | None,
        policy: str | None,
        multi_region: bool,
        key_store_id: str | None,
        xks_key_id: str | None,
        alias: str | None = None,
        rotation_period_days: int | None = None,
    ) -> Key:
        key = self._management.create_key(
            spec=spec, usage=usage, origin=origin, description=description, alias=alias, tags=tags,
            policy=policy, rotation_period_days=rotation_period_days, multi_region=multi_region,
            key_store_id=key_store_id, xks_key_id=xks_key_id,
        )  # fmt: skip
        return Key(self._door, key)

    def key(self, name: str) -> Key:
        """The key of an id, an ARN, an alias or an alias's ARN.

        That of a predefined alias (``alias/aws/s3`` and so on) is made when it is first asked for.

        Raises:
            KeyNotFound: there is none.
            InvalidKeyId, InvalidArn, InvalidAliasName: it cannot be the name of one.
        """
        return Key(self._door, self._ring.find(name))

    def at(self, region: str | None = None, account: str | None = None) -> Kms:
        """The same open store for another region or account; closing one of them closes all.

        Raises:
            ValidationError: no region or account.
        """
        home = self._app.store.home
        there = Home(region or home.region, account or home.account)
        return Kms(self._door.at(self._app.deployment.at(there)))

    @operation("ListKeys")
    def keys(self) -> list[Key]:
        """All keys, oldest first."""
        return [Key(self._door, key) for key in self._management.all_keys()]

    @operation("ListAliases")
    def aliases(self) -> list[Alias]:
        """All aliases, by name."""
        return self._management.aliases()

    @operation("CreateAlias", members=_ALIAS_OF_KEY)
    def create_alias(self, name: str, key: Key | str) -> None:
        """A new name for a key.

        Raises:
            AliasExists: the name is taken. InvalidAliasName: it is malformed.
            NotAuthorized: it is reserved for AWS.
        """
        self._management.create_alias(name, self._raw_id(key))

    @operation("UpdateAlias", members=_ALIAS_OF_KEY)
    def update_alias(self, name: str, key: Key | str) -> None:
        """Moves an alias to another key.

        Raises:
            KeyNotFound: there is no such alias.
        """
        self._management.update_alias(name, self._raw_id(key))

    @operation("DeleteAlias", members={"name": "AliasName"})
    def delete_alias(self, name: str) -> None:
        """Removes an alias; its key stays.

        Raises:
            KeyNotFound: there is no such alias.
        """
        self._management.delete_alias(name)

    # ---- principals -------------------------------------------------------------------------

    @property
    def principals(self) -> Principals:
        """Users, roles and groups, their access keys and policies, and mapped uids."""
        from kmsfast.local.principals import Principals

        self._ring.check_open()
        return Principals(self._door)

    # ---- grants -----------------------------------------------------------------------------

    @operation("ListRetirableGrants", members={"retiring_principal": "RetiringPrincipal"})
    def retirable_grants(self, retiring_principal: str) -> list[Grant]:
        """The grants of all keys that name this principal as the one who may retire them.

        Raises:
            InvalidArn: neither the ARN of a principal nor a service.
        """
        return [grant for _, grant in self._app.grants.retirable(retiring_principal)]

    @operation("RetireGrant", members={"grant_token": "GrantToken"})
    def retire_grant(self, grant_token: str) -> None:
        """Ends the grant that a token names; :meth:`Key.retire_grant` takes its id.

        Raises:
            InvalidGrantToken: no token of this store.
            GrantNotFound, KeyNotFound: its grant or key is gone.
        """
        self._app.grants.end(*self._app.grants.named_by(grant_token))

    # ---- ciphertexts ------------------------------------------------------------------------

    def decrypt(self, blob: bytes, context: Context = None, aad: bytes | None = None) -> bytes:
        """The plaintext of one blob, by the key version that it names.

        Raises:
            InvalidCiphertext: changed, another context or associated data. FrameError: no blob.
            KeyNotFound, KeyDisabled, InvalidState: its key is not there or not usable.
        """
        epoch, known, binding = self._opening
        if (
            epoch == self._epoch[0]
            and context == known
            and aad is None
            and type(blob) is bytes
            and (plaintext := try_open(binding, blob)) is not None
        ):
            return plaintext
        return self._decrypt(blob, context, aad)

    @operation_with_call("Decrypt", members={"context": CONTEXT}, ciphertext="blob", secret=True)
    def _decrypt(self, call: Call, blob: bytes, context: Context, aad: bytes | None) -> bytes:
        """With another version or context than the last one, or what only the service can do."""
        epoch, window = self._epoch[0], self._usage.window
        handle = self._ring.opener(blob[:_HEADER_LEN]) if type(blob) is bytes else None
        if handle is not None and aad is None:
            with suppress(StaleHandle):  # evicted since: the service loads it again
                known = copied(context)
                binding = self._encryption.bindings.of(handle, known)
                plaintext = try_open(binding, blob)
                if plaintext is not None:
                    call.afterwards = self._remembering(epoch, known, binding, window)
                    return plaintext
        self._usage.watch(self)
        return self._encryption.decrypt(blob, context, aad)

    def _remembering(
        self, epoch: int, known: dict[str, str] | None, binding: Any, window: Window
    ) -> Callable[[Entry], None]:
        """What remembers what the next call may need, unless a window of uses ended since."""

        def remember(entry: Entry) -> None:
            self._opening = Opening(epoch, known, entry.counting(binding))
            if self._usage.window is not window:
                self.forget_remembered()

        return remember

    def forget_remembered(self) -> None:
        """The next call goes the long way; see :mod:`kmsfast.service.usage`."""
        self._opening = NOTHING_TO_OPEN

    @operation(
        "Decrypt", members={"context": CONTEXT}, records="blobs", opens=True, secret=True,
        outcome=of_batch,
    )  # fmt: skip
    def decrypt_batch(
        self,
        blobs: Any,
        context: Context = None,
        *,
        aad: Any = None,
        threads: int = 1,
        errors: Errors = "raise",
    ) -> Any:
        """The plaintexts of a batch, as the kind of the input; every blob finds its key version.

        Args:
            blobs: a list of bytes, a numpy array, Packed(data, offsets) or an Arrow array; nulls
                stay null.
            aad: associated data of each record, of any kind, as it was when encrypting.
            errors: "raise": BatchError when any record fails, with the others in ``.values``;
                "return": a BatchResult of values and errors.
        """
        return self._encryption.decrypt_batch(blobs, context, aad, threads, errors=errors)

    @operation(
        "ReEncrypt",
        members={
            "key": ("DestinationKeyId", key_name),
            "source_context": ("SourceEncryptionContext", pairs),
            "destination_context": ("DestinationEncryptionContext", pairs),
        },
        ciphertext="blob",
    )
    def re_encrypt(
        self,
        blob: bytes,
        key: Key | str,
        source_context: Context = None,
        destination_context: Context = None,
    ) -> bytes:
        """A blob under another key or context, as ReEncrypt; for newer versions: rewrap_batch.

        Args:
            key: a symmetric key, which encrypts from now on.

        Raises:
            As :meth:`decrypt`; InvalidKeyUsage: the key is not for this.
        """
        return self._encryption.re_encrypt(
            blob, self._raw_id(key), source_context, destination_context
        )

    @operation("GenerateRandom", members={"num_bytes": "NumberOfBytes"}, secret=True)
    def generate_random(self, num_bytes: int) -> bytes:
        """1 to 1,024 random bytes from the operating system.

        Raises:
            ValidationError: another number.
        """
        return self._encryption.random(num_bytes)

    @operation(
        "ReEncrypt", members={"context": ("SourceEncryptionContext", pairs)}, records="blobs",
        opens=True,
    )  # fmt: skip
    def rewrap_batch(self, blobs: Any, context: Context = None, *, threads: int = 1) -> Any:
        """The blobs under the current version of their keys; those that have it are unchanged.

        Raises:
            BatchError: some did not open; ``.values`` has the others.
        """
        return self._encryption.rewrap_batch(blobs, context, threads)

    @operation(
        "Decrypt", members={"context": CONTEXT}, records="sealed", count=_records_of_sealed,
        ciphertext="sealed", start=_blob_of_sealed, secret=True,
    )  # fmt: skip
    def open_batch(
        self, sealed: SealedBatch | tuple[bytes, Any], context: Context = None, *, threads: int = 1
    ) -> Any:
        """All records of a sealed batch.

        Raises:
            InvalidCiphertext: the header does not open.
            BatchError: records were changed, moved, dropped, added or cut off.
        """
        return self._encryption.open_batch(_sealed(sealed), context, threads)

    @operation(
        "Decrypt", members={"context": CONTEXT}, ciphertext="sealed", start=_blob_of_sealed,
        secret=True,
    )  # fmt: skip
    def open_record(
        self, sealed: SealedBatch | tuple[bytes, Any], i: int, context: Context = None
    ) -> bytes:
        """Record i of a sealed batch, from 0.

        Raises:
            InvalidCiphertext: it does not open, or the header does not.
        """
        return self._encryption.open_record(_sealed(sealed), i, context)

    @operation(
        "Decrypt", members={"context": CONTEXT}, ciphertext="header", start=_blob_of_header,
        secret=True,
    )  # fmt: skip
    def sealed_reader(self, header: bytes, context: Context = None) -> SealedReader:
        """Opens the records of a sealed batch piece by piece; close it.

        Raises:
            FrameError: no header of a sealed batch. InvalidCiphertext: it does not open.
        """
        return self._encryption.sealed_reader(header, context)

    # ---- the store --------------------------------------------------------------------------

    @operation(
        "GetCost",
        members={"since": ("Since", moment), "until": ("Until", moment), "region": "Region"},
        service="kmsfast",
    )
    def cost(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        region: str | None = None,
        prices: str | os.PathLike[str] | None = None,
    ) -> Costs:
        """What the keys and the recorded requests of this account would have cost on AWS.

        Args:
            since: an aware time; None: when its first key was made, or its first request.
            until: likewise, exclusive; None: now.
            region: only this one; None: all.
            prices: a file of prices (docs/cost.md); None: those of AWS.

        Raises:
            ValidationError: a wrong time or region, or no file of prices. OSError: it cannot be
                read.
        """
        from kmsfast.local import costs

        return costs.cost(
            self._app, since=since, until=until, region=region, price_list=costs.prices(prices)
        )

    @operation("ChangeRootKey", service="kmsfast")
    def change_root(self, new_root: Root) -> None:
        """Wraps the store by another root key: one record changes, atomically.

        A key file that is not there yet is made; the old key file is left where it is. A copy of
        the store that was made before still opens with the old root key, and holds the same keys.

        Raises:
            RootKeyMissing, RootKeyWrong: the present root key is gone or another one.
            ValidationError: neither a RootKeyFile nor a Passphrase.
        """
        self._ring.check_open()
        self._app.store.directory.change_root(app.checked_root(new_root))

    @operation("GetQuotas", service="kmsfast")
    def quotas(self) -> list[QuotaUse]:
        """The quotas of the region and account, and how much of them is used (docs/quotas.md)."""
        from kmsfast.service.quota_uses import quota_uses

        return quota_uses(self._ring)

    def describe(self) -> dict[str, Any]:
        """Facts about the store for a diagnosis: path, schema, region, account, keys, root."""
        self._ring.check_open()
        return self._app.store.describe()

    def _raw_id(self, key: Key | str) -> bytes:
        if isinstance(key, Key):
            if key._app is self._app:
                return key._raw_id
            key = key.arn  # of another region, account or store: related keys share their ids
        return self._ring.find(key).raw_id


def _sealed(batch: Any) -> SealedBatch:
    if not isinstance(batch, tuple) or len(batch) != 2:
        raise ValidationError(
            f"a sealed batch is a SealedBatch, or a tuple of header and values, not "
            f"{type(batch).__name__}"
        )
    return SealedBatch(*batch)
