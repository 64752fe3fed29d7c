/*
 * SHA-256 with the x86 SHA extensions: two rounds an instruction. The state is kept as ABEF and CDGH,
 * which is what SHA256RNDS2 works on.
 */
#include "kf_sha256_impl.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define SHANI __attribute__((target("sha,sse4.1,ssse3")))

/* Four rounds with message words w and constants k[0..3]. */
SHANI static inline void rounds4(__m128i *abef, __m128i *cdgh, __m128i w, const uint32_t *k) {
    __m128i wk = _mm_add_epi32(w, _mm_loadu_si128((const __m128i *)k));
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, wk);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

/* The next four message words from the last sixteen (w0 the oldest). */
SHANI static inline __m128i schedule(__m128i w0, __m128i w1, __m128i w2, __m128i w3) {
    const __m128i t = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
    return _mm_sha256msg2_epu32(t, w3);
}

SHANI void kf_sha256_blocks_shani(uint32_t state[8], const uint8_t *blocks, size_t num_blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xf0);
    for (; num_blocks--; blocks += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
        for (int i = 0; i < 4; i++) {
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(blocks + 16 * i)), swap);
            rounds4(&abef, &cdgh, w[i], kf_sha256_k + 4 * i);
        }
        for (int t = 16; t < 64; t += 16) {
            for (int i = 0; i < 4; i++) {
                w[i] = schedule(w[i], w[(i + 1) & 3], w[(i + 2) & 3], w[(i + 3) & 3]);
                rounds4(&abef, &cdgh, w[i], kf_sha256_k + t + 4 * i);
            }
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    low = _mm_shuffle_epi32(abef, 0x1b), high = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}

#else

void kf_sha256_blocks_shani(uint32_t state[8], const uint8_t *blocks, size_t num_blocks) {
    (void)state, (void)blocks, (void)num_blocks;
}

#endif
