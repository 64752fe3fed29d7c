/* P-256 as callers of kf_api.h see it: dispatch, self-test, keys, tables of keys, key agreement. */
#include <stdlib.h>

#include "kf_p256_selftest.h"
#include "kf_p256_tables.h"
#include "kf_p256_words.h"
#include "kf_rng.h"
#include "kft_calls.h"
#include "kft_p256.h"

/* What is missing for a moment is tried again; a known answer that is not reproduced is final, and what fails its tests
 * is not put in use. */
static void check_ready(void) {
    char first[32];
    snprintf(first, sizeof first, "%s", kf_p256_impl_name());
    kf_p256_forget_ready();
    kf_random_fault = 1;
    CHECK(kf_p256_ready() == KF_ERR_SYSTEM, "ready without randomness");
    CHECK(kf_p256_ready() == KF_OK, "not tried again");
    kf_random_fault = 1;
    CHECK(kf_p256_impl_force("portable") == KF_ERR_SYSTEM, "forced without randomness");
    CHECK(strcmp(kf_p256_impl_name(), first) == 0 && kf_p256_ready() == KF_OK, "a force that failed changed something");
    for (int fault = 1; fault <= 10; fault += 9) { /* one of each part */
        kf_p256_selftest_fault = fault;
        CHECK(kf_p256_impl_force("portable") == KF_ERR_SELFTEST, "forced with fault %d", fault);
        kf_p256_selftest_fault = 0;
        CHECK(strcmp(kf_p256_impl_name(), first) == 0, "%s in use after fault %d", kf_p256_impl_name(), fault);
        CHECK(kf_p256_ready() == KF_ERR_SELFTEST && kf_p256_impl_force(first) == KF_ERR_SELFTEST, "a fault is not final");
        kf_p256_forget_ready();
    }
    CHECK(kf_p256_impl_force(first) == KF_OK, "force %s", first);
}

void test_p256_dispatch(const kft_env *env) {
    (void)env;
    char first[32];
    snprintf(first, sizeof first, "%s", kf_p256_impl_name());
    if (!getenv("KMSFAST_P256_IMPL"))
        CHECK(strcmp(first, kf_p256_impl_available(0)) == 0, "%s in use, %s available", first, kf_p256_impl_available(0));
    int last_is_portable = 0;
    for (int i = 0; kf_p256_impl_available(i); i++) {
        last_is_portable = strcmp(kf_p256_impl_available(i), "portable") == 0;
        CHECK(kf_p256_impl_force(kf_p256_impl_available(i)) == KF_OK, "force %s", kf_p256_impl_available(i));
    }
    CHECK(last_is_portable, "portable is not the last choice");
    CHECK(kf_p256_impl_available(-1) == NULL && kf_p256_impl_available(99) == NULL, "implementations out of range");
    CHECK(kf_p256_impl_force("none such") == KF_ERR_ARGUMENT && kf_p256_impl_force(NULL) == KF_ERR_ARGUMENT, "nonsense");
    CHECK(strcmp(kf_p256_impl_name(), "portable") == 0, "a refused force changed the implementation");
    check_ready();
    CHECK(kf_p256_impl_force(first) == KF_OK, "force %s", first);
}

/* Every comparison of the self-test decides, on every implementation. */
void test_p256_selftest(const kft_env *env) {
    const kf_p256_impl *impl;
    (void)env;
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) {
        kf_p256_selftest_fault = 0;
        CHECK(kf_p256_selftest(impl) == KF_OK, "self-test of %s", impl->name);
        const int at_load = kf_p256_selftest_count;
        CHECK(kf_p256_selftest_batch(impl) == KF_OK, "self-test of %s", impl->name);
        const int count = kf_p256_selftest_count;
        CHECK(at_load >= 5 && count >= at_load + 5, "only %d and %d known answers", at_load, count);
        for (kf_p256_selftest_fault = 1; kf_p256_selftest_fault <= count; kf_p256_selftest_fault++) {
            const int status = kf_p256_selftest(impl), later = kf_p256_selftest_batch(impl);
            CHECK((status == KF_OK) + (later == KF_OK) == 1, "%s: known answer %d is not checked", impl->name,
                  kf_p256_selftest_fault);
        }
        kf_p256_selftest_fault = 0;
    }
}

/* ---- keys ---------------------------------------------------------------------------------------------- */

