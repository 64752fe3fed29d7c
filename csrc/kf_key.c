/*
 * Versions of a key: 32 bytes of material, wrapped by the store key. The material is never used itself:
 * loading derives the suite's subkey and the key commitment from it, and wipes it.
 */
#include <string.h>

#include "kf_blob.h"
#include "kf_material.h"
#include "kf_rng.h"
#include "kf_util.h"

enum { MATERIAL_LEN = 32, INFO_LEN = 2 + KF_KEY_ID_LEN + 4 };

static void write_header(uint8_t header[KF_HEADER_LEN], const uint8_t *key_id, uint32_t version, uint8_t flags) {
    header[0] = KF_BLOB_MAGIC, header[1] = KF_BLOB_VERSION, header[2] = KF_SUITE_BLOB, header[3] = flags;
    memcpy(header + 4, key_id, KF_KEY_ID_LEN);
    kf_store32_be(header + 4 + KF_KEY_ID_LEN, version);
}

/* The subkey and the commitment; info is suite || flags || key id || version: the header from its suite on. */
static void derive(kf_key_slot *slot, const uint8_t material[MATERIAL_LEN]) {
    static const char encryption[] = "kmsfast XAES-256-GCM v1", commitment[] = "kmsfast key commitment v1";
    const uint8_t *info = slot->prefix + 2;
    uint8_t subkey[32];
    kf_hkdf(subkey, sizeof subkey, (const uint8_t *)encryption, sizeof encryption - 1, material, MATERIAL_LEN, info,
            INFO_LEN);
    kf_xaes_key_init(kf_aead, &slot->xaes, subkey);
    kf_hkdf(slot->prefix + KF_HEADER_LEN, KF_COMMITMENT_LEN, (const uint8_t *)commitment, sizeof commitment - 1,
            material, MATERIAL_LEN, info, INFO_LEN);
    KF_DECLASSIFY(slot->prefix + KF_HEADER_LEN, KF_COMMITMENT_LEN); /* it stands at the start of every blob */
    kf_wipe(subkey, sizeof subkey);
}

int kf_key_generate(uint8_t *wrapped, uint64_t store, const uint8_t *key_id, uint32_t version, uint8_t flags) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_AES256};
    uint8_t material[MATERIAL_LEN];
    int status = kf_init();
    if (status == KF_OK) status = kf_random(material, sizeof material);
    if (status == KF_OK) status = kf_material_wrap(wrapped, store, &id, material, sizeof material);
    kf_wipe(material, sizeof material);
    return status;
}

int kf_key_import(uint8_t *wrapped, uint64_t store, const uint8_t *key_id, uint32_t version, uint8_t flags,
                  const uint8_t *material) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_AES256};
    return kf_material_wrap(wrapped, store, &id, material, MATERIAL_LEN);
}

int kf_key_load(uint64_t *key, uint64_t store, const uint8_t *wrapped, const uint8_t *key_id, uint32_t version,
                uint8_t flags) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_AES256};
    uint8_t material[MATERIAL_LEN];
    void *body;
    int status = kf_material_unwrap(material, sizeof material, store, &id, wrapped);
    if (status == KF_OK) status = kf_slot_new(key, &body, KF_KIND_KEY);
    if (status == KF_OK) {
        write_header(((kf_key_slot *)body)->prefix, key_id, version, flags);
        derive(body, material);
        kf_slot_unpin(*key);
    }
    kf_wipe(material, sizeof material);
    return status;
}

int kf_key_prefix(uint64_t key, uint8_t *prefix) {
    void *body;
    int status = kf_init();
    if (status == KF_OK) status = kf_slot_pin(&body, key, KF_KIND_KEY);
    if (status != KF_OK) return status;
    memcpy(prefix, ((const kf_key_slot *)body)->prefix, KF_PREFIX_LEN);
    kf_slot_unpin(key);
    return KF_OK;
}
