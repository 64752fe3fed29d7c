/* Workloads: memory, records, keys and nonces, and the comparison of what two parties wrote. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "bench.h"
#include "kf.h"

static const bench_party_ops *const PARTIES[BENCH_NUM_PARTIES] = {&bench_ours, &bench_openssl, &bench_ipsecmb};

/* splitmix64 */
uint64_t bench_next(uint64_t *seed) {
    uint64_t x = *seed += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

void bench_fill(uint8_t *out, size_t len, uint64_t *seed) {
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)bench_next(seed);
}

/* C2SP XAES-256-GCM: L = AES_K(0), K1 = L << 1 (with 0x87), Kx = AES_K(M1 ^ K1) || AES_K(M2 ^ K1), where
 * Mi = 0x00 || i || "X" || 0x00 || the first 12 bytes of the nonce. Through OpenSSL's block cipher, so that
 * equal outputs also say that the derivation is right. */
static int derive_keys(bench_work *work) {
    EVP_CIPHER_CTX *ecb = EVP_CIPHER_CTX_new();
    uint8_t k1[16] = {0}, blocks[32];
    int len, good = ecb && EVP_EncryptInit_ex(ecb, EVP_aes_256_ecb(), NULL, work->key, NULL);
    good = good && EVP_CIPHER_CTX_set_padding(ecb, 0) && EVP_EncryptUpdate(ecb, k1, &len, k1, 16);
    const int carry = k1[0] >> 7;
    for (int i = 0; i < 15; i++) k1[i] = (uint8_t)(k1[i] << 1 | k1[i + 1] >> 7);
    k1[15] = (uint8_t)(k1[15] << 1 ^ (carry ? 0x87 : 0));
    for (size_t i = 0; good && i < work->num; i++) {
        for (int half = 0; half < 2; half++) {
            uint8_t *m = blocks + 16 * half;
            m[0] = 0, m[1] = (uint8_t)(half + 1), m[2] = 'X', m[3] = 0;
            memcpy(m + 4, work->xaes_nonces + 24 * i, 12);
            for (int k = 0; k < 16; k++) m[k] ^= k1[k];
        }
        good = EVP_EncryptUpdate(ecb, work->keys + 32 * i, &len, blocks, 32);
        memcpy(work->nonces + 12 * i, work->xaes_nonces + 24 * i + 12, 12);
    }
    EVP_CIPHER_CTX_free(ecb);
    return good;
}

/* Room: plaintexts | sealed | opened, each record directly after the one before. */
static int lay_out(bench_work *work, int64_t len, uint64_t *seed) {
    size_t total = 0, plain_at = 0, sealed_at = 0;
    for (size_t i = 0; i < work->num; i++) {
        work->rec[i].len = len < 0 ? 1 + bench_next(seed) % (uint64_t)-len : (uint64_t)len;
        total += work->rec[i].len;
    }
    const size_t sealed_len = total + work->num * BENCH_TAG_LEN;
    work->memory = aligned_alloc(4096, (2 * total + sealed_len + 4095) / 4096 * 4096);
    if (!work->memory) return 0;
    bench_fill(work->memory, total, seed);
    memset(work->memory + total, 0, total + sealed_len);
    work->out = work->memory + total;
    work->out_len = sealed_len;
    for (size_t i = 0; i < work->num; i++) {
        work->rec[i].in = work->memory + plain_at;
        work->rec[i].out = work->memory + total + sealed_at;
        plain_at += work->rec[i].len;
        sealed_at += work->rec[i].len + BENCH_TAG_LEN;
    }
    return 1;
}

/* Seals everything with the workload's nonces, then points the records the other way. */
static int turn_round(bench_work *work, size_t total) {
    void *openssl = bench_openssl.prepare(work);
    if (!openssl || bench_openssl.run(openssl, work, 0)) return 0;
    bench_openssl.release(openssl);
    uint8_t *opened = work->out + work->out_len;
    work->opening = 1;
    work->out = opened;
    work->out_len = total;
    for (size_t i = 0; i < work->num; i++) {
        work->rec[i].in = work->rec[i].out;
        work->rec[i].out = opened;
        opened += work->rec[i].len;
    }
    return 1;
}

