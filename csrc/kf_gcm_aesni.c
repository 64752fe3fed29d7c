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

KF_AESNI_INLINE void kf_round8(kf_blocks8 *s, const __m128i *key) {
    KF_PIN_AESENC(s->b0, key);
    KF_PIN_AESENC(s->b1, key);
    KF_PIN_AESENC(s->b2, key);
    KF_PIN_AESENC(s->b3, key);
    KF_PIN_AESENC(s->b4, key);
    KF_PIN_AESENC(s->b5, key);
    KF_PIN_AESENC(s->b6, key);
    KF_PIN_AESENC(s->b7, key);
}
KF_AESNI_INLINE void kf_last_round8(kf_blocks8 *s, const __m128i *key) {
    KF_PIN_AESENCLAST(s->b0, key);
    KF_PIN_AESENCLAST(s->b1, key);
    KF_PIN_AESENCLAST(s->b2, key);
    KF_PIN_AESENCLAST(s->b3, key);
    KF_PIN_AESENCLAST(s->b4, key);
    KF_PIN_AESENCLAST(s->b5, key);
    KF_PIN_AESENCLAST(s->b6, key);
    KF_PIN_AESENCLAST(s->b7, key);
}

KF_AESNI_INLINE void kf_load8(kf_blocks8 *s, const __m128i *from) {
    s->b0 = from[0], s->b1 = from[1], s->b2 = from[2], s->b3 = from[3];
    s->b4 = from[4], s->b5 = from[5], s->b6 = from[6], s->b7 = from[7];
}
KF_AESNI_INLINE void kf_store8(__m128i *to, const kf_blocks8 *s) {
    to[0] = s->b0, to[1] = s->b1, to[2] = s->b2, to[3] = s->b3;
    to[4] = s->b4, to[5] = s->b5, to[6] = s->b6, to[7] = s->b7;
}

/* sum += x * *h, pinned; the folded power lies KF_GCM_FOLDED further. */
KF_AESNI_INLINE void kf_multiply(kf_ghash_sum *sum, __m128i x, const __m128i *h) {
    __m128i low, middle, high, folded = kf_fold_halves(x);
    KF_PIN_CLMUL_MEM(low, x, h, 0x00);
    KF_PIN_CLMUL_MEM(high, x, h, 0x11);
    KF_PIN_CLMUL_MEM(middle, folded, h + KF_GCM_FOLDED, 0x00);
    sum->low = _mm_xor_si128(sum->low, low);
    sum->high = _mm_xor_si128(sum->high, high);
    sum->middle = _mm_xor_si128(sum->middle, middle);
}
/* The same for the first block of a sum. */
KF_AESNI_INLINE void kf_multiply_first(kf_ghash_sum *sum, __m128i x, const __m128i *h) {
    __m128i folded = kf_fold_halves(x);
    KF_PIN_CLMUL_MEM(sum->low, x, h, 0x00);
    KF_PIN_CLMUL_MEM(sum->high, x, h, 0x11);
    KF_PIN_CLMUL_MEM(sum->middle, folded, h + KF_GCM_FOLDED, 0x00);
}
/* kf_ghash_reduce, pinned, in two halves so that AES rounds come between. */
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

KF_AESNI_INLINE __m128i kf_block(const uint8_t *blocks, int i) {
    return kf_bswap128(kf_load128(blocks + 16 * i));
}

/* One unit on its own. The block that waits for y_in comes last. */
KF_AESNI_INLINE void kf_unit(kf_gcm_unit *u, __m128i poly) {
    kf_ghash_sum sum;
    kf_multiply_first(&sum, kf_block(u->blocks, 1), u->powers + 1);
    kf_multiply(&sum, kf_block(u->blocks, 2), u->powers + 2);
    kf_multiply(&sum, kf_block(u->blocks, 3), u->powers + 3);
    kf_multiply(&sum, _mm_xor_si128(kf_block(u->blocks, 0), *u->y_in), u->powers);
    kf_reduce_low(&sum, poly);
    u->y_out = kf_reduce_high(&sum, poly);
}

