/* Look-ups for the make of lanes of kft_p256_lane_one.h: reads a whole window, entry by entry. */
#ifndef KFT_P256_LOOK_UP_ONE_H
#define KFT_P256_LOOK_UP_ONE_H

#include "kf_p256_lanes_points.h"

enum { KF_LOOK_UPS = 1, KF_LOOK_UP_VECTORS = 1 };

static void kf_lanes_look_up(kf_points r[KF_LOOK_UP_VECTORS], const uint8_t column[][128],
                             const uint8_t digits[KF_LOOK_UPS]) {
    const uint64_t negative = kf_barrier64(((uint64_t)digits[0] >> 7) - 1), place = (digits[0] ^ negative) & 0x7f;
    memset(r, 0, sizeof *r);
    for (uint64_t e = 0; e < 128; e++) {
        const uint64_t mask = kf_lane_is_zero(place ^ e);
        for (int i = 0; i < 5; i++) {
            for (int b = 0; b < (i < 4 ? 7 : 6); b++) {
                r->x.limb[i] |= ((uint64_t)column[7 * i + b][e] << (8 * b)) & mask;
                r->y.limb[i] |= ((uint64_t)column[34 + 7 * i + b][e] << (8 * b)) & mask;
            }
        }
    }
    kf_lanes_negate(&r->y, negative);
}

#endif
