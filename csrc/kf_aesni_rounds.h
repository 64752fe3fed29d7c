/*
 * Eight blocks of AES-256 under one key with AES-NI, a round at a time, with the multiplications of GHASH woven
 * into the rounds: what the AES-NI kernels of AES-256-GCM are made of. A template: the kernel file
 * includes kf_gcm_types.h before.
 *
 * All eight blocks take the same round key, which one load brings (a load in each instruction would be as many
 * as two a cycle, all that these processors can do). The instructions are pinned (kf_x86.h).
 */

typedef struct {
    __m128i b0, b1, b2, b3, b4, b5, b6, b7;
} kf_blocks8;

/* Before a loop of few, constant turns: without it GCC keeps the loop and moves registers in each turn. */
#if defined(__clang__)
#define KF_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KF_UNROLL _Pragma("GCC unroll 16")
#endif

/* Hides where a pointer comes from: else GCC computes the address of every round key and power before a loop, and
 * spills it. */
#define KF_OPAQUE(pointer) __asm__ volatile("" : "+r"(pointer))

/* ---- rounds ----------------------------------------------------------------------------------- */

/* A round of two blocks. */
KF_AESNI_INLINE void kf_round2(__m128i *a, __m128i *b, __m128i key, const int is_last) {
    if (is_last) {
        KF_PIN_AESENCLAST_REG(*a, key);
        KF_PIN_AESENCLAST_REG(*b, key);
    } else {
        KF_PIN_AESENC_REG(*a, key);
        KF_PIN_AESENC_REG(*b, key);
    }
}
KF_AESNI_INLINE void kf_round8(kf_blocks8 *s, const __m128i *key, const int is_last) {
    const __m128i k = *key;
    kf_round2(&s->b0, &s->b1, k, is_last);
    kf_round2(&s->b2, &s->b3, k, is_last);
    kf_round2(&s->b4, &s->b5, k, is_last);
    kf_round2(&s->b6, &s->b7, k, is_last);
}
KF_AESNI_INLINE void kf_encrypt8(kf_blocks8 *s, const __m128i *rk) {
    KF_OPAQUE(rk);
    KF_UNROLL
    for (int r = 1; r < 14; r++) kf_round8(s, rk + r, 0);
    kf_round8(s, rk + 14, 1);
}

/* ---- hashing ---------------------------------------------------------------------------------- */

KF_AESNI_INLINE __m128i kf_block(const uint8_t *blocks, size_t i) {
    return kf_bswap128(kf_load128(blocks + 16 * i));
}

/* A unit of GHASH: y_out = y_in after some blocks, the last of which, which may be the only one, lies at last. */
typedef struct {
    const uint8_t *data, *last;
    const __m128i *h; /* the powers */
    const __m128i *y_in;
    __m128i *y_out;
} kf_hash_unit;

/* Computes a unit of so many blocks. */
KF_AESNI_INLINE void kf_hash(const kf_hash_unit *u, size_t blocks) {
    const __m128i *h = u->h;
    kf_ghash_sum sum = kf_ghash_zero();
    __m128i x = kf_block(u->last, 0);
    if (blocks > 1) {
        kf_ghash_add(&sum, x, h[blocks - 1], h[blocks - 1 + KF_GCM_FOLDED]);
        for (size_t i = 1; i < blocks - 1; i++) kf_ghash_add(&sum, kf_block(u->data, i), h[i], h[i + KF_GCM_FOLDED]);
        x = kf_block(u->data, 0);
    }
    kf_ghash_add(&sum, _mm_xor_si128(x, *u->y_in), h[0], h[KF_GCM_FOLDED]);
    *u->y_out = kf_ghash_reduce(sum);
}

/* Units on their way: one product or half of a reduction at a time. */
typedef struct {
    kf_ghash_sum sum;
    __m128i x, folded;
} kf_hash_state;

/* sum += x * *h of the halves that `which` names (KF_PIN_CLMUL), or = when it is the first. The addition is pinned as
 * well: else compilers add up in another order, with more registers than there are. */
#define KF_PRODUCT(sum, first, x, h, which)                                                                   \
    do {                                                                                                      \
        if (first) {                                                                                          \
            KF_PIN_CLMUL_MEM(sum, x, h, which);                                                               \
        } else {                                                                                              \
            __m128i t;                                                                                        \
            __asm__ volatile("vpclmulqdq %4, %3, %2, %1\n\tvpxor %1, %0, %0"                                  \
                             : "+x"(sum), "=&x"(t) : "x"(x), "m"(*(h)), "i"(which));                          \
        }                                                                                                     \
    } while (0)

