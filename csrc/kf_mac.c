/*
 * MAC keys: HMAC under a SHA-2 hash of 224 to 512 bits. Their material is as long as the hash's digest, so that wrapped
 * material of one hash does not unwrap as another's. In the arena a key is the two states after its padded blocks.
 */
#include <string.h>

#include "kf.h"
#include "kf_arena.h"
#include "kf_column.h"
#include "kf_hmac_many.h"
#include "kf_material.h"
#include "kf_metrics.h"
#include "kf_rng.h"
#include "kf_threads.h"
#include "kf_util.h"

enum { WINDOW = 256, GRAIN = 8 * WINDOW, LANES_BITS = 256 /* of the hash that has lanes */ };

/* ---- keys ---------------------------------------------------------------------------------------- */

static int hash_of(const kf_hash **hash, int bits) {
    const int status = kf_init();
    if (status != KF_OK) return status;
    *hash = kf_hash_of(bits);
    return *hash ? KF_OK : KF_ERR_ARGUMENT;
}

int kf_mac_generate(uint8_t *wrapped, uint64_t store, const uint8_t *key_id, uint32_t version, uint8_t flags,
                    int bits) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_HMAC};
    uint8_t material[KF_HASH_MAX_DIGEST];
    const kf_hash *hash;
    int status = hash_of(&hash, bits);
    if (status == KF_OK) status = kf_random(material, hash->digest_len);
    if (status == KF_OK) status = kf_material_wrap(wrapped, store, &id, material, hash->digest_len);
    kf_wipe(material, sizeof material);
    return status;
}

int kf_mac_import(uint8_t *wrapped, uint64_t store, const uint8_t *key_id, uint32_t version, uint8_t flags, int bits,
                  uint8_t *material, size_t material_len) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_HMAC};
    const kf_hash *hash;
    int status = hash_of(&hash, bits);
    if (status == KF_OK && material_len != hash->digest_len) status = KF_ERR_ARGUMENT;
    if (status == KF_OK) status = kf_material_wrap(wrapped, store, &id, material, material_len);
    kf_wipe(material, material_len);
    return status;
}

int kf_mac_load(uint64_t *key, uint64_t store, const uint8_t *wrapped, size_t wrapped_len, const uint8_t *key_id,
                uint32_t version, uint8_t flags, int bits) {
    const kf_material_id id = {key_id, version, flags, KF_ALGORITHM_HMAC};
    uint8_t material[KF_HASH_MAX_DIGEST];
    const kf_hash *hash;
    void *body;
    int status = hash_of(&hash, bits);
    if (status != KF_OK) return status;
    if (wrapped_len != (size_t)hash->digest_len + KF_WRAP_OVERHEAD) return KF_ERR_AUTH;
    status = kf_material_unwrap(material, hash->digest_len, store, &id, wrapped);
    if (status == KF_OK) status = kf_slot_new(key, &body, KF_KIND_HMAC);
    if (status == KF_OK) {
        kf_hmac_any_key_init(&((kf_mac_slot *)body)->hmac, hash, material, hash->digest_len);
        kf_slot_unpin(*key);
    }
    kf_wipe(material, sizeof material);
    return status;
}

static int pin(const kf_hmac_any_key **hmac, uint64_t key) {
    void *body;
    int status = kf_init();
    if (status == KF_OK) status = kf_slot_pin(&body, key, KF_KIND_HMAC);
    if (status == KF_OK) *hmac = &((const kf_mac_slot *)body)->hmac;
    return status;
}

/* ---- one message --------------------------------------------------------------------------------- */

int kf_mac_one(uint64_t key, uint8_t *out, size_t mac_len, const uint8_t *msg, size_t msg_len) {
    const kf_hmac_any_key *hmac;
    int status = pin(&hmac, key);
    if (status != KF_OK) return status;
    if (mac_len == hmac->hash->digest_len)
        kf_hmac_any(hmac, out, msg, msg_len);
    else
        status = KF_ERR_ARGUMENT;
    kf_slot_unpin(key);
    kf_metrics_single(KF_TIMER_MAC, status != KF_OK);
    return status;
}

/* In constant time; a MAC of another length is not the message's. */
static int is_mac(const uint8_t *expected, size_t expected_len, const uint8_t *mac, size_t mac_len) {
    int equal = mac_len == expected_len && kf_equal(expected, mac, expected_len);
    KF_DECLASSIFY(&equal, sizeof equal); /* whether a MAC verifies is the result */
    return equal;
}

int kf_mac_verify_one(uint64_t key, const uint8_t *mac, size_t mac_len, const uint8_t *msg, size_t msg_len) {
    uint8_t expected[KF_HASH_MAX_DIGEST];
    const kf_hmac_any_key *hmac;
    const int status = pin(&hmac, key);
    if (status != KF_OK) return status;
    kf_hmac_any(hmac, expected, msg, msg_len);
    const int equal = is_mac(expected, hmac->hash->digest_len, mac, mac_len);
    kf_slot_unpin(key);
    kf_wipe(expected, sizeof expected); /* of a wrong message, it is a forgery */
    kf_metrics_single(KF_TIMER_VERIFY_MAC, !equal);
    return equal ? KF_OK : KF_ERR_AUTH;
}

