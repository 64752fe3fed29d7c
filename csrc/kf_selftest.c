/*
 * Known answers at load.
 * Rules:
 * - every primitive that the implementation in use offers meets an answer that others computed;
 * - the batch is ragged and larger than any implementation's number of lanes, with one long record,
 *   so that lanes, bulk and tails all run; its answers are SHA-256 over all outputs, made with
 *   another library from the same formulas;
 * - all answers are compared, and one miss fails the whole.
 */
#include "kf_selftest.h"

#include "kf.h"
#include "kf_hmac.h"
#include "kf_hmac_many.h"
#include "kf_util.h"

enum {
    POOL_LEN = 4096,      /* deterministic bytes that keys, nonces and texts are cut from */
    POOL_DIGEST = 0,
    POOL_KEY = 100,
    POOL_NONCES = 200,
    POOL_TEXT = 1100,
    POOL_AAD = 3000,
    NUM_RECORDS = 37,
    LONG_LEN = 1500,
    BATCH_LEN = 5602,     /* outputs of the batch, tags included */
    CORRUPTED = 7         /* index of the record that the batch is opened with a changed bit in */
};

typedef struct {
    int count;
    int ok;
} selftest;

#ifdef KF_TESTING
int kf_selftest_fault;
int kf_selftest_count;
#endif

/* Compares an answer with the known one; in a test build also falsifies it on demand. */
static void check(selftest *test, const void *got, const void *known, size_t len) {
    int equal = kf_equal(got, known, len);
    test->count++;
#ifdef KF_TESTING
    kf_selftest_count = test->count;
    if (test->count == kf_selftest_fault) {
        uint8_t falsified[128];
        memcpy(falsified, known, len);
        falsified[len - 1] ^= 1;
        equal = kf_equal(got, falsified, len);
    }
#endif
    test->ok &= equal;
}

static void check_number(selftest *test, size_t got, size_t known) { check(test, &got, &known, sizeof got); }

static void check_hex(selftest *test, const uint8_t *got, const char *known) {
    uint8_t bytes[128];
    size_t len = 0;
    for (; known[2 * len]; len++) {
        const uint8_t high = (uint8_t)known[2 * len], low = (uint8_t)known[2 * len + 1];
        bytes[len] = (uint8_t)((high > '9' ? high - 'a' + 10 : high - '0') << 4
                               | (low > '9' ? low - 'a' + 10 : low - '0'));
    }
    check(test, got, bytes, len);
}

static void pool_fill(uint8_t pool[POOL_LEN]) {
    for (int i = 0; i < POOL_LEN; i++) pool[i] = (uint8_t)(i * 167 + (i >> 8) * 13 + 5);
}

/* ---- hashes ------------------------------------------------------------------------------------ */

static void sha256(uint8_t out[32], const void *msg, size_t msg_len) {
    kf_sha256_ctx ctx;
    kf_sha256_init(&ctx);
    kf_sha256_update(&ctx, msg, msg_len);
    kf_sha256_final(&ctx, out);
}

