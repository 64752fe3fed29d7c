// A client of the socket, written from docs/socket.md alone: npm install @msgpack/msgpack
"use strict";

const net = require("node:net");
const { encode, decode } = require("@msgpack/msgpack");

const VERSION = 1;
const [OK, ERROR, PART] = [0, 1, 2];
const [ENCRYPT, DECRYPT, GENERATE_DATA_KEY, MORE] = [1, 2, 3, 0];
const [ENCRYPT_MANY, DECRYPT_MANY] = [33, 34];
const CHUNK = 1 << 20; // bytes of a payload that go into one frame
const NIL = 0xffffffff; // the length of a record that is not there

class KmsError extends Error {
  constructor([code, retryable, message]) {
    super(`${code}: ${message}`);
    Object.assign(this, { code, retryable });
  }
}

class Kms {
  #socket;
  #received = Buffer.alloc(0);
  #waiting = new Map();
  #next = 0;

  /** Connects; resolves when both sides have said hello. */
  static connect(path, options = {}) {
    const kms = new Kms();
    return new Promise((resolve, reject) => {
      kms.#waiting.set("hello", { resolve: (hello) => resolve(Object.assign(kms, { hello })), reject });
      kms.#socket = net.connect(path, () => kms.#send(["kmsfast", VERSION, VERSION, options]));
      kms.#socket.on("data", (bytes) => kms.#take(bytes));
      kms.#socket.on("error", (error) => kms.#end(error));
      kms.#socket.on("close", () => kms.#end(new Error("the server closed the connection")));
    });
  }

  /** An operation of the AWS KMS API by its name. */
  call(name, members = {}) {
    return this.#ask([name, members]);
  }

  /** Bytes to bytes; a payload that is longer than a frame goes and comes in chunks. */
  encrypt(key, plaintext, context = null) {
    return this.#ask([ENCRYPT, key, context, plaintext]);
  }

  decrypt(blob, context = null) {
    return this.#ask([DECRYPT, null, context, blob]);
  }

  /** {plaintext, blob} of a fresh data key. */
  async dataKey(key, length = 32, context = null) {
    const [plaintext, blob] = await this.#ask([GENERATE_DATA_KEY, key, context, length]);
    return { plaintext, blob };
  }

  /** Arrays of Uint8Array or null; a record that fails becomes a KmsError in its place. */
  encryptMany(key, plaintexts, context = null) {
    return this.#many(ENCRYPT_MANY, key, context, plaintexts);
  }

  decryptMany(blobs, context = null) {
    return this.#many(DECRYPT_MANY, null, context, blobs);
  }

  close() {
    this.#socket.end();
  }

  async #many(operation, key, context, records) {
    const [[num, lengths, data], errors] = await this.#ask([operation, key, context, pack(records)]);
    const found = unpack(num, lengths, data);
    for (const [index, ...error] of errors ?? []) found[index] = new KmsError(error);
    return found;
  }

  #ask(members) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, parts: [] });
      const payload = members[3];
      if (!(payload instanceof Uint8Array) || payload.length <= CHUNK) return this.#send([id, ...members]);
      members[3] = payload.subarray(0, CHUNK);
      this.#send([id, ...members, { more: payload.length - CHUNK }]);
      for (let at = CHUNK; at < payload.length; at += CHUNK) this.#send([id, MORE, payload.subarray(at, at + CHUNK)]);
    });
  }

  #send(message) {
    const body = encode(message);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    this.#socket.write(length);
    this.#socket.write(body);
  }

  #take(bytes) {
    this.#received = this.#received.length ? Buffer.concat([this.#received, bytes]) : bytes;
    while (this.#received.length >= 4) {
      const end = 4 + this.#received.readUInt32BE();
      if (this.#received.length < end) return;
      this.#answer(decode(this.#received.subarray(4, end)));
      this.#received = this.#received.subarray(end);
    }
  }

  #answer([id, status, body]) {
    if (id === "kmsfast") return this.#settle("hello", (waiting) => waiting.resolve(body));
    if (id === null) return this.#end(new KmsError(body));
    if (status === PART) return this.#waiting.get(id).parts.push(body);
    this.#settle(id, ({ resolve, reject, parts }) => {
      if (status === ERROR) reject(new KmsError(body));
      else if (status === OK) resolve(parts.length ? Buffer.concat([...parts, body]) : body);
    });
  }

  #settle(id, how) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    how(waiting);
  }

  #end(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** A packed column: [number, lengths (unsigned, 32 bits, little-endian), data]. */
function pack(records) {
  const lengths = Buffer.alloc(4 * records.length);
  records.forEach((record, i) => lengths.writeUInt32LE(record === null ? NIL : record.length, 4 * i));
  return [records.length, lengths, Buffer.concat(records.filter((record) => record !== null))];
}

function unpack(num, lengths, data) {
  const sizes = typeof lengths === "number" ? null : new DataView(lengths.buffer, lengths.byteOffset);
  let at = 0;
  return Array.from({ length: num }, (_, i) => {
    const size = sizes === null ? lengths : sizes.getUint32(4 * i, true);
    return size === NIL ? null : data.subarray(at, (at += size));
  });
}

module.exports = { Kms, KmsError };
