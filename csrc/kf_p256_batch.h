/*
 * What an implementation of P-256 offers for many items at once. ECDSA (kf_p256_sign.c, kf_p256_verify.c) works
 * through this table alone, so that vector implementations stand beside the scalar ones.
 * Rules:
 * - num is from 1 to chunk, many_chunk or KF_P256_SUM_MAX, and needs no padding by the caller;
 * - scratch is 64-byte aligned memory of the caller; it may hold secrets afterwards, and the caller
 *   wipes it;
 * - arguments do not overlap, and inputs are not padded: read exactly num;
 * - results do not depend on the implementation, and one item's values never change what becomes of another.
 */
#ifndef KF_P256_BATCH_H
#define KF_P256_BATCH_H

#include "kf_p256.h"

enum { KF_P256_SUM_MAX = 1024 };

/* One verification: does the x coordinate of u1 G + u2 Q equal r modulo n? u1 and u2 are below n, 0 < r < n. */
typedef struct {
    kf_p256_scalar u1, u2, r;
} kf_p256_equation;

enum kf_p256_outcome {
    KF_P256_NO = 0,
    KF_P256_YES = 1,
    KF_P256_EXCEPTION = 2 /* a sum met a point twice, its negative or infinity: verify_var decides this item */
};

typedef struct {
    const char *name; /* "portable", "mulx", "fma", "ifma" */
    const kf_p256_arith *arith;
    /* Items of one call at which it is fastest, and the most it takes: of base_mul and verify_key_var, and of
     * verify_many_var. sum_var takes KF_P256_SUM_MAX. */
    int chunk, many_chunk;
    /* Bytes of scratch for num items: base_mul, key_table_var and verify_key_var; verify_many_var; sum_var. */
    size_t (*scratch_len)(int num);
    size_t (*many_scratch_len)(int num);
    size_t (*sum_scratch_len)(int num);
    size_t key_table_len; /* bytes of one public key's table, a multiple of 64 */

    /* Makes the tables of multiples of G. Called once, before any function below except key_table_var. */
    void (*prepare)(void);

    /* r[i] = k[i] G, both coordinates, constant time; k[i] from 1 to n - 1, every one of them, the even and the
     * exceptional ones as well. */
    void (*base_mul)(kf_p256_point *r, const kf_p256_scalar *k, int num, void *scratch);

    /* The table of a public key, and verification under it: outcome[i] is an enum kf_p256_outcome. An exception may
     * be returned only where the item's own values call for it, so that an attacker cannot slow down others. */
    void (*key_table_var)(void *table, const kf_p256_point *q, void *scratch);
    void (*verify_key_var)(uint8_t *outcome, const kf_p256_equation *equations, const void *table, int num,
                           void *scratch);

    /* The same with a public key per item. */
    void (*verify_many_var)(uint8_t *outcome, const kf_p256_equation *equations, const kf_p256_point *keys, int num,
                            void *scratch);

    /* r = the sum of a[i] points[i], where a[i] = 2 c[i] - (2^64 - 1): odd, from -(2^64 - 1) to 2^64 - 1. The sum may
     * be infinity. Returns 1, or 0 when an addition met a point twice or its negative, as happens only when points
     * repeat or c was chosen for it: r is of no use then. */
    int (*sum_var)(kf_p256_jacobian *r, const kf_p256_point *points, const uint64_t *c, int num, void *scratch);
} kf_p256_impl;

/* NULL where this CPU cannot run it. */
const kf_p256_impl *kf_p256_impl_portable(void);
const kf_p256_impl *kf_p256_impl_mulx(void);
const kf_p256_impl *kf_p256_impl_fma(void);
const kf_p256_impl *kf_p256_impl_ifma(void);

/* The implementation in use (kf_p256_dispatch.c); NULL before kf_p256_init, which kf_init calls. */
const kf_p256_impl *kf_p256(void);
int kf_p256_init(void);
/* kf_init, and the tables of multiples of G made and tested: before any use of base_mul or verification. */
int kf_p256_ready(void);
#ifdef KF_TESTING
void kf_p256_forget_ready(void); /* test builds only: as if nothing had been made and tested */
#endif

#endif
