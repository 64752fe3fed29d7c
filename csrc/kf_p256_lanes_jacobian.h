/*
 * Points of P-256 by KF_LANES at a time in Jacobian coordinates (x / z^2, y / z^3), part of the template
 * kf_p256_lanes.h: for long ways of doublings, which need no inversion here, so that they do not depend on how many
 * items there are.
 * Formulas: Explicit-Formulas Database, short Weierstrass, a = -3, Jacobian (doubling in the manner of dbl-2001-b,
 * addition of an affine point that of IEEE 1363 A.10.5 with z = 1).
 *
 * An addition of a point to itself or to its negative makes z zero, and z stays zero from there on: who looks at z at
 * the end knows. In units of p, where kf_p256_lanes.h says how products are bounded: x and y are below 1.01, z below
 * 1.25, and each line below says what it leaves.
 */
#ifndef KF_P256_LANES_JACOBIAN_H
#define KF_P256_LANES_JACOBIAN_H

#include "kf_p256_lanes_points.h"

typedef struct {
    kf_number x, y;
    kf_factor z;
} kf_jacobians;

/* ---- products as numbers ------------------------------------------------------------------------------ */

/* Products that are not folded: below 1.7, and only for kf_lanes_sub, or to be taken from other products. */
KF_LANE_FN void kf_lanes_mul_number(kf_number *r, const kf_factor *a, const kf_factor *b) {
    kf_lanes_product(r->limb, a, b, NULL);
    kf_lanes_carry(r->limb);
}

/* r = a + b */
KF_LANE_FN void kf_lanes_add_numbers(kf_factor *r, const kf_number *a, const kf_number *b) {
    kf_lane limb[5];
    KF_UNROLL(int i = 0; i < 5; i++) limb[i] = kf_lane_add(a->limb[i], b->limb[i]);
    kf_lanes_carry_to_factor(r, limb);
}

/* r = a b - 2 c, or a a - b - 2 c, folded; what is taken off is below 4. */
KF_LANE_FN void kf_lanes_mul_sub_twice(kf_number *r, const kf_factor *a, const kf_factor *b, const kf_number *c) {
    kf_lane upper[5], limb[5];
    KF_UNROLL(int i = 0; i < 5; i++)
        upper[i] = kf_lane_sub(KF_CONSTANT(bias_plus_4p[i]), kf_lane_add(c->limb[i], c->limb[i]));
    kf_lanes_product(limb, a, b, upper);
    kf_lanes_fold(r, limb);
}
KF_LANE_FN void kf_lanes_sqr_sub_twice(kf_number *r, const kf_factor *a, const kf_number *b, const kf_number *c) {
    kf_lane upper[5], limb[5];
    KF_UNROLL(int i = 0; i < 5; i++)
        upper[i] = kf_lane_sub(kf_lane_sub(KF_CONSTANT(bias_plus_4p[i]), b->limb[i]),
                               kf_lane_add(c->limb[i], c->limb[i]));
    kf_lanes_square(limb, a, upper);
    kf_lanes_fold(r, limb);
}

/* ---- points -------------------------------------------------------------------------------------------- */

KF_LANE_FN void kf_lanes_jacobian_double(kf_jacobians *p) {
    kf_lane raw[5], twice[5], limb[5];
    kf_number delta, s, y4;
    kf_factor sum, alpha, x, gamma2, gamma4, run;
    kf_lanes_square(delta.limb, &p->z, NULL);
    kf_lanes_carry(delta.limb);            /* z^2: 1.1 */
    kf_lanes_add_numbers(&sum, &p->x, &delta);
    kf_lanes_sub(&run, &p->x, &delta);
    kf_lanes_product(raw, &sum, &run, NULL);
    KF_UNROLL(int i = 0; i < 5; i++) limb[i] = kf_lane_add(raw[i], kf_lane_add(raw[i], raw[i]));
    kf_lanes_carry_to_factor(&alpha, limb); /* 3 (x + z^2) (x - z^2): 4.3 */

    kf_lanes_add_numbers(&run, &p->y, &p->y);
    kf_lanes_mul(&p->z, &run, &p->z);      /* 2 y z */
    kf_lanes_factor(&run, &p->y);
    kf_lanes_square(raw, &run, NULL);
    KF_UNROLL(int i = 0; i < 5; i++) twice[i] = kf_lane_add(raw[i], raw[i]), limb[i] = kf_lane_add(twice[i], twice[i]);
    kf_lanes_carry_to_factor(&gamma2, twice); /* 2 y^2: 2.2 */
    kf_lanes_carry_to_factor(&gamma4, limb);  /* 4 y^2: 4.3 */
    kf_lanes_square(y4.limb, &gamma2, NULL);
    kf_lanes_carry(y4.limb);               /* 4 y^4: 1.31 */
    kf_lanes_factor(&x, &p->x);
    kf_lanes_mul_number(&s, &x, &gamma4);  /* 4 x y^2: 1.28 */
    kf_lanes_sqr_sub(&p->x, &alpha, &s, &s);
    kf_lanes_sub(&run, &s, &p->x);
    kf_lanes_mul_sub_twice(&p->y, &alpha, &run, &y4);
}

/* p += q; of q, y from 0 to 2 p. */
KF_LANE_FN void kf_lanes_jacobian_add(kf_jacobians *p, const kf_factor *q_x, const kf_factor *q_y) {
    kf_factor zz, h, r, hh, hhh, t;
    kf_number u, cube, v;
    kf_lanes_sqr(&zz, &p->z);
    kf_lanes_mul_number(&u, q_x, &zz);
    kf_lanes_sub(&h, &u, &p->x);           /* 3.1 */
    kf_lanes_mul(&zz, &zz, &p->z);
    kf_lanes_mul_number(&u, q_y, &zz);
    kf_lanes_sub(&r, &u, &p->y);           /* 3.2 */
    kf_lanes_mul(&p->z, &p->z, &h);
    kf_lanes_sqr(&hh, &h);                 /* 1.61 */
    kf_lanes_mul_number(&cube, &hh, &h);   /* 1.32 */
    kf_lanes_factor(&hhh, &cube);
    kf_lanes_factor(&t, &p->x);
    kf_lanes_mul_number(&v, &t, &hh);      /* 1.11 */
    kf_lanes_sqr_sub_twice(&p->x, &r, &cube, &v);
    kf_lanes_factor(&t, &p->y);
    kf_lanes_mul_number(&u, &t, &hhh);
    kf_lanes_sub(&t, &v, &p->x);
    kf_lanes_mul_sub(&p->y, &r, &t, &u);
}

#endif
