/* See bench_p256.h. */
#include "bench_p256.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "kf.h"
#include "kf_arena.h"
#include "kf_p256_batch.h"
#include "kf_p256_der.h"
#include "kf_p256_nonce.h"
#include "kf_p256_words.h"
#include "kf_rng.h"

struct bench_p256 {
    size_t num;
    uint64_t root, store, key;
    uint8_t public_key[64];
    uint8_t *digests, *der, *public_keys, *many_der, *valid, *status; /* many_der: signatures of a key for each */
    int64_t *lens, *many_lens;
    const uint8_t **ptrs, **many_ptrs;
    EVP_PKEY_CTX *sign, *verify, **many_verify;
};

enum { DER_LEN = KF_P256_DER_MAX, CHUNK_ROOM = 1 << 21 };

/* ---- preparation ---------------------------------------------------------------------------------------- */

static int prepare_ours(bench_p256 *work, const char *implementation) {
    uint8_t *bytes, wrapped[KF_WRAPPED_LEN];
    const uint8_t id[16] = {1};
    uint64_t secret;
    int status = implementation ? kf_p256_impl_force(implementation) : kf_p256_ready();
    if (status == KF_OK) status = kf_arena_open(0);
    if (status == KF_OK) status = kf_secret_new(&secret, &bytes);
    if (status == KF_OK) memset(bytes, 1, 32), status = kf_root_from_secret(&work->root, secret);
    if (status == KF_OK) status = kf_store_create(&work->store, wrapped, work->root, id);
    if (status == KF_OK) status = kf_p256_generate(wrapped, work->public_key, work->store, id, 1, 0);
    if (status == KF_OK) status = kf_p256_load(&work->key, work->public_key, work->store, wrapped, id, 1, 0);
    return status == KF_OK;
}

static EVP_PKEY *public_key_of(const uint8_t xy[64]) {
    uint8_t point[65] = {4};
    char group[] = "prime256v1";
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    memcpy(point + 1, xy, 64);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
                           OSSL_PARAM_construct_end()};
    if (ctx && EVP_PKEY_fromdata_init(ctx) == 1) EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY_CTX *context_of(EVP_PKEY *key, int (*init)(EVP_PKEY_CTX *ctx)) {
    EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    if (ctx && init(ctx) != 1) EVP_PKEY_CTX_free(ctx), ctx = NULL;
    return ctx;
}

/* A key of OpenSSL's own, which signs digest i. */
static int prepare_key(bench_p256 *work, size_t i) {
    uint8_t point[65];
    size_t len = sizeof point, der_len = DER_LEN;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY_CTX *sign = context_of(key, EVP_PKEY_sign_init);
    int good = sign && EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, len, &len) == 1 && len == 65;
    good = good && EVP_PKEY_sign(sign, work->many_der + DER_LEN * i, &der_len, work->digests + 32 * i, 32) == 1;
    memcpy(work->public_keys + 64 * i, point + 1, 64);
    work->many_lens[i] = (int64_t)der_len;
    work->many_verify[i] = context_of(key, EVP_PKEY_verify_init);
    if (i == 0)
        work->sign = sign;
    else
        EVP_PKEY_CTX_free(sign);
    EVP_PKEY_free(key);
    return good && work->many_verify[i];
}

bench_p256 *bench_p256_new(size_t num, const char *implementation) {
    uint64_t seed = num;
    bench_p256 *work = calloc(1, sizeof *work);
    if (!work) return NULL;
    work->num = num;
    work->digests = calloc(num, 32), work->public_keys = calloc(num, 64);
    work->der = calloc(num, DER_LEN), work->many_der = calloc(num, DER_LEN);
    work->valid = calloc(num, 1), work->status = calloc(num, 1);
    work->lens = calloc(num, sizeof *work->lens), work->many_lens = calloc(num, sizeof *work->many_lens);
    work->ptrs = calloc(num, sizeof *work->ptrs), work->many_ptrs = calloc(num, sizeof *work->many_ptrs);
    work->many_verify = calloc(num, sizeof *work->many_verify);
    int good = work->digests && work->public_keys && work->der && work->many_der && work->valid && work->status
               && work->lens && work->many_lens && work->ptrs && work->many_ptrs && work->many_verify;
    good = good && prepare_ours(work, implementation);
    if (good) bench_fill(work->digests, 32 * num, &seed);
    for (size_t i = 0; good && i < num; i++) {
        work->ptrs[i] = work->der + DER_LEN * i, work->many_ptrs[i] = work->many_der + DER_LEN * i;
        good = prepare_key(work, i);
    }
    if (good) {
        EVP_PKEY *key = public_key_of(work->public_key);
        work->verify = context_of(key, EVP_PKEY_verify_init);
        EVP_PKEY_free(key);
    }
    if (good && work->verify && bench_p256_run(work, BENCH_SIGN, BENCH_OURS, 1) == 0) return work;
    bench_p256_free(work);
    return NULL;
}

