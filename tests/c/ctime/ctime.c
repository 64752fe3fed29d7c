/*
 * Constant time, checked by valgrind's memcheck: secrets are marked as undefined memory, so that
 * every branch and every address that depends on them is an error (the method of Adam Langley's
 * ctgrind). Usage, under valgrind only: ctime NAME, with the name of an implementation.
 *
 * Secret: key bytes and all that derives from them, plaintexts, associated data, every random byte.
 * Published, and so declassified here: what a function hands out to be stored or sent (sealed
 * records, blobs, wrapped keys, headers, MACs). Lengths, handles and results are public.
 *
 * KF_PLANT_LEAK (1: branch, 2: table look-up, 3: comparison that stops early) spoils the program on
 * purpose: the check must then turn red.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

#include "kf_sha256.h"
#include "kf_util.h"
#include "kft.h"

enum { EXIT_USAGE = 2, EXIT_WRONG_RESULT = 3 };

static void require(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "ctime: %s\n", what);
    exit(EXIT_WRONG_RESULT);
}

/* All randomness is secret until it is published (linked with --wrap=getrandom). */
ssize_t __real_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags) {
    const ssize_t got = __real_getrandom(out, len, flags);
    if (got > 0) KF_SECRET(out, (size_t)got);
    return got;
}

#ifdef KF_PLANT_LEAK
static volatile unsigned leak_sink;

static void leak(const uint8_t *secret, const uint8_t *other) {
    static volatile uint8_t table[256];
    if (KF_PLANT_LEAK == 1 && secret[0] & 1) leak_sink++;
    if (KF_PLANT_LEAK == 2) leak_sink += table[secret[1]];
    for (int i = 0; KF_PLANT_LEAK == 3 && i < 16 && secret[i] == other[i]; i++) leak_sink++;
}
#else
static void leak(const uint8_t *secret, const uint8_t *other) { (void)secret, (void)other; }
#endif

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
    leak(key_bytes, sealed);
    KF_DECLASSIFY(sealed, sizeof sealed);
    sealed[rec[n / 2].out - sealed + (long)rec[n / 2].len] ^= 1;
    for (size_t i = 0; i < n; i++) {
        rec[i].in = rec[i].out;
        rec[i].out = opened + (rec[i].in - sealed);
    }
    const size_t failed = kft_open(impl, &key, ok, with_digest ? digest : NULL, nonces, rec, n);
    require(failed == 1 && !ok[n / 2], "a batch does not open as it should");
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

static void check_hashes(void) {
    uint8_t msg[300], out[80];
    kf_hmac_key key;
    memset(msg, 1, sizeof msg);
    KF_SECRET(msg, sizeof msg);
    for (size_t len = 0; len <= sizeof msg; len += 30) require(kf_sha256(out, msg, len) == KF_OK, "kf_sha256");
    kf_hmac_key_init(&key, msg, 100);
    kf_hmac(&key, out, msg, sizeof msg);
    kf_hmac_key_init(&key, msg, 32);
    kf_hmac(&key, out, msg, 20);
    kf_hkdf(out, sizeof out, msg, 13, msg, 32, msg, 22);
}

/* ---- the library: from the root key to blobs ------------------------------------------------------------- */

enum { TEXT = 70, NUM = 20, BLOB = TEXT + KF_BLOB_OVERHEAD, SEALED = TEXT + KF_TAG_LEN };

static void ok_or_end(int status, const char *what) { require(status == KF_OK, what); }

typedef struct {
    uint64_t root, store, key;
    uint8_t store_id[16], key_id[16], wrapped_store[KF_WRAPPED_LEN], wrapped_key[KF_WRAPPED_LEN];
} hierarchy;

static void open_hierarchy(hierarchy *h) {
    uint64_t secret, other_store;
    uint8_t *bytes, rewrapped[KF_WRAPPED_LEN];
    memset(h, 0, sizeof *h);
    ok_or_end(kf_arena_open(0), "kf_arena_open");
    ok_or_end(kf_secret_new(&secret, &bytes), "kf_secret_new");
    memset(bytes, 7, 32);
    KF_SECRET(bytes, 32);
    ok_or_end(kf_root_from_secret(&h->root, secret), "kf_root_from_secret");
    ok_or_end(kf_store_create(&h->store, h->wrapped_store, h->root, h->store_id), "kf_store_create");
    KF_DECLASSIFY(h->wrapped_store, KF_WRAPPED_LEN);
    ok_or_end(kf_store_load(&other_store, h->root, h->wrapped_store, h->store_id), "kf_store_load");
    ok_or_end(kf_store_rewrap(rewrapped, h->root, h->root, h->wrapped_store, h->store_id), "kf_store_rewrap");
    ok_or_end(kf_key_generate(h->wrapped_key, h->store, h->key_id, 1, 0), "kf_key_generate");
    KF_DECLASSIFY(h->wrapped_key, KF_WRAPPED_LEN);
    ok_or_end(kf_key_load(&h->key, h->store, h->wrapped_key, h->key_id, 1, 0), "kf_key_load");
    h->wrapped_key[60] ^= 1;
    uint64_t none;
    require(kf_key_load(&none, h->store, h->wrapped_key, h->key_id, 1, 0) == KF_ERR_AUTH, "a changed key loads");
    kf_key_release(other_store);
}

