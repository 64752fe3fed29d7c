// The AWS Encryption SDK for JavaScript on KMS keyrings: prints a line for each thing that it
// shows. Arguments: the ARNs of a key and of another, a file with a message of the Python SDK.
"use strict";
const { readFileSync } = require("node:fs");
const { buildClient, CommitmentPolicy, KmsKeyringNode } = require("@aws-crypto/client-node");

const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const [arn, other, file] = process.argv.slice(2);
const context = { table: "orders" };

function show(what, holds) {
  if (!holds) throw new Error(`not so: ${what}`);
  console.log(what);
}

async function refused(what, promise) {
  const error = await promise.then(() => null, (failure) => failure);
  show(what, error?.constructor === Error); // and no mistake of the caller
}

async function main() {
  const keyring = new KmsKeyringNode({ generatorKeyId: arn });
  const sealed = await encrypt(keyring, "a message from JavaScript", { encryptionContext: context });
  const opened = await decrypt(keyring, sealed.result);
  show("a message opens", opened.plaintext.toString() === "a message from JavaScript");
  show("its context is that of the header", opened.messageHeader.encryptionContext.table === "orders");
  await refused("another key is refused",
    decrypt(new KmsKeyringNode({ keyIds: [other] }), sealed.result));
  const foreign = await decrypt(keyring, readFileSync(file));
  show("a message of the Python SDK opens", foreign.plaintext.toString() === "a message from Python");
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
