/*
 * Constant time, checked by valgrind's memcheck: secrets are marked as undefined memory, so that
 * every branch and every address that depends on them is an error (the method of Adam Langley's
 * ctgrind). Usage, under memcheck only: ctime NAME, with the name of an implementation; ctime --list
 * prints those that run here.
 *
 * Secret: key bytes and all that derives from them, plaintexts, associated data, every random byte.
 * Published, and so declassified here: what a function hands out to be stored or sent (sealed
 * records, blobs, wrapped keys, headers, MACs). Lengths, handles and results are public. Before
 * anything is declassified, it is checked to be marked: a run that tracked no secret is no success.
 *
 * Exit codes: 0 no error; 2 usage, or not under memcheck; 3 a wrong result; 4 a secret that is not
 * marked; 42 memcheck has seen a leak.
 *
 * KF_PLANT_LEAK (1: branch, 2: table look-up, 3: comparison that stops early) spoils the program on
 * purpose: the check must then turn red.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "kf_arena.h"
#include "kf_base64.h"
#include "kf_hmac_many.h"
#include "kf_material.h"
#include "kf_rng.h"
#include "kf_sha256.h"
#include "kf_util.h"
#include "kft.h"
#include "secrets.h"

/* ---- kernels ----------------------------------------------------------------------------------------- */

enum { MAX_RECORDS = 40, POOL = 16384 };

/* A ragged batch with one record that does not verify; everything about it secret but its shape. */
static void check_batch(const kf_aead_impl *impl, enum kft_mode mode, size_t n, size_t longest, int with_digest) {
    static uint8_t text[POOL], sealed[POOL], opened[POOL], aad[64], nonces[MAX_RECORDS * 24], digest[32];
    uint8_t key_bytes[32], ok[MAX_RECORDS];
    kf_rec rec[MAX_RECORDS];
    kft_key key;
    kft_random random = {n};
    kft_fill(&random, text, sizeof text), kft_fill(&random, nonces, sizeof nonces);
    kft_fill(&random, key_bytes, sizeof key_bytes);
    KF_SECRET(text, sizeof text), KF_SECRET(aad, sizeof aad), KF_SECRET(nonces, sizeof nonces);
    KF_SECRET(key_bytes, sizeof key_bytes), KF_SECRET(digest, sizeof digest);

    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t len = i == 0 ? longest : i * 13 % 90;
        rec[i] = (kf_rec){.in = text + at, .out = sealed + at, .aad = aad, .len = len, .aad_len = i * 7 % 40};
        at += len + 16;
    }
    kft_key_init(impl, &key, mode, key_bytes);
    kft_seal(impl, &key, with_digest ? digest : NULL, nonces, rec, n);
    require_secret(key.bytes, sizeof key.bytes, "the key");
    if (mode == KFT_GCM)
        require_secret(&key.gcm, sizeof key.gcm.aes + 16, "round keys and hash key");
    else
        require_secret(&key.xaes, sizeof key.xaes.aes + 16, "round keys and K1");
    leak(key_bytes, sealed);
    for (size_t i = 0; i < n; i++) require_secret(rec[i].out, rec[i].len + 16, "ciphertext and tag");
    KF_DECLASSIFY(sealed, sizeof sealed);
    sealed[rec[n / 2].out - sealed + (long)rec[n / 2].len] ^= 1;
    for (size_t i = 0; i < n; i++) {
        rec[i].in = rec[i].out;
        rec[i].out = opened + (rec[i].in - sealed);
    }
    const size_t failed = kft_open(impl, &key, ok, with_digest ? digest : NULL, nonces, rec, n);
    require(failed == 1 && !ok[n / 2], "a batch does not open as it should");
    for (size_t i = 0; i < n; i++)
        if (i != n / 2) require_secret(rec[i].out, rec[i].len, "opened text");
}

static void check_kernels(const kf_aead_impl *impl) {
    static const size_t sizes[] = {1, 2, 3, 5, 9, 17, 33, 40};
    uint8_t key_bytes[32] = {0}, blocks[16 * 19] = {0};
    kf_aes256 aes;
    KF_SECRET(key_bytes, sizeof key_bytes), KF_SECRET(blocks, sizeof blocks);
    impl->aes256_expand(&aes, key_bytes);
    for (size_t n = 0; n <= 19; n++) impl->aes256_blocks(&aes, blocks, blocks, n);
    for (int mode = 0; mode < KFT_NUM_MODES; mode++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            check_batch(impl, (enum kft_mode)mode, sizes[i], 64 + i, i % 2);
        check_batch(impl, (enum kft_mode)mode, 3, 5000, 1);
        check_batch(impl, (enum kft_mode)mode, 1, 2051, 0);
    }
}

