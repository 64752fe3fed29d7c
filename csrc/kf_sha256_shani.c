/* SHA-256 with the x86 SHA extensions: one message. */
#include "kf_sha256_impl.h"

#if defined(__x86_64__)

#include "kf_sha256_shani.h"

KF_SHANI void kf_sha256_blocks_shani(uint32_t state[8], const uint8_t *blocks, size_t num_blocks) {
    kf_shani_state now = kf_shani_load(state);
    __m128i words[2];
    for (; num_blocks--; blocks += 64) {
        const kf_shani_state before = now;
        __m128i w[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            w[i] = kf_shani_message(blocks + 16 * i);
            kf_shani_rounds4(&now, w[i], kf_sha256_k + 4 * i);
        }
        for (int t = 16; t < 64; t += 16) {
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                w[i] = kf_shani_schedule(w[i], w[(i + 1) & 3], w[(i + 2) & 3], w[(i + 3) & 3]);
                kf_shani_rounds4(&now, w[i], kf_sha256_k + t + 4 * i);
            }
        }
        now.abef = _mm_add_epi32(now.abef, before.abef);
        now.cdgh = _mm_add_epi32(now.cdgh, before.cdgh);
    }
    kf_shani_words(words, now);
    _mm_storeu_si128((__m128i *)state, words[0]);
    _mm_storeu_si128((__m128i *)(state + 4), words[1]);
}

#else

void kf_sha256_blocks_shani(uint32_t state[8], const uint8_t *blocks, size_t num_blocks) {
    (void)state, (void)blocks, (void)num_blocks;
}

#endif
