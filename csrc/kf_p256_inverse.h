/* Inverses modulo p and n of plain numbers, constant time. */
#ifndef KF_P256_INVERSE_H
#define KF_P256_INVERSE_H

#include <stdint.h>

/* r = 1 / a modulo p or n, for a below it; 0 for 0. r may be a. */
void kf_p256_invert_p(uint64_t r[4], const uint64_t a[4]);
void kf_p256_invert_n(uint64_t r[4], const uint64_t a[4]);

#endif
