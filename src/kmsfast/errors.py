"""Every error that kmsfast raises, in one tree.

Rules:
- each class carries the error code that AWS KMS uses for the same mistake (``code``), so that every
  door reports it alike; errors that AWS does not know carry ``KMSInternalException``;
- the message names what was wrong, with which value, and what to do; what to do is a hint of its
  own where AWS has fixed words for the mistake, and stays behind where those words are answered;
- no message ever holds key material, plaintext or ciphertext.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "AccessDenied",
    "AliasExists",
    "ArenaFull",
    "AuditUnusable",
    "AwsManaged",
    "BatchError",
    "CiphertextOfUnknownKey",
    "ClusterInUse",
    "ClusterInvalidConfiguration",
    "ClusterNotActive",
    "ClusterNotFound",
    "ClusterNotRelated",
    "ComputationFault",
    "ContextError",
    "CustomKeyStoreHasKeys",
    "CustomKeyStoreInvalidState",
    "CustomKeyStoreNameInUse",
    "CustomKeyStoreNotFound",
    "DependencyTimeout",
    "DryRun",
    "ExpiredImportToken",
    "ForeignArn",
    "FrameError",
    "GrantNotFound",
    "IncorrectKey",
    "IncorrectKeyMaterial",
    "IncorrectTrustAnchor",
    "InvalidAliasName",
    "InvalidArn",
    "InvalidCiphertext",
    "InvalidGrantId",
    "InvalidGrantToken",
    "InvalidImportToken",
    "InvalidKeyId",
    "InvalidKeyUsage",
    "InvalidMac",
    "InvalidMarker",
    "InvalidSignature",
    "InvalidState",
    "KeyDisabled",
    "KeyNotFound",
    "KmsError",
    "LimitExceeded",
    "MalformedPolicyDocument",
    "MaterialElsewhere",
    "NotAuthorized",
    "PrincipalExists",
    "PrincipalNotFound",
    "ProtocolError",
    "ReplicaExists",
    "RootKeyMissing",
    "RootKeyWrong",
    "SelfTestFailed",
    "ServerUnreachable",
    "StaleHandle",
    "StoreBusy",
    "StoreExists",
    "StoreForked",
    "StoreIntegrity",
    "StoreNotFound",
    "StoreUnusable",
    "TagError",
    "Throttled",
    "UnsupportedOperation",
    "ValidationError",
    "XksKeyAlreadyInUse",
    "XksKeyInvalidConfiguration",
    "XksKeyNotFound",
    "XksProxyIncorrectCredential",
    "XksProxyInvalidConfiguration",
    "XksProxyInvalidResponse",
    "XksProxyUriInUse",
    "XksProxyUriUnreachable",
    "XksProxyVpcEndpointServiceNotFound",
]


class KmsError(Exception):
    """Root of all kmsfast errors.

    Attributes:
        code: the error code of the AWS KMS API.
        hint: what to do, where the message does not say it.
    """

    code = "KMSInternalException"

    def __init__(self, *args: Any, hint: str = "") -> None:
        super().__init__(*args)
        self.hint = hint

    @property
    def message(self) -> str:
        """What was wrong, without the hint: for whoever expects the words of AWS."""
        return super().__str__()

    def __str__(self) -> str:
        if not self.hint:
            return self.message
        between = "" if not self.message else " " if self.message.endswith(".") else "; "
        return f"{self.message}{between}{self.hint}"


class ValidationError(KmsError, ValueError):
    """A parameter is out of range or of the wrong type."""

    code = "ValidationException"


class ContextError(ValidationError):
    """An encryption context is not a mapping of str to str."""


class KeyNotFound(KmsError, LookupError):
    """No key, version or alias of that name."""

    code = "NotFoundException"


class InvalidKeyId(KeyNotFound):
    """The text cannot be the name of a key."""


class InvalidArn(KmsError, ValueError):
    """The ARN is malformed; ForeignArn: of another partition, region or account."""

    code = "InvalidArnException"


class ForeignArn(InvalidArn):
    """The ARN is that of another partition, region or account, where nothing is known of it."""

    code = "NotFoundException"


class GrantNotFound(KeyNotFound):
    """The key has no grant of that id."""


class InvalidGrantId(KmsError, ValueError):
    """The text cannot be the id of a grant."""

    code = "InvalidGrantIdException"


class InvalidGrantToken(KmsError, ValueError):
    """The text is no grant token of this store."""

    code = "InvalidGrantTokenException"


class InvalidAliasName(KmsError, ValueError):
    """The alias name is malformed or reserved."""

    code = "InvalidAliasNameException"


class AliasExists(KmsError):
    """The alias names another key already."""

    code = "AlreadyExistsException"


class ReplicaExists(KmsError):
    """The region has a key of this id already."""

    code = "AlreadyExistsException"


class KeyDisabled(KmsError):
    """The key is disabled."""

    code = "DisabledException"


class InvalidState(KmsError):
    """The key's state does not allow the operation."""

    code = "KMSInvalidStateException"


