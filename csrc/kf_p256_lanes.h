/*
 * Arithmetic modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1 on KF_LANES numbers at a time. A template: a kernel file
 * includes a make of lanes first (kf_p256_lane_fma.h, kf_p256_lane_ifma.h; the tests have one in plain C that checks
 * every bound named here), then this file.
 *
 * What a make defines:
 *   KF_LANES, KF_LANE_TARGET, KF_LANE_FN  the number of lanes; attributes of functions, and of those to be inlined
 *   kf_lane            a vector of 64-bit integers, with kf_lane_add, _sub, _and, _or, _xor, _shl, _shr, _all, and the
 *                      masks _is_zero and _negative (of two's complement)
 *   kf_operand         a vector of integers from 0 to 2^52 - 1 in the form that multiplication wants: kf_lane_operand
 *                      makes it, kf_lane_integer unmakes it
 *   kf_lane_multiply   adds the lower and the upper 52 bits of a product of operands to two columns, each with a
 *                      constant
 *   KF_LANE_BIAS       what a column begins with, so that it is right once its products are added
 *   kf_lane_digit, kf_lane_add_shifted   a column modulo 2^52, and that times a power of two added to two columns
 *   kf_lane_load_words, kf_lane_store_words   four words of each lane from and to memory
 *   kf_lane_expect     checks that lanes are below 2^bits, or nothing
 *   kf_lanes_enter, kf_lanes_leave       around all of it
 *
 * Numbers have five limbs of 52 bits and are kept times R = 2^260 (Montgomery form), in two forms of one value:
 *   kf_number     integers. Limbs 0 to 3 are from 0 to 2^52 - 1, limb 4 from 0 to 2^48 + 2^21: below 1.01 p.
 *                 Coordinates that only differences are made of may also be as kf_lanes_load_uncarried or
 *                 kf_lanes_negate leave them.
 *   kf_factor     operands, limbs from 0 to 2^52 - 1; below 8 p.
 *
 * Bounds, in units of p, where R > 16 p:
 * - a product of a and b is at most a b / 16 + 1, for it is (a b + m p) / R with m < R;
 * - a column holds at most 10 halves of products and 6 parts of its reduction, each below 2^52, a carry below 2^12 and,
 *   in the upper five, a difference below 2^56: less than 2^58 in all;
 * - a difference plus 2 p is from 0.98 to 3.01, one of three plus 4 p from 1.98 to 4;
 * - a chain of products x = x d with d up to 3.01 stays below 1.24, since 1.24 3.01 / 16 + 1 < 1.24.
 * Nothing here branches on or indexes with data.
 */
#ifndef KF_P256_LANES_H
#define KF_P256_LANES_H

#include <stddef.h>

#include "kf_p256.h"

typedef struct {
    kf_lane limb[5];
} kf_number;

typedef struct {
    kf_operand limb[5];
} kf_factor;

#define KF_LIMB_MASK 0xfffffffffffffULL

/* Limb i of p, and of m p with 2^55 more in limbs 0 to 3, which the limb above gives back: added to a difference, it
 * leaves no limb negative. */
#define KF_P_LIMB(i)                 \
    ((i) == 0   ? KF_LIMB_MASK       \
     : (i) == 1 ? (1ULL << 44) - 1   \
     : (i) == 2 ? 0                  \
     : (i) == 3 ? 1ULL << 36         \
                : (1ULL << 48) - (1ULL << 16))
#define KF_P_WIDE(m, i) ((m)*KF_P_LIMB(i) + ((i) < 4 ? 1ULL << 55 : 0) - ((i) > 0 ? 1ULL << 3 : 0))

/* How many lower and upper halves end up in column k of a multiplication and its reduction. */
#define KF_ROWS(k) ((k) < 0 ? 0 : (k) < 5 ? (k) + 1 : (k) < 9 ? 9 - (k) : 0)
#define KF_COLUMN_BIAS(k) KF_LANE_BIAS(KF_ROWS(k) + ((k) >= 4 && (k) <= 8), KF_ROWS((k)-1) + ((k) >= 5))

