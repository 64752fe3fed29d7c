/*
 * The check before release: no signature leaves that a fault made (docs/adr/0009-ecdsa-nonces-and-release.md).
 */
#ifndef KF_P256_CHECK_H
#define KF_P256_CHECK_H

#include "kf_arena.h"
#include "kf_column.h"
#include "kf_p256_batch.h"

/* What has been signed, and what is to be released. */
typedef struct {
    const kf_p256_impl *impl;
    const kf_p256_slot *key;
    const struct kf_column *digests;
    int64_t first;                 /* index of the first one's digest */
    int num;
    const kf_p256_scalar *k;
    const kf_p256_point *points;   /* k[i] G, with the sign of y that belongs to k[i] */
    const uint8_t *raw;            /* 64 bytes each */
    const uint64_t *coefficients;  /* num fresh random numbers */
    const kf_p256_jacobian *again; /* blinded multiples made with the points (kf_p256_blinded), or NULL: to be made */
    const kf_p256_scalar *blinded; /* and the scalars that they are the multiples by */
    void *scratch;
} kf_p256_release;

/* good[i]: 1 when signature i may be released, else 0. */
void kf_p256_check(uint8_t *good, const kf_p256_release *release);

/* Whether point is k G, by another way to it: (k + b) G - b G for a random b of this process. */
int kf_p256_check_multiple(const kf_p256_impl *impl, const kf_p256_point *point, const kf_p256_scalar *k);

/* k + b */
void kf_p256_blinded(kf_p256_scalar *r, const kf_p256_scalar *k);

/* Draws b. Called once base_mul works. */
int kf_p256_blind_init(const kf_p256_impl *impl);

#endif
