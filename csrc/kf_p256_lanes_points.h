/*
 * Points of P-256 by KF_LANES at a time, part of the template kf_p256_lanes.h: many additions in affine coordinates
 * that share one inversion.
 *
 * SEC 1 2.2.1: l = (y2 - y1) / (x2 - x1), x3 = l^2 - x1 - x2, y3 = l (x1 - x3) - y1. The inverses of many differences
 * come from that of their product: products of all before, one inversion, and the way back. Such chains run in each
 * lane, and KF_CHAINS of them side by side, because each product waits for the one before: an addition costs five
 * products and a square.
 *
 * Where x1 = x2 the difference is zero, and so would be the product of all. kf_lanes_add_all is called only where that
 * cannot be, and the caller says why; kf_lanes_add_checked puts one in the place of zero, so that the other results
 * know nothing of it, and reports the lanes, whose sums are of no use then. Both take constant time.
 */
#ifndef KF_P256_LANES_POINTS_H
#define KF_P256_LANES_POINTS_H

#include "kf_p256_lanes.h"

typedef struct {
    kf_number x, y;
} kf_points; /* KF_LANES affine points */

enum { KF_CHAINS = 2 };

/* Scratch memory for num additions. */
typedef struct {
    kf_factor *difference; /* num */
    kf_factor *before;     /* products of the differences before, num + KF_CHAINS */
} kf_quotients;

/* ---- one inversion for all -------------------------------------------------------------------------- */

KF_LANE_FN void kf_lanes_one(kf_factor *r) {
    static const uint64_t one[5] = {0x10, 0xf000000000000, 0xfffffffffffff, 0xffeffffffffff, 0xfffff}; /* R mod p */
    KF_UNROLL(int i = 0; i < 5; i++) r->limb[i] = kf_lane_operand(kf_lane_all(one[i]));
}

/* The inverses of a, which is not zero in any lane and below 2 p. */
KF_LANE_CALL void kf_lanes_invert(kf_factor *r, const kf_factor *a) {
    kf_p256_fe lane[KF_LANES], before[KF_LANES], inverse;
    kf_p256_fe *to[KF_LANES];
    const kf_p256_fe *from[KF_LANES];
    kf_number number;
    for (int i = 0; i < KF_LANES; i++) from[i] = to[i] = &lane[i];
    KF_UNROLL(int i = 0; i < 5; i++) number.limb[i] = kf_lane_integer(a->limb[i]);
    kf_lanes_store(to, &number);
    before[0] = lane[0];
    for (int i = 1; i < KF_LANES; i++) fe_mul(&before[i], &before[i - 1], &lane[i]);
    KF_LANES_ARITH.fe_inverse(&inverse, &before[KF_LANES - 1]);
    for (int i = KF_LANES - 1; i > 0; i--) {
        const kf_p256_fe own = lane[i];
        fe_mul(&lane[i], &inverse, &before[i - 1]);
        fe_mul(&inverse, &inverse, &own);
    }
    lane[0] = inverse;
    kf_lanes_load(&number, from);
    kf_lanes_factor(r, &number);
    kf_wipe(lane, sizeof lane), kf_wipe(before, sizeof before), kf_wipe(&inverse, sizeof inverse);
}

/* The inverses of the chains' products, of which quotients->before holds the last ones. */
KF_LANE_FN void kf_lanes_invert_chains(kf_factor inverse[KF_CHAINS], const kf_quotients *quotients, size_t num) {
    const kf_factor *even = &quotients->before[num + num % 2], *odd = &quotients->before[num + (num + 1) % 2];
    kf_factor both;
    kf_lanes_mul(&both, even, odd);
    kf_lanes_invert(&both, &both);
    kf_lanes_mul(&inverse[0], &both, odd);
    kf_lanes_mul(&inverse[1], &both, even);
}

/* ---- additions --------------------------------------------------------------------------------------- */

/* Replaces a by one where mask is set. */
KF_LANE_FN void kf_lanes_one_where(kf_factor *a, kf_lane mask) {
    kf_factor one;
    kf_lanes_one(&one);
    KF_UNROLL(int i = 0; i < 5; i++) {
        const kf_lane own = kf_lane_integer(a->limb[i]), difference = kf_lane_xor(own, kf_lane_integer(one.limb[i]));
        a->limb[i] = kf_lane_operand(kf_lane_xor(own, kf_lane_and(mask, difference)));
    }
}

/* The sum of p and the point with x2, where the line through both has this slope. */
KF_LANE_FN void kf_lanes_add_on_line(kf_points *p, const kf_number *x2, const kf_factor *slope) {
    kf_factor run;
    kf_number x;
    kf_lanes_sqr_sub(&x, slope, &p->x, x2);
    kf_lanes_sub(&run, &p->x, &x);
    kf_lanes_mul_sub(&p->y, &run, slope, &p->y);
    p->x = x;
}

