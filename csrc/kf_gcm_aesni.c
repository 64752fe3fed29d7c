/*
 * AES-256-GCM with AES-NI and PCLMULQDQ: the window kernel, the bulk kernel, and the two entry points; the lane
 * kernel is in kf_aesni_lanes.h. Eight blocks are in flight, and what is hashed meanwhile is woven into their
 * rounds (kf_aesni_rounds.h).
 */
#include "kf_gcm_aesni.h"

#include "kf_util.h"
#include "kf_x86.h"

#if defined(__x86_64__)

#define KF_GCM_TARGET KF_AESNI

enum { KF_GCM_POWERS = 17, KF_GCM_FEW_POWERS = 8, KF_GCM_MANY_MIN = 4096 };
enum { KF_GCM_LANES = 8, KF_GCM_BULK_STEP = 128, KF_GCM_BULK_MIN = 512 };

#include "kf_gcm_types.h"
/* after the types */
#include "kf_aesni_rounds.h"

/* ---- the window kernel ---------------------------------------------------------------------- */

KF_AESNI_INLINE void kf_load8(kf_blocks8 *s, const __m128i *from) {
    s->b0 = from[0], s->b1 = from[1], s->b2 = from[2], s->b3 = from[3];
    s->b4 = from[4], s->b5 = from[5], s->b6 = from[6], s->b7 = from[7];
}
KF_AESNI_INLINE void kf_store8(__m128i *to, const kf_blocks8 *s) {
    to[0] = s->b0, to[1] = s->b1, to[2] = s->b2, to[3] = s->b3;
    to[4] = s->b4, to[5] = s->b5, to[6] = s->b6, to[7] = s->b7;
}

KF_AESNI_INLINE kf_hash_unit kf_unit(kf_gcm_unit *u) {
    return (kf_hash_unit){u->blocks, u->blocks + 48, u->powers, u->y_in, &u->y_out};
}

/* Encrypts steps * 8 blocks in place and computes all units. */
static KF_AESNI KF_NOINLINE void kf_gcm_kernel(const __m128i *rk, __m128i *keystream, size_t steps,
                                               kf_gcm_unit *units, size_t num_units) {
    kf_blocks8 s;
    for (; steps > 0 && num_units >= 2; steps--, keystream += 8, units += 2, num_units -= 2) {
        kf_load8(&s, keystream);
        const kf_hash_unit todo[2] = {kf_unit(units), kf_unit(units + 1)};
        kf_encrypt8_hash(&s, rk, todo, 2, 4);
        kf_store8(keystream, &s);
    }
    for (; steps > 0; steps--, keystream += 8) {
        kf_load8(&s, keystream);
        kf_encrypt8(&s, rk);
        kf_store8(keystream, &s);
    }
    for (; num_units > 0; num_units--, units++) {
        const kf_hash_unit todo = kf_unit(units);
        kf_hash(&todo, 4);
    }
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

KF_AESNI_INLINE kf_hash_unit kf_bulk_unit(const kf_gcm_powers *powers, const uint8_t *data, size_t blocks, __m128i *y) {
    const __m128i *h = powers->h + KF_GCM_POWERS - blocks;
    KF_OPAQUE(h);
    return (kf_hash_unit){data, data + 16 * (blocks - 1), h, y, y};
}

/* Where the bulk kernel is in a record. */
typedef struct {
    __m128i base, base_i; /* nonce, and zero or i / 16 as counter, all under the first round key */
    uint8_t *out;
    const uint8_t *in;
    size_t i;
} kf_bulk_place;

/* Begins and ends a step of 128 bytes. */
KF_AESNI_INLINE void kf_bulk_begin(kf_bulk_place *at, kf_blocks8 *s) {
    const __m128i base_next = kf_base(at->base, at->i / 16 + 8);
    kf_counters8(s, at->base_i, base_next);
    at->base_i = base_next;
}
KF_AESNI_INLINE void kf_bulk_end(kf_bulk_place *at, const kf_blocks8 *s) {
    kf_xor8(at->out + at->i, at->in + at->i, s);
    at->i += 128;
}

/* len bytes, a multiple of 128, from counter 2 on; base: nonce, four zero bytes, all under the first
 * round key. Returns GHASH after them. When sealing, ciphertext is hashed one step later. */
KF_AESNI_INLINE __m128i kf_bulk(const __m128i *rk, const kf_gcm_powers *powers, __m128i base, uint8_t *out,
                                const uint8_t *in, size_t len, __m128i y, const int open) {
    kf_bulk_place at = {base, base, out, in, 0};
    const uint8_t *text = open ? in : out - 128;
    kf_blocks8 s;
    if (!open) {
        kf_bulk_begin(&at, &s);
        kf_encrypt8(&s, rk);
        kf_bulk_end(&at, &s);
    }
    while (powers->count >= 16 && at.i + 256 <= len) {
        const kf_hash_unit unit = kf_bulk_unit(powers, text + at.i, 16, &y);
        kf_hash_state g;
        kf_bulk_begin(&at, &s);
        kf_encrypt8_half(&s, rk, &g, &unit, 0);
        kf_bulk_end(&at, &s);
        kf_bulk_begin(&at, &s);
        kf_encrypt8_half(&s, rk, &g, &unit, 1);
        kf_bulk_end(&at, &s);
    }
    while (at.i < len) {
        const kf_hash_unit unit = kf_bulk_unit(powers, text + at.i, 8, &y);
        kf_bulk_begin(&at, &s);
        kf_encrypt8_hash(&s, rk, &unit, 1, 8);
        kf_bulk_end(&at, &s);
    }
    if (!open) {
        const kf_hash_unit unit = kf_bulk_unit(powers, text + len, 8, &y);
        kf_hash(&unit, 8);
    }
    return y;
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

#define KF_GCM_HAS_LANES
#include "kf_aesni_lanes.h"
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
