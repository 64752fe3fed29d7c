/* HKDF-SHA-256 (RFC 5869). Lengths and infos are public and bounded by the callers. */
#include "kf_sha256.h"
#include "kf_util.h"

enum { MAX_INFO = 128 };

void kf_hkdf(uint8_t *out, size_t out_len, const uint8_t *salt, size_t salt_len, const uint8_t *ikm,
             size_t ikm_len, const uint8_t *info, size_t info_len) {
    uint8_t prk[32], input[32 + MAX_INFO + 1], block[32];
    kf_hmac_key key;
    size_t held = 0; /* bytes of T(i - 1) that T(i) takes in: none for the first */
    kf_hmac_key_init(&key, salt, salt_len);
    kf_hmac(&key, prk, ikm, ikm_len); /* 2.2, extract */
    kf_hmac_key_init(&key, prk, sizeof prk);
    for (uint8_t i = 1; out_len > 0; i++) { /* 2.3, expand */
        const size_t take = out_len < sizeof block ? out_len : sizeof block;
        memcpy(input, block, held);
        if (info_len) memcpy(input + held, info, info_len);
        input[held + info_len] = i;
        kf_hmac(&key, block, input, held + info_len + 1);
        memcpy(out, block, take);
        out += take, out_len -= take, held = sizeof block;
    }
    kf_wipe(&key, sizeof key);
    kf_wipe(prk, sizeof prk);
    kf_wipe(input, sizeof input);
    kf_wipe(block, sizeof block);
}
