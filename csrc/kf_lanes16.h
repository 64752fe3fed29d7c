/* Sixteen bytes at a time, by the vectors of gcc and clang: SSE2, NEON, or plain words where there are none. */
#ifndef KF_LANES16_H
#define KF_LANES16_H

#include <stdint.h>
#include <string.h>

enum { KF_LANES16 = 16 };

typedef uint8_t kf_lanes16 __attribute__((vector_size(KF_LANES16)));

static inline kf_lanes16 kf_lanes16_all(uint8_t x) {
    return (kf_lanes16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

static inline kf_lanes16 kf_lanes16_load(const uint8_t *p) {
    kf_lanes16 x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* 0xff in each lane with low <= x <= high, else 0. */
static inline kf_lanes16 kf_lanes16_between(kf_lanes16 x, uint8_t low, uint8_t high) {
    return (kf_lanes16)(x >= kf_lanes16_all(low)) & (kf_lanes16)(x <= kf_lanes16_all(high));
}

static inline kf_lanes16 kf_lanes16_is(kf_lanes16 x, uint8_t value) {
    return (kf_lanes16)(x == kf_lanes16_all(value));
}

#endif
