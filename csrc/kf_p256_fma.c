/*
 * P-256 for x86-64 with AVX2 and FMA: batches in lanes of doubles, all else as kf_p256_mulx.c has it.
 * It is offered only where a fused multiplication rounds as MXCSR says. Emulators need not: valgrind 3.19 always rounds
 * to nearest, which makes wrong products.
 */
#include "kf_p256_batch.h"

#if defined(__x86_64__)

#include "kf_cpu.h"
#include "kf_p256_field_mulx.h"
#include "kf_p256_lane_fma.h"

#define KF_LANES_NAME "fma"
#define KF_LANES_ARITH kf_p256_arith_mulx

#include "kf_p256_look_up_fma.h"
#include "kf_p256_lanes_batch.h"

/* 3 (2^52 - 1) is 2 2^52 and almost one more. */
KF_LANE_CALL int upper_half_is_cut(void) {
    volatile uint64_t limb = KF_LIMB_MASK, three = 3;
    kf_lane low = kf_lane_all(KF_LANE_BIAS(1, 0)), high = kf_lane_all(KF_LANE_BIAS(0, 1));
    kf_lane_multiply(&low, &high, kf_lane_operand(kf_lane_all(limb)), kf_lane_operand(kf_lane_all(three)));
    return _mm256_extract_epi64(high, 0) == 2 && (uint64_t)_mm256_extract_epi64(low, 0) == KF_LIMB_MASK - 2;
}

static int rounds_toward_zero(void) {
    const unsigned before = kf_lanes_enter();
    const int cut = upper_half_is_cut();
    kf_lanes_leave(before);
    return cut;
}

const kf_p256_impl *kf_p256_impl_fma(void) {
    return kf_cpu() & KF_CPU_FMA && kf_p256_impl_mulx() && rounds_toward_zero() ? &kf_lanes_impl : NULL;
}

#else

const kf_p256_impl *kf_p256_impl_fma(void) { return NULL; }

#endif
