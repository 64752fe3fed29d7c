/*
 * Sealed batches: AES-256-GCM under a data key that C draws for each batch and that exists in the
 * clear only in the arena. Rules:
 * - the nonce is the record's index and the final flag, and C counts the index, so that no nonce can
 *   come twice: what kf_sealed_create made seals each index once, what kf_sealed_load made never seals;
 * - the digest of header and context comes first in every record's associated data, and the GCM key is
 *   derived with it, so that no record fits into another batch;
 * - the final record's flag differs, so that a shortened batch does not open to its end.
 */
#include <string.h>

#include "kf_blob.h"
#include "kf_column.h"
#include "kf_metrics.h"
#include "kf_rng.h"
#include "kf_threads.h"
#include "kf_util.h"

enum { WINDOW = 256, GRAIN_BYTES = 1 << 18, GCM_NONCE_LEN = 12, BLOB_AT = 8, DATA_KEY_LEN = 32 };

static void header_digest(uint8_t digest[32], const uint8_t *header, const uint8_t *context, size_t context_len) {
    static const uint8_t domain[18] = "kmsfast sealed v1"; /* the zero byte counts */
    kf_sha256_ctx hash;
    kf_sha256_init(&hash);
    kf_sha256_update(&hash, domain, sizeof domain);
    kf_sha256_update(&hash, header, KF_SEALED_HEADER_LEN);
    kf_sha256_update(&hash, context, context_len);
    kf_sha256_final(&hash, digest);
}

/* A slot for the batch, with the GCM key derived from the data key and the digest. */
static int new_slot(uint64_t *batch, const uint8_t *data_key, const uint8_t *header, const uint8_t *context,
                    size_t context_len, int writing) {
    static const uint8_t salt[] = "kmsfast sealed batch v1";
    uint8_t gcm_key[32];
    void *body;
    const int status = kf_slot_new(batch, &body, KF_KIND_SEALED);
    if (status != KF_OK) return status;
    kf_sealed_slot *slot = body;
    header_digest(slot->digest, header, context, context_len);
    kf_hkdf(gcm_key, sizeof gcm_key, salt, sizeof salt - 1, data_key, DATA_KEY_LEN, slot->digest, KF_DIGEST_LEN);
    kf_gcm_key_init(kf_aead, &slot->gcm, gcm_key);
    kf_wipe(gcm_key, sizeof gcm_key);
    slot->record_size = kf_load32_be(header + 4);
    slot->writing = (uint8_t)writing;
    kf_slot_unpin(*batch);
    return KF_OK;
}

int kf_sealed_create(uint64_t *batch, uint8_t *header, uint64_t key, uint32_t record_size,
                     const uint8_t *context, size_t context_len) {
    uint8_t data_key[DATA_KEY_LEN], digest[KF_DIGEST_LEN];
    void *slot;
    int status = kf_init();
    if (status != KF_OK) return status;
    if ((status = kf_slot_pin(&slot, key, KF_KIND_KEY)) != KF_OK) return status;
    header[0] = KF_BLOB_MAGIC, header[1] = KF_BLOB_VERSION, header[2] = KF_SUITE_SEALED, header[3] = 0;
    kf_store32_be(header + 4, record_size);
    kf_blob_digest(digest, ((const kf_key_slot *)slot)->prefix, context, context_len);
    status = kf_random(data_key, sizeof data_key);
    if (status == KF_OK) status = kf_blob_seal_with(slot, header + BLOB_AT, data_key, DATA_KEY_LEN, digest, NULL, 0);
    kf_slot_unpin(key);
    if (status == KF_OK) status = new_slot(batch, data_key, header, context, context_len, 1);
    kf_wipe(data_key, sizeof data_key);
    return status;
}

