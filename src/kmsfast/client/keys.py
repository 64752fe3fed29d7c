"""What a key of a server does: the methods of :class:`kmsfast.Key`, as calls.

Rules:
- names, parameters, results and errors are those of the in-process key, so that a program moves
  from one to the other by the line that opens the store;
- what a key is, is asked of the server each time; only its names are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from kmsfast.client.asking import (
    OVERHEAD,
    Context,
    Number,
    checked,
    many,
    one_bin,
    one_data_key,
    settled,
)
from kmsfast.client.calls import Call, method
from kmsfast.client.columns import Batch, like
from kmsfast.client.description import (
    Description,
    aliases_in,
    bytes_in,
    current_in,
    described,
    last_usage_of,
    rotation_of,
    tags_in,
    versions_of,
)
from kmsfast.client.naming import every, named, pairs_of
from kmsfast.client.pairs import PairCalls
from kmsfast.client.rights import RightCalls
from kmsfast.client.sealing import SealingCalls
from kmsfast.model.key import KeyVersion, RotationStatus
from kmsfast.model.keyspec import KeySpec
from kmsfast.model.named_key import NamedKey
from kmsfast.model.usage import LastUsage
from kmsfast.service.encryption import DataKey, Errors, as_bytes

__all__ = ["KeyCalls", "Tags"]

Tags = Mapping[str, str] | Iterable[tuple[str, str]]
K = TypeVar("K")


class KeyCalls(NamedKey, PairCalls, RightCalls, SealingCalls, Generic[K]):
    """A key of a server.

    Attributes:
        id, arn: its names.
    """

    id: str

    def _sibling(self, region: str, metadata: Mapping[str, Any]) -> K:
        """A key related to this one, in another region, of the client's own class."""
        raise NotImplementedError

    # ---- what it is -------------------------------------------------------------------------

    @method
    def describe(self) -> Call[Description]:
        """The key as it is now (DescribeKey).

        Raises:
            KeyNotFound: it is gone.
        """
        answer = yield from named("DescribeKey", KeyId=self.arn)
        return described(answer["KeyMetadata"])

    @method
    def get_aliases(self) -> Call[tuple[str, ...]]:
        """The key's aliases, sorted."""
        found = yield from every("ListAliases", "Aliases", 100, KeyId=self.arn)
        return aliases_in(found)

    @method
    def get_tags(self) -> Call[dict[str, str]]:
        """The key's tags."""
        found = yield from every("ListResourceTags", "Tags", 50, KeyId=self.arn)
        return tags_in(found)

    @method
    def get_rotation(self) -> Call[RotationStatus]:
        """Whether it rotates by itself, how often and when next."""
        return rotation_of((yield from named("GetKeyRotationStatus", KeyId=self.arn)))

    @method
    def versions(self) -> Call[tuple[KeyVersion, ...]]:
        """All versions, oldest first; each decrypts what it encrypted."""
        return (yield from self._versions())[0]

    @method
    def get_current_version(self) -> Call[int]:
        """The number of the version that encrypts."""
        return (yield from self._versions())[1]

    def _versions(self) -> Call[tuple[tuple[KeyVersion, ...], int]]:
        answer = yield from named("DescribeKey", KeyId=self.arn)
        found = described(answer["KeyMetadata"])
        if found.spec is not KeySpec.SYMMETRIC_DEFAULT or found.backing is not None:
            return (KeyVersion(1, found.created_at, "created"),), 1
        shown = yield from every(
            "ListKeyRotations", "Rotations", KeyId=self.arn, IncludeKeyMaterial="ALL_KEY_MATERIAL"
        )
        return tuple(versions_of(found.created_at, shown)), current_in(shown)

    @method
    def last_usage(self) -> Call[LastUsage]:
        """Its last use, exact to a second (docs/usage.md); of a batch all records are one use.

        Raises:
            KeyNotFound: it is gone.
        """
        said = yield from named("GetKeyLastUsage", KeyId=self.arn)
        return last_usage_of(self.arn, said)

    # ---- encryption -------------------------------------------------------------------------

    @method
    def encrypt(
        self,
        plaintext: bytes,
        context: Context = None,
        aad: bytes | None = None,
        *,
        algorithm: str | None = None,
    ) -> Call[bytes]:
        """One record as a blob, 96 bytes longer; see :meth:`kmsfast.Key.encrypt`."""
        data = as_bytes(plaintext)
        if algorithm in {None, KeySpec.SYMMETRIC_DEFAULT}:
            return (yield from one_bin(Number.ENCRYPT, self.arn, context, data, aad=aad))
        answer = yield from named(
            "Encrypt", KeyId=self.arn, Plaintext=data, EncryptionAlgorithm=algorithm,
            EncryptionContext=checked(context),
        )  # fmt: skip
        return bytes_in(answer, "CiphertextBlob")

    @method
    def encrypt_batch(
        self, values: Any, context: Context = None, *, aad: Any = None, threads: int = 1
    ) -> Call[Any]:
        """One blob per record, each 96 bytes longer, as the kind of the input.

        Args:
            values: as :meth:`kmsfast.Key.encrypt_batch` takes them.
            threads: is for the in-process key: a server has its own.

        Raises:
            As :meth:`kmsfast.Key.encrypt_batch`.
        """
        del threads
        batch = Batch(values)
        gathered = yield from many(Number.ENCRYPT, self.arn, context, batch, aad)
        return settled(gathered, like(batch, OVERHEAD), batch.num)

    @method
    def decrypt(
        self,
        blob: bytes,
        context: Context = None,
        aad: bytes | None = None,
        *,
        algorithm: str | None = None,
    ) -> Call[bytes]:
        """The plaintext of one blob of this key; see :meth:`kmsfast.Key.decrypt`."""
        data = as_bytes(blob, "the blob")
        if algorithm in {None, KeySpec.SYMMETRIC_DEFAULT}:
            return (yield from one_bin(Number.DECRYPT, self.arn, context, data, aad=aad))
        answer = yield from named(
            "Decrypt", KeyId=self.arn, CiphertextBlob=data, EncryptionAlgorithm=algorithm,
            EncryptionContext=checked(context),
        )  # fmt: skip
        return bytes_in(answer, "Plaintext")

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
        """The plaintexts of a batch; see :meth:`kmsfast.Key.decrypt_batch`."""
        del threads
        batch = Batch(blobs, "blobs")
        rebuild = like(batch, -OVERHEAD)
        gathered = yield from many(Number.DECRYPT, self.arn, context, batch, aad)
        return settled(gathered, rebuild, batch.num, errors)

    @method
    def generate_data_key(self, num_bytes: int = 32, context: Context = None) -> Call[DataKey]:
        """A fresh key of 1 to 1,024 bytes for use elsewhere, in the clear and as a blob."""
        plain, blob = yield from one_data_key(self.arn, context, num_bytes)
        return DataKey(plain, blob, self.arn)

    @method
    def generate_data_key_without_plaintext(
        self, num_bytes: int = 32, context: Context = None
    ) -> Call[DataKey]:
        """A fresh key as a blob alone; its plaintext never leaves the server."""
        number = Number.GENERATE_DATA_KEY_WITHOUT_PLAINTEXT
        blob = yield from one_bin(number, self.arn, context, num_bytes)
        return DataKey(None, blob, self.arn)

    # ---- its life ---------------------------------------------------------------------------

    @method
    def rotate(self) -> Call[None]:
        """Adds a version, which encrypts from now on; the others still decrypt."""
        yield from named("RotateKeyOnDemand", KeyId=self.arn)

    @method
    def enable_rotation(self, period_days: int = 365) -> Call[None]:
        """Rotates the key by itself, each 90 to 2,560 days from now."""
        yield from named("EnableKeyRotation", KeyId=self.arn, RotationPeriodInDays=period_days)

    @method
    def disable_rotation(self) -> Call[None]:
        """Ends automatic rotation."""
        yield from named("DisableKeyRotation", KeyId=self.arn)

    @method
    def replicate(
        self,
        region: str,
        *,
        description: str = "",
        tags: Tags | None = None,
        policy: str | None = None,
    ) -> Call[K]:
        """A replica of this multi-Region key in another region."""
        answer = yield from named(
            "ReplicateKey", KeyId=self.arn, ReplicaRegion=region, Description=description,
            Tags=pairs_of(tags), Policy=policy,
        )  # fmt: skip
        return self._sibling(region, answer["ReplicaKeyMetadata"])

    @method
    def update_primary_region(self, region: str) -> Call[None]:
        """Makes the replica in that region the primary key, and this one a replica."""
        yield from named("UpdatePrimaryRegion", KeyId=self.arn, PrimaryRegion=region)

    @method
    def enable(self) -> Call[None]:
        """Lets the key encrypt and decrypt again."""
        yield from named("EnableKey", KeyId=self.arn)

    @method
    def disable(self) -> Call[None]:
        """Keeps the key from encrypting and decrypting."""
        yield from named("DisableKey", KeyId=self.arn)

    @method
    def schedule_deletion(self, days: int = 30) -> Call[None]:
        """Deletes the key in 7 to 30 days; until then it is unusable and can be kept after all."""
        yield from named("ScheduleKeyDeletion", KeyId=self.arn, PendingWindowInDays=days)

    @method
    def cancel_deletion(self) -> Call[None]:
        """Keeps the key; it is disabled then."""
        yield from named("CancelKeyDeletion", KeyId=self.arn)

    @method
    def update_description(self, text: str) -> Call[None]:
        """Another description, of at most 8,192 characters."""
        yield from named("UpdateKeyDescription", KeyId=self.arn, Description=text)

    @method
    def get_policy(self) -> Call[str]:
        """The key policy; AWS's default one where none was given."""
        answer = yield from named("GetKeyPolicy", KeyId=self.arn)
        policy: str = answer["Policy"]
        return policy

    @method
    def put_policy(self, document: str) -> Call[None]:
        """Another key policy."""
        yield from named("PutKeyPolicy", KeyId=self.arn, Policy=document)

    @method
    def tag(self, tags: Tags) -> Call[None]:
        """Adds tags; those with the same key are replaced."""
        yield from named("TagResource", KeyId=self.arn, Tags=pairs_of(tags))

    @method
    def untag(self, names: Iterable[str]) -> Call[None]:
        """Removes the tags of these keys."""
        yield from named("UntagResource", KeyId=self.arn, TagKeys=list(names))
