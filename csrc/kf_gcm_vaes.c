/*
 * AES-256-GCM with VAES and VPCLMULQDQ on 256 bits: the window kernel, the bulk kernel, and the two
 * entry points. Each register holds two blocks; sixteen blocks are in flight, and multiplications
 * follow their AES rounds in this order, because the instructions are pinned (kf_x86.h).
 */
#include "kf_gcm_vaes.h"

#include "kf_util.h"
#include "kf_x86.h"

#if defined(__x86_64__)

#define KF_GCM_TARGET KF_VAES

enum { KF_GCM_POWERS = 16, KF_GCM_FEW_POWERS = 16, KF_GCM_MANY_MIN = 1 };
enum { KF_GCM_LANES = 16, KF_GCM_BULK_STEP = 256, KF_GCM_BULK_MIN = 512 };

#include "kf_gcm_types.h"

typedef struct {
    __m256i b0, b1, b2, b3, b4, b5, b6, b7;
} kf_pairs8;

KF_VAES_INLINE __m256i kf_both(__m128i x) {
    return _mm256_broadcastsi128_si256(x);
}
KF_VAES_INLINE __m256i kf_pair(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
KF_VAES_INLINE __m256i kf_xor256(__m256i a, __m256i b) {
    return _mm256_xor_si256(a, b);
}

KF_VAES_INLINE void kf_round16(kf_pairs8 *s, const __m128i *key) {
    const __m256i k = kf_both(*key);
    KF_PIN_AESENC_REG(s->b0, k);
    KF_PIN_AESENC_REG(s->b1, k);
    KF_PIN_AESENC_REG(s->b2, k);
    KF_PIN_AESENC_REG(s->b3, k);
    KF_PIN_AESENC_REG(s->b4, k);
    KF_PIN_AESENC_REG(s->b5, k);
    KF_PIN_AESENC_REG(s->b6, k);
    KF_PIN_AESENC_REG(s->b7, k);
}
KF_VAES_INLINE void kf_last_round16(kf_pairs8 *s, const __m128i *key) {
    const __m256i k = kf_both(*key);
    KF_PIN_AESENCLAST_REG(s->b0, k);
    KF_PIN_AESENCLAST_REG(s->b1, k);
    KF_PIN_AESENCLAST_REG(s->b2, k);
    KF_PIN_AESENCLAST_REG(s->b3, k);
    KF_PIN_AESENCLAST_REG(s->b4, k);
    KF_PIN_AESENCLAST_REG(s->b5, k);
    KF_PIN_AESENCLAST_REG(s->b6, k);
    KF_PIN_AESENCLAST_REG(s->b7, k);
}
KF_VAES_INLINE void kf_load16(kf_pairs8 *s, const __m128i *from) {
    s->b0 = kf_pair(from), s->b1 = kf_pair(from + 2), s->b2 = kf_pair(from + 4), s->b3 = kf_pair(from + 6);
    s->b4 = kf_pair(from + 8), s->b5 = kf_pair(from + 10), s->b6 = kf_pair(from + 12), s->b7 = kf_pair(from + 14);
}
KF_VAES_INLINE void kf_store16(__m128i *to, const kf_pairs8 *s) {
    __m256i *p = (__m256i *)to;
    _mm256_storeu_si256(p, s->b0), _mm256_storeu_si256(p + 1, s->b1);
    _mm256_storeu_si256(p + 2, s->b2), _mm256_storeu_si256(p + 3, s->b3);
    _mm256_storeu_si256(p + 4, s->b4), _mm256_storeu_si256(p + 5, s->b5);
    _mm256_storeu_si256(p + 6, s->b6), _mm256_storeu_si256(p + 7, s->b7);
}

/* ---- GHASH on pairs of blocks --------------------------------------------------------------- */

/* As kf_ghash_sum, for the first and the second blocks of pairs apart. */
typedef struct {
    __m256i low, middle, high;
} kf_sum2;

/* Pair i at blocks, byte-swapped. */
KF_VAES_INLINE __m256i kf_block_pair(const uint8_t *blocks, int i) {
    const __m128i swap = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm256_shuffle_epi8(kf_pair(blocks + 32 * i), kf_both(swap));
}
KF_VAES_INLINE __m256i kf_fold_pair(__m256i x) {
    return kf_xor256(x, _mm256_shuffle_epi32(x, 0x4e));
}
/* sum = pair * powers h[0], h[1], pinned. */
KF_VAES_INLINE void kf_multiply_first(kf_sum2 *sum, __m256i x, const __m128i *h) {
    __m256i folded = kf_fold_pair(x);
    KF_PIN_CLMUL_MEM(sum->low, x, (const __m256i_u *)h, 0x00);
    KF_PIN_CLMUL_MEM(sum->high, x, (const __m256i_u *)h, 0x11);
    KF_PIN_CLMUL_MEM(sum->middle, folded, (const __m256i_u *)(h + KF_GCM_FOLDED), 0x00);
}
/* sum += pair * powers h[0], h[1]. */
KF_VAES_INLINE void kf_multiply(kf_sum2 *sum, __m256i x, const __m128i *h) {
    kf_sum2 t;
    kf_multiply_first(&t, x, h);
    sum->low = kf_xor256(sum->low, t.low);
    sum->high = kf_xor256(sum->high, t.high);
    sum->middle = kf_xor256(sum->middle, t.middle);
}
/* Reduces both halves and adds them. */
KF_VAES_INLINE __m128i kf_reduce(const kf_sum2 *sum, __m256i poly) {
    __m256i t, middle = kf_xor256(kf_xor256(sum->middle, sum->high), sum->low);
    KF_PIN_CLMUL(t, sum->low, poly, 0x10);
    middle = kf_xor256(kf_xor256(middle, _mm256_shuffle_epi32(sum->low, 0x4e)), t);
    KF_PIN_CLMUL(t, middle, poly, 0x10);
    t = kf_xor256(kf_xor256(sum->high, _mm256_shuffle_epi32(middle, 0x4e)), t);
    return _mm_xor_si128(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1));
}
/* A pair, with y added to its first block. */
KF_VAES_INLINE __m256i kf_add_first(__m256i pair, __m128i y) {
    return kf_xor256(pair, _mm256_zextsi128_si256(y));
}

