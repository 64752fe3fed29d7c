/* The lanes of kf_p256_fma.c. */
#include "kft_p256.h"

#if defined(__x86_64__)

#include "kf_p256_field_mulx.h"
#include "kf_p256_lane_fma.h"

#define KF_LANES_NAME "fma"
#define KF_LANES_ARITH kf_p256_arith_mulx

#include "kf_p256_look_up_fma.h"
#include "kf_p256_lanes_batch.h"

#define LANES_TEST test_p256_lanes_fma
#define LANES_RUN (kf_p256_impl_fma() != NULL)
#include "kft_p256_lanes.h"

#else

void test_p256_lanes_fma(const kft_env *env) { (void)env; }

#endif
