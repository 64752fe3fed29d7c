/*
 * Signing a range of digests under one key (FIPS 186-5 6.4.1).
 * Rules:
 * - everything is computed, checked and only then written to the caller's memory; what fails is zeros there;
 * - constant time in key, nonces and digests. r = 0 or s = 0 (probability 2^-255) is found without a branch, and such
 *   an item is signed again with another nonce;
 * - all that is secret lies in one piece of memory, on the stack for few items, else a work room; it is wiped;
 * - digests are copied before anything is made of them: a nonce and its signature never see two digests, whatever the
 *   caller's memory does meanwhile. The check reads them there again, and refuses what they are no longer.
 */
#include "kf.h"
#include "kf_p256_check.h"
#include "kf_p256_der.h"
#include "kf_p256_ecdsa.h"
#include "kf_p256_nonce.h"
#include "kf_p256_words.h"
#include "kf_rng.h"
#include "kf_util.h"
#include "kf_workroom.h"

enum { GROUP = KF_P256_SUM_MAX, COEFFICIENT_LEN = 8, DIGEST_LEN = 32 };

#ifdef KF_TESTING
enum kf_p256_fault kf_p256_fault;
int64_t kf_p256_fault_item;

static int planted(enum kf_p256_fault fault, int64_t item) {
    if (kf_p256_fault != fault || kf_p256_fault_item != item) return 0;
    kf_p256_fault = KF_FAULT_NONE;
    return 1;
}
#define PLANT(fault, item, effect) \
    if (planted(fault, item)) effect
#else
#define PLANT(fault, item, effect)
#endif

/* A group of items on their way. */
typedef struct {
    kf_p256_scalar *k, *inverse, *before;
    kf_p256_point *points;
    kf_p256_scalar *blinded; /* of few: k + b as they were when the points were made */
    kf_p256_jacobian *again; /* and their multiples of G, for the check */
    uint64_t *coefficients;
    uint8_t *drawn, *digests, *raw, *zero, *good;
    void *scratch;
    size_t len;
    _Alignas(64) uint8_t few[KF_P256_FEW * 512];
    uint8_t *memory;
} group;

static size_t round_up(size_t len) { return (len + 63) / 64 * 64; }

/* Divides memory among the parts for num items; NULL: only finds the length. */
static void lay_out(group *g, const kf_p256_impl *impl, int num, uint8_t *memory) {
    const size_t n = (size_t)num, few = num < KF_P256_FEW ? n : 0;
    const size_t lens[] = {n * sizeof *g->k, n * sizeof *g->inverse, n * sizeof *g->before, n * sizeof *g->points,
                           n * sizeof *g->coefficients, n * KF_P256_ENTROPY_LEN, n * KF_P256_RAW_LEN, n, n,
                           few * sizeof *g->again, few * sizeof *g->blinded, n * DIGEST_LEN};
    void *parts[sizeof lens / sizeof lens[0]];
    size_t at = 0;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        parts[i] = memory ? memory + at : NULL;
        at += round_up(lens[i]);
    }
    g->k = parts[0], g->inverse = parts[1], g->before = parts[2], g->points = parts[3], g->coefficients = parts[4];
    g->drawn = parts[5], g->raw = parts[6], g->zero = parts[7], g->good = parts[8];
    g->again = few ? parts[9] : NULL, g->blinded = few ? parts[10] : NULL, g->digests = parts[11];
    g->scratch = memory ? memory + at : NULL;
    if (num >= KF_P256_FEW) {
        const size_t one = impl->scratch_len(num < impl->chunk ? num : impl->chunk), two = impl->sum_scratch_len(num);
        at += one > two ? one : two;
    }
    g->len = at;
}

size_t kf_p256_signing_len(const kf_p256_impl *impl, int num) {
    group g;
    lay_out(&g, impl, num, NULL);
    return g.len;
}

static int begin_group(group *g, const kf_p256_impl *impl, int num) {
    lay_out(g, impl, num, NULL);
    g->memory = num < KF_P256_FEW ? g->few : kf_workroom_take(g->len);
    if (!g->memory || (g->memory == g->few && g->len > sizeof g->few)) return KF_ERR_MEMORY;
    lay_out(g, impl, num, g->memory);
    return KF_OK;
}

