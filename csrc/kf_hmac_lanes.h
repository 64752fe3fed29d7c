/* HMAC-SHA-256 of several messages side by side under one key: one function per implementation. */
#ifndef KF_HMAC_LANES_H
#define KF_HMAC_LANES_H

#include "kf_sha256.h"

enum { KF_HMAC_LANES = 2 };

typedef struct {
    const uint8_t *head; /* whole blocks at the start of the message */
    const uint8_t *tail; /* the blocks of the rest, padded (FIPS 180-4 5.1.1; the key's block counts in the length) */
    uint8_t *out;        /* 32 bytes */
} kf_hmac_lane;

/* KF_HMAC_LANES lanes of num_head and num_tail blocks of 64 bytes each. What they spill is the caller's to wipe
 * (kf_wipe_below). */
void kf_hmac_lanes_portable(const kf_hmac_key *key, const kf_hmac_lane *lane, size_t num_head, size_t num_tail);
/* Needs KF_CPU_SHANI; does nothing on other architectures, where kf_cpu never reports it. */
void kf_hmac_lanes_shani(const kf_hmac_key *key, const kf_hmac_lane *lane, size_t num_head, size_t num_tail);

#endif
