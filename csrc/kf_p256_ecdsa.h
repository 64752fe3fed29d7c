/*
 * ECDSA (FIPS 186-5 6.4) over ranges of a batch: what the functions of kf_api.h, the self-test and tests share.
 */
#ifndef KF_P256_ECDSA_H
#define KF_P256_ECDSA_H

#include "kf_arena.h"
#include "kf_column.h"
#include "kf_p256_batch.h"

typedef struct {
    const kf_p256_impl *impl;
    const kf_p256_slot *key;
    const struct kf_column *digests; /* 32 bytes each */
    uint8_t *out;                    /* KF_P256_RAW_LEN or KF_P256_DER_MAX bytes for each */
    int64_t *lens;                   /* of DER; NULL: raw */
    uint8_t *status;                 /* KF_REC_OK or KF_REC_FAULT, and then zeros in out */
    int deterministic;               /* RFC 6979, else hedged nonces */
    int64_t num_bad;                 /* updated atomically */
} kf_p256_signing;

typedef struct {
    const kf_p256_impl *impl;
    const struct kf_column *digests, *signatures;
    int der;
    const uint8_t *public_keys;    /* 64 bytes for each; NULL: key for all */
    const kf_p256_point *key;
    const void *key_table;         /* of impl->key_table_var, or NULL */
    const void *one_table;         /* of arith->fill_table_var, or NULL: for few */
    uint8_t *valid;                /* 1 or 0 */
} kf_p256_verifying;

/* Of kf_range_fn: ctx is a kf_p256_signing or a kf_p256_verifying. */
int kf_p256_sign_range(void *ctx, int64_t begin, int64_t end);
int kf_p256_verify_range(void *ctx, int64_t begin, int64_t end);

/* The memory of a group of num signatures on their way. */
size_t kf_p256_signing_len(const kf_p256_impl *impl, int num);

/* Records of one range when num are shared out to threads. */
int64_t kf_p256_grain(int64_t num, int threads);

/* A public key from x || y, big-endian: KF_OK, or KF_ERR_FORMAT when it is not a point of the curve (SP 800-56A
 * 5.6.2.3.4; infinity has no such form). Not secret, variable time. */
int kf_p256_public_read(kf_p256_point *q, const kf_p256_impl *impl, const uint8_t bytes[64]);

/* The smallest number from which many at once are faster than one after the other. */
enum { KF_P256_FEW = 10 };

#ifdef KF_TESTING
/* Test builds only: item `item` of the next range is computed wrongly at one place, once. */
enum kf_p256_fault { KF_FAULT_NONE, KF_FAULT_POINT, KF_FAULT_SIGN_OF_Y, KF_FAULT_R, KF_FAULT_S, KF_FAULT_D, KF_FAULT_K,
                     KF_FAULT_DIGEST, /* the caller's, after its nonce was made */ KF_FAULT_ZERO };
extern enum kf_p256_fault kf_p256_fault;
extern int64_t kf_p256_fault_item;
#endif

#endif
