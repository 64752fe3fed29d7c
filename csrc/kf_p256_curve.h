/*
 * Template: inversion, and one point at a time. Included once per implementation, after its field (fe_mul, fe_sqr,
 * fe_add, fe_sub, scalar_mul) and its scan (scan_table: one entry or
 * two of a window of G's table, all of which is read).
 * Formulas: Explicit-Formulas Database, short Weierstrass, a = -3, Jacobian (dbl-2001-b; additions in the form of
 * IEEE 1363 A.10.5).
 */
#include "kf_p256_base.h"
#include "kf_p256_inverse.h"

/* ---- inversion ---------------------------------------------------------------------------------- */

/* Of (x R), in Montgomery form: 1 / (x R) times R^3 / R. */
static void fe_inverse(kf_p256_fe *r, const kf_p256_fe *a) {
    static const kf_p256_fe r3 = {{0xfffffffd0000000a, 0xffffffedfffffff7, 0x00000005fffffffc, 0x0000001800000001}};
    kf_p256_invert_p(r->v, a->v);
    fe_mul(r, r, &r3);
}

/* Of a plain number: 1 / a times R^2 / R. */
static void scalar_inverse(kf_p256_scalar *r, const kf_p256_scalar *a) {
    kf_p256_invert_n(r->v, a->v);
    scalar_mul(r, r, &kf_p256_n_r2);
}

/* Four chains of products, so that four multiplications are under way at a time. */
enum { CHAINS = 4 };

/* Four values become their inverses by one inversion. */
static void scalar_inverse_four(kf_p256_scalar a[CHAINS]) {
    kf_p256_scalar a01, a23, t, r01, r23;
    scalar_mul(&a01, &a[0], &a[1]), scalar_mul(&a23, &a[2], &a[3]);
    scalar_mul(&t, &a01, &a23), scalar_inverse(&t, &t);
    scalar_mul(&r01, &t, &a23), scalar_mul(&r23, &t, &a01);
    scalar_mul(&t, &r01, &a[1]), scalar_mul(&a[1], &r01, &a[0]), a[0] = t;
    scalar_mul(&t, &r23, &a[3]), scalar_mul(&a[3], &r23, &a[2]), a[2] = t;
    kf_wipe(&a01, sizeof a01), kf_wipe(&a23, sizeof a23), kf_wipe(&t, sizeof t);
    kf_wipe(&r01, sizeof r01), kf_wipe(&r23, sizeof r23);
}

static const kf_p256_scalar scalar_one = {{0x0c46353d039cdaaf, 0x4319055258e8617b, 0, 0xffffffff}}; /* R mod n */

/* Montgomery's trick: before[i] is the product of those of i's chain before it. */
static void scalar_inverse_many(kf_p256_scalar *r, const kf_p256_scalar *a, int num, kf_p256_scalar *before) {
    kf_p256_scalar chain[CHAINS] = {scalar_one, scalar_one, scalar_one, scalar_one};
    for (int i = 0; i < num; i++) {
        before[i] = chain[i % CHAINS];
        scalar_mul(&chain[i % CHAINS], &chain[i % CHAINS], &a[i]);
    }
    scalar_inverse_four(chain);
    for (int i = num - 1; i >= 0; i--) {
        const kf_p256_scalar value = a[i];
        scalar_mul(&r[i], &chain[i % CHAINS], &before[i]);
        scalar_mul(&chain[i % CHAINS], &chain[i % CHAINS], &value);
    }
    kf_wipe(chain, sizeof chain);
}

/* ---- Jacobian formulas ---------------------------------------------------------------------------- */

