/* See bench_p256.h. */
#include "bench_p256.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "kf.h"
#include "kf_arena.h"
#include "kf_p256_check.h"

enum { DIGEST_LEN = 32, RAW_LEN = 64, DER_MAX = 72 };

/* What a key is to both. */
typedef struct {
    uint64_t handle;
    uint8_t public_key[RAW_LEN];
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *sign, *verify;
} bench_key;

struct bench_p256 {
    size_t num;
    uint64_t store;
    bench_key keys[BENCH_P256_KEYS];
    uint8_t *digests, *status, *raw, *raw_many, *public_keys;
    uint8_t (*der)[DER_MAX], (*der_many)[DER_MAX];
    size_t *der_len, *der_many_len;
};

/* ---- the check before release, which BENCH_SIGN_UNCHECKED leaves out (linked with --wrap=kf_p256_check) ---- */

static int unchecked;
void __real_kf_p256_check(uint8_t *good, const kf_p256_release *release);
void __wrap_kf_p256_check(uint8_t *good, const kf_p256_release *release);
void __wrap_kf_p256_check(uint8_t *good, const kf_p256_release *release) {
    if (unchecked)
        memset(good, 1, (size_t)release->num);
    else
        __real_kf_p256_check(good, release);
}

/* ---- keys ----------------------------------------------------------------------------------------- */

static int make_pkey(bench_key *key, const uint8_t scalar[DIGEST_LEN]) {
    uint8_t point[1 + RAW_LEN] = {4};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    BIGNUM *d = BN_bin2bn(scalar, DIGEST_LEN, NULL);
    memcpy(point + 1, key->public_key, RAW_LEN);
    int good = build && ctx && d && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0)
               && OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point)
               && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d);
    OSSL_PARAM *params = good ? OSSL_PARAM_BLD_to_param(build) : NULL;
    good = params && EVP_PKEY_fromdata_init(ctx) == 1
           && EVP_PKEY_fromdata(ctx, &key->pkey, EVP_PKEY_KEYPAIR, params) == 1;
    OSSL_PARAM_free(params), OSSL_PARAM_BLD_free(build), EVP_PKEY_CTX_free(ctx), BN_free(d);
    if (!good) return 0;
    key->sign = EVP_PKEY_CTX_new(key->pkey, NULL), key->verify = EVP_PKEY_CTX_new(key->pkey, NULL);
    return key->sign && key->verify && EVP_PKEY_sign_init(key->sign) == 1 && EVP_PKEY_verify_init(key->verify) == 1;
}

static int make_keys(bench_p256 *work, uint64_t *seed) {
    uint8_t wrapped[KF_WRAPPED_LEN], scalar[DIGEST_LEN], id[16] = {0}, *bytes;
    uint64_t secret, root;
    if (kf_arena_open(0) != KF_OK || kf_secret_new(&secret, &bytes) != KF_OK) return 0;
    bench_fill(bytes, 32, seed);
    if (kf_root_from_secret(&root, secret) != KF_OK || kf_store_create(&work->store, wrapped, root, id) != KF_OK) return 0;
    kf_key_release(root);
    for (int i = 0; i < BENCH_P256_KEYS; i++) {
        bench_key *key = &work->keys[i];
        bench_fill(scalar, sizeof scalar, seed);
        scalar[0] = 1; /* below n */
        if (kf_p256_import(wrapped, key->public_key, work->store, scalar, id, 1, 0) != KF_OK) return 0;
        if (kf_p256_load(&key->handle, key->public_key, work->store, wrapped, id, 1, 0) != KF_OK) return 0;
        if (!make_pkey(key, scalar)) return 0;
    }
    return 1;
}

/* ---- what is signed and verified ------------------------------------------------------------------------- */

static int openssl_sign(EVP_PKEY_CTX *ctx, uint8_t der[DER_MAX], size_t *len, const uint8_t *digest) {
    *len = DER_MAX;
    return EVP_PKEY_sign(ctx, der, len, digest, DIGEST_LEN) == 1;
}

