"""The AWS Encryption SDK for Python on KMS keyrings: prints a line for each thing that it shows."""

from typing import Any

import boto3
import botocore.session
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsDiscoveryKeyringInput,
    CreateAwsKmsEcdhKeyringInput,
    CreateAwsKmsKeyringInput,
    CreateAwsKmsRsaKeyringInput,
    CreateMultiKeyringInput,
    DiscoveryFilter,
    KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey,
    KmsPrivateKeyToStaticPublicKeyInput,
)
from aws_cryptography_primitives.smithygenerated.aws_cryptography_primitives.models import (
    ECDHCurveSpec,
)
from aws_encryption_sdk import (
    CachingCryptoMaterialsManager,
    EncryptionSDKClient,
    LocalCryptoMaterialsCache,
    StrictAwsKmsMasterKeyProvider,
)
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.identifiers import AlgorithmSuite
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from shown import new_key, refused, show

CONTEXT = {"table": "orders"}
PLAIN = b"a message of some frames" * 1000

kms = boto3.client("kms")
sdk = EncryptionSDKClient()
providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())


def keyring(arn: str) -> Any:
    """The keyring of one symmetric key, named by its ARN or its alias' ARN."""
    return providers.create_aws_kms_keyring(
        CreateAwsKmsKeyringInput(kms_key_id=arn, kms_client=kms)
    )


def opened(message: bytes, ring: Any, context: dict[str, str] | None = None) -> bytes:
    """The plaintext of a message."""
    plain: bytes
    plain, _ = sdk.decrypt(source=message, keyring=ring, encryption_context=context)
    return plain


def symmetric(first: str, second: str) -> None:
    """One key: what opens a message, and what does not."""
    message, header = sdk.encrypt(source=PLAIN, keyring=keyring(first), encryption_context=CONTEXT)
    show("a message opens", holds=opened(message, keyring(first), CONTEXT) == PLAIN)
    show("the context is in its header", holds=CONTEXT.items() <= header.encryption_context.items())
    for what, call in {
        "another context is refused": lambda: opened(message, keyring(first), {"table": "x"}),
        "another key is refused": lambda: opened(message, keyring(second)),
    }.items():
        refused(what, AWSEncryptionSDKClientError, call)
    changed = message[:-1] + bytes([message[-1] ^ 1])
    refused(
        "a changed message is refused", InvalidSignature, lambda: opened(changed, keyring(first))
    )
    discovery = providers.create_aws_kms_discovery_keyring(
        CreateAwsKmsDiscoveryKeyringInput(
            kms_client=kms,
            discovery_filter=DiscoveryFilter(partition="aws", account_ids=["000000000000"]),
        )
    )
    show("a discovery keyring finds the key", holds=opened(message, discovery) == PLAIN)


def several(first: str, second: str) -> None:
    """A multi-keyring: either key opens, also while the other is disabled."""
    ring = providers.create_multi_keyring(
        CreateMultiKeyringInput(generator=keyring(first), child_keyrings=[keyring(second)])
    )
    message, header = sdk.encrypt(source=PLAIN, keyring=ring, encryption_context=CONTEXT)
    show("a multi-keyring wraps for each key", holds=len(header.encrypted_data_keys) == 2)
    kms.disable_key(KeyId=first)
    show("the other key opens", holds=opened(message, ring) == PLAIN)
    refused(
        "a disabled key is refused",
        AWSEncryptionSDKClientError,
        lambda: opened(message, keyring(first)),
    )
    kms.enable_key(KeyId=first)
    show("an enabled key opens again", holds=opened(message, keyring(first)) == PLAIN)


def alias(first: str) -> None:
    """An alias encrypts; the key's own keyring decrypts."""
    kms.create_alias(AliasName="alias/encryption-sdk", TargetKeyId=first)
    ring = keyring(first.partition(":key/")[0] + ":alias/encryption-sdk")
    message, _ = sdk.encrypt(source=PLAIN, keyring=ring)
    show("an alias encrypts for its key", holds=opened(message, keyring(first)) == PLAIN)


def rsa() -> None:
    """An RSA keyring: encryption outside of KMS with the public key, decryption inside."""
    arn = new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public = load_der_public_key(kms.get_public_key(KeyId=arn)["PublicKey"])
    ring = providers.create_aws_kms_rsa_keyring(
        CreateAwsKmsRsaKeyringInput(
            public_key=public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            kms_key_id=arn,
            encryption_algorithm="RSAES_OAEP_SHA_256",
            kms_client=kms,
        )
    )
    suite = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY  # RSA keyrings take no signing suite
    message, _ = sdk.encrypt(source=PLAIN, keyring=ring, algorithm=suite)
    show("an RSA keyring opens", holds=opened(message, ring) == PLAIN)


def agreement() -> None:
    """An ECDH keyring: either side's private key is in KMS."""
    arns = [new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT") for _ in ("one", "two")]
    publics = [kms.get_public_key(KeyId=arn)["PublicKey"] for arn in arns]

    def ring(mine: int) -> Any:
        scheme = KmsPrivateKeyToStaticPublicKeyInput(
            sender_kms_identifier=arns[mine],
            sender_public_key=publics[mine],
            recipient_public_key=publics[1 - mine],
        )
        return providers.create_aws_kms_ecdh_keyring(
            CreateAwsKmsEcdhKeyringInput(
                curve_spec=ECDHCurveSpec.ECC_NIST_P256,
                kms_client=kms,
                key_agreement_scheme=KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey(
                    scheme
                ),
            )
        )

    message, _ = sdk.encrypt(source=PLAIN, keyring=ring(0))
    show("an ECDH keyring opens on the other side", holds=opened(message, ring(1)) == PLAIN)


def caching(first: str, second: str) -> None:
    """The caching materials manager on master keys: one data key for several messages."""
    calls: list[str] = []
    session = botocore.session.get_session()
    session.register("before-call.kms", lambda model, **_: calls.append(model.name))
    manager = CachingCryptoMaterialsManager(
        master_key_provider=StrictAwsKmsMasterKeyProvider(
            key_ids=[first, second], botocore_session=session
        ),
        cache=LocalCryptoMaterialsCache(10),
        max_age=600.0,
        max_messages_encrypted=100,
    )
    messages = [
        sdk.encrypt(source=PLAIN, materials_manager=manager, encryption_context=CONTEXT)[0]
        for _ in range(5)
    ]
    show("five messages need one data key", holds=calls == ["GenerateDataKey", "Encrypt"])
    plain = [opened(message, keyring(second)) for message in messages]
    show("keyrings open what master keys made", holds=plain == [PLAIN] * 5)


def main() -> None:
    """All of it, on two new keys."""
    first, second = new_key(kms), new_key(kms)
    symmetric(first, second)
    several(first, second)
    alias(first)
    rsa()
    agreement()
    caching(first, second)


if __name__ == "__main__":
    main()
