/*
 * Lists of additions in lanes, part of the template kf_p256_lanes.h, and with them the sum of many multiples
 * (kf_p256_sum.h). Points stand where the list says, as they are outside of lanes. Variable time.
 */
#ifndef KF_P256_LANES_LIST_H
#define KF_P256_LANES_LIST_H

#include "kf_p256_base.h"
#include "kf_p256_carve.h"
#include "kf_p256_lanes_points.h"
#include "kf_p256_term.h"

enum { CHAINS = 1 }; /* terms that a list is to be filled up to: none more */

typedef struct {
    kf_quotients quotients;
    uint8_t *flags;
} affine_work;

/* Room for num additions, without flags. */
static void carve_work(affine_work *work, uintptr_t *at, size_t num) {
    const size_t vectors = (num + KF_LANES - 1) / KF_LANES;
    work->quotients.difference = carve(at, vectors * sizeof(kf_factor));
    work->quotients.before = carve(at, (vectors + KF_CHAINS) * sizeof(kf_factor));
}

/* The terms of vector v, one for each lane; lanes beyond the last one have it again. Those of the next vector that will
 * be asked for are fetched. */
KF_LANE_FN void kf_terms_of(const affine_term *lane[KF_LANES], const affine_term *terms, size_t num, size_t v,
                            size_t next) {
    for (size_t i = 0; i < KF_LANES; i++) {
        const size_t at = v * KF_LANES + i, later = next * KF_LANES + i;
        lane[i] = &terms[at < num ? at : num - 1];
        if (later >= num) continue;
        __builtin_prefetch(terms[later].a), __builtin_prefetch(terms[later].b);
    }
}

KF_LANE_FN void kf_load_x(kf_number *a, kf_number *b, const affine_term *const lane[KF_LANES]) {
    const kf_p256_fe *from_a[KF_LANES], *from_b[KF_LANES];
    for (size_t i = 0; i < KF_LANES; i++) from_a[i] = &lane[i]->a->x, from_b[i] = &lane[i]->b->x;
    kf_lanes_load_uncarried(a, from_a), kf_lanes_load_uncarried(b, from_b);
}

KF_LANE_FN void kf_load_y(kf_number *a, kf_number *b, const affine_term *const lane[KF_LANES]) {
    const kf_p256_fe *from_a[KF_LANES], *from_b[KF_LANES];
    uint64_t negative[KF_LANES] __attribute__((aligned(64)));
    for (size_t i = 0; i < KF_LANES; i++) {
        from_a[i] = &lane[i]->a->y, from_b[i] = &lane[i]->b->y;
        negative[i] = 0 - (uint64_t)lane[i]->negative;
    }
    kf_lanes_load_uncarried(a, from_a), kf_lanes_load_uncarried(b, from_b);
    kf_lanes_negate(b, *(const kf_lane *)negative);
}

KF_LANE_FN int kf_any_var(kf_lane mask, uint64_t lane[KF_LANES]) {
    uint64_t any = 0;
    memcpy(lane, &mask, sizeof mask);
    for (size_t i = 0; i < KF_LANES; i++) any |= lane[i];
    return any != 0;
}

KF_LANE_FN void kf_store_terms(const affine_term *const lane[KF_LANES], const kf_points *sum) {
    kf_p256_fe *to_x[KF_LANES], *to_y[KF_LANES];
    for (size_t i = 0; i < KF_LANES; i++) to_x[i] = &lane[i]->to->x, to_y[i] = &lane[i]->to->y;
    kf_lanes_store(to_x, &sum->x), kf_lanes_store(to_y, &sum->y);
}

/* All additions of a list. Where the points of a term have one x its item is flagged, and the sum is of no use. They
 * are finished from the last vector to the first, all of a vector read before any is written. */
KF_LANE_CALL void add_list_var(const affine_term *terms, size_t num, const affine_work *work) {
    const size_t vectors = (num + KF_LANES - 1) / KF_LANES;
    kf_factor chain[KF_CHAINS], inverse, slope;
    const affine_term *lane[KF_LANES];
    kf_number b_x, b_y;
    kf_points sum;
    uint64_t masks[KF_LANES];
    if (!num) return;
    kf_quotients_begin(&work->quotients);
    for (size_t v = 0; v < vectors; v++) {
        kf_factor *difference = &work->quotients.difference[v];
        kf_terms_of(lane, terms, num, v, v + 2);
        kf_load_x(&sum.x, &b_x, lane);
        kf_lanes_sub(difference, &b_x, &sum.x);
        const kf_lane same = kf_lanes_is_zero(difference);
        if (__builtin_expect(kf_any_var(same, masks), 0)) {
            kf_lanes_one_where(difference, same);
            for (size_t i = 0; i < KF_LANES; i++)
                if (masks[i]) work->flags[lane[i]->item] = 1;
        }
        kf_quotients_take(&work->quotients, v);
    }
    kf_lanes_invert_chains(chain, &work->quotients, vectors);
    for (size_t v = vectors; v-- > 0;) {
        kf_terms_of(lane, terms, num, v, v - 2);
        kf_load_x(&sum.x, &b_x, lane), kf_load_y(&sum.y, &b_y, lane);
        kf_quotients_give(&inverse, chain, &work->quotients, v);
        kf_lanes_sub(&slope, &b_y, &sum.y);
        kf_lanes_mul(&slope, &slope, &inverse);
        kf_lanes_add_on_line(&sum, &b_x, &slope);
        kf_store_terms(lane, &sum);
    }
}

/* ---- one point at a time, for the last steps of a sum --------------------------------------------------- */

static void jacobian_double(kf_p256_jacobian *r, const kf_p256_jacobian *p) { KF_LANES_ARITH.add_var(r, p, p); }

static void jacobian_add_point_var(kf_p256_jacobian *sum, const kf_p256_point *p, int negative) {
    kf_p256_jacobian term = {p->x, p->y, kf_p256_one};
    kf_fe_negate_if(&term.y, 0 - (uint64_t)negative);
    KF_LANES_ARITH.add_var(sum, sum, &term);
}

#include "kf_p256_sum.h"

#endif
