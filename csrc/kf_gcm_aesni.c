/*
 * AES-256-GCM with AES-NI and PCLMULQDQ: the window kernel, the bulk kernel, and the two entry points.
 * Eight blocks are in flight; three multiplications follow each of their AES rounds, in this order,
 * because the instructions are pinned (kf_x86.h).
 */
#include "kf_gcm_aesni.h"

#include "kf_util.h"
#include "kf_x86.h"

#if defined(__x86_64__)

#define KF_GCM_TARGET KF_AESNI

enum { KF_GCM_POWERS = 8, KF_GCM_LANES = 8, KF_GCM_BULK_STEP = 128, KF_GCM_BULK_MIN = 512 };

#include "kf_gcm_types.h"

typedef struct {
    __m128i b0, b1, b2, b3, b4, b5, b6, b7;
} kf_blocks8;

/* ---- pinned code ---------------------------------------------------------------------------- */

/* One instruction on state register b: all eight have the same round key, which one load brings (loads from memory
 * in each instruction would be as many as two a cycle, all that these processors can do). */
#define KF_LOAD_KEY(r) "vmovdqa 16*(" #r ")(%[rk]), %[k]\n\t"
#define KF_AES1(op, r, b) op " %[k], %[" #b "], %[" #b "]\n\t"
#define KF_AES8(op, r)                                                                      \
    KF_LOAD_KEY(r)                                                                          \
    KF_AES1(op, r, b0) KF_AES1(op, r, b1) KF_AES1(op, r, b2) KF_AES1(op, r, b3)             \
    KF_AES1(op, r, b4) KF_AES1(op, r, b5) KF_AES1(op, r, b6) KF_AES1(op, r, b7)
#define KF_STATE(s)                                                                                 \
    [b0] "+x"((s).b0), [b1] "+x"((s).b1), [b2] "+x"((s).b2), [b3] "+x"((s).b3), [b4] "+x"((s).b4),  \
        [b5] "+x"((s).b5), [b6] "+x"((s).b6), [b7] "+x"((s).b7)

/* Round r of eight blocks. */
#define KF_ROUND(s, rk_, r)                                                                                       \
    do {                                                                                                          \
        __m128i k;                                                                                                \
        __asm__ volatile(KF_AES8("vaesenc", r) : KF_STATE(s), [k] "=&x"(k) : [rk] "r"(rk_) : "memory");           \
    } while (0)
#define KF_LAST_ROUND(s, rk_)                                                                                     \
    do {                                                                                                          \
        __m128i k;                                                                                                \
        __asm__ volatile(KF_AES8("vaesenclast", 14) : KF_STATE(s), [k] "=&x"(k) : [rk] "r"(rk_) : "memory");      \
    } while (0)

/* GHASH of one block, in parts that go between AES instructions: x = block i at data, byte-swapped;
 * Karatsuba products with powers[i]; sums. In the first product of a sum the sums are the products. */
#define KF_X_LOAD(i) "vmovdqu 16*(" #i ")(%[data]), %[x]\n\t"
#define KF_X_SWAP "vpshufb %[swap], %[x], %[x]\n\t"
#define KF_FOLD_1 "vpshufd $0x4e, %[x], %[f]\n\t"
#define KF_FOLD_2 "vpxor %[x], %[f], %[f]\n\t"
#define KF_LOW(i, to) "vpclmulqdq $0x00, 16*(" #i ")(%[powers]), %[x], %[" #to "]\n\t"
#define KF_HIGH(i, to) "vpclmulqdq $0x11, 16*(" #i ")(%[powers]), %[x], %[" #to "]\n\t"
#define KF_MIDDLE(i, to) "vpclmulqdq $0x00, 16*(12+" #i ")(%[powers]), %[f], %[" #to "]\n\t"
#define KF_SUM(sum, t) "vpxor %[" #t "], %[" #sum "], %[" #sum "]\n\t"

#define KF_INPUTS(rk_, data_, powers_) \
    [rk] "r"(rk_), [data] "r"(data_), [powers] "r"(powers_), [swap] "m"(swap)

