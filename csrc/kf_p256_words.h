/*
 * Numbers of four words: comparison, selection, byte order, and what is cheap modulo n. Constant time.
 */
#ifndef KF_P256_WORDS_H
#define KF_P256_WORDS_H

#include "kf_p256.h"
#include "kf_util.h"

typedef unsigned __int128 kf_u128;

#define KF_P256_N {{0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}}
#define KF_P256_P {{0xffffffffffffffff, 0x00000000ffffffff, 0x0000000000000000, 0xffffffff00000001}}

/* SP 800-186 3.2.1.3; G and b in Montgomery form. */
static const kf_p256_scalar kf_p256_n = KF_P256_N;
static const kf_p256_scalar kf_p256_n_r2 = {{0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59,
                                             0x66e12d94f3d95620}}; /* R^2 mod n */
static const kf_p256_fe kf_p256_p = KF_P256_P;
static const kf_p256_fe kf_p256_one = {{1, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe}};
static const kf_p256_fe kf_p256_r2 = {{3, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd}};
static const kf_p256_fe kf_p256_b = {{0xd89cdf6229c4bddf, 0xacf005cd78843090, 0xe5a220abf7212ed6,
                                      0xdc30061d04874834}};
static const kf_p256_point kf_p256_g = {
    {{0x79e730d418a9143c, 0x75ba95fc5fedb601, 0x79fb732b77622510, 0x18905f76a53755c6}},
    {{0xddf25357ce95560a, 0x8b4ab8e4ba19e45c, 0xd2e88688dd21f325, 0x8571ff1825885d85}}};
/* 1 and not R: a product with it leaves the Montgomery form. */
static const kf_p256_fe kf_p256_raw_one = {{1, 0, 0, 0}};
static const kf_p256_scalar kf_p256_n_raw_one = {{1, 0, 0, 0}};

/* ---- bits and masks ---------------------------------------------------------------------------- */

/* All ones for 1, 0 for 0. */
static inline uint64_t kf_mask(uint64_t bit) { return kf_barrier64(0 - bit); }

static inline uint64_t kf_words_zero(const uint64_t a[4]) {
    const uint64_t any = kf_barrier64(a[0] | a[1] | a[2] | a[3]);
    return 1 ^ ((any | (0 - any)) >> 63);
}

static inline uint64_t kf_words_equal(const uint64_t a[4], const uint64_t b[4]) {
    const uint64_t diff = kf_barrier64((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]));
    return 1 ^ ((diff | (0 - diff)) >> 63);
}

/* r = a - b; returns the borrow, which is 1 when a < b. */
static inline uint64_t kf_words_sub(uint64_t r[4], const uint64_t a[4], const uint64_t b[4]) {
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        const kf_u128 d = (kf_u128)a[i] - b[i] - borrow;
        r[i] = (uint64_t)d, borrow = (uint64_t)(d >> 64) & 1;
    }
    return borrow;
}

/* r = a + b; returns the carry. */
static inline uint64_t kf_words_add(uint64_t r[4], const uint64_t a[4], const uint64_t b[4]) {
    uint64_t carry = 0;
    for (int i = 0; i < 4; i++) {
        const kf_u128 s = (kf_u128)a[i] + b[i] + carry;
        r[i] = (uint64_t)s, carry = (uint64_t)(s >> 64);
    }
    return carry;
}

static inline uint64_t kf_words_less(const uint64_t a[4], const uint64_t b[4]) {
    uint64_t difference[4];
    return kf_words_sub(difference, a, b);
}

/* r = mask ? b : a; mask is all ones or 0. */
static inline void kf_words_select(uint64_t r[4], const uint64_t a[4], const uint64_t b[4], uint64_t mask) {
    for (int i = 0; i < 4; i++) r[i] = (a[i] & ~mask) | (b[i] & mask);
}

static inline void kf_words_from_be(uint64_t r[4], const uint8_t bytes[32]) {
    for (int i = 0; i < 4; i++) r[i] = kf_load64_be(bytes + 8 * (3 - i));
}

static inline void kf_words_to_be(uint8_t bytes[32], const uint64_t a[4]) {
    for (int i = 0; i < 4; i++) kf_store64_be(bytes + 8 * (3 - i), a[i]);
}

/* ---- modulo n ------------------------------------------------------------------------------------ */

/* r = a mod n for a below 2^256 (which is below 2 n). */
static inline void kf_scalar_reduce(kf_p256_scalar *r, const uint64_t a[4]) {
    uint64_t less[4];
    const uint64_t keep = kf_mask(kf_words_sub(less, a, kf_p256_n.v));
    kf_words_select(r->v, less, a, keep);
}

static inline void kf_scalar_add(kf_p256_scalar *r, const kf_p256_scalar *a, const kf_p256_scalar *b) {
    uint64_t sum[4], less[4];
    const uint64_t carry = kf_words_add(sum, a->v, b->v);
    const uint64_t borrow = kf_words_sub(less, sum, kf_p256_n.v);
    kf_words_select(r->v, less, sum, kf_mask(borrow & (carry ^ 1)));
}

/* n - a, which for 0 is n. */
static inline void kf_scalar_minus(kf_p256_scalar *r, const kf_p256_scalar *a) {
    kf_words_sub(r->v, kf_p256_n.v, a->v);
}

