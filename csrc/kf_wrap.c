/* See kf_wrap.h. */
#include "kf_wrap.h"

#include "kf_rng.h"

int kf_wrap(const kf_xaes_key *key, uint8_t *wrapped, const uint8_t *material, size_t len, const uint8_t *aad,
            size_t aad_len) {
    const kf_rec rec = {.in = material, .out = wrapped + KF_NONCE_LEN, .aad = aad, .len = len, .aad_len = aad_len};
    const int status = kf_random(wrapped, KF_NONCE_LEN);
    if (status == KF_OK) kf_aead->xaes_seal(key, NULL, wrapped, &rec, 1);
    return status;
}

int kf_unwrap(const kf_xaes_key *key, uint8_t *material, size_t len, const uint8_t *wrapped, const uint8_t *aad,
              size_t aad_len) {
    const kf_rec rec = {.in = wrapped + KF_NONCE_LEN, .out = material, .aad = aad, .len = len, .aad_len = aad_len};
    uint8_t ok;
    return kf_aead->xaes_open(key, &ok, NULL, wrapped, &rec, 1) ? KF_ERR_AUTH : KF_OK;
}
