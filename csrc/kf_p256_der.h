/*
 * Signatures as bytes: r || s (IEEE P1363), or DER (RFC 3279 2.2.3: SEQUENCE of two INTEGERs). Public data, variable
 * time. Reading is strict: one encoding for each signature (X.690 10.1, 8.3.2), r and s from 1 to n - 1, nothing
 * behind.
 */
#ifndef KF_P256_DER_H
#define KF_P256_DER_H

#include "kf_p256.h"

enum { KF_P256_RAW_LEN = 64, KF_P256_DER_MAX = 72 };

/* Bytes written to out, at most KF_P256_DER_MAX. */
size_t kf_p256_der_write(uint8_t *out, const uint8_t raw[KF_P256_RAW_LEN]);
/* 1 when the bytes are a signature, else 0 with r and s of no use. */
int kf_p256_der_read(kf_p256_scalar *r, kf_p256_scalar *s, const uint8_t *der, size_t der_len);
int kf_p256_raw_read(kf_p256_scalar *r, kf_p256_scalar *s, const uint8_t *raw, size_t raw_len);

#endif
