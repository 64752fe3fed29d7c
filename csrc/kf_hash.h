/* SHA-224, SHA-256, SHA-384 and SHA-512 as one interface, for what works with any of them. */
#ifndef KF_HASH_H
#define KF_HASH_H

#include "kf_sha256.h"
#include "kf_sha512.h"

typedef union {
    kf_sha256_ctx narrow; /* SHA-224, SHA-256 */
    kf_sha512_ctx wide;   /* SHA-384, SHA-512 */
} kf_hash_ctx;

enum { KF_HASH_MAX_DIGEST = 64, KF_HASH_MAX_BLOCK = 128 };

typedef struct {
    int bits;
    uint8_t digest_len, block_len, state_len;
    void (*init)(kf_hash_ctx *ctx);
    /* As after one whole block that has led to this state (state_len bytes, as a ctx begins with). */
    void (*resume)(kf_hash_ctx *ctx, const void *state);
    void (*update)(kf_hash_ctx *ctx, const uint8_t *msg, size_t msg_len);
    void (*final)(kf_hash_ctx *ctx, uint8_t *out); /* wipes what it used of ctx */
} kf_hash;

extern const kf_hash kf_hash_sha256;
/* The hash of 224, 256, 384 or 512 bits; NULL when bits is none of them. */
const kf_hash *kf_hash_of(int bits);

#endif
