/* Wrapping of 32 key bytes: XAES-256-GCM with a random nonce; 72 bytes: nonce 24, ciphertext, tag. */
#ifndef KF_WRAP_H
#define KF_WRAP_H

#include "kf.h"
#include "kf_aead.h"

/* KF_OK or KF_ERR_SYSTEM. */
int kf_wrap(const kf_xaes_key *key, uint8_t wrapped[72], const uint8_t material[32], const uint8_t *aad,
            size_t aad_len);
/* KF_OK, or KF_ERR_AUTH with material zeroed. */
int kf_unwrap(const kf_xaes_key *key, uint8_t material[32], const uint8_t wrapped[72], const uint8_t *aad,
              size_t aad_len);

#endif
