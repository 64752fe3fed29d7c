/*
 * P-256 keys: made, imported, loaded into the arena; public keys checked; key agreement.
 * Rules: the private scalar is in the arena or on the stack of these functions, which wipe it; a public key is released
 * when a second computation agrees with it.
 */
#include "kf.h"
#include "kf_arena.h"
#include "kf_material.h"
#include "kf_p256_check.h"
#include "kf_p256_ecdsa.h"
#include "kf_p256_words.h"
#include "kf_rng.h"
#include "kf_util.h"

enum { SCALAR_LEN = 32, PUBLIC_LEN = 64, WIDE_LEN = 48, INFO_LEN = 2 + KF_KEY_ID_LEN + 4 };

/* x || y of d G. The bytes are made first, and what is checked is the point that they say: a fault in making them is
 * found as one in the multiplication is. KF_ERR_FAULT, and zeros, when they are not d G by another way to it. */
static int public_key_of(uint8_t public_key[PUBLIC_LEN], const kf_p256_scalar *d) {
    const kf_p256_impl *impl = kf_p256();
    kf_p256_point q;
    kf_p256_fe x, y;
    impl->arith->base_mul(&q, d);
    KF_DECLASSIFY(&q, sizeof q); /* the public key */
    impl->arith->fe_mul(&x, &q.x, &kf_p256_raw_one), kf_words_to_be(public_key, x.v);
    impl->arith->fe_mul(&y, &q.y, &kf_p256_raw_one), kf_words_to_be(public_key + 32, y.v);
    if (kf_p256_public_read(&q, impl, public_key) == KF_OK && kf_p256_check_multiple(impl, &q, d)) return KF_OK;
    memset(public_key, 0, PUBLIC_LEN);
    return KF_ERR_FAULT;
}

/* d from its bytes; KF_ERR_ARGUMENT unless it is from 1 to n - 1. */
static int read_private(kf_p256_scalar *d, const uint8_t bytes[SCALAR_LEN]) {
    kf_words_from_be(d->v, bytes);
    uint64_t good = kf_words_less(d->v, kf_p256_n.v) & (1 ^ kf_words_zero(d->v));
    KF_DECLASSIFY(&good, sizeof good); /* the caller is told, and of good keys it is always 1 */
    return good ? KF_OK : KF_ERR_ARGUMENT;
}

static int wrap(uint8_t *wrapped, uint8_t *public_key, uint64_t store, const kf_material_id *id,
                const kf_p256_scalar *d) {
    uint8_t bytes[SCALAR_LEN], made[PUBLIC_LEN];
    int status = public_key_of(made, d);
    kf_words_to_be(bytes, d->v);
    if (status == KF_OK) status = kf_material_wrap(wrapped, store, id, bytes, sizeof bytes);
    if (status == KF_OK) memcpy(public_key, made, sizeof made);
    kf_wipe(bytes, sizeof bytes);
    return status;
}

/* FIPS 186-5 A.2.1, with 128 extra random bits. */
int kf_p256_generate(uint8_t *wrapped, uint8_t *public_key, uint64_t store, const uint8_t *key_id, uint32_t version,
                     uint8_t flags) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_P256};
    uint8_t wide[WIDE_LEN];
    kf_p256_scalar d;
    int status = kf_p256_ready();
    if (status == KF_OK) status = kf_random(wide, sizeof wide);
    if (status != KF_OK) return status;
    kf_scalar_from_wide(&d, wide);
    status = wrap(wrapped, public_key, store, &id, &d);
    kf_wipe(wide, sizeof wide), kf_wipe(&d, sizeof d);
    kf_wipe_below();
    return status;
}

int kf_p256_import(uint8_t *wrapped, uint8_t *public_key, uint64_t store, const uint8_t *scalar, const uint8_t *key_id,
                   uint32_t version, uint8_t flags) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_P256};
    kf_p256_scalar d;
    int status = kf_p256_ready();
    if (status == KF_OK) status = read_private(&d, scalar);
    if (status == KF_OK) status = wrap(wrapped, public_key, store, &id, &d);
    kf_wipe(&d, sizeof d);
    kf_wipe_below();
    return status;
}

/* The key of hedged nonces; info is algorithm || flags || key id || version. */
static void derive_nonce_key(kf_hmac_key *key, const uint8_t material[SCALAR_LEN], const kf_material_id *id) {
    static const char label[] = "kmsfast ECDSA nonce v1";
    uint8_t info[INFO_LEN], bytes[32];
    info[0] = id->algorithm, info[1] = id->flags;
    memcpy(info + 2, id->key_id, KF_KEY_ID_LEN);
    kf_store32_be(info + 2 + KF_KEY_ID_LEN, id->version);
    kf_hkdf(bytes, sizeof bytes, (const uint8_t *)label, sizeof label - 1, material, SCALAR_LEN, info, sizeof info);
    kf_hmac_key_init(key, bytes, sizeof bytes);
    kf_wipe(bytes, sizeof bytes);
}

static int fill_slot(kf_p256_slot *slot, uint8_t *public_key, const uint8_t material[SCALAR_LEN],
                     const kf_material_id *id) {
    int status = read_private(&slot->d, material);
    if (status == KF_OK) status = public_key_of(slot->public_key, &slot->d);
    if (status != KF_OK) return status == KF_ERR_ARGUMENT ? KF_ERR_FORMAT : status;
    kf_p256()->arith->scalar_mul(&slot->d_mont, &slot->d, &kf_p256_n_r2);
    derive_nonce_key(&slot->nonce, material, id);
    memcpy(public_key, slot->public_key, sizeof slot->public_key);
    return KF_OK;
}

int kf_p256_load(uint64_t *key, uint8_t *public_key, uint64_t store, const uint8_t *wrapped, const uint8_t *key_id,
                 uint32_t version, uint8_t flags) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_P256};
    uint8_t material[SCALAR_LEN];
    uint64_t handle;
    void *slot;
    int status = kf_p256_ready();
    if (status == KF_OK) status = kf_material_unwrap(material, sizeof material, store, &id, wrapped);
    if (status == KF_OK) status = kf_slot_new(&handle, &slot, KF_KIND_P256);
    if (status == KF_OK) {
        status = fill_slot(slot, public_key, material, &id);
        kf_slot_unpin(handle);
        if (status == KF_OK)
            *key = handle;
        else
            kf_key_release(handle);
    }
    kf_wipe(material, sizeof material);
    kf_wipe_below();
    return status;
}

/* SP 800-56A 5.7.1.2; the cofactor is 1. */
int kf_p256_ecdh(uint64_t key, uint8_t *shared, const uint8_t *public_key) {
    kf_p256_point q, product;
    kf_p256_fe plain;
    void *slot;
    int status = kf_init();
    if (status == KF_OK) status = kf_p256_public_read(&q, kf_p256(), public_key);
    if (status == KF_OK) status = kf_slot_pin(&slot, key, KF_KIND_P256);
    if (status != KF_OK) return status;
    const kf_p256_arith *arith = kf_p256()->arith;
    arith->point_mul(&product, &((const kf_p256_slot *)slot)->d, &q);
    kf_slot_unpin(key);
    arith->fe_mul(&plain, &product.x, &kf_p256_raw_one);
    kf_words_to_be(shared, plain.v);
    kf_wipe(&product, sizeof product), kf_wipe(&plain, sizeof plain);
    kf_wipe_below();
    return KF_OK;
}
