/*
 * Template: many additions of affine points at once, all with one inversion (Montgomery's trick).
 * An addition costs five multiplications and a square: three to share the inversion, three for the slope and the new
 * point. Four chains of products run side by side, so that the processor has four multiplications under way.
 * Rules:
 * - add_distinct and add_last are constant time and for points whose sums are known not to meet exceptions;
 *   the _var functions find exceptions, leave the point as it was and flag its item;
 * - so every value stays a point of the curve, no denominator becomes 0, and no item spoils another.
 */

#include "kf_p256_carve.h"
#include "kf_p256_term.h"

/* d: the denominators, f: the products of their chains before them; num values each. */
typedef struct {
    kf_p256_fe *d, *f;
    uint8_t *flags;
} affine_work;

/* Room for num additions, without flags. */
static void carve_work(affine_work *work, uintptr_t *at, size_t num) {
    work->d = carve(at, num * sizeof *work->d);
    work->f = carve(at, num * sizeof *work->f);
}

static void chains_begin(kf_p256_fe chain[CHAINS]) {
    for (int c = 0; c < CHAINS; c++) chain[c] = kf_p256_one;
}

static void chains_invert(kf_p256_fe chain[CHAINS]) {
    kf_p256_fe a01, a23, t, r01, r23;
    fe_mul(&a01, &chain[0], &chain[1]), fe_mul(&a23, &chain[2], &chain[3]);
    fe_mul(&t, &a01, &a23), fe_inverse(&t, &t);
    fe_mul(&r01, &t, &a23), fe_mul(&r23, &t, &a01);
    fe_mul(&t, &r01, &chain[1]), fe_mul(&chain[1], &r01, &chain[0]), chain[0] = t;
    fe_mul(&t, &r23, &chain[3]), fe_mul(&chain[3], &r23, &chain[2]), chain[2] = t;
}

enum addition { DISTINCT, LAST, CHECKED };

#ifndef EACH_CHAIN
#define EACH_CHAIN _Pragma("GCC unroll 4") for (size_t c = 0; c < CHAINS; c++)
#endif

/* The way back through four additions: each step for all four before the next one. */
TEMPLATE_INLINE void add_four(kf_p256_point *p, const kf_p256_point *q, const kf_p256_fe *d, const kf_p256_fe *f,
                              kf_p256_fe chain[CHAINS], enum addition kind) {
    kf_p256_fe slope[CHAINS], t[CHAINS], x3[CHAINS];
    uint64_t same[CHAINS];
    EACH_CHAIN fe_mul(&slope[c], &chain[c], &f[c]); /* 1 / d */
    EACH_CHAIN fe_mul(&chain[c], &chain[c], &d[c]);
    EACH_CHAIN {
        fe_sub(&t[c], &q[c].y, &p[c].y);
        if (kind == DISTINCT) continue;
        same[c] = kf_mask(kf_words_equal(p[c].x.v, q[c].x.v));
        if (kind == LAST) { /* the tangent where both are one point: (3 x^2 - 3) / 2 y */
            kf_p256_fe square, three;
            fe_sqr(&square, &p[c].x), fe_sub(&square, &square, &kf_p256_one);
            fe_add(&three, &square, &square), fe_add(&three, &three, &square);
            kf_words_select(t[c].v, t[c].v, three.v, same[c]);
        }
    }
    EACH_CHAIN fe_mul(&slope[c], &slope[c], &t[c]);
    EACH_CHAIN fe_sqr(&x3[c], &slope[c]);
    EACH_CHAIN {
        fe_sub(&x3[c], &x3[c], &p[c].x), fe_sub(&x3[c], &x3[c], &q[c].x);
        fe_sub(&t[c], &p[c].x, &x3[c]);
    }
    EACH_CHAIN fe_mul(&t[c], &t[c], &slope[c]);
    EACH_CHAIN {
        if (kind == CHECKED && same[c]) continue;
        fe_sub(&p[c].y, &t[c], &p[c].y);
        p[c].x = x3[c];
    }
}

