"""The path of the AWS KMS guide with the ``aws`` command, as a shell has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


IMPORT = r"""
set -euo pipefail
eval "$(kmsfast --store "$STORE" env --http "$ADDRESS")"
openssl rand -out PlaintextKeyMaterial.bin 32
openssl rand -out aes.bin 32
KEY=$(aws kms create-key --origin EXTERNAL --query KeyMetadata.KeyId --output text)
for ALGORITHM in RSAES_OAEP_SHA_1 RSAES_OAEP_SHA_256 RSA_AES_KEY_WRAP_SHA_1 \
    RSA_AES_KEY_WRAP_SHA_256; do
  case $ALGORITHM in *SHA_1) HASH=sha1 ;; *) HASH=sha256 ;; esac
  read -r TOKEN PUBLIC < <(aws kms get-parameters-for-import --key-id "$KEY" \
      --wrapping-algorithm "$ALGORITHM" --wrapping-key-spec RSA_4096 \
      --query '[ImportToken, PublicKey]' --output text)
  base64 --decode <<< "$TOKEN" > ImportToken.bin
  base64 --decode <<< "$PUBLIC" > WrappingPublicKey.bin
  case $ALGORITHM in RSAES*) FIRST=PlaintextKeyMaterial.bin ;; *) FIRST=aes.bin ;; esac
  openssl pkeyutl -encrypt -pubin -keyform DER -inkey WrappingPublicKey.bin -in $FIRST \
      -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:$HASH -pkeyopt rsa_mgf1_md:$HASH \
      -out EncryptedKeyMaterial.bin
  if [ $FIRST = aes.bin ]; then
    openssl enc -id-aes256-wrap-pad -K "$(od -An -v -tx1 aes.bin | tr -d ' \n')" -iv A65959A6 \
        -in PlaintextKeyMaterial.bin >> EncryptedKeyMaterial.bin
  fi
  aws kms import-key-material --key-id "$KEY" --import-token fileb://ImportToken.bin \
      --encrypted-key-material fileb://EncryptedKeyMaterial.bin \
      --expiration-model KEY_MATERIAL_DOES_NOT_EXPIRE --query KeyMaterialId --output text
  aws kms encrypt --key-id "$KEY" --plaintext fileb://aes.bin --output text \
      --query CiphertextBlob | base64 --decode > blob
  aws kms delete-imported-key-material --key-id "$KEY" --query KeyMaterialId --output text
done
aws kms describe-key --key-id "$KEY" --query KeyMetadata.KeyState --output text
"""


def test_imports_with_openssl(server: Served, tmp_path: Path) -> None:
    *ids, state, _ = _output(IMPORT, server, tmp_path).split("\n")
    assert state == "PendingImport"
    assert len(ids) == 8
    assert len(set(ids)) == 1  # the same material has the same id, however it was wrapped


def test_the_path_of_the_guide(server: Served, tmp_path: Path) -> None:
    lines = _output(SCRIPT, server, tmp_path).split("\n")
    assert POLICY in lines
    assert '"PendingDeletion"' in lines
    assert "Verified OK" in lines
    assert lines[-2] == "Disabled"


def _output(script: str, server: Served, folder: Path) -> str:
    """What a shell prints when all commands of the script succeed."""
    program = Path(sys.executable).parent
    store = server.announcement.split()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = kept | {
        "PATH": f"{program}:{os.environ['PATH']}",
        "HOME": str(folder),
        "STORE": store,
        "POLICY": POLICY,
        "ADDRESS": f"127.0.0.1:{server.port}",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