static inline void kf_scalar_sub(kf_p256_scalar *r, const kf_p256_scalar *a, const kf_p256_scalar *b) {
    uint64_t diff[4], more[4];
    const uint64_t borrow = kf_words_sub(diff, a->v, b->v);
    kf_words_add(more, diff, kf_p256_n.v);
    kf_words_select(r->v, diff, more, kf_mask(borrow));
}

/* k or n - k, whichever is odd; *even_mask: all ones when it is n - k. */
static inline void kf_scalar_odd(kf_p256_scalar *r, uint64_t *even_mask, const kf_p256_scalar *k) {
    kf_p256_scalar minus;
    *even_mask = kf_mask(1 ^ (k->v[0] & 1));
    kf_scalar_minus(&minus, k);
    kf_words_select(r->v, k->v, minus.v, *even_mask);
}

/* 1 + c mod (n - 1) for the 48 bytes c, big-endian: from 1 to n - 1, with a bias of 2^-128 (FIPS 186-5 A.3.1).
 * Barrett: with mu = floor(2^384 / (n - 1)) = 2^128 + mu', q = c1 + floor(c1 mu' / 2^128) for c = c1 2^256 + c0 is at
 * most 3 below the quotient. */
static inline void kf_scalar_from_wide(kf_p256_scalar *r, const uint8_t bytes[48]) {
    static const uint64_t mu[2] = {0xfffffffeffffffff, 0x00000000ffffffff};
    static const uint64_t n1[4] = {0xf3b9cac2fc632550, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000};
    const uint64_t hi = kf_load64_be(bytes), lo = kf_load64_be(bytes + 8);
    uint64_t c[5], q[3], rest[5];
    kf_words_from_be(c, bytes + 16);
    c[4] = lo; /* the words above cancel: the rest is below 4 n */
    const kf_u128 low = (kf_u128)lo * mu[0], mid1 = (kf_u128)lo * mu[1], mid2 = (kf_u128)hi * mu[0];
    const kf_u128 mid = (kf_u128)(uint64_t)mid1 + (uint64_t)mid2 + (uint64_t)(low >> 64);
    const kf_u128 high = (kf_u128)hi * mu[1] + (uint64_t)(mid1 >> 64) + (uint64_t)(mid2 >> 64) + (uint64_t)(mid >> 64);
    kf_u128 sum = (kf_u128)lo + (uint64_t)high;
    q[0] = (uint64_t)sum;
    sum = (kf_u128)hi + (uint64_t)(high >> 64) + (uint64_t)(sum >> 64);
    q[1] = (uint64_t)sum, q[2] = (uint64_t)(sum >> 64);
    /* rest = c - q (n - 1) modulo 2^320 */
    uint64_t product[5] = {0};
    for (int i = 0; i < 3; i++) {
        uint64_t carry = 0;
        for (int k = 0; i + k < 5; k++) {
            const kf_u128 t = (kf_u128)q[i] * (k < 4 ? n1[k] : 0) + product[i + k] + carry;
            product[i + k] = (uint64_t)t, carry = (uint64_t)(t >> 64);
        }
    }
    rest[4] = c[4] - product[4] - kf_words_sub(rest, c, product);
    for (int i = 0; i < 3; i++) {
        uint64_t less[4];
        const uint64_t borrow = kf_words_sub(less, rest, n1);
        const uint64_t keep = kf_mask(borrow & (1 ^ ((rest[4] | (0 - rest[4])) >> 63))); /* rest < n - 1 */
        rest[4] -= borrow & ~keep & 1;
        kf_words_select(rest, less, rest, keep);
    }
    const uint64_t one[4] = {1, 0, 0, 0};
    kf_words_add(r->v, rest, one);
    kf_wipe(rest, sizeof rest), kf_wipe(c, sizeof c), kf_wipe(product, sizeof product), kf_wipe(q, sizeof q);
}

/* ---- digits -------------------------------------------------------------------------------------- */

/* An odd k as the sum of (2 digit[i] - 255) 256^i, every term odd and none 0: the digits are the bytes of
 * k >> 1 with the top bit set. */
static inline void kf_scalar_digits(uint64_t digits[4], const kf_p256_scalar *odd) {
    for (int i = 0; i < 4; i++) digits[i] = odd->v[i] >> 1 | (i < 3 ? odd->v[i + 1] << 63 : UINT64_C(1) << 63);
}

/* Of one digit: the place of its absolute value in a table of odd multiples, and a mask that says negative. */
static inline uint64_t kf_digit_place(uint64_t *negative, uint64_t digit) {
    *negative = kf_mask(1 ^ (digit >> 7));
    return (digit ^ *negative) & 0x7f;
}

/* p - y when the mask is all ones; y is not 0, and p - y = ~y + (p + 1). */
static inline void kf_fe_negate_if(kf_p256_fe *y, uint64_t mask) {
    static const uint64_t p1[4] = {0, UINT64_C(1) << 32, 0, 0xffffffff00000001};
    uint64_t carry = 0;
    for (int i = 0; i < 4; i++) {
        const kf_u128 s = (kf_u128)(y->v[i] ^ mask) + (p1[i] & mask) + carry;
        y->v[i] = (uint64_t)s, carry = (uint64_t)(s >> 64);
    }
}

#endif
