/* One short record under XAES-256-GCM with AES-NI: a single call's path, without the preparations of a batch. */
#ifndef KF_XAES_SHORT_H
#define KF_XAES_SHORT_H

#include "kf_aead.h"

enum { KF_SHORT_TEXT = 6 }; /* blocks of text that one pass of eight blocks encrypts, beside H and E(J0) */

/* Whether the record is of this kind: at most 96 bytes and no associated data but the digest. */
static inline int kf_is_short(const kf_rec *rec) { return rec->len <= 16 * KF_SHORT_TEXT && rec->aad_len == 0; }

void kf_xaes_short_seal(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonce, const kf_rec *rec);
/* Returns 1 when the tag is right; only then the text is written, else zeros. */
int kf_xaes_short_open(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonce, const kf_rec *rec);

#endif
