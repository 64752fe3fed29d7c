/*
 * OpenSSL at its best through the interface that it documents (EVP): the cipher fetched once, one
 * context for all records, the tag through a parameter list that is built once. With a fixed key
 * only the nonce is set per record; XAES workloads set key and nonce.
 */
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "bench.h"

typedef struct {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *ctx;
} openssl_state;

static void release(void *opaque) {
    openssl_state *state = opaque;
    EVP_CIPHER_CTX_free(state->ctx);
    EVP_CIPHER_free(state->cipher);
    free(state);
}

static void *prepare(const bench_work *work) {
    openssl_state *state = calloc(1, sizeof *state);
    if (!state) return NULL;
    state->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    state->ctx = EVP_CIPHER_CTX_new();
    if (state->cipher && state->ctx &&
        EVP_CipherInit_ex2(state->ctx, state->cipher, work->key, work->nonces, !work->opening, NULL))
        return state;
    release(state);
    return NULL;
}

static size_t seal(EVP_CIPHER_CTX *ctx, const bench_work *work) {
    OSSL_PARAM tag[2] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, BENCH_TAG_LEN),
                         OSSL_PARAM_construct_end()};
    size_t failed = 0;
    int len;
    for (size_t i = 0; i < work->num; i++) {
        const kf_rec *rec = &work->rec[i];
        int good = EVP_EncryptInit_ex2(ctx, NULL, work->xaes ? work->keys + 32 * i : NULL, work->nonces + 12 * i, NULL);
        if (work->digest) good &= EVP_EncryptUpdate(ctx, NULL, &len, work->digest, BENCH_DIGEST_LEN);
        good &= EVP_EncryptUpdate(ctx, rec->out, &len, rec->in, (int)rec->len);
        good &= EVP_EncryptFinal_ex(ctx, rec->out + rec->len, &len);
        tag[0].data = rec->out + rec->len;
        good &= EVP_CIPHER_CTX_get_params(ctx, tag);
        failed += good != 1;
    }
    return failed;
}

static size_t open_all(EVP_CIPHER_CTX *ctx, const bench_work *work) {
    OSSL_PARAM tag[2] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, BENCH_TAG_LEN),
                         OSSL_PARAM_construct_end()};
    uint8_t none[16];
    size_t failed = 0;
    int len;
    for (size_t i = 0; i < work->num; i++) {
        const kf_rec *rec = &work->rec[i];
        int good = EVP_DecryptInit_ex2(ctx, NULL, work->xaes ? work->keys + 32 * i : NULL, work->nonces + 12 * i, NULL);
        if (work->digest) good &= EVP_DecryptUpdate(ctx, NULL, &len, work->digest, BENCH_DIGEST_LEN);
        good &= EVP_DecryptUpdate(ctx, rec->out, &len, rec->in, (int)rec->len);
        tag[0].data = (uint8_t *)rec->in + rec->len;
        good &= EVP_CIPHER_CTX_set_params(ctx, tag);
        good &= EVP_DecryptFinal_ex(ctx, none, &len) == 1;
        failed += good != 1;
    }
    return failed;
}

static size_t run(void *opaque, const bench_work *work, int draw) {
    openssl_state *state = opaque;
    (void)draw;
    return work->opening ? open_all(state->ctx, work) : seal(state->ctx, work);
}

const char *bench_openssl_version(void) { return OpenSSL_version(OPENSSL_VERSION); }

const bench_party_ops bench_openssl = {prepare, run, release};