/* One of the three products of block i of a unit. */
KF_AESNI_INLINE void kf_hash_product(kf_hash_state *g, const kf_hash_unit *u, const int i, const int first,
                                     const int blocks, const int which) {
    if (which == 0) {
        g->x = kf_block(i == blocks - 1 ? u->last : u->data + 16 * i, 0);
        if (i == 0) g->x = _mm_xor_si128(g->x, *u->y_in);
        g->folded = kf_fold_halves(g->x);
        KF_PRODUCT(g->sum.middle, first, g->folded, &u->h[i + KF_GCM_FOLDED], 0x00);
    } else if (which == 1) {
        KF_PRODUCT(g->sum.low, first, g->x, &u->h[i], 0x00);
    } else {
        KF_PRODUCT(g->sum.high, first, g->x, &u->h[i], 0x11);
    }
}

/* Part `part` of units with 3 * blocks + 2 parts each, unless it is past the end. Block 0, which waits for y_in, is the
 * last of the first eight. */
KF_AESNI_INLINE void kf_hash_part(kf_hash_state *g, const kf_hash_unit *units, const int part, const int end,
                                  const int blocks) {
    const int parts = 3 * blocks + 2, k = part % parts, turn = k / 3, ahead = blocks < 8 ? blocks : 8;
    const kf_hash_unit *u = &units[part / parts];
    const __m128i poly = kf_ghash_poly();
    __m128i t;
    if (part >= end) return;
    if (turn < blocks) {
        kf_hash_product(g, u, turn < ahead ? (turn + 1) % ahead : turn, turn == 0, blocks, k % 3);
    } else if (k == parts - 2) {
        KF_PIN_CLMUL(t, g->sum.low, poly, 0x10);
        g->sum.middle = _mm_xor_si128(_mm_xor_si128(g->sum.middle, g->sum.high), g->sum.low);
        g->sum.middle = _mm_xor_si128(_mm_xor_si128(g->sum.middle, kf_swap_halves(g->sum.low)), t);
    } else {
        KF_PIN_CLMUL(t, g->sum.middle, poly, 0x10);
        *u->y_out = _mm_xor_si128(_mm_xor_si128(g->sum.high, kf_swap_halves(g->sum.middle)), t);
    }
}

/* ---- rounds and hashing ----------------------------------------------------------------------- */

/* A round, and two or three (rate) parts of units from `part` on. */
KF_AESNI_INLINE void kf_woven_round(kf_blocks8 *s, const __m128i *key, kf_hash_state *g, const kf_hash_unit *units,
                                    const int part, const int end, const int blocks, const int rate,
                                    const int is_last) {
    const __m128i k = *key;
    kf_round2(&s->b0, &s->b1, k, is_last);
    kf_hash_part(g, units, part, end, blocks);
    kf_round2(&s->b2, &s->b3, k, is_last);
    if (rate == 3) kf_hash_part(g, units, part + 1, end, blocks);
    kf_round2(&s->b4, &s->b5, k, is_last);
    kf_hash_part(g, units, part + rate - 1, end, blocks);
    kf_round2(&s->b6, &s->b7, k, is_last);
}

/* All rounds of eight blocks, and parts `part` to end - 1 of units of so many blocks. */
KF_AESNI_INLINE void kf_encrypt8_parts(kf_blocks8 *s, const __m128i *rk, kf_hash_state *g, const kf_hash_unit *units,
                                       const int part, const int end, const int blocks, const int rate) {
    KF_OPAQUE(rk);
#define KF_R(r) kf_woven_round(s, rk + r, g, units, part + (r - 1) * rate, end, blocks, rate, r == 14)
    KF_R(1), KF_R(2), KF_R(3), KF_R(4), KF_R(5), KF_R(6), KF_R(7);
    KF_R(8), KF_R(9), KF_R(10), KF_R(11), KF_R(12), KF_R(13), KF_R(14);
#undef KF_R
}

/* All rounds of eight blocks, and the units, each of so many blocks. */
KF_AESNI_INLINE void kf_encrypt8_hash(kf_blocks8 *s, const __m128i *rk, const kf_hash_unit *units,
                                      const int num_units, const int blocks) {
    const int end = num_units * (3 * blocks + 2);
    kf_hash_state g;
    kf_encrypt8_parts(s, rk, &g, units, 0, end, blocks, end > 28 ? 3 : 2);
}

/* All rounds of eight blocks, and the first or the second half of a unit of sixteen. */
KF_AESNI_INLINE void kf_encrypt8_half(kf_blocks8 *s, const __m128i *rk, kf_hash_state *g, const kf_hash_unit *unit,
                                      const int half) {
    kf_encrypt8_parts(s, rk, g, unit, half ? 24 : 0, half ? 50 : 24, 16, 2);
}
