/* Lanes of P-256 with FMA. */
#include "kf.h"
#include "kf_p256_batch.h"
#include "kf_p256_ecdsa.h"
#include "ctime.h"

#if defined(__x86_64__)

#include "kf_cpu.h"
#include "kf_p256_field_mulx.h"
#include "kf_p256_lane_fma.h"

#define KF_LANES_NAME "fma"
#define KF_LANES_ARITH kf_p256_arith_mulx

#include "kf_p256_look_up_fma.h"
#include "kf_p256_lanes_batch.h"

#define CHECK_LANES check_lanes
#include "p256_lanes.h"

void check_p256_lanes_fma(void) {
    if (kf_cpu() & KF_CPU_FMA && kf_p256_impl_mulx()) check_lanes();
}

#else

void check_p256_lanes_fma(void) {}

#endif
