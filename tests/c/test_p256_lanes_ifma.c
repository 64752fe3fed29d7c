/* The lanes of kf_p256_ifma.c. */
#include "kft_p256.h"

#if defined(__x86_64__)

#include "kf_p256_field_mulx.h"
#include "kf_p256_lane_ifma.h"

#define KF_LANES_NAME "ifma"
#define KF_LANES_ARITH kf_p256_arith_mulx

#include "kf_p256_look_up_ifma.h"
#include "kf_p256_lanes_batch.h"

#define LANES_TEST test_p256_lanes_ifma
#define LANES_RUN (kf_p256_impl_ifma() != NULL)
#include "kft_p256_lanes.h"

#else

void test_p256_lanes_ifma(const kft_env *env) { (void)env; }

#endif
