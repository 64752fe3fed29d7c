/* See kft_p256.h. */
#include "kft_p256.h"

#include <stdlib.h>

#include "kf_p256_words.h"

const uint64_t KFT_P[4] = {0xffffffffffffffff, 0x00000000ffffffff, 0, 0xffffffff00000001};
const uint64_t KFT_N[4] = {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000};
const kft_point KFT_G = {{0xf4a13945d898c296, 0x77037d812deb33a0, 0xf8bce6e563a440f2, 0x6b17d1f2e12c4247},
                         {0xcbb6406837bf51f5, 0x2bce33576b315ece, 0x8ee7eb4a7c0f9e16, 0x4fe342e2fe1a7f9b},
                         0};

typedef unsigned __int128 u128;

/* ---- numbers ----------------------------------------------------------------------------------------- */

static uint64_t add(uint64_t r[4], const uint64_t a[4], const uint64_t b[4]) {
    uint64_t carry = 0;
    for (int i = 0; i < 4; i++) {
        const u128 s = (u128)a[i] + b[i] + carry;
        r[i] = (uint64_t)s, carry = (uint64_t)(s >> 64);
    }
    return carry;
}

static uint64_t subtract(uint64_t r[4], const uint64_t a[4], const uint64_t b[4]) {
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        const u128 d = (u128)a[i] - b[i] - borrow;
        r[i] = (uint64_t)d, borrow = (uint64_t)(d >> 64) & 1;
    }
    return borrow;
}

static void multiply(uint64_t r[8], const uint64_t a[4], const uint64_t b[4]) {
    memset(r, 0, 8 * sizeof r[0]);
    for (int i = 0; i < 4; i++) {
        uint64_t carry = 0;
        for (int k = 0; k < 4; k++) {
            const u128 s = (u128)a[i] * b[k] + r[i + k] + carry;
            r[i + k] = (uint64_t)s, carry = (uint64_t)(s >> 64);
        }
        r[i + 4] = carry;
    }
}

int kft_less(const uint64_t a[4], const uint64_t b[4]) {
    for (int i = 3; i >= 0; i--)
        if (a[i] != b[i]) return a[i] < b[i];
    return 0;
}

static int is_zero(const uint64_t a[4]) { return !(a[0] | a[1] | a[2] | a[3]); }

void kft_mod_add(uint64_t r[4], const uint64_t a[4], const uint64_t b[4], const uint64_t m[4]) {
    if (add(r, a, b) || !kft_less(r, m)) subtract(r, r, m);
}

void kft_mod_sub(uint64_t r[4], const uint64_t a[4], const uint64_t b[4], const uint64_t m[4]) {
    if (subtract(r, a, b)) add(r, r, m);
}

/* The product, then high 2^256 + low = high (2^256 - m) + low (mod m) until nothing is high; m is not far below 2^256. */
void kft_mod_mul(uint64_t r[4], const uint64_t a[4], const uint64_t b[4], const uint64_t m[4]) {
    const uint64_t zero[4] = {0};
    uint64_t t[8], high[4], rest[4];
    multiply(t, a, b);
    subtract(rest, zero, m);
    while (!is_zero(t + 4)) {
        uint64_t low[4], folded[8];
        memcpy(low, t, sizeof low), memcpy(high, t + 4, sizeof high);
        multiply(folded, high, rest);
        uint64_t carry = add(folded, folded, low);
        for (int i = 4; i < 8 && carry; i++) carry = (folded[i] += 1) == 0;
        memcpy(t, folded, sizeof t);
    }
    if (!kft_less(t, m)) subtract(t, t, m);
    memcpy(r, t, sizeof high);
}

static void halve(uint64_t a[4], const uint64_t m[4]) {
    const uint64_t carry = a[0] & 1 ? add(a, a, m) : 0;
    for (int i = 0; i < 4; i++) a[i] = a[i] >> 1 | (i < 3 ? a[i + 1] : carry) << 63;
}

/* The binary extended algorithm (Handbook of Applied Cryptography, 14.61), for odd m. */
void kft_mod_inverse(uint64_t r[4], const uint64_t a[4], const uint64_t m[4]) {
    uint64_t u[4], v[4], x[4] = {1}, y[4] = {0};
    const uint64_t zero[4] = {0};
    memcpy(u, a, sizeof u), memcpy(v, m, sizeof v);
    while (!is_zero(u)) {
        while (!(u[0] & 1)) {
            for (int i = 0; i < 4; i++) u[i] = u[i] >> 1 | (i < 3 ? u[i + 1] << 63 : 0);
            halve(x, m);
        }
        while (!(v[0] & 1)) {
            for (int i = 0; i < 4; i++) v[i] = v[i] >> 1 | (i < 3 ? v[i + 1] << 63 : 0);
            halve(y, m);
        }
        if (kft_less(u, v)) {
            subtract(v, v, u);
            kft_mod_sub(y, y, x, m);
        } else {
            subtract(u, u, v);
            kft_mod_sub(x, x, y, m);
        }
    }
    memcpy(r, is_zero(a) ? zero : y, sizeof y);
}

void kft_to_mont(uint64_t r[4], const uint64_t a[4], const uint64_t m[4]) {
    uint64_t t[4];
    memcpy(t, a, sizeof t);
    for (int i = 0; i < 256; i++) kft_mod_add(t, t, t, m);
    memcpy(r, t, sizeof t);
}

void kft_from_mont(uint64_t r[4], const uint64_t a[4], const uint64_t m[4]) {
    uint64_t t[4];
    memcpy(t, a, sizeof t);
    for (int i = 0; i < 256; i++) halve(t, m);
    memcpy(r, t, sizeof t);
}

