/* The lanes of kf_p256_fma.c, which itself is not offered where multiplication does not round as MXCSR says. */
#include "kft_p256.h"

#if defined(__x86_64__)

#include "kf_cpu.h"
#include "kf_p256_field_mulx.h"
#include "kf_p256_lane_fma.h"

#define KF_LANES_NAME "fma"
#define KF_LANES_ARITH kf_p256_arith_mulx

#include "kf_p256_look_up_fma.h"
#include "kf_p256_lanes_batch.h"

const kf_p256_impl *kft_p256_impl_fma(void) {
    return kf_cpu() & KF_CPU_FMA && kf_p256_impl_mulx() ? &kf_lanes_impl : NULL;
}

#else

const kf_p256_impl *kft_p256_impl_fma(void) { return NULL; }

#endif
