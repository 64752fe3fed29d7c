/* XAES-256-GCM with VAES and VPCLMULQDQ on 256 bits; the contract is that of kf_aead.h. */
#ifndef KF_XAES_VAES_H
#define KF_XAES_VAES_H

#include "kf_aead.h"

void kf_xaes_vaes_seal(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonces, const kf_rec *rec,
                       size_t n);
size_t kf_xaes_vaes_open(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest, const uint8_t *nonces,
                         const kf_rec *rec, size_t n);

#endif
