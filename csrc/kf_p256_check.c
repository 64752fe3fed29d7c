/*
 * See kf_p256_check.h. Two things are checked, from the bytes that are to be released:
 * - s k = z + r d modulo n, and r = x(R) modulo n, for each signature, with another copy of d than signing used;
 * - R = k G: for many, a sum of all R with fresh odd coefficients of 64 bits is the sum of their k, times G, which a
 *   wrong R passes with probability 2^-64; for few, and to find which one is wrong, each by another multiplication.
 * Whatever fails is not released. Points are treated as public: each follows from its signature and the public key.
 */
#include "kf_p256_check.h"

#include "kf.h"
#include "kf_p256_ecdsa.h"
#include "kf_p256_words.h"
#include "kf_rng.h"

enum { LINEAR_FROM = 32 };

static struct {
    kf_p256_scalar b;
    kf_p256_point point; /* b G */
} blind;

int kf_p256_blind_init(const kf_p256_impl *impl) {
    uint8_t wide[48];
    kf_p256_scalar b;
    if (!kf_words_zero(blind.b.v)) return KF_OK;
    const int status = kf_random(wide, sizeof wide);
    if (status != KF_OK) return status;
    kf_scalar_from_wide(&b, wide);
    impl->arith->base_mul(&blind.point, &b);
    blind.b = b; /* last: it says that the point is there, to a child that is forked meanwhile as well */
    KF_DECLASSIFY(&blind, sizeof blind); /* never a secret: only not foreseen by whoever plants a fault */
    return KF_OK;
}

/* ---- the equation ----------------------------------------------------------------------------------- */

static uint8_t equation_holds(const kf_p256_release *release, int i) {
    const kf_p256_arith *arith = release->impl->arith;
    kf_p256_scalar r, s, z, t, u, x;
    kf_p256_fe plain;
    const uint8_t *raw = release->raw + 64 * i;
    kf_words_from_be(r.v, raw), kf_words_from_be(s.v, raw + 32);
    kf_words_from_be(z.v, kf_column_at(release->digests, release->first + i).at);
    kf_scalar_reduce(&z, z.v);
    arith->scalar_mul(&t, &release->k[i], &kf_p256_n_r2), arith->scalar_mul(&t, &t, &s); /* s k */
    arith->scalar_mul(&u, &r, &kf_p256_n_r2), arith->scalar_mul(&u, &u, &release->key->d);
    kf_scalar_add(&u, &u, &z); /* z + r d */
    arith->fe_mul(&plain, &release->points[i].x, &kf_p256_raw_one);
    kf_scalar_reduce(&x, plain.v);
    const uint64_t good = kf_words_equal(t.v, u.v) & kf_words_equal(x.v, r.v) & (1 ^ kf_words_zero(r.v))
                          & (1 ^ kf_words_zero(s.v));
    kf_wipe(&t, sizeof t), kf_wipe(&u, sizeof u);
    return (uint8_t)good;
}

/* ---- the points -------------------------------------------------------------------------------------- */

void kf_p256_blinded(kf_p256_scalar *r, const kf_p256_scalar *k) { kf_scalar_add(r, k, &blind.b); }

/* Whether sum is point + b G: then their difference is infinity. */
static int is_blinded_sum(const kf_p256_impl *impl, const kf_p256_jacobian *sum, const kf_p256_point *point) {
    kf_p256_jacobian p = {point->x, point->y, kf_p256_one}, b = {blind.point.x, blind.point.y, kf_p256_one};
    impl->arith->add_var(&p, &p, &b);
    kf_fe_negate_if(&p.y, UINT64_MAX);
    impl->arith->add_var(&p, &p, sum);
    return (int)kf_words_zero(p.z.v);
}

int kf_p256_check_multiple(const kf_p256_impl *impl, const kf_p256_point *point, const kf_p256_scalar *k) {
    kf_p256_scalar blinded;
    kf_p256_point sum;
    kf_p256_blinded(&blinded, k);
    impl->arith->base_mul(&sum, &blinded);
    kf_wipe(&blinded, sizeof blinded);
    KF_DECLASSIFY(&sum, sizeof sum); /* R + b G, both public */
    const kf_p256_jacobian same = {sum.x, sum.y, kf_p256_one};
    return is_blinded_sum(impl, &same, point);
}

