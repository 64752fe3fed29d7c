/* See kf_material.h. */
#include "kf_material.h"

#include <string.h>

#include "kf_arena.h"
#include "kf_blob.h"
#include "kf_sha256.h"
#include "kf_util.h"
#include "kf_wrap.h"

enum { LABEL_LEN = 12, AAD_LEN = LABEL_LEN + 2 + KF_KEY_ID_LEN + 4 };

/* "key material" || algorithm || flags || key id || version */
static void associated_data(uint8_t aad[AAD_LEN], const kf_material_id *id) {
    memcpy(aad, "key material", LABEL_LEN);
    aad[LABEL_LEN] = id->algorithm, aad[LABEL_LEN + 1] = id->flags;
    memcpy(aad + LABEL_LEN + 2, id->key_id, KF_KEY_ID_LEN);
    kf_store32_be(aad + LABEL_LEN + 2 + KF_KEY_ID_LEN, id->version);
}

/* The store's slot, pinned, when the id is well formed. */
static int pin_store(void **body, uint64_t store, const kf_material_id *id) {
    const int status = kf_init();
    if (status != KF_OK) return status;
    return id->flags & ~KF_FLAG_MULTI_REGION ? KF_ERR_ARGUMENT : kf_slot_pin(body, store, KF_KIND_STORE);
}

int kf_material_wrap(uint8_t *wrapped, uint64_t store, const kf_material_id *id, const uint8_t *material,
                     size_t material_len) {
    uint8_t aad[AAD_LEN];
    void *body;
    int status = pin_store(&body, store, id);
    if (status != KF_OK) return status;
    associated_data(aad, id);
    status = kf_wrap(&((const kf_store_slot *)body)->wrap, wrapped, material, material_len, aad, sizeof aad);
    kf_slot_unpin(store);
    return status;
}

int kf_material_unwrap(uint8_t *material, size_t material_len, uint64_t store, const kf_material_id *id,
                       const uint8_t *wrapped) {
    uint8_t aad[AAD_LEN];
    void *body;
    int status = pin_store(&body, store, id);
    if (status != KF_OK) return status;
    associated_data(aad, id);
    status = kf_unwrap(&((const kf_store_slot *)body)->wrap, material, material_len, wrapped, aad, sizeof aad);
    kf_slot_unpin(store);
    return status;
}

enum { NAME_LABEL_LEN = 15, NAME_LEN = NAME_LABEL_LEN + KF_KEY_ID_LEN + KF_DIGEST_LEN };

/* HMAC of "key material id" || key id || SHA-256 of the material. What rows have MACs over, under the same subkey,
 * begins otherwise (docs/store.md). */
int kf_material_name(uint8_t *name, uint64_t store, const uint8_t *key_id, const uint8_t *material,
                     size_t material_len) {
    uint8_t msg[NAME_LEN];
    kf_sha256_ctx hash;
    int status = kf_init();
    if (status != KF_OK) return status;
    memcpy(msg, "key material id", NAME_LABEL_LEN);
    memcpy(msg + NAME_LABEL_LEN, key_id, KF_KEY_ID_LEN);
    kf_sha256_init(&hash);
    kf_sha256_update(&hash, material, material_len);
    kf_sha256_final(&hash, msg + NAME_LABEL_LEN + KF_KEY_ID_LEN);
    status = kf_store_mac(store, name, msg, sizeof msg);
    kf_wipe(msg, sizeof msg);
    if (status == KF_OK) KF_DECLASSIFY(name, KF_DIGEST_LEN); /* it is shown to the key's users */
    return status;
}