/* ---- hashes -------------------------------------------------------------------------------------------- */

static void check_any_hash(const uint8_t *msg, size_t msg_len) {
    static const int bits[] = {224, 384, 512};
    uint8_t out[KF_HASH_MAX_DIGEST];
    for (int h = 0; h < 3; h++) {
        const kf_hash *hash = kf_hash_of(bits[h]);
        kf_hmac_any_key key;
        for (size_t key_len = 30; key_len <= msg_len; key_len += 120) {
            kf_hmac_any_key_init(&key, hash, msg, key_len);
            require_secret(&key.states, 2u * hash->state_len, "HMAC key of another hash");
            kf_hmac_any(&key, out, msg, msg_len);
            require_secret(out, hash->digest_len, "HMAC under another hash");
        }
    }
}

static void check_hashes(void) {
    uint8_t msg[300], out[80];
    kf_hmac_key key;
    memset(msg, 1, sizeof msg);
    KF_SECRET(msg, sizeof msg);
    for (size_t len = 0; len <= sizeof msg; len += 30) {
        require(kf_sha256(out, msg, len) == KF_OK, "kf_sha256");
        if (len) require_secret(out, 32, "hash");
    }
    check_any_hash(msg, sizeof msg);
    kf_hmac_key_init(&key, msg, 100);
    kf_hmac(&key, out, msg, sizeof msg);
    require_secret(out, 32, "HMAC under a long key");
    kf_hmac_key_init(&key, msg, 32);
    require_secret(&key, sizeof key, "HMAC key");
    kf_hmac(&key, out, msg, 20);
    require_secret(out, 32, "HMAC");
    kf_hkdf(out, sizeof out, msg, 13, msg, 32, msg, 22);
    require_secret(out, sizeof out, "HKDF");
}

/* Messages of one number of blocks and of several, under one secret key. */
static void check_hmac_many(void) {
    static uint8_t msgs[9 * 150], out[9 * 32];
    const int64_t offsets[] = {0, 10, 20, 90, 190, 290, 300, 300, 1000};
    const struct kf_column column = {.data = msgs, .data_len = sizeof msgs, .offsets = offsets};
    const kf_sink sink = {.data = out, .stride = 32};
    uint8_t key_bytes[32] = {0};
    kf_hmac_key key;
    KF_SECRET(msgs, sizeof msgs), KF_SECRET(key_bytes, sizeof key_bytes);
    kf_hmac_key_init(&key, key_bytes, sizeof key_bytes);
    kf_hmac_many(&key, out, msgs, 150, 9);
    require_secret(out, sizeof out, "HMACs of equal messages");
    KF_DECLASSIFY(out, sizeof out);
    kf_hmac_column(&key, &sink, &column, 0, 8, NULL);
    require_secret(out, 8 * 32, "HMACs of a column");
}

static void check_generator(void) {
    static uint8_t out[3000];
    kf_rng rng;
    require(kf_rng_init(&rng) == KF_OK, "kf_rng_init");
    require_secret(&rng.aes, sizeof rng.aes, "the generator's first key");
    for (size_t len = 0; len <= sizeof out; len = 2 * len + 7) {
        require(kf_rng_fill(&rng, out, len) == KF_OK, "kf_rng_fill");
        require_secret(out, len, "the generator's output");
        require_secret(&rng.aes, sizeof rng.aes, "the generator's next key");
    }
    kf_rng_wipe(&rng);
}

/* ---- the library: from the root key to blobs ------------------------------------------------------------- */

enum { TEXT = 70, NUM = 20, BLOB = TEXT + KF_BLOB_OVERHEAD, SEALED = TEXT + KF_TAG_LEN };

static void ok_or_end(int status, const char *what) { require(status == KF_OK, what); }

typedef struct {
    uint64_t root, store, key;
    uint8_t store_id[16], key_id[16], wrapped_store[KF_WRAPPED_LEN], wrapped_key[KF_WRAPPED_LEN];
} hierarchy;

static void require_secret_slot(uint64_t handle, enum kf_slot_kind kind, size_t len, const char *what) {
    void *body;
    ok_or_end(kf_slot_pin(&body, handle, kind), what);
    require_secret(body, len, what);
    kf_slot_unpin(handle);
}