void bench_p256_free(bench_p256 *work) {
    const uint64_t handles[] = {work->key, work->store, work->root};
    for (int i = 0; i < 3; i++)
        if (handles[i]) kf_key_release(handles[i]);
    for (size_t i = 0; work->many_verify && i < work->num; i++) EVP_PKEY_CTX_free(work->many_verify[i]);
    EVP_PKEY_CTX_free(work->sign), EVP_PKEY_CTX_free(work->verify);
    free(work->digests), free(work->public_keys), free(work->der), free(work->many_der), free(work->valid);
    free(work->status), free(work->lens), free(work->many_lens), free(work->ptrs), free(work->many_ptrs);
    free(work->many_verify), free(work);
}

/* ---- ours ----------------------------------------------------------------------------------------------- */

/* What signing does up to its check, through the same functions, one chunk of its implementation after the other. */
static size_t sign_unchecked(bench_p256 *work, const struct kf_column *digests) {
    enum { MOST = 512 };
    static kf_p256_scalar k[MOST], inverse[MOST], before[MOST];
    static kf_p256_point points[MOST];
    static uint8_t entropy[MOST * KF_P256_ENTROPY_LEN], scratch[CHUNK_ROOM] __attribute__((aligned(64)));
    const kf_p256_impl *impl = kf_p256();
    kf_rng rng;
    void *slot;
    if (impl->chunk > MOST || impl->scratch_len(impl->chunk) > sizeof scratch || kf_rng_init(&rng) != KF_OK
        || kf_slot_pin(&slot, work->key, KF_KIND_P256) != KF_OK)
        return work->num;
    const kf_p256_slot *key = slot;
    for (size_t first = 0; first < work->num; first += (size_t)impl->chunk) {
        const int num = work->num - first < (size_t)impl->chunk ? (int)(work->num - first) : impl->chunk;
        kf_rng_fill(&rng, entropy, (size_t)num * KF_P256_ENTROPY_LEN);
        kf_p256_nonces_hedged(k, &key->nonce, entropy, digests, (int64_t)first, num);
        impl->base_mul(points, k, num, scratch);
        impl->arith->scalar_inverse_many(inverse, k, num, before);
        for (int i = 0; i < num; i++) {
            kf_p256_scalar r, s, z;
            kf_p256_fe x;
            uint8_t raw[64];
            impl->arith->fe_mul(&x, &points[i].x, &kf_p256_raw_one), kf_scalar_reduce(&r, x.v);
            kf_words_from_be(z.v, work->digests + 32 * (first + (size_t)i)), kf_scalar_reduce(&z, z.v);
            impl->arith->scalar_mul(&s, &r, &key->d_mont), kf_scalar_add(&s, &s, &z);
            impl->arith->scalar_mul(&s, &inverse[i], &s);
            kf_words_to_be(raw, r.v), kf_words_to_be(raw + 32, s.v);
            work->lens[first + (size_t)i] = (int64_t)kf_p256_der_write(work->der + DER_LEN * (first + (size_t)i), raw);
        }
    }
    kf_slot_unpin(work->key);
    kf_rng_wipe(&rng);
    return 0;
}

static size_t not_valid(const bench_p256 *work, int status) {
    size_t valid = 0;
    for (size_t i = 0; i < work->num; i++) valid += work->valid[i];
    return status == KF_OK ? work->num - valid : work->num;
}

