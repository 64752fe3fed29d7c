/*
 * HMAC-SHA-256 of many messages under one key: kmsfast's lanes and OpenSSL's EVP_MAC. Both read the same messages and
 * write the same buffer; what a user would do once (fetch, make a context, set the key) is done before bench_mac_run.
 */
#ifndef BENCH_MAC_H
#define BENCH_MAC_H

#include "bench.h"

typedef struct bench_mac bench_mac;

/* num messages of len bytes each, or of 1 to -len bytes when len is negative. NULL when memory, OpenSSL or the
 * library's self-test fails. */
BENCH_API bench_mac *bench_mac_new(size_t num, int64_t len);
BENCH_API void bench_mac_free(bench_mac *work);
/* Runs BENCH_OURS or BENCH_OPENSSL reps times over the messages; returns how many failed: 0. */
BENCH_API size_t bench_mac_run(bench_mac *work, int party, int64_t reps);
/* 1 when both write the same bytes. */
BENCH_API int bench_mac_agree(bench_mac *work);

#endif