/* A root key from a file, made and read again; its bytes come back as secrets. */
static void check_root_file(void) {
    char path[] = "/tmp/kf-ctime-XXXXXX";
    uint64_t root;
    require(mkdtemp(path) != NULL && chdir(path) == 0, "no temporary directory");
    ok_or_end(kf_root_file_create("root.key"), "kf_root_file_create");
    ok_or_end(kf_root_file_load(&root, "root.key"), "kf_root_file_load");
    require_secret_slot(root, KF_KIND_ROOT, sizeof(kf_root_slot), "root key of a file");
    kf_key_release(root);
    require(unlink("root.key") == 0 && chdir("/") == 0 && rmdir(path) == 0, "the temporary directory stays");
}

static void open_hierarchy(hierarchy *h) {
    uint64_t secret, other_store;
    uint8_t *bytes, rewrapped[KF_WRAPPED_LEN];
    memset(h, 0, sizeof *h);
    ok_or_end(kf_arena_open(0), "kf_arena_open");
    check_root_file();
    ok_or_end(kf_secret_new(&secret, &bytes), "kf_secret_new");
    memset(bytes, 7, MATERIAL_LEN);
    KF_SECRET(bytes, MATERIAL_LEN);
    ok_or_end(kf_root_from_secret(&h->root, secret), "kf_root_from_secret");
    require_secret_slot(h->root, KF_KIND_ROOT, sizeof(kf_root_slot), "root key");
    ok_or_end(kf_store_create(&h->store, h->wrapped_store, h->root, h->store_id), "kf_store_create");
    require_secret_slot(h->store, KF_KIND_STORE, sizeof(kf_store_slot), "store keys");
    publish(h->wrapped_store, KF_WRAPPED_LEN, KF_WRAPPED_LEN, "wrapped store key");
    ok_or_end(kf_store_load(&other_store, h->root, h->wrapped_store, h->store_id), "kf_store_load");
    require_secret_slot(other_store, KF_KIND_STORE, sizeof(kf_store_slot), "loaded store keys");
    ok_or_end(kf_store_rewrap(rewrapped, h->root, h->root, h->wrapped_store, h->store_id), "kf_store_rewrap");
    publish(rewrapped, KF_WRAPPED_LEN, KF_WRAPPED_LEN, "rewrapped store key");
    ok_or_end(kf_key_generate(h->wrapped_key, h->store, h->key_id, 1, 0), "kf_key_generate");
    publish(h->wrapped_key, KF_WRAPPED_LEN, KF_WRAPPED_LEN, "wrapped key");
    ok_or_end(kf_key_load(&h->key, h->store, h->wrapped_key, h->key_id, 1, 0), "kf_key_load");
    require_secret_slot(h->key, KF_KIND_KEY, sizeof(kf_xaes_key), "subkey");
    h->wrapped_key[60] ^= 1;
    uint64_t none;
    require(kf_key_load(&none, h->store, h->wrapped_key, h->key_id, 1, 0) == KF_ERR_AUTH, "a changed key loads");
    kf_key_release(other_store);
}

/* Material that the caller brings. */
static void check_import(const hierarchy *h) {
    uint8_t material[32] = {1}, name[32], wrapped[KF_WRAPPED_LEN];
    KF_SECRET(material, sizeof material);
    ok_or_end(kf_material_name(name, h->store, h->key_id, material, sizeof material), "kf_material_name");
    require(!is_secret(name, sizeof name), "a name of key material is still marked");
    ok_or_end(kf_key_import(wrapped, h->store, h->key_id, 1, 0, material), "kf_key_import");
    publish(wrapped, KF_WRAPPED_LEN, 32 + KF_TAG_LEN, "imported key");
}

static void check_macs(const hierarchy *h) {
    uint8_t mac[32], msg[100] = {0};
    KF_SECRET(msg, sizeof msg);
    ok_or_end(kf_store_mac(h->store, mac, msg, sizeof msg), "kf_store_mac");
    publish(mac, sizeof mac, sizeof mac, "row MAC");
    ok_or_end(kf_store_mac_check(h->store, mac, msg, sizeof msg), "kf_store_mac_check");
    mac[31] ^= 1;
    require(kf_store_mac_check(h->store, mac, msg, sizeof msg) == KF_ERR_AUTH, "a changed MAC passes");
}

