"""A message of the AWS Encryption SDK for Python. Arguments: a key's ARN, the file to write."""

import sys
from pathlib import Path

import boto3
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import CreateAwsKmsKeyringInput
from aws_encryption_sdk import EncryptionSDKClient


def main() -> None:
    """Writes the message."""
    providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
    keyring = providers.create_aws_kms_keyring(
        CreateAwsKmsKeyringInput(kms_key_id=sys.argv[1], kms_client=boto3.client("kms"))
    )
    message, _ = EncryptionSDKClient().encrypt(
        source=b"a message from Python", keyring=keyring, encryption_context={"table": "orders"}
    )
    Path(sys.argv[2]).write_bytes(message)


if __name__ == "__main__":
    main()
