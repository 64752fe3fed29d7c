/* See kf_p256_nonce.h. */
#include "kf_p256_nonce.h"

#include "kf_p256_words.h"

enum { WIDE_LEN = 48, HEDGED_LEN = 1 + KF_P256_ENTROPY_LEN + 32 };

void kf_p256_nonce_hedged(kf_p256_scalar *k, const kf_hmac_key *key, const uint8_t entropy[KF_P256_ENTROPY_LEN],
                          const uint8_t digest[32]) {
    uint8_t msg[HEDGED_LEN], wide[64];
    memcpy(msg + 1, entropy, KF_P256_ENTROPY_LEN);
    memcpy(msg + 1 + KF_P256_ENTROPY_LEN, digest, 32);
    for (uint8_t counter = 0; counter < 2; counter++) {
        msg[0] = counter;
        kf_hmac(key, wide + 32 * counter, msg, sizeof msg);
    }
    kf_scalar_from_wide(k, wide);
    kf_wipe(msg, sizeof msg), kf_wipe(wide, sizeof wide);
}

/* K = HMAC(K, V || separator || tail), V = HMAC(K, V) */
static void update(uint8_t key[32], uint8_t v[32], uint8_t separator, const uint8_t *tail, size_t tail_len) {
    uint8_t msg[32 + 1 + 64];
    kf_hmac_key hmac;
    memcpy(msg, v, 32), msg[32] = separator;
    if (tail_len) memcpy(msg + 33, tail, tail_len);
    kf_hmac_key_init(&hmac, key, 32);
    kf_hmac(&hmac, key, msg, 33 + tail_len);
    kf_hmac_key_init(&hmac, key, 32);
    kf_hmac(&hmac, v, v, 32);
    kf_wipe(msg, sizeof msg), kf_wipe(&hmac, sizeof hmac);
}

/* The next candidate (3.2 h 2): 1 when it is from 1 to n - 1. */
static uint64_t candidate(kf_p256_scalar *k, const uint8_t key[32], uint8_t v[32]) {
    kf_hmac_key hmac;
    kf_hmac_key_init(&hmac, key, 32);
    kf_hmac(&hmac, v, v, 32);
    kf_wipe(&hmac, sizeof hmac);
    kf_words_from_be(k->v, v);
    uint64_t good = kf_words_less(k->v, kf_p256_n.v) & (1 ^ kf_words_zero(k->v));
    KF_DECLASSIFY(&good, sizeof good); /* says of a candidate that was dropped only that it was 0 or above n */
    return good;
}

void kf_p256_nonce_rfc6979(kf_p256_scalar *k, const kf_p256_scalar *d, const uint8_t digest[32], int skip) {
    uint8_t key[32] = {0}, v[32], tail[64];
    kf_p256_scalar z;
    memset(v, 1, sizeof v);
    kf_words_from_be(z.v, digest);
    kf_scalar_reduce(&z, z.v); /* 2.3.4, bits2octets */
    kf_words_to_be(tail, d->v), kf_words_to_be(tail + 32, z.v);
    update(key, v, 0, tail, sizeof tail);
    update(key, v, 1, tail, sizeof tail);
    while (!candidate(k, key, v) || skip-- > 0) update(key, v, 0, NULL, 0);
    kf_wipe(key, sizeof key), kf_wipe(v, sizeof v), kf_wipe(tail, sizeof tail);
}