/* r = 2 p; infinity stays infinity. */
static void jacobian_double(kf_p256_jacobian *r, const kf_p256_jacobian *p) {
    kf_p256_fe delta, gamma, beta, alpha, t, u;
    fe_sqr(&delta, &p->z), fe_sqr(&gamma, &p->y), fe_mul(&beta, &p->x, &gamma);
    fe_sub(&t, &p->x, &delta), fe_add(&u, &p->x, &delta), fe_mul(&alpha, &t, &u);
    fe_add(&t, &alpha, &alpha), fe_add(&alpha, &alpha, &t);
    fe_add(&t, &p->y, &p->z), fe_sqr(&t, &t), fe_sub(&t, &t, &gamma), fe_sub(&r->z, &t, &delta);
    fe_add(&beta, &beta, &beta), fe_add(&beta, &beta, &beta);
    fe_sqr(&t, &alpha), fe_sub(&t, &t, &beta), fe_sub(&r->x, &t, &beta);
    fe_sub(&t, &beta, &r->x), fe_mul(&t, &t, &alpha);
    fe_sqr(&gamma, &gamma), fe_add(&gamma, &gamma, &gamma), fe_add(&gamma, &gamma, &gamma);
    fe_add(&gamma, &gamma, &gamma), fe_sub(&r->y, &t, &gamma);
}

/* What both additions end with: h = x2 - x1 and slope = y2 - y1 over the common denominator, x1 and y1 over it. */
static inline void jacobian_add_end(kf_p256_jacobian *r, const kf_p256_fe *h, const kf_p256_fe *slope,
                                    const kf_p256_fe *x1, const kf_p256_fe *y1) {
    kf_p256_fe h2, h3, v, t, x3;
    fe_sqr(&h2, h), fe_mul(&h3, &h2, h), fe_mul(&v, x1, &h2);
    fe_sqr(&x3, slope), fe_sub(&x3, &x3, &h3), fe_sub(&x3, &x3, &v), fe_sub(&x3, &x3, &v);
    fe_sub(&t, &v, &x3), fe_mul(&t, &t, slope), fe_mul(&h3, &h3, y1);
    fe_sub(&r->y, &t, &h3);
    r->x = x3;
}

/* r = p + q for p other than q, -q and infinity: returns 1 when the x coordinates are the same, with nothing of use
 * in r then. */
static uint64_t jacobian_add_affine(kf_p256_jacobian *r, const kf_p256_jacobian *p, const kf_p256_point *q) {
    kf_p256_fe z2, h, slope, x1 = p->x, y1 = p->y;
    fe_sqr(&z2, &p->z), fe_mul(&h, &q->x, &z2), fe_sub(&h, &h, &x1);
    fe_mul(&slope, &q->y, &z2), fe_mul(&slope, &slope, &p->z), fe_sub(&slope, &slope, &y1);
    fe_mul(&r->z, &p->z, &h);
    jacobian_add_end(r, &h, &slope, &x1, &y1);
    return kf_words_zero(h.v);
}

/* The same for two Jacobian points. */
static uint64_t jacobian_add(kf_p256_jacobian *r, const kf_p256_jacobian *p, const kf_p256_jacobian *q) {
    kf_p256_fe z1, z2, x1, y1, h, slope, z;
    fe_sqr(&z1, &p->z), fe_sqr(&z2, &q->z);
    fe_mul(&x1, &p->x, &z2), fe_mul(&h, &q->x, &z1), fe_sub(&h, &h, &x1);
    fe_mul(&y1, &p->y, &z2), fe_mul(&y1, &y1, &q->z);
    fe_mul(&slope, &q->y, &z1), fe_mul(&slope, &slope, &p->z), fe_sub(&slope, &slope, &y1);
    fe_mul(&z, &p->z, &q->z), fe_mul(&r->z, &z, &h);
    jacobian_add_end(r, &h, &slope, &x1, &y1);
    return kf_words_zero(h.v);
}

static void jacobian_from(kf_p256_jacobian *r, const kf_p256_point *p) {
    r->x = p->x, r->y = p->y, r->z = kf_p256_one;
}