static void check_macs(const hierarchy *h) {
    uint8_t mac[32], msg[100] = {0};
    KF_SECRET(msg, sizeof msg);
    ok_or_end(kf_store_mac(h->store, mac, msg, sizeof msg), "kf_store_mac");
    KF_DECLASSIFY(mac, sizeof mac);
    ok_or_end(kf_store_mac_check(h->store, mac, msg, sizeof msg), "kf_store_mac_check");
    mac[31] ^= 1;
    require(kf_store_mac_check(h->store, mac, msg, sizeof msg) == KF_ERR_AUTH, "a changed MAC passes");
}

static void check_blobs(const hierarchy *h) {
    static uint8_t texts[NUM * TEXT], blobs[NUM * BLOB], opened[NUM * TEXT], status[NUM];
    uint8_t prefix[KF_PREFIX_LEN], context[30] = {0}, plain[32], data_key[32 + KF_BLOB_OVERHEAD];
    int64_t bad, other;
    KF_SECRET(texts, sizeof texts), KF_SECRET(context, sizeof context);
    const struct kf_column text_column = {.data = texts, .data_len = sizeof texts, .width = TEXT};
    const struct kf_column blob_column = {.data = blobs, .data_len = sizeof blobs, .width = BLOB};
    ok_or_end(kf_key_prefix(h->key, prefix), "kf_key_prefix");
    KF_DECLASSIFY(prefix, sizeof prefix);

    ok_or_end(kf_blob_seal_one(h->key, blobs, texts, TEXT, context, sizeof context, NULL, 0), "kf_blob_seal_one");
    KF_DECLASSIFY(blobs, BLOB);
    ok_or_end(kf_blob_open_one(h->key, opened, status, blobs, BLOB, context, sizeof context, NULL, 0), "kf_blob_open_one");
    ok_or_end(kf_blob_seal(h->key, blobs, sizeof blobs, NULL, NULL, &text_column, NUM, NULL, context, sizeof context, NULL,
                           1), "kf_blob_seal");
    KF_DECLASSIFY(blobs, sizeof blobs);
    blobs[BLOB - 1] ^= 1;
    ok_or_end(kf_blob_open(opened, sizeof opened, NULL, NULL, status, &bad, &other, &h->key, prefix, 1, NULL, &blob_column,
                           NUM, NULL, context, sizeof context, NULL, 1), "kf_blob_open");
    require(bad == 1 && other == 0, "a batch of blobs does not open as it should");
    ok_or_end(kf_data_key(h->key, plain, data_key, 32, context, sizeof context), "kf_data_key");
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
    KF_DECLASSIFY(header, sizeof header);
    ok_or_end(kf_sealed_seal(writer, records, sizeof records, NULL, NULL, &text_column, NUM, 1, 1), "kf_sealed_seal");
    KF_DECLASSIFY(records, sizeof records);
    ok_or_end(kf_sealed_load(&reader, h->key, header, NULL, 0), "kf_sealed_load");
    ok_or_end(kf_sealed_open(reader, opened, sizeof opened, NULL, NULL, status, &bad, 0, &record_column, NUM, 1, 1),
              "kf_sealed_open");
    require(bad == 0, "a sealed batch does not open");
    kf_key_release(writer), kf_key_release(reader);
}

int main(int argc, char **argv) {
    static const kf_aead_impl *(*const impls[])(void) = {kf_aead_portable, kf_aead_aesni, kf_aead_vaes, kf_aead_armv8};
    const kf_aead_impl *impl = NULL;
    for (size_t i = 0; argc == 2 && i < sizeof impls / sizeof impls[0]; i++) {
        const kf_aead_impl *candidate = impls[i]();
        if (candidate && strcmp(candidate->name, argv[1]) == 0) impl = candidate;
    }
    if (!impl || !RUNNING_ON_VALGRIND) {
        fprintf(stderr, "ctime: needs the name of an implementation that runs here, and valgrind\n");
        return EXIT_USAGE;
    }
    require(kf_init() == KF_OK && kf_impl_force(impl->name) == KF_OK, "the library does not start");
    check_kernels(impl);
    check_hashes();
    hierarchy h;
    open_hierarchy(&h);
    check_macs(&h);
    check_blobs(&h);
    check_sealed(&h);
    printf("ctime: %s, no error counted by the program itself\n", impl->name);
    return 0;
}
