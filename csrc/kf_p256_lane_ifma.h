/*
 * Lanes of AVX-512 IFMA: eight numbers side by side. A make of lanes for kf_p256_lanes.h, which says what the names
 * mean. The instruction takes the lowest 52 bits of each operand and adds the lower or the upper 52 bits of the product
 * to 64 bits (Intel SDM, VPMADD52LUQ and VPMADD52HUQ).
 */
#ifndef KF_P256_LANE_IFMA_H
#define KF_P256_LANE_IFMA_H

#include <immintrin.h>
#include <stdint.h>

#define KF_LANE_TARGET __attribute__((target("avx512f,avx512bw,avx512ifma,avx512vbmi")))
#define KF_LANE_FN static inline __attribute__((target("avx512f,avx512bw,avx512ifma,avx512vbmi"), always_inline))
#define KF_LANES 8

typedef __m512i kf_lane;
typedef __m512i kf_operand;

#define KF_LANE_BIAS(num_low, num_high) 0

#define kf_lane_expect(a, bits) ((void)0)

static inline unsigned kf_lanes_enter(void) { return 0; }
/* Leaves nothing in registers. Those from 16 on are of no use to the functions that call this. */
static inline void kf_lanes_leave(unsigned before) {
    (void)before;
    __asm__ volatile("vzeroall"
                     :
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15");
    __asm__ volatile(
        ".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
        "vpxorq %zmm\\n, %zmm\\n, %zmm\\n\n\t"
        ".endr");
}

KF_LANE_FN kf_lane kf_lane_all(uint64_t x) { return _mm512_set1_epi64((long long)x); }
KF_LANE_FN kf_lane kf_lane_add(kf_lane a, kf_lane b) { return _mm512_add_epi64(a, b); }
KF_LANE_FN kf_lane kf_lane_sub(kf_lane a, kf_lane b) { return _mm512_sub_epi64(a, b); }
KF_LANE_FN kf_lane kf_lane_and(kf_lane a, kf_lane b) { return _mm512_and_si512(a, b); }
KF_LANE_FN kf_lane kf_lane_or(kf_lane a, kf_lane b) { return _mm512_or_si512(a, b); }
KF_LANE_FN kf_lane kf_lane_xor(kf_lane a, kf_lane b) { return _mm512_xor_si512(a, b); }
#define kf_lane_shl(a, n) _mm512_slli_epi64(a, n)
#define kf_lane_shr(a, n) _mm512_srli_epi64(a, n)
KF_LANE_FN kf_lane kf_lane_is_zero(kf_lane a) { return _mm512_maskz_set1_epi64(_mm512_testn_epi64_mask(a, a), -1); }
KF_LANE_FN kf_lane kf_lane_negative(kf_lane a) { return _mm512_srai_epi64(a, 63); }

KF_LANE_FN kf_operand kf_lane_operand(kf_lane a) { return a; }
KF_LANE_FN kf_lane kf_lane_integer(kf_operand a) { return a; }

KF_LANE_FN void kf_lane_multiply(kf_lane *low, kf_lane *high, kf_operand a, kf_operand b) {
    *low = _mm512_madd52lo_epu64(*low, a, b);
    *high = _mm512_madd52hi_epu64(*high, a, b);
}

/* Nobody reads more of a digit than its lowest 52 bits. */
KF_LANE_FN kf_lane kf_lane_digit(kf_lane column) { return column; }
#define kf_lane_add_shifted(low, high, m, n) kf_lane_multiply(low, high, m, kf_lane_all(1ULL << (n)))

/* Eight rows of four words, two in a register, to four registers of eight words, and back. */
KF_LANE_FN void kf_lane_load_words(kf_lane word[4], const uint64_t *const from[KF_LANES]) {
    kf_lane rows[4], half[4];
    for (int i = 0; i < 4; i++) {
        rows[i] = _mm512_castsi256_si512(_mm256_load_si256((const __m256i *)from[2 * i]));
        rows[i] = _mm512_inserti64x4(rows[i], _mm256_load_si256((const __m256i *)from[2 * i + 1]), 1);
    }
    const kf_lane even = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13); /* words 0, then 1, of two registers */
    const kf_lane odd = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    half[0] = _mm512_permutex2var_epi64(rows[0], even, rows[1]);
    half[1] = _mm512_permutex2var_epi64(rows[2], even, rows[3]);
    half[2] = _mm512_permutex2var_epi64(rows[0], odd, rows[1]);
    half[3] = _mm512_permutex2var_epi64(rows[2], odd, rows[3]);
    word[0] = _mm512_shuffle_i64x2(half[0], half[1], 0x44), word[1] = _mm512_shuffle_i64x2(half[0], half[1], 0xee);
    word[2] = _mm512_shuffle_i64x2(half[2], half[3], 0x44), word[3] = _mm512_shuffle_i64x2(half[2], half[3], 0xee);
}
KF_LANE_FN void kf_lane_store_words(uint64_t *const to[KF_LANES], const kf_lane word[4]) {
    kf_lane rows[4], half[4];
    const kf_lane even = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13);
    const kf_lane odd = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    half[0] = _mm512_shuffle_i64x2(word[0], word[1], 0x44), half[1] = _mm512_shuffle_i64x2(word[0], word[1], 0xee);
    half[2] = _mm512_shuffle_i64x2(word[2], word[3], 0x44), half[3] = _mm512_shuffle_i64x2(word[2], word[3], 0xee);
    rows[0] = _mm512_permutex2var_epi64(half[0], even, half[2]);
    rows[1] = _mm512_permutex2var_epi64(half[0], odd, half[2]);
    rows[2] = _mm512_permutex2var_epi64(half[1], even, half[3]);
    rows[3] = _mm512_permutex2var_epi64(half[1], odd, half[3]);
    for (int i = 0; i < 4; i++) {
        _mm256_store_si256((__m256i *)to[2 * i], _mm512_castsi512_si256(rows[i]));
        _mm256_store_si256((__m256i *)to[2 * i + 1], _mm512_extracti64x4_epi64(rows[i], 1));
    }
}

#endif
