"""The Amazon S3 encryption client for Python: prints a line for each thing that it shows."""

from typing import Any

import boto3
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig
from s3_encryption.exceptions import S3EncryptionClientError
from s3_encryption.materials.kms_keyring import KmsKeyring
from shown import new_key, refused, show

CONTEXT = {"table": "orders"}
PLAIN = b"a message of the S3 encryption client" * 1000

kms = boto3.client("kms")
s3 = boto3.client("s3")


def client(arn: str) -> Any:
    """An encryption client on a key, on an S3 client of its own (it registers handlers there)."""
    config = S3EncryptionClientConfig(keyring=KmsKeyring(kms_client=kms, kms_key_id=arn))
    return S3EncryptionClient(wrapped_s3_client=boto3.client("s3"), config=config)


def read(source: Any, name: str, **more: Any) -> bytes:
    """The body of an object."""
    body: bytes = source.get_object(Bucket="orders", Key=name, **more)["Body"].read()
    return body


def main() -> None:
    """An object, and what does not open them."""
    arn, other = new_key(kms), new_key(kms)
    mine = client(arn)
    s3.create_bucket(Bucket="orders")

    mine.put_object(Bucket="orders", Key="a", Body=PLAIN, EncryptionContext=CONTEXT)
    show("an object opens", holds=read(mine, "a", EncryptionContext=CONTEXT) == PLAIN)
    sealed = read(s3, "a")
    show(
        "the bucket has a ciphertext", holds=len(sealed) >= len(PLAIN) and PLAIN[:37] not in sealed
    )
    error = S3EncryptionClientError
    refused("no context is refused", error, lambda: read(mine, "a"))
    refused(
        "another context is refused", error, lambda: read(mine, "a", EncryptionContext={"a": "b"})
    )
    refused(
        "another key is refused",
        error,
        lambda: read(client(other), "a", EncryptionContext=CONTEXT),
    )
    kms.disable_key(KeyId=arn)
    refused("a disabled key is refused", error, lambda: read(mine, "a", EncryptionContext=CONTEXT))
    refused(
        "a disabled key makes none",
        error,
        lambda: mine.put_object(Bucket="orders", Key="b", Body=PLAIN),
    )
    kms.enable_key(KeyId=arn)
    show("an enabled key opens again", holds=read(mine, "a", EncryptionContext=CONTEXT) == PLAIN)

    meta = s3.head_object(Bucket="orders", Key="a")["Metadata"]
    s3.put_object(
        Bucket="orders", Key="c", Body=sealed[:-1] + bytes([sealed[-1] ^ 1]), Metadata=meta
    )
    refused(
        "a changed object is refused", error, lambda: read(mine, "c", EncryptionContext=CONTEXT)
    )


if __name__ == "__main__":
    main()