/* MAC keys, made and imported, over messages of several lengths. */
static void check_mac_keys(const hierarchy *h) {
    static const int bits[] = {224, 256, 384, 512};
    static uint8_t msgs[NUM * TEXT], macs[NUM * KF_HASH_MAX_DIGEST], wrapped[KF_HASH_MAX_DIGEST + KF_WRAP_OVERHEAD];
    uint8_t material[KF_HASH_MAX_DIGEST], status[NUM];
    KF_SECRET(msgs, sizeof msgs);
    for (int k = 0; k < 8; k++) {
        const size_t mac_len = (size_t)bits[k / 2] / 8, wrapped_len = mac_len + KF_WRAP_OVERHEAD;
        const struct kf_column in = {.data = msgs, .data_len = sizeof msgs, .width = TEXT};
        const struct kf_column given = {.data = macs, .data_len = (int64_t)(NUM * mac_len), .width = (int64_t)mac_len};
        uint64_t key;
        memset(material, 9, sizeof material);
        KF_SECRET(material, sizeof material);
        ok_or_end(k % 2 ? kf_mac_generate(wrapped, h->store, h->key_id, 1, 0, bits[k / 2])
                        : kf_mac_import(wrapped, h->store, h->key_id, 1, 0, bits[k / 2], material, mac_len),
                  "kf_mac_generate, kf_mac_import");
        publish(wrapped, wrapped_len, wrapped_len, "wrapped MAC key");
        ok_or_end(kf_mac_load(&key, h->store, wrapped, wrapped_len, h->key_id, 1, 0, bits[k / 2]), "kf_mac_load");
        ok_or_end(kf_mac_batch(key, macs, sizeof macs, NULL, mac_len, &in, NUM, NULL, 1), "kf_mac_batch");
        publish(macs, NUM * mac_len, NUM * mac_len, "MACs");
        macs[0] ^= 1;
        ok_or_end(kf_mac_verify_batch(key, status, &in, &given, NUM, NULL, 1), "kf_mac_verify_batch");
        require(status[0] == KF_REC_AUTH && status[1] == KF_REC_OK, "MACs do not verify as they should");
        require(kf_mac_verify_one(key, macs, mac_len, msgs, TEXT) == KF_ERR_AUTH, "a changed MAC verifies");
        ok_or_end(kf_mac_one(key, macs, mac_len, msgs, TEXT), "kf_mac_one");
        publish(macs, mac_len, mac_len, "a MAC");
        ok_or_end(kf_mac_verify_one(key, macs, mac_len, msgs, TEXT), "kf_mac_verify_one");
        kf_key_release(key);
    }
}

static void check_one_blob(const hierarchy *h) {
    uint8_t text[TEXT] = {0}, blob[BLOB], opened[TEXT], context[30] = {0}, status;
    KF_SECRET(text, sizeof text), KF_SECRET(context, sizeof context);
    ok_or_end(kf_blob_seal_one(h->key, blob, text, TEXT, context, sizeof context, NULL, 0), "kf_blob_seal_one");
    publish(blob, BLOB, BLOB - KF_PREFIX_LEN, "a blob from its nonce on");
    ok_or_end(kf_blob_open_one(h->key, opened, &status, blob, BLOB, context, sizeof context, NULL, 0),
              "kf_blob_open_one");
    require_secret(opened, TEXT, "text of a blob");
    blob[BLOB - 1] ^= 1;
    require(kf_blob_open_one(h->key, opened, &status, blob, BLOB, context, sizeof context, NULL, 0) == KF_ERR_AUTH,
            "a changed blob opens");
}

static void check_bound_blob(const hierarchy *h) {
    uint8_t text[TEXT] = {0}, blob[BLOB], opened[TEXT], context[30] = {0};
    struct kf_binding binding;
    KF_SECRET(text, sizeof text), KF_SECRET(context, sizeof context);
    ok_or_end(kf_bind(&binding, h->key, context, sizeof context), "kf_bind");
    require_secret(binding.digest, sizeof binding.digest, "the digest of a secret context");
    ok_or_end(kf_bound_seal(&binding, blob, text, TEXT), "kf_bound_seal");
    publish(blob, BLOB, BLOB - KF_PREFIX_LEN, "a bound blob from its nonce on");
    ok_or_end(kf_bound_open(&binding, opened, blob, BLOB), "kf_bound_open");
    require_secret(opened, TEXT, "text of a bound blob");
    blob[BLOB - 1] ^= 1;
    require(kf_bound_open(&binding, opened, blob, BLOB) == KF_REC_AUTH, "a changed bound blob opens");
}