/* Constants as whole vectors, which instructions take from memory. The pointer is hidden from the compiler: of a
 * constant that it knows it makes a move to a register and a broadcast, on the port that multiplies. */
typedef struct {
    uint64_t bias[10][KF_LANES];      /* what columns begin with */
    uint64_t bias_plus_2p[5][KF_LANES], bias_plus_4p[5][KF_LANES]; /* the upper five with a multiple of p */
    uint64_t plus_2p[5][KF_LANES], mask[KF_LANES];
} __attribute__((aligned(64))) kf_lanes_constants;

#if KF_LANES == 8
#define KF_EVERY(x) \
    { x, x, x, x, x, x, x, x }
#elif KF_LANES == 4
#define KF_EVERY(x) \
    { x, x, x, x }
#else
#define KF_EVERY(x) \
    { x }
#endif
#define KF_EACH_LIMB(of) \
    { KF_EVERY(of(0)), KF_EVERY(of(1)), KF_EVERY(of(2)), KF_EVERY(of(3)), KF_EVERY(of(4)) }
#define KF_PLUS_2P(i) KF_P_WIDE(2, i)
#define KF_BIAS_PLUS_2P(i) (KF_COLUMN_BIAS((i) + 5) + KF_P_WIDE(2, i))
#define KF_BIAS_PLUS_4P(i) (KF_COLUMN_BIAS((i) + 5) + KF_P_WIDE(4, i))
#define KF_BIAS(k) KF_EVERY(KF_COLUMN_BIAS(k))

static const kf_lanes_constants KF_LANES_CONSTANTS = {
    .bias = {KF_BIAS(0), KF_BIAS(1), KF_BIAS(2), KF_BIAS(3), KF_BIAS(4), KF_BIAS(5), KF_BIAS(6), KF_BIAS(7), KF_BIAS(8),
             KF_BIAS(9)},
    .bias_plus_2p = KF_EACH_LIMB(KF_BIAS_PLUS_2P),
    .bias_plus_4p = KF_EACH_LIMB(KF_BIAS_PLUS_4P),
    .plus_2p = KF_EACH_LIMB(KF_PLUS_2P),
    .mask = KF_EVERY(KF_LIMB_MASK),
};

KF_LANE_FN const kf_lanes_constants *kf_lanes_hidden(void) {
    const kf_lanes_constants *constants = &KF_LANES_CONSTANTS;
    __asm__("" : "+r"(constants));
    return constants;
}
#define KF_CONSTANT(name) (*(const kf_lane *)kf_lanes_hidden()->name)
/* A function that is called, not inlined: see kf_lanes_enter of kf_p256_lane_fma.h. */
#define KF_LANE_CALL static KF_LANE_TARGET __attribute__((noinline))
#define KF_UNROLL _Pragma("GCC unroll 10") for
#define KF_UNROLL_ALL _Pragma("GCC unroll 64") for

/* ---- carries -------------------------------------------------------------------------------------- */

/* The same value in limbs from 0 to 2^52 - 1 but for the last; no limb is negative before. */
KF_LANE_FN void kf_lanes_carry(kf_lane limb[5]) {
    const kf_lane mask = KF_CONSTANT(mask);
    KF_UNROLL(int i = 0; i < 4; i++) {
        kf_lane_expect(limb[i], 60);
        limb[i + 1] = kf_lane_add(limb[i + 1], kf_lane_shr(limb[i], 52));
        limb[i] = kf_lane_and(limb[i], mask);
    }
}

KF_LANE_FN void kf_lanes_factor(kf_factor *r, const kf_number *a) {
    KF_UNROLL(int i = 0; i < 5; i++) r->limb[i] = kf_lane_operand(a->limb[i]);
}

KF_LANE_FN void kf_lanes_carry_to_factor(kf_factor *r, kf_lane limb[5]) {
    kf_lanes_carry(limb);
    KF_UNROLL(int i = 0; i < 5; i++) r->limb[i] = kf_lane_operand(limb[i]);
}

