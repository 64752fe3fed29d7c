/* See bench_mac.h. */
#include "bench_mac.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "kf.h"
#include "kf_hmac_many.h"

enum { MAC_LEN = 32 };

struct bench_mac {
    size_t num;
    int64_t *offsets; /* num + 1 */
    uint8_t *msgs, *out;
    kf_hmac_key key;
    EVP_MAC *mac;
    EVP_MAC_CTX *ctx;
};

/* The context is made, and gets its key, once. */
static int prepare_openssl(bench_mac *work, const uint8_t *key_bytes, size_t key_len) {
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    work->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    work->ctx = work->mac ? EVP_MAC_CTX_new(work->mac) : NULL;
    return work->ctx && EVP_MAC_init(work->ctx, key_bytes, key_len, params);
}

bench_mac *bench_mac_new(size_t num, int64_t len) {
    uint8_t key_bytes[BENCH_KEY_LEN];
    uint64_t seed = num ^ (uint64_t)len;
    bench_mac *work = kf_init() == KF_OK ? calloc(1, sizeof *work) : NULL;
    if (!work) return NULL;
    work->num = num;
    work->offsets = calloc(num + 1, sizeof *work->offsets);
    work->out = calloc(num, MAC_LEN);
    for (size_t i = 0; work->offsets && i < num; i++) {
        const int64_t own = len < 0 ? 1 + (int64_t)(bench_next(&seed) % (uint64_t)-len) : len;
        work->offsets[i + 1] = work->offsets[i] + own;
    }
    work->msgs = work->offsets ? malloc((size_t)work->offsets[num] + 1) : NULL;
    bench_fill(key_bytes, sizeof key_bytes, &seed);
    if (!work->out || !work->msgs || !prepare_openssl(work, key_bytes, sizeof key_bytes)) {
        bench_mac_free(work);
        return NULL;
    }
    bench_fill(work->msgs, (size_t)work->offsets[num], &seed);
    kf_hmac_key_init(&work->key, key_bytes, sizeof key_bytes);
    return work;
}

void bench_mac_free(bench_mac *work) {
    EVP_MAC_CTX_free(work->ctx);
    EVP_MAC_free(work->mac);
    free(work->offsets), free(work->msgs), free(work->out), free(work);
}

static size_t run_ours(bench_mac *work) {
    const struct kf_column in = {.data = work->msgs, .data_len = work->offsets[work->num], .offsets = work->offsets};
    const kf_sink out = {.data = work->out, .stride = MAC_LEN};
    kf_hmac_column(&work->key, &out, &in, 0, (int64_t)work->num, NULL);
    return 0;
}

static size_t run_openssl(bench_mac *work) {
    size_t failed = 0, len;
    for (size_t i = 0; i < work->num; i++) {
        int good = EVP_MAC_init(work->ctx, NULL, 0, NULL); /* the same key again */
        good &= EVP_MAC_update(work->ctx, work->msgs + work->offsets[i],
                               (size_t)(work->offsets[i + 1] - work->offsets[i]));
        good &= EVP_MAC_final(work->ctx, work->out + MAC_LEN * i, &len, MAC_LEN);
        failed += good != 1;
    }
    return failed;
}

size_t bench_mac_run(bench_mac *work, int party, int64_t reps) {
    size_t failed = 0;
    for (int64_t i = 0; i < reps; i++) failed += party == BENCH_OURS ? run_ours(work) : run_openssl(work);
    return failed;
}

int bench_mac_agree(bench_mac *work) {
    const size_t len = work->num * MAC_LEN;
    uint8_t *first = malloc(len);
    if (!first) return 0;
    int agree = run_ours(work) == 0;
    memcpy(first, work->out, len);
    memset(work->out, 0, len);
    agree = agree && run_openssl(work) == 0 && memcmp(first, work->out, len) == 0;
    free(first);
    return agree;
}