/* Round r of eight blocks; sum = block i at data * powers[i]. */
#define KF_ROUND_MULTIPLY_FIRST(s, rk_, r, sum, data_, powers_, i)                                      \
    do {                                                                                                \
        __m128i x, f, k;                                                                                 \
        __asm__ volatile(                                                                               \
            KF_LOAD_KEY(r) KF_X_LOAD(i) KF_AES1("vaesenc", r, b0) KF_AES1("vaesenc", r, b1) KF_X_SWAP                       \
            KF_AES1("vaesenc", r, b2) KF_FOLD_1 KF_LOW(i, low) KF_AES1("vaesenc", r, b3) KF_FOLD_2         \
            KF_AES1("vaesenc", r, b4) KF_HIGH(i, high) KF_AES1("vaesenc", r, b5)                           \
            KF_AES1("vaesenc", r, b6) KF_MIDDLE(i, middle) KF_AES1("vaesenc", r, b7)                       \
            : KF_STATE(s), [k] "=&x"(k), [x] "=&x"(x), [f] "=&x"(f), [low] "=&x"((sum).low),                          \
              [middle] "=&x"((sum).middle), [high] "=&x"((sum).high)                                    \
            : KF_INPUTS(rk_, data_, powers_)                 \
            : "memory");                                                                                \
    } while (0)

/* Round r of eight blocks; sum += block i at data * powers[i]. */
#define KF_ROUND_MULTIPLY(s, rk_, r, sum, data_, powers_, i)                                            \
    do {                                                                                                \
        __m128i x, f, t, k;                                                                              \
        __asm__ volatile(                                                                               \
            KF_LOAD_KEY(r) KF_X_LOAD(i) KF_AES1("vaesenc", r, b0) KF_AES1("vaesenc", r, b1) KF_X_SWAP                       \
            KF_AES1("vaesenc", r, b2) KF_FOLD_1 KF_LOW(i, t) KF_AES1("vaesenc", r, b3) KF_FOLD_2           \
            KF_AES1("vaesenc", r, b4) KF_HIGH(i, x) KF_SUM(low, t) KF_AES1("vaesenc", r, b5)           \
            KF_AES1("vaesenc", r, b6) KF_MIDDLE(i, f) KF_SUM(high, x) KF_AES1("vaesenc", r, b7)        \
            KF_SUM(middle, f)                                                                       \
            : KF_STATE(s), [k] "=&x"(k), [x] "=&x"(x), [f] "=&x"(f), [t] "=&x"(t), [low] "+x"((sum).low),             \
              [middle] "+x"((sum).middle), [high] "+x"((sum).high)                                      \
            : KF_INPUTS(rk_, data_, powers_)                 \
            : "memory");                                                                                \
    } while (0)

/* Round r of eight blocks; sum += (block 0 at data ^ y) * powers[0]. */
#define KF_ROUND_MULTIPLY_Y(s, rk_, r, sum, data_, powers_, y_)                                         \
    do {                                                                                                \
        __m128i x = _mm_xor_si128(_mm_shuffle_epi8(kf_load128(data_), swap), y_), f, t, k;              \
        __asm__ volatile(                                                                               \
            KF_LOAD_KEY(r) KF_AES1("vaesenc", r, b0) KF_AES1("vaesenc", r, b1)                          \
            KF_AES1("vaesenc", r, b2) KF_FOLD_1 KF_LOW(0, t) KF_AES1("vaesenc", r, b3) KF_FOLD_2        \
            KF_AES1("vaesenc", r, b4) KF_HIGH(0, x) KF_SUM(low, t) KF_AES1("vaesenc", r, b5)            \
            KF_AES1("vaesenc", r, b6) KF_MIDDLE(0, f) KF_SUM(high, x) KF_AES1("vaesenc", r, b7)         \
            KF_SUM(middle, f)                                                                           \
            : KF_STATE(s), [k] "=&x"(k), [x] "+x"(x), [f] "=&x"(f), [t] "=&x"(t),                       \
              [low] "+x"((sum).low), [middle] "+x"((sum).middle), [high] "+x"((sum).high)               \
            : [rk] "r"(rk_), [powers] "r"(powers_)                                                      \
            : "memory");                                                                                \
    } while (0)