/* FIPS 180-4, examples of one block, and RFC 4231 test case 2. */
static const struct {
    int bits;
    const char *digest, *mac;
} HASH_ANSWERS[] = {
    {224,
     "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
     "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"},
    {256,
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {384,
     "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
    {512,
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
     "454d4423643ce80e2a9ac94fa54ca49f",
     "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
     "caeab1a34d4a6b4b636e070a38bce737"},
};

static void test_hashes(selftest *test) {
    for (size_t i = 0; i < sizeof HASH_ANSWERS / sizeof HASH_ANSWERS[0]; i++) {
        const kf_hash *hash = kf_hash_of(HASH_ANSWERS[i].bits);
        uint8_t out[KF_HASH_MAX_DIGEST];
        kf_hash_ctx ctx;
        hash->init(&ctx);
        hash->update(&ctx, (const uint8_t *)"abc", 3);
        hash->final(&ctx, out);
        check_hex(test, out, HASH_ANSWERS[i].digest);
        kf_hmac_any_key key;
        kf_hmac_any_key_init(&key, hash, (const uint8_t *)"Jefe", 4);
        kf_hmac_any(&key, out, (const uint8_t *)"what do ya want for nothing?", 28);
        check_hex(test, out, HASH_ANSWERS[i].mac);
    }
}

static void test_hkdf(selftest *test) {
    uint8_t out[42], ikm[22], salt[13], info[10];

    /* RFC 5869 A.1 */
    memset(ikm, 0x0b, sizeof ikm);
    for (int i = 0; i < 13; i++) salt[i] = (uint8_t)i;
    for (int i = 0; i < 10; i++) info[i] = (uint8_t)(0xf0 + i);
    kf_hkdf(out, sizeof out, salt, sizeof salt, ikm, sizeof ikm, info, sizeof info);
    check_hex(test, out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

/* Messages of two blocks in lanes, and one that is left over. */
static void test_hmac_many(selftest *test) {
    enum { NUM = 5, LEN = 71 };
    uint8_t pool[POOL_LEN], macs[NUM * 32], digest[32];
    kf_hmac_key key;
    pool_fill(pool);
    kf_hmac_key_init(&key, pool + POOL_KEY, 32);
    kf_hmac_many(&key, macs, pool + POOL_TEXT, LEN, NUM);
    sha256(digest, macs, sizeof macs);
    check_hex(test, digest, "354235822b7ac189c84d1234b18371a2603d7c4bf0d8e4d434b5fb60adfd0b68");
}

/* ---- single records ------------------------------------------------------------------------------ */

/* FIPS 197 C.3; five blocks, so that a pass of several and a remainder both run. */
static void test_aes(selftest *test, const kf_aead_impl *impl) {
    uint8_t key_bytes[32], blocks[80];
    kf_aes256 key;
    for (int i = 0; i < 32; i++) key_bytes[i] = (uint8_t)i;
    for (int i = 0; i < 80; i++) blocks[i] = (uint8_t)(i % 16 * 0x11);
    impl->aes256_expand(&key, key_bytes);
    impl->aes256_blocks(&key, blocks, blocks, 5);
    for (int i = 0; i < 5; i++) check_hex(test, blocks + 16 * i, "8ea2b7ca516745bfeafc49904b496089");
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16. */
static void test_gcm(selftest *test, const kf_aead_impl *impl) {
    static const uint8_t half_key[16] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
                                         0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08};
    static const uint8_t nonce[12] = {0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
    static const uint8_t aad[20] = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
                                    0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2};
    static const uint8_t text[60] = {
        0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5, 0x26,
        0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31,
        0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49,
        0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39};
    uint8_t key_bytes[32], out[76];
    memcpy(key_bytes, half_key, 16);
    memcpy(key_bytes + 16, half_key, 16);
    kf_gcm_key key;
    kf_gcm_key_init(impl, &key, key_bytes);
    const kf_rec rec = {.in = text, .out = out, .aad = aad, .len = 60, .aad_len = 20};
    impl->gcm_seal(&key, NULL, nonce, &rec, 1);
    check_hex(test, out, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                         "76fc6ece0f4e1768cddf8853bb2d551b");
}

/* C2SP XAES-256-GCM, test vectors. */
static void test_xaes(selftest *test, const kf_aead_impl *impl, uint8_t key_byte, const char *aad,
                      const char *known) {
    uint8_t key_bytes[32], out[28];
    memset(key_bytes, key_byte, sizeof key_bytes);
    kf_xaes_key key;
    kf_xaes_key_init(impl, &key, key_bytes);
    const kf_rec rec = {.in = (const uint8_t *)"XAES-256-GCM", .out = out,
                        .aad = (const uint8_t *)aad, .len = 12, .aad_len = strlen(aad)};
    impl->xaes_seal(&key, NULL, (const uint8_t *)"ABCDEFGHIJKLMNOPQRSTUVWX", &rec, 1);
    check_hex(test, out, known);
}

/* ---- batches -------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t pool[POOL_LEN];
    uint8_t sealed[BATCH_LEN];
    kf_rec rec[NUM_RECORDS];
    uint8_t ok[NUM_RECORDS];
} batch;

static void batch_init(batch *b) {
    pool_fill(b->pool);
    size_t used = 0;
    for (int i = 0; i < NUM_RECORDS; i++) {
        const size_t len = i == NUM_RECORDS - 1 ? LONG_LEN : (size_t)(i * 37 % 200);
        kf_rec_set(&b->rec[i], b->pool + POOL_TEXT + 3 * i, b->sealed + used, len, b->pool + POOL_AAD + i,
                   (size_t)(i * 11 % 40));
        used += len + KF_TAG_LEN;
    }
}

/* Turns the sealed batch into one to be opened in place, with a bit of one tag changed. */
static void batch_reverse(batch *b) {
    for (int i = 0; i < NUM_RECORDS; i++) b->rec[i].in = b->rec[i].out;
    b->rec[CORRUPTED].out[b->rec[CORRUPTED].len] ^= 0x10;
}

static void check_sealed(selftest *test, const batch *b, const char *known) {
    uint8_t digest[32];
    sha256(digest, b->sealed, sizeof b->sealed);
    check_hex(test, digest, known);
}

/* The corrupted record failed and is zeros; all others are what they were. */
static void check_opened(selftest *test, const batch *b, size_t failed) {
    static const uint8_t zeros[200];
    int texts_ok = 1, flags_ok = 1;
    for (int i = 0; i < NUM_RECORDS; i++) {
        const uint8_t *known = i == CORRUPTED ? zeros : b->pool + POOL_TEXT + 3 * i;
        texts_ok &= kf_equal(b->rec[i].out, known, b->rec[i].len);
        flags_ok &= b->ok[i] == (i != CORRUPTED);
    }
    check_number(test, failed, 1);
    check_number(test, (size_t)flags_ok, 1);
    check_number(test, (size_t)texts_ok, 1);
}

static void test_batches(selftest *test, const kf_aead_impl *impl) {
    batch b;
    batch_init(&b);
    const uint8_t *digest = b.pool + POOL_DIGEST, *nonces = b.pool + POOL_NONCES;

    kf_gcm_key gcm;
    kf_gcm_key_init(impl, &gcm, b.pool + POOL_KEY);
    impl->gcm_seal(&gcm, digest, nonces, b.rec, NUM_RECORDS);
    check_sealed(test, &b, "be8316786d62510ba08738569b5350d1d58c675ecc67fdd996318a99127087ee");
    batch_reverse(&b);
    check_opened(test, &b, impl->gcm_open(&gcm, b.ok, digest, nonces, b.rec, NUM_RECORDS));

    kf_xaes_key xaes;
    kf_xaes_key_init(impl, &xaes, b.pool + POOL_KEY);
    batch_init(&b);
    impl->xaes_seal(&xaes, digest, nonces, b.rec, NUM_RECORDS);
    check_sealed(test, &b, "5250547536bd96f7046d33e40dfa1cf9218fbd85dae020ac2e1ad93da82840a9");
    batch_reverse(&b);
    check_opened(test, &b, impl->xaes_open(&xaes, b.ok, digest, nonces, b.rec, NUM_RECORDS));
}

int kf_selftest(const kf_aead_impl *impl) {
    selftest test = {.count = 0, .ok = 1};
    test_hashes(&test);
    test_hkdf(&test);
    test_hmac_many(&test);
    test_aes(&test, impl);
    test_gcm(&test, impl);
    test_xaes(&test, impl, 1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    test_xaes(&test, impl, 3, "c2sp.org/XAES-256-GCM",
              "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
    test_batches(&test, impl);
    return test.ok ? KF_OK : KF_ERR_SELFTEST;
}