int kf_sealed_begin(uint64_t *batch, uint8_t *header, const uint8_t *data_key, const uint8_t *blob,
                    uint32_t record_size, const uint8_t *context, size_t context_len) {
    uint8_t made[KF_SEALED_HEADER_LEN] = {KF_BLOB_MAGIC, KF_BLOB_VERSION, KF_SUITE_SEALED};
    int status = kf_init();
    if (status != KF_OK) return status;
    kf_store32_be(made + 4, record_size);
    memcpy(made + BLOB_AT, blob, sizeof made - BLOB_AT);
    status = new_slot(batch, data_key, made, context, context_len, 1);
    if (status == KF_OK) memcpy(header, made, sizeof made);
    return status;
}

int kf_sealed_resume(uint64_t *batch, const uint8_t *data_key, const uint8_t *header, const uint8_t *context,
                     size_t context_len) {
    const int status = kf_init();
    if (status != KF_OK) return status;
    if (header[0] != KF_BLOB_MAGIC || header[1] != KF_BLOB_VERSION || header[2] != KF_SUITE_SEALED || header[3])
        return KF_ERR_FORMAT;
    return new_slot(batch, data_key, header, context, context_len, 0);
}

int kf_sealed_load(uint64_t *batch, uint64_t key, const uint8_t *header, const uint8_t *context, size_t context_len) {
    uint8_t data_key[DATA_KEY_LEN], record_status;
    if (header[0] != KF_BLOB_MAGIC || header[1] != KF_BLOB_VERSION || header[2] != KF_SUITE_SEALED || header[3])
        return KF_ERR_FORMAT;
    int status = kf_blob_open_one(key, data_key, &record_status, header + BLOB_AT, KF_SEALED_HEADER_LEN - BLOB_AT,
                                  context, context_len, NULL, 0);
    if (status == KF_OK) status = new_slot(batch, data_key, header, context, context_len, 0);
    kf_wipe(data_key, sizeof data_key);
    return status;
}

/* ---- records -------------------------------------------------------------------------------- */

typedef struct {
    const kf_sealed_slot *slot;
    const struct kf_column *in;
    kf_sink sink;
    uint8_t *status; /* NULL: seal */
    uint64_t first;
    int64_t num, num_bad;
    int last;
} sealed_run;

static size_t open_window(sealed_run *r, int64_t at, const uint8_t *nonces, const kf_rec *rec, size_t n) {
    uint8_t ok[WINDOW];
    const size_t bad = kf_aead->gcm_open(&r->slot->gcm, ok, r->slot->digest, nonces, rec, n);
    for (size_t k = 0; k < n; k++) r->status[at + (int64_t)k] = ok[k] ? KF_REC_OK : KF_REC_AUTH;
    return bad;
}

/* The records of one window that are too short to hold a tag fail by themselves. */
static int run_range(void *arg, int64_t begin, int64_t end) {
    sealed_run *r = arg;
    kf_rec rec[WINDOW];
    uint8_t nonces[WINDOW * GCM_NONCE_LEN];
    const int64_t overhead = r->status ? KF_TAG_LEN : 0;
    int64_t bad = 0;
    for (int64_t i = begin; i < end;) {
        const int64_t at = i;
        size_t n = 0;
        for (; n < WINDOW && i < end; i++, n++) {
            const kf_span in = kf_column_at(r->in, i);
            if (in.len < overhead) break;
            const int final = r->last && i == r->num - 1;
            kf_rec_set(&rec[n], in.at, kf_sink_at(&r->sink, i), (size_t)(in.len - overhead), NULL, 0);
            kf_store64_be(nonces + n * GCM_NONCE_LEN, r->first + (uint64_t)i);
            kf_store32_be(nonces + n * GCM_NONCE_LEN + 8, (uint32_t)final);
        }
        if (!r->status)
            kf_aead->gcm_seal(&r->slot->gcm, r->slot->digest, nonces, rec, n);
        else if (n)
            bad += (int64_t)open_window(r, at, nonces, rec, n);
        if (n == 0) {
            r->status[i++] = KF_REC_TRUNCATED;
            bad++;
        }
    }
    __atomic_add_fetch(&r->num_bad, bad, __ATOMIC_RELAXED);
    return KF_OK;
}