/* kf_ghash_reduce in two halves, so that AES rounds come between. */
KF_AESNI_INLINE void kf_reduce_low(kf_ghash_sum *sum, __m128i poly) {
    __m128i t;
    KF_PIN_CLMUL(t, sum->low, poly, 0x10);
    sum->middle = _mm_xor_si128(_mm_xor_si128(sum->middle, sum->high), sum->low);
    sum->middle = _mm_xor_si128(_mm_xor_si128(sum->middle, kf_swap_halves(sum->low)), t);
}
KF_AESNI_INLINE __m128i kf_reduce_high(const kf_ghash_sum *sum, __m128i poly) {
    __m128i t;
    KF_PIN_CLMUL(t, sum->middle, poly, 0x10);
    return _mm_xor_si128(_mm_xor_si128(sum->high, kf_swap_halves(sum->middle)), t);
}

/* ---- the window kernel ---------------------------------------------------------------------- */

KF_AESNI_INLINE void kf_load8(kf_blocks8 *s, const __m128i *from) {
    s->b0 = from[0], s->b1 = from[1], s->b2 = from[2], s->b3 = from[3];
    s->b4 = from[4], s->b5 = from[5], s->b6 = from[6], s->b7 = from[7];
}
KF_AESNI_INLINE void kf_store8(__m128i *to, const kf_blocks8 *s) {
    to[0] = s->b0, to[1] = s->b1, to[2] = s->b2, to[3] = s->b3;
    to[4] = s->b4, to[5] = s->b5, to[6] = s->b6, to[7] = s->b7;
}
KF_AESNI_INLINE void kf_encrypt8(kf_blocks8 *state, const __m128i *rk) {
    kf_blocks8 s = *state;
    KF_ROUND(s, rk, 1);
    KF_ROUND(s, rk, 2);
    KF_ROUND(s, rk, 3);
    KF_ROUND(s, rk, 4);
    KF_ROUND(s, rk, 5);
    KF_ROUND(s, rk, 6);
    KF_ROUND(s, rk, 7);
    KF_ROUND(s, rk, 8);
    KF_ROUND(s, rk, 9);
    KF_ROUND(s, rk, 10);
    KF_ROUND(s, rk, 11);
    KF_ROUND(s, rk, 12);
    KF_ROUND(s, rk, 13);
    KF_LAST_ROUND(s, rk);
    *state = s;
}

KF_AESNI_INLINE __m128i kf_block(const uint8_t *blocks, int i) {
    return kf_bswap128(kf_load128(blocks + 16 * i));
}
/* sum of count blocks times their powers; y joins the first block, which comes last. */
KF_AESNI_INLINE __m128i kf_hash(const uint8_t *data, const __m128i *h, __m128i y, int count) {
    kf_ghash_sum sum = kf_ghash_zero();
    for (int i = 1; i < count; i++) kf_ghash_add(&sum, kf_block(data, i), h[i], h[i + KF_GCM_FOLDED]);
    kf_ghash_add(&sum, _mm_xor_si128(kf_block(data, 0), y), h[0], h[KF_GCM_FOLDED]);
    return kf_ghash_reduce(sum);
}

/* Seven rounds from r on of eight blocks, and one unit. */
#define KF_HALF_STEP(s, rk, r, u)                                       \
    do {                                                                \
        kf_ghash_sum sum;                                               \
        const uint8_t *data = (u)->blocks;                              \
        const __m128i *powers = (u)->powers, *y = (u)->y_in;            \
        KF_ROUND_MULTIPLY_FIRST(s, rk, r, sum, data, powers, 1);        \
        KF_ROUND_MULTIPLY(s, rk, (r) + 1, sum, data, powers, 2);        \
        KF_ROUND_MULTIPLY(s, rk, (r) + 2, sum, data, powers, 3);        \
        KF_ROUND_MULTIPLY_Y(s, rk, (r) + 3, sum, data, powers, *y);     \
        KF_ROUND(s, rk, (r) + 4);                                       \
        kf_reduce_low(&sum, poly);                                      \
        KF_ROUND(s, rk, (r) + 5);                                       \
        (u)->y_out = kf_reduce_high(&sum, poly);                        \
    } while (0)

