/*
 * Store keys: one per store, wrapped by the root key and bound to the store's id. In the arena a store key
 * exists only as its two subkeys: one wraps key material, one authenticates the store's rows.
 */
#include <string.h>

#include "kf.h"
#include "kf_arena.h"
#include "kf_rng.h"
#include "kf_util.h"
#include "kf_wrap.h"

enum { ID_LEN = 16, STORE_KEY_LEN = 32, LABEL_LEN = 9, AAD_LEN = LABEL_LEN + ID_LEN };

/* 32 bytes by HKDF under the label, for one store. */
static void derive(uint8_t out[32], const char *label, const uint8_t *from, const uint8_t *store_id) {
    kf_hkdf(out, 32, (const uint8_t *)label, strlen(label), from, STORE_KEY_LEN, store_id, ID_LEN);
}

/* The root's subkey that wraps this store's key. */
static int root_wrap_key(kf_xaes_key *key, uint64_t root, const uint8_t *store_id) {
    uint8_t bytes[32];
    void *body;
    const int status = kf_slot_pin(&body, root, KF_KIND_ROOT);
    if (status != KF_OK) return status;
    derive(bytes, "kmsfast root wrap v1", ((const kf_root_slot *)body)->material, store_id);
    kf_slot_unpin(root);
    kf_xaes_key_init(kf_aead, key, bytes);
    kf_wipe(bytes, sizeof bytes);
    return KF_OK;
}

static void associated_data(uint8_t aad[AAD_LEN], const uint8_t *store_id) {
    memcpy(aad, "store key", LABEL_LEN);
    memcpy(aad + LABEL_LEN, store_id, ID_LEN);
}

/* A slot with the subkeys of store_key. */
static int new_slot(uint64_t *store, const uint8_t store_key[STORE_KEY_LEN], const uint8_t *store_id) {
    uint8_t bytes[32];
    void *body;
    const int status = kf_slot_new(store, &body, KF_KIND_STORE);
    if (status != KF_OK) return status;
    kf_store_slot *slot = body;
    derive(bytes, "kmsfast store wrap v1", store_key, store_id);
    kf_xaes_key_init(kf_aead, &slot->wrap, bytes);
    derive(bytes, "kmsfast store mac v1", store_key, store_id);
    kf_hmac_key_init(&slot->mac, bytes, sizeof bytes);
    kf_wipe(bytes, sizeof bytes);
    kf_slot_unpin(*store);
    return KF_OK;
}

static int wrap(uint8_t *wrapped, uint64_t root, const uint8_t store_key[STORE_KEY_LEN], const uint8_t *store_id) {
    uint8_t aad[AAD_LEN];
    kf_xaes_key key;
    int status = root_wrap_key(&key, root, store_id);
    associated_data(aad, store_id);
    if (status == KF_OK) status = kf_wrap(&key, wrapped, store_key, STORE_KEY_LEN, aad, sizeof aad);
    kf_wipe(&key, sizeof key);
    return status;
}

static int unwrap(uint8_t store_key[STORE_KEY_LEN], uint64_t root, const uint8_t *wrapped, const uint8_t *store_id) {
    uint8_t aad[AAD_LEN];
    kf_xaes_key key;
    int status = root_wrap_key(&key, root, store_id);
    associated_data(aad, store_id);
    if (status == KF_OK) status = kf_unwrap(&key, store_key, STORE_KEY_LEN, wrapped, aad, sizeof aad);
    kf_wipe(&key, sizeof key);
    return status;
}

int kf_store_create(uint64_t *store, uint8_t *wrapped, uint64_t root, const uint8_t *store_id) {
    uint8_t store_key[STORE_KEY_LEN];
    int status = kf_init();
    if (status == KF_OK) status = kf_random(store_key, sizeof store_key);
    if (status == KF_OK) status = wrap(wrapped, root, store_key, store_id);
    if (status == KF_OK) status = new_slot(store, store_key, store_id);
    kf_wipe(store_key, sizeof store_key);
    return status;
}

int kf_store_load(uint64_t *store, uint64_t root, const uint8_t *wrapped, const uint8_t *store_id) {
    uint8_t store_key[STORE_KEY_LEN];
    int status = kf_init();
    if (status == KF_OK) status = unwrap(store_key, root, wrapped, store_id);
    if (status == KF_OK) status = new_slot(store, store_key, store_id);
    kf_wipe(store_key, sizeof store_key);
    return status;
}

int kf_store_rewrap(uint8_t *new_wrapped, uint64_t new_root, uint64_t old_root, const uint8_t *wrapped,
                    const uint8_t *store_id) {
    uint8_t store_key[STORE_KEY_LEN];
    int status = kf_init();
    if (status == KF_OK) status = unwrap(store_key, old_root, wrapped, store_id);
    if (status == KF_OK) status = wrap(new_wrapped, new_root, store_key, store_id);
    kf_wipe(store_key, sizeof store_key);
    return status;
}

/* ---- row authentication ------------------------------------------------------------------------ */

int kf_store_mac(uint64_t store, uint8_t *mac, const uint8_t *msg, size_t msg_len) {
    void *body;
    int status = kf_init();
    if (status == KF_OK) status = kf_slot_pin(&body, store, KF_KIND_STORE);
    if (status != KF_OK) return status;
    kf_hmac(&((const kf_store_slot *)body)->mac, mac, msg, msg_len);
    kf_slot_unpin(store);
    return KF_OK;
}

int kf_store_mac_check(uint64_t store, const uint8_t *mac, const uint8_t *msg, size_t msg_len) {
    uint8_t expected[32];
    const int status = kf_store_mac(store, expected, msg, msg_len);
    if (status != KF_OK) return status;
    int equal = kf_equal(expected, mac, sizeof expected);
    KF_DECLASSIFY(&equal, sizeof equal); /* whether a row is authentic is the result */
    kf_wipe(expected, sizeof expected);
    return equal ? KF_OK : KF_ERR_AUTH;
}
