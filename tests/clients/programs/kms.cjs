// The AWS SDK for JavaScript: prints a line for each thing that it shows.
"use strict";
const { createHash, createPublicKey, verify } = require("node:crypto");
const kms = require("@aws-sdk/client-kms");

const client = new kms.KMSClient({ maxAttempts: 1 });
const EncryptionContext = { table: "orders" };
const Plaintext = Buffer.from("a message from JavaScript");

function show(what, holds) {
  if (!holds) throw new Error(`not so: ${what}`);
  console.log(what);
}

async function refused(what, name, command) {
  try {
    await client.send(command);
  } catch (error) {
    show(what, error instanceof kms[name] && error.$metadata.httpStatusCode === 400);
    return;
  }
  throw new Error(`accepted: ${what}`);
}

async function encryption() {
  const { KeyMetadata } = await client.send(new kms.CreateKeyCommand({ Description: "orders" }));
  const KeyId = KeyMetadata.Arn;
  show("a key is new", Math.abs(Date.now() - KeyMetadata.CreationDate) < 60_000);
  const sealed = await client.send(new kms.EncryptCommand({ KeyId, Plaintext, EncryptionContext }));
  const { CiphertextBlob } = sealed;
  const opened = await client.send(new kms.DecryptCommand({ CiphertextBlob, EncryptionContext }));
  show("a ciphertext opens", Plaintext.equals(opened.Plaintext) && opened.KeyId === KeyId);
  const data = await client.send(new kms.GenerateDataKeyCommand({ KeyId, KeySpec: "AES_256" }));
  const again = await client.send(new kms.DecryptCommand({ CiphertextBlob: data.CiphertextBlob }));
  show("a data key opens", Buffer.from(data.Plaintext).equals(Buffer.from(again.Plaintext)));
  await refused("another context is refused", "InvalidCiphertextException",
    new kms.DecryptCommand({ CiphertextBlob, EncryptionContext: { table: "x" } }));
  await client.send(new kms.DisableKeyCommand({ KeyId }));
  await refused("a disabled key is refused", "DisabledException",
    new kms.DecryptCommand({ CiphertextBlob, EncryptionContext }));
  await refused("an unknown key is refused", "NotFoundException",
    new kms.DescribeKeyCommand({ KeyId: "alias/none" }));
}

async function signing() {
  const made = await client.send(
    new kms.CreateKeyCommand({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" }));
  const KeyId = made.KeyMetadata.KeyId;
  const signed = await client.send(new kms.SignCommand({
    KeyId, MessageType: "DIGEST", SigningAlgorithm: "ECDSA_SHA_256",
    Message: createHash("sha256").update(Plaintext).digest(),
  }));
  const { PublicKey } = await client.send(new kms.GetPublicKeyCommand({ KeyId }));
  const key = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
  show("Node's own crypto verifies", verify("sha256", Plaintext, key, signed.Signature));
}

async function pages() {
  const ids = new Set();
  for await (const page of kms.paginateListKeys({ client, pageSize: 1 }, {}))
    for (const { KeyId } of page.Keys) ids.add(KeyId);
  show("a paginator lists keys", ids.size >= 2);
}

(async () => {
  await encryption();
  await signing();
  await pages();
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
