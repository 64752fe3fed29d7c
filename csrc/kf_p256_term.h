/* An addition of affine points in a list of such, for whoever adds many with one inversion. */
#ifndef KF_P256_TERM_H
#define KF_P256_TERM_H

#include "kf_p256.h"

/* *to = *a + *b, or *a - *b when negative; to may be a. item: what is flagged where a and b have one x. */
typedef struct {
    kf_p256_point *to;
    const kf_p256_point *a, *b;
    uint32_t negative, item;
} affine_term;

#endif
