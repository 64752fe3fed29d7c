/*
 * The operations of kf_p256_batch.h in lanes, last part of the template kf_p256_lanes.h. Needs, besides
 * kf_p256_lanes_points.h: kf_lanes_look_up, which makes KF_LOOK_UPS terms of k G from bytes of limbs; and of numbers and
 * points one
 *
 * A sum of many points per item is a tree: vectors stand window by window, item by item within a window, and each level
 * adds the upper half of the windows to the lower half, all items at once, with one inversion.
 */
#ifndef KF_P256_LANES_BATCH_H
#define KF_P256_LANES_BATCH_H

#include "kf_p256_base.h"
#include "kf_p256_batch.h"
#include "kf_p256_carve.h"
#include "kf_p256_lanes_jacobian.h"
#include "kf_p256_lanes_list.h"
#include "kf_p256_words.h"

enum { KF_CHUNK = 256, KF_PART = 128, KF_MANY_CHUNK = 512, KF_LIMB_BYTES = 34 };

static size_t kf_vectors_of(int num) { return ((size_t)num + KF_LANES - 1) / KF_LANES; }

/* Room for the longer of two uses. */
static size_t kf_longer(size_t a, size_t b) { return a > b ? a : b; }

/* A tree of num_points per item. */
typedef struct {
    kf_points *points;
    kf_quotients quotients;
    kf_lane *zero;
    size_t vectors; /* of each row */
} kf_tree;

static void kf_tree_carve(kf_tree *tree, uintptr_t *at, size_t num_points, size_t vectors) {
    const size_t additions = num_points / 2 * vectors;
    tree->points = carve(at, num_points * vectors * sizeof *tree->points);
    tree->quotients.difference = carve(at, additions * sizeof(kf_factor));
    tree->quotients.before = carve(at, (additions + KF_CHAINS) * sizeof(kf_factor));
    tree->zero = carve(at, vectors * sizeof *tree->zero);
    tree->vectors = vectors;
}

/* ---- G's table --------------------------------------------------------------------------------------- */

/* Byte by byte (kf_lanes_look_up): of x, then of y, 7 bytes of limbs 0 to 3 and 6 of limb 4. */
static uint8_t kf_columns[TABLE_WINDOWS][2 * KF_LIMB_BYTES][TABLE_ENTRIES] __attribute__((aligned(64)));
static kf_p256_point kf_exception; /* k G for the k that kf_lanes_base_mul is about */

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