void kft_number(kft_random *random, uint64_t r[4], const uint64_t m[4]) {
    static const uint64_t words[] = {0, UINT64_MAX, 1, UINT64_MAX - 1, 0xffffffff, 0xffffffff00000000, UINT64_C(1) << 63};
    for (int i = 0; i < 4; i++) r[i] = kft_next(random);
    switch (kft_below(random, 8)) {
    case 0:
        for (int i = 0; i < 4; i++) r[i] = words[kft_below(random, sizeof words / sizeof words[0])];
        break;
    case 1: {
        const uint64_t few[4] = {kft_below(random, 4)};
        memcpy(r, few, sizeof few);
        if (kft_below(random, 2)) subtract(r, m, r);
        break;
    }
    }
    while (!kft_less(r, m)) subtract(r, r, m);
}

/* ---- points -------------------------------------------------------------------------------------------- */

void kft_point_add(kft_point *r, const kft_point *p, const kft_point *q) {
    uint64_t slope[4], t[4], x[4], y[4];
    if (p->infinity || q->infinity) {
        *r = p->infinity ? *q : *p;
        return;
    }
    if (memcmp(p->x, q->x, sizeof p->x) == 0) {
        const uint64_t three[4] = {3}, two[4] = {2}, one[4] = {1};
        if (memcmp(p->y, q->y, sizeof p->y) != 0) {
            *r = (kft_point){.infinity = 1};
            return;
        }
        kft_mod_mul(t, p->x, p->x, KFT_P), kft_mod_sub(t, t, one, KFT_P), kft_mod_mul(slope, t, three, KFT_P);
        kft_mod_mul(t, p->y, two, KFT_P);
    } else {
        kft_mod_sub(slope, q->y, p->y, KFT_P), kft_mod_sub(t, q->x, p->x, KFT_P);
    }
    kft_mod_inverse(t, t, KFT_P), kft_mod_mul(slope, slope, t, KFT_P);
    kft_mod_mul(x, slope, slope, KFT_P), kft_mod_sub(x, x, p->x, KFT_P), kft_mod_sub(x, x, q->x, KFT_P);
    kft_mod_sub(y, p->x, x, KFT_P), kft_mod_mul(y, y, slope, KFT_P), kft_mod_sub(y, y, p->y, KFT_P);
    memcpy(r->x, x, sizeof x), memcpy(r->y, y, sizeof y);
    r->infinity = 0;
}

void kft_point_mul(kft_point *r, const uint64_t k[4], const kft_point *p) {
    kft_point sum = {.infinity = 1};
    for (int i = 255; i >= 0; i--) {
        kft_point_add(&sum, &sum, &sum);
        if (k[i / 64] >> (i % 64) & 1) kft_point_add(&sum, &sum, p);
    }
    *r = sum;
}

kf_p256_point kft_point_to(const kft_point *p) {
    kf_p256_point r;
    kft_to_mont(r.x.v, p->x, KFT_P), kft_to_mont(r.y.v, p->y, KFT_P);
    return r;
}

kft_point kft_point_from(const kf_p256_point *p) {
    kft_point r = {.infinity = 0};
    kft_from_mont(r.x, p->x.v, KFT_P), kft_from_mont(r.y, p->y.v, KFT_P);
    return r;
}

int kft_same_point(const kft_point *p, const kft_point *q) {
    return p->infinity == q->infinity
           && (p->infinity || (memcmp(p->x, q->x, sizeof p->x) == 0 && memcmp(p->y, q->y, sizeof p->y) == 0));
}

/* ---- implementations and keys ------------------------------------------------------------------------------ */

const kf_p256_impl *kft_p256_impl(int i) {
    const char *name = kf_p256_impl_available(i);
    if (!name) {
        CHECK(kf_p256_impl_force(kf_p256_impl_available(0)) == KF_OK, "the best implementation again");
        return NULL;
    }
    CHECK(kf_p256_impl_force(name) == KF_OK && kf_p256() && strcmp(kf_p256()->name, name) == 0, "force %s", name);
    return kf_p256();
}

void *kft_p256_scratch(const kf_p256_impl *impl) {
    size_t len = impl->scratch_len(impl->chunk);
    if (len < impl->many_scratch_len(impl->many_chunk)) len = impl->many_scratch_len(impl->many_chunk);
    if (len < impl->sum_scratch_len(KF_P256_SUM_MAX)) len = impl->sum_scratch_len(KF_P256_SUM_MAX);
    if (len < impl->arith->table_scratch_len) len = impl->arith->table_scratch_len;
    void *scratch = aligned_alloc(64, (len + 63) / 64 * 64);
    if (!scratch) abort();
    return scratch;
}

void kft_p256_slot(kf_p256_slot *slot, uint8_t public_key[64], const kf_p256_impl *impl, uint64_t seed) {
    kft_random random = {seed};
    uint8_t bytes[48];
    kf_p256_point q;
    kft_fill(&random, bytes, sizeof bytes);
    kf_scalar_from_wide(&slot->d, bytes);
    kft_to_mont(slot->d_mont.v, slot->d.v, KFT_N);
    kf_hmac_key_init(&slot->nonce, bytes, 32);
    impl->arith->base_mul(&q, &slot->d);
    const kft_point p = kft_point_from(&q);
    kf_words_to_be(public_key, p.x), kf_words_to_be(public_key + 32, p.y);
    memcpy(slot->public_key, public_key, sizeof slot->public_key);
}
