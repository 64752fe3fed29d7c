/*
 * A make of lanes (kf_p256_lanes.h) in plain C: one number, and every bound that the template names is checked, so that a
 * limb that is out of range stops the test even where the result is right. It is also what a checker of constant time can
 * run that knows no AVX-512.
 */
#ifndef KFT_P256_LANE_ONE_H
#define KFT_P256_LANE_ONE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "kf_util.h"

#define KF_LANE_TARGET
#define KF_LANE_FN static inline __attribute__((always_inline))
#define KF_LANES 1

typedef uint64_t kf_lane;
typedef uint64_t kf_operand;

#define KF_LANE_BIAS(num_low, num_high) 0

/* Values may be marked as secret: that they are in range is not. */
static inline void kft_lane_expect(int in_range, int line) {
    KF_DECLASSIFY(&in_range, sizeof in_range);
    if (in_range) return;
    fprintf(stderr, "kf_p256_lanes: a limb is out of range (%d)\n", line);
    abort();
}
#define kf_lane_expect(a, bits) kft_lane_expect((a) >> (bits) == 0, __LINE__)

static inline unsigned kf_lanes_enter(void) { return 0; }
static inline void kf_lanes_leave(unsigned before) { (void)before; }

KF_LANE_FN kf_lane kf_lane_all(uint64_t x) { return x; }
KF_LANE_FN kf_lane kf_lane_add(kf_lane a, kf_lane b) { return a + b; }
KF_LANE_FN kf_lane kf_lane_sub(kf_lane a, kf_lane b) { return a - b; }
KF_LANE_FN kf_lane kf_lane_and(kf_lane a, kf_lane b) { return a & b; }
KF_LANE_FN kf_lane kf_lane_or(kf_lane a, kf_lane b) { return a | b; }
KF_LANE_FN kf_lane kf_lane_xor(kf_lane a, kf_lane b) { return a ^ b; }
#define kf_lane_shl(a, n) ((a) << (n))
#define kf_lane_shr(a, n) ((a) >> (n))
KF_LANE_FN kf_lane kf_lane_is_zero(kf_lane a) { return kf_barrier64(((a | (0 - a)) >> 63) - 1); }
KF_LANE_FN kf_lane kf_lane_negative(kf_lane a) { return kf_barrier64(0 - (a >> 63)); }

KF_LANE_FN kf_operand kf_lane_operand(kf_lane a) {
    kf_lane_expect(a, 52);
    return a;
}
KF_LANE_FN kf_lane kf_lane_integer(kf_operand a) { return a; }

KF_LANE_FN void kf_lane_multiply(kf_lane *low, kf_lane *high, kf_operand a, kf_operand b) {
    const unsigned __int128 product = (unsigned __int128)a * b;
    kf_lane_expect(a, 52);
    kf_lane_expect(b, 52);
    *low += (uint64_t)product & 0xfffffffffffff;
    *high += (uint64_t)(product >> 52);
}

KF_LANE_FN kf_lane kf_lane_digit(kf_lane column) { return column & 0xfffffffffffff; }
#define kf_lane_add_shifted(low, high, m, n) (*(low) += (m) << (n) & 0xfffffffffffff, *(high) += (m) >> (52 - (n)))

KF_LANE_FN void kf_lane_load_words(kf_lane word[4], const uint64_t *const from[KF_LANES]) {
    for (int i = 0; i < 4; i++) word[i] = from[0][i];
}
KF_LANE_FN void kf_lane_store_words(uint64_t *const to[KF_LANES], const kf_lane word[4]) {
    for (int i = 0; i < 4; i++) to[0][i] = word[i];
}

#endif