static void jacobian_select(kf_p256_jacobian *r, const kf_p256_jacobian *p, uint64_t mask) {
    kf_words_select(r->x.v, r->x.v, p->x.v, mask);
    kf_words_select(r->y.v, r->y.v, p->y.v, mask);
    kf_words_select(r->z.v, r->z.v, p->z.v, mask);
}

/* For any points. */
static void add_var(kf_p256_jacobian *r, const kf_p256_jacobian *p, const kf_p256_jacobian *q) {
    const kf_p256_jacobian p1 = *p, q1 = *q;
    if (kf_words_zero(p1.z.v)) {
        *r = q1;
    } else if (kf_words_zero(q1.z.v)) {
        *r = p1;
    } else if (jacobian_add(r, &p1, &q1)) {
        kf_p256_jacobian twice;
        kf_p256_fe y1, y2, t;
        fe_sqr(&t, &q1.z), fe_mul(&t, &t, &q1.z), fe_mul(&y1, &p1.y, &t);
        fe_sqr(&t, &p1.z), fe_mul(&t, &t, &p1.z), fe_mul(&y2, &q1.y, &t);
        jacobian_double(&twice, &p1);
        if (kf_words_equal(y1.v, y2.v))
            *r = twice;
        else
            memset(r, 0, sizeof *r);
    }
}

static void to_affine(kf_p256_point *r, const kf_p256_jacobian *p) {
    kf_p256_fe inverse, power;
    fe_inverse(&inverse, &p->z);
    fe_sqr(&power, &inverse), fe_mul(&r->x, &p->x, &power);
    fe_mul(&power, &power, &inverse), fe_mul(&r->y, &p->y, &power);
    kf_wipe(&inverse, sizeof inverse), kf_wipe(&power, sizeof power);
}

static int is_point_var(const kf_p256_jacobian *p, const kf_p256_point *q) {
    kf_p256_fe z2, x, y;
    if (kf_words_zero(p->z.v)) return 0;
    fe_sqr(&z2, &p->z), fe_mul(&x, &q->x, &z2), fe_mul(&z2, &z2, &p->z), fe_mul(&y, &q->y, &z2);
    return (int)(kf_words_equal(x.v, p->x.v) & kf_words_equal(y.v, p->y.v));
}

static int on_curve(const kf_p256_point *p) {
    kf_p256_fe t, three, y2;
    fe_add(&three, &kf_p256_one, &kf_p256_one), fe_add(&three, &three, &kf_p256_one);
    fe_sqr(&t, &p->x), fe_sub(&t, &t, &three), fe_mul(&t, &t, &p->x), fe_add(&t, &t, &kf_p256_b);
    fe_sqr(&y2, &p->y);
    return (int)kf_words_equal(t.v, y2.v);
}

/* ---- multiplication of a secret --------------------------------------------------------------------- */

/* acc += q where acc may be q itself, but neither -q nor infinity. */
static void add_or_double(kf_p256_jacobian *acc, const kf_p256_point *q) {
    kf_p256_jacobian twice, sum;
    jacobian_from(&twice, q);
    jacobian_double(&twice, &twice);
    const uint64_t same = jacobian_add_affine(&sum, acc, q);
    jacobian_select(&sum, &twice, kf_mask(same));
    *acc = sum;
    kf_wipe(&twice, sizeof twice), kf_wipe(&sum, sizeof sum);
}

enum { AT_ONCE = 2 /* multiplications that do not wait for each other */ };

