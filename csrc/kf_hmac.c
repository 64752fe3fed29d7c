/*
 * HMAC (FIPS 198-1). A key is kept as the two states after its padded blocks, the inner one first, so that a MAC costs
 * no more than the blocks of its message and two halves.
 */
#include "kf_hmac.h"

#include "kf_cpu.h"
#include "kf_util.h"

/* The state after the key xor pad. */
static void pad_state(const kf_hash *hash, void *state, const uint8_t *block, uint8_t pad) {
    uint8_t padded[KF_HASH_MAX_BLOCK];
    kf_hash_ctx ctx;
    for (size_t i = 0; i < hash->block_len; i++) padded[i] = block[i] ^ pad;
    hash->init(&ctx);
    hash->update(&ctx, padded, hash->block_len);
    memcpy(state, &ctx, hash->state_len);
    kf_wipe(&ctx, sizeof ctx);
    kf_wipe(padded, sizeof padded);
}

static void key_init(const kf_hash *hash, uint8_t *states, const uint8_t *key_bytes, size_t key_len) {
    uint8_t block[KF_HASH_MAX_BLOCK] = {0};
    kf_hash_ctx ctx;
    if (key_len > hash->block_len) {
        hash->init(&ctx);
        hash->update(&ctx, key_bytes, key_len);
        hash->final(&ctx, block);
    } else if (key_len) {
        memcpy(block, key_bytes, key_len);
    }
    pad_state(hash, states, block, 0x36);
    pad_state(hash, states + hash->state_len, block, 0x5c);
    kf_wipe(block, sizeof block);
    kf_wipe_below(); /* here too with the SHA extensions: the states have just been computed */
}

/* The portable compression functions put words of a state aside; with the SHA extensions all stays in registers. */
static int leaves_words(const kf_hash *hash) { return hash->block_len != 64 || !(kf_cpu() & KF_CPU_SHANI); }

static void mac(const kf_hash *hash, const uint8_t *states, uint8_t *out, const uint8_t *msg, size_t msg_len) {
    uint8_t inner[KF_HASH_MAX_DIGEST];
    kf_hash_ctx ctx;
    hash->resume(&ctx, states);
    hash->update(&ctx, msg, msg_len);
    hash->final(&ctx, inner);
    hash->resume(&ctx, states + hash->state_len);
    hash->update(&ctx, inner, hash->digest_len);
    hash->final(&ctx, out);
    kf_wipe(inner, sizeof inner);
    if (leaves_words(hash)) kf_wipe_below();
}

void kf_hmac_any_key_init(kf_hmac_any_key *key, const kf_hash *hash, const uint8_t *key_bytes, size_t key_len) {
    key->hash = hash;
    key_init(hash, (uint8_t *)&key->states, key_bytes, key_len);
}

void kf_hmac_any(const kf_hmac_any_key *key, uint8_t *out, const uint8_t *msg, size_t msg_len) {
    mac(key->hash, (const uint8_t *)&key->states, out, msg, msg_len);
}

/* ---- SHA-256 (kf_sha256.h) --------------------------------------------------------------------- */

void kf_hmac_key_init(kf_hmac_key *key, const uint8_t *key_bytes, size_t key_len) {
    key_init(&kf_hash_sha256, (uint8_t *)key, key_bytes, key_len);
}

void kf_hmac(const kf_hmac_key *key, uint8_t out[32], const uint8_t *msg, size_t msg_len) {
    mac(&kf_hash_sha256, (const uint8_t *)key, out, msg, msg_len);
}
