/*
 * Randomness. All of it comes from getrandom(2); nothing outlives the call that drew it, so that
 * neither fork nor the resumption of a virtual machine can repeat what an earlier call used.
 * Small requests go straight to the kernel; a batch seeds a generator of its own (AES-256 in
 * counter mode with fast key erasure: each fill replaces the key first) and wipes it at its end.
 */
#ifndef KF_RNG_H
#define KF_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "kf_aead.h"

typedef struct {
    kf_aes256 aes;
    uint64_t left; /* bytes until the next reseed from the kernel */
} kf_rng;

/* KF_OK or KF_ERR_SYSTEM. */
int kf_random(uint8_t *out, size_t len);
#ifdef KF_TESTING
extern int kf_random_fault; /* test builds only: the n-th kf_random from now on fails, once */
#endif
int kf_rng_init(kf_rng *rng);
int kf_rng_fill(kf_rng *rng, uint8_t *out, size_t len);
void kf_rng_wipe(kf_rng *rng);

#endif
