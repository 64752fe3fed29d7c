/* XAES-256-GCM with AES-NI and PCLMULQDQ; the contract is that of kf_aead.h. */
#ifndef KF_XAES_AESNI_H
#define KF_XAES_AESNI_H

#include "kf_aead.h"

void kf_xaes_aesni_seal(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonces, const kf_rec *rec,
                       size_t n);
size_t kf_xaes_aesni_open(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest, const uint8_t *nonces,
                         const kf_rec *rec, size_t n);

#endif