/* acc[c] += term[c], as jacobian_add_affine, each step for all before the next one. */
TEMPLATE_INLINE void add_each(kf_p256_jacobian *acc, const kf_p256_point *term, int num) {
    kf_p256_fe z2[AT_ONCE], h[AT_ONCE], slope[AT_ONCE], h2[AT_ONCE], h3[AT_ONCE], v[AT_ONCE], t[AT_ONCE];
#define EACH for (int c = 0; c < num; c++)
    EACH fe_sqr(&z2[c], &acc[c].z);
    EACH fe_mul(&h[c], &term[c].x, &z2[c]);
    EACH fe_mul(&t[c], &term[c].y, &acc[c].z);
    EACH fe_sub(&h[c], &h[c], &acc[c].x);
    EACH fe_mul(&slope[c], &t[c], &z2[c]);
    EACH fe_sqr(&h2[c], &h[c]);
    EACH fe_mul(&acc[c].z, &acc[c].z, &h[c]);
    EACH fe_sub(&slope[c], &slope[c], &acc[c].y);
    EACH fe_mul(&v[c], &acc[c].x, &h2[c]);
    EACH fe_mul(&h3[c], &h2[c], &h[c]);
    EACH fe_sqr(&t[c], &slope[c]);
    EACH fe_sub(&t[c], &t[c], &h3[c]), fe_sub(&t[c], &t[c], &v[c]), fe_sub(&acc[c].x, &t[c], &v[c]);
    EACH fe_mul(&h3[c], &h3[c], &acc[c].y);
    EACH fe_sub(&t[c], &v[c], &acc[c].x);
    EACH fe_mul(&t[c], &t[c], &slope[c]);
    EACH fe_sub(&acc[c].y, &t[c], &h3[c]);
#undef EACH
}

/* The table of G window by window, from the lowest. Partial sums are below 256^i and odd, and the term that is added is
 * an odd multiple of 256^i, so that they differ from it and its negative; only the last sum reaches n, and there
 * one k meets its term: add_or_double. */
TEMPLATE_INLINE void comb(kf_p256_jacobian *acc, const kf_p256_scalar *k, int num) {
    kf_p256_scalar odd;
    kf_p256_point term[AT_ONCE];
    uint64_t even[AT_ONCE], digits[AT_ONCE][4], negative[AT_ONCE], place[AT_ONCE];
    for (int c = 0; c < num; c++) {
        kf_scalar_odd(&odd, &even[c], &k[c]);
        kf_scalar_digits(digits[c], &odd);
    }
    for (int i = 0; i < TABLE_WINDOWS; i++) {
        for (int c = 0; c < num; c++) place[c] = kf_digit_place(&negative[c], digits[c][i / 8] >> (i % 8 * 8) & 0xff);
        scan_table(term, kf_p256_base_table + i * TABLE_ENTRIES, place, num);
        for (int c = 0; c < num; c++) {
            kf_fe_negate_if(&term[c].y, negative[c]);
            if (i == 0) jacobian_from(&acc[c], &term[c]);
            if (i + 1 == TABLE_WINDOWS) add_or_double(&acc[c], &term[c]);
        }
        if (i > 0 && i + 1 < TABLE_WINDOWS) add_each(acc, term, num);
    }
    for (int c = 0; c < num; c++) kf_fe_negate_if(&acc[c].y, even[c]); /* y / z^3 is not 0, so y is not */
    kf_wipe(&odd, sizeof odd), kf_wipe(term, sizeof term), kf_wipe(digits, sizeof digits);
}

static void base_mul(kf_p256_point *r, const kf_p256_scalar *k) {
    kf_p256_jacobian acc;
    comb(&acc, k, 1);
    to_affine(r, &acc);
    kf_wipe(&acc, sizeof acc);
}

static void base_mul_twice(kf_p256_point *r, kf_p256_jacobian *other, const kf_p256_scalar k[AT_ONCE]) {
    kf_p256_jacobian acc[AT_ONCE];
    comb(acc, k, AT_ONCE);
    to_affine(r, &acc[0]);
    *other = acc[1];
    kf_wipe(acc, sizeof acc);
}

enum { MUL_WIDTH = 5, MUL_ENTRIES = 1 << (MUL_WIDTH - 1), MUL_WINDOWS = (256 + MUL_WIDTH - 1) / MUL_WIDTH };

/* Digit i of an odd scalar below the last window, whose digit is always 1: bits of k >> 1, read as in
 * kf_scalar_digits. */