static void check_import(kft_library *l) {
    static const struct {
        const char *hex;
        int status;
    } scalars[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", KF_ERR_ARGUMENT},
        {"0000000000000000000000000000000000000000000000000000000000000001", KF_OK},
        {"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550", KF_OK},
        {"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", KF_ERR_ARGUMENT},
        {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", KF_ERR_ARGUMENT},
    };
    uint8_t scalar[32], wrapped[KF_WRAPPED_LEN], public_key[64], loaded[64];
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
        uint64_t key = 0;
        kft_from_hex(scalar, 32, scalars[i].hex);
        memset(public_key, 0x5a, sizeof public_key);
        const int status = kf_p256_import(wrapped, public_key, l->store, scalar, l->key_id, 1, 0);
        CHECK(status == scalars[i].status, "import of scalar %zu: %d", i, status);
        if (status != KF_OK) {
            CHECK(public_key[0] == 0x5a && public_key[63] == 0x5a, "a refused import wrote a public key");
            continue;
        }
        kft_point q;
        uint64_t k[4];
        uint8_t x[32];
        kf_words_from_be(k, scalar);
        kft_point_mul(&q, k, &KFT_G);
        kf_words_to_be(x, q.x);
        CHECK(memcmp(x, public_key, 32) == 0, "public key of scalar %zu", i);
        CHECK(kf_p256_load(&key, loaded, l->store, wrapped, l->key_id, 1, 0) == KF_OK
                  && memcmp(loaded, public_key, sizeof loaded) == 0,
              "load of scalar %zu", i);
        kf_key_release(key);
        CHECK(kf_p256_load(&key, loaded, l->store, wrapped, l->key_id, 2, 0) == KF_ERR_AUTH, "load as another version");
        CHECK(kf_key_load(&key, l->store, wrapped, l->key_id, 1, 0) == KF_ERR_AUTH, "load as an AES key");
        wrapped[40] ^= 1;
        CHECK(kf_p256_load(&key, loaded, l->store, wrapped, l->key_id, 1, 0) == KF_ERR_AUTH, "load of changed bytes");
    }
    CHECK(kf_p256_load(&l->handle, loaded, l->store, l->wrapped_key, l->key_id, 1, 0) == KF_ERR_AUTH, "load of an AES key");
}

/* Points that are not on the curve, or not written as points are. */
static void check_public_keys(kft_library *l) {
    uint8_t bad[64], shared[32];
    kf_p256_point q;
    const struct kf_column one = l->signatures;
    for (int i = 0; i < 4; i++) {
        memcpy(bad, l->public_key, sizeof bad);
        if (i == 0) bad[63] ^= 1;
        if (i == 1) memset(bad, 0, sizeof bad);
        if (i == 2) kf_words_to_be(bad, KFT_P);                     /* x = p, which is 0 */
        if (i == 3) memset(bad, 0, 32), memset(bad + 32, 0xff, 32); /* y above p */
        uint8_t valid = 9;
        CHECK(kf_p256_public_read(&q, kf_p256(), bad) == KF_ERR_FORMAT, "bad point %d", i);
        memset(shared, 0x5a, sizeof shared);
        CHECK(kf_p256_ecdh(l->p256, shared, bad) == KF_ERR_FORMAT && shared[0] == 0x5a, "ECDH with bad point %d", i);
        CHECK(kf_p256_verify_batch(&valid, bad, &l->digests, &one, 1, KF_P256_RAW, 1) == KF_ERR_FORMAT, "verify %d", i);
        CHECK(kf_p256_verify(bad, l->text, l->signature, 64, KF_P256_RAW) == KF_ERR_FORMAT, "verify one %d", i);
        CHECK(kf_p256_verify_many(&valid, bad, &l->digests, &one, 1, KF_P256_RAW, 1) == KF_OK && valid == 0, "many %d", i);
    }
    CHECK(kf_p256_public_read(&q, kf_p256(), l->public_key) == KF_OK, "a good point");
}