static void kf_lanes_prepare(void) {
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
static KF_LANE_TARGET __attribute__((noinline)) void kf_store_row(kf_p256_point *r, const kf_tree *tree, const uint64_t *even,
                                                                  int num) {
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

/* Up to the last level no sum meets an exception. The sums a, b of two disjoint sets of windows are odd times 256 to the
 * power of their lowest windows, which differ, so a = +-b cannot be; and a +- b = +-n, with |a| + |b| < 2 n, is possible
 * only where window 0, since n is odd, and window 31, for its size, are among them. At the last level they are: a, the even
 * windows, is below 2^248, so that a + b = k, odd and from 1 to n - 1, leaves b - a = n alone: the digits of b and -a are
 * those of n, and k is the one of kf_exception. */
static KF_LANE_TARGET __attribute__((noinline)) void kf_base_mul_in_lanes(kf_p256_point *r, const kf_p256_scalar *k, int num,
                                                                          void *scratch) {
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

/* ---- verification ---------------------------------------------------------------------------------------- */

/* Where the scalars of lanes stand: every stride bytes one; lanes beyond num take the first. */
typedef struct {
    const uint8_t *at;
    size_t stride;
    int num;
} kf_scalars;

static const kf_p256_scalar *kf_scalar_at(const kf_scalars *scalars, size_t i) {
    return (const kf_p256_scalar *)(scalars->at + (i < (size_t)scalars->num ? i : 0) * scalars->stride);
}

/* Columns of terms of u P, read from a table of kf_p256_base.h. */
static KF_LANE_TARGET __attribute__((noinline)) void kf_gather_var(kf_points *points, size_t vectors, const kf_p256_point *table,
                                                                   const kf_scalars *scalars) {
    for (size_t v = 0; v < vectors; v++) {
        const kf_p256_fe *x[KF_LANES], *y[KF_LANES];
        uint64_t even[KF_LANES], digits[KF_LANES][4], negative[KF_LANES] __attribute__((aligned(64)));
        kf_p256_scalar odd;
        for (size_t i = 0; i < KF_LANES; i++) {
            kf_scalar_odd(&odd, &even[i], kf_scalar_at(scalars, v * KF_LANES + i));
            kf_scalar_digits(digits[i], &odd);
        }
        for (size_t w = 0; w < TABLE_WINDOWS; w++) {
            kf_points *to = &points[w * vectors + v];
            for (size_t i = 0; i < KF_LANES; i++) {
                const uint64_t place = kf_digit_place(&negative[i], digits[i][w / 8] >> (w % 8 * 8) & 0xff);
                const kf_p256_point *from = &table[w * TABLE_ENTRIES + place];
                x[i] = &from->x, y[i] = &from->y, negative[i] ^= even[i];
            }
            kf_lanes_load_uncarried(&to->x, x), kf_lanes_load_uncarried(&to->y, y);
            kf_lanes_negate(&to->y, *(const kf_lane *)negative);
        }
    }
}

static void kf_add_up_var(const kf_tree *tree, size_t num_points) {
    memset(tree->zero, 0, tree->vectors * sizeof *tree->zero);
    while (num_points > 1) {
        const size_t half = num_points / 2;
        kf_lanes_add_checked(tree->points, tree->points + (num_points - half) * tree->vectors, half * tree->vectors,
                             &tree->quotients, tree->zero, tree->vectors);
        num_points -= half;
    }
}

/* Whether x = r modulo n: x is r, or r + n where that is below p (SEC 1 4.1.4 step 8). x is in Montgomery form. */
static int kf_x_is_var(const kf_p256_fe *x, const kf_p256_scalar *r) {
    kf_p256_fe plain;
    uint64_t less[4];
    fe_mul(&plain, x, &kf_p256_raw_one);
    if (kf_words_equal(plain.v, r->v)) return 1;
    return !kf_words_sub(less, plain.v, kf_p256_n.v) && kf_words_equal(less, r->v);
}

/* u = 0 has no digits of its own: kf_gather_var has read n P, infinity, which only a flag can follow. */
static KF_LANE_TARGET __attribute__((noinline)) void kf_compare_var(uint8_t *outcome, const kf_p256_equation *equations,
                                                                    const kf_tree *tree, int num) {
    kf_p256_fe x[KF_LANES], *to[KF_LANES];
    for (size_t i = 0; i < KF_LANES; i++) to[i] = &x[i];
    for (size_t v = 0; v < tree->vectors; v++) {
        const uint64_t *zero = (const uint64_t *)&tree->zero[v];
        kf_lanes_store(to, &tree->points[v].x);
        for (size_t i = 0; i < KF_LANES && v * KF_LANES + i < (size_t)num; i++) {
            const kf_p256_equation *equation = &equations[v * KF_LANES + i];
            const int exception = zero[i] || kf_words_zero(equation->u1.v) || kf_words_zero(equation->u2.v);
            outcome[v * KF_LANES + i] = exception ? KF_P256_EXCEPTION : kf_x_is_var(&x[i], &equation->r) ? KF_P256_YES : KF_P256_NO;
        }
    }
}

/* Up to KF_PART items: with two terms for each digit more would not stay in the cache. */
static KF_LANE_TARGET __attribute__((noinline)) void kf_verify_key_in_lanes(uint8_t *outcome, const kf_p256_equation *equations,
                                                                            const void *table, int num, void *scratch) {
    const size_t vectors = kf_vectors_of(num);
    const kf_scalars u1 = {(const uint8_t *)&equations->u1, sizeof *equations, num};
    const kf_scalars u2 = {(const uint8_t *)&equations->u2, sizeof *equations, num};
    uintptr_t at = (uintptr_t)scratch;
    kf_tree tree;
    kf_tree_carve(&tree, &at, 2 * TABLE_WINDOWS, vectors);
    kf_gather_var(tree.points, vectors, kf_p256_base_table, &u1);
    kf_gather_var(tree.points + TABLE_WINDOWS * vectors, vectors, table, &u2);
    kf_add_up_var(&tree, 2 * TABLE_WINDOWS);
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

enum { KEY_BITS = 5, KEY_WINDOWS = (256 + KEY_BITS - 1) / KEY_BITS, KEY_ENTRIES = 1 << (KEY_BITS - 1) };

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
    kf_tree_carve(&work->tree, &at, TABLE_WINDOWS, kf_vectors_of(num < KF_CHUNK ? num : KF_CHUNK));
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

static KF_LANE_TARGET __attribute__((noinline)) void kf_load_keys(kf_points *row, size_t vectors, const kf_p256_point *keys, int num) {
    for (size_t v = 0; v < vectors; v++) {
        const kf_p256_fe *x[KF_LANES], *y[KF_LANES];
        for (size_t i = 0; i < KF_LANES; i++) {
            const kf_p256_point *key = &keys[v * KF_LANES + i < (size_t)num ? v * KF_LANES + i : 0];
            x[i] = &key->x, y[i] = &key->y;
        }
        kf_lanes_load(&row[v].x, x), kf_lanes_load(&row[v].y, y);
    }
}

/* digit[w]: an odd number of up to 260 bits is the sum of (2 digit[w] - 31) 32^w; returns a mask that says n - u. */
static uint64_t kf_key_digits(uint8_t digit[KEY_WINDOWS], const kf_p256_scalar *u) {
    kf_p256_scalar odd;
    uint64_t even, bits[5];
    kf_scalar_odd(&odd, &even, u);
    for (int i = 0; i < 4; i++) bits[i] = odd.v[i] >> 1 | (i < 3 ? odd.v[i + 1] << 63 : 0);
    bits[4] = 1ULL << (KEY_BITS * KEY_WINDOWS - 1 - 256); /* the top bit */
    for (int w = 0; w < KEY_WINDOWS; w++) {
        const int bit = KEY_BITS * w, word = bit / 64, shift = bit % 64;
        uint64_t value = bits[word] >> shift;
        if (shift > 64 - KEY_BITS) value |= bits[word + 1] << (64 - shift);
        digit[w] = value & (2 * KEY_ENTRIES - 1);
    }
    return even;
}

/* Of each lane the multiple that its digit stands for: x, and 2 p + y or 2 p - y, which is not carried. */
KF_LANE_FN void kf_pick_multiple_var(kf_number *x, kf_lane y[5], const kf_points *odd, size_t vectors,
                                     uint8_t digit[KF_LANES][KEY_WINDOWS], const uint64_t even[KF_LANES], int w) {
    uint64_t picked[sizeof(kf_points) / sizeof(kf_lane)][KF_LANES] __attribute__((aligned(64)));
    uint64_t negative[KF_LANES] __attribute__((aligned(64)));
    for (size_t i = 0; i < KF_LANES; i++) {
        const int minus = digit[i][w] < KEY_ENTRIES;
        const size_t entry = (minus ? ~digit[i][w] : digit[i][w]) & (KEY_ENTRIES - 1);
        const uint64_t *from = (const uint64_t *)&odd[entry * vectors] + i;
        for (size_t k = 0; k < sizeof picked / sizeof picked[0]; k++) picked[k][i] = from[k * KF_LANES];
        negative[i] = even[i] ^ (minus ? ~0ULL : 0);
    }
    const kf_points *point = (const kf_points *)picked;
    const kf_lane mask = *(const kf_lane *)negative;
    *x = point->x;
    KF_UNROLL(int k = 0; k < 5; k++)
        y[k] = kf_lane_add(KF_CONSTANT(plus_2p[k]), kf_lane_sub(kf_lane_xor(point->y.limb[k], mask), mask));
}

/* sum = u2 Q of one vector of items, whose odd multiples stand every vectors ones. The top digit is always 16: Q. */
static KF_LANE_TARGET __attribute__((noinline)) void kf_multiply_keys_var(kf_jacobians *sum, const kf_points *odd, size_t vectors,
                                                                          const kf_scalars *u2, size_t first) {
    uint8_t digit[KF_LANES][KEY_WINDOWS];
    uint64_t even[KF_LANES];
    kf_lane limb[5];
    kf_number x;
    kf_factor x2, y2;
    for (size_t i = 0; i < KF_LANES; i++) even[i] = kf_key_digits(digit[i], kf_scalar_at(u2, first + i));
    kf_pick_multiple_var(&sum->x, limb, odd, vectors, digit, even, KEY_WINDOWS - 1);
    kf_lanes_fold(&sum->y, limb);
    kf_lanes_one(&sum->z);
    for (int w = KEY_WINDOWS - 2; w >= 0; w--) {
        for (int bit = 0; bit < KEY_BITS; bit++) kf_lanes_jacobian_double(sum);
        kf_pick_multiple_var(&x, limb, odd, vectors, digit, even, w);
        kf_lanes_factor(&x2, &x), kf_lanes_carry_to_factor(&y2, limb);
        kf_lanes_jacobian_add(sum, &x2, &y2);
    }
}

/* u1 G + u2 Q, as x and z^2. */
static KF_LANE_TARGET __attribute__((noinline)) void kf_join_var(kf_p256_fe *x, kf_p256_fe *zz, kf_jacobians *sum, const kf_points *base) {
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
static KF_LANE_TARGET __attribute__((noinline)) void kf_finish_many_var(uint8_t *outcome, const kf_p256_equation *equations,
                                                                        kf_jacobians *sums, const kf_tree *tree, int num) {
    const kf_scalars u1 = {(const uint8_t *)&equations->u1, sizeof *equations, num};
    kf_gather_var(tree->points, tree->vectors, kf_p256_base_table, &u1);
    kf_add_up_var(tree, TABLE_WINDOWS);
    for (size_t v = 0; v < tree->vectors; v++) {
        const uint64_t *zero = (const uint64_t *)&tree->zero[v];
        kf_p256_fe x[KF_LANES], zz[KF_LANES];
        kf_join_var(x, zz, &sums[v], &tree->points[v]);
        for (size_t i = 0; i < KF_LANES && v * KF_LANES + i < (size_t)num; i++) {
            const kf_p256_equation *equation = &equations[v * KF_LANES + i];
            const int exception = zero[i] || kf_words_zero(zz[i].v) || kf_words_zero(equation->u1.v) || kf_words_zero(equation->u2.v);
            outcome[v * KF_LANES + i] = exception                                          ? KF_P256_EXCEPTION
                                        : kf_x_over_zz_is_var(&x[i], &zz[i], &equation->r) ? KF_P256_YES
                                                                                           : KF_P256_NO;
        }
    }
}

static KF_LANE_TARGET __attribute__((noinline)) void kf_verify_many_in_lanes(uint8_t *outcome, const kf_p256_equation *equations,
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

static void kf_lanes_verify_many_var(uint8_t *outcome, const kf_p256_equation *equations, const kf_p256_point *keys, int num,
                                     void *scratch) {
    const unsigned before = kf_lanes_enter();
    kf_verify_many_in_lanes(outcome, equations, keys, num, scratch);
    kf_lanes_leave(before);
}

/* ---- the rest ------------------------------------------------------------------------------------------------ */

static size_t kf_lanes_scratch_len(int num) {
    kf_base_work work;
    kf_tree tree;
    uintptr_t key = 0;
    kf_tree_carve(&tree, &key, 2 * TABLE_WINDOWS, kf_vectors_of(num < KF_PART ? num : KF_PART));
    return kf_longer(kf_longer(kf_base_carve(&work, num, NULL), key), KF_LANES_ARITH.table_scratch_len);
}

static size_t kf_lanes_many_scratch_len(int num) {
    kf_many_work work;
    return kf_many_carve(&work, num, NULL);
}

static int kf_lanes_sum_var(kf_p256_jacobian *r, const kf_p256_point *points, const uint64_t *c, int num, void *scratch) {
    const unsigned before = kf_lanes_enter();
    const int ok = sum_var(r, points, c, num, scratch);
    kf_lanes_leave(before);
    return ok;
}

static void kf_lanes_key_table_var(void *table, const kf_p256_point *q, void *scratch) {
    KF_LANES_ARITH.fill_table_var(table, q, scratch);
}

static const kf_p256_impl kf_lanes_impl = {
    .name = KF_LANES_NAME,
    .arith = &KF_LANES_ARITH,
    .chunk = KF_CHUNK,
    .many_chunk = KF_MANY_CHUNK,
    .scratch_len = kf_lanes_scratch_len,
    .many_scratch_len = kf_lanes_many_scratch_len,
    .sum_scratch_len = sum_scratch_len,
    .key_table_len = sizeof(kf_p256_point) * TABLE_POINTS,
    .prepare = kf_lanes_prepare,
    .base_mul = kf_lanes_base_mul,
    .key_table_var = kf_lanes_key_table_var,
    .verify_key_var = kf_lanes_verify_key_var,
    .verify_many_var = kf_lanes_verify_many_var,
    .sum_var = kf_lanes_sum_var,
};

#endif