static void end_group(group *g) {
    if (g->memory == g->few)
        kf_wipe(g->memory, g->len);
    else
        kf_workroom_give(g->memory, g->len);
    kf_wipe_below();
}

/* Fresh entropy for nonces, and coefficients for the check. */
static int draw(group *g, int num) {
    uint8_t *coefficients = (uint8_t *)g->coefficients;
    const size_t entropy_len = (size_t)num * KF_P256_ENTROPY_LEN, coefficients_len = (size_t)num * COEFFICIENT_LEN;
    kf_rng rng;
    if (num < KF_P256_FEW) return kf_random(g->drawn, entropy_len);
    int status = kf_rng_init(&rng);
    if (status == KF_OK) status = kf_rng_fill(&rng, g->drawn, entropy_len);
    if (status == KF_OK) status = kf_rng_fill(&rng, coefficients, coefficients_len);
    kf_rng_wipe(&rng);
    KF_DECLASSIFY(coefficients, coefficients_len); /* never secrets: only not foreseen */
    return status;
}

static void copy_digests(group *g, const kf_p256_signing *signing, int64_t first, int num) {
    for (int i = 0; i < num; i++)
        memcpy(g->digests + DIGEST_LEN * i, kf_column_at(signing->digests, first + i).at, DIGEST_LEN);
}

static void make_nonces(group *g, const kf_p256_signing *signing, int num, int attempt) {
    const struct kf_column own = {.data = g->digests, .data_len = (int64_t)num * DIGEST_LEN, .width = DIGEST_LEN};
    if (!signing->deterministic) kf_p256_nonces_hedged(g->k, &signing->key->nonce, g->drawn, &own, 0, num);
    for (int i = 0; signing->deterministic && i < num; i++)
        kf_p256_nonce_rfc6979(&g->k[i], &signing->key->d, g->digests + DIGEST_LEN * i, attempt);
}

/* R = k G and 1 / k. */
static void multiply(group *g, const kf_p256_impl *impl, int64_t first, int num) {
    kf_p256_scalar both[2];
    (void)first;
    if (g->again) {
        for (int i = 0; i < num; i++) {
            both[0] = g->k[i];
            kf_p256_blinded(&both[1], &g->k[i]);
            g->blinded[i] = both[1];
            impl->arith->base_mul_twice(&g->points[i], &g->again[i], both);
            PLANT(KF_FAULT_K, first + i, g->k[i].v[0] ^= 2);
            impl->arith->scalar_inverse(&g->inverse[i], &g->k[i]);
        }
        KF_DECLASSIFY(g->again, (size_t)num * sizeof *g->again); /* R + b G, both public */
        kf_wipe(both, sizeof both);
        return;
    }
    for (int at = 0; at < num; at += impl->chunk)
        impl->base_mul(g->points + at, g->k + at, num - at < impl->chunk ? num - at : impl->chunk, g->scratch);
    for (int i = 0; i < num; i++) PLANT(KF_FAULT_K, first + i, g->k[i].v[0] ^= 2);
    impl->arith->scalar_inverse_many(g->inverse, g->k, num, g->before);
}

/* r = x(R) mod n, s = (z + r d) / k mod n; says whether one of them is 0. */
static uint8_t finish(uint8_t raw[KF_P256_RAW_LEN], const kf_p256_signing *signing, const kf_p256_scalar *d_mont,
                      const kf_p256_point *point, const kf_p256_scalar *k_inverse, const uint8_t *digest) {
    const kf_p256_arith *arith = signing->impl->arith;
    kf_p256_scalar r, s, z;
    kf_p256_fe x;
    arith->fe_mul(&x, &point->x, &kf_p256_raw_one);
    kf_scalar_reduce(&r, x.v);
    kf_words_from_be(z.v, digest);
    kf_scalar_reduce(&z, z.v);
    arith->scalar_mul(&s, &r, d_mont);
    kf_scalar_add(&s, &s, &z);
    arith->scalar_mul(&s, k_inverse, &s);
    kf_words_to_be(raw, r.v), kf_words_to_be(raw + 32, s.v);
    const uint8_t zero = (uint8_t)(kf_words_zero(r.v) | kf_words_zero(s.v));
    kf_wipe(&s, sizeof s);
    return zero;
}

