/*
 * Many verifications, part of the template kf_p256_lanes.h: is x(u1 G + u2 Q) = r modulo n? Variable time.
 *
 * Under one key all terms come from tables and are added by a tree. With a key for each item u2 Q is made of odd
 * multiples of Q by doublings and additions in Jacobian coordinates, and u1 G by a tree. An item that meets an
 * exception of the formulas says so and leaves no trace in others.
 */
#ifndef KF_P256_LANES_VERIFY_H
#define KF_P256_LANES_VERIFY_H

#include "kf_p256_batch.h"
#include "kf_p256_lanes_jacobian.h"
#include "kf_p256_lanes_tables.h"

enum { KF_CHUNK = 256, KF_PART = 128, KF_MANY_CHUNK = 512 };

/* ---- one key ------------------------------------------------------------------------------------------------- */

/* Whether x = r modulo n: x is r, or r + n where that is below p (SEC 1 4.1.4 step 8). x is in Montgomery form. */
static int kf_x_is_var(const kf_p256_fe *x, const kf_p256_scalar *r) {
    kf_p256_fe plain;
    uint64_t less[4];
    fe_mul(&plain, x, &kf_p256_raw_one);
    if (kf_words_equal(plain.v, r->v)) return 1;
    return !kf_words_sub(less, plain.v, kf_p256_n.v) && kf_words_equal(less, r->v);
}

/* u = 0 has no digits of its own: kf_gather_var has read n P, infinity, which only a flag can follow. */
static int kf_is_exception(uint64_t zero, const kf_p256_equation *equation) {
    return zero || kf_words_zero(equation->u1.v) || kf_words_zero(equation->u2.v);
}

KF_LANE_CALL void kf_compare_var(uint8_t *outcome, const kf_p256_equation *equations, const kf_tree *tree, int num) {
    kf_p256_fe x[KF_LANES], *to[KF_LANES];
    for (size_t i = 0; i < KF_LANES; i++) to[i] = &x[i];
    for (size_t v = 0; v < tree->vectors; v++) {
        const uint64_t *zero = (const uint64_t *)&tree->zero[v];
        kf_lanes_store(to, &tree->points[v].x);
        for (size_t i = 0; i < KF_LANES && v * KF_LANES + i < (size_t)num; i++) {
            const kf_p256_equation *equation = &equations[v * KF_LANES + i];
            outcome[v * KF_LANES + i] = kf_is_exception(zero[i], equation)   ? KF_P256_EXCEPTION
                                        : kf_x_is_var(&x[i], &equation->r) ? KF_P256_YES
                                                                           : KF_P256_NO;
        }
    }
}

/* Up to KF_PART items: with two terms for each digit more would not stay in the cache. */
KF_LANE_CALL void kf_verify_key_in_lanes(uint8_t *outcome, const kf_p256_equation *equations, const void *table,
                                         int num, void *scratch) {
    const size_t vectors = kf_vectors_of(num);
    const kf_scalars u1 = {(const uint8_t *)&equations->u1, sizeof *equations, num};
    const kf_scalars u2 = {(const uint8_t *)&equations->u2, sizeof *equations, num};
    uintptr_t at = (uintptr_t)scratch;
    kf_tree tree;
    kf_tree_carve(&tree, &at, WIDE_WINDOWS + TABLE_WINDOWS, vectors);
    kf_gather_wide_var(tree.points, vectors, kf_wide_table, &u1);
    kf_gather_var(tree.points + WIDE_WINDOWS * vectors, vectors, table, &u2);
    kf_add_up_var(&tree, WIDE_WINDOWS + TABLE_WINDOWS);
    kf_compare_var(outcome, equations, &tree, num);
}

static void kf_lanes_verify_key_var(uint8_t *outcome, const kf_p256_equation *equations, const void *table, int num,
                                    void *scratch) {
    const unsigned before = kf_lanes_enter();
    for (int first = 0; first < num; first += KF_PART) {
        const int part = num - first < KF_PART ? num - first : KF_PART;
        kf_verify_key_in_lanes(outcome + first, equations + first, table, part, scratch);
    }
    kf_lanes_leave(before);
}

/* ---- verification with a key for each item ------------------------------------------------------------------- */

enum { KEY_BITS = 5, KEY_WINDOWS = MOST_WINDOWS, KEY_ENTRIES = 16 };
static const kf_shape KF_MANY_SHAPE = {KEY_BITS, KEY_WINDOWS, KEY_ENTRIES};

typedef struct {
    size_t vectors;
    kf_points *odd; /* odd multiples of the keys, KEY_ENTRIES rows, and a row more */
    kf_jacobians *sums;
    kf_quotients quotients;
    kf_tree tree; /* of a part of the items */
} kf_many_work;

