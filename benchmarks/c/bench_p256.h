/*
 * ECDSA on P-256: kmsfast's batches under an implementation of one's choice, and OpenSSL's EVP with contexts that are made
 * once and reused. Both sign with the same private key and verify under the same public keys.
 */
#ifndef BENCH_P256_H
#define BENCH_P256_H

#include "bench.h"

typedef struct bench_p256 bench_p256;

enum bench_p256_op {
    BENCH_SIGN = 0,           /* as released: each signature is checked */
    BENCH_SIGN_UNCHECKED = 1, /* the same without the check, which only this library can leave out */
    BENCH_VERIFY = 2,         /* under one key, whose table is made once */
    BENCH_VERIFY_MANY = 3,    /* under BENCH_P256_KEYS keys in turn, none of them known before */
    BENCH_SIGN_ONE = 4,       /* one per call */
    BENCH_VERIFY_ONE = 5      /* one per call, under one key */
};

enum { BENCH_P256_KEYS = 64 };

/* The names of the implementations that can run here; NULL past the last. */
BENCH_API const char *bench_p256_impl(int i);
/* num digests and their signatures. impl: "fma", "mulx" and so on. NULL when that cannot run here, or memory, OpenSSL or
 * a self-test fails. */
BENCH_API bench_p256 *bench_p256_new(const char *impl, size_t num);
BENCH_API void bench_p256_free(bench_p256 *work);
/* Runs BENCH_OURS or BENCH_OPENSSL reps times over the first num digests; returns how many failed: 0. */
BENCH_API size_t bench_p256_run(bench_p256 *work, int party, int op, size_t num, int64_t reps);
/* 1 when each party accepts what the other signs, and refuses it once a bit is changed. */
BENCH_API int bench_p256_agree(bench_p256 *work);

#endif
