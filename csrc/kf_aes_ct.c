/*
 * Bit-sliced AES-256 (FIPS 197) on eight 64-bit words.
 *
 * The state of four blocks lies in q[0..7]: q[i] holds bit i of all 64 bytes. The byte of row r,
 * column c and block b sits at position 16 r + 4 c + b, so that
 * - rotating a word by 16 bits moves every byte one row down (MixColumns),
 * - rotating the 16 bits of a row by 4 moves it by one column (ShiftRows),
 * - SubBytes is a circuit on whole words.
 */
#include "kf_aes_ct.h"

#include "kf_util.h"

/* ---- between bytes and slices ---------------------------------------------------------------- */

static inline uint32_t load32_le(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline void store32_le(uint8_t *p, uint32_t x) {
    p[0] = (uint8_t)x, p[1] = (uint8_t)(x >> 8), p[2] = (uint8_t)(x >> 16), p[3] = (uint8_t)(x >> 24);
}

/* Byte r of x goes to byte 2 r. */
static inline uint64_t spread_bytes(uint32_t x) {
    uint64_t y = x;
    y = (y | y << 16) & 0x0000FFFF0000FFFF;
    return (y | y << 8) & 0x00FF00FF00FF00FF;
}

static inline uint32_t gather_bytes(uint64_t y) {
    y &= 0x00FF00FF00FF00FF;
    y = (y | y >> 8) & 0x0000FFFF0000FFFF;
    return (uint32_t)(y | y >> 16);
}

/* Exchanges the bits of *a under mask << shift with those of *b under mask. */
static inline void swap_bits(uint64_t *a, uint64_t *b, uint64_t mask, int shift) {
    const uint64_t t = (*a >> shift ^ *b) & mask;
    *b ^= t;
    *a ^= t << shift;
}

/* Bit i of each byte of word k goes to bit k of the same byte of word i: eight transposed 8 x 8
 * matrices, and its own inverse. */
static void transpose(uint64_t q[8]) {
    for (int k = 0; k < 8; k += 2) swap_bits(&q[k], &q[k + 1], 0x5555555555555555, 1);
    for (int k = 0; k < 8; k += 4) {
        swap_bits(&q[k], &q[k + 2], 0x3333333333333333, 2);
        swap_bits(&q[k + 1], &q[k + 3], 0x3333333333333333, 2);
    }
    for (int k = 0; k < 4; k++) swap_bits(&q[k], &q[k + 4], 0x0F0F0F0F0F0F0F0F, 4);
}

/* Word b takes columns 0 and 2 of block b, word 4 + b columns 1 and 3: after the transposition bit
 * 4 (c mod 2) + b of byte 2 r + c / 2 is the position above. */
static void slice(uint64_t q[8], const uint8_t *const block[4]) {
    for (int b = 0; b < 4; b++) {
        const uint8_t *p = block[b];
        q[b] = spread_bytes(load32_le(p)) | spread_bytes(load32_le(p + 8)) << 8;
        q[b + 4] = spread_bytes(load32_le(p + 4)) | spread_bytes(load32_le(p + 12)) << 8;
    }
    transpose(q);
}

static void unslice(uint8_t out[64], uint64_t q[8]) {
    transpose(q);
    for (int b = 0; b < 4; b++) {
        uint8_t *p = out + 16 * b;
        store32_le(p, gather_bytes(q[b]));
        store32_le(p + 8, gather_bytes(q[b] >> 8));
        store32_le(p + 4, gather_bytes(q[b + 4]));
        store32_le(p + 12, gather_bytes(q[b + 4] >> 8));
    }
}

/* ---- the round -------------------------------------------------------------------------------- */

/* FIPS 197 5.1.1 as the circuit of Boyar and Peralta, "A depth-16 circuit for the AES S-box" and
 * "A new combinational logic minimization technique" (IACR eprint 2011/332 and 2009/191): a linear
 * layer, an inversion in GF(2^4)^2, and a linear layer. Their bit 0 is the highest, and the names
 * of the wires (y, t, z, s) are theirs. */
static inline void sub_bytes(uint64_t q[8]) {
    const uint64_t x0 = q[7], x1 = q[6], x2 = q[5], x3 = q[4], x4 = q[3], x5 = q[2], x6 = q[1], x7 = q[0];

    const uint64_t y14 = x3 ^ x5, y13 = x0 ^ x6, y9 = x0 ^ x3, y8 = x0 ^ x5, t0 = x1 ^ x2;
    const uint64_t y1 = t0 ^ x7, y4 = y1 ^ x3, y12 = y13 ^ y14, y2 = y1 ^ x0, y5 = y1 ^ x6;
    const uint64_t y3 = y5 ^ y8, t1 = x4 ^ y12, y15 = t1 ^ x5, y20 = t1 ^ x1, y6 = y15 ^ x7;
    const uint64_t y10 = y15 ^ t0, y11 = y20 ^ y9, y7 = x7 ^ y11, y17 = y10 ^ y11, y19 = y10 ^ y8;
    const uint64_t y16 = t0 ^ y11, y21 = y13 ^ y16, y18 = x0 ^ y16;

    const uint64_t t2 = y12 & y15, t4 = (y3 & y6) ^ t2, t6 = (y4 & x7) ^ t2;
    const uint64_t t7 = y13 & y16, t9 = (y5 & y1) ^ t7, t11 = (y2 & y7) ^ t7;
    const uint64_t t12 = y9 & y11, t14 = (y14 & y17) ^ t12, t16 = (y8 & y10) ^ t12;
    const uint64_t t21 = t4 ^ t14 ^ y20, t22 = t6 ^ t16 ^ y19, t23 = t9 ^ t14 ^ y21, t24 = t11 ^ t16 ^ y18;
    const uint64_t t25 = t21 ^ t22, t26 = t21 & t23, t27 = t24 ^ t26, t29 = (t25 & t27) ^ t22;
    const uint64_t t30 = t23 ^ t24, t31 = t22 ^ t26, t33 = (t31 & t30) ^ t24, t34 = t23 ^ t33;
    const uint64_t t35 = t27 ^ t33, t36 = t24 & t35, t37 = t36 ^ t34, t38 = t27 ^ t36;
    const uint64_t t40 = t25 ^ (t29 & t38), t41 = t40 ^ t37, t42 = t29 ^ t33, t43 = t29 ^ t40;
    const uint64_t t44 = t33 ^ t37, t45 = t42 ^ t41;

    const uint64_t z0 = t44 & y15, z1 = t37 & y6, z2 = t33 & x7, z3 = t43 & y16, z4 = t40 & y1;
    const uint64_t z5 = t29 & y7, z6 = t42 & y11, z7 = t45 & y17, z8 = t41 & y10, z9 = t44 & y12;
    const uint64_t z10 = t37 & y3, z11 = t33 & y4, z12 = t43 & y13, z13 = t40 & y5, z14 = t29 & y2;
    const uint64_t z15 = t42 & y9, z16 = t45 & y14, z17 = t41 & y8;

    const uint64_t t46 = z15 ^ z16, t47 = z10 ^ z11, t48 = z5 ^ z13, t49 = z9 ^ z10, t50 = z2 ^ z12;
    const uint64_t t51 = z2 ^ z5, t52 = z7 ^ z8, t53 = z0 ^ z3, t54 = z6 ^ z7, t55 = z16 ^ z17;
    const uint64_t t56 = z12 ^ t48, t57 = t50 ^ t53, t58 = z4 ^ t46, t59 = z3 ^ t54, t60 = t46 ^ t57;
    const uint64_t t61 = z14 ^ t57, t62 = t52 ^ t58, t63 = t49 ^ t58, t64 = z4 ^ t59, t65 = t61 ^ t62;
    const uint64_t t66 = z1 ^ t63, t67 = t64 ^ t65, s3 = t53 ^ t66;

    q[7] = t59 ^ t63;
    q[6] = ~(t64 ^ s3);
    q[5] = ~(t55 ^ t67);
    q[4] = s3;
    q[3] = t51 ^ t66;
    q[2] = t47 ^ t65;
    q[1] = ~(t56 ^ t62);
    q[0] = ~(t48 ^ t60);
}

/* FIPS 197 5.1.2: row r turns left by r columns, the 16 bits of row r right by 4 r. */
static inline void shift_rows(uint64_t q[8]) {
    for (int i = 0; i < 8; i++) {
        const uint64_t x = q[i];
        q[i] = (x & 0x000000000000FFFF)
             | (x >> 4 & 0x000000000FFF0000) | (x << 12 & 0x00000000F0000000)
             | (x >> 8 & 0x000000FF00000000) | (x << 8 & 0x0000FF0000000000)
             | (x >> 12 & 0x000F000000000000) | (x << 4 & 0xFFF0000000000000);
    }
}

static inline uint64_t rotate_right(uint64_t x, int bits) { return x >> bits | x << (64 - bits); }

/* FIPS 197 5.1.3: with a the byte and a1, a2, a3 those of the next rows,
 * 2 a + 3 a1 + a2 + a3 = 2 (a + a1) + a1 + (a2 + a3). */
static inline void mix_columns(uint64_t q[8]) {
    uint64_t next[8], pair[8]; /* a1; a + a1 */
    for (int i = 0; i < 8; i++) {
        next[i] = rotate_right(q[i], 16);
        pair[i] = q[i] ^ next[i];
    }
    for (int i = 0; i < 8; i++) {
        /* doubling: up by one bit, and bit 7 comes back as x^8 = x^4 + x^3 + x + 1 */
        uint64_t twice = i ? pair[i - 1] : pair[7];
        if (i == 1 || i == 3 || i == 4) twice ^= pair[7];
        q[i] = twice ^ next[i] ^ rotate_right(pair[i], 32);
    }
}

static inline void add_round_key(uint64_t q[8], const uint64_t rk[8]) {
    for (int i = 0; i < 8; i++) q[i] ^= rk[i];
}

void kf_aes_ct_encrypt4(const kf_aes_ct_keys *keys, uint8_t out[64], const uint8_t in[64]) {
    const uint8_t *const block[4] = {in, in + 16, in + 32, in + 48};
    uint64_t q[8];
    slice(q, block);
    add_round_key(q, keys->rk[0]);
    for (int round = 1; round < 14; round++) {
        sub_bytes(q);
        shift_rows(q);
        mix_columns(q);
        add_round_key(q, keys->rk[round]);
    }
    sub_bytes(q);
    shift_rows(q);
    add_round_key(q, keys->rk[14]);
    unslice(out, q);
    kf_wipe(q, sizeof q);
}

/* ---- keys ------------------------------------------------------------------------------------- */

/* SubWord (FIPS 197 5.2) of one word for each of four keys. Any arrangement of the 16 bytes will do:
 * the circuit treats all positions alike. */
static void sub_words(uint32_t w[4]) {
    uint64_t q[8] = {w[0], w[1], w[2], w[3]};
    transpose(q);
    sub_bytes(q);
    transpose(q);
    for (int lane = 0; lane < 4; lane++) w[lane] = (uint32_t)q[lane];
    kf_wipe(q, sizeof q);
}

/* FIPS 197 5.2 with Nk = 8, words little-endian: RotWord is a rotation right by 8 bits. */
static void expand_lanes(kf_aes256 *keys, const uint8_t *key_bytes, int num) {
    uint32_t t[4] = {0};
    uint8_t rcon = 1;
    for (int lane = 0; lane < num; lane++) memcpy(keys[lane].rk, key_bytes + 32 * lane, 32);
    for (int i = 8; i < 60; i++) {
        for (int lane = 0; lane < num; lane++) t[lane] = load32_le(keys[lane].rk + 4 * (i - 1));
        if (i % 4 == 0) sub_words(t);
        for (int lane = 0; lane < num; lane++) {
            uint8_t *w = keys[lane].rk + 4 * i;
            if (i % 8 == 0) t[lane] = (t[lane] >> 8 | t[lane] << 24) ^ rcon;
            store32_le(w, load32_le(w - 32) ^ t[lane]);
        }
        if (i % 8 == 0) rcon = (uint8_t)(rcon << 1);
    }
    kf_wipe(t, sizeof t);
}

void kf_aes_ct_expand(kf_aes256 *key, const uint8_t key_bytes[32]) {
    expand_lanes(key, key_bytes, 1);
}

void kf_aes_ct_expand4(kf_aes256 keys[4], const uint8_t key_bytes[128]) {
    expand_lanes(keys, key_bytes, 4);
}

void kf_aes_ct_load(kf_aes_ct_keys *keys, const kf_aes256 *key) {
    for (int round = 0; round < 15; round++) {
        const uint8_t *p = key->rk + 16 * round;
        const uint8_t *const block[4] = {p, p, p, p};
        slice(keys->rk[round], block);
    }
}

void kf_aes_ct_load4(kf_aes_ct_keys *keys, const kf_aes256 lane_keys[4]) {
    for (int round = 0; round < 15; round++) {
        const uint8_t *block[4];
        for (int lane = 0; lane < 4; lane++) block[lane] = lane_keys[lane].rk + 16 * round;
        slice(keys->rk[round], block);
    }
}