static size_t kf_many_carve(kf_many_work *work, int num, const void *scratch) {
    const size_t vectors = kf_vectors_of(num);
    uintptr_t at = (uintptr_t)scratch;
    work->vectors = vectors;
    work->odd = carve(&at, (KEY_ENTRIES + 1) * vectors * sizeof *work->odd);
    work->sums = carve(&at, vectors * sizeof *work->sums);
    work->quotients.difference = carve(&at, vectors * sizeof(kf_factor));
    work->quotients.before = carve(&at, (vectors + KF_CHAINS) * sizeof(kf_factor));
    kf_tree_carve(&work->tree, &at, WIDE_WINDOWS, kf_vectors_of(num < KF_CHUNK ? num : KF_CHUNK));
    return at - (uintptr_t)scratch;
}

/* Rows of Q, 3 Q, 5 Q, ... 31 Q for all items; twice: a row of scratch. */
static void kf_odd_multiples(kf_points *odd, kf_points *twice, size_t vectors, const kf_quotients *quotients) {
    memcpy(twice, odd, vectors * sizeof *odd);
    kf_lanes_double_all(twice, vectors, quotients);
    for (size_t e = 1; e < KEY_ENTRIES; e++) {
        kf_points *row = odd + e * vectors;
        memcpy(row, row - vectors, vectors * sizeof *row);
        kf_lanes_add_all(row, twice, vectors, quotients); /* n is larger than 32 and prime: no exception */
    }
}

KF_LANE_CALL void kf_load_keys(kf_points *row, size_t vectors, const kf_p256_point *keys, int num) {
    for (size_t v = 0; v < vectors; v++) {
        const kf_p256_fe *x[KF_LANES], *y[KF_LANES];
        for (size_t i = 0; i < KF_LANES; i++) {
            const kf_p256_point *key = &keys[v * KF_LANES + i < (size_t)num ? v * KF_LANES + i : 0];
            x[i] = &key->x, y[i] = &key->y;
        }
        kf_lanes_load(&row[v].x, x), kf_lanes_load(&row[v].y, y);
    }
}

/* Of each lane the multiple that its digit stands for: x, and 2 p + y or 2 p - y, which is not carried. */
KF_LANE_FN void kf_pick_multiple_var(kf_number *x, kf_lane y[5], const kf_points *odd, size_t vectors,
                                     uint16_t choice[KF_LANES][MOST_WINDOWS], const uint64_t even[KF_LANES], int w) {
    uint64_t picked[sizeof(kf_points) / sizeof(kf_lane)][KF_LANES] __attribute__((aligned(64)));
    uint64_t negative[KF_LANES] __attribute__((aligned(64)));
    for (size_t i = 0; i < KF_LANES; i++) {
        const size_t entry = choice[i][w] & (NEGATIVE - 1);
        const uint64_t *from = (const uint64_t *)&odd[entry * vectors] + i;
        for (size_t k = 0; k < sizeof picked / sizeof picked[0]; k++) picked[k][i] = from[k * KF_LANES];
        negative[i] = kf_negative_var(choice[i][w]) ^ even[i];
    }
    const kf_points *point = (const kf_points *)picked;
    const kf_lane mask = *(const kf_lane *)negative;
    *x = point->x;
    KF_UNROLL(int k = 0; k < 5; k++)
        y[k] = kf_lane_add(KF_CONSTANT(plus_2p[k]), kf_lane_sub(kf_lane_xor(point->y.limb[k], mask), mask));
}

/* sum = u2 Q of one vector of items, whose odd multiples stand every vectors ones. The top digit is always 16: Q. */
KF_LANE_CALL void kf_multiply_keys_var(kf_jacobians *sum, const kf_points *odd, size_t vectors, const kf_scalars *u2,
                                       size_t first) {
    uint16_t choice[KF_LANES][MOST_WINDOWS];
    uint64_t even[KF_LANES];
    kf_lane limb[5];
    kf_number x;
    kf_factor x2, y2;
    for (size_t i = 0; i < KF_LANES; i++)
        even[i] = kf_choices_var(choice[i], kf_scalar_at(u2, first + i), &KF_MANY_SHAPE);
    kf_pick_multiple_var(&sum->x, limb, odd, vectors, choice, even, KEY_WINDOWS - 1);
    kf_lanes_fold(&sum->y, limb);
    kf_lanes_one(&sum->z);
    for (int w = KEY_WINDOWS - 2; w >= 0; w--) {
        for (int bit = 0; bit < KEY_BITS; bit++) kf_lanes_jacobian_double(sum);
        kf_pick_multiple_var(&x, limb, odd, vectors, choice, even, w);
        kf_lanes_factor(&x2, &x), kf_lanes_carry_to_factor(&y2, limb);
        kf_lanes_jacobian_add(sum, &x2, &y2);
    }
}

