/*
 * One workload, three parties that do it: kmsfast's kernels, OpenSSL's EVP, Intel ipsec-mb.
 *
 * Rules:
 * - all parties read the same inputs and write the same output buffers, with the same nonces,
 *   associated data and 16-byte tags; bench_agree compares every byte of what they wrote;
 * - whatever a user would do once (fetch a cipher, make a context, expand a fixed key) is done
 *   before bench_run, for every party;
 * - XAES-256-GCM has no counterpart in the peers. Theirs is AES-256-GCM with a fresh key per
 *   record: the keys are those that XAES derives, made beforehand, so that the outputs are equal
 *   and the peer pays for neither nonces nor derivation. Ours draws its nonces while it is timed.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "kf_aead.h"

#define BENCH_API __attribute__((visibility("default")))

enum { BENCH_NONCE_LEN = 12, BENCH_XAES_NONCE_LEN = 24, BENCH_TAG_LEN = 16, BENCH_DIGEST_LEN = 32, BENCH_KEY_LEN = 32 };

enum bench_party { BENCH_OURS = 0, BENCH_OPENSSL = 1, BENCH_IPSECMB = 2, BENCH_NUM_PARTIES = 3 };

typedef struct {
    size_t num;
    int xaes;                 /* 1: XAES-256-GCM for us, a fresh key per record for the peers */
    int opening;              /* 1: open what was sealed when the workload was made */
    const uint8_t *digest;    /* associated data of every record: 32 bytes, or NULL */
    kf_rec *rec;              /* from in to out, in this workload's direction */
    uint8_t *memory;          /* plaintexts, sealed records and opened ones */
    uint8_t *out;             /* the part of memory that a run writes */
    size_t out_len;
    uint8_t *nonces;          /* 12 bytes each: AES-256-GCM, as the peers see it */
    uint8_t *xaes_nonces;     /* 24 bytes each; the last 12 are in nonces */
    uint8_t *drawn;           /* 24 bytes each: room for the nonces drawn while timed */
    uint8_t *keys;            /* 32 bytes each: derived by XAES */
    uint8_t *ok;
    uint8_t key[BENCH_KEY_LEN];
    uint8_t digest_bytes[BENCH_DIGEST_LEN];
    void *state[BENCH_NUM_PARTIES];
} bench_work;

/* A party: prepare returns its state (NULL: cannot), run returns how many records failed. draw: XAES nonces
 * are drawn anew (timing) instead of the workload's own (comparing). */
typedef struct {
    void *(*prepare)(const bench_work *work);
    size_t (*run)(void *state, const bench_work *work, int draw);
    void (*release)(void *state);
} bench_party_ops;

extern const bench_party_ops bench_ours, bench_openssl, bench_ipsecmb;

/* A workload of num records: of len bytes each, or of 1 to -len bytes when len is negative. NULL when memory
 * or the library's self-test fails. */
BENCH_API bench_work *bench_new(int xaes, int opening, size_t num, int64_t len, int with_digest);
BENCH_API void bench_free(bench_work *work);
/* Bytes of plaintext in one run. */
BENCH_API size_t bench_bytes(const bench_work *work);
/* 1: the party can run here (ipsec-mb may be missing). */
BENCH_API int bench_has(bench_work *work, int party);
/* Runs a party reps times over the workload; returns how many records failed: 0. */
BENCH_API size_t bench_run(bench_work *work, int party, int64_t reps);
/* 1 when both parties write the same bytes and, in opening, both refuse a changed tag. */
BENCH_API int bench_agree(bench_work *work, int party, int other);
/* "kmsfast aesni; OpenSSL 3.0.17 ...; ipsec-mb v1.3.0 avx2" */
BENCH_API const char *bench_versions(void);
/* Test data, the same in every run: lengths, bytes, keys and nonces of a benchmark need not be secret. */
uint64_t bench_next(uint64_t *seed);
void bench_fill(uint8_t *out, size_t len, uint64_t *seed);
const char *bench_openssl_version(void);
const char *bench_ipsecmb_version(void);

#endif
