/*
 * Known answers of P-256, as in kf_selftest.c: all are compared, and one miss fails the whole.
 * Key and first signature are those of RFC 6979 A.2.5 (SHA-256, "sample"). The batch's digests are a pattern, its
 * answer is SHA-256 over its signatures, made by another program from the same formulas.
 */
#include "kf_p256_selftest.h"

#include <stdlib.h>

#include "kf.h"
#include "kf_p256_check.h"
#include "kf_p256_ecdsa.h"
#include "kf_p256_nonce.h"
#include "kf_p256_words.h"

enum { NUM = 32 /* checked as many are, and the least that is verified at once */, CORRUPTED = 7 };

static const uint8_t private_key[32] = {0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21,
                                        0x57, 0x67, 0xb1, 0xd6, 0x93, 0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8,
                                        0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21};
static const uint8_t public_key[64] = {
    0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d, 0x68,
    0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6,
    0x79, 0x03, 0xfe, 0x10, 0x08, 0xb8, 0xbc, 0x99, 0xa4, 0x1a, 0xe9, 0xe9, 0x56, 0x28, 0xbc, 0x64,
    0xf2, 0xf1, 0xb2, 0x0c, 0x2d, 0x7e, 0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99};
static const uint8_t sample_digest[32] = {0xaf, 0x2b, 0xdb, 0xe1, 0xaa, 0x9b, 0x6e, 0xc1, 0xe2, 0xad, 0xe1,
                                          0xd6, 0x94, 0xf4, 0x1f, 0xc7, 0x1a, 0x83, 0x1d, 0x02, 0x68, 0xe9,
                                          0x89, 0x15, 0x62, 0x11, 0x3d, 0x8a, 0x62, 0xad, 0xd1, 0xbf};
static const uint8_t sample_signature[64] = {
    0xef, 0xd4, 0x8b, 0x2a, 0xac, 0xb6, 0xa8, 0xfd, 0x11, 0x40, 0xdd, 0x9c, 0xd4, 0x5e, 0x81, 0xd6,
    0x9d, 0x2c, 0x87, 0x7b, 0x56, 0xaa, 0xf9, 0x91, 0xc3, 0x4d, 0x0e, 0xa8, 0x4e, 0xaf, 0x37, 0x16,
    0xf7, 0xcb, 0x1c, 0x94, 0x2d, 0x65, 0x7c, 0x41, 0xd4, 0x36, 0xc7, 0xa1, 0xb6, 0xe2, 0x9f, 0x65,
    0xf3, 0xe9, 0x00, 0xdb, 0xb9, 0xaf, 0xf4, 0x06, 0x4d, 0xc4, 0xab, 0x2f, 0x84, 0x3a, 0xcd, 0xa8};
/* SHA-256 of the batch's signatures, 64 bytes each */
static const uint8_t batch_digest[32] = {0xeb, 0x29, 0x71, 0xfc, 0xf8, 0xee, 0x26, 0xcf, 0x78, 0xe7, 0xca,
                                         0xef, 0xed, 0x0b, 0x0c, 0x89, 0x63, 0x14, 0xa7, 0x1d, 0xcd, 0x4b,
                                         0x11, 0x18, 0x09, 0x8a, 0xda, 0xb8, 0x6f, 0xeb, 0xc3, 0x5b};

typedef struct {
    int ok;
} selftest;

#ifdef KF_TESTING
int kf_p256_selftest_fault;
int kf_p256_selftest_count;
#endif

/* Compares an answer with the known one; in a test build also falsifies it on demand. */
static void check(selftest *test, const void *got, const void *known, size_t len) {
    int equal = kf_equal(got, known, len);
#ifdef KF_TESTING
    if (++kf_p256_selftest_count == kf_p256_selftest_fault) equal = 0;
#endif
    test->ok &= equal;
}

/* ---- at load ------------------------------------------------------------------------------------------- */

static void to_bytes(uint8_t bytes[64], const kf_p256_impl *impl, const kf_p256_point *p) {
    kf_p256_fe plain;
    impl->arith->fe_mul(&plain, &p->x, &kf_p256_raw_one), kf_words_to_be(bytes, plain.v);
    impl->arith->fe_mul(&plain, &p->y, &kf_p256_raw_one), kf_words_to_be(bytes + 32, plain.v);
}

