/*
 * HMAC-SHA-256 in lanes with the x86 SHA extensions. The rounds of one message wait for each other, so the lanes take
 * turns, four rounds each. The digest of the inner hash goes into the outer one as words, without a trip through bytes.
 */
#include "kf_hmac_lanes.h"

#if defined(__x86_64__)

#include "kf_sha256_shani.h"
#include "kf_util.h"

enum { LANES = KF_HMAC_LANES };

#define EACH_LANE _Pragma("GCC unroll 8") for (int l = 0; l < LANES; l++)

/* The compression function (FIPS 180-4 6.2.2) on the message words w of each lane. */
KF_SHANI static inline __attribute__((always_inline)) void compress(kf_shani_state state[LANES],
                                                                    __m128i w[LANES][4]) {
    kf_shani_state before[LANES];
    EACH_LANE before[l] = state[l];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) EACH_LANE kf_shani_rounds4(&state[l], w[l][i], kf_sha256_k + 4 * i);
    for (int t = 16; t < 64; t += 16) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            EACH_LANE {
                w[l][i] = kf_shani_schedule(w[l][i], w[l][(i + 1) & 3], w[l][(i + 2) & 3], w[l][(i + 3) & 3]);
                kf_shani_rounds4(&state[l], w[l][i], kf_sha256_k + t + 4 * i);
            }
        }
    }
    EACH_LANE {
        state[l].abef = _mm_add_epi32(state[l].abef, before[l].abef);
        state[l].cdgh = _mm_add_epi32(state[l].cdgh, before[l].cdgh);
    }
}

KF_SHANI void kf_hmac_lanes_shani(const kf_hmac_key *key, const kf_hmac_lane *lane, size_t num_head,
                                  size_t num_tail) {
    kf_shani_state state[LANES];
    __m128i w[LANES][4], words[2];
    EACH_LANE state[l] = kf_shani_load(key->inner);
    for (size_t n = 0; n < num_head + num_tail; n++) {
        EACH_LANE {
            const uint8_t *block = n < num_head ? lane[l].head + 64 * n : lane[l].tail + 64 * (n - num_head);
            for (int i = 0; i < 4; i++) w[l][i] = kf_shani_message(block + 16 * i);
        }
        compress(state, w);
    }
    EACH_LANE {
        kf_shani_words(w[l], state[l]);
        w[l][2] = _mm_set_epi32(0, 0, 0, (int)0x80000000);
        w[l][3] = _mm_set_epi32((64 + 32) * 8, 0, 0, 0);
        state[l] = kf_shani_load(key->outer);
    }
    compress(state, w);
    EACH_LANE {
        kf_shani_words(words, state[l]);
        _mm_storeu_si128((__m128i *)lane[l].out, kf_shani_swap(words[0]));
        _mm_storeu_si128((__m128i *)(lane[l].out + 16), kf_shani_swap(words[1]));
    }
}

#else

void kf_hmac_lanes_shani(const kf_hmac_key *key, const kf_hmac_lane *lane, size_t num_head, size_t num_tail) {
    (void)key, (void)lane, (void)num_head, (void)num_tail;
}

#endif