class InvalidKeyUsage(KmsError):
    """The key's usage or spec does not fit the operation or the algorithm."""

    code = "InvalidKeyUsageException"


class UnsupportedOperation(KmsError):
    """The operation is not for keys of this kind, or the kind is not offered here."""

    code = "UnsupportedOperationException"


class InvalidSignature(KmsError):
    """The signature is not that of the message by this key and algorithm."""

    code = "KMSInvalidSignatureException"


class InvalidMac(KmsError):
    """The MAC is not that of the message under this key."""

    code = "KMSInvalidMacException"


class LimitExceeded(KmsError):
    """A quota of the service is reached."""

    code = "LimitExceededException"


class Throttled(KmsError):
    """A request quota is exceeded: the same request can succeed later.

    Attributes:
        retry_after: seconds until it may.
    """

    code = "ThrottlingException"

    def __init__(self, *args: Any, retry_after: float = 0.0) -> None:
        super().__init__(*args)
        self.retry_after = retry_after


class MalformedPolicyDocument(KmsError, ValueError):
    """A policy document is no JSON, breaks the grammar, or would lock its writer out."""

    code = "MalformedPolicyDocumentException"


class NotAuthorized(KmsError):
    """The request changes what belongs to AWS."""

    code = "NotAuthorizedException"


class AccessDenied(KmsError):
    """The caller may not do this: policies and grants do not allow it, or one denies it."""

    code = "AccessDeniedException"


class AwsManaged(KmsError):
    """The key is an AWS managed one, whose policy lets nobody change it."""

    code = "AccessDeniedException"


class PrincipalNotFound(KmsError, LookupError):
    """No user, role, group or account of that ARN; no access key, policy or member of that name."""

    code = "NoSuchEntity"


class PrincipalExists(KmsError):
    """There is a user, role, group or account of that ARN already."""

    code = "EntityAlreadyExists"


class DryRun(KmsError):
    """Nothing was done, as the request asked; it would have succeeded."""

    code = "DryRunOperationException"


class CustomKeyStoreNotFound(KmsError, LookupError):
    """No custom key store of that id or name."""

    code = "CustomKeyStoreNotFoundException"


class CustomKeyStoreNameInUse(KmsError):
    """Another custom key store has the name."""

    code = "CustomKeyStoreNameInUseException"


class CustomKeyStoreInvalidState(KmsError):
    """The connection state of the custom key store does not allow the operation."""

    code = "CustomKeyStoreInvalidStateException"


class CustomKeyStoreHasKeys(KmsError):
    """The custom key store still has keys."""

    code = "CustomKeyStoreHasCMKsException"


class ClusterNotFound(KmsError, LookupError):
    """No PKCS#11 token was configured for the CloudHSM cluster."""

    code = "CloudHsmClusterNotFoundException"


class ClusterNotActive(KmsError):
    """The token of the CloudHSM cluster is not there, or not initialised."""

    code = "CloudHsmClusterNotActiveException"


class ClusterNotRelated(KmsError):
    """The CloudHSM cluster has another trust anchor than the key store was made with."""

    code = "CloudHsmClusterNotRelatedException"


class ClusterInUse(KmsError):
    """Another custom key store has the CloudHSM cluster."""

    code = "CloudHsmClusterInUseException"


class ClusterInvalidConfiguration(KmsError):
    """The token of the CloudHSM cluster cannot do what a key store needs."""

    code = "CloudHsmClusterInvalidConfigurationException"


class IncorrectTrustAnchor(KmsError, ValueError):
    """The trust anchor is no certificate, or not that of the CloudHSM cluster."""

    code = "IncorrectTrustAnchorException"


class XksProxyUriInUse(KmsError):
    """Another external key store has the proxy's address."""

    code = "XksProxyUriInUseException"


class XksProxyUriUnreachable(KmsError):
    """The external key store proxy cannot be reached, or not in time."""

    code = "XksProxyUriUnreachableException"


class XksProxyIncorrectCredential(KmsError):
    """The external key store proxy does not accept the credential."""

    code = "XksProxyIncorrectAuthenticationCredentialException"


class XksProxyInvalidResponse(KmsError):
    """The external key store proxy answers something else than the specification says."""

    code = "XksProxyInvalidResponseException"


