/* HMAC (FIPS 198-1) over any hash of kf_hash.h. Constant time in the contents; lengths are public. */
#ifndef KF_HMAC_H
#define KF_HMAC_H

#include "kf_hash.h"

typedef struct {
    const kf_hash *hash;
    union {
        kf_hmac_key narrow; /* SHA-224, SHA-256 */
        uint64_t wide[16];  /* SHA-384, SHA-512 */
    } states;               /* after the inner padded key, then after the outer one */
} kf_hmac_any_key;

void kf_hmac_any_key_init(kf_hmac_any_key *key, const kf_hash *hash, const uint8_t *key_bytes, size_t key_len);
/* out: digest_len bytes of the hash. */
void kf_hmac_any(const kf_hmac_any_key *key, uint8_t *out, const uint8_t *msg, size_t msg_len);

#endif