/* NUM blobs, opened with their groups found by scanning and with the group given. */
static void check_blobs(const hierarchy *h) {
    static uint8_t texts[NUM * TEXT], blobs[NUM * BLOB], opened[NUM * TEXT], status[NUM];
    uint8_t prefix[KF_PREFIX_LEN], context[30] = {0};
    int32_t group[NUM], num_groups;
    int64_t bad, other;
    KF_SECRET(texts, sizeof texts), KF_SECRET(context, sizeof context);
    const struct kf_column text_column = {.data = texts, .data_len = sizeof texts, .width = TEXT};
    const struct kf_column blob_column = {.data = blobs, .data_len = sizeof blobs, .width = BLOB};
    ok_or_end(kf_blob_seal(h->key, blobs, sizeof blobs, NULL, NULL, &text_column, NUM, NULL, context, sizeof context,
                           &text_column, 1), "kf_blob_seal");
    for (int i = 0; i < NUM; i++) publish(blobs + i * BLOB, BLOB, BLOB - KF_PREFIX_LEN, "a batch's blob");
    blobs[BLOB - 1] ^= 1;
    ok_or_end(kf_blob_scan(prefix, 1, &num_groups, group, status, &blob_column, NUM, NULL), "kf_blob_scan");
    require(num_groups == 1, "one key makes more than one group");
    for (int grouped = 0; grouped <= 1; grouped++) {
        ok_or_end(kf_blob_open(opened, sizeof opened, NULL, NULL, status, &bad, &other, &h->key, prefix, 1,
                               grouped ? group : NULL, &blob_column, NUM, NULL, context, sizeof context, &text_column, 1),
                  "kf_blob_open");
        require(bad == 1 && other == 0, "a batch of blobs does not open as it should");
        require_secret(opened + TEXT, sizeof opened - TEXT, "texts of blobs");
    }
}

/* A request to encrypt and the one to decrypt what came of it: base64 of secrets both ways. */
static void check_replies(const hierarchy *h) {
    static uint8_t answer[2 * BLOB + 200], body[2 * BLOB + 200], opened[2 * TEXT];
    static const char before[] = "{\"Plaintext\":\"", after[] = "\", \"KeyId\": \"k\"}";
    static const char data_key[] = "{\"KeyId\":\"k\",\"KeySpec\":\"AES_256\"}";
    const size_t at = sizeof before - 1, chars = KF_BASE64_LEN(TEXT), len = at + chars + sizeof after - 1;
    uint8_t text[TEXT] = {0};
    struct kf_reply reply = {.binding = {.key = h->key}};
    ok_or_end(kf_bind(&reply.binding, h->key, NULL, 0), "kf_bind");
    KF_SECRET(text, sizeof text);
    memcpy(body, before, at), memcpy(body + at + chars, after, sizeof after - 1);
    kf_base64_encode(body + at, text, TEXT);
    KF_DECLASSIFY(body + at + chars - 2, 2); /* padding */
    require_secret(body + at, chars - 2, "base64 of a secret");
    require(kf_request_scan(KF_REQUEST_ENCRYPT, body, len) != 0, "kf_request_scan");
    int made = kf_reply_encrypt(&reply, answer, sizeof answer, body, len);
    require(made == KF_BASE64_LEN(BLOB), "kf_reply_encrypt");
    require_secret(answer + 80, (size_t)made - 82, "base64 of a blob from its nonce on, without its padding");
    KF_DECLASSIFY(answer, (size_t)made);
    const size_t request_len = (size_t)snprintf((char *)body, sizeof body, "{\"CiphertextBlob\":\"%.*s\"}", made,
                                                (const char *)answer);
    made = kf_reply_decrypt(&reply, opened, sizeof opened, body, request_len);
    require(made == (int)chars, "kf_reply_decrypt");
    require_secret(opened, chars - 2, "base64 of a decrypted secret");
    made = kf_reply_data_key(&reply, answer, sizeof answer, (const uint8_t *)data_key, sizeof data_key - 1, 32);
    require(made == KF_BASE64_LEN(32 + KF_BLOB_OVERHEAD), "kf_reply_data_key");
    made = kf_reply_random(&reply, answer, sizeof answer, 30);
    require(made == 40, "kf_reply_random");
    require_secret(answer, 40, "base64 of random bytes");
}