/* Signatures under the first key, and under all keys in turn: ours are raw, OpenSSL's DER. */
static int make_signatures(bench_p256 *work) {
    for (size_t i = 0; i < work->num; i++) {
        const uint8_t *digest = work->digests + DIGEST_LEN * i;
        const bench_key *key = &work->keys[i % BENCH_P256_KEYS];
        uint8_t raw[DER_MAX];
        int64_t len;
        if (kf_p256_sign(work->keys[0].handle, raw, &len, digest, KF_P256_RAW, 0) != KF_OK) return 0;
        memcpy(work->raw + RAW_LEN * i, raw, RAW_LEN);
        if (kf_p256_sign(key->handle, raw, &len, digest, KF_P256_RAW, 0) != KF_OK) return 0;
        memcpy(work->raw_many + RAW_LEN * i, raw, RAW_LEN);
        memcpy(work->public_keys + RAW_LEN * i, key->public_key, RAW_LEN);
        if (!openssl_sign(work->keys[0].sign, work->der[i], &work->der_len[i], digest)) return 0;
        if (!openssl_sign(key->sign, work->der_many[i], &work->der_many_len[i], digest)) return 0;
    }
    return 1;
}

const char *bench_p256_impl(int i) { return kf_init() == KF_OK ? kf_p256_impl_available(i) : NULL; }

bench_p256 *bench_p256_new(const char *impl, size_t num) {
    uint64_t seed = num;
    if (kf_init() != KF_OK || kf_p256_impl_force(impl) != KF_OK) return NULL;
    bench_p256 *work = calloc(1, sizeof *work);
    if (!work) return NULL;
    work->num = num;
    work->digests = malloc(num * DIGEST_LEN), work->status = malloc(num);
    work->raw = malloc(num * RAW_LEN), work->raw_many = malloc(num * RAW_LEN), work->public_keys = malloc(num * RAW_LEN);
    work->der = calloc(num, sizeof *work->der), work->der_many = calloc(num, sizeof *work->der_many);
    work->der_len = calloc(num, sizeof *work->der_len), work->der_many_len = calloc(num, sizeof *work->der_many_len);
    if (work->digests && work->status && work->raw && work->raw_many && work->public_keys && work->der && work->der_many
        && work->der_len && work->der_many_len) {
        bench_fill(work->digests, num * DIGEST_LEN, &seed);
        if (make_keys(work, &seed) && make_signatures(work)) return work;
    }
    bench_p256_free(work);
    return NULL;
}

void bench_p256_free(bench_p256 *work) {
    for (int i = 0; i < BENCH_P256_KEYS; i++) {
        EVP_PKEY_CTX_free(work->keys[i].sign), EVP_PKEY_CTX_free(work->keys[i].verify);
        EVP_PKEY_free(work->keys[i].pkey);
        if (work->keys[i].handle) kf_key_release(work->keys[i].handle);
    }
    if (work->store) kf_key_release(work->store);
    free(work->digests), free(work->status), free(work->raw), free(work->raw_many), free(work->public_keys);
    free(work->der), free(work->der_many), free(work->der_len), free(work->der_many_len), free(work);
}

/* ---- runs ------------------------------------------------------------------------------------------------- */

static size_t count_invalid(const uint8_t *valid, size_t num) {
    size_t invalid = 0;
    for (size_t i = 0; i < num; i++) invalid += !valid[i];
    return invalid;
}

static size_t run_ours(bench_p256 *work, int op, size_t num) {
    const struct kf_column digests = {.data = work->digests, .data_len = (int64_t)num * DIGEST_LEN, .width = DIGEST_LEN};
    const struct kf_column raw = {.data = work->raw, .data_len = (int64_t)num * RAW_LEN, .width = RAW_LEN};
    const struct kf_column raw_many = {.data = work->raw_many, .data_len = (int64_t)num * RAW_LEN, .width = RAW_LEN};
    const bench_key *key = &work->keys[0];
    const int64_t n = (int64_t)num;
    int64_t bad = 0, len;
    int status = KF_OK;
    unchecked = op == BENCH_SIGN_UNCHECKED;
    switch (op) {
    case BENCH_SIGN:
    case BENCH_SIGN_UNCHECKED:
        status = kf_p256_sign_batch(key->handle, work->raw, NULL, work->status, &bad, &digests, n, KF_P256_RAW, 0, 1);
        break;
    case BENCH_VERIFY:
        status = kf_p256_verify_batch(work->status, key->public_key, &digests, &raw, n, KF_P256_RAW, 1);
        bad = (int64_t)count_invalid(work->status, num);
        break;
    case BENCH_VERIFY_MANY:
        status = kf_p256_verify_many(work->status, work->public_keys, &digests, &raw_many, n, KF_P256_RAW, 1);
        bad = (int64_t)count_invalid(work->status, num);
        break;
    case BENCH_SIGN_ONE:
        for (size_t i = 0; i < num; i++) {
            uint8_t one[DER_MAX];
            bad += kf_p256_sign(key->handle, one, &len, work->digests + DIGEST_LEN * i, KF_P256_RAW, 0) != KF_OK;
        }
        break;
    default:
        for (size_t i = 0; i < num; i++)
            bad += kf_p256_verify(key->public_key, work->digests + DIGEST_LEN * i, work->raw + RAW_LEN * i, RAW_LEN,
                                  KF_P256_RAW) != KF_OK;
    }
    unchecked = 0;
    return status == KF_OK ? (size_t)bad : num;
}

