/*
 * AES-256, GCM and XAES straight from their specifications, byte by byte and in variable time: slow,
 * and written apart from csrc, so that both can hardly be wrong alike.
 */
#include "kft.h"

/* ---- FIPS 197 -------------------------------------------------------------------------------------- */

/* Multiplication in GF(2^8), 4.2. */
static uint8_t times(uint8_t a, uint8_t b) {
    uint8_t product = 0;
    for (; b; b >>= 1) {
        if (b & 1) product ^= a;
        a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
    }
    return product;
}

/* 5.1.1: the inverse (the 254th power), and an affine map. */
static uint8_t sbox(uint8_t x) {
    static uint8_t table[256];
    static int ready;
    for (int i = 0; !ready && i < 256; i++) {
        uint8_t inverse = 1;
        for (int k = 0; k < 254; k++) inverse = times(inverse, (uint8_t)i);
        uint8_t y = 0x63;
        for (int r = 0; r < 5; r++) y ^= (uint8_t)(inverse << r | inverse >> (8 - r));
        table[i] = y;
    }
    ready = 1;
    return table[x];
}

static void expand(uint8_t w[240], const uint8_t key[32]) {
    uint8_t rcon = 1;
    memcpy(w, key, 32);
    for (int i = 32; i < 240; i += 4) {
        uint8_t t[4];
        memcpy(t, w + i - 4, 4);
        if (i % 32 == 0) {
            const uint8_t first = t[0];
            t[0] = sbox(t[1]) ^ rcon, t[1] = sbox(t[2]), t[2] = sbox(t[3]), t[3] = sbox(first);
            rcon = times(rcon, 2);
        } else if (i % 32 == 16) {
            for (int k = 0; k < 4; k++) t[k] = sbox(t[k]);
        }
        for (int k = 0; k < 4; k++) w[i + k] = w[i - 32 + k] ^ t[k];
    }
}

static void cipher(uint8_t out[16], const uint8_t w[240], const uint8_t in[16]) {
    uint8_t s[16], t[16];
    for (int i = 0; i < 16; i++) s[i] = in[i] ^ w[i];
    for (int round = 1; round <= 14; round++) {
        for (int c = 0; c < 4; c++)
            for (int r = 0; r < 4; r++) t[4 * c + r] = sbox(s[4 * ((c + r) % 4) + r]);
        for (int i = 0; i < 16; i++) {
            const int c = i / 4 * 4, r = i % 4;
            s[i] = round == 14 ? t[i]
                               : times(t[c + r], 2) ^ times(t[c + (r + 1) % 4], 3) ^ t[c + (r + 2) % 4] ^ t[c + (r + 3) % 4];
            s[i] ^= w[16 * round + i];
        }
    }
    memcpy(out, s, 16);
}

void kft_ref_aes256(uint8_t out[16], const uint8_t key[32], const uint8_t in[16]) {
    uint8_t w[240];
    expand(w, key);
    cipher(out, w, in);
}

/* ---- SP 800-38D -------------------------------------------------------------------------------------- */

/* 6.3, algorithm 1: y = y h, bit by bit. */
static void gf128_multiply(uint8_t y[16], const uint8_t h[16]) {
    uint64_t z1 = 0, z0 = 0, v1 = 0, v0 = 0;
    for (int i = 0; i < 8; i++) v1 = v1 << 8 | h[i], v0 = v0 << 8 | h[i + 8];
    for (int i = 0; i < 128; i++) {
        if (y[i / 8] >> (7 - i % 8) & 1) z1 ^= v1, z0 ^= v0;
        const uint64_t carry = v0 & 1;
        v0 = v0 >> 1 | v1 << 63;
        v1 = v1 >> 1 ^ (carry ? 0xE100000000000000 : 0);
    }
    for (int i = 0; i < 8; i++) y[i] = (uint8_t)(z1 >> (56 - 8 * i)), y[i + 8] = (uint8_t)(z0 >> (56 - 8 * i));
}

static void ghash(uint8_t y[16], const uint8_t h[16], const uint8_t *in, size_t len) {
    for (size_t at = 0; at < len; at += 16) {
        for (size_t i = at; i < len && i < at + 16; i++) y[i - at] ^= in[i];
        gf128_multiply(y, h);
    }
}

static void put_be(uint8_t *out, uint64_t x, int len) {
    for (int i = 0; i < len; i++) out[i] = (uint8_t)(x >> (8 * (len - 1 - i)));
}

/* 7.1, with the associated data digest || aad. */
static void gcm(uint8_t *out, const uint8_t key[32], const uint8_t *digest, const uint8_t nonce[12],
                const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len) {
    uint8_t w[240], h[16] = {0}, counter[16], block[16], sum[16] = {0}, lengths[16];
    expand(w, key);
    cipher(h, w, h);
    memcpy(counter, nonce, 12);
    for (size_t at = 0; at < len; at += 16) {
        put_be(counter + 12, 2 + at / 16, 4);
        cipher(block, w, counter);
        for (size_t i = at; i < len && i < at + 16; i++) out[i] = in[i] ^ block[i - at];
    }
    if (digest) ghash(sum, h, digest, 32);
    ghash(sum, h, aad, aad_len);
    ghash(sum, h, out, len);
    put_be(lengths, 8 * (aad_len + (digest ? 32 : 0)), 8);
    put_be(lengths + 8, 8 * (uint64_t)len, 8);
    ghash(sum, h, lengths, 16);
    put_be(counter + 12, 1, 4);
    cipher(block, w, counter);
    for (int i = 0; i < 16; i++) out[len + (size_t)i] = sum[i] ^ block[i];
}

/* ---- C2SP XAES-256-GCM --------------------------------------------------------------------------------- */

static void xaes_derive(uint8_t derived[32], const uint8_t key[32], const uint8_t nonce[24]) {
    uint8_t w[240], k1[16] = {0};
    expand(w, key);
    cipher(k1, w, k1);
    const int carry = k1[0] >> 7;
    for (int i = 0; i < 16; i++) k1[i] = (uint8_t)(k1[i] << 1 | (i < 15 ? k1[i + 1] >> 7 : 0));
    if (carry) k1[15] ^= 0x87;
    for (int half = 0; half < 2; half++) {
        uint8_t m[16] = {0, (uint8_t)(half + 1), 'X', 0};
        memcpy(m + 4, nonce, 12);
        for (int i = 0; i < 16; i++) m[i] ^= k1[i];
        cipher(derived + 16 * half, w, m);
    }
}

void kft_ref_seal(enum kft_mode mode, uint8_t *out, const uint8_t key[32], const uint8_t *digest,
                  const uint8_t *nonce, const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len) {
    uint8_t derived[32];
    if (mode == KFT_GCM) {
        gcm(out, key, digest, nonce, aad, aad_len, in, len);
        return;
    }
    xaes_derive(derived, key, nonce);
    gcm(out, derived, digest, nonce + 12, aad, aad_len, in, len);
}
