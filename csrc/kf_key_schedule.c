/* The keys of GCM and XAES from 32 bytes, through an implementation's own block cipher. */
#include "kf_aead.h"
#include "kf_util.h"

/* SP 800-38D 7.1 step 1: H = AES_K(0^128). */
void kf_gcm_key_init(const kf_aead_impl *impl, kf_gcm_key *key, const uint8_t key_bytes[32]) {
    static const uint8_t zero[16];
    impl->aes256_expand(&key->aes, key_bytes);
    impl->aes256_blocks(&key->aes, key->h, zero, 1);
}

/* SP 800-38B 6.1: K1 = L << 1, with 0x87 added when a one was shifted out; L = AES_K(0^128). */
void kf_xaes_key_init(const kf_aead_impl *impl, kf_xaes_key *key, const uint8_t key_bytes[32]) {
    static const uint8_t zero[16];
    uint8_t l[16];
    impl->aes256_expand(&key->aes, key_bytes);
    impl->aes256_blocks(&key->aes, l, zero, 1);
    const uint64_t high = kf_load64_be(l), low = kf_load64_be(l + 8);
    const uint64_t carry_mask = 0 - kf_barrier64(high >> 63);
    kf_store64_be(key->k1, high << 1 | low >> 63);
    kf_store64_be(key->k1 + 8, low << 1 ^ (carry_mask & 0x87));
    kf_wipe(l, sizeof l);
}
