/*
 * Template: k G in lanes of one make, which the file that includes this has included before, with secret k. CHECK_LANES
 * names the function. Where the checker rounds otherwise than the CPU the points are wrong, and what is looked at is the way
 * of the secrets alone.
 */
#include <stdlib.h>

#include "ctime.h"

void CHECK_LANES(void) {
    enum { MOST = 70 };
    static const int sizes[] = {1, 5, 40, MOST};
    static kf_p256_scalar k[MOST];
    static kf_p256_point points[MOST];
    const size_t len = kf_lanes_impl.scratch_len(MOST);
    void *scratch = aligned_alloc(64, (len + 63) / 64 * 64);
    require(scratch != NULL && kf_p256_ready() == KF_OK, "P-256 does not start");
    kf_lanes_impl.prepare();
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (int i = 0; i < sizes[s]; i++)
            k[i] = (kf_p256_scalar){{(uint64_t)i + 1, (uint64_t)i * 0x9e3779b97f4a7c15, 5, 7 + (uint64_t)i}};
        KF_SECRET(k, sizeof k);
        kf_lanes_impl.base_mul(points, k, sizes[s], scratch);
        require_secret(points, (size_t)sizes[s] * sizeof *points, KF_LANES_NAME ": multiples of G");
    }
    free(scratch);
}
