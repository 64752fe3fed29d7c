/* Division of scratch memory; from address 0 on it tells how much is needed. */
#ifndef KF_P256_CARVE_H
#define KF_P256_CARVE_H

#include <stddef.h>
#include <stdint.h>

/* The next len bytes of scratch memory, rounded up to whole cache lines. */
static inline void *carve(uintptr_t *at, size_t len) {
    void *part = (void *)*at;
    *at += (len + 63) / 64 * 64;
    return part;
}

#endif
