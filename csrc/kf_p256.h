/*
 * P-256 (SP 800-186 3.2.1.3): numbers, points, and what an implementation offers for one of them at a time.
 * Rules:
 * - field elements are kept times R = 2^256 mod p (Montgomery form), scalars plain unless a name ends in _mont;
 *   both are four words, least significant first, and always fully reduced;
 * - an affine point is never the point at infinity, a Jacobian point is when z = 0;
 * - functions ending in _var take a time that depends on their arguments and are for public ones only; all
 *   others take constant time.
 */
#ifndef KF_P256_H
#define KF_P256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t v[4];
} __attribute__((aligned(32))) kf_p256_fe;

typedef struct {
    uint64_t v[4];
} __attribute__((aligned(32))) kf_p256_scalar;

typedef struct {
    kf_p256_fe x, y;
} kf_p256_point;

/* x / z^2, y / z^3 */
typedef struct {
    kf_p256_fe x, y, z;
} kf_p256_jacobian;

/* One number or one point at a time. */
typedef struct {
    /* a b / R mod p */
    void (*fe_mul)(kf_p256_fe *r, const kf_p256_fe *a, const kf_p256_fe *b);
    /* a b / R mod n */
    void (*scalar_mul)(kf_p256_scalar *r, const kf_p256_scalar *a, const kf_p256_scalar *b);
    /* R / a mod n: the inverse in Montgomery form, so that its scalar_mul with b is b / a. 0 to 0. */
    void (*scalar_inverse)(kf_p256_scalar *r_mont, const kf_p256_scalar *a);
    /* The same for num values at the cost of one inversion; none may be 0. scratch: num scalars. */
    void (*scalar_inverse_many)(kf_p256_scalar *r_mont, const kf_p256_scalar *a, int num, kf_p256_scalar *scratch);
    /* k G for k from 1 to n - 1. */
    void (*base_mul)(kf_p256_point *r, const kf_p256_scalar *k);
    /* k[0] G and k[1] G, side by side; both k from 1 to n - 1. */
    void (*base_mul_twice)(kf_p256_point *r, kf_p256_jacobian *other, const kf_p256_scalar k[2]);
    /* k P for k from 1 to n - 1 and a point of the curve. */
    void (*point_mul)(kf_p256_point *r, const kf_p256_scalar *k, const kf_p256_point *p);
    /* Whether y^2 = x^3 - 3x + b. */
    int (*on_curve)(const kf_p256_point *p);
    /* Whether the x coordinate of u1 G + u2 Q is r modulo n (SEC 1 4.1.4, steps 5 to 8), for any u1, u2 below n
     * and 0 < r < n. */
    int (*verify_var)(const kf_p256_scalar *u1, const kf_p256_scalar *u2, const kf_p256_scalar *r,
                      const kf_p256_point *q);
    /* A table of multiples of a public point, kf_p256_base.h, for verify_table_var: bytes, and bytes of scratch. */
    size_t table_len, table_scratch_len;
    void (*fill_table_var)(void *table, const kf_p256_point *q, void *scratch);
    /* verify_var with the table in place of the point. */
    int (*verify_table_var)(const kf_p256_scalar *u1, const kf_p256_scalar *u2, const kf_p256_scalar *r,
                            const void *table);
    /* r = p + q for any points, infinity included. */
    void (*add_var)(kf_p256_jacobian *r, const kf_p256_jacobian *p, const kf_p256_jacobian *q);
    /* Whether a Jacobian point is the affine one. */
    int (*is_point_var)(const kf_p256_jacobian *p, const kf_p256_point *q);
} kf_p256_arith;

#endif