class XksProxyInvalidConfiguration(KmsError):
    """The external key store proxy does not serve the path."""

    code = "XksProxyInvalidConfigurationException"


class XksProxyVpcEndpointServiceNotFound(KmsError, LookupError):
    """There are no VPC endpoint services here."""

    code = "XksProxyVpcEndpointServiceNotFoundException"


class XksKeyAlreadyInUse(KmsError):
    """Another key of the external key store has the external key."""

    code = "XksKeyAlreadyInUseException"


class XksKeyNotFound(KmsError, LookupError):
    """The external key store proxy does not know the external key."""

    code = "XksKeyNotFoundException"


class XksKeyInvalidConfiguration(KmsError):
    """The external key is no enabled AES-256 key that encrypts and decrypts."""

    code = "XksKeyInvalidConfigurationException"


class InvalidMarker(KmsError, ValueError):
    """A marker of a listing that is none, of another listing, or too old."""

    code = "InvalidMarkerException"


class IncorrectKey(KmsError):
    """The ciphertext was encrypted under another key than the one that was named."""

    code = "IncorrectKeyException"


class CiphertextOfUnknownKey(KmsError, LookupError):
    """The ciphertext names a key that is not here."""

    code = "AccessDeniedException"


class TagError(KmsError, ValueError):
    """A tag is malformed, reserved, a duplicate, or one too many."""

    code = "TagException"


class InvalidCiphertext(KmsError):
    """A blob does not open: changed bytes, a wrong context, or another key's blob."""

    code = "InvalidCiphertextException"


class FrameError(InvalidCiphertext):
    """Bytes that are no blob, a truncated one, or one of an unknown version or suite."""


class InvalidImportToken(KmsError):
    """The import token was not made for this key, or was changed."""

    code = "InvalidImportTokenException"


class ExpiredImportToken(KmsError):
    """The import token is older than 24 hours."""

    code = "ExpiredImportTokenException"


class IncorrectKeyMaterial(KmsError):
    """Imported key material is not what the key takes, or not what it had before."""

    code = "IncorrectKeyMaterialException"


class BatchError(KmsError):
    """Some records of a batch failed; the others are unharmed.

    Attributes:
        errors: the error of each failed record, by its index in the batch.
        values: the results, of the kind of the input; a failed record is null, None or empty.
    """

    code = "InvalidCiphertextException"

    def __init__(self, errors: Mapping[int, KmsError], values: Any, total: int) -> None:
        self.errors = dict(errors)
        self.values = values
        self._total = total
        first = min(self.errors)
        super().__init__(
            f"{len(self.errors)} of {total} records failed; the first is record {first}: "
            f"{self.errors[first]} (the others are in .values, the errors by index in .errors)"
        )

    def __reduce__(self) -> tuple[type[BatchError], tuple[Any, ...]]:
        return type(self), (self.errors, self.values, self._total)


class ServerUnreachable(KmsError, ConnectionError):
    """No server answers at the socket, or it went away before it answered."""


class ProtocolError(KmsError):
    """The other side of the socket does not speak the protocol (docs/socket.md)."""


class DependencyTimeout(KmsError, TimeoutError):
    """The request was not done in its time; it can be tried again."""

    code = "DependencyTimeoutException"


class StoreNotFound(KmsError, FileNotFoundError):
    """There is no key store at the path."""


class StoreExists(KmsError, FileExistsError):
    """A key store is already there."""


class StoreUnusable(KmsError):
    """The store cannot be used: read-only, full disk, wrong schema, not a store."""


class StoreBusy(KmsError):
    """Another process holds the store for longer than the time limit."""


class StoreIntegrity(KmsError):
    """A row of the store was changed from outside: its MAC does not verify."""


class AuditUnusable(KmsError):
    """The audit log cannot be written, or was changed from outside; nothing is done unrecorded."""


class RootKeyMissing(KmsError):
    """The store exists, its root key does not. A new one would not open it."""


class RootKeyWrong(KmsError):
    """The root key or passphrase is not the one that wraps this store."""


class StoreForked(KmsError):
    """The store was opened before a fork; the child must open it again."""


class SelfTestFailed(KmsError):
    """The C core did not reproduce a known answer; nothing works."""


class ComputationFault(KmsError):
    """A result failed the check before its release: this machine computed wrongly."""


class ArenaFull(KmsError):
    """Every slot of the key arena is in use by running calls."""


class MaterialElsewhere(UnsupportedOperation):
    """The key's material is in a custom key store, and the operation needs it here."""


class StaleHandle(KmsError):
    """The key was evicted from the arena. The service loads it again; users never see this."""