/* Eight blocks of keystream and two units, which may depend on each other in this order. */
KF_AESNI_INLINE void kf_step(const __m128i *rk, __m128i *keystream, kf_gcm_unit *u, __m128i poly) {
    kf_blocks8 s;
    kf_ghash_sum sum;
    kf_load8(&s, keystream);
    kf_round8(&s, rk + 1);
    kf_multiply_first(&sum, kf_block(u[0].blocks, 1), u[0].powers + 1);
    kf_round8(&s, rk + 2);
    kf_multiply(&sum, kf_block(u[0].blocks, 2), u[0].powers + 2);
    kf_round8(&s, rk + 3);
    kf_multiply(&sum, kf_block(u[0].blocks, 3), u[0].powers + 3);
    kf_round8(&s, rk + 4);
    kf_multiply(&sum, _mm_xor_si128(kf_block(u[0].blocks, 0), *u[0].y_in), u[0].powers);
    kf_round8(&s, rk + 5);
    kf_reduce_low(&sum, poly);
    kf_round8(&s, rk + 6);
    u[0].y_out = kf_reduce_high(&sum, poly);
    kf_round8(&s, rk + 7);
    kf_multiply_first(&sum, kf_block(u[1].blocks, 1), u[1].powers + 1);
    kf_round8(&s, rk + 8);
    kf_multiply(&sum, kf_block(u[1].blocks, 2), u[1].powers + 2);
    kf_round8(&s, rk + 9);
    kf_multiply(&sum, kf_block(u[1].blocks, 3), u[1].powers + 3);
    kf_round8(&s, rk + 10);
    kf_multiply(&sum, _mm_xor_si128(kf_block(u[1].blocks, 0), *u[1].y_in), u[1].powers);
    kf_round8(&s, rk + 11);
    kf_reduce_low(&sum, poly);
    kf_round8(&s, rk + 12);
    u[1].y_out = kf_reduce_high(&sum, poly);
    kf_round8(&s, rk + 13);
    kf_last_round8(&s, rk + 14);
    kf_store8(keystream, &s);
}

/* Encrypts steps * 8 blocks in place and computes all units. */
static KF_AESNI KF_NOINLINE void kf_gcm_kernel(const __m128i *rk, __m128i *keystream, size_t steps,
                                               kf_gcm_unit *units, size_t num_units) {
    const __m128i poly = kf_ghash_poly();
    for (; steps > 0 && num_units >= 2; steps--, keystream += 8, units += 2, num_units -= 2)
        kf_step(rk, keystream, units, poly);
    for (; steps > 0; steps--, keystream += 8) {
        kf_blocks8 s;
        kf_load8(&s, keystream);
        for (int r = 1; r < 14; r++) kf_round8(&s, rk + r);
        kf_last_round8(&s, rk + 14);
        kf_store8(keystream, &s);
    }
    for (; num_units > 0; num_units--, units++) kf_unit(units, poly);
}

/* ---- bulk ----------------------------------------------------------------------------------- */