/* Encrypts steps * 8 blocks in place and computes all units. */
static KF_AESNI KF_NOINLINE void kf_gcm_kernel(const __m128i *rk, __m128i *keystream, size_t steps,
                                               kf_gcm_unit *units, size_t num_units) {
    const __m128i poly = kf_ghash_poly(), swap = kf_bswap_mask();
    kf_blocks8 s;
    for (; steps > 0 && num_units >= 2; steps--, keystream += 8, units += 2, num_units -= 2) {
        kf_load8(&s, keystream);
        KF_HALF_STEP(s, rk, 1, units);
        KF_ROUND(s, rk, 7);
        KF_HALF_STEP(s, rk, 8, units + 1);
        KF_LAST_ROUND(s, rk);
        kf_store8(keystream, &s);
    }
    for (; steps > 0; steps--, keystream += 8) {
        kf_load8(&s, keystream);
        kf_encrypt8(&s, rk);
        kf_store8(keystream, &s);
    }
    for (; num_units > 0; num_units--, units++)
        units->y_out = kf_hash(units->blocks, units->powers, *units->y_in, 4);
}

/* ---- bulk ----------------------------------------------------------------------------------- */

/* The counter blocks 2 + i .. 9 + i under the first round key, for i a multiple of 8: their counters
 * are those of i and of i + 8 but for the last three bits. */
static const alignas(16) uint32_t kf_low_counters[8][4] = {
    {0, 0, 0, 0 << 24}, {0, 0, 0, 1 << 24}, {0, 0, 0, 2 << 24}, {0, 0, 0, 3 << 24},
    {0, 0, 0, 4 << 24}, {0, 0, 0, 5 << 24}, {0, 0, 0, 6 << 24}, {0, 0, 0, 7 << 24}};

KF_AESNI_INLINE void kf_counters8(kf_blocks8 *s, __m128i base_i, __m128i base_next) {
    const __m128i *low = (const __m128i *)kf_low_counters;
    s->b0 = _mm_xor_si128(base_i, low[2]), s->b1 = _mm_xor_si128(base_i, low[3]);
    s->b2 = _mm_xor_si128(base_i, low[4]), s->b3 = _mm_xor_si128(base_i, low[5]);
    s->b4 = _mm_xor_si128(base_i, low[6]), s->b5 = _mm_xor_si128(base_i, low[7]);
    s->b6 = _mm_xor_si128(base_next, low[0]), s->b7 = _mm_xor_si128(base_next, low[1]);
}
KF_AESNI_INLINE __m128i kf_base(__m128i base, size_t counter) {
    return _mm_xor_si128(base, _mm_set_epi32((int)__builtin_bswap32((uint32_t)counter), 0, 0, 0));
}
KF_AESNI_INLINE void kf_xor8(uint8_t *out, const uint8_t *in, const kf_blocks8 *s) {
#define KF_XOR(i) kf_store128(out + 16 * i, _mm_xor_si128(s->b##i, kf_load128(in + 16 * i)))
    KF_XOR(0), KF_XOR(1), KF_XOR(2), KF_XOR(3), KF_XOR(4), KF_XOR(5), KF_XOR(6), KF_XOR(7);
#undef KF_XOR
}

