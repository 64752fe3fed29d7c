/* P-256 for x86-64 with AVX-512 IFMA: batches in lanes of 52-bit integers, all else as kf_p256_mulx.c has it. */
#include "kf_p256_batch.h"

#if defined(__x86_64__)

#include "kf_cpu.h"
#include "kf_p256_field_mulx.h"
#include "kf_p256_lane_ifma.h"

#define KF_LANES_NAME "ifma"
#define KF_LANES_ARITH kf_p256_arith_mulx

#include "kf_p256_look_up_ifma.h"
#include "kf_p256_lanes_batch.h"

const kf_p256_impl *kf_p256_impl_ifma(void) {
    return kf_cpu() & KF_CPU_AVX512_IFMA && kf_p256_impl_mulx() ? &kf_lanes_impl : NULL;
}

#else

const kf_p256_impl *kf_p256_impl_ifma(void) { return NULL; }

#endif
