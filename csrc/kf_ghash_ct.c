/*
 * GHASH by integer multiplication with holes.
 *
 * A product of polynomials over GF(2) is an integer product without carries. Each factor is cut
 * into four words that keep every fourth bit: in a product of such words, sums stay below 16 in
 * each group of four bits (16 is reached only at the top, where the carry falls off the word), and
 * the lowest bit of the group is the wanted coefficient. That gives the low 64 bits of a product;
 * the high ones are the low ones of the product of the reversed factors. The idea is Thomas
 * Pornin's (BearSSL, "Constant-time crypto", GHASH).
 *
 * Blocks are read as big-endian words, so that the coefficient of x^0 is the top bit: products
 * come out reversed, one bit too low, and are shifted back (SP 800-38D 6.3).
 */
#include "kf_ghash_ct.h"

#include "kf_util.h"

#define HOLES 0x1111111111111111u

/* The low 64 bits of the carry-less product. */
static inline uint64_t multiply_low(uint64_t x, uint64_t y) {
    const uint64_t x0 = x & HOLES, x1 = x & HOLES << 1, x2 = x & HOLES << 2, x3 = x & HOLES << 3;
    const uint64_t y0 = y & HOLES, y1 = y & HOLES << 1, y2 = y & HOLES << 2, y3 = y & HOLES << 3;
    const uint64_t z0 = (x0 * y0) ^ (x1 * y3) ^ (x2 * y2) ^ (x3 * y1);
    const uint64_t z1 = (x0 * y1) ^ (x1 * y0) ^ (x2 * y3) ^ (x3 * y2);
    const uint64_t z2 = (x0 * y2) ^ (x1 * y1) ^ (x2 * y0) ^ (x3 * y3);
    const uint64_t z3 = (x0 * y3) ^ (x1 * y2) ^ (x2 * y1) ^ (x3 * y0);
    return (z0 & HOLES) | (z1 & HOLES << 1) | (z2 & HOLES << 2) | (z3 & HOLES << 3);
}

static inline uint64_t reverse_bits(uint64_t x) {
    x = (x & 0x5555555555555555) << 1 | (x >> 1 & 0x5555555555555555);
    x = (x & 0x3333333333333333) << 2 | (x >> 2 & 0x3333333333333333);
    x = (x & 0x0F0F0F0F0F0F0F0F) << 4 | (x >> 4 & 0x0F0F0F0F0F0F0F0F);
    return __builtin_bswap64(x);
}

/* x^128 = x^7 + x^2 + x + 1, on reversed words: adds the word of the 64 highest powers, low, to the
 * two words above it. */
static inline void fold(uint64_t *high, uint64_t *middle, uint64_t low) {
    *high ^= low ^ low >> 1 ^ low >> 2 ^ low >> 7;
    *middle ^= low << 63 ^ low << 62 ^ low << 57;
}

/* y = (y + block) H, by Karatsuba's three products. */
static void absorb(kf_ghash_ct *ghash, const uint8_t block[16]) {
    const uint64_t y1 = ghash->y[1] ^ kf_load64_be(block), y0 = ghash->y[0] ^ kf_load64_be(block + 8);
    const uint64_t y[3] = {y0, y1, y0 ^ y1};
    uint64_t low[3], high[3];
    for (int i = 0; i < 3; i++) {
        low[i] = multiply_low(y[i], ghash->h[i]);
        high[i] = reverse_bits(multiply_low(reverse_bits(y[i]), ghash->h_reversed[i])) >> 1;
    }
    const uint64_t middle_low = low[0] ^ low[1] ^ low[2], middle_high = high[0] ^ high[1] ^ high[2];
    uint64_t v0 = low[0], v1 = high[0] ^ middle_low, v2 = low[1] ^ middle_high, v3 = high[1];

    v3 = v3 << 1 | v2 >> 63;
    v2 = v2 << 1 | v1 >> 63;
    v1 = v1 << 1 | v0 >> 63;
    v0 = v0 << 1;
    fold(&v2, &v1, v0);
    fold(&v3, &v2, v1);
    ghash->y[1] = v3;
    ghash->y[0] = v2;
}

void kf_ghash_ct_init(kf_ghash_ct *ghash, const uint8_t h[16]) {
    ghash->h[1] = kf_load64_be(h);
    ghash->h[0] = kf_load64_be(h + 8);
    ghash->h[2] = ghash->h[0] ^ ghash->h[1];
    for (int i = 0; i < 3; i++) ghash->h_reversed[i] = reverse_bits(ghash->h[i]);
    ghash->y[0] = ghash->y[1] = 0;
}

void kf_ghash_ct_update(kf_ghash_ct *ghash, const uint8_t *msg, size_t msg_len) {
    for (; msg_len >= 16; msg += 16, msg_len -= 16) absorb(ghash, msg);
    if (msg_len == 0) return;
    uint8_t block[16] = {0};
    memcpy(block, msg, msg_len);
    absorb(ghash, block);
}

void kf_ghash_ct_final(kf_ghash_ct *ghash, uint8_t out[16], uint64_t aad_len, uint64_t text_len) {
    uint8_t block[16];
    kf_store64_be(block, aad_len * 8);
    kf_store64_be(block + 8, text_len * 8);
    absorb(ghash, block);
    kf_store64_be(out, ghash->y[1]);
    kf_store64_be(out + 8, ghash->y[0]);
}