/* p[i] += q[i] for num pairs, num a multiple of 4. */
TEMPLATE_INLINE void add_pairs(kf_p256_point *p, const kf_p256_point *q, size_t num, const affine_work *work,
                               enum addition kind, size_t items) {
    kf_p256_fe chain[CHAINS];
    chains_begin(chain);
    for (size_t i = 0; i < num; i += CHAINS) {
        EACH_CHAIN {
            kf_p256_fe *d = &work->d[i + c];
            fe_sub(d, &q[i + c].x, &p[i + c].x);
            if (kind == LAST) {
                kf_p256_fe twice_y;
                fe_add(&twice_y, &p[i + c].y, &p[i + c].y);
                kf_words_select(d->v, d->v, twice_y.v, kf_mask(kf_words_zero(d->v)));
            }
            if (kind == CHECKED && __builtin_expect((int)kf_words_zero(d->v), 0)) {
                *d = kf_p256_one;
                work->flags[(i + c) % items] = 1;
            }
            work->f[i + c] = chain[c];
            fe_mul(&chain[c], &chain[c], d);
        }
    }
    chains_invert(chain);
    for (size_t i = num; i > 0;) {
        i -= CHAINS;
        add_four(p + i, q + i, work->d + i, work->f + i, chain, kind);
    }
}

static __attribute__((noinline)) void add_distinct(kf_p256_point *p, const kf_p256_point *q, size_t num,
                                                   const affine_work *work) {
    add_pairs(p, q, num, work, DISTINCT, 1);
}

/* p and q may be the same point, but not each other's negatives. */
static __attribute__((noinline)) void add_last(kf_p256_point *p, const kf_p256_point *q, size_t num,
                                               const affine_work *work) {
    add_pairs(p, q, num, work, LAST, 1);
}

/* Pair i is of item i % items, whose flag is set when the pair has one x coordinate; p[i] stays as it is then. */
static __attribute__((noinline)) void add_checked_var(kf_p256_point *p, const kf_p256_point *q, size_t num,
                                                      const affine_work *work, size_t items) {
    add_pairs(p, q, num, work, CHECKED, items);
}

TEMPLATE_INLINE void double_four(kf_p256_point *p, const kf_p256_fe *d, const kf_p256_fe *f, kf_p256_fe chain[CHAINS]) {
    kf_p256_fe slope[CHAINS], t[CHAINS], x3[CHAINS];
    EACH_CHAIN fe_mul(&slope[c], &chain[c], &f[c]);
    EACH_CHAIN fe_mul(&chain[c], &chain[c], &d[c]);
    EACH_CHAIN fe_sqr(&t[c], &p[c].x);
    EACH_CHAIN {
        kf_p256_fe u;
        fe_sub(&t[c], &t[c], &kf_p256_one), fe_add(&u, &t[c], &t[c]), fe_add(&t[c], &t[c], &u);
    }
    EACH_CHAIN fe_mul(&slope[c], &slope[c], &t[c]);
    EACH_CHAIN fe_sqr(&x3[c], &slope[c]);
    EACH_CHAIN {
        fe_sub(&x3[c], &x3[c], &p[c].x), fe_sub(&x3[c], &x3[c], &p[c].x);
        fe_sub(&t[c], &p[c].x, &x3[c]);
    }
    EACH_CHAIN fe_mul(&t[c], &t[c], &slope[c]);
    EACH_CHAIN {
        fe_sub(&p[c].y, &t[c], &p[c].y);
        p[c].x = x3[c];
    }
}

/* p[i] = 2 p[i] for num points, a multiple of 4. No point of the curve has y = 0: its order is an odd prime. */
static __attribute__((noinline)) void double_all(kf_p256_point *p, size_t num, const affine_work *work) {
    kf_p256_fe chain[CHAINS];
    chains_begin(chain);
    for (size_t i = 0; i < num; i += CHAINS) {
        EACH_CHAIN {
            fe_add(&work->d[i + c], &p[i + c].y, &p[i + c].y);
            work->f[i + c] = chain[c];
            fe_mul(&chain[c], &chain[c], &work->d[i + c]);
        }
    }
    chains_invert(chain);
    for (size_t i = num; i > 0;) {
        i -= CHAINS;
        double_four(p + i, work->d + i, work->f + i, chain);
    }
}

/* ---- lists ------------------------------------------------------------------------------------------ */

/* The same additions from a list of any length, which has room for CHAINS - 1 more terms. A term whose points have one
 * x coordinate is not added: its item is flagged, and *to is *a. */