/* One signature by the formulas, without tables. */
static void test_sample(selftest *test, const kf_p256_impl *impl) {
    const kf_p256_arith *arith = impl->arith;
    kf_p256_scalar d, k, r, s, t, z;
    kf_p256_point q, point;
    uint8_t bytes[64];
    kf_words_from_be(d.v, private_key), kf_words_from_be(z.v, sample_digest);
    arith->point_mul(&q, &d, &kf_p256_g);
    to_bytes(bytes, impl, &q);
    check(test, bytes, public_key, sizeof bytes);

    kf_p256_nonce_rfc6979(&k, &d, sample_digest, 0);
    arith->point_mul(&point, &k, &kf_p256_g);
    to_bytes(bytes, impl, &point);
    kf_words_from_be(r.v, bytes), kf_scalar_reduce(&r, r.v), kf_scalar_reduce(&z, z.v);
    arith->scalar_mul(&t, &d, &kf_p256_n_r2), arith->scalar_mul(&t, &t, &r), kf_scalar_add(&t, &t, &z);
    arith->scalar_inverse(&s, &k), arith->scalar_mul(&s, &s, &t);
    kf_words_to_be(bytes, r.v), kf_words_to_be(bytes + 32, s.v);
    check(test, bytes, sample_signature, sizeof bytes);

    /* R = (z / s) G + (r / s) Q */
    kf_p256_point a, b;
    kf_p256_jacobian sum;
    arith->scalar_inverse(&t, &s);
    arith->scalar_mul(&z, &t, &z), arith->scalar_mul(&r, &t, &r);
    arith->point_mul(&a, &z, &kf_p256_g), arith->point_mul(&b, &r, &q);
    const kf_p256_jacobian first = {a.x, a.y, kf_p256_one}, second = {b.x, b.y, kf_p256_one};
    arith->add_var(&sum, &first, &second);
    check(test, &(int){arith->is_point_var(&sum, &point)}, &(int){1}, sizeof(int));
    check(test, &(int){arith->on_curve(&q)}, &(int){1}, sizeof(int));
    q.x.v[0] ^= 1;
    check(test, &(int){arith->on_curve(&q)}, &(int){0}, sizeof(int));
}

int kf_p256_selftest(const kf_p256_impl *impl) {
    selftest test = {1};
#ifdef KF_TESTING
    kf_p256_selftest_count = 0;
#endif
    test_sample(&test, impl);
    return test.ok ? KF_OK : KF_ERR_SELFTEST;
}

/* ---- batches ------------------------------------------------------------------------------------------- */

typedef struct {
    kf_p256_slot key;
    uint8_t digests[NUM * 32], signatures[NUM * 64], public_keys[NUM * 64], status[NUM], valid[NUM], expected[NUM];
    struct kf_column digest_column, signature_column;
} batch;

static void batch_init(batch *b, const kf_p256_impl *impl) {
    memset(b, 0, sizeof *b);
    kf_words_from_be(b->key.d.v, private_key);
    impl->arith->scalar_mul(&b->key.d_mont, &b->key.d, &kf_p256_n_r2);
    for (int i = 0; i < NUM * 32; i++) b->digests[i] = (uint8_t)(i / 32 * 31 + i % 32 * 7 + 3);
    for (int i = 0; i < NUM; i++) {
        memcpy(b->public_keys + 64 * i, public_key, sizeof public_key);
        b->expected[i] = i != CORRUPTED;
    }
    b->digest_column = (struct kf_column){.data = b->digests, .data_len = sizeof b->digests, .width = 32};
    b->signature_column = (struct kf_column){.data = b->signatures, .data_len = sizeof b->signatures, .width = 64};
}

static int test_sign(selftest *test, const kf_p256_impl *impl, batch *b) {
    kf_p256_signing signing = {.impl = impl, .key = &b->key, .digests = &b->digest_column, .out = b->signatures,
                               .status = b->status, .deterministic = 1};
    uint8_t digest[32];
    kf_sha256_ctx hash;
    const int status = kf_p256_sign_range(&signing, 0, NUM);
    kf_sha256_init(&hash);
    kf_sha256_update(&hash, b->signatures, sizeof b->signatures);
    kf_sha256_final(&hash, digest);
    check(test, &signing.num_bad, &(int64_t){0}, sizeof(int64_t));
    check(test, digest, batch_digest, sizeof digest);
    return status;
}

/* Under one key and under many, with one signature changed; then that one alone. */
static int test_verify(selftest *test, const kf_p256_impl *impl, batch *b, void *table, void *scratch) {
    kf_p256_point q;
    int status = kf_p256_public_read(&q, impl, public_key);
    kf_p256_verifying verifying = {.impl = impl, .digests = &b->digest_column, .signatures = &b->signature_column,
                                   .key = &q, .valid = b->valid};
    b->signatures[64 * CORRUPTED + 40] ^= 1;
    impl->key_table_var(table, &q, scratch);
    verifying.key_table = table;
    if (status == KF_OK) status = kf_p256_verify_range(&verifying, 0, NUM);
    check(test, b->valid, b->expected, NUM);
    memset(b->valid, 9, NUM);
    verifying.public_keys = b->public_keys;
    if (status == KF_OK) status = kf_p256_verify_range(&verifying, 0, NUM);
    check(test, b->valid, b->expected, NUM);
    memset(b->valid, 9, NUM);
    if (status == KF_OK) status = kf_p256_verify_range(&verifying, CORRUPTED, CORRUPTED + 2);
    check(test, b->valid + CORRUPTED, b->expected + CORRUPTED, 2);
    return status;
}

int kf_p256_selftest_batch(const kf_p256_impl *impl) {
    selftest test = {1};
    batch b;
    void *table = aligned_alloc(64, impl->key_table_len), *scratch = aligned_alloc(64, impl->scratch_len(impl->chunk));
    int status = table && scratch ? KF_OK : KF_ERR_MEMORY;
    batch_init(&b, impl);
    if (status == KF_OK) status = test_sign(&test, impl, &b);
    if (status == KF_OK) status = test_verify(&test, impl, &b, table, scratch);
    free(table), free(scratch);
    return status == KF_OK && !test.ok ? KF_ERR_SELFTEST : status;
}