static void compute(group *g, const kf_p256_signing *signing, int64_t first, int num) {
    multiply(g, signing->impl, first, num);
    for (int i = 0; i < num; i++) {
        const kf_p256_scalar *d_mont = &signing->key->d_mont;
        PLANT(KF_FAULT_POINT, first + i, g->points[i] = kf_p256_g);
        PLANT(KF_FAULT_SIGN_OF_Y, first + i, kf_fe_negate_if(&g->points[i].y, UINT64_MAX));
        PLANT(KF_FAULT_D, first + i, d_mont = &kf_p256_n_r2);
        g->zero[i] = finish(g->raw + KF_P256_RAW_LEN * i, signing, d_mont, &g->points[i], &g->inverse[i],
                            g->digests + DIGEST_LEN * i);
        PLANT(KF_FAULT_R, first + i, g->raw[KF_P256_RAW_LEN * i + 31] ^= 1);
        PLANT(KF_FAULT_S, first + i, g->raw[KF_P256_RAW_LEN * i + 63] ^= 1);
        PLANT(KF_FAULT_ZERO, first + i, g->zero[i] = 1);
    }
    KF_DECLASSIFY(g->points, (size_t)num * sizeof *g->points); /* (z G + r Q) / s, by what will be released */
    KF_DECLASSIFY(g->raw, (size_t)num * KF_P256_RAW_LEN);       /* the signatures */
    KF_DECLASSIFY(g->zero, (size_t)num);                        /* seen from them */
}

static void release_one(kf_p256_signing *signing, int64_t i, const uint8_t *raw, int good) {
    uint8_t *out = signing->out + i * (signing->lens ? KF_P256_DER_MAX : KF_P256_RAW_LEN);
    size_t len = KF_P256_RAW_LEN;
    signing->status[i] = good ? KF_REC_OK : KF_REC_FAULT;
    if (!good) {
        memset(out, 0, signing->lens ? KF_P256_DER_MAX : KF_P256_RAW_LEN);
        if (signing->lens) signing->lens[i] = 0;
        __atomic_fetch_add(&signing->num_bad, 1, __ATOMIC_RELAXED);
        return;
    }
    if (signing->lens)
        signing->lens[i] = (int64_t)(len = kf_p256_der_write(out, raw));
    else
        memcpy(out, raw, len);
}

static int sign_group(kf_p256_signing *signing, int64_t first, int num, int attempt) {
    group g;
    int status = begin_group(&g, signing->impl, num);
    if (status != KF_OK) return status;
    status = draw(&g, num);
    if (status == KF_OK) {
        copy_digests(&g, signing, first, num);
        make_nonces(&g, signing, num, attempt);
        for (int i = 0; i < num; i++)
            PLANT(KF_FAULT_DIGEST, first + i, *(uint8_t *)(uintptr_t)kf_column_at(signing->digests, first + i).at ^= 1);
        compute(&g, signing, first, num);
        const kf_p256_release release = {signing->impl, signing->key, signing->digests, first, num, g.k, g.points,
                                         g.raw, g.coefficients, g.again, g.blinded, g.scratch};
        kf_p256_check(g.good, &release);
    }
    for (int i = 0; status == KF_OK && i < num; i++) {
        if (g.zero[i])
            status = sign_group(signing, first + i, 1, attempt + 1);
        else
            release_one(signing, first + i, g.raw + KF_P256_RAW_LEN * i, g.good[i]);
    }
    end_group(&g);
    return status;
}

int kf_p256_sign_range(void *ctx, int64_t begin, int64_t end) {
    int status = KF_OK;
    for (int64_t at = begin; at < end && status == KF_OK; at += GROUP)
        status = sign_group(ctx, at, (int)(end - at < GROUP ? end - at : GROUP), 0);
    return status;
}

int64_t kf_p256_grain(int64_t num, int threads) {
    const int64_t unit = kf_p256()->chunk, parts = threads > 0 ? threads : 1; /* kf_parallel refuses the others */
    const int64_t share = (num + parts - 1) / parts;
    const int64_t grain = (share + unit - 1) / unit * unit;
    return grain > GROUP ? GROUP : grain > 0 ? grain : unit;
}