/* All rounds of eight blocks, and GHASH of the eight at data. */
KF_AESNI_INLINE __m128i kf_encrypt8_hash8(kf_blocks8 *state, const __m128i *rk, const uint8_t *data,
                                          const __m128i *powers, __m128i y, __m128i poly, __m128i swap) {
    kf_blocks8 s = *state;
    kf_ghash_sum sum;
    KF_ROUND_MULTIPLY_FIRST(s, rk, 1, sum, data, powers, 1);
    KF_ROUND_MULTIPLY(s, rk, 2, sum, data, powers, 2);
    KF_ROUND_MULTIPLY(s, rk, 3, sum, data, powers, 3);
    KF_ROUND_MULTIPLY(s, rk, 4, sum, data, powers, 4);
    KF_ROUND_MULTIPLY(s, rk, 5, sum, data, powers, 5);
    KF_ROUND_MULTIPLY(s, rk, 6, sum, data, powers, 6);
    KF_ROUND_MULTIPLY(s, rk, 7, sum, data, powers, 7);
    KF_ROUND_MULTIPLY_Y(s, rk, 8, sum, data, powers, y);
    KF_ROUND(s, rk, 9);
    KF_ROUND(s, rk, 10);
    kf_reduce_low(&sum, poly);
    KF_ROUND(s, rk, 11);
    KF_ROUND(s, rk, 12);
    y = kf_reduce_high(&sum, poly);
    KF_ROUND(s, rk, 13);
    KF_LAST_ROUND(s, rk);
    *state = s;
    return y;
}

/* len bytes, a multiple of 128, from counter 2 on; base: nonce, four zero bytes, all under the first
 * round key. Returns GHASH after them. When sealing, ciphertext is hashed one step later. */
KF_AESNI_INLINE __m128i kf_bulk(const __m128i *rk, const kf_gcm_powers *powers, __m128i base, uint8_t *out,
                                const uint8_t *in, size_t len, __m128i y, const int open) {
    const __m128i poly = kf_ghash_poly(), swap = kf_bswap_mask(), *h = powers->h;
    __m128i base_i = base, base_next = kf_base(base, 8);
    kf_blocks8 s;
    size_t i = 0;
    if (!open) {
        kf_counters8(&s, base_i, base_next);
        kf_encrypt8(&s, rk);
        kf_xor8(out, in, &s);
        i = 128;
        base_i = base_next;
    }
    for (; i < len; i += 128) {
        base_next = kf_base(base, i / 16 + 8);
        kf_counters8(&s, base_i, base_next);
        base_i = base_next;
        y = kf_encrypt8_hash8(&s, rk, open ? in + i : out + i - 128, h, y, poly, swap);
        kf_xor8(out + i, in + i, &s);
    }
    return open ? y : kf_hash(out + len - 128, h, y, 8);
}

static KF_AESNI KF_NOINLINE __m128i kf_bulk_seal(const __m128i *rk, const kf_gcm_powers *powers, __m128i base,
                                                 uint8_t *out, const uint8_t *in, size_t len, __m128i y) {
    return kf_bulk(rk, powers, base, out, in, len, y, 0);
}
static KF_AESNI KF_NOINLINE __m128i kf_bulk_open(const __m128i *rk, const kf_gcm_powers *powers, __m128i base,
                                                 uint8_t *out, const uint8_t *in, size_t len, __m128i y) {
    return kf_bulk(rk, powers, base, out, in, len, y, 1);
}
static KF_AESNI __m128i kf_gcm_bulk(const __m128i *rk, const kf_gcm_powers *powers, __m128i base, uint8_t *out,
                                    const uint8_t *in, size_t len, __m128i y, int open) {
    return (open ? kf_bulk_open : kf_bulk_seal)(rk, powers, base, out, in, len, y);
}

#include "kf_gcm_engine.h"

void kf_gcm_aesni_seal(const kf_gcm_key *key, const uint8_t *digest, const uint8_t *nonces,
                       const kf_rec *rec, size_t n) {
    kf_gcm_work work;
    kf_gcm_start(&work, key, digest);
    kf_gcm_seal_all(&work, nonces, rec, n);
    kf_gcm_finish(&work);
}

size_t kf_gcm_aesni_open(const kf_gcm_key *key, uint8_t *ok, const uint8_t *digest,
                         const uint8_t *nonces, const kf_rec *rec, size_t n) {
    kf_gcm_work work;
    kf_gcm_start(&work, key, digest);
    size_t bad = kf_gcm_open_all(&work, ok, nonces, rec, n);
    kf_gcm_finish(&work);
    return bad;
}

#endif