/* The first half of the way: of difference[i], which is set, the product of all before in its chain. */
KF_LANE_FN void kf_quotients_begin(const kf_quotients *quotients) {
    for (size_t c = 0; c < KF_CHAINS; c++) kf_lanes_one(&quotients->before[c]);
}
KF_LANE_FN void kf_quotients_take(const kf_quotients *quotients, size_t i) {
    kf_lanes_mul(&quotients->before[i + KF_CHAINS], &quotients->before[i], &quotients->difference[i]);
}
/* The second half, from the last to the first: 1 / difference[i]. chain: what kf_lanes_invert_chains gave. */
KF_LANE_FN void kf_quotients_give(kf_factor *inverse, kf_factor chain[KF_CHAINS], const kf_quotients *quotients,
                                  size_t i) {
    kf_lanes_mul(inverse, &chain[i % KF_CHAINS], &quotients->before[i]);
    kf_lanes_mul(&chain[i % KF_CHAINS], &chain[i % KF_CHAINS], &quotients->difference[i]);
}

KF_LANE_FN void kf_lanes_add_pairs(kf_points *p, const kf_points *q, size_t num, const kf_quotients *quotients,
                                   kf_lane *zero, size_t num_zero) {
    kf_factor chain[KF_CHAINS], inverse, slope;
    kf_quotients_begin(quotients);
    for (size_t i = 0; i < num; i++) {
        kf_factor *difference = &quotients->difference[i];
        kf_lanes_sub(difference, &q[i].x, &p[i].x);
        if (zero) {
            const kf_lane mask = kf_lanes_is_zero(difference);
            kf_lanes_one_where(difference, mask);
            zero[i % num_zero] = kf_lane_or(zero[i % num_zero], mask);
        }
        kf_quotients_take(quotients, i);
    }
    kf_lanes_invert_chains(chain, quotients, num);
    for (size_t i = num; i-- > 0;) {
        kf_quotients_give(&inverse, chain, quotients, i);
        kf_lanes_sub(&slope, &q[i].y, &p[i].y);
        kf_lanes_mul(&slope, &slope, &inverse);
        kf_lanes_add_on_line(&p[i], &q[i].x, &slope);
    }
}

/* p[i] += q[i] for num vectors of points of different x. */
KF_LANE_CALL void kf_lanes_add_all(kf_points *p, const kf_points *q, size_t num, const kf_quotients *quotients) {
    kf_lanes_add_pairs(p, q, num, quotients, NULL, 1);
}

/* The same of any points; where x is the same, bits of zero[i % num_zero] are set. */
KF_LANE_CALL void kf_lanes_add_checked(kf_points *p, const kf_points *q, size_t num, const kf_quotients *quotients,
                                       kf_lane *zero, size_t num_zero) {
    kf_lanes_add_pairs(p, q, num, quotients, zero, num_zero);
}

/* p[i] += p[i] for num vectors of points: the slope is (3 x^2 - 3) / (2 y), and y is not zero, for no point of the
 * curve has order 2. */
KF_LANE_CALL void kf_lanes_double_all(kf_points *p, size_t num, const kf_quotients *quotients) {
    kf_factor chain[KF_CHAINS], inverse, slope, x;
    kf_number thrice, three;
    kf_lanes_one(&x);
    KF_UNROLL(int i = 0; i < 5; i++) {
        const kf_lane one = kf_lane_integer(x.limb[i]);
        three.limb[i] = kf_lane_add(one, kf_lane_add(one, one));
    }
    kf_lanes_carry(three.limb);
    kf_quotients_begin(quotients);
    for (size_t i = 0; i < num; i++) {
        kf_lane limb[5];
        KF_UNROLL(int k = 0; k < 5; k++) limb[k] = kf_lane_add(p[i].y.limb[k], p[i].y.limb[k]);
        kf_lanes_carry_to_factor(&quotients->difference[i], limb);
        kf_quotients_take(quotients, i);
    }
    kf_lanes_invert_chains(chain, quotients, num);
    for (size_t i = num; i-- > 0;) {
        const kf_number x2 = p[i].x;
        kf_lane raw[5];
        kf_quotients_give(&inverse, chain, quotients, i);
        kf_lanes_factor(&x, &x2);
        kf_lanes_square(raw, &x, NULL);
        KF_UNROLL(int k = 0; k < 5; k++) thrice.limb[k] = kf_lane_add(raw[k], kf_lane_add(raw[k], raw[k]));
        kf_lanes_sub(&slope, &thrice, &three); /* below 5.3 */
        kf_lanes_mul(&slope, &slope, &inverse);
        kf_lanes_add_on_line(&p[i], &x2, &slope);
    }
}

#endif
