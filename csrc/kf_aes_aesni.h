/* AES-256 with AES-NI, one key at a time; the contract is that of kf_aead.h. */
#ifndef KF_AES_AESNI_H
#define KF_AES_AESNI_H

#include "kf_aead.h"

void kf_aesni_expand(kf_aes256 *key, const uint8_t key_bytes[32]);
void kf_aesni_blocks(const kf_aes256 *key, uint8_t *out, const uint8_t *in, size_t num_blocks);

#endif