/* u1 G + u2 Q, as x and z^2. */
KF_LANE_CALL void kf_join_var(kf_p256_fe *x, kf_p256_fe *zz, kf_jacobians *sum, const kf_points *base) {
    kf_p256_fe *to_x[KF_LANES], *to_zz[KF_LANES];
    kf_factor base_x, base_y, square;
    kf_number number;
    for (size_t i = 0; i < KF_LANES; i++) to_x[i] = &x[i], to_zz[i] = &zz[i];
    kf_lanes_factor(&base_x, &base->x), kf_lanes_factor(&base_y, &base->y);
    kf_lanes_jacobian_add(sum, &base_x, &base_y);
    kf_lanes_sqr(&square, &sum->z);
    KF_UNROLL(int k = 0; k < 5; k++) number.limb[k] = kf_lane_integer(square.limb[k]);
    kf_lanes_store(to_x, &sum->x), kf_lanes_store(to_zz, &number);
}

/* As kf_x_is_var, of x / zz. */
static int kf_x_over_zz_is_var(const kf_p256_fe *x, const kf_p256_fe *zz, const kf_p256_scalar *r) {
    kf_p256_fe wanted, plain;
    fe_mul(&wanted, (const kf_p256_fe *)r, &kf_p256_r2);
    fe_mul(&wanted, &wanted, zz);
    if (kf_words_equal(wanted.v, x->v)) return 1;
    if (kf_words_add(plain.v, r->v, kf_p256_n.v) || !kf_words_less(plain.v, kf_p256_p.v)) return 0;
    fe_mul(&wanted, &plain, &kf_p256_r2);
    fe_mul(&wanted, &wanted, zz);
    return (int)kf_words_equal(wanted.v, x->v);
}

/* A part of the items: u1 G by a tree, and the comparison. sums: u2 Q. */
KF_LANE_CALL void kf_finish_many_var(uint8_t *outcome, const kf_p256_equation *equations, kf_jacobians *sums,
                                     const kf_tree *tree, int num) {
    const kf_scalars u1 = {(const uint8_t *)&equations->u1, sizeof *equations, num};
    kf_gather_wide_var(tree->points, tree->vectors, kf_wide_table, &u1);
    kf_add_up_var(tree, WIDE_WINDOWS);
    for (size_t v = 0; v < tree->vectors; v++) {
        const uint64_t *zero = (const uint64_t *)&tree->zero[v];
        kf_p256_fe x[KF_LANES], zz[KF_LANES];
        kf_join_var(x, zz, &sums[v], &tree->points[v]);
        for (size_t i = 0; i < KF_LANES && v * KF_LANES + i < (size_t)num; i++) {
            const kf_p256_equation *equation = &equations[v * KF_LANES + i];
            const int exception = kf_is_exception(zero[i], equation) || kf_words_zero(zz[i].v);
            outcome[v * KF_LANES + i] = exception                                          ? KF_P256_EXCEPTION
                                        : kf_x_over_zz_is_var(&x[i], &zz[i], &equation->r) ? KF_P256_YES
                                                                                           : KF_P256_NO;
        }
    }
}

KF_LANE_CALL void kf_verify_many_in_lanes(uint8_t *outcome, const kf_p256_equation *equations,
                                          const kf_p256_point *keys, int num, void *scratch) {
    const kf_scalars u2 = {(const uint8_t *)&equations->u2, sizeof *equations, num};
    kf_many_work work;
    kf_many_carve(&work, num, scratch);
    const size_t vectors = work.vectors;
    kf_load_keys(work.odd, vectors, keys, num);
    kf_odd_multiples(work.odd, work.odd + KEY_ENTRIES * vectors, vectors, &work.quotients);
    for (size_t v = 0; v < vectors; v++) kf_multiply_keys_var(&work.sums[v], work.odd + v, vectors, &u2, v * KF_LANES);
    for (int first = 0; first < num; first += KF_CHUNK) {
        const int part = num - first < KF_CHUNK ? num - first : KF_CHUNK;
        work.tree.vectors = kf_vectors_of(part);
        kf_finish_many_var(outcome + first, equations + first, work.sums + first / KF_LANES, &work.tree, part);
    }
}

static void kf_lanes_verify_many_var(uint8_t *outcome, const kf_p256_equation *equations, const kf_p256_point *keys,
                                     int num, void *scratch) {
    const unsigned before = kf_lanes_enter();
    kf_verify_many_in_lanes(outcome, equations, keys, num, scratch);
    kf_lanes_leave(before);
}

#endif
