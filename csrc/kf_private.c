/*
 * Private keys of the types that the Python layer serves, at rest: DER PrivateKeyInfo (RFC 5958), wrapped by the
 * store key. The one kind of material that leaves C: the algorithm in its associated data is KF_ALGORITHM_PKCS8, so
 * that the material of AES, HMAC and P-256 keys, wrapped for theirs, does not unwrap here.
 */
#include "kf_material.h"

static kf_material_id private_id(const uint8_t *key_id, uint32_t version, uint8_t flags) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_PKCS8};
    return id;
}

int kf_private_wrap(uint8_t *wrapped, uint64_t store, const uint8_t *key_id, uint32_t version, uint8_t flags,
                    const uint8_t *der, size_t der_len) {
    const kf_material_id id = private_id(key_id, version, flags);
    if (der_len == 0 || der_len > KF_PRIVATE_MAX) return KF_ERR_ARGUMENT;
    return kf_material_wrap(wrapped, store, &id, der, der_len);
}

int kf_private_unwrap(uint8_t *der, uint64_t store, const uint8_t *wrapped, size_t wrapped_len, const uint8_t *key_id,
                      uint32_t version, uint8_t flags) {
    const kf_material_id id = private_id(key_id, version, flags);
    if (wrapped_len <= KF_WRAP_OVERHEAD || wrapped_len > KF_PRIVATE_MAX + KF_WRAP_OVERHEAD) return KF_ERR_ARGUMENT;
    return kf_material_unwrap(der, wrapped_len - KF_WRAP_OVERHEAD, store, &id, wrapped);
}
