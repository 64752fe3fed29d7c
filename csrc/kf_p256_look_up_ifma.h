/*
 * Look-ups in G's table for kf_p256_lanes_batch.h, 64 at a time with AVX-512 VBMI. Constant time: each reads its whole
 * window. As kf_p256_look_up_fma.h, but one instruction picks from the 128 entries for 64 digits.
 */
#ifndef KF_P256_LOOK_UP_IFMA_H
#define KF_P256_LOOK_UP_IFMA_H

#include "kf_p256_lanes_points.h"

enum { KF_LOOK_UPS = 64, KF_LOOK_UP_VECTORS = KF_LOOK_UPS / KF_LANES };

/* Pair q of every eight bytes to quarter q: the order in which kf_gather_limb leaves items. */
KF_LANE_FN __m512i kf_split_pairs(__m512i bytes) {
    static const uint8_t from[64] = {
        0, 1, 8,  9,  16, 17, 24, 25, 32, 33, 40, 41, 48, 49, 56, 57, 2, 3, 10, 11, 18, 19,
        26, 27, 34, 35, 42, 43, 50, 51, 58, 59, 4, 5, 12, 13, 20, 21, 28, 29, 36, 37, 44, 45,
        52, 53, 60, 61, 6, 7, 14, 15, 22, 23, 30, 31, 38, 39, 46, 47, 54, 55, 62, 63};
    return _mm512_permutexvar_epi8(_mm512_loadu_si512(from), bytes);
}

/* Of num columns of bytes (up to 8) those at the places, as 64-bit limbs of 64 items. */
KF_LANE_FN void kf_gather_limb(kf_lane *r, size_t stride, const uint8_t column[][128], int num, __m512i place) {
    __m512i byte[8], two[8], four[8];
    KF_UNROLL(int b = 0; b < 8; b++)
        byte[b] = b < num ? _mm512_permutex2var_epi8(_mm512_load_si512(column[b]), place,
                                                     _mm512_load_si512(column[b] + 64))
                          : _mm512_setzero_si512();
    KF_UNROLL(int i = 0; i < 4; i++) {
        two[2 * i] = _mm512_unpacklo_epi8(byte[2 * i], byte[2 * i + 1]);
        two[2 * i + 1] = _mm512_unpackhi_epi8(byte[2 * i], byte[2 * i + 1]);
    }
    KF_UNROLL(int i = 0; i < 2; i++) {
        four[4 * i] = _mm512_unpacklo_epi16(two[4 * i], two[4 * i + 2]);
        four[4 * i + 1] = _mm512_unpackhi_epi16(two[4 * i], two[4 * i + 2]);
        four[4 * i + 2] = _mm512_unpacklo_epi16(two[4 * i + 1], two[4 * i + 3]);
        four[4 * i + 3] = _mm512_unpackhi_epi16(two[4 * i + 1], two[4 * i + 3]);
    }
    KF_UNROLL(int i = 0; i < 4; i++) {
        r[2 * i * stride] = _mm512_unpacklo_epi32(four[i], four[i + 4]);
        r[(2 * i + 1) * stride] = _mm512_unpackhi_epi32(four[i], four[i + 4]);
    }
}

/* The terms that the digits stand for: (2 digit - 255) 256^window G. */
KF_LANE_CALL void kf_lanes_look_up(kf_points r[KF_LOOK_UP_VECTORS], const uint8_t column[][128],
                                   const uint8_t digits[KF_LOOK_UPS]) {
    const __m512i digit = _mm512_loadu_si512(digits);
    const __m512i negative = _mm512_movm_epi8(~_mm512_movepi8_mask(digit)); /* the top bit is not set */
    const __m512i place = kf_split_pairs(_mm512_xor_si512(digit, negative)); /* a place is 7 bits */
    const size_t stride = sizeof(kf_points) / sizeof(kf_lane);
    uint8_t masks[KF_LOOK_UPS];
    for (int i = 0; i < 4; i++) {
        kf_gather_limb(&r[0].x.limb[i], stride, column + 7 * i, 7, place);
        kf_gather_limb(&r[0].y.limb[i], stride, column + 34 + 7 * i, 7, place);
    }
    kf_gather_limb(&r[0].x.limb[4], stride, column + 28, 6, place);
    kf_gather_limb(&r[0].y.limb[4], stride, column + 62, 6, place);
    _mm512_storeu_si512(masks, negative);
    for (int i = 0; i < KF_LOOK_UP_VECTORS; i++)
        kf_lanes_negate(&r[i].y, _mm512_cvtepi8_epi64(_mm_loadl_epi64((const __m128i *)(masks + 8 * i))));
}

#endif
