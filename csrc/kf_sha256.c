/* SHA-256 and SHA-224 (FIPS 180-4 6.2, 6.3), portable: no table is indexed and no branch taken on the contents. */
#include "kf_sha256.h"

#include "kf.h"
#include "kf_cpu.h"
#include "kf_sha256_impl.h"
#include "kf_util.h"

static const uint32_t initial_256[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static const uint32_t initial_224[8] = {0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939,
                                        0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4};

const uint32_t kf_sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotr(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

void kf_sha256_blocks_portable(uint32_t state[8], const uint8_t *blocks, size_t num_blocks) {
    uint32_t w[64];
    for (; num_blocks--; blocks += 64) {
        for (int t = 0; t < 16; t++) w[t] = kf_load32_be(blocks + 4 * t);
        for (int t = 16; t < 64; t++) {
            const uint32_t s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ w[t - 15] >> 3;
            const uint32_t s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ w[t - 2] >> 10;
            w[t] = s1 + w[t - 7] + s0 + w[t - 16];
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int t = 0; t < 64; t++) {
            const uint32_t s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25), ch = (e & f) ^ (~e & g);
            const uint32_t t1 = h + s1 + ch + kf_sha256_k[t] + w[t];
            const uint32_t s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22), maj = (a & b) ^ (a & c) ^ (b & c);
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + s0 + maj;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
    kf_wipe(w, sizeof w);
}

static void compress(uint32_t state[8], const uint8_t *blocks, size_t num_blocks) {
    if (kf_cpu() & KF_CPU_SHANI)
        kf_sha256_blocks_shani(state, blocks, num_blocks);
    else
        kf_sha256_blocks_portable(state, blocks, num_blocks);
}

static void init(kf_sha256_ctx *ctx, const uint32_t state[8]) {
    memcpy(ctx->state, state, sizeof ctx->state);
    ctx->len = 0;
}

void kf_sha256_init(kf_sha256_ctx *ctx) { init(ctx, initial_256); }
void kf_sha224_init(kf_sha256_ctx *ctx) { init(ctx, initial_224); }

void kf_sha256_update(kf_sha256_ctx *ctx, const uint8_t *msg, size_t msg_len) {
    const size_t held = ctx->len & 63;
    if (msg_len == 0) return;
    ctx->len += msg_len;
    if (held) {
        const size_t take = 64 - held < msg_len ? 64 - held : msg_len;
        memcpy(ctx->block + held, msg, take);
        if (held + take < 64) return;
        compress(ctx->state, ctx->block, 1);
        msg += take, msg_len -= take;
    }
    compress(ctx->state, msg, msg_len / 64);
    if (msg_len & 63) memcpy(ctx->block, msg + (msg_len & ~(size_t)63), msg_len & 63);
}

/* The first num_words words of the digest. */
static void final(kf_sha256_ctx *ctx, uint8_t *out, int num_words) {
    size_t held = ctx->len & 63;
    ctx->block[held++] = 0x80;
    if (held > 56) {
        memset(ctx->block + held, 0, 64 - held);
        compress(ctx->state, ctx->block, 1);
        held = 0;
    }
    memset(ctx->block + held, 0, 56 - held);
    kf_store64_be(ctx->block + 56, ctx->len * 8);
    compress(ctx->state, ctx->block, 1);
    for (int i = 0; i < num_words; i++) kf_store32_be(out + 4 * i, ctx->state[i]);
    kf_wipe(ctx, sizeof *ctx);
}

void kf_sha256_final(kf_sha256_ctx *ctx, uint8_t out[32]) { final(ctx, out, 8); }
void kf_sha224_final(kf_sha256_ctx *ctx, uint8_t out[28]) { final(ctx, out, 7); }

int kf_sha256(uint8_t *out, const uint8_t *msg, size_t msg_len) {
    kf_sha256_ctx ctx;
    const int status = kf_init();
    if (status != KF_OK) return status;
    kf_sha256_init(&ctx);
    kf_sha256_update(&ctx, msg, msg_len);
    kf_sha256_final(&ctx, out);
    return KF_OK;
}
