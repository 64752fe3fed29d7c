/* Multiplication modulo p and n with 128-bit products of the compiler; addition and subtraction modulo p. */
#ifndef KF_P256_FIELD_PORTABLE_H
#define KF_P256_FIELD_PORTABLE_H

#include "kf_p256_words.h"

static inline void words_mul(uint64_t t[8], const uint64_t a[4], const uint64_t b[4]) {
    memset(t, 0, 8 * sizeof t[0]);
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 4; j++) {
            const kf_u128 s = (kf_u128)a[j] * b[i] + t[i + j] + carry;
            t[i + j] = (uint64_t)s, carry = (uint64_t)(s >> 64);
        }
        t[i + 4] = carry;
    }
}

/* r = t / R mod m for t below m R, where inverse = -1 / m mod 2^64. */
static inline void montgomery_reduce(uint64_t r[4], uint64_t t[8], const uint64_t m[4], uint64_t inverse) {
    uint64_t top = 0, less[4];
    for (int i = 0; i < 4; i++) {
        const uint64_t q = t[i] * inverse;
        uint64_t carry = 0;
        for (int j = 0; j < 4; j++) {
            const kf_u128 s = (kf_u128)q * m[j] + t[i + j] + carry;
            t[i + j] = (uint64_t)s, carry = (uint64_t)(s >> 64);
        }
        const kf_u128 s = (kf_u128)t[i + 4] + carry + top;
        t[i + 4] = (uint64_t)s, top = (uint64_t)(s >> 64);
    }
    const uint64_t borrow = kf_words_sub(less, t + 4, m);
    kf_words_select(r, less, t + 4, kf_mask(borrow & (top ^ 1)));
}

/* The same for p, which is -1 modulo 2^64: q = t[i], and t[i] + q p = q (2^96 + 2^192 (2^64 - 2^32 + 1)). */
static inline void reduce_p(uint64_t r[4], uint64_t t[8]) {
    uint64_t less[4], top = 0;
    for (int i = 0; i < 4; i++) {
        const uint64_t q = t[i];
        kf_u128 s = (kf_u128)t[i + 1] + (q << 32);
        t[i + 1] = (uint64_t)s;
        s = (kf_u128)t[i + 2] + (q >> 32) + (uint64_t)(s >> 64);
        t[i + 2] = (uint64_t)s;
        s = (kf_u128)q * kf_p256_p.v[3] + t[i + 3] + (uint64_t)(s >> 64);
        t[i + 3] = (uint64_t)s;
        s = (kf_u128)t[i + 4] + (uint64_t)(s >> 64) + top;
        t[i + 4] = (uint64_t)s, top = (uint64_t)(s >> 64);
    }
    const uint64_t borrow = kf_words_sub(less, t + 4, kf_p256_p.v);
    kf_words_select(r, less, t + 4, kf_mask(borrow & (top ^ 1)));
}

/* Not inlined: the call is a small part of it, and code of a hundred copies is no faster. */
static __attribute__((noinline)) void fe_mul(kf_p256_fe *r, const kf_p256_fe *a, const kf_p256_fe *b) {
    uint64_t t[8];
    words_mul(t, a->v, b->v);
    reduce_p(r->v, t);
}

static inline void fe_sqr(kf_p256_fe *r, const kf_p256_fe *a) { fe_mul(r, a, a); }

static __attribute__((noinline)) void scalar_mul(kf_p256_scalar *r, const kf_p256_scalar *a, const kf_p256_scalar *b) {
    uint64_t t[8];
    words_mul(t, a->v, b->v);
    montgomery_reduce(r->v, t, kf_p256_n.v, 0xccd1c8aaee00bc4f);
}

static inline void fe_add(kf_p256_fe *r, const kf_p256_fe *a, const kf_p256_fe *b) {
    uint64_t sum[4], less[4];
    const uint64_t carry = kf_words_add(sum, a->v, b->v);
    const uint64_t borrow = kf_words_sub(less, sum, kf_p256_p.v);
    kf_words_select(r->v, less, sum, kf_mask(borrow & (carry ^ 1)));
}

static inline void fe_sub(kf_p256_fe *r, const kf_p256_fe *a, const kf_p256_fe *b) {
    uint64_t diff[4], more[4];
    const uint64_t borrow = kf_words_sub(diff, a->v, b->v);
    kf_words_add(more, diff, kf_p256_p.v);
    kf_words_select(r->v, diff, more, kf_mask(borrow));
}

#endif