static unsigned mul_digit(const kf_p256_scalar *odd, int i) {
    const int at = MUL_WIDTH * i + 1;
    uint64_t bits = odd->v[at / 64] >> (at % 64);
    if (at % 64 + MUL_WIDTH > 64) bits |= odd->v[at / 64 + 1] << (64 - at % 64);
    return bits & (2 * MUL_ENTRIES - 1);
}

static void scan_multiples(kf_p256_jacobian *r, const kf_p256_jacobian multiples[MUL_ENTRIES], unsigned digit) {
    const uint64_t negative = kf_mask(1 ^ (digit >> (MUL_WIDTH - 1)));
    const uint64_t place = (digit ^ negative) & (MUL_ENTRIES - 1);
    memset(r, 0, sizeof *r);
    for (uint64_t e = 0; e < MUL_ENTRIES; e++) {
        const uint64_t diff = place ^ e;
        jacobian_select(r, &multiples[e], kf_mask(1 ^ ((diff | (0 - diff)) >> 63)));
    }
    kf_fe_negate_if(&r->y, negative);
}

/* Windows from the highest: acc = 32 acc + digit P. acc is an odd multiple of P, so 32 acc is no digit; nor is it one
 * modulo n, for k below n: 32 acc - digit = n with an odd acc leaves 15 for the digit, and 32 acc + digit is n + 30. */
static void point_mul(kf_p256_point *r, const kf_p256_scalar *k, const kf_p256_point *p) {
    kf_p256_jacobian multiples[MUL_ENTRIES], acc, term;
    kf_p256_scalar odd;
    uint64_t even;
    kf_scalar_odd(&odd, &even, k);
    jacobian_from(&multiples[0], p);
    jacobian_double(&acc, &multiples[0]);
    for (int i = 1; i < MUL_ENTRIES; i++) jacobian_add(&multiples[i], &multiples[i - 1], &acc);
    acc = multiples[0];
    for (int i = MUL_WINDOWS - 2; i >= 0; i--) {
        for (int d = 0; d < MUL_WIDTH; d++) jacobian_double(&acc, &acc);
        scan_multiples(&term, multiples, mul_digit(&odd, i));
        jacobian_add(&acc, &acc, &term);
    }
    to_affine(r, &acc);
    kf_fe_negate_if(&r->y, even);
    kf_wipe(&odd, sizeof odd), kf_wipe(&acc, sizeof acc), kf_wipe(&term, sizeof term);
}

/* ---- verification of one signature -------------------------------------------------------------------- */

/* Whether x is r or r + n modulo p, for x = X / z2 and r below n. */
static int x_is_var(const kf_p256_fe *x, const kf_p256_fe *z2, const kf_p256_scalar *r) {
    static const uint64_t p_less_n[4] = {0x0c46353d039cdaae, 0x4319055358e8617b, 0, 0};
    kf_p256_fe value, product;
    memcpy(value.v, r->v, sizeof value.v);
    fe_mul(&product, &value, &kf_p256_r2), fe_mul(&product, &product, z2);
    if (kf_words_equal(product.v, x->v)) return 1;
    if (!kf_words_less(r->v, p_less_n)) return 0;
    kf_words_add(value.v, r->v, kf_p256_n.v);
    fe_mul(&product, &value, &kf_p256_r2), fe_mul(&product, &product, z2);
    return (int)kf_words_equal(product.v, x->v);
}

enum { NAF_WIDTH = 5, NAF_LEN = 258, NAF_ENTRIES = 1 << (NAF_WIDTH - 2) };

/* Signed odd digits below 2^(NAF_WIDTH - 1), mostly zeros (Handbook of Elliptic and Hyperelliptic Curve Cryptography,
 * algorithm 9.35); returns how many. */