/* ---- the window kernel ---------------------------------------------------------------------- */

/* The two halves of a unit; the blocks that wait for y_in come in the second. */
KF_VAES_INLINE void kf_unit_begin(const kf_gcm_unit *u, kf_sum2 *sum) {
    kf_multiply_first(sum, kf_block_pair(u->blocks, 1), u->powers + 2);
}
KF_VAES_INLINE void kf_unit_continue(const kf_gcm_unit *u, kf_sum2 *sum) {
    kf_multiply(sum, kf_add_first(kf_block_pair(u->blocks, 0), *u->y_in), u->powers);
}

/* Sixteen blocks of keystream and four units, each of which may depend on those before. */
KF_VAES_INLINE void kf_step(const __m128i *rk, __m128i *keystream, kf_gcm_unit *u, __m256i poly) {
    kf_pairs8 s;
    kf_sum2 sum;
    kf_load16(&s, keystream);
    kf_round16(&s, rk + 1);
    kf_unit_begin(u, &sum);
    kf_round16(&s, rk + 2);
    kf_unit_continue(u, &sum);
    kf_round16(&s, rk + 3);
    u[0].y_out = kf_reduce(&sum, poly);
    kf_round16(&s, rk + 4);
    kf_unit_begin(u + 1, &sum);
    kf_round16(&s, rk + 5);
    kf_unit_continue(u + 1, &sum);
    kf_round16(&s, rk + 6);
    u[1].y_out = kf_reduce(&sum, poly);
    kf_round16(&s, rk + 7);
    kf_unit_begin(u + 2, &sum);
    kf_round16(&s, rk + 8);
    kf_unit_continue(u + 2, &sum);
    kf_round16(&s, rk + 9);
    u[2].y_out = kf_reduce(&sum, poly);
    kf_round16(&s, rk + 10);
    kf_unit_begin(u + 3, &sum);
    kf_round16(&s, rk + 11);
    kf_unit_continue(u + 3, &sum);
    kf_round16(&s, rk + 12);
    u[3].y_out = kf_reduce(&sum, poly);
    kf_round16(&s, rk + 13);
    kf_last_round16(&s, rk + 14);
    kf_store16(keystream, &s);
}

