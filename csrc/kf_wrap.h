/* Wrapping of key bytes: XAES-256-GCM with a random nonce: nonce 24, ciphertext, tag 16. */
#ifndef KF_WRAP_H
#define KF_WRAP_H

#include "kf.h"
#include "kf_aead.h"

/* wrapped: len + 40 bytes. KF_OK or KF_ERR_SYSTEM. */
int kf_wrap(const kf_xaes_key *key, uint8_t *wrapped, const uint8_t *material, size_t len, const uint8_t *aad,
            size_t aad_len);
/* KF_OK, or KF_ERR_AUTH with the len bytes of material zeroed. */
int kf_unwrap(const kf_xaes_key *key, uint8_t *material, size_t len, const uint8_t *wrapped, const uint8_t *aad,
              size_t aad_len);

#endif
