/* Lanes in plain C, which check their bounds. */
#include "kft_p256.h"

#include "kf_p256_field_portable.h"
#include "kft_p256_lane_one.h"

#define KF_LANES_NAME "one"
#define KF_LANES_ARITH kf_p256_arith_portable

#include "kft_p256_look_up_one.h"
#include "kf_p256_lanes_batch.h"

#define LANES_TEST test_p256_lanes_one
#define LANES_RUN 1
#include "kft_p256_lanes.h"