/* Both sides of ECDH agree, under every implementation. */
static void check_ecdh(kft_library *l) {
    uint8_t wrapped[KF_WRAPPED_LEN], other_public[64], loaded[64], mine[32], theirs[32], first[32];
    uint64_t other;
    CHECK(kf_p256_generate(wrapped, other_public, l->store, l->key_id, 9, 0) == KF_OK, "generate");
    CHECK(kf_p256_load(&other, loaded, l->store, wrapped, l->key_id, 9, 0) == KF_OK, "load");
    const kf_p256_impl *impl;
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) {
        CHECK(kf_p256_ecdh(l->p256, mine, other_public) == KF_OK && kf_p256_ecdh(other, theirs, l->public_key) == KF_OK,
              "%s: ECDH", impl->name);
        CHECK(memcmp(mine, theirs, 32) == 0, "%s: the two sides differ", impl->name);
        if (n == 0) memcpy(first, mine, 32);
        CHECK(memcmp(first, mine, 32) == 0, "%s: another secret", impl->name);
    }
    CHECK(kf_p256_ecdh(l->key, mine, other_public) == KF_ERR_KIND, "ECDH with an AES key");
    CHECK(kf_p256_sign(l->key, loaded, &l->signature_len, l->text, KF_P256_RAW, 0) == KF_ERR_KIND, "sign with an AES key");
    kf_key_release(other);
    CHECK(kf_p256_ecdh(other, mine, other_public) == KF_ERR_STALE, "ECDH with a released key");
}

/* ---- batches --------------------------------------------------------------------------------------------- */

static void check_arguments(kft_library *l) {
    uint8_t out[72], status, valid;
    int64_t lens, bad;
    const struct kf_column short_digests = {.data = l->text, .data_len = 31, .width = 31}, none = {0};
    CHECK(kf_p256_sign_batch(l->p256, out, NULL, &status, &bad, &short_digests, 1, 0, 0, 1) == KF_ERR_ARGUMENT, "31 bytes");
    CHECK(kf_p256_sign_batch(l->p256, out, NULL, &status, &bad, &none, 1, 0, 0, 1) == KF_ERR_ARGUMENT, "no column");
    CHECK(kf_p256_sign_batch(l->p256, out, &lens, &status, &bad, &l->digests, 1, 2, 0, 1) == KF_ERR_ARGUMENT, "encoding");
    CHECK(kf_p256_sign_batch(l->p256, out, NULL, &status, &bad, &l->digests, 1, 0, 0, 0) == KF_ERR_ARGUMENT, "threads");
    CHECK(kf_p256_sign_batch(l->p256, out, NULL, &status, &bad, &l->digests, -1, 0, 0, 1) == KF_ERR_ARGUMENT, "num");
    CHECK(kf_p256_sign_batch(l->p256, out, NULL, &status, &bad, &l->digests, 0, 0, 0, 1) == KF_OK && bad == 0, "nothing");
    CHECK(kf_p256_verify_batch(&valid, l->public_key, &short_digests, &l->signatures, 1, 0, 1) == KF_ERR_ARGUMENT, "31");
    CHECK(kf_p256_verify_batch(&valid, l->public_key, &l->digests, &l->signatures, 1, 7, 1) == KF_ERR_ARGUMENT, "encoding");
    CHECK(kf_p256_verify_many(&valid, l->public_key, &l->digests, &l->signatures, 0, 0, 1) == KF_OK, "nothing");
}

/* An error after some signatures were ready leaves none of them, whatever the caller's memory held before. */
static void check_errors_leave_nothing(kft_library *l) {
    enum { NUM = 1500, ENCODINGS = 2 };
    static uint8_t digests[NUM * 32], out[NUM * 72], status[NUM];
    static int64_t lens[NUM];
    const struct kf_column in = {.data = digests, .data_len = sizeof digests, .width = 32};
    const struct kf_column short_digests = {.data = digests, .data_len = sizeof digests, .width = 16};
    for (int n = 0; n < 3 * ENCODINGS; n++) {
        const int der = n % ENCODINGS, how = n / ENCODINGS;
        const size_t len = NUM * (der ? 72 : 64);
        int64_t bad = 77;
        memset(out, 0x5a, sizeof out), memset(lens, 0x5a, sizeof lens);
        kf_random_fault = how == 0 ? 2 : 0; /* of the second group */
        const int result = kf_p256_sign_batch(how == 1 ? l->key : l->p256, out, lens, status, &bad,
                                              how == 2 ? &short_digests : &in, NUM, der, 0, 1);
        const int expected[] = {KF_ERR_SYSTEM, KF_ERR_KIND, KF_ERR_ARGUMENT};
        CHECK(result == expected[how] && bad == 0, "error %d: %d, %d bad", how, result, (int)bad);
        size_t left = 0;
        for (size_t i = 0; i < len; i++) left += out[i] != 0;
        for (int i = 0; der && i < NUM; i++) left += lens[i] != 0;
        CHECK(left == 0, "error %d, encoding %d leaves %d bytes", how, der, (int)left);
        CHECK(der || out[len] == 0x5a, "error %d wrote beyond the signatures", how);
        kf_random_fault = 0;
    }
}