static __attribute__((noinline)) void add_list_var(affine_term *terms, size_t num, const affine_work *work) {
    kf_p256_fe chain[CHAINS];
    kf_p256_point unused;
    while (num % CHAINS) /* any sum of two points */
        terms[num++] = (affine_term){&unused, &kf_p256_base_table[0], &kf_p256_base_table[1], 0, 0};
    chains_begin(chain);
    for (size_t i = 0; i < num; i += CHAINS) {
        EACH_CHAIN {
            kf_p256_fe *d = &work->d[i + c];
            fe_sub(d, &terms[i + c].b->x, &terms[i + c].a->x);
            if (__builtin_expect((int)kf_words_zero(d->v), 0)) {
                *d = kf_p256_one;
                work->flags[terms[i + c].item] = 1;
            }
            work->f[i + c] = chain[c];
            fe_mul(&chain[c], &chain[c], d);
        }
    }
    chains_invert(chain);
    for (size_t i = num; i > 0;) {
        kf_p256_point a[CHAINS], b[CHAINS];
        i -= CHAINS;
        EACH_CHAIN {
            a[c] = *terms[i + c].a, b[c] = *terms[i + c].b;
            kf_fe_negate_if(&b[c].y, 0 - (uint64_t)terms[i + c].negative);
        }
        add_four(a, b, work->d + i, work->f + i, chain, CHECKED);
        for (size_t c = CHAINS; c-- > 0;) *terms[i + c].to = a[c];
    }
}

/* ---- tables ------------------------------------------------------------------------------------------- */

enum { POWERS = 256, TABLE_PAIRS = TABLE_WINDOWS * TABLE_ENTRIES / 2 };

typedef struct {
    kf_p256_jacobian jacobian[POWERS];
    kf_p256_point power[POWERS]; /* 2^i P */
    kf_p256_point sum[TABLE_PAIRS], addend[TABLE_PAIRS];
    kf_p256_fe d[TABLE_PAIRS], f[TABLE_PAIRS];
} table_scratch;

/* 2^i P for i from 0 to 255. */
static void powers_of_two(table_scratch *s, const kf_p256_point *p) {
    kf_p256_fe running = kf_p256_one, inverse, square;
    jacobian_from(&s->jacobian[0], p);
    for (int i = 1; i < POWERS; i++) jacobian_double(&s->jacobian[i], &s->jacobian[i - 1]);
    for (int i = 0; i < POWERS; i++) {
        s->f[i] = running;
        fe_mul(&running, &running, &s->jacobian[i].z);
    }
    fe_inverse(&running, &running);
    for (int i = POWERS; i-- > 0;) {
        const kf_p256_jacobian *j = &s->jacobian[i];
        fe_mul(&inverse, &running, &s->f[i]), fe_mul(&running, &running, &j->z);
        fe_sqr(&square, &inverse), fe_mul(&s->power[i].x, &j->x, &square);
        fe_mul(&square, &square, &inverse), fe_mul(&s->power[i].y, &j->y, &square);
    }
}

/* The table of kf_p256_base.h: 2^m 256^i P is added to the first 2^(m - 1) entries of each window, which gives as many
 * again. All are different multiples of P, smaller than n. */
static void fill_table_var(void *to, const kf_p256_point *p, void *scratch) {
    kf_p256_point *table = to;
    table_scratch *s = scratch;
    const affine_work work = {s->d, s->f, NULL};
    powers_of_two(s, p);
    for (int i = 0; i < TABLE_WINDOWS; i++) table[i * TABLE_ENTRIES] = s->power[8 * i];
    for (int m = 1; m < 8; m++) {
        const int half = 1 << (m - 1);
        for (int i = 0; i < TABLE_WINDOWS; i++) {
            memcpy(s->sum + i * half, table + i * TABLE_ENTRIES, (size_t)half * sizeof *table);
            for (int j = 0; j < half; j++) s->addend[i * half + j] = s->power[8 * i + m];
        }
        add_distinct(s->sum, s->addend, (size_t)half * TABLE_WINDOWS, &work);
        for (int i = 0; i < TABLE_WINDOWS; i++)
            memcpy(table + i * TABLE_ENTRIES + half, s->sum + i * half, (size_t)half * sizeof *table);
    }
}
