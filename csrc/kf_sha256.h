/* SHA-256 and SHA-224 (FIPS 180-4), HMAC-SHA-256 (FIPS 198-1) and HKDF-SHA-256 (RFC 5869). Constant time in
 * the contents; lengths are public. */
#ifndef KF_SHA256_H
#define KF_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t state[8];
    uint64_t len;      /* bytes absorbed */
    uint8_t block[64];
} kf_sha256_ctx;

void kf_sha256_init(kf_sha256_ctx *ctx);
void kf_sha256_update(kf_sha256_ctx *ctx, const uint8_t *msg, size_t msg_len);
void kf_sha256_final(kf_sha256_ctx *ctx, uint8_t out[32]); /* wipes ctx */
/* SHA-224 is SHA-256 from another initial state, cut to seven words; kf_sha256_update serves both. */
void kf_sha224_init(kf_sha256_ctx *ctx);
void kf_sha224_final(kf_sha256_ctx *ctx, uint8_t out[28]);

/* The states after the inner and outer padded key. */
typedef struct {
    uint32_t inner[8], outer[8];
} kf_hmac_key;

void kf_hmac_key_init(kf_hmac_key *key, const uint8_t *key_bytes, size_t key_len);
void kf_hmac(const kf_hmac_key *key, uint8_t out[32], const uint8_t *msg, size_t msg_len);

void kf_hkdf(uint8_t *out, size_t out_len, const uint8_t *salt, size_t salt_len,
             const uint8_t *ikm, size_t ikm_len, const uint8_t *info, size_t info_len);

#endif
