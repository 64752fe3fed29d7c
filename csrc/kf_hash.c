/* See kf_hash.h. */
#include "kf_hash.h"

#include <string.h>

_Static_assert(offsetof(kf_sha256_ctx, state) == 0, "a ctx begins with its state");
_Static_assert(offsetof(kf_sha512_ctx, state) == 0, "a ctx begins with its state");

static void init_224(kf_hash_ctx *ctx) { kf_sha224_init(&ctx->narrow); }
static void init_256(kf_hash_ctx *ctx) { kf_sha256_init(&ctx->narrow); }
static void init_384(kf_hash_ctx *ctx) { kf_sha384_init(&ctx->wide); }
static void init_512(kf_hash_ctx *ctx) { kf_sha512_init(&ctx->wide); }

static void resume_narrow(kf_hash_ctx *ctx, const void *state) {
    memcpy(ctx->narrow.state, state, sizeof ctx->narrow.state);
    ctx->narrow.len = sizeof ctx->narrow.block;
}
static void resume_wide(kf_hash_ctx *ctx, const void *state) {
    memcpy(ctx->wide.state, state, sizeof ctx->wide.state);
    ctx->wide.len = sizeof ctx->wide.block;
}

static void update_narrow(kf_hash_ctx *ctx, const uint8_t *msg, size_t msg_len) {
    kf_sha256_update(&ctx->narrow, msg, msg_len);
}
static void update_wide(kf_hash_ctx *ctx, const uint8_t *msg, size_t msg_len) {
    kf_sha512_update(&ctx->wide, msg, msg_len);
}

static void final_224(kf_hash_ctx *ctx, uint8_t *out) { kf_sha224_final(&ctx->narrow, out); }
static void final_256(kf_hash_ctx *ctx, uint8_t *out) { kf_sha256_final(&ctx->narrow, out); }
static void final_384(kf_hash_ctx *ctx, uint8_t *out) { kf_sha384_final(&ctx->wide, out); }
static void final_512(kf_hash_ctx *ctx, uint8_t *out) { kf_sha512_final(&ctx->wide, out); }

const kf_hash kf_hash_sha256 = {256, 32, 64, 32, init_256, resume_narrow, update_narrow, final_256};
static const kf_hash sha224 = {224, 28, 64, 32, init_224, resume_narrow, update_narrow, final_224};
static const kf_hash sha384 = {384, 48, 128, 64, init_384, resume_wide, update_wide, final_384};
static const kf_hash sha512 = {512, 64, 128, 64, init_512, resume_wide, update_wide, final_512};

static const kf_hash *const HASHES[] = {&sha224, &kf_hash_sha256, &sha384, &sha512};

const kf_hash *kf_hash_of(int bits) {
    for (size_t i = 0; i < sizeof HASHES / sizeof HASHES[0]; i++)
        if (HASHES[i]->bits == bits) return HASHES[i];
    return NULL;
}
