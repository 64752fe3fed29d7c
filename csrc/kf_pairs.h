/* The pairs of an encryption context, wherever they were read, and their canonical form (docs/blob-format.md). */
#ifndef KF_PAIRS_H
#define KF_PAIRS_H

#include "kf.h"
#include "kf_sha256.h"

enum { KF_PAIRS_MAX = 16 }; /* a context of more is no usual one */

/* Puts a pair in its place among *num ones that are sorted by name. 0: its name is empty or there already, or there
 * are too many. */
int kf_pairs_insert(struct kf_text names[KF_PAIRS_MAX], struct kf_text values[KF_PAIRS_MAX], size_t *num,
                    const struct kf_text *name, const struct kf_text *value);
/* Adds the canonical form of sorted pairs to a digest. */
void kf_pairs_hash(const struct kf_text *names, const struct kf_text *values, size_t num, kf_sha256_ctx *hash);

#endif
