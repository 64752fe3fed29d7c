/*
 * Steps of SHA-256 with the x86 SHA extensions, two rounds an instruction. A state is kept as ABEF and CDGH,
 * which is what SHA256RNDS2 works on.
 */
#ifndef KF_SHA256_SHANI_H
#define KF_SHA256_SHANI_H

#include <immintrin.h>

#include "kf_sha256_impl.h"

#define KF_SHANI __attribute__((target("sha,sse4.1,ssse3")))

typedef struct {
    __m128i abef, cdgh;
} kf_shani_state;

/* From eight words in the order of FIPS 180-4. */
KF_SHANI static inline kf_shani_state kf_shani_load(const uint32_t words[8]) {
    const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)words), 0xb1);
    const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(words + 4)), 0x1b);
    return (kf_shani_state){_mm_alignr_epi8(low, high, 8), _mm_blend_epi16(high, low, 0xf0)};
}

/* To a, b, c, d and e, f, g, h. */
KF_SHANI static inline void kf_shani_words(__m128i words[2], kf_shani_state state) {
    const __m128i low = _mm_shuffle_epi32(state.abef, 0x1b), high = _mm_shuffle_epi32(state.cdgh, 0xb1);
    words[0] = _mm_blend_epi16(low, high, 0xf0), words[1] = _mm_alignr_epi8(high, low, 8);
}

/* Four big-endian words as numbers, and back. */
KF_SHANI static inline __m128i kf_shani_swap(__m128i words) {
    return _mm_shuffle_epi8(words, _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
}

KF_SHANI static inline __m128i kf_shani_message(const uint8_t *bytes) {
    return kf_shani_swap(_mm_loadu_si128((const __m128i *)bytes));
}

/* Four rounds with message words w and constants k[0..3]. */
KF_SHANI static inline void kf_shani_rounds4(kf_shani_state *state, __m128i w, const uint32_t *k) {
    const __m128i wk = _mm_add_epi32(w, _mm_loadu_si128((const __m128i *)k));
    state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, wk);
    state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

/* The next four message words from the last sixteen (w0 the oldest). */
KF_SHANI static inline __m128i kf_shani_schedule(__m128i w0, __m128i w1, __m128i w2, __m128i w3) {
    const __m128i t = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
    return _mm_sha256msg2_epu32(t, w3);
}

#endif
