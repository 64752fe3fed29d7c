/*
 * Whether a request carries the signature that its key makes of it (AWS Signature Version 4; source: IAM User Guide,
 * "Create a signed AWS API request", tasks 2 to 5). What a request says and how it is made canonical is the caller's;
 * here are the hashes and the comparison, the same work whatever the signature is. Keys and signatures are secret,
 * requests are not.
 */
#include "kf.h"
#include "kf_sha256.h"
#include "kf_util.h"

enum { HASH_LEN = 32, HEX_LEN = 2 * HASH_LEN, MOST_SCOPE = 256 };

/* In lower case, without a table: the digits of a signature are secret until it has been compared. */
static void put_hex(uint8_t out[HEX_LEN], const uint8_t in[HASH_LEN]) {
    for (size_t i = 0; i < HEX_LEN; i++) {
        const uint32_t digit = i & 1 ? in[i / 2] & 15U : in[i / 2] >> 4;
        out[i] = (uint8_t)(digit + '0' + ((9U - digit) >> 8 & ('a' - '0' - 10U)));
    }
}

/* The canonical request ends with the hash of the body; out is the hash of all of it. */
static void hash_request(uint8_t out[HEX_LEN], const uint8_t *head, size_t head_len, const uint8_t *body,
                         size_t body_len) {
    uint8_t hash[HASH_LEN], text[HEX_LEN];
    kf_sha256_ctx ctx;
    kf_sha256_init(&ctx);
    kf_sha256_update(&ctx, body, body_len);
    kf_sha256_final(&ctx, hash);
    put_hex(text, hash);
    kf_sha256_init(&ctx);
    kf_sha256_update(&ctx, head, head_len);
    kf_sha256_update(&ctx, text, HEX_LEN);
    kf_sha256_final(&ctx, hash);
    put_hex(out, hash);
}

int kf_sigv4_check(const uint8_t *key32, const uint8_t *scope, size_t scope_len, const uint8_t *head, size_t head_len,
                   const uint8_t *body, size_t body_len, const uint8_t *signature64) {
    uint8_t text[MOST_SCOPE + HEX_LEN], mac[HASH_LEN], right[HEX_LEN];
    kf_hmac_key key;
    const int status = kf_init();
    if (status != KF_OK) return status;
    if (scope_len > MOST_SCOPE) return KF_ERR_ARGUMENT;
    memcpy(text, scope, scope_len);
    hash_request(text + scope_len, head, head_len, body, body_len);
    kf_hmac_key_init(&key, key32, HASH_LEN);
    kf_hmac(&key, mac, text, scope_len + HEX_LEN);
    put_hex(right, mac);
    int same = kf_equal(right, signature64, HEX_LEN);
    KF_DECLASSIFY(&same, sizeof same); /* whoever sent the request is told */
    kf_wipe(&key, sizeof key);
    kf_wipe(mac, sizeof mac);
    kf_wipe(right, sizeof right);
    kf_wipe_below();
    return same ? KF_OK : KF_ERR_AUTH;
}