/* Those of one chunk, by the batch's multiplication. */
static void check_chunk(uint8_t *good, const kf_p256_release *release, int begin, int num) {
    enum { MOST = 32 };
    kf_p256_scalar blinded[MOST];
    kf_p256_point sums[MOST];
    for (int at = 0; at < num; at += MOST) {
        const int part = num - at < MOST ? num - at : MOST;
        for (int i = 0; i < part; i++) kf_p256_blinded(&blinded[i], &release->k[begin + at + i]);
        release->impl->base_mul(sums, blinded, part, release->scratch);
        KF_DECLASSIFY(sums, sizeof sums); /* as in kf_p256_check_multiple */
        for (int i = 0; i < part; i++) {
            const kf_p256_jacobian sum = {sums[i].x, sums[i].y, kf_p256_one};
            good[begin + at + i] &= (uint8_t)is_blinded_sum(release->impl, &sum, &release->points[begin + at + i]);
        }
    }
    kf_wipe(blinded, sizeof blinded);
}

/* Whether k, which s was made with, is still what the points were made with. */
static uint8_t is_same_k(const kf_p256_release *release, int i) {
    kf_p256_scalar blinded;
    kf_p256_blinded(&blinded, &release->k[i]);
    uint64_t same = kf_words_equal(blinded.v, release->blinded[i].v);
    KF_DECLASSIFY(&same, sizeof same); /* seen from whether the signature is released */
    kf_wipe(&blinded, sizeof blinded);
    return (uint8_t)same;
}

static void check_each(uint8_t *good, const kf_p256_release *release) {
    for (int i = 0; release->again && i < release->num; i++)
        good[i] &= is_same_k(release, i)
                   & (uint8_t)is_blinded_sum(release->impl, &release->again[i], &release->points[i]);
    if (!release->again) check_chunk(good, release, 0, release->num);
}

/* With a[i] = 2 c[i] - (2^64 - 1): the sum of a[i] R[i], and that of a[i] k[i], which gives 0 with probability 2^-256
 * and then counts as failed. */
static int linear_holds(const kf_p256_release *release) {
    const kf_p256_arith *arith = release->impl->arith;
    const kf_p256_scalar most = {{UINT64_MAX}};
    kf_p256_scalar weighted = {{0}}, plain = {{0}}, t;
    kf_p256_jacobian sum;
    kf_p256_point expected;
    for (int i = 0; i < release->num; i++) {
        const kf_p256_scalar c = {{release->coefficients[i]}};
        arith->scalar_mul(&t, &release->k[i], &c);
        kf_scalar_add(&weighted, &weighted, &t), kf_scalar_add(&plain, &plain, &release->k[i]);
    }
    kf_scalar_add(&weighted, &weighted, &weighted);
    arith->scalar_mul(&t, &plain, &most), kf_scalar_sub(&t, &weighted, &t);
    arith->scalar_mul(&t, &t, &kf_p256_n_r2);
    uint64_t zero = kf_words_zero(t.v);
    KF_DECLASSIFY(&zero, sizeof zero); /* the coefficients are fresh: it says nothing of the nonces */
    if (!zero) arith->base_mul(&expected, &t);
    kf_wipe(&weighted, sizeof weighted), kf_wipe(&plain, sizeof plain), kf_wipe(&t, sizeof t);
    if (zero) return 0;
    KF_DECLASSIFY(&expected, sizeof expected); /* the same sum of public points */
    return release->impl->sum_var(&sum, release->points, release->coefficients, release->num, release->scratch)
           && arith->is_point_var(&sum, &expected);
}

void kf_p256_check(uint8_t *good, const kf_p256_release *release) {
    for (int i = 0; i < release->num; i++) good[i] = equation_holds(release, i);
    KF_DECLASSIFY(good, (size_t)release->num); /* seen from whether the signature is released */
    if (release->num < LINEAR_FROM || !linear_holds(release)) check_each(good, release);
}
