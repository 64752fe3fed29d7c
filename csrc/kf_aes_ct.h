/*
 * AES-256 without tables, for any CPU with 64-bit words: bit-sliced, four blocks at once.
 * Constant time: only logic and shifts by constants. (The values are secret, the number of blocks
 * is public.)
 */
#ifndef KF_AES_CT_H
#define KF_AES_CT_H

#include "kf_aead.h"

enum { KF_AES_CT_LANES = 4, KF_AES_CT_BYTES = 64 };

/* Round keys in bit-sliced form, one key per lane. */
typedef struct {
    uint64_t rk[15][8];
} kf_aes_ct_keys;

void kf_aes_ct_expand(kf_aes256 *key, const uint8_t key_bytes[32]);
/* As kf_aes_ct_expand, for four keys in the time of one. */
void kf_aes_ct_expand4(kf_aes256 keys[4], const uint8_t key_bytes[128]);

/* The same key in all lanes, or one key for each. */
void kf_aes_ct_load(kf_aes_ct_keys *keys, const kf_aes256 *key);
void kf_aes_ct_load4(kf_aes_ct_keys *keys, const kf_aes256 lane_keys[4]);

/* Encrypts four blocks, block i under the key of lane i. In place if out equals in. */
void kf_aes_ct_encrypt4(const kf_aes_ct_keys *keys, uint8_t out[64], const uint8_t in[64]);

#endif
