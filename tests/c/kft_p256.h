/*
 * P-256 in a slow textbook form, independent of csrc, and keys to sign with. Numbers are four words, least significant
 * first, plain; points affine, infinity as a flag.
 */
#ifndef KFT_P256_H
#define KFT_P256_H

#include "kf_p256_batch.h"
#include "kf_p256_ecdsa.h"
#include "kft.h"

typedef struct {
    uint64_t x[4], y[4];
    int infinity;
} kft_point;

extern const uint64_t KFT_P[4], KFT_N[4];
extern const kft_point KFT_G;

/* r = a b mod m, a + b mod m, a - b mod m, 1 / a mod m, for a and b below m. */
void kft_mod_mul(uint64_t r[4], const uint64_t a[4], const uint64_t b[4], const uint64_t m[4]);
void kft_mod_add(uint64_t r[4], const uint64_t a[4], const uint64_t b[4], const uint64_t m[4]);
void kft_mod_sub(uint64_t r[4], const uint64_t a[4], const uint64_t b[4], const uint64_t m[4]);
void kft_mod_inverse(uint64_t r[4], const uint64_t a[4], const uint64_t m[4]);
int kft_less(const uint64_t a[4], const uint64_t b[4]);

void kft_point_add(kft_point *r, const kft_point *p, const kft_point *q);
void kft_point_mul(kft_point *r, const uint64_t k[4], const kft_point *p);

/* Between the textbook's numbers and csrc's Montgomery form: a R and a / R modulo m. */
void kft_to_mont(uint64_t r[4], const uint64_t a[4], const uint64_t m[4]);
void kft_from_mont(uint64_t r[4], const uint64_t a[4], const uint64_t m[4]);
kf_p256_point kft_point_to(const kft_point *p);
kft_point kft_point_from(const kf_p256_point *p);
int kft_same_point(const kft_point *p, const kft_point *q);

/* A number below m: random, or in one case of four one with many equal bits, or near 0 or m. */
void kft_number(kft_random *random, uint64_t r[4], const uint64_t m[4]);

/* Every implementation that this CPU has, in turn, put in use; NULL past the last, with the best in use again. */
const kf_p256_impl *kft_p256_impl(int i);
/* Memory that is enough for any call of an implementation. */
void *kft_p256_scratch(const kf_p256_impl *impl);

/* A key for tests of ranges: its slot as loading makes it. */
void kft_p256_slot(kf_p256_slot *slot, uint8_t public_key[64], const kf_p256_impl *impl, uint64_t seed);

#endif
