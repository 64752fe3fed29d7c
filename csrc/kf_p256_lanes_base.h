/*
 * Many k G in constant time, part of the template kf_p256_lanes.h. Needs kf_lanes_look_up, which makes KF_LOOK_UPS
 * terms of k G from bytes of limbs.
 */
#ifndef KF_P256_LANES_BASE_H
#define KF_P256_LANES_BASE_H

#include "kf_p256_base.h"
#include "kf_p256_lanes_tree.h"
#include "kf_p256_words.h"

enum { KF_LIMB_BYTES = 34 };

/* ---- G's table --------------------------------------------------------------------------------------- */

/* Byte by byte (kf_lanes_look_up): of x, then of y, 7 bytes of limbs 0 to 3 and 6 of limb 4. */
static uint8_t kf_columns[TABLE_WINDOWS][2 * KF_LIMB_BYTES][TABLE_ENTRIES] __attribute__((aligned(64)));
static kf_p256_point kf_exception; /* k G for the one k of kf_base_mul_in_lanes */

/* The bytes of limbs of a 2^4, as numbers have it. */
static void kf_limb_bytes(uint8_t bytes[KF_LIMB_BYTES], const kf_p256_fe *a) {
    uint64_t w[4], less[4];
    memcpy(w, a->v, sizeof w);
    for (int i = 0; i < 4; i++) {
        const uint64_t carry = kf_words_add(w, w, w), borrow = kf_words_sub(less, w, kf_p256_p.v);
        if (carry || !borrow) memcpy(w, less, sizeof w); /* public */
    }
    for (int limb = 0; limb < 5; limb++) {
        const int bit = 52 * limb, word = bit / 64, shift = bit % 64;
        uint64_t value = w[word] >> shift;
        if (shift > 12 && word < 3) value |= w[word + 1] << (64 - shift);
        for (int b = 0; b < (limb < 4 ? 7 : 6); b++) bytes[7 * limb + b] = (uint8_t)((value & KF_LIMB_MASK) >> (8 * b));
    }
}

static void kf_fill_columns(void) {
    uint8_t bytes[2 * KF_LIMB_BYTES];
    uint64_t digits[4];
    kf_p256_scalar k;
    for (int w = 0; w < TABLE_WINDOWS; w++) {
        for (int e = 0; e < TABLE_ENTRIES; e++) {
            const kf_p256_point *point = &kf_p256_base_table[w * TABLE_ENTRIES + e];
            kf_limb_bytes(bytes, &point->x), kf_limb_bytes(bytes + KF_LIMB_BYTES, &point->y);
            for (size_t b = 0; b < sizeof bytes; b++) kf_columns[w][b][e] = bytes[b];
        }
    }
    /* Digits of n, those of even windows negated: a digit d stands for 2 d - 255. */
    kf_scalar_digits(digits, &kf_p256_n);
    for (int i = 0; i < 4; i++) digits[i] ^= 0x00ff00ff00ff00ff;
    for (int i = 0; i < 4; i++) k.v[i] = digits[i] << 1 | (i > 0 ? digits[i - 1] >> 63 : 1);
    KF_LANES_ARITH.base_mul(&kf_exception, &k);
}

/* ---- k G ---------------------------------------------------------------------------------------------- */

typedef struct {
    kf_tree tree;
    size_t items; /* as many as look-ups read */
    uint8_t *digits;
    uint64_t *even;
} kf_base_work;

static size_t kf_base_carve(kf_base_work *work, int num, const void *scratch) {
    uintptr_t at = (uintptr_t)scratch;
    work->items = ((size_t)num + KF_LOOK_UPS - 1) / KF_LOOK_UPS * KF_LOOK_UPS;
    kf_tree_carve(&work->tree, &at, TABLE_WINDOWS, kf_vectors_of(num));
    work->digits = carve(&at, work->items * TABLE_WINDOWS);
    work->even = carve(&at, work->items * sizeof *work->even);
    return at - (uintptr_t)scratch;
}