static int naf_var(int8_t naf[NAF_LEN], const kf_p256_scalar *k) {
    uint64_t t[5] = {k->v[0], k->v[1], k->v[2], k->v[3], 0};
    int num = 0;
    while (t[0] | t[1] | t[2] | t[3] | t[4]) {
        int digit = 0;
        if (t[0] & 1) {
            digit = (int)(t[0] & ((1 << NAF_WIDTH) - 1));
            if (digit >= 1 << (NAF_WIDTH - 1)) digit -= 1 << NAF_WIDTH;
            uint64_t carry = digit < 0 ? (uint64_t)-digit : 0;
            if (digit > 0) t[0] -= (uint64_t)digit; /* they are its lowest bits */
            for (int i = 0; i < 5 && carry; i++) t[i] += carry, carry = t[i] < carry;
        }
        naf[num++] = (int8_t)digit;
        for (int i = 0; i < 4; i++) t[i] = t[i] >> 1 | t[i + 1] << 63;
        t[4] >>= 1;
    }
    return num;
}

static void jacobian_add_point_var(kf_p256_jacobian *acc, const kf_p256_point *p, int negative) {
    kf_p256_jacobian term;
    jacobian_from(&term, p);
    kf_fe_negate_if(&term.y, 0 - (uint64_t)negative);
    if (kf_words_zero(acc->z.v)) {
        *acc = term;
        return;
    }
    const kf_p256_jacobian before = *acc;
    const kf_p256_point q = {term.x, term.y};
    if (jacobian_add_affine(acc, &before, &q)) add_var(acc, &before, &term);
}

/* acc += u G or u Q, by a table of multiples. */
static void add_comb_var(kf_p256_jacobian *acc, const kf_p256_scalar *u, const kf_p256_point *table) {
    kf_p256_scalar odd;
    uint64_t even, digits[4], negative;
    if (kf_words_zero(u->v)) return;
    kf_scalar_odd(&odd, &even, u);
    kf_scalar_digits(digits, &odd);
    for (int i = 0; i < TABLE_WINDOWS; i++) {
        const uint64_t place = kf_digit_place(&negative, digits[i / 8] >> (i % 8 * 8) & 0xff);
        jacobian_add_point_var(acc, table + i * TABLE_ENTRIES + place, (negative ^ even) != 0);
    }
}

static int x_of_sum_is_var(const kf_p256_jacobian *sum, const kf_p256_scalar *r) {
    kf_p256_fe z2;
    if (kf_words_zero(sum->z.v)) return 0; /* SEC 1 4.1.4 step 6 */
    fe_sqr(&z2, &sum->z);
    return x_is_var(&sum->x, &z2, r);
}

static int verify_var(const kf_p256_scalar *u1, const kf_p256_scalar *u2, const kf_p256_scalar *r,
                      const kf_p256_point *q) {
    kf_p256_jacobian multiples[NAF_ENTRIES], acc, twice, term;
    int8_t naf[NAF_LEN];
    jacobian_from(&multiples[0], q);
    jacobian_double(&twice, &multiples[0]);
    for (int i = 1; i < NAF_ENTRIES; i++) jacobian_add(&multiples[i], &multiples[i - 1], &twice);
    memset(&acc, 0, sizeof acc);
    for (int i = naf_var(naf, u2) - 1; i >= 0; i--) {
        jacobian_double(&acc, &acc);
        if (naf[i] == 0) continue;
        term = multiples[(naf[i] < 0 ? -naf[i] : naf[i]) >> 1];
        kf_fe_negate_if(&term.y, 0 - (uint64_t)(naf[i] < 0));
        add_var(&acc, &acc, &term);
    }
    add_comb_var(&acc, u1, kf_p256_base_table);
    return x_of_sum_is_var(&acc, r);
}

static int verify_table_var(const kf_p256_scalar *u1, const kf_p256_scalar *u2, const kf_p256_scalar *r,
                            const void *table) {
    kf_p256_jacobian acc;
    memset(&acc, 0, sizeof acc);
    add_comb_var(&acc, u2, table);
    add_comb_var(&acc, u1, kf_p256_base_table);
    return x_of_sum_is_var(&acc, r);
}
