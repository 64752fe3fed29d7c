/*
 * A batch of records with everything that a kernel could get wrong around it.
 * Rules: every buffer is its own allocation with canaries on the sides that are mapped; expected
 * outputs come from the textbook, or from portable where that would take too long.
 */
#ifndef KFT_BATCH_H
#define KFT_BATCH_H

#include "kft_buffer.h"

typedef struct {
    enum kft_mode mode;
    enum kft_placement placement;
    int with_digest;
    int in_place;    /* out is in */
    size_t n;
    const size_t *lens, *aad_lens; /* aad_lens NULL: none */
    uint64_t seed;
} kft_batch_spec;

/* Seals and opens the batch in every detail: outputs, flags, canaries, unchanged inputs. */
void kft_batch_check(const kft_env *env, const kft_batch_spec *spec);

/* As above, but before opening flips bit bits[i] of record i's ciphertext, tag and own aad, counted
 * through in that order; -1: none. These records must fail and become zeros, no other. */
void kft_batch_check_corrupted(const kft_env *env, const kft_batch_spec *spec, const long *bits);

#endif