static void kf_digits_of(uint8_t *digits, uint64_t *even, const kf_p256_scalar *k, int num, size_t items) {
    kf_p256_scalar odd;
    uint64_t words[4];
    for (size_t i = 0; i < items; i++) {
        kf_scalar_odd(&odd, &even[i], &k[i < (size_t)num ? i : 0]);
        kf_scalar_digits(words, &odd);
        for (size_t w = 0; w < TABLE_WINDOWS; w++) digits[w * items + i] = (uint8_t)(words[w / 8] >> (w % 8 * 8));
    }
    kf_wipe(&odd, sizeof odd), kf_wipe(words, sizeof words);
}

/* A row of terms. The last look-ups may be of more items than there are vectors for. */
static void kf_look_up_row(kf_points *row, size_t vectors, size_t window, const uint8_t *digits) {
    kf_points more[KF_LOOK_UP_VECTORS];
    size_t v = 0;
    for (; v + KF_LOOK_UP_VECTORS <= vectors; v += KF_LOOK_UP_VECTORS)
        kf_lanes_look_up(row + v, kf_columns[window], digits + v * KF_LANES);
    if (v == vectors) return;
    kf_lanes_look_up(more, kf_columns[window], digits + v * KF_LANES);
    memcpy(row + v, more, (vectors - v) * sizeof *row);
    kf_wipe(more, sizeof more);
}

/* The points of a row to memory: those of which x was the same as the exception, and those of even k negated. */
KF_LANE_CALL void kf_store_row(kf_p256_point *r, const kf_tree *tree, const uint64_t *even, int num) {
    kf_p256_point spare[KF_LANES];
    for (size_t v = 0; v < tree->vectors; v++) {
        kf_p256_fe *x[KF_LANES], *y[KF_LANES];
        uint64_t zero[KF_LANES];
        const size_t first = v * KF_LANES;
        for (size_t i = 0; i < KF_LANES; i++) {
            kf_p256_point *to = first + i < (size_t)num ? &r[first + i] : &spare[i];
            x[i] = &to->x, y[i] = &to->y;
        }
        kf_lanes_store(x, &tree->points[v].x), kf_lanes_store(y, &tree->points[v].y);
        memcpy(zero, &tree->zero[v], sizeof zero);
        for (size_t i = 0; i < KF_LANES && first + i < (size_t)num; i++) {
            kf_words_select(x[i]->v, x[i]->v, kf_exception.x.v, kf_barrier64(zero[i]));
            kf_words_select(y[i]->v, y[i]->v, kf_exception.y.v, kf_barrier64(zero[i]));
            kf_fe_negate_if(y[i], even[first + i]);
        }
        kf_wipe(zero, sizeof zero);
    }
    kf_wipe(spare, sizeof spare);
}

/* Up to the last level no sum meets an exception. The sums a, b of two disjoint sets of windows are odd times 256 to
 * the power of their lowest windows, which differ, so a = +-b cannot be; and a +- b = +-n, with |a| + |b| < 2 n, is
 * possible only where window 0, since n is odd, and window 31, for its size, are among them. At the last level they
 * are: a, the even windows, is below 2^248, so that a + b = k, odd and from 1 to n - 1, leaves b - a = n alone: the
 * digits of b and -a are those of n, and k is the one of kf_exception. */
KF_LANE_CALL void kf_base_mul_in_lanes(kf_p256_point *r, const kf_p256_scalar *k, int num, void *scratch) {
    kf_base_work work;
    kf_base_carve(&work, num, scratch);
    kf_tree *tree = &work.tree;
    const size_t vectors = tree->vectors;
    kf_digits_of(work.digits, work.even, k, num, work.items);
    for (size_t w = 0; w < TABLE_WINDOWS; w++)
        kf_look_up_row(tree->points + w * vectors, vectors, w, work.digits + w * work.items);
    for (size_t half = TABLE_WINDOWS / 2; half > 1; half /= 2)
        kf_lanes_add_all(tree->points, tree->points + half * vectors, half * vectors, &tree->quotients);
    memset(tree->zero, 0, vectors * sizeof *tree->zero);
    kf_lanes_add_checked(tree->points, tree->points + vectors, vectors, &tree->quotients, tree->zero, vectors);
    kf_store_row(r, tree, work.even, num);
}

static void kf_lanes_base_mul(kf_p256_point *r, const kf_p256_scalar *k, int num, void *scratch) {
    const unsigned before = kf_lanes_enter();
    kf_base_mul_in_lanes(r, k, num, scratch);
    kf_lanes_leave(before);
    kf_wipe_far_below();
}

#endif