/* ---- batches ------------------------------------------------------------------------------------- */

typedef struct {
    const kf_hmac_any_key *key;
    const struct kf_column *in, *macs;
    const uint8_t *skip;
    kf_sink sink;
    uint8_t *status;
} mac_batch;

/* Records begin to end, that of begin to the first place of out. */
static void compute(const mac_batch *b, const kf_sink *out, int64_t begin, int64_t end) {
    if (b->key->hash->bits == LANES_BITS) {
        kf_hmac_column(&b->key->states.narrow, out, b->in, begin, end, b->skip);
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        if (b->skip && b->skip[i]) continue;
        const kf_span msg = kf_column_at(b->in, i);
        kf_hmac_any(b->key, kf_sink_at(out, i - begin), msg.at, (size_t)msg.len);
    }
}

static int mac_range(void *arg, int64_t begin, int64_t end) {
    const mac_batch *b = arg;
    kf_sink out = b->sink;
    if (out.ptrs)
        out.ptrs += begin;
    else
        out.data += begin * out.stride;
    compute(b, &out, begin, end);
    return KF_OK;
}

static enum kf_record_status verify(const mac_batch *b, int64_t i, const uint8_t *expected) {
    if (b->skip && b->skip[i]) return KF_REC_SKIPPED;
    const kf_span mac = kf_column_at(b->macs, i);
    return is_mac(expected, b->key->hash->digest_len, mac.at, (size_t)mac.len) ? KF_REC_OK : KF_REC_AUTH;
}

static int verify_range(void *arg, int64_t begin, int64_t end) {
    const mac_batch *b = arg;
    const size_t mac_len = b->key->hash->digest_len;
    uint8_t expected[WINDOW * KF_HASH_MAX_DIGEST];
    const kf_sink out = {.data = expected, .stride = (int64_t)mac_len};
    for (int64_t i = begin; i < end;) {
        const int64_t stop = end - i < WINDOW ? end : i + WINDOW;
        compute(b, &out, i, stop);
        for (const uint8_t *known = expected; i < stop; i++, known += mac_len) b->status[i] = verify(b, i, known);
    }
    kf_wipe(expected, sizeof expected);
    return KF_OK;
}

static int run(mac_batch *b, kf_range_fn fn, uint64_t key, int64_t num, int threads) {
    const int status = kf_parallel(fn, b, num, GRAIN, threads);
    kf_slot_unpin(key);
    return status;
}

int kf_mac_batch(uint64_t key, uint8_t *out, int64_t out_len, uint8_t *const *out_ptrs, size_t mac_len,
                 const struct kf_column *in, int64_t num, const uint8_t *skip, int threads) {
    mac_batch b = {.in = in, .skip = skip};
    const uint64_t begun = kf_metrics_now();
    int status = kf_init();
    if (status == KF_OK) status = kf_column_check(in, num, 0);
    if (status == KF_OK) status = pin(&b.key, key);
    if (status != KF_OK) return status;
    b.sink = (kf_sink){.data = out, .ptrs = out_ptrs, .stride = b.key->hash->digest_len};
    if (mac_len != b.key->hash->digest_len || !out == !out_ptrs)
        status = KF_ERR_ARGUMENT;
    else if (out && num > out_len / b.sink.stride)
        status = KF_ERR_OFFSETS;
    if (status != KF_OK) {
        kf_slot_unpin(key);
        return status;
    }
    status = run(&b, mac_range, key, num, threads);
    kf_metrics_records(KF_TIMER_MAC, begun, kf_num_records(skip, num), status == KF_OK ? 0 : -1);
    return status;
}

int kf_mac_verify_batch(uint64_t key, uint8_t *status, const struct kf_column *in, const struct kf_column *macs,
                        int64_t num, const uint8_t *skip, int threads) {
    mac_batch b = {.in = in, .macs = macs, .skip = skip, .status = status};
    const uint64_t begun = kf_metrics_now();
    int result = kf_init();
    if (result == KF_OK) result = kf_column_check(in, num, 0);
    if (result == KF_OK) result = kf_column_check(macs, num, 0);
    if (result == KF_OK) result = pin(&b.key, key);
    if (result != KF_OK) return result;
    result = run(&b, verify_range, key, num, threads);
    const int64_t bad = result == KF_OK ? kf_num_equal(status, num, KF_REC_AUTH) : -1;
    kf_metrics_records(KF_TIMER_VERIFY_MAC, begun, kf_num_records(skip, num), bad);
    return result;
}