/* Records per range: long records make short ranges, so that threads share them evenly. */
static int64_t grain_of(const struct kf_column *in, int64_t num) {
    const int64_t bytes = in->data ? in->data_len / (num > 0 ? num : 1) : 256;
    const int64_t grain = GRAIN_BYTES / (bytes + 64);
    return grain < 1 ? 1 : grain;
}

/* record_size promises the length of all records but the final one. */
static int sizes_hold(const kf_sealed_slot *slot, const struct kf_column *in, int64_t num, int last) {
    if (!slot->record_size) return 1;
    for (int64_t i = 0; i < num; i++) {
        const int64_t len = kf_column_at(in, i).len;
        const int final = last && i == num - 1;
        if (final ? len > slot->record_size : len != slot->record_size) return 0;
    }
    return 1;
}

int kf_sealed_seal(uint64_t batch, uint8_t *out, int64_t out_len, const void *out_offsets,
                   uint8_t *const *out_ptrs, const struct kf_column *in, int64_t num, int last, int threads) {
    sealed_run r = {.in = in, .num = num, .last = last};
    const uint64_t begun = kf_metrics_now();
    void *body;
    int status = kf_init();
    if (status == KF_OK) status = kf_column_check(in, num, KF_TAG_LEN);
    if (status == KF_OK) status = kf_sink_init(&r.sink, out, out_len, out_offsets, out_ptrs, in, num, NULL, KF_TAG_LEN);
    if (status == KF_OK && last && num == 0) status = KF_ERR_ARGUMENT; /* the final record exists */
    if (status == KF_OK && (threads < 1 || threads > 256)) status = KF_ERR_ARGUMENT;
    if (status == KF_OK) status = kf_slot_pin(&body, batch, KF_KIND_SEALED);
    if (status != KF_OK) return status;
    kf_sealed_slot *slot = body;
    r.slot = slot;
    if (!slot->writing)
        status = KF_ERR_ARGUMENT;
    else if (__atomic_load_n(&slot->finished, __ATOMIC_ACQUIRE))
        status = KF_ERR_FINISHED;
    else if (!sizes_hold(slot, in, num, last))
        status = KF_ERR_ARGUMENT;
    uint8_t open = 0; /* of two threads that both bring a final record, one is refused */
    if (status == KF_OK && last &&
        !__atomic_compare_exchange_n(&slot->finished, &open, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        status = KF_ERR_FINISHED;
    if (status == KF_OK) {
        r.first = __atomic_fetch_add(&slot->next, (uint64_t)num, __ATOMIC_ACQ_REL);
        status = kf_parallel(run_range, &r, num, grain_of(in, num), threads);
        kf_metrics_records(KF_TIMER_SEALED_SEAL, begun, num, status == KF_OK ? 0 : -1);
    }
    kf_slot_unpin(batch);
    return status;
}

int kf_sealed_open(uint64_t batch, uint8_t *out, int64_t out_len, const void *out_offsets, uint8_t *const *out_ptrs,
                   uint8_t *status, int64_t *num_bad, uint64_t first, const struct kf_column *in, int64_t num,
                   int last, int threads) {
    sealed_run r = {.in = in, .num = num, .last = last, .status = status, .first = first};
    const uint64_t begun = kf_metrics_now();
    void *body;
    int result = kf_init();
    if (result == KF_OK && !status) result = KF_ERR_ARGUMENT;
    if (result == KF_OK) result = kf_column_check(in, num, 0);
    if (result == KF_OK)
        result = kf_sink_init(&r.sink, out, out_len, out_offsets, out_ptrs, in, num, NULL, -KF_TAG_LEN);
    if (result == KF_OK) result = kf_slot_pin(&body, batch, KF_KIND_SEALED);
    if (result != KF_OK) return result;
    r.slot = body;
    result = kf_parallel(run_range, &r, num, grain_of(in, num), threads);
    kf_slot_unpin(batch);
    kf_metrics_records(KF_TIMER_SEALED_OPEN, begun, num, result == KF_OK ? r.num_bad : -1);
    *num_bad = r.num_bad;
    return result;
}