/* Takes limb[4] / 2^48 times p off, where 2^256 is 2^224 - 2^192 - 2^96 + 1 modulo p: of a value below 18 p it leaves
 * less than 1.01 p. Limbs 1 and 3 may become negative. */
KF_LANE_FN void kf_lanes_take_multiple(kf_lane limb[5]) {
    const kf_lane times = kf_lane_shr(limb[4], 48);
    kf_lane_expect(limb[4], 53);
    limb[4] = kf_lane_add(kf_lane_and(limb[4], kf_lane_all((1ULL << 48) - 1)), kf_lane_shl(times, 16));
    limb[3] = kf_lane_sub(limb[3], kf_lane_shl(times, 36));
    limb[1] = kf_lane_sub(limb[1], kf_lane_shl(times, 44));
    limb[0] = kf_lane_add(limb[0], times);
}

/* A number from limbs whose value is below 18 p, limbs 1 and 3 from 2^54 on. What the carries add to limb 4 is less
 * than 2^6. */
KF_LANE_FN void kf_lanes_fold(kf_number *r, kf_lane limb[5]) {
    kf_lanes_take_multiple(limb);
    kf_lanes_carry(limb);
    kf_lane_expect(limb[4], 49);
    KF_UNROLL(int i = 0; i < 5; i++) r->limb[i] = limb[i];
}

/* ---- products ------------------------------------------------------------------------------------- */

/* Makes column 0 a multiple of 2^52 by adding m p, where m is the column modulo 2^52 (p = -1 modulo 2^52), and carries
 * it to column 1: m p = -m + m (2^44 2^52 + 2^36 2^156 + (2^48 - 2^16) 2^208). */
KF_LANE_FN void kf_lanes_reduce_column(kf_lane *column) {
    kf_lane_expect(column[0], 58);
    const kf_lane m = kf_lane_digit(column[0]);
    column[1] = kf_lane_add(column[1], kf_lane_shr(column[0], 52));
    kf_lane_add_shifted(&column[1], &column[2], m, 44);
    kf_lane_add_shifted(&column[3], &column[4], m, 36);
    kf_lane_multiply(&column[4], &column[5], kf_lane_operand(m), kf_lane_operand(kf_lane_all(KF_P_LIMB(4))));
}

/* r = (a b + m p) / R + what is added, not carried. upper: what columns 5 to 9 begin with, the constants and what is to
 * be added; NULL is nothing added. */
KF_LANE_FN void kf_lanes_product(kf_lane r[5], const kf_factor *a, const kf_factor *b, const kf_lane *upper) {
    kf_lane column[10];
    KF_UNROLL(int k = 0; k < 10; k++) column[k] = upper && k >= 5 ? upper[k - 5] : KF_CONSTANT(bias[k]);
    KF_UNROLL(int i = 0; i < 5; i++) {
        KF_UNROLL(int j = 0; j < 5; j++)
            kf_lane_multiply(&column[i + j], &column[i + j + 1], a->limb[j], b->limb[i]);
        kf_lanes_reduce_column(column + i);
    }
    KF_UNROLL(int i = 0; i < 5; i++) r[i] = column[i + 5];
}

/* The same of a a, column by column: what stands off the diagonal is computed once and doubled. */
KF_LANE_FN void kf_lanes_square(kf_lane r[5], const kf_factor *a, const kf_lane *upper) {
    kf_lane column[10], once[10];
    KF_UNROLL(int k = 0; k < 10; k++) {
        column[k] = upper && k >= 5 ? upper[k - 5] : KF_CONSTANT(bias[k]);
        once[k] = kf_lane_all(0);
    }
    KF_UNROLL(int k = 0; k < 9; k++) {
        KF_UNROLL(int i = 0; i < 4; i++)
            if (i < k - i && k - i < 5) kf_lane_multiply(&once[k], &once[k + 1], a->limb[k - i], a->limb[i]);
        column[k] = kf_lane_add(column[k], kf_lane_add(once[k], once[k]));
        if (k % 2 == 0) kf_lane_multiply(&column[k], &column[k + 1], a->limb[k / 2], a->limb[k / 2]);
        if (k < 5) kf_lanes_reduce_column(column + k);
    }
    KF_UNROLL(int i = 0; i < 5; i++) r[i] = column[i + 5];
}

