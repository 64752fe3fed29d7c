/* An implementation in lanes of plain C, for tests and for checkers that know no AVX-512: all of the template but the
 * instructions. */
#include "kft_p256.h"

#include "kf_p256_field_portable.h"
#include "kft_p256_lane_one.h"

#define KF_LANES_NAME "one"
#define KF_LANES_ARITH kf_p256_arith_portable

#include "kft_p256_look_up_one.h"
#include "kf_p256_lanes_batch.h"

const kf_p256_impl *kft_p256_impl_one(void) { return &kf_lanes_impl; }
