/*
 * Look-ups in G's table for kf_p256_lanes_batch.h, 32 at a time with AVX2. Constant time: each reads its whole window.
 *
 * The table stands byte by byte: of each limb of each coordinate byte 0 of all entries, byte 1 of all, and so on. A
 * byte shuffle picks from 16 entries for 16 digits in each half of a register, eight of them serve 128 entries, and a
 * transposition brings the bytes of a limb together, four limbs to a vector.
 */
#ifndef KF_P256_LOOK_UP_FMA_H
#define KF_P256_LOOK_UP_FMA_H

#include "kf_p256_lanes_points.h"

enum { KF_LOOK_UPS = 32, KF_LOOK_UP_VECTORS = KF_LOOK_UPS / KF_LANES };

/* Bytes 4 i, 4 i + 1 to the lower half, 4 i + 2, 4 i + 3 to the upper: the order in which kf_gather_limb leaves
 * items. */
KF_LANE_FN __m256i kf_split_pairs(__m256i bytes) {
    const __m256i even_odd = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15,
                                              0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(bytes, even_odd), 0xd8);
}

/* Of num columns of bytes (up to 8) those at the places, as 64-bit limbs of 32 items. */
KF_LANE_FN void kf_gather_limb(kf_lane *r, size_t stride, const uint8_t column[][128], int num,
                               const __m256i place[8]) {
    __m256i byte[8], two[8], four[8];
    KF_UNROLL(int b = 0; b < 8; b++) {
        byte[b] = _mm256_setzero_si256();
        KF_UNROLL(int g = 0; g < 8; g++) {
            if (b >= num) break;
            const __m256i entries = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)column[b] + g));
            const __m256i found = _mm256_shuffle_epi8(entries, place[g]);
            byte[b] = g ? _mm256_or_si256(byte[b], found) : found;
        }
    }
    KF_UNROLL(int i = 0; i < 4; i++) {
        two[2 * i] = _mm256_unpacklo_epi8(byte[2 * i], byte[2 * i + 1]);
        two[2 * i + 1] = _mm256_unpackhi_epi8(byte[2 * i], byte[2 * i + 1]);
    }
    KF_UNROLL(int i = 0; i < 2; i++) {
        four[4 * i] = _mm256_unpacklo_epi16(two[4 * i], two[4 * i + 2]);
        four[4 * i + 1] = _mm256_unpackhi_epi16(two[4 * i], two[4 * i + 2]);
        four[4 * i + 2] = _mm256_unpacklo_epi16(two[4 * i + 1], two[4 * i + 3]);
        four[4 * i + 3] = _mm256_unpackhi_epi16(two[4 * i + 1], two[4 * i + 3]);
    }
    KF_UNROLL(int i = 0; i < 4; i++) {
        r[2 * i * stride] = _mm256_unpacklo_epi32(four[i], four[i + 4]);
        r[(2 * i + 1) * stride] = _mm256_unpackhi_epi32(four[i], four[i + 4]);
    }
}

/* The terms that the digits stand for: (2 digit - 255) 256^window G. */
KF_LANE_CALL void kf_lanes_look_up(kf_points r[KF_LOOK_UP_VECTORS], const uint8_t column[][128],
                                   const uint8_t digits[KF_LOOK_UPS]) {
    const __m256i digit = _mm256_loadu_si256((const __m256i *)digits);
    const __m256i negative = _mm256_cmpgt_epi8(digit, _mm256_set1_epi8(-1)); /* the top bit is not set */
    const __m256i entry = kf_split_pairs(_mm256_and_si256(_mm256_xor_si256(digit, negative), _mm256_set1_epi8(0x7f)));
    const size_t stride = sizeof(kf_points) / sizeof(kf_lane);
    uint8_t masks[KF_LOOK_UPS];
    __m256i place[8];
    /* Within group g of entries the place gets 7 in its upper half, and elsewhere its top bit: a shuffle gives 0 for
     * that. */
    for (int g = 0; g < 8; g++)
        place[g] = _mm256_adds_epu8(_mm256_xor_si256(entry, _mm256_set1_epi8((char)(16 * g))), _mm256_set1_epi8(0x70));
    for (int i = 0; i < 4; i++) {
        kf_gather_limb(&r[0].x.limb[i], stride, column + 7 * i, 7, place);
        kf_gather_limb(&r[0].y.limb[i], stride, column + 34 + 7 * i, 7, place);
    }
    kf_gather_limb(&r[0].x.limb[4], stride, column + 28, 6, place);
    kf_gather_limb(&r[0].y.limb[4], stride, column + 62, 6, place);
    _mm256_storeu_si256((__m256i *)masks, negative);
    for (int i = 0; i < KF_LOOK_UP_VECTORS; i++) {
        int32_t four;
        memcpy(&four, masks + 4 * i, sizeof four);
        kf_lanes_negate(&r[i].y, _mm256_cvtepi8_epi64(_mm_cvtsi32_si128(four)));
    }
}

#endif
