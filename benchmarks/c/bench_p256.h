/*
 * ECDSA P-256: kmsfast's batches and OpenSSL's EVP. Both sign the same digests and verify the same signatures. What a user
 * would do once (keys, contexts, the table of a public key) is done before bench_p256_run: OpenSSL has one context to
 * sign with, one to verify with, and for many keys a context for each.
 */
#ifndef BENCH_P256_H
#define BENCH_P256_H

#include "bench.h"

typedef struct bench_p256 bench_p256;

enum bench_p256_task {
    BENCH_SIGN_UNCHECKED, /* nonces, points and signatures, without the check before release */
    BENCH_SIGN,           /* as released: DER, checked */
    BENCH_SIGN_TWO,       /* the same on two threads */
    BENCH_SIGN_ONE,       /* one call for each digest */
    BENCH_VERIFY_KEY,     /* all under one key */
    BENCH_VERIFY_TWO,     /* the same on two threads */
    BENCH_VERIFY_MANY,    /* a key for each */
    BENCH_VERIFY_ONE,     /* one call for each, a key for each */
    BENCH_VERIFY_AGAIN    /* one call for each, all under one key */
};

/* num digests and as many keys. implementation: of kf_p256_impl_force, or NULL for the best; it stays in force. NULL when
 * memory, OpenSSL or the library fails. */
BENCH_API bench_p256 *bench_p256_new(size_t num, const char *implementation);
BENCH_API void bench_p256_free(bench_p256 *work);
/* Runs BENCH_OURS or BENCH_OPENSSL reps times over the digests; returns how many failed: 0. OpenSSL has one thread. */
BENCH_API size_t bench_p256_run(bench_p256 *work, int task, int party, int64_t reps);
/* 1 when each verifies what the other signed, and both refuse a changed signature. */
BENCH_API int bench_p256_agree(bench_p256 *work);

#endif
