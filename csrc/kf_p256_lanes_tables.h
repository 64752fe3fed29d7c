/*
 * Tables of odd multiples of public points, and the terms that digits of a number choose from them; part of the
 * template kf_p256_lanes.h. Variable time.
 */
#ifndef KF_P256_LANES_TABLES_H
#define KF_P256_LANES_TABLES_H

#include <stdlib.h>

#include "kf_p256_base.h"
#include "kf_p256_lanes_list.h"
#include "kf_p256_lanes_tree.h"
#include "kf_p256_words.h"

/* Digits of bits bits. Entry j of window i of a table is (2 j + 1) 2^(bits i) P, entries of them to a window. */
typedef struct {
    int bits, windows, entries;
} kf_shape;

/* A wider window for G than keys have: its table is made once, and each window less saves an addition. */
enum { WIDE_BITS = 10, WIDE_WINDOWS = 26, WIDE_ENTRIES = 512, MOST_WINDOWS = 52 };
static const kf_shape KF_KEY_SHAPE = {8, TABLE_WINDOWS, TABLE_ENTRIES};
static const kf_shape KF_WIDE_SHAPE = {WIDE_BITS, WIDE_WINDOWS, WIDE_ENTRIES};

/* ---- digits ---------------------------------------------------------------------------------------------- */

/* Where the scalars of lanes stand: every stride bytes one; lanes beyond num take the first. */
typedef struct {
    const uint8_t *at;
    size_t stride;
    int num;
} kf_scalars;

static const kf_p256_scalar *kf_scalar_at(const kf_scalars *scalars, size_t i) {
    return (const kf_p256_scalar *)(scalars->at + (i < (size_t)scalars->num ? i : 0) * scalars->stride);
}

/* An odd number is the sum of (2 digit[i] - (2^bits - 1)) 2^(bits i). choice[i]: the place of the absolute value of
 * term i in its window, and NEGATIVE. Returns a mask that says n - u. */
enum { NEGATIVE = 1 << 15, AHEAD = 3 };
KF_LANE_FN uint64_t kf_choices_var(uint16_t choice[MOST_WINDOWS], const kf_p256_scalar *u, const kf_shape *shape) {
    const int top = shape->bits * shape->windows - 1;
    uint64_t even, words[6] = {0};
    kf_p256_scalar odd;
    kf_scalar_odd(&odd, &even, u);
    for (int i = 0; i < 4; i++) words[i] = odd.v[i] >> 1 | (i < 3 ? odd.v[i + 1] << 63 : 0);
    words[top / 64] |= 1ULL << (top % 64);
    KF_UNROLL_ALL(int i = 0; i < shape->windows; i++) {
        const int bit = shape->bits * i, word = bit / 64, shift = bit % 64;
        const uint64_t above = shift + shape->bits > 64 ? words[word + 1] << (64 - shift) : 0;
        const uint64_t digit = words[word] >> shift | above, minus = (digit >> (shape->bits - 1) & 1) - 1;
        choice[i] = (uint16_t)(((digit ^ minus) & (uint64_t)(shape->entries - 1)) | (minus & NEGATIVE));
    }
    return even;
}
KF_LANE_FN uint64_t kf_negative_var(uint16_t choice) { return 0 - (uint64_t)(choice / NEGATIVE); }

/* Columns of terms of u P. Of a table that is larger than the nearest caches entries are fetched ahead. */
KF_LANE_FN void kf_gather_by_shape_var(kf_points *points, size_t vectors, const kf_p256_point *table,
                                       const kf_shape *shape, const kf_scalars *scalars) {
    const size_t windows = (size_t)shape->windows, entries = (size_t)shape->entries;
    for (size_t v = 0; v < vectors; v++) {
        uint16_t choice[KF_LANES][MOST_WINDOWS];
        uint64_t even[KF_LANES], negative[KF_LANES] __attribute__((aligned(64)));
        for (size_t i = 0; i < KF_LANES; i++)
            even[i] = kf_choices_var(choice[i], kf_scalar_at(scalars, v * KF_LANES + i), shape);
        for (size_t w = 0; w < windows; w++) {
            const kf_p256_fe *x[KF_LANES], *y[KF_LANES];
            kf_points *to = &points[w * vectors + v];
            KF_UNROLL(size_t i = 0; i < KF_LANES; i++) {
                const kf_p256_point *from = &table[w * entries + (choice[i][w] & (NEGATIVE - 1))];
                x[i] = &from->x, y[i] = &from->y, negative[i] = kf_negative_var(choice[i][w]) ^ even[i];
                if (shape->bits > 8 && w + AHEAD < windows)
                    __builtin_prefetch(&table[(w + AHEAD) * entries + (choice[i][w + AHEAD] & (NEGATIVE - 1))]);
            }
            kf_lanes_load_uncarried(&to->x, x), kf_lanes_load_uncarried(&to->y, y);
            kf_lanes_negate(&to->y, *(const kf_lane *)negative);
        }
    }
}

