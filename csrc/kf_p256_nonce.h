/*
 * Nonces of ECDSA. Constant time in key, digest and nonce.
 */
#ifndef KF_P256_NONCE_H
#define KF_P256_NONCE_H

#include "kf_column.h"
#include "kf_p256.h"
#include "kf_sha256.h"

enum { KF_P256_ENTROPY_LEN = 32 };

/* Hedged nonces of the num digests from first on: k = 1 + c mod (n - 1), where c is the first 48 bytes of
 * HMAC(key, 0 || entropy || digest) || HMAC(key, 1 || entropy || digest), with KF_P256_ENTROPY_LEN bytes of entropy for
 * each. Good when the entropy is fresh, and still good when it is not. */
void kf_p256_nonces_hedged(kf_p256_scalar *k, const kf_hmac_key *key, const uint8_t *entropy,
                           const struct kf_column *digests, int64_t first, int num);
/* RFC 6979 3.2 with HMAC-SHA-256; skip: how many good candidates to pass over (3.2 h 3: r or s was 0). */
void kf_p256_nonce_rfc6979(kf_p256_scalar *k, const kf_p256_scalar *d, const uint8_t digest[32], int skip);

#endif
