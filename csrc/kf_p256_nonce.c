/* See kf_p256_nonce.h. */
#include "kf_p256_nonce.h"

#include "kf_hmac_many.h"
#include "kf_p256_words.h"

enum { DIGEST_LEN = 32, HEDGED_LEN = 1 + KF_P256_ENTROPY_LEN + DIGEST_LEN, AT_ONCE = 16 };

/* The messages of up to AT_ONCE nonces, two for each. */
static void make_some(kf_p256_scalar *k, const kf_hmac_key *key, const uint8_t *entropy,
                      const struct kf_column *digests, int64_t first, int num) {
    uint8_t msgs[2 * AT_ONCE][HEDGED_LEN], macs[2 * AT_ONCE][32];
    for (int i = 0; i < 2 * num; i++) {
        msgs[i][0] = (uint8_t)(i % 2); /* the counter */
        memcpy(msgs[i] + 1, entropy + i / 2 * KF_P256_ENTROPY_LEN, KF_P256_ENTROPY_LEN);
        memcpy(msgs[i] + 1 + KF_P256_ENTROPY_LEN, kf_column_at(digests, first + i / 2).at, DIGEST_LEN);
    }
    kf_hmac_many(key, macs[0], msgs[0], HEDGED_LEN, 2 * (size_t)num);
    for (int i = 0; i < num; i++) kf_scalar_from_wide(&k[i], macs[2 * i]); /* and the first half of the next */
    kf_wipe(msgs, 2 * (size_t)num * sizeof msgs[0]), kf_wipe(macs, 2 * (size_t)num * sizeof macs[0]);
}

void kf_p256_nonces_hedged(kf_p256_scalar *k, const kf_hmac_key *key, const uint8_t *entropy,
                           const struct kf_column *digests, int64_t first, int num) {
    for (int at = 0; at < num; at += AT_ONCE)
        make_some(k + at, key, entropy + at * KF_P256_ENTROPY_LEN, digests, first + at,
                  num - at < AT_ONCE ? num - at : AT_ONCE);
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