KF_LANE_CALL void kf_gather_var(kf_points *points, size_t vectors, const kf_p256_point *table,
                                const kf_scalars *scalars) {
    kf_gather_by_shape_var(points, vectors, table, &KF_KEY_SHAPE, scalars);
}
KF_LANE_CALL void kf_gather_wide_var(kf_points *points, size_t vectors, const kf_p256_point *table,
                                     const kf_scalars *scalars) {
    kf_gather_by_shape_var(points, vectors, table, &KF_WIDE_SHAPE, scalars);
}

/* ---- making a table ---------------------------------------------------------------------------------------- */

enum { MOST_POWERS = WIDE_BITS * WIDE_WINDOWS, MOST_TERMS = WIDE_WINDOWS * WIDE_ENTRIES / 2 };

typedef struct {
    kf_p256_jacobian jacobian[MOST_POWERS];
    kf_p256_fe before[MOST_POWERS];
    kf_p256_point power[MOST_POWERS]; /* 2^i P */
    affine_term terms[MOST_TERMS];
} kf_table_work;

static size_t kf_table_carve(kf_table_work **work, affine_work *additions, const void *scratch) {
    uintptr_t at = (uintptr_t)scratch;
    *work = carve(&at, sizeof **work);
    carve_work(additions, &at, MOST_TERMS);
    additions->flags = carve(&at, 1);
    return at - (uintptr_t)scratch;
}

static void kf_powers_of_two(kf_table_work *work, const kf_p256_point *p, int num) {
    kf_p256_fe running = kf_p256_one, inverse, square;
    work->jacobian[0] = (kf_p256_jacobian){p->x, p->y, kf_p256_one};
    for (int i = 1; i < num; i++) jacobian_double(&work->jacobian[i], &work->jacobian[i - 1]);
    for (int i = 0; i < num; i++) work->before[i] = running, fe_mul(&running, &running, &work->jacobian[i].z);
    KF_LANES_ARITH.fe_inverse(&running, &running);
    for (int i = num; i-- > 0;) {
        const kf_p256_jacobian *j = &work->jacobian[i];
        fe_mul(&inverse, &running, &work->before[i]), fe_mul(&running, &running, &j->z);
        fe_mul(&square, &inverse, &inverse), fe_mul(&work->power[i].x, &j->x, &square);
        fe_mul(&square, &square, &inverse), fe_mul(&work->power[i].y, &j->y, &square);
    }
}

/* 2^m 2^(bits i) P is added to the first 2^(m - 1) entries of each window, which gives as many again. All are different
 * multiples of P, smaller than n: no exception. */
static void kf_fill_table_var(kf_p256_point *table, const kf_shape *shape, const kf_p256_point *p, void *scratch) {
    kf_table_work *work;
    affine_work additions;
    kf_table_carve(&work, &additions, scratch);
    kf_powers_of_two(work, p, shape->bits * shape->windows);
    for (int i = 0; i < shape->windows; i++) table[i * shape->entries] = work->power[shape->bits * i];
    for (int m = 1; m < shape->bits; m++) {
        const int half = 1 << (m - 1);
        size_t num = 0;
        for (int i = 0; i < shape->windows; i++) {
            kf_p256_point *window = table + i * shape->entries;
            for (int j = 0; j < half; j++)
                work->terms[num++] =
                    (affine_term){&window[half + j], &window[j], &work->power[shape->bits * i + m], 0, 0};
        }
        add_list_var(work->terms, num, &additions);
    }
}

static kf_p256_point kf_wide_table[WIDE_WINDOWS * WIDE_ENTRIES] __attribute__((aligned(64))); /* of G */

/* Without memory the table stays as it is, and the self-test of batches, which comes next, fails. */
static void kf_fill_wide_table(void) {
    kf_table_work *work;
    affine_work additions;
    void *scratch = aligned_alloc(64, (kf_table_carve(&work, &additions, NULL) + 63) / 64 * 64);
    if (scratch) kf_fill_table_var(kf_wide_table, &KF_WIDE_SHAPE, &kf_p256_g, scratch);
    free(scratch);
}

#endif
