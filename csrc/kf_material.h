/*
 * Key material as the store keeps it: wrapped by the store key, bound to the key version that it belongs to
 * and to what it is, so that no material can be loaded as another key's or as another kind.
 */
#ifndef KF_MATERIAL_H
#define KF_MATERIAL_H

#include "kf.h"

/* What wrapped material is for; it is part of the associated data. */
enum kf_algorithm {
    KF_ALGORITHM_AES256 = 1,  /* 32 bytes */
    KF_ALGORITHM_HMAC = 2,    /* the key of an HMAC: 28, 32, 48 or 64 bytes, as its hash's digest */
    KF_ALGORITHM_P256 = 3,    /* a private scalar, 32 bytes, big-endian */
    KF_ALGORITHM_PKCS8 = 4    /* a DER PrivateKeyInfo, for the key types that the Python layer serves */
};

enum {
    KF_WRAP_OVERHEAD = 40,
    KF_KEY_ID_LEN = 16,
    KF_PRIVATE_MAX = 8192 /* bytes of a DER PrivateKeyInfo; that of RSA-4096 has less than 2,400 */
};

typedef struct {
    const uint8_t *key_id;  /* 16 bytes */
    uint32_t version;
    uint8_t flags;
    uint8_t algorithm;
} kf_material_id;

/* wrapped: material_len + KF_WRAP_OVERHEAD bytes. */
int kf_material_wrap(uint8_t *wrapped, uint64_t store, const kf_material_id *id, const uint8_t *material,
                     size_t material_len);
/* KF_ERR_AUTH: not the material of this id; material is zeroed then. */
int kf_material_unwrap(uint8_t *material, size_t material_len, uint64_t store, const kf_material_id *id,
                       const uint8_t *wrapped);

#endif
