// A tour of client.cjs: node tour.cjs SOCKET
"use strict";

const { Kms, KmsError } = require("./client.cjs");

async function main(path) {
  const kms = await Kms.connect(path, { client: "tour.cjs" });
  const { KeyMetadata: key } = await kms.call("CreateKey", { Description: "from JavaScript" });
  const context = { table: "orders" };

  const blob = await kms.encrypt(key.Arn, Buffer.from("hello"), context);
  console.log("one record:", Buffer.from(await kms.decrypt(blob, context)).toString());

  const many = ["a", "bb", "ccc"].map((text) => Buffer.from(text));
  const blobs = await kms.encryptMany(key.KeyId, [...many, null], context);
  blobs[1] = Buffer.from("no blob");
  const back = await kms.decryptMany(blobs, context);
  console.log("many:", back.map((each) => (each instanceof KmsError ? each.code : each && Buffer.from(each).toString())));

  const { plaintext, blob: wrapped } = await kms.dataKey(key.Arn);
  console.log("data key:", Buffer.compare(plaintext, await kms.decrypt(wrapped)) === 0);

  const large = Buffer.alloc(20_000_000, 7);
  console.log("in chunks:", large.equals(await kms.decrypt(await kms.encrypt(key.Arn, large))));

  await kms.call("DisableKey", { KeyId: key.KeyId });
  const refused = await kms.encrypt(key.Arn, Buffer.from("x")).catch((error) => error);
  console.log("disabled:", refused.code);
  kms.close();
}

main(process.argv[2]).catch((error) => {
  console.error(String(error));
  process.exit(1);
});