/* Signed under one implementation, verified under another, all ways, on several threads. */
static void check_round_trips(kft_library *l) {
    enum { NUM = 1500, VICTIM = 700 };
    static uint8_t digests[NUM * 32], signatures[NUM * 72], public_keys[NUM * 64], status[NUM], valid[NUM];
    static int64_t lens[NUM];
    static const uint8_t *ptrs[NUM];
    int64_t bad;
    kft_random random = {21};
    kft_fill(&random, digests, sizeof digests);
    for (int i = 0; i < NUM; i++) memcpy(public_keys + 64 * i, l->public_key, 64), ptrs[i] = signatures + 72 * i;
    const struct kf_column in = {.data = digests, .data_len = sizeof digests, .width = 32};
    const struct kf_column raw = {.data = signatures, .data_len = NUM * 64, .width = 64};
    const struct kf_column der = {.ptrs = ptrs, .lens = lens};
    for (int signer = 0; kft_p256_impl(signer); signer++) {
        for (int encoding = KF_P256_RAW; encoding <= KF_P256_DER; encoding++) {
            const size_t width = encoding == KF_P256_DER ? 72 : 64;
            const struct kf_column *column = encoding == KF_P256_DER ? &der : &raw;
            kft_p256_impl(signer);
            CHECK(kf_p256_sign_batch(l->p256, signatures, lens, status, &bad, &in, NUM, encoding, 0, 3) == KF_OK && bad == 0,
                  "sign under %d", signer);
            signatures[width * VICTIM + 20] ^= 1;
            for (int verifier = 0; kft_p256_impl(verifier); verifier++) {
                for (int many = 0; many < 2; many++) {
                    memset(valid, 9, sizeof valid);
                    const int result =
                        many ? kf_p256_verify_many(valid, public_keys, &in, column, NUM, encoding, 2)
                             : kf_p256_verify_batch(valid, l->public_key, &in, column, NUM, encoding, 2);
                    int right = 0;
                    for (int i = 0; i < NUM; i++) right += valid[i] == (i != VICTIM);
                    CHECK(result == KF_OK && right == NUM, "%d to %d, encoding %d, many %d: %d right", signer, verifier,
                          encoding, many, right);
                }
            }
        }
    }
}

/* ---- tables ------------------------------------------------------------------------------------------------ */

static void fill_marks(void *table, const kf_p256_point *q, void *scratch) {
    (void)scratch;
    memcpy(table, q, sizeof *q);
}

/* As many tables as there is room for, counted uses, and the least recently used gives way. */
static void check_tables(void) {
    const kf_p256_table_maker maker = {64, 64, fill_marks};
    uint8_t key[64] = {0};
    kf_p256_point q = {.x = {{0}}};
    kf_p256_table *first = NULL;
    CHECK(kf_p256_table_get(&maker, key, &q, KF_P256_TABLE_PAYS - 1) == NULL, "a table before it pays");
    CHECK((first = kf_p256_table_get(&maker, key, &q, 1)) != NULL, "no table though it pays");
    for (int i = 1; i <= 2 * KF_P256_TABLES; i++) {
        key[31] = (uint8_t)i, q.x.v[0] = (uint64_t)i;
        kf_p256_table *table = kf_p256_table_get(&maker, key, &q, 1000);
        CHECK(table && memcmp(kf_p256_table_data(table), &q, sizeof q) == 0, "table %d", i);
        kf_p256_table_put(table);
        if (i == KF_P256_TABLES - 1) { /* still there, without a reason to make one */
            key[31] = 0, q.x.v[0] = 0;
            kf_p256_table *again = kf_p256_table_get(&maker, key, &q, 1);
            CHECK(again == first, "the table went before its time");
            if (again) kf_p256_table_put(again);
        }
    }
    key[31] = 0, q.x.v[0] = 0;
    CHECK(memcmp(kf_p256_table_data(first), &q, sizeof q) == 0, "a table in use was given away");
    CHECK(kf_p256_table_get(&maker, key, &q, 1) == NULL, "a table stayed when there was no room");
    kf_p256_table_put(first);
}

void test_p256_library(const kft_env *env) {
    static kft_library library;
    (void)env;
    CHECK(kft_library_open(&library) == KF_OK, "open");
    check_import(&library);
    check_public_keys(&library);
    check_ecdh(&library);
    check_arguments(&library);
    check_errors_leave_nothing(&library);
    check_round_trips(&library);
    check_tables();
    kft_library_close(&library);
    CHECK(kf_p256_impl_force(kf_p256_impl_available(0)) == KF_OK, "the best implementation again");
}
