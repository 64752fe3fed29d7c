/*
 * Lanes of AVX2 and FMA: four numbers side by side, multiplied as doubles. A make of lanes for kf_p256_lanes.h, which
 * says what the names mean.
 *
 * The product of two integers below 2^52 has 104 bits. With rounding toward zero, a b + 2^104 in one fused step
 * keeps exactly the bits from 2^52 upwards, for the ulp of numbers from 2^104 to 2^105 is 2^52 and a b < 2^104: in
 * the pattern of the double stands the upper half of the product, plus the constant pattern of 2^104. The lower half
 * is a b - upper 2^52, computed as fma(a, b, (2^104 + 2^52) - (2^104 + upper 2^52)): the difference is exact, the
 * result 2^52 + lower is below 2^53 and so exact too, and its pattern is that of 2^52 plus the lower half. Sums of
 * patterns are sums of integers once the constants are taken off: columns begin at minus their sum (KF_LANE_BIAS).
 *
 * Rule: whoever multiplies has rounding toward zero set in MXCSR (kf_lanes_enter, kf_lanes_leave), and does so in a
 * function that is not inlined between the two: compilers know nothing of rounding modes and would move arithmetic past
 * the change. -frounding-math (cflags.txt) keeps them from computing with constants themselves, to the nearest, as
 * clang would.
 */
#ifndef KF_P256_LANE_FMA_H
#define KF_P256_LANE_FMA_H

#include <immintrin.h>
#include <stdint.h>

#define KF_LANE_TARGET __attribute__((target("avx2,fma")))
#define KF_LANE_FN static inline __attribute__((target("avx2,fma"), always_inline))
#define KF_LANES 4

typedef __m256i kf_lane;    /* integers of 64 bits */
typedef __m256d kf_operand; /* integers from 0 to 2^52 - 1, as doubles */

#define KF_LANE_BITS104 0x4670000000000000ULL /* the pattern of 2^104 */
#define KF_LANE_BITS52 0x4330000000000000ULL  /* and of 2^52 */
#define KF_LANE_BIAS(num_low, num_high) \
    (0 - ((uint64_t)(num_low)*KF_LANE_BITS52 + (uint64_t)(num_high)*KF_LANE_BITS104))

#define kf_lane_expect(a, bits) ((void)0)

/* MXCSR with all exceptions masked, rounding toward zero; returns what it was. */
static inline unsigned kf_lanes_enter(void) {
    const unsigned before = _mm_getcsr(), toward_zero = 0x7f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(toward_zero) : "memory");
    return before;
}
/* MXCSR as it was, and nothing left in registers. */
static inline void kf_lanes_leave(unsigned before) {
    __asm__ volatile("ldmxcsr %0\n\tvzeroall"
                     :
                     : "m"(before)
                     : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

KF_LANE_FN kf_lane kf_lane_all(uint64_t x) { return _mm256_set1_epi64x((long long)x); }
KF_LANE_FN kf_lane kf_lane_add(kf_lane a, kf_lane b) { return _mm256_add_epi64(a, b); }
KF_LANE_FN kf_lane kf_lane_sub(kf_lane a, kf_lane b) { return _mm256_sub_epi64(a, b); }
KF_LANE_FN kf_lane kf_lane_and(kf_lane a, kf_lane b) { return _mm256_and_si256(a, b); }
KF_LANE_FN kf_lane kf_lane_or(kf_lane a, kf_lane b) { return _mm256_or_si256(a, b); }
KF_LANE_FN kf_lane kf_lane_xor(kf_lane a, kf_lane b) { return _mm256_xor_si256(a, b); }
#define kf_lane_shl(a, n) _mm256_slli_epi64(a, n)
#define kf_lane_shr(a, n) _mm256_srli_epi64(a, n)
KF_LANE_FN kf_lane kf_lane_is_zero(kf_lane a) { return _mm256_cmpeq_epi64(a, _mm256_setzero_si256()); }
KF_LANE_FN kf_lane kf_lane_negative(kf_lane a) { return _mm256_cmpgt_epi64(_mm256_setzero_si256(), a); }

KF_LANE_FN kf_operand kf_lane_operand(kf_lane a) {
    const __m256i above = _mm256_or_si256(a, kf_lane_all(KF_LANE_BITS52)); /* 2^52 + a */
    return _mm256_sub_pd(_mm256_castsi256_pd(above), _mm256_set1_pd(0x1p52));
}
KF_LANE_FN kf_lane kf_lane_integer(kf_operand a) {
    const __m256d above = _mm256_add_pd(a, _mm256_set1_pd(0x1p52));
    return _mm256_xor_si256(_mm256_castpd_si256(above), kf_lane_all(KF_LANE_BITS52));
}

KF_LANE_FN void kf_lane_multiply(kf_lane *low, kf_lane *high, kf_operand a, kf_operand b) {
    const __m256d upper = _mm256_fmadd_pd(a, b, _mm256_set1_pd(0x1p104));
    const __m256d rest = _mm256_sub_pd(_mm256_set1_pd(0x1p104 + 0x1p52), upper);
    *high = kf_lane_add(*high, _mm256_castpd_si256(upper));
    *low = kf_lane_add(*low, _mm256_castpd_si256(_mm256_fmadd_pd(a, b, rest)));
}

KF_LANE_FN kf_lane kf_lane_digit(kf_lane column) { return kf_lane_and(column, kf_lane_all(0xfffffffffffff)); }
#define kf_lane_add_shifted(low, high, m, n)                                                        \
    do {                                                                                            \
        *(low) = kf_lane_add(*(low), kf_lane_and(kf_lane_shl(m, n), kf_lane_all(0xfffffffffffff))); \
        *(high) = kf_lane_add(*(high), kf_lane_shr(m, 52 - (n)));                                   \
    } while (0)

/* A transposition of 4 x 4 words is its own inverse. */
KF_LANE_FN void kf_lane_transpose(kf_lane r[4], const kf_lane a[4]) {
    const kf_lane low01 = _mm256_unpacklo_epi64(a[0], a[1]), high01 = _mm256_unpackhi_epi64(a[0], a[1]);
    const kf_lane low23 = _mm256_unpacklo_epi64(a[2], a[3]), high23 = _mm256_unpackhi_epi64(a[2], a[3]);
    r[0] = _mm256_permute2x128_si256(low01, low23, 0x20), r[1] = _mm256_permute2x128_si256(high01, high23, 0x20);
    r[2] = _mm256_permute2x128_si256(low01, low23, 0x31), r[3] = _mm256_permute2x128_si256(high01, high23, 0x31);
}
KF_LANE_FN void kf_lane_load_words(kf_lane word[4], const uint64_t *const from[KF_LANES]) {
    kf_lane rows[4];
    for (int i = 0; i < 4; i++) rows[i] = _mm256_load_si256((const __m256i *)from[i]);
    kf_lane_transpose(word, rows);
}
KF_LANE_FN void kf_lane_store_words(uint64_t *const to[KF_LANES], const kf_lane word[4]) {
    kf_lane rows[4];
    kf_lane_transpose(rows, word);
    for (int i = 0; i < 4; i++) _mm256_store_si256((__m256i *)to[i], rows[i]);
}

#endif
