"""The path of the AWS KMS guide with the ``aws`` command, as a shell has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from serving import Served

# Every command starts an interpreter: one script for all of the path.
POLICY = (
    '{"Version":"2012-10-17","Statement":'
    '[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}'
)
SCRIPT = r"""
set -euo pipefail
eval "$(kmsfast --store "$STORE" env --http "$ADDRESS")"
KEY=$(aws kms create-key --description "Test key" --query KeyMetadata.KeyId --output text)
aws kms create-alias --alias-name alias/your-key-alias --target-key-id "$KEY"
printf 'Lorem ipsum dolor sit amet' > ExamplePlaintextFile
aws kms encrypt --key-id alias/your-key-alias --plaintext fileb://ExamplePlaintextFile \
    --encryption-context table=orders --output text --query CiphertextBlob \
    | base64 --decode > ExampleEncryptedFile
aws kms decrypt --ciphertext-blob fileb://ExampleEncryptedFile --key-id "$KEY" \
    --encryption-context table=orders --output text --query Plaintext \
    | base64 --decode > ExampleDecryptedFile
cmp ExamplePlaintextFile ExampleDecryptedFile
if aws kms decrypt --ciphertext-blob fileb://ExampleEncryptedFile 2> error; then exit 1; fi
grep InvalidCiphertextException error
aws kms enable-key-rotation --key-id "$KEY"
aws kms rotate-key-on-demand --key-id "$KEY"
aws kms get-key-rotation-status --key-id "$KEY" --query KeyRotationEnabled
aws kms put-key-policy --key-id "$KEY" --policy "$POLICY"
aws kms get-key-policy --key-id "$KEY" --output text --query Policy
aws kms schedule-key-deletion --key-id "$KEY" --pending-window-in-days 7 --query KeyState
aws kms cancel-key-deletion --key-id "$KEY" --query KeyId
SIGNER=$(aws kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY \
    --query KeyMetadata.KeyId --output text)
aws kms sign --key-id "$SIGNER" --message fileb://ExamplePlaintextFile \
    --signing-algorithm ECDSA_SHA_256 --output text --query Signature | base64 --decode > signature
aws kms get-public-key --key-id "$SIGNER" --output text --query PublicKey \
    | base64 --decode | openssl pkey -pubin -inform DER -out public.pem
openssl dgst -sha256 -verify public.pem -signature signature ExamplePlaintextFile
aws kms describe-key --key-id alias/your-key-alias --query KeyMetadata.KeyState --output text
"""


@pytest.mark.usefixtures("kms")
def test_the_path_of_the_guide(server: Served, tmp_path: Path) -> None:
    program = Path(sys.executable).parent
    store = server.announcement.split()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = kept | {
        "PATH": f"{program}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "STORE": store,
        "POLICY": POLICY,
        "ADDRESS": f"127.0.0.1:{server.port}",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        ["bash", "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.split("\n")
    assert POLICY in lines
    assert '"PendingDeletion"' in lines
    assert "Verified OK" in lines
    assert lines[-2] == "Disabled"