/* Encrypts steps * 16 blocks in place and computes all units. */
static KF_VAES KF_NOINLINE void kf_gcm_kernel(const __m128i *rk, __m128i *keystream, size_t steps,
                                              kf_gcm_unit *units, size_t num_units) {
    const __m256i poly = kf_both(kf_ghash_poly());
    for (; steps > 0 && num_units >= 4; steps--, keystream += 16, units += 4, num_units -= 4)
        kf_step(rk, keystream, units, poly);
    for (; steps > 0; steps--, keystream += 16) {
        kf_pairs8 s;
        kf_load16(&s, keystream);
        for (int r = 1; r < 14; r++) kf_round16(&s, rk + r);
        kf_last_round16(&s, rk + 14);
        kf_store16(keystream, &s);
    }
    for (; num_units > 0; num_units--, units++) {
        kf_sum2 sum;
        kf_unit_begin(units, &sum);
        kf_unit_continue(units, &sum);
        units->y_out = kf_reduce(&sum, poly);
    }
}

/* ---- bulk ----------------------------------------------------------------------------------- */

/* Counter blocks counter .. counter + 15 under the first round key; base as in kf_gcm_bulk. */
KF_VAES_INLINE void kf_counters16(kf_pairs8 *s, __m256i base, uint32_t counter) {
    const __m256i swap = kf_both(_mm_set_epi8(12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1));
    const __m256i first = _mm256_add_epi32(_mm256_set_epi32(1, 0, 0, 0, 0, 0, 0, 0),
                                           _mm256_set1_epi32((int)counter));
#define KF_COUNTER(i) kf_xor256(base, _mm256_shuffle_epi8(_mm256_add_epi32(first, _mm256_set1_epi32(2 * i)), swap))
    s->b0 = KF_COUNTER(0), s->b1 = KF_COUNTER(1), s->b2 = KF_COUNTER(2), s->b3 = KF_COUNTER(3);
    s->b4 = KF_COUNTER(4), s->b5 = KF_COUNTER(5), s->b6 = KF_COUNTER(6), s->b7 = KF_COUNTER(7);
#undef KF_COUNTER
}
KF_VAES_INLINE void kf_xor16(uint8_t *out, const uint8_t *in, const kf_pairs8 *s) {
#define KF_XOR(i) _mm256_storeu_si256((__m256i *)(out + 32 * i), kf_xor256(s->b##i, kf_pair(in + 32 * i)))
    KF_XOR(0), KF_XOR(1), KF_XOR(2), KF_XOR(3), KF_XOR(4), KF_XOR(5), KF_XOR(6), KF_XOR(7);
#undef KF_XOR
}

