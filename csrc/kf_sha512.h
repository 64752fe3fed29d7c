/* SHA-384 and SHA-512 (FIPS 180-4 6.4, 6.5). Constant time in the contents; lengths are public. */
#ifndef KF_SHA512_H
#define KF_SHA512_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t state[8];
    uint64_t len;       /* bytes absorbed */
    uint8_t block[128];
} kf_sha512_ctx;

void kf_sha512_init(kf_sha512_ctx *ctx);
void kf_sha512_update(kf_sha512_ctx *ctx, const uint8_t *msg, size_t msg_len);
void kf_sha512_final(kf_sha512_ctx *ctx, uint8_t out[64]); /* wipes ctx */
/* SHA-384 is SHA-512 from another initial state, cut to six words; kf_sha512_update serves both. */
void kf_sha384_init(kf_sha512_ctx *ctx);
void kf_sha384_final(kf_sha512_ctx *ctx, uint8_t out[48]);

#endif
