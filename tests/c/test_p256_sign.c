/*
 * Signing: the answers of RFC 6979, batches of sizes at every boundary, and that no fault gets out. Each signature is
 * verified by the textbook or by verify_var, which test_p256_verify.c holds against the textbook.
 */
#include <stdlib.h>

#include "kf_p256_check.h"
#include "kf_p256_der.h"
#include "kf_p256_nonce.h"
#include "kf_p256_words.h"
#include "kft_p256.h"

enum { MOST = 2100 };

static uint8_t digests[MOST * 32], signatures[MOST * KF_P256_DER_MAX], status[MOST];
static int64_t lens[MOST];
static const struct kf_column digest_column = {.data = digests, .data_len = sizeof digests, .width = 32};

/* s, r in range and x((z / s) G + (r / s) Q) = r (FIPS 186-5 6.4.2). */
static int is_valid(const kf_p256_impl *impl, const kf_p256_scalar *r, const kf_p256_scalar *s, const uint8_t *digest,
                    const uint8_t public_key[64]) {
    kf_p256_scalar w, u1, u2, z;
    kf_p256_point q;
    kf_words_from_be(z.v, digest), kf_scalar_reduce(&z, z.v);
    impl->arith->scalar_inverse(&w, s);
    impl->arith->scalar_mul(&u1, &w, &z), impl->arith->scalar_mul(&u2, &w, r);
    return kf_p256_public_read(&q, impl, public_key) == KF_OK && impl->arith->verify_var(&u1, &u2, r, &q);
}

static int raw_is_valid(const kf_p256_impl *impl, int64_t i, const uint8_t public_key[64]) {
    kf_p256_scalar r, s;
    return kf_p256_raw_read(&r, &s, signatures + 64 * i, 64) && is_valid(impl, &r, &s, digests + 32 * i, public_key);
}

/* ---- RFC 6979 A.2.5, SHA-256 ----------------------------------------------------------------------------- */

