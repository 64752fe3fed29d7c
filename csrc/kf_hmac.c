/* HMAC-SHA-256 (FIPS 198-1). The key is kept as the two states after its padded blocks. */
#include "kf_sha256.h"
#include "kf_util.h"

/* The state after the key xor pad. */
static void pad_state(uint32_t state[8], const uint8_t block[64], uint8_t pad) {
    uint8_t padded[64];
    kf_sha256_ctx hash;
    for (int i = 0; i < 64; i++) padded[i] = block[i] ^ pad;
    kf_sha256_init(&hash);
    kf_sha256_update(&hash, padded, sizeof padded);
    memcpy(state, hash.state, sizeof hash.state);
    kf_wipe(&hash, sizeof hash);
    kf_wipe(padded, sizeof padded);
}

void kf_hmac_key_init(kf_hmac_key *key, const uint8_t *key_bytes, size_t key_len) {
    uint8_t block[64] = {0};
    if (key_len > sizeof block) {
        kf_sha256_ctx hash;
        kf_sha256_init(&hash);
        kf_sha256_update(&hash, key_bytes, key_len);
        kf_sha256_final(&hash, block);
    } else if (key_len) {
        memcpy(block, key_bytes, key_len);
    }
    pad_state(key->inner, block, 0x36);
    pad_state(key->outer, block, 0x5c);
    kf_wipe(block, sizeof block);
}

static void resume(kf_sha256_ctx *hash, const uint32_t state[8]) {
    memcpy(hash->state, state, sizeof hash->state);
    hash->len = 64;
}

void kf_hmac(const kf_hmac_key *key, uint8_t out[32], const uint8_t *msg, size_t msg_len) {
    uint8_t inner[32];
    kf_sha256_ctx hash;
    resume(&hash, key->inner);
    kf_sha256_update(&hash, msg, msg_len);
    kf_sha256_final(&hash, inner);
    resume(&hash, key->outer);
    kf_sha256_update(&hash, inner, sizeof inner);
    kf_sha256_final(&hash, out);
    kf_wipe(inner, sizeof inner);
}
