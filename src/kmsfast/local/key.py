"""One key: what it is, what it encrypts, and its life.

Rules: those of :mod:`kmsfast.local`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from kmsfast.crypto.blob import seal_bound
from kmsfast.crypto.native import with_handle
from kmsfast.crypto.sealed import SealedWriter
from kmsfast.doors import Call, Door, Entry, Outcome
from kmsfast.errors import MaterialElsewhere, StaleHandle
from kmsfast.local.grants import GrantUses
from kmsfast.local.imports import ImportUses
from kmsfast.local.macs import MacUses
from kmsfast.local.members import Member, names
from kmsfast.local.members import tags as tag_members
from kmsfast.local.pairs import PairUses
from kmsfast.local.recorded import CONTEXT, looks, of_batch, operation, operation_with_call
from kmsfast.local.remembered import NOT_READY, NOTHING_TO_SEAL, Context, Sealing
from kmsfast.model.context import copied
from kmsfast.model.key import KeyManager, KeyMetadata, KeyState, KeyVersion, RotationStatus
from kmsfast.model.key_store import Backing
from kmsfast.model.keyspec import KeySpec, KeyUsage, Origin
from kmsfast.model.named_key import NamedKey
from kmsfast.model.usage import LastUsage
from kmsfast.service.encryption import DataKey, Errors, SealedBatch
from kmsfast.service.keyring import Ready
from kmsfast.service.streaming import SealsStreams
from kmsfast.service.usage import Window

__all__ = ["Key", "Tags"]

Tags = Mapping[str, str] | Iterable[tuple[str, str]]

_ALGORITHM: Final[dict[str, Member]] = {"algorithm": "EncryptionAlgorithm"}
_OF_DATA_KEY: Final[dict[str, Member]] = {"num_bytes": "NumberOfBytes", "context": CONTEXT}


def _of_replica(made: Key) -> Outcome:
    return Outcome({"ReplicaKeyMetadata": {"Arn": made.arn, "KeyId": made.id}}, keys=(made.arn,))


class Key(NamedKey, PairUses, MacUses, ImportUses, GrantUses, SealsStreams):
    """One key of a store. Its properties are read anew whenever the store has changed."""

    __slots__ = ("_clock", "_encryption", "_management", "_ready", "_ring", "_sealing", "arn",
                 "id")  # fmt: skip

    def __init__(self, door: Door, key: KeyMetadata) -> None:
        application = door.app
        self._raw_id, self.id, self.arn = key.raw_id, key.id, key.arn
        self._management, self._encryption = application.management, application.encryption
        self._app, self._door = application, door
        self._ring, self._epoch = application.ring, application.ring.epoch
        self._clock, self._usage = application.ring.clock, application.ring.usage
        self._ready, self._sealing = NOT_READY, NOTHING_TO_SEAL
        super().forget_remembered()

    # ---- what it is -------------------------------------------------------------------------

    @property
    @looks("DescribeKey")
    def state(self) -> KeyState:
        """As AWS KMS names it: Enabled, Disabled, PendingImport... Compares equal to the texts."""
        return self._metadata.shown_state

    @property
    @looks("DescribeKey")
    def spec(self) -> KeySpec:
        """What kind of material it has; compares equal to the text, such as RSA_2048."""
        return self._metadata.spec

    @property
    @looks("DescribeKey")
    def usage(self) -> KeyUsage:
        """What it is for: ENCRYPT_DECRYPT, SIGN_VERIFY and so on (:class:`KeyUsage`)."""
        return self._metadata.usage

    @property
    @looks("DescribeKey")
    def origin(self) -> Origin:
        """Where its material comes from: AWS_KMS (made here), EXTERNAL, or a custom key store."""
        return self._metadata.origin

    @property
    @looks("DescribeKey")
    def backing(self) -> Backing | None:
        """In which custom key store its material is, and its name there; None: it is here."""
        return self._metadata.backing

    @property
    @looks("DescribeKey")
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that it works with, as AWS names them."""
        return self._metadata.algorithms

    @property
    @looks("DescribeKey")
    def description(self) -> str:
        """What the key is for."""
        return self._metadata.description

    @property
    @looks("ListAliases")
    def aliases(self) -> tuple[str, ...]:
        """The key's aliases, sorted."""
        return self._metadata.aliases

    @property
    @looks("ListResourceTags")
    def tags(self) -> dict[str, str]:
        """The key's tags."""
        return dict(self._metadata.tags)

    @property
    @looks("GetKeyPolicy")
    def policy(self) -> str | None:
        """The key policy, as it was given; None: the default policy of AWS."""
        return self._metadata.policy

    @property
    @looks("DescribeKey")
    def multi_region(self) -> bool:
        """Whether it is a multi-Region key."""
        return self._metadata.multi_region

    @property
    @looks("DescribeKey")
    def manager(self) -> KeyManager:
        """CUSTOMER, or AWS for the keys of ``alias/aws/...``, which their account cannot change."""
        return self._metadata.manager

    @property
    @looks("DescribeKey")
    def regions(self) -> tuple[str, ...]:
        """The regions of a multi-Region key and those related to it, the primary's first."""
        return self._app.multi_region.settled(self._metadata).regions

    @property
    @looks("DescribeKey")
    def created_at(self) -> datetime:
        """When it was created (UTC)."""
        return self._metadata.created_at

    @property
    @looks("DescribeKey")
    def deletion_date(self) -> datetime | None:
        """When it will be deleted (UTC), if its deletion is scheduled."""
        return self._metadata.deletion_date

    @property
    @looks("DescribeKey")
    def current_version(self) -> int:
        """The number of the version that encrypts."""
        return self._metadata.current_version

    @property
    @looks("GetKeyRotationStatus")
    def rotation(self) -> RotationStatus:
        """Whether it rotates by itself, how often and when next."""
        return self._metadata.rotation

    @property
    @looks("DescribeKey")
    def valid_to(self) -> datetime | None:
        """When the first of its imported materials in use expires (UTC); None: never."""
        return self._metadata.valid_to

    @operation("GetKeyLastUsage")
    def last_usage(self) -> LastUsage:
        """Its last use, exact to a second (docs/usage.md); of a batch all records are one use.

        Raises:
            KeyNotFound: it is gone. StoreBusy: another process kept the store from being read.
        """
        return self._usage.last(self._metadata)

    @operation("ListKeyRotations")
    def versions(self) -> tuple[KeyVersion, ...]:
        """All versions, oldest first; each decrypts what it encrypted."""
        return self._management.versions(self._raw_id)

    # ---- encryption -------------------------------------------------------------------------

    def encrypt(
        self,
        plaintext: bytes,
        context: Context = None,
        aad: bytes | None = None,
        *,
        algorithm: str | None = None,
    ) -> bytes:
        """One record as a blob, 96 bytes longer; by an RSA key as a standard RSA ciphertext.

        Args:
            context: pairs of text, needed again to decrypt; they are not in the blob.
            aad: bytes that are bound like the context.
            algorithm: RSAES_OAEP_SHA_1 or RSAES_OAEP_SHA_256 for an RSA key, which then takes no
                context and no aad.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound, InvalidKeyUsage: the key cannot encrypt.
            ContextError, ValidationError: a parameter of the wrong type; too long for RSA.
        """
        epoch, due, known, binding = self._sealing
        if (
            epoch == self._epoch[0]
            and context == known
            and aad is None
            and algorithm is None
            and type(plaintext) is bytes
            and (due is None or self._clock() < due)
        ):
            try:
                return seal_bound(binding, plaintext)
            except StaleHandle:
                self._sealing = NOTHING_TO_SEAL
        return self._encrypt(plaintext, context, aad, algorithm)

    @operation_with_call("Encrypt", members={"context": CONTEXT, **_ALGORITHM})
    def _encrypt(
        self,
        call: Call,
        plaintext: bytes,
        context: Context,
        aad: bytes | None,
        algorithm: str | None,
    ) -> bytes:
        """With another context than the last one, or what only the service can do."""
        if algorithm not in (None, KeySpec.SYMMETRIC_DEFAULT):
            return self._app.asymmetric.encrypt(self._raw_id, plaintext, algorithm, context, aad)
        if aad is not None or type(plaintext) is not bytes:
            return self._encryption.encrypt(self._raw_id, plaintext, context, aad)
        window = self._usage.window
        epoch, _, due = ready = self._ready
        if epoch == self._epoch[0] and (due is None or self._clock() < due):
            with suppress(StaleHandle):  # evicted since: loaded again below
                return self._seal(call, ready, plaintext, context, window)
        window = self._usage.watch(self)
        try:
            made = with_handle(
                lambda: self._ring.ready(self._raw_id),
                lambda now: self._seal(call, now, plaintext, context, window),
            )
        except MaterialElsewhere:
            return self._encryption.encrypt(self._raw_id, plaintext, context, None)
        self._usage.used(self.arn, "Encrypt")
        return made

    def _seal(
        self, call: Call, ready: Ready, plaintext: bytes, context: Context, window: Window
    ) -> bytes:
        """The blob; and what the next call may need, unless a window of uses ended since."""
        known = copied(context)
        binding = self._encryption.bindings.of(ready.handle, known)
        blob = seal_bound(binding, plaintext)

        def remember(entry: Entry) -> None:
            self._ready = ready
            self._sealing = Sealing(ready.epoch, ready.rotation_due, known, entry.counting(binding))
            self._forget_after(window)

        call.afterwards = remember
        return blob

    def forget_remembered(self) -> None:
        """The next call goes the long way; see :mod:`kmsfast.service.usage`."""
        super().forget_remembered()
        self._ready, self._sealing = NOT_READY, NOTHING_TO_SEAL

    @operation("Encrypt", members={"context": CONTEXT}, records="values")
    def encrypt_batch(
        self, values: Any, context: Context = None, *, aad: Any = None, threads: int = 1
    ) -> Any:
        """One blob per record, each 96 bytes longer, as the kind of the input.

        Args:
            values: a list of bytes or None, numpy uint8 of (n, width) or S/V of (n,),
                Packed(data, offsets), or an Arrow array; nulls stay null.
            aad: associated data of each record, a batch of any kind and the same length.
            threads: for the C core; the GIL is released.

        Raises:
            ValidationError: another type, dtype, shape or layout; bad offsets.
            KeyDisabled, InvalidState, KeyNotFound: the key cannot encrypt.
        """
        return self._encryption.encrypt_batch(self._raw_id, values, context, aad, threads)

    @operation("Decrypt", members={"context": CONTEXT, **_ALGORITHM}, secret=True)
    def decrypt(
        self,
        blob: bytes,
        context: Context = None,
        aad: bytes | None = None,
        *,
        algorithm: str | None = None,
    ) -> bytes:
        """As :meth:`Kms.decrypt`, for blobs of this key alone, and for RSA ciphertexts.

        Args:
            algorithm: by which an RSA key's public key has encrypted, here or elsewhere.
        """
        if algorithm not in (None, KeySpec.SYMMETRIC_DEFAULT):
            return self._app.asymmetric.decrypt(self._raw_id, blob, algorithm, context, aad)
        return self._encryption.decrypt(blob, context, aad, only=self._raw_id)

    @operation(
        "Decrypt", members={"context": CONTEXT}, records="blobs", secret=True, outcome=of_batch
    )
    def decrypt_batch(
        self,
        blobs: Any,
        context: Context = None,
        *,
        aad: Any = None,
        threads: int = 1,
        errors: Errors = "raise",
    ) -> Any:
        """As :meth:`Kms.decrypt_batch`, for blobs of this key alone."""
        return self._encryption.decrypt_batch(
            blobs, context, aad, threads, errors=errors, only=self._raw_id
        )

    @operation("GenerateDataKey", members=_OF_DATA_KEY, secret=True)
    def generate_data_key(self, num_bytes: int = 32, context: Context = None) -> DataKey:
        """A fresh key of 1 to 1,024 bytes for use elsewhere, in the clear and as a blob.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
            ValidationError: another size. ContextError: see :meth:`encrypt`.
        """
        return self._encryption.data_key(self._raw_id, num_bytes, context, with_plaintext=True)

    @operation("GenerateDataKeyWithoutPlaintext", members=_OF_DATA_KEY)
    def generate_data_key_without_plaintext(
        self, num_bytes: int = 32, context: Context = None
    ) -> DataKey:
        """A fresh key as a blob alone; its plaintext never leaves C.

        Raises:
            As :meth:`generate_data_key`.
        """
        return self._encryption.data_key(self._raw_id, num_bytes, context, with_plaintext=False)

    @operation("Encrypt", members={"context": CONTEXT}, records="values")
    def seal_batch(self, values: Any, context: Context = None, *, threads: int = 1) -> SealedBatch:
        """Records sealed together under a fresh data key, 16 bytes longer each; immutable.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
            ValidationError: no records, nulls, or see :meth:`encrypt_batch`.
        """
        return self._encryption.seal_batch(self._raw_id, values, context, threads)

    @operation("Encrypt", members={"context": CONTEXT}, secret=True)
    def sealed_writer(self, context: Context = None, record_size: int = 0) -> SealedWriter:
        """Seals one batch piece by piece; close it.

        Args:
            record_size: bytes of every record but the last; 0 when they vary.
        """
        return self._encryption.sealed_writer(self._raw_id, context, record_size)

    # ---- its life ---------------------------------------------------------------------------

    @operation("RotateKeyOnDemand")
    def rotate(self) -> None:
        """Adds a version, which encrypts from now on; the others still decrypt.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
            UnsupportedOperation: an asymmetric or HMAC key, which do not rotate.
            LimitExceeded: it was rotated so 25 times, or what its quota says; rotation by period
                has no limit.
        """
        self._app.rotations.on_demand(self._raw_id)

    @operation("EnableKeyRotation", members={"period_days": "RotationPeriodInDays"})
    def enable_rotation(self, period_days: int = 365) -> None:
        """Rotates the key by itself, each 90 to 2,560 days from now.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
            ValidationError: another period.
        """
        self._management.enable_rotation(self._raw_id, period_days)

    @operation("DisableKeyRotation")
    def disable_rotation(self) -> None:
        """Ends automatic rotation.

        Raises:
            KeyDisabled, InvalidState, KeyNotFound: the key's state does not allow it.
        """
        self._management.disable_rotation(self._raw_id)

    @operation(
        "ReplicateKey",
        members={
            "region": "ReplicaRegion",
            "description": "Description",
            "tags": ("Tags", tag_members),
            "policy": "Policy",
        },
        outcome=_of_replica,
    )
    def replicate(
        self,
        region: str,
        *,
        description: str = "",
        tags: Tags | None = None,
        policy: str | None = None,
    ) -> Key:
        """A replica of this multi-Region key in another region: what one encrypts, both decrypt.

        Id and material are the same, and a rotation of the primary is one of the replica. Of a key
        of origin EXTERNAL the replica needs the same material to be imported. The other properties
        are its own.

        Raises:
            UnsupportedOperation: not a multi-Region key, or itself a replica.
            ReplicaExists: the region has one. KeyDisabled, InvalidState: this key is not enabled.
            ValidationError, TagError, MalformedPolicyDocument, LimitExceeded: a wrong parameter.
        """
        replica = self._app.multi_region.replicate(
            self._raw_id, region, description=description, tags=tags, policy=policy
        )
        return Key(self._door.at(self._app.beside(region)), replica)

    @operation("UpdatePrimaryRegion", members={"region": "PrimaryRegion"})
    def update_primary_region(self, region: str) -> None:
        """Makes the replica in that region the primary key, and this one a replica.

        Raises:
            UnsupportedOperation: this is not a primary key, or it is the one in that region.
            KeyNotFound: no replica is there. KeyDisabled, InvalidState: one is not enabled.
        """
        self._app.multi_region.update_primary(self._raw_id, region)

    @operation("EnableKey")
    def enable(self) -> None:
        """Lets the key encrypt and decrypt again.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
        """
        self._management.enable(self._raw_id)

    @operation("DisableKey")
    def disable(self) -> None:
        """Keeps the key from encrypting and decrypting.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
        """
        self._management.disable(self._raw_id)

    @operation("ScheduleKeyDeletion", members={"days": "PendingWindowInDays"})
    def schedule_deletion(self, days: int = 30) -> None:
        """Deletes the key in 7 to 30 days; until then it is unusable and can be kept after all.

        The days of a primary key that has replicas begin when the last of them is deleted.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
            ValidationError: another waiting period.
        """
        self._management.schedule_deletion(self._raw_id, days)

    @operation("CancelKeyDeletion")
    def cancel_deletion(self) -> None:
        """Keeps the key; it is disabled then.

        Raises:
            InvalidState, KeyNotFound: the key does not wait for its deletion, or is gone.
        """
        self._management.cancel_deletion(self._raw_id)

    @operation("UpdateKeyDescription", members={"text": "Description"})
    def update_description(self, text: str) -> None:
        """Another description, of at most 8,192 characters.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
            ValidationError: longer, or no valid Unicode.
        """
        self._management.update_description(self._raw_id, text)

    @operation("GetKeyPolicy")
    def get_policy(self) -> str:
        """The key policy; AWS's default one where none was given.

        Raises:
            KeyNotFound: the key is gone.
        """
        return self._app.policies.get(self._raw_id)

    @operation("PutKeyPolicy", members={"document": "Policy"})
    def put_policy(self, document: str) -> None:
        """Another key policy, which decides over HTTP (docs/policies.md).

        Raises:
            MalformedPolicyDocument, LimitExceeded: it is malformed, or too long.
            KeyNotFound: the key is gone.
        """
        self._app.policies.put(self._raw_id, document)

    @operation("TagResource", members={"tags": ("Tags", tag_members)})
    def tag(self, tags: Tags) -> None:
        """Adds tags; those with the same key are replaced.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
            TagError: malformed, reserved, a duplicate, or more than 50.
        """
        self._management.tag(self._raw_id, tags)

    @operation("UntagResource", members={"names": ("TagKeys", names)})
    def untag(self, names: Iterable[str]) -> None:
        """Removes the tags of these keys.

        Raises:
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
        """
        self._management.untag(self._raw_id, names)

    @property
    def _metadata(self) -> KeyMetadata:
        return self._ring.key(self._raw_id)