/* All rounds of sixteen blocks, and GHASH of the sixteen at data. */
KF_VAES_INLINE __m128i kf_rounds16_hash16(kf_pairs8 *s, const __m128i *rk, const uint8_t *data,
                                          const __m128i *h, __m128i y, __m256i poly) {
    kf_sum2 sum;
    kf_round16(s, rk + 1);
    kf_multiply_first(&sum, kf_block_pair(data, 1), h + 2);
    kf_round16(s, rk + 2);
    kf_multiply(&sum, kf_block_pair(data, 2), h + 4);
    kf_round16(s, rk + 3);
    kf_multiply(&sum, kf_block_pair(data, 3), h + 6);
    kf_round16(s, rk + 4);
    kf_multiply(&sum, kf_block_pair(data, 4), h + 8);
    kf_round16(s, rk + 5);
    kf_multiply(&sum, kf_block_pair(data, 5), h + 10);
    kf_round16(s, rk + 6);
    kf_multiply(&sum, kf_block_pair(data, 6), h + 12);
    kf_round16(s, rk + 7);
    kf_multiply(&sum, kf_block_pair(data, 7), h + 14);
    kf_round16(s, rk + 8);
    kf_multiply(&sum, kf_add_first(kf_block_pair(data, 0), y), h);
    kf_round16(s, rk + 9);
    kf_round16(s, rk + 10);
    y = kf_reduce(&sum, poly);
    kf_round16(s, rk + 11);
    kf_round16(s, rk + 12);
    kf_round16(s, rk + 13);
    kf_last_round16(s, rk + 14);
    return y;
}
KF_VAES_INLINE __m128i kf_hash16(const uint8_t *data, const __m128i *h, __m128i y, __m256i poly) {
    kf_sum2 sum;
    kf_multiply_first(&sum, kf_block_pair(data, 1), h + 2);
    for (int i = 2; i < 8; i++) kf_multiply(&sum, kf_block_pair(data, i), h + 2 * i);
    kf_multiply(&sum, kf_add_first(kf_block_pair(data, 0), y), h);
    return kf_reduce(&sum, poly);
}

/* len bytes, a multiple of 256, from counter 2 on; base: nonce, four zero bytes, all under the first
 * round key. Returns GHASH after them. When sealing, ciphertext is hashed one step later. */
KF_VAES_INLINE __m128i kf_bulk(const __m128i *rk, const kf_gcm_powers *powers, __m128i base1, uint8_t *out,
                               const uint8_t *in, size_t len, __m128i y, const int open) {
    const __m256i poly = kf_both(kf_ghash_poly()), base = kf_both(base1);
    const __m128i *h = powers->h;
    kf_pairs8 s;
    size_t i = 0;
    if (!open) {
        kf_counters16(&s, base, 2);
        for (int r = 1; r < 14; r++) kf_round16(&s, rk + r);
        kf_last_round16(&s, rk + 14);
        kf_xor16(out, in, &s);
        i = 256;
    }
    for (; i < len; i += 256) {
        kf_counters16(&s, base, (uint32_t)(2 + i / 16));
        y = kf_rounds16_hash16(&s, rk, open ? in + i : out + i - 256, h, y, poly);
        kf_xor16(out + i, in + i, &s);
    }
    return open ? y : kf_hash16(out + len - 256, h, y, poly);
}

static KF_VAES KF_NOINLINE __m128i kf_bulk_seal(const __m128i *rk, const kf_gcm_powers *powers, __m128i base,
                                                uint8_t *out, const uint8_t *in, size_t len, __m128i y) {
    return kf_bulk(rk, powers, base, out, in, len, y, 0);
}
static KF_VAES KF_NOINLINE __m128i kf_bulk_open(const __m128i *rk, const kf_gcm_powers *powers, __m128i base,
                                                uint8_t *out, const uint8_t *in, size_t len, __m128i y) {
    return kf_bulk(rk, powers, base, out, in, len, y, 1);
}
static KF_VAES __m128i kf_gcm_bulk(const __m128i *rk, const kf_gcm_powers *powers, __m128i base, uint8_t *out,
                                   const uint8_t *in, size_t len, __m128i y, int open) {
    return (open ? kf_bulk_open : kf_bulk_seal)(rk, powers, base, out, in, len, y);
}

#include "kf_gcm_engine.h"

void kf_gcm_vaes_seal(const kf_gcm_key *key, const uint8_t *digest, const uint8_t *nonces,
                      const kf_rec *rec, size_t n) {
    kf_gcm_work work;
    kf_gcm_start(&work, key, digest);
    kf_gcm_seal_all(&work, nonces, rec, n);
    kf_gcm_finish(&work);
}

size_t kf_gcm_vaes_open(const kf_gcm_key *key, uint8_t *ok, const uint8_t *digest,
                        const uint8_t *nonces, const kf_rec *rec, size_t n) {
    kf_gcm_work work;
    kf_gcm_start(&work, key, digest);
    size_t bad = kf_gcm_open_all(&work, ok, nonces, rec, n);
    kf_gcm_finish(&work);
    return bad;
}

#endif