static const struct {
    const char *digest, *nonce, *signature;
} RFC6979[] = {
    {"af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf", /* "sample" */
     "a6e3c57dd01abe90086538398355dd4c3b17aa873382b0f24d6129493d8aad60",
     "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
     "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
    {"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", /* "test" */
     "d16b6ae827f17175e040871a1c7ec3500192c4c92677336ec2537acaee0008e0",
     "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
     "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"},
};

void test_p256_rfc6979(const kft_env *env) {
    enum { REPEATS = 50 };
    const kf_p256_impl *impl;
    (void)env;
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) {
        kf_p256_slot slot = {.nonce = {{0}, {0}}};
        uint8_t key[32], known[64], nonce[32], made[32];
        kft_from_hex(key, 32, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
        kf_words_from_be(slot.d.v, key);
        kft_to_mont(slot.d_mont.v, slot.d.v, KFT_N);
        for (size_t v = 0; v < 2; v++) {
            kf_p256_scalar k, next;
            for (int i = 0; i < REPEATS; i++) kft_from_hex(digests + 32 * i, 32, RFC6979[v].digest);
            kft_from_hex(known, 64, RFC6979[v].signature), kft_from_hex(nonce, 32, RFC6979[v].nonce);
            kf_p256_nonce_rfc6979(&k, &slot.d, digests, 0);
            kf_words_to_be(made, k.v);
            CHECK(memcmp(made, nonce, 32) == 0, "nonce of RFC 6979, %zu", v);
            kf_p256_nonce_rfc6979(&next, &slot.d, digests, 1);
            CHECK(memcmp(&next, &k, sizeof k) != 0, "the next candidate is the same");
            for (int num = 1; num <= REPEATS; num += 7) { /* the same digest again and again: points repeat */
                kf_p256_signing signing = {.impl = impl, .key = &slot, .digests = &digest_column, .out = signatures,
                                           .status = status, .deterministic = 1};
                memset(signatures, 0x5a, sizeof signatures);
                CHECK(kf_p256_sign_range(&signing, 0, num) == KF_OK && signing.num_bad == 0, "%s: sign %d", impl->name, num);
                for (int i = 0; i < num; i++)
                    CHECK(memcmp(signatures + 64 * i, known, 64) == 0, "%s: signature %d of %d", impl->name, i, num);
            }
        }
    }
}

/* ---- batches ------------------------------------------------------------------------------------------------ */

static void check_size(const kf_p256_impl *impl, const kf_p256_slot *slot, const uint8_t public_key[64], int num, int der) {
    kf_p256_signing signing = {.impl = impl, .key = slot, .digests = &digest_column, .out = signatures,
                               .lens = der ? lens : NULL, .status = status};
    const size_t width = der ? KF_P256_DER_MAX : KF_P256_RAW_LEN;
    memset(signatures, 0x5a, sizeof signatures), memset(status, 0x5a, sizeof status);
    CHECK(kf_p256_sign_range(&signing, 1, num + 1) == KF_OK && signing.num_bad == 0, "%s: sign %d", impl->name, num);
    const int step = num > 300 ? 37 : 1;
    for (int i = 1; i <= num; i += step) {
        kf_p256_scalar r, s;
        const uint8_t *at = signatures + width * (size_t)i;
        const int read = der ? kf_p256_der_read(&r, &s, at, (size_t)lens[i]) : kf_p256_raw_read(&r, &s, at, 64);
        CHECK(status[i] == KF_REC_OK && read && is_valid(impl, &r, &s, digests + 32 * i, public_key),
              "%s: signature %d of %d", impl->name, i, num);
    }
    CHECK(signatures[width - 1] == 0x5a && signatures[width * ((size_t)num + 1)] == 0x5a && status[0] == 0x5a
              && status[num + 1] == 0x5a,
          "%s: written beside the range of %d", impl->name, num);
}

void test_p256_signing(const kft_env *env) {
    static const int sizes[] = {1, 2, 3, 8, 9, 10, 11, 31, 32, 33, 127, 128, 129, 256, 299, 300, 1023, 1024, 1025, 2050};
    kft_random random = {9};
    const kf_p256_impl *impl;
    (void)env;
    kft_fill(&random, digests, sizeof digests);
    memset(digests + 32, 0, 32);                               /* z = 0 */
    kf_words_to_be(digests + 64, KFT_N);                       /* z = n: 0 again */
    memset(digests + 96, 0xff, 32);                            /* above n */
    memcpy(digests + 32 * 20, digests + 32 * 19, 32);          /* one digest twice */
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) {
        kf_p256_slot slot;
        uint8_t public_key[64];
        kft_p256_slot(&slot, public_key, impl, 4);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
            check_size(impl, &slot, public_key, sizes[s], (int)s % 2);
        uint8_t first[64];
        memcpy(first, signatures + 64, 64);
        check_size(impl, &slot, public_key, 1, 0);
        CHECK(memcmp(first, signatures + 64, 64) != 0, "%s: hedged nonces repeat", impl->name);
    }
}

/* Hedged nonces by their definition: 1 + c mod (n - 1), c of two HMACs. */
void test_p256_nonces(const kft_env *env) {
    enum { LARGEST = 40 };
    uint8_t key[32], entropy[LARGEST * 32], msg[65], wide[64];
    kf_hmac_key hmac;
    kf_p256_scalar k[LARGEST + 1], expected;
    kft_random random = {10};
    (void)env;
    kft_fill(&random, key, sizeof key), kft_fill(&random, entropy, sizeof entropy);
    kft_fill(&random, digests, sizeof digests);
    kf_hmac_key_init(&hmac, key, sizeof key);
    for (int num = 1; num <= LARGEST; num++) {
        memset(k, 0x5a, sizeof k);
        kf_p256_nonces_hedged(k, &hmac, entropy, &digest_column, 3, num);
        for (int i = 0; i < num; i++) {
            memcpy(msg + 1, entropy + 32 * i, 32), memcpy(msg + 33, digests + 32 * (i + 3), 32);
            for (int counter = 0; counter < 2; counter++) {
                msg[0] = (uint8_t)counter;
                kf_hmac(&hmac, wide + 32 * counter, msg, sizeof msg);
            }
            kf_scalar_from_wide(&expected, wide);
            CHECK(memcmp(&k[i], &expected, sizeof expected) == 0, "hedged nonce %d of %d", i, num);
        }
        CHECK(k[num].v[0] == 0x5a5a5a5a5a5a5a5a, "a nonce beyond %d", num);
    }
}