KF_LANE_FN void kf_lanes_mul(kf_factor *r, const kf_factor *a, const kf_factor *b) {
    kf_lane limb[5];
    kf_lanes_product(limb, a, b, NULL);
    kf_lanes_carry_to_factor(r, limb);
}
KF_LANE_FN void kf_lanes_sqr(kf_factor *r, const kf_factor *a) {
    kf_lane limb[5];
    kf_lanes_square(limb, a, NULL);
    kf_lanes_carry_to_factor(r, limb);
}

/* ---- sums ------------------------------------------------------------------------------------------ */

/* r = a - b, below 3.01. */
KF_LANE_FN void kf_lanes_sub(kf_factor *r, const kf_number *a, const kf_number *b) {
    kf_lane limb[5];
    KF_UNROLL(int i = 0; i < 5; i++)
        limb[i] = kf_lane_add(kf_lane_sub(a->limb[i], b->limb[i]), KF_CONSTANT(plus_2p[i]));
    kf_lanes_carry_to_factor(r, limb);
}

/* r = a b - c, folded. */
KF_LANE_FN void kf_lanes_mul_sub(kf_number *r, const kf_factor *a, const kf_factor *b, const kf_number *c) {
    kf_lane upper[5], limb[5];
    KF_UNROLL(int i = 0; i < 5; i++) upper[i] = kf_lane_sub(KF_CONSTANT(bias_plus_2p[i]), c->limb[i]);
    kf_lanes_product(limb, a, b, upper);
    kf_lanes_fold(r, limb);
}

/* r = a a - b - c, folded. */
KF_LANE_FN void kf_lanes_sqr_sub(kf_number *r, const kf_factor *a, const kf_number *b, const kf_number *c) {
    kf_lane upper[5], limb[5];
    KF_UNROLL(int i = 0; i < 5; i++)
        upper[i] = kf_lane_sub(KF_CONSTANT(bias_plus_4p[i]), kf_lane_add(b->limb[i], c->limb[i]));
    kf_lanes_square(limb, a, upper);
    kf_lanes_fold(r, limb);
}

/* -a where mask is set, as p - a: limbs 0 to 3 then are up to 2^53, limb 4 below 2^48: for kf_lanes_sub and as what a
 * product loses, and for nothing else. ~a is -a - 1, hence the 1 in each limb. */
KF_LANE_FN void kf_lanes_negate(kf_number *a, kf_lane mask) {
    KF_UNROLL(int i = 0; i < 5; i++) {
        const uint64_t p = KF_P_LIMB(i) + (i < 4 ? 1ULL << 52 : 0) - (i > 0) + 1;
        a->limb[i] = kf_lane_add(kf_lane_xor(a->limb[i], mask), kf_lane_and(kf_lane_all(p), mask));
    }
}

/* All bits where a = 0 modulo p, else none, for a from 0.9 to 4: a is k p then, k from 1 to 3, and k is seen in limb
 * 0. */
KF_LANE_FN kf_lane kf_lanes_is_zero(const kf_factor *a) {
    kf_lane limb[5];
    KF_UNROLL(int i = 0; i < 5; i++) limb[i] = kf_lane_integer(a->limb[i]);
    const kf_lane k = kf_lane_sub(kf_lane_all(1ULL << 52), limb[0]);
    kf_lane other = kf_lane_or(kf_lane_shr(k, 2), limb[2]);
    other = kf_lane_or(other, kf_lane_xor(limb[1], kf_lane_sub(kf_lane_shl(k, 44), kf_lane_all(1))));
    other = kf_lane_or(other, kf_lane_xor(limb[3], kf_lane_shl(k, 36)));
    other = kf_lane_or(other, kf_lane_xor(limb[4], kf_lane_sub(kf_lane_shl(k, 48), kf_lane_shl(k, 16))));
    return kf_lane_is_zero(other);
}

