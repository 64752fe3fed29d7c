/* P-256 in plain C: what every 64-bit CPU can run. */
#include "kf_p256_batch.h"

#define TEMPLATE_INLINE static inline __attribute__((always_inline))
#define EACH_CHAIN for (size_t c = 0; c < CHAINS; c++) /* unrolled it is much more code, and no faster */

#include "kf_p256_base.h"
#include "kf_p256_field_portable.h"

/* Reads the whole window. */
TEMPLATE_INLINE void scan_table(kf_p256_point *r, const kf_p256_point *window, const uint64_t *place, int num) {
    memset(r, 0, (size_t)num * sizeof *r);
    for (uint64_t e = 0; e < TABLE_ENTRIES; e++) {
        for (int c = 0; c < num; c++) {
            const uint64_t diff = place[c] ^ e, mask = kf_mask(1 ^ ((diff | (0 - diff)) >> 63));
            for (int i = 0; i < 4; i++) {
                r[c].x.v[i] |= window[e].x.v[i] & mask;
                r[c].y.v[i] |= window[e].y.v[i] & mask;
            }
        }
    }
}

static void look_up(kf_p256_point *r, int window, const uint8_t *digits, size_t num) {
    uint64_t negative;
    for (size_t i = 0; i < num; i++) {
        const uint64_t place = kf_digit_place(&negative, digits[i]);
        scan_table(&r[i], kf_p256_base_table + window * TABLE_ENTRIES, &place, 1);
        kf_fe_negate_if(&r[i].y, negative);
    }
}

static void prepare(void) {}

#define IMPLEMENTATION_NAME "portable"
#include "kf_p256_curve.h"
#include "kf_p256_affine.h"
#include "kf_p256_engine.h"
#include "kf_p256_sum.h"
#include "kf_p256_offer.h"

const kf_p256_impl *kf_p256_impl_portable(void) { return &implementation; }