static size_t run_openssl(bench_p256 *work, int op, size_t num) {
    const int signing = op == BENCH_SIGN || op == BENCH_SIGN_UNCHECKED || op == BENCH_SIGN_ONE;
    size_t failed = 0;
    for (size_t i = 0; i < num; i++) {
        const uint8_t *digest = work->digests + DIGEST_LEN * i;
        const int many = op == BENCH_VERIFY_MANY;
        const bench_key *key = &work->keys[many ? i % BENCH_P256_KEYS : 0];
        const uint8_t *der = many ? work->der_many[i] : work->der[i];
        const size_t len = many ? work->der_many_len[i] : work->der_len[i];
        if (signing)
            failed += !openssl_sign(key->sign, work->der[i], &work->der_len[i], digest);
        else
            failed += EVP_PKEY_verify(key->verify, der, len, digest, DIGEST_LEN) != 1;
    }
    return failed;
}

size_t bench_p256_run(bench_p256 *work, int party, int op, size_t num, int64_t reps) {
    size_t failed = 0;
    for (int64_t i = 0; i < reps; i++) failed += party == BENCH_OURS ? run_ours(work, op, num) : run_openssl(work, op, num);
    return failed;
}

/* ---- agreement -------------------------------------------------------------------------------------------- */

static int openssl_accepts(const bench_key *key, const uint8_t *digest, const uint8_t raw[RAW_LEN]) {
    ECDSA_SIG *signature = ECDSA_SIG_new();
    uint8_t *der = NULL;
    int accepts = 0;
    if (signature && ECDSA_SIG_set0(signature, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL))) {
        const int len = i2d_ECDSA_SIG(signature, &der);
        accepts = len > 0 && EVP_PKEY_verify(key->verify, der, (size_t)len, digest, DIGEST_LEN) == 1;
    }
    OPENSSL_free(der), ECDSA_SIG_free(signature);
    return accepts;
}

int bench_p256_agree(bench_p256 *work) {
    int agree = run_ours(work, BENCH_SIGN, work->num) == 0;
    for (size_t i = 0; i < work->num; i++) {
        const bench_key *key = &work->keys[0];
        const uint8_t *digest = work->digests + DIGEST_LEN * i;
        uint8_t other[DIGEST_LEN];
        memcpy(other, digest, sizeof other), other[i % DIGEST_LEN] ^= 1;
        agree &= openssl_accepts(key, digest, work->raw + RAW_LEN * i) && !openssl_accepts(key, other, work->raw + RAW_LEN * i);
        for (int changed = 0; changed <= 1; changed++)
            agree &= kf_p256_verify(key->public_key, changed ? other : digest, work->der[i], (int64_t)work->der_len[i],
                                    KF_P256_DER) == (changed ? KF_ERR_AUTH : KF_OK);
    }
    const struct kf_column digests = {.data = work->digests, .data_len = (int64_t)work->num * DIGEST_LEN, .width = DIGEST_LEN};
    const struct kf_column raw = {.data = work->raw, .data_len = (int64_t)work->num * RAW_LEN, .width = RAW_LEN};
    work->raw[40] ^= 1;
    agree &= kf_p256_verify_batch(work->status, work->keys[0].public_key, &digests, &raw, (int64_t)work->num, KF_P256_RAW, 1) == KF_OK
             && count_invalid(work->status, work->num) == 1 && !work->status[0];
    work->raw[40] ^= 1;
    return agree && run_ours(work, BENCH_VERIFY_MANY, work->num) == 0;
}