/* ---- from and to four words ------------------------------------------------------------------------ */

/* Field elements of KF_LANES addresses, each times 2^256: times 16 here, which is limb by limb from 0 to 16 p. */
KF_LANE_FN void kf_lanes_load_limbs(kf_lane limb[5], const kf_p256_fe *const from[KF_LANES]) {
    kf_lane w[4];
    const kf_lane mask = KF_CONSTANT(mask);
    kf_lane_load_words(w, (const uint64_t *const *)from);
    limb[0] = kf_lane_and(kf_lane_shl(w[0], 4), mask);
    limb[1] = kf_lane_and(kf_lane_or(kf_lane_shr(w[0], 48), kf_lane_shl(w[1], 16)), mask);
    limb[2] = kf_lane_and(kf_lane_or(kf_lane_shr(w[1], 36), kf_lane_shl(w[2], 28)), mask);
    limb[3] = kf_lane_and(kf_lane_or(kf_lane_shr(w[2], 24), kf_lane_shl(w[3], 40)), mask);
    limb[4] = kf_lane_shr(w[3], 12);
}

KF_LANE_FN void kf_lanes_load(kf_number *r, const kf_p256_fe *const from[KF_LANES]) {
    kf_lane limb[5];
    kf_lanes_load_limbs(limb, from);
    KF_UNROLL(int i = 0; i < 5; i++) limb[i] = kf_lane_add(limb[i], kf_lane_all(KF_P_WIDE(1, i)));
    kf_lanes_fold(r, limb);
}

/* The same for coordinates that only differences are made of: not carried, limbs 1 and 3 from -2^48 on. */
KF_LANE_FN void kf_lanes_load_uncarried(kf_number *r, const kf_p256_fe *const from[KF_LANES]) {
    kf_lanes_load_limbs(r->limb, from);
    kf_lanes_take_multiple(r->limb);
}

/* The field elements, fully reduced and times 2^256, of numbers below 2 p. */
KF_LANE_FN void kf_lanes_store(kf_p256_fe *const to[KF_LANES], const kf_number *a) {
    kf_lane less[5], w[4], limb[5];
    KF_UNROLL(int i = 0; i < 5; i++) less[i] = kf_lane_add(a->limb[i], kf_lane_all(KF_P_WIDE(-1ULL, i)));
    kf_lanes_carry(less);
    const kf_lane below = kf_lane_negative(less[4]); /* a < p */
    KF_UNROLL(int i = 0; i < 5; i++)
        limb[i] = kf_lane_xor(less[i], kf_lane_and(below, kf_lane_xor(less[i], a->limb[i])));
    /* (a + m p) / 16, where m = a modulo 16 */
    const kf_lane m = kf_lane_and(limb[0], kf_lane_all(15));
    limb[0] = kf_lane_sub(limb[0], m);
    limb[1] = kf_lane_add(limb[1], kf_lane_shl(m, 44));
    limb[3] = kf_lane_add(limb[3], kf_lane_shl(m, 36));
    limb[4] = kf_lane_add(limb[4], kf_lane_sub(kf_lane_shl(m, 48), kf_lane_shl(m, 16)));
    kf_lanes_carry(limb);
    w[0] = kf_lane_or(kf_lane_shr(limb[0], 4), kf_lane_shl(limb[1], 48));
    w[1] = kf_lane_or(kf_lane_shr(limb[1], 16), kf_lane_shl(limb[2], 36));
    w[2] = kf_lane_or(kf_lane_shr(limb[2], 28), kf_lane_shl(limb[3], 24));
    w[3] = kf_lane_or(kf_lane_shr(limb[3], 40), kf_lane_shl(limb[4], 12));
    kf_lane_store_words((uint64_t *const *)to, w);
}

#endif