bench_work *bench_new(int xaes, int opening, size_t num, int64_t len, int with_digest) {
    if (kf_init() != KF_OK || num == 0) return NULL;
    uint64_t seed = num ^ (uint64_t)len;
    bench_work *work = calloc(1, sizeof *work);
    if (!work) return NULL;
    work->num = num, work->xaes = xaes;
    work->rec = calloc(num, sizeof *work->rec);
    work->nonces = calloc(num, BENCH_NONCE_LEN);
    work->xaes_nonces = calloc(num, BENCH_XAES_NONCE_LEN);
    work->drawn = calloc(num, BENCH_XAES_NONCE_LEN);
    work->keys = calloc(num, BENCH_KEY_LEN);
    work->ok = calloc(num, 1);
    int good = work->rec && work->nonces && work->xaes_nonces && work->drawn && work->keys && work->ok;
    if (good) {
        bench_fill(work->key, sizeof work->key, &seed);
        bench_fill(work->digest_bytes, sizeof work->digest_bytes, &seed);
        bench_fill(work->nonces, num * BENCH_NONCE_LEN, &seed);
        bench_fill(work->xaes_nonces, num * BENCH_XAES_NONCE_LEN, &seed);
        work->digest = with_digest ? work->digest_bytes : NULL;
        good = lay_out(work, len, &seed) && (!xaes || derive_keys(work));
    }
    if (good && opening) good = turn_round(work, bench_bytes(work));
    for (int party = 0; good && party < BENCH_NUM_PARTIES; party++)
        work->state[party] = PARTIES[party]->prepare(work);
    if (good) return work;
    bench_free(work);
    return NULL;
}

void bench_free(bench_work *work) {
    for (int party = 0; party < BENCH_NUM_PARTIES; party++)
        if (work->state[party]) PARTIES[party]->release(work->state[party]);
    free(work->rec), free(work->memory), free(work->nonces), free(work->xaes_nonces);
    free(work->drawn), free(work->keys), free(work->ok), free(work);
}

size_t bench_bytes(const bench_work *work) {
    size_t total = 0;
    for (size_t i = 0; i < work->num; i++) total += work->rec[i].len;
    return total;
}

int bench_has(bench_work *work, int party) { return work->state[party] != NULL; }

size_t bench_run(bench_work *work, int party, int64_t reps) {
    size_t failed = 0;
    for (int64_t i = 0; i < reps; i++) failed += PARTIES[party]->run(work->state[party], work, 1);
    return failed;
}

static size_t run_once(bench_work *work, int party) {
    memset(work->out, 0, work->out_len);
    return PARTIES[party]->run(work->state[party], work, 0);
}

/* A tag of the middle record changed: that party must report one failure. */
static int refuses(bench_work *work, int party) {
    const kf_rec *rec = &work->rec[work->num / 2];
    uint8_t *tag = (uint8_t *)rec->in + rec->len;
    tag[5] ^= 0x10;
    const size_t failed = run_once(work, party);
    tag[5] ^= 0x10;
    return failed == 1;
}

int bench_agree(bench_work *work, int party, int other) {
    uint8_t *first = malloc(work->out_len);
    if (!first) return 0;
    int agree = run_once(work, party) == 0;
    memcpy(first, work->out, work->out_len);
    agree = agree && run_once(work, other) == 0 && memcmp(first, work->out, work->out_len) == 0;
    if (work->opening)
        agree = agree && memcmp(first, work->memory, work->out_len) == 0 && refuses(work, party) && refuses(work, other);
    free(first);
    return agree;
}

const char *bench_versions(void) {
    static char text[256];
    snprintf(text, sizeof text, "kmsfast %s; %s; ipsec-mb %s", kf_impl_name(), bench_openssl_version(),
             bench_ipsecmb_version());
    return text;
}
