/* SHA-512 and SHA-384 (FIPS 180-4 6.4, 6.5), portable: no table is indexed and no branch taken on the contents. */
#include "kf_sha512.h"

#include "kf_util.h"

enum { BLOCK = 128, ROUNDS = 80, LEN_AT = BLOCK - 16 }; /* the length has 128 bits, of which the upper 64 are zero */

static const uint64_t initial_512[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
static const uint64_t initial_384[8] = {
    0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
    0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4};

/* FIPS 180-4 4.2.3 */
static const uint64_t k[ROUNDS] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817};

static uint64_t rotr(uint64_t x, int n) {
    return x >> n | x << (64 - n);
}

/* 6.4.2 */
static void compress(uint64_t state[8], const uint8_t *blocks, size_t num_blocks) {
    uint64_t w[ROUNDS];
    for (; num_blocks--; blocks += BLOCK) {
        for (int t = 0; t < 16; t++) w[t] = kf_load64_be(blocks + 8 * t);
        for (int t = 16; t < ROUNDS; t++) {
            const uint64_t s0 = rotr(w[t - 15], 1) ^ rotr(w[t - 15], 8) ^ w[t - 15] >> 7;
            const uint64_t s1 = rotr(w[t - 2], 19) ^ rotr(w[t - 2], 61) ^ w[t - 2] >> 6;
            w[t] = s1 + w[t - 7] + s0 + w[t - 16];
        }
        uint64_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint64_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int t = 0; t < ROUNDS; t++) {
            const uint64_t s1 = rotr(e, 14) ^ rotr(e, 18) ^ rotr(e, 41), ch = (e & f) ^ (~e & g);
            const uint64_t t1 = h + s1 + ch + k[t] + w[t];
            const uint64_t s0 = rotr(a, 28) ^ rotr(a, 34) ^ rotr(a, 39), maj = (a & b) ^ (a & c) ^ (b & c);
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + s0 + maj;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
    kf_wipe(w, sizeof w);
}

static void init(kf_sha512_ctx *ctx, const uint64_t state[8]) {
    memcpy(ctx->state, state, sizeof ctx->state);
    ctx->len = 0;
}

void kf_sha512_init(kf_sha512_ctx *ctx) { init(ctx, initial_512); }
void kf_sha384_init(kf_sha512_ctx *ctx) { init(ctx, initial_384); }

void kf_sha512_update(kf_sha512_ctx *ctx, const uint8_t *msg, size_t msg_len) {
    const size_t held = ctx->len % BLOCK;
    if (msg_len == 0) return;
    ctx->len += msg_len;
    if (held) {
        const size_t take = BLOCK - held < msg_len ? BLOCK - held : msg_len;
        memcpy(ctx->block + held, msg, take);
        if (held + take < BLOCK) return;
        compress(ctx->state, ctx->block, 1);
        msg += take, msg_len -= take;
    }
    compress(ctx->state, msg, msg_len / BLOCK);
    if (msg_len % BLOCK) memcpy(ctx->block, msg + msg_len / BLOCK * BLOCK, msg_len % BLOCK);
}

/* The first num_words words of the digest. */
static void final(kf_sha512_ctx *ctx, uint8_t *out, int num_words) {
    size_t held = ctx->len % BLOCK;
    ctx->block[held++] = 0x80;
    if (held > LEN_AT) {
        memset(ctx->block + held, 0, BLOCK - held);
        compress(ctx->state, ctx->block, 1);
        held = 0;
    }
    memset(ctx->block + held, 0, BLOCK - held);
    kf_store64_be(ctx->block + BLOCK - 8, ctx->len * 8);
    compress(ctx->state, ctx->block, 1);
    for (int i = 0; i < num_words; i++) kf_store64_be(out + 8 * i, ctx->state[i]);
    kf_wipe(ctx, sizeof *ctx);
}

void kf_sha512_final(kf_sha512_ctx *ctx, uint8_t out[64]) { final(ctx, out, 8); }
void kf_sha384_final(kf_sha512_ctx *ctx, uint8_t out[48]) { final(ctx, out, 6); }