/* ---- faults --------------------------------------------------------------------------------------------------- */

static void check_fault(const kf_p256_impl *impl, const kf_p256_slot *slot, const uint8_t public_key[64],
                        enum kf_p256_fault fault, int num, int victim, int der) {
    kf_p256_signing signing = {.impl = impl, .key = slot, .digests = &digest_column, .out = signatures,
                               .lens = der ? lens : NULL, .status = status};
    const size_t width = der ? KF_P256_DER_MAX : KF_P256_RAW_LEN;
    const int again = fault == KF_FAULT_ZERO; /* not a fault: an item that must be signed with another nonce */
    memset(signatures, 0x5a, sizeof signatures);
    kf_p256_fault = fault, kf_p256_fault_item = victim;
    CHECK(kf_p256_sign_range(&signing, 0, num) == KF_OK, "%s: sign", impl->name);
    if (fault == KF_FAULT_DIGEST) digests[32 * victim] ^= 1; /* as it was */
    CHECK(kf_p256_fault == KF_FAULT_NONE, "%s: fault %d was not met", impl->name, fault);
    CHECK(signing.num_bad == !again, "%s: fault %d in %d of %d: %d refused", impl->name, fault, victim, num,
          (int)signing.num_bad);
    for (int i = 0; i < num; i++) {
        const uint8_t *at = signatures + width * (size_t)i;
        kf_p256_scalar r, s;
        if (i == victim && !again) {
            size_t zeros = 0;
            for (size_t k = 0; k < width; k++) zeros += at[k] == 0;
            CHECK(zeros == width && status[i] == KF_REC_FAULT && (!der || lens[i] == 0),
                  "%s: fault %d in %d of %d was released", impl->name, fault, victim, num);
            continue;
        }
        if (num > 100 && i % 29) continue;
        const int read = der ? kf_p256_der_read(&r, &s, at, (size_t)lens[i]) : kf_p256_raw_read(&r, &s, at, 64);
        CHECK(status[i] == KF_REC_OK && read && is_valid(impl, &r, &s, digests + 32 * i, public_key),
              "%s: item %d beside fault %d in %d of %d", impl->name, i, fault, victim, num);
    }
}

void test_p256_faults(const kft_env *env) {
    static const int sizes[] = {1, 9, 10, 31, 32, 40, 300, 1024};
    kft_random random = {12};
    const kf_p256_impl *impl;
    (void)env;
    kft_fill(&random, digests, sizeof digests);
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) {
        kf_p256_slot slot;
        uint8_t public_key[64];
        kft_p256_slot(&slot, public_key, impl, 5);
        for (enum kf_p256_fault fault = KF_FAULT_POINT; fault <= KF_FAULT_ZERO; fault++)
            for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
                check_fault(impl, &slot, public_key, fault, sizes[s], (int)kft_below(&random, (size_t)sizes[s]),
                            (int)s % 2);
        /* a private key that changed in memory, in either copy */
        for (int copy = 0; copy < 2; copy++) {
            kf_p256_slot changed = slot;
            (copy ? &changed.d_mont : &changed.d)->v[1] ^= 4;
            for (int num = 1; num < 50; num += 16) {
                kf_p256_signing signing = {.impl = impl, .key = &changed, .digests = &digest_column, .out = signatures,
                                           .status = status};
                kf_p256_sign_range(&signing, 0, num);
                CHECK(signing.num_bad == num, "%s: %d of %d signatures refused under a changed key", impl->name,
                      (int)signing.num_bad, num);
            }
        }
        CHECK(!raw_is_valid(impl, 0, public_key), "zeros are a signature");
    }
}