/* The key that signs is secret, and so is what it makes, whatever the request carries. */
static void check_sigv4(void) {
    static const uint8_t text[] = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/kms/aws4_request\n";
    uint8_t key[32] = {0}, signature[64] = {0};
    KF_SECRET(key, sizeof key);
    require(kf_sigv4_check(key, text, sizeof text, text, sizeof text, text, sizeof text, signature) == KF_ERR_AUTH,
            "kf_sigv4_check");
}

static void check_data_key(const hierarchy *h) {
    uint8_t plain[32], blob[32 + KF_BLOB_OVERHEAD];
    ok_or_end(kf_data_key(h->key, plain, blob, sizeof plain, NULL, 0), "kf_data_key");
    require_secret(plain, sizeof plain, "data key");
    require_secret(blob + KF_PREFIX_LEN, sizeof blob - KF_PREFIX_LEN, "sealed data key");
}

static void check_sealed(const hierarchy *h) {
    static uint8_t texts[NUM * TEXT], records[NUM * SEALED], opened[NUM * TEXT], status[NUM];
    uint8_t header[KF_SEALED_HEADER_LEN];
    uint64_t writer, reader;
    int64_t bad;
    KF_SECRET(texts, sizeof texts);
    const struct kf_column text_column = {.data = texts, .data_len = sizeof texts, .width = TEXT};
    const struct kf_column record_column = {.data = records, .data_len = sizeof records, .width = SEALED};
    ok_or_end(kf_sealed_create(&writer, header, h->key, TEXT, NULL, 0), "kf_sealed_create");
    require_secret_slot(writer, KF_KIND_SEALED, sizeof(kf_gcm_key), "a sealed batch's key");
    ok_or_end(kf_sealed_seal(writer, records, sizeof records, NULL, NULL, &text_column, NUM, 1, 1), "kf_sealed_seal");
    publish(header, sizeof header, sizeof header - 8 - KF_PREFIX_LEN, "a sealed batch's header from its nonce on");
    publish(records, sizeof records, sizeof records, "sealed records");
    ok_or_end(kf_sealed_load(&reader, h->key, header, NULL, 0), "kf_sealed_load");
    require_secret_slot(reader, KF_KIND_SEALED, sizeof(kf_gcm_key), "a loaded batch's key");
    for (int damaged = 0; damaged <= 1; damaged++) {
        records[0] ^= (uint8_t)damaged;
        ok_or_end(kf_sealed_open(reader, opened, sizeof opened, NULL, NULL, status, &bad, 0, &record_column, NUM, 1, 1),
                  "kf_sealed_open");
        require(bad == damaged, "a sealed batch does not open as it should");
        require_secret(opened + TEXT, sizeof opened - TEXT, "texts of a sealed batch");
    }
    kf_key_release(writer), kf_key_release(reader);
}

static const kf_aead_impl *(*const IMPLEMENTATIONS[])(void) = {kf_aead_portable, kf_aead_aesni, kf_aead_vaes,
                                                               kf_aead_armv8};
enum { NUM_IMPLEMENTATIONS = sizeof IMPLEMENTATIONS / sizeof IMPLEMENTATIONS[0] };

/* The implementation of that name; NULL prints the names of all. */
static const kf_aead_impl *find(const char *name) {
    for (int i = 0; i < NUM_IMPLEMENTATIONS; i++) {
        const kf_aead_impl *impl = IMPLEMENTATIONS[i]();
        if (!impl) continue;
        if (!name) printf("%s\n", impl->name);
        if (name && strcmp(impl->name, name) == 0) return impl;
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) return find(NULL) != NULL;
    const kf_aead_impl *impl = argc == 2 ? find(argv[1]) : NULL;
    if (!impl || !under_memcheck()) {
        fprintf(stderr, "ctime: needs the name of an implementation that runs here, and memcheck\n");
        return EXIT_USAGE;
    }
    require(kf_init() == KF_OK && kf_impl_force(impl->name) == KF_OK, "the library does not start");
    check_kernels(impl);
    check_hashes();
    check_hmac_many();
    check_generator();
    hierarchy h;
    open_hierarchy(&h);
    check_import(&h);
    check_macs(&h);
    check_mac_keys(&h);
    check_one_blob(&h), check_bound_blob(&h);
    check_blobs(&h);
    check_replies(&h);
    check_sigv4();
    check_data_key(&h);
    check_sealed(&h);
    const unsigned errors = VALGRIND_COUNT_ERRORS;
    printf("ctime: %s ran to its end, %u errors\n", impl->name, errors);
    return errors ? EXIT_LEAK : EXIT_SUCCESS;
}