static size_t run_ours(bench_p256 *work, int task) {
    const struct kf_column digests = {.data = work->digests, .data_len = 32 * (int64_t)work->num, .width = 32};
    const struct kf_column der = {.ptrs = work->ptrs, .lens = work->lens};
    const struct kf_column many_der = {.ptrs = work->many_ptrs, .lens = work->many_lens};
    const int64_t num = (int64_t)work->num;
    const int threads = task == BENCH_SIGN_TWO || task == BENCH_VERIFY_TWO ? 2 : 1;
    size_t failed = 0;
    int64_t bad = 0;
    switch (task) {
    case BENCH_SIGN_UNCHECKED: return sign_unchecked(work, &digests);
    case BENCH_SIGN:
    case BENCH_SIGN_TWO:
        if (kf_p256_sign_batch(work->key, work->der, work->lens, work->status, &bad, &digests, num, KF_P256_DER, 0, threads)
            != KF_OK)
            return work->num;
        return (size_t)bad;
    case BENCH_SIGN_ONE:
        for (size_t i = 0; i < work->num; i++)
            failed += kf_p256_sign(work->key, work->der + DER_LEN * i, &work->lens[i], work->digests + 32 * i, KF_P256_DER, 0)
                      != KF_OK;
        return failed;
    case BENCH_VERIFY_KEY:
    case BENCH_VERIFY_TWO:
        return not_valid(work, kf_p256_verify_batch(work->valid, work->public_key, &digests, &der, num, KF_P256_DER, threads));
    case BENCH_VERIFY_MANY:
        return not_valid(work, kf_p256_verify_many(work->valid, work->public_keys, &digests, &many_der, num, KF_P256_DER, 1));
    }
    for (size_t i = 0; i < work->num; i++) {
        const int again = task == BENCH_VERIFY_AGAIN;
        failed += kf_p256_verify(again ? work->public_key : work->public_keys + 64 * i, work->digests + 32 * i,
                                 again ? work->ptrs[i] : work->many_ptrs[i], again ? work->lens[i] : work->many_lens[i],
                                 KF_P256_DER)
                  != KF_OK;
    }
    return failed;
}

/* ---- OpenSSL ----------------------------------------------------------------------------------------------- */

static size_t run_openssl(bench_p256 *work, int task) {
    const int many = task == BENCH_VERIFY_MANY || task == BENCH_VERIFY_ONE;
    size_t failed = 0;
    if (task <= BENCH_SIGN_ONE) {
        uint8_t der[DER_LEN];
        for (size_t i = 0; i < work->num; i++) {
            size_t len = sizeof der;
            failed += EVP_PKEY_sign(work->sign, der, &len, work->digests + 32 * i, 32) != 1;
        }
        return failed;
    }
    for (size_t i = 0; i < work->num; i++)
        failed += EVP_PKEY_verify(many ? work->many_verify[i] : work->verify, many ? work->many_ptrs[i] : work->ptrs[i],
                                  (size_t)(many ? work->many_lens[i] : work->lens[i]), work->digests + 32 * i, 32)
                  != 1;
    return failed;
}

size_t bench_p256_run(bench_p256 *work, int task, int party, int64_t reps) {
    size_t failed = 0;
    for (int64_t i = 0; i < reps; i++) failed += party == BENCH_OURS ? run_ours(work, task) : run_openssl(work, task);
    return failed;
}

/* Signed by us, verified by both; then with one bit of one signature changed. */
static int verified_by_both(bench_p256 *work, int task) {
    uint8_t *byte = &work->der[DER_LEN * (work->num / 2) + 20];
    int agree = run_ours(work, task) == 0 && run_ours(work, BENCH_VERIFY_KEY) == 0
                && run_openssl(work, BENCH_VERIFY_KEY) == 0;
    *byte ^= 1;
    agree = agree && run_ours(work, BENCH_VERIFY_KEY) == 1 && run_openssl(work, BENCH_VERIFY_KEY) == 1;
    *byte ^= 1;
    return agree;
}

int bench_p256_agree(bench_p256 *work) {
    uint8_t *byte = &work->many_der[DER_LEN * (work->num / 3) + 20];
    int agree = verified_by_both(work, BENCH_SIGN_UNCHECKED) && verified_by_both(work, BENCH_SIGN_ONE)
                && verified_by_both(work, BENCH_SIGN);
    agree = agree && run_ours(work, BENCH_VERIFY_MANY) == 0 && run_ours(work, BENCH_VERIFY_ONE) == 0;
    *byte ^= 1;
    agree = agree && run_ours(work, BENCH_VERIFY_MANY) == 1 && run_openssl(work, BENCH_VERIFY_MANY) == 1;
    *byte ^= 1;
    return agree;
}