/* Counter blocks counter .. counter + 7 under the first round key; base as in kf_gcm_bulk. */
KF_AESNI_INLINE void kf_counters8(kf_blocks8 *s, __m128i base, __m128i counter) {
    const __m128i swap = _mm_set_epi8(12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
#define KF_COUNTER(i) \
    _mm_xor_si128(base, _mm_shuffle_epi8(_mm_add_epi32(counter, _mm_set_epi32(i, 0, 0, 0)), swap))
    s->b0 = KF_COUNTER(0), s->b1 = KF_COUNTER(1), s->b2 = KF_COUNTER(2), s->b3 = KF_COUNTER(3);
    s->b4 = KF_COUNTER(4), s->b5 = KF_COUNTER(5), s->b6 = KF_COUNTER(6), s->b7 = KF_COUNTER(7);
#undef KF_COUNTER
}
KF_AESNI_INLINE void kf_xor8(uint8_t *out, const uint8_t *in, const kf_blocks8 *s) {
#define KF_XOR(i) kf_store128(out + 16 * i, _mm_xor_si128(s->b##i, kf_load128(in + 16 * i)))
    KF_XOR(0), KF_XOR(1), KF_XOR(2), KF_XOR(3), KF_XOR(4), KF_XOR(5), KF_XOR(6), KF_XOR(7);
#undef KF_XOR
}

/* All rounds of eight blocks, and GHASH of the eight at data. */
KF_AESNI_INLINE __m128i kf_rounds8_hash8(kf_blocks8 *s, const __m128i *rk, const uint8_t *data,
                                         const __m128i *h, __m128i y, __m128i poly) {
    kf_ghash_sum sum;
    kf_round8(s, rk + 1);
    kf_multiply_first(&sum, kf_block(data, 1), h + 1);
    kf_round8(s, rk + 2);
    kf_multiply(&sum, kf_block(data, 2), h + 2);
    kf_round8(s, rk + 3);
    kf_multiply(&sum, kf_block(data, 3), h + 3);
    kf_round8(s, rk + 4);
    kf_multiply(&sum, kf_block(data, 4), h + 4);
    kf_round8(s, rk + 5);
    kf_multiply(&sum, kf_block(data, 5), h + 5);
    kf_round8(s, rk + 6);
    kf_multiply(&sum, kf_block(data, 6), h + 6);
    kf_round8(s, rk + 7);
    kf_multiply(&sum, kf_block(data, 7), h + 7);
    kf_round8(s, rk + 8);
    kf_multiply(&sum, _mm_xor_si128(kf_block(data, 0), y), h);
    kf_round8(s, rk + 9);
    kf_round8(s, rk + 10);
    kf_reduce_low(&sum, poly);
    kf_round8(s, rk + 11);
    kf_round8(s, rk + 12);
    y = kf_reduce_high(&sum, poly);
    kf_round8(s, rk + 13);
    kf_last_round8(s, rk + 14);
    return y;
}
KF_AESNI_INLINE __m128i kf_hash8(const uint8_t *data, const __m128i *h, __m128i y, __m128i poly) {
    kf_ghash_sum sum;
    kf_multiply_first(&sum, kf_block(data, 1), h + 1);
    for (int i = 2; i < 8; i++) kf_multiply(&sum, kf_block(data, i), h + i);
    kf_multiply(&sum, _mm_xor_si128(kf_block(data, 0), y), h);
    kf_reduce_low(&sum, poly);
    return kf_reduce_high(&sum, poly);
}

/* len bytes, a multiple of 128, from counter 2 on; base: nonce, four zero bytes, all under the first
 * round key. Returns GHASH after them. When sealing, ciphertext is hashed one step later. */
KF_AESNI_INLINE __m128i kf_bulk(const __m128i *rk, const kf_gcm_powers *powers, __m128i base, uint8_t *out,
                                const uint8_t *in, size_t len, __m128i y, const int open) {
    const __m128i poly = kf_ghash_poly(), *h = powers->h;
    __m128i counter = _mm_set_epi32(2, 0, 0, 0);
    kf_blocks8 s;
    size_t i = 0;
    if (!open) {
        kf_counters8(&s, base, counter);
        for (int r = 1; r < 14; r++) kf_round8(&s, rk + r);
        kf_last_round8(&s, rk + 14);
        kf_xor8(out, in, &s);
        i = 128;
    }
    for (; i < len; i += 128) {
        kf_counters8(&s, base, _mm_add_epi32(counter, _mm_set_epi32((int)(i / 16), 0, 0, 0)));
        y = kf_rounds8_hash8(&s, rk, open ? in + i : out + i - 128, h, y, poly);
        kf_xor8(out + i, in + i, &s);
    }
    return open ? y : kf_hash8(out + len - 128, h, y, poly);
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
