/* Lanes of P-256 in plain C: the template of every make, for checkers that know no AVX-512. */
#include "kf.h"
#include "kf_p256_batch.h"
#include "kf_p256_ecdsa.h"
#include "kf_p256_field_portable.h"
#include "kft_p256_lane_one.h"

#define KF_LANES_NAME "one"
#define KF_LANES_ARITH kf_p256_arith_portable

#include "kft_p256_look_up_one.h"
#include "kf_p256_lanes_batch.h"

#define CHECK_LANES check_p256_lanes_one
#include "p256_lanes.h"
