/*
 * Blobs, one at a time and in batches: prefix (header and commitment), nonce, ciphertext, tag.
 *
 * A batch runs in windows of WINDOW records: nonces are drawn and the frames written for a whole
 * window, then one kernel call seals it, so that a window's output is still in the cache. The
 * digest of header and context is made once per batch and key.
 */
#include "kf_blob.h"

#include <stdlib.h>
#include <string.h>

#include "kf_column.h"
#include "kf_metrics.h"
#include "kf_rng.h"
#include "kf_sha256.h"
#include "kf_threads.h"
#include "kf_util.h"

enum { WINDOW = 256, GRAIN = 16 * WINDOW };

void kf_blob_digest_begin(kf_sha256_ctx *hash, const uint8_t prefix[56]) {
    static const uint8_t domain[16] = "kmsfast blob v1"; /* the zero byte counts */
    kf_sha256_init(hash);
    kf_sha256_update(hash, domain, sizeof domain);
    kf_sha256_update(hash, prefix, KF_PREFIX_LEN);
}

void kf_blob_digest(uint8_t digest[32], const uint8_t prefix[56], const uint8_t *context,
                    size_t context_len) {
    kf_sha256_ctx hash;
    kf_blob_digest_begin(&hash, prefix);
    kf_sha256_update(&hash, context, context_len);
    kf_sha256_final(&hash, digest);
}

enum kf_record_status kf_blob_header_check(const uint8_t *header) {
    if (header[0] != KF_BLOB_MAGIC) return KF_REC_MAGIC;
    if (header[1] != KF_BLOB_VERSION) return KF_REC_VERSION;
    if (header[2] != KF_SUITE_BLOB) return KF_REC_SUITE;
    if (header[3] & ~KF_FLAG_MULTI_REGION) return KF_REC_FLAGS;
    return KF_REC_OK;
}

/* ---- one record ----------------------------------------------------------------------------- */

void kf_blob_seal_nonce(const kf_key_slot *key, uint8_t *out, const uint8_t nonce[KF_NONCE_LEN], const uint8_t *in,
                        size_t in_len, const uint8_t digest[32], const uint8_t *aad, size_t aad_len) {
    const kf_rec rec = {.in = in, .out = out + KF_BODY_AT, .aad = aad, .len = in_len, .aad_len = aad_len};
    memcpy(out, key->prefix, KF_PREFIX_LEN);
    memcpy(out + KF_NONCE_AT, nonce, KF_NONCE_LEN);
    kf_aead->xaes_seal(&key->xaes, digest, out + KF_NONCE_AT, &rec, 1);
}

int kf_blob_seal_with(const kf_key_slot *key, uint8_t *out, const uint8_t *in, size_t in_len,
                      const uint8_t digest[32], const uint8_t *aad, size_t aad_len) {
    uint8_t nonce[KF_NONCE_LEN];
    const int status = kf_random(nonce, sizeof nonce);
    if (status != KF_OK) return status;
    kf_blob_seal_nonce(key, out, nonce, in, in_len, digest, aad, aad_len);
    return KF_OK;
}

int kf_bind(struct kf_binding *out, uint64_t key, const uint8_t *context, size_t context_len) {
    void *slot;
    int status = kf_init();
    if (status == KF_OK) status = kf_slot_pin(&slot, key, KF_KIND_KEY);
    if (status != KF_OK) return status;
    out->key = key;
    out->uses = 0;
    kf_blob_digest(out->digest, ((const kf_key_slot *)slot)->prefix, context, context_len);
    kf_slot_unpin(key);
    return KF_OK;
}

static int seal_one(const struct kf_binding *binding, uint8_t *out, const uint8_t *in, size_t in_len,
                    const uint8_t *aad, size_t aad_len) {
    void *slot;
    int status = kf_init();
    if (status != KF_OK) return status;
    if (in_len > (size_t)KF_RECORD_MAX - KF_BLOB_OVERHEAD) return KF_ERR_ARGUMENT;
    if ((status = kf_slot_pin(&slot, binding->key, KF_KIND_KEY)) != KF_OK) return status;
    status = kf_blob_seal_with(slot, out, in, in_len, binding->digest, aad, aad_len);
    kf_slot_unpin(binding->key);
    kf_metrics_single(KF_TIMER_SEAL, status != KF_OK);
    return status;
}

enum kf_record_status kf_blob_open_with(const kf_key_slot *key, uint8_t *out, const uint8_t *in, size_t in_len,
                                        const uint8_t digest[32], const uint8_t *aad, size_t aad_len) {
    uint8_t ok;
    if (in_len < KF_BLOB_OVERHEAD) return KF_REC_TRUNCATED;
    const enum kf_record_status frame = kf_blob_header_check(in);
    if (frame != KF_REC_OK) return frame;
    if (!kf_equal(in, key->prefix, KF_PREFIX_LEN)) return KF_REC_COMMITMENT;
    const kf_rec rec = {.in = in + KF_BODY_AT, .out = out, .aad = aad, .len = in_len - KF_BLOB_OVERHEAD,
                        .aad_len = aad_len};
    return kf_aead->xaes_open(&key->xaes, &ok, digest, in + KF_NONCE_AT, &rec, 1) ? KF_REC_AUTH : KF_REC_OK;
}

/* A negative enum kf_status or an enum kf_record_status. */
static int open_one(const struct kf_binding *binding, uint8_t *out, const uint8_t *in, size_t in_len,
                    const uint8_t *aad, size_t aad_len) {
    void *slot;
    int status = kf_init();
    if (status != KF_OK) return status;
    if (in_len > (size_t)KF_RECORD_MAX) return KF_ERR_ARGUMENT;
    if ((status = kf_slot_pin(&slot, binding->key, KF_KIND_KEY)) != KF_OK) return status;
    status = (int)kf_blob_open_with(slot, out, in, in_len, binding->digest, aad, aad_len);
    kf_slot_unpin(binding->key);
    kf_metrics_single(KF_TIMER_OPEN, status != KF_REC_OK);
    return status;
}

/* Threads share a binding, and nothing but the sum is asked for. */
static int counted(struct kf_binding *binding, int status) {
    if (status == KF_OK) (void)__atomic_fetch_add(&binding->uses, 1, __ATOMIC_RELAXED);
    return status;
}

int kf_bound_seal(struct kf_binding *binding, uint8_t *out, const uint8_t *in, size_t in_len) {
    return counted(binding, seal_one(binding, out, in, in_len, NULL, 0));
}

int kf_bound_open(struct kf_binding *binding, uint8_t *out, const uint8_t *in, size_t in_len) {
    return counted(binding, open_one(binding, out, in, in_len, NULL, 0));
}

int kf_blob_seal_one(uint64_t key, uint8_t *out, const uint8_t *in, size_t in_len,
                     const uint8_t *context, size_t context_len, const uint8_t *aad, size_t aad_len) {
    struct kf_binding binding;
    const int status = kf_bind(&binding, key, context, context_len);
    return status == KF_OK ? seal_one(&binding, out, in, in_len, aad, aad_len) : status;
}

int kf_blob_open_one(uint64_t key, uint8_t *out, uint8_t *status, const uint8_t *in, size_t in_len,
                     const uint8_t *context, size_t context_len, const uint8_t *aad, size_t aad_len) {
    struct kf_binding binding;
    int result = kf_bind(&binding, key, context, context_len);
    if (result == KF_OK) result = open_one(&binding, out, in, in_len, aad, aad_len);
    if (result < 0) return result;
    *status = (uint8_t)result;
    return result == KF_REC_OK ? KF_OK : KF_ERR_AUTH;
}

int kf_data_key(uint64_t key, uint8_t *plain, uint8_t *blob, size_t num_bytes,
                const uint8_t *context, size_t context_len) {
    uint8_t fresh[1024], digest[KF_DIGEST_LEN];
    void *slot;
    int status = kf_init();
    if (status != KF_OK) return status;
    if (num_bytes < 1 || num_bytes > sizeof fresh) return KF_ERR_ARGUMENT;
    if ((status = kf_slot_pin(&slot, key, KF_KIND_KEY)) != KF_OK) return status;
    kf_blob_digest(digest, ((const kf_key_slot *)slot)->prefix, context, context_len);
    status = kf_random(fresh, num_bytes);
    if (status == KF_OK) status = kf_blob_seal_with(slot, blob, fresh, num_bytes, digest, NULL, 0);
    kf_slot_unpin(key);
    kf_metrics_single(KF_TIMER_DATA_KEY, status != KF_OK);
    if (status == KF_OK && plain) memcpy(plain, fresh, num_bytes);
    kf_wipe(fresh, sizeof fresh);
    return status;
}

void kf_forget(uint8_t *bytes, size_t len) {
    kf_wipe(bytes, len);
}

/* ---- seal a batch --------------------------------------------------------------------------- */

typedef struct {
    const kf_key_slot *key;
    uint8_t digest[KF_DIGEST_LEN];
    const struct kf_column *in, *aad;
    const uint8_t *skip;
    kf_sink sink;
} seal_batch;

static inline void set_record(kf_rec *rec, const struct kf_column *aad, int64_t i, const uint8_t *in, uint8_t *out,
                       int64_t len) {
    const kf_span own = aad ? kf_column_at(aad, i) : (kf_span){NULL, 0};
    kf_rec_set(rec, in, out, (size_t)len, own.at, (size_t)own.len);
}

static int seal_range(void *arg, int64_t begin, int64_t end) {
    const seal_batch *b = arg;
    kf_rec rec[WINDOW];
    uint8_t nonces[WINDOW * KF_NONCE_LEN];
    kf_rng rng;
    int status = kf_rng_init(&rng);
    for (int64_t i = begin; status == KF_OK && i < end;) {
        size_t n = 0;
        for (; n < WINDOW && i < end; i++) {
            if (b->skip && b->skip[i]) continue;
            const kf_span in = kf_column_at(b->in, i);
            set_record(&rec[n], b->aad, i, in.at, kf_sink_at(&b->sink, i) + KF_BODY_AT, in.len);
            if (i + WINDOW < end) rec[n].next = kf_sink_at(&b->sink, i + WINDOW); /* written soon */
            n++;
        }
        if ((status = kf_rng_fill(&rng, nonces, n * KF_NONCE_LEN)) != KF_OK) break;
        for (size_t k = 0; k < n; k++) {
            memcpy(rec[k].out - KF_BODY_AT, b->key->prefix, KF_PREFIX_LEN);
            memcpy(rec[k].out - KF_NONCE_LEN, nonces + k * KF_NONCE_LEN, KF_NONCE_LEN);
        }
        kf_aead->xaes_seal(&b->key->xaes, b->digest, nonces, rec, n);
    }
    kf_rng_wipe(&rng);
    return status;
}

int kf_blob_seal(uint64_t key, uint8_t *out, int64_t out_len, const void *out_offsets,
                 uint8_t *const *out_ptrs, const struct kf_column *in, int64_t num, const uint8_t *skip,
                 const uint8_t *context, size_t context_len, const struct kf_column *aad, int threads) {
    seal_batch b = {.in = in, .aad = aad, .skip = skip};
    const uint64_t begun = kf_metrics_now();
    void *slot;
    int status = kf_init();
    if (status == KF_OK) status = kf_column_check(in, num, KF_BLOB_OVERHEAD);
    if (status == KF_OK && aad) status = kf_column_check(aad, num, 0);
    if (status == KF_OK)
        status = kf_sink_init(&b.sink, out, out_len, out_offsets, out_ptrs, in, num, skip, KF_BLOB_OVERHEAD);
    if (status == KF_OK) status = kf_slot_pin(&slot, key, KF_KIND_KEY);
    if (status != KF_OK) return status;
    b.key = slot;
    kf_blob_digest(b.digest, b.key->prefix, context, context_len);
    status = kf_parallel(seal_range, &b, num, GRAIN, threads);
    kf_slot_unpin(key);
    kf_metrics_records(KF_TIMER_SEAL, begun, kf_num_records(skip, num), status == KF_OK ? 0 : -1);
    return status;
}

/* ---- open a batch --------------------------------------------------------------------------- */

typedef struct {
    const kf_key_slot *key; /* NULL: this call does not serve the group */
    uint8_t digest[KF_DIGEST_LEN];
    int committed;          /* the group's prefix is its key's */
} open_group;

typedef struct {
    const open_group *groups;
    const int32_t *group;
    const struct kf_column *in, *aad;
    const uint8_t *skip;
    uint8_t *status;
    kf_sink sink;
    int64_t num_served, num_bad, num_other; /* added to atomically */
} open_batch;

/* Records that are opened by one call of the kernel, and which of the batch they are. */
typedef struct {
    kf_rec rec[WINDOW];
    uint8_t nonces[WINDOW * KF_NONCE_LEN], ok[WINDOW];
    int64_t index[WINDOW];
    size_t n;
} open_window;

/* Adds record i, a whole blob. The record that is a window further, before end, is fetched meanwhile. */
static inline void window_add(open_window *w, const open_batch *b, int64_t i, kf_span blob, int64_t end) {
    set_record(&w->rec[w->n], b->aad, i, blob.at + KF_BODY_AT, kf_sink_at(&b->sink, i), blob.len - KF_BLOB_OVERHEAD);
    if (i + WINDOW < end) w->rec[w->n].next = kf_column_at(b->in, i + WINDOW).at;
    memcpy(w->nonces + w->n * KF_NONCE_LEN, blob.at + KF_NONCE_AT, KF_NONCE_LEN);
    w->index[w->n++] = i;
}

static void set_statuses(const open_window *w, uint8_t *status, size_t bad) {
    const size_t n = w->n;
    if (bad == 0 && w->index[n - 1] - w->index[0] == (int64_t)n - 1) {
        memset(status + w->index[0], KF_REC_OK, n);
        return;
    }
    for (size_t k = 0; k < n; k++) status[w->index[k]] = w->ok[k] ? KF_REC_OK : KF_REC_AUTH;
}

/* Opens what the window holds, all of one group, and empties it. Returns the number that failed. */
static int64_t window_open(open_window *w, const open_batch *b, const open_group *g) {
    size_t bad = 0;
    if (w->n && g->committed) {
        bad = kf_aead->xaes_open(&g->key->xaes, w->ok, g->digest, w->nonces, w->rec, w->n);
        set_statuses(w, b->status, bad);
    } else {
        for (size_t k = 0; k < w->n; k++) {
            if (w->rec[k].len) memset(w->rec[k].out, 0, w->rec[k].len);
            b->status[w->index[k]] = KF_REC_COMMITMENT;
        }
        bad = w->n;
    }
    w->n = 0;
    return (int64_t)bad;
}

static void add_counts(open_batch *b, int64_t served, int64_t bad, int64_t other) {
    __atomic_add_fetch(&b->num_served, served, __ATOMIC_RELAXED);
    __atomic_add_fetch(&b->num_bad, bad, __ATOMIC_RELAXED);
    __atomic_add_fetch(&b->num_other, other, __ATOMIC_RELAXED);
}

/* kf_equal on a prefix, with wider words: one comparison for each record of a batch. */
static inline int same_prefix(const uint8_t *a, const uint8_t *b) {
    typedef uint64_t wide __attribute__((vector_size(16)));
    static const size_t at[] = {0, 16, 32, KF_PREFIX_LEN - sizeof(wide)};
    wide diff = {0, 0}, x, y;
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        memcpy(&x, a + at[i], sizeof x);
        memcpy(&y, b + at[i], sizeof y);
        diff |= x ^ y;
    }
    const uint64_t any = kf_barrier64(diff[0] | diff[1]);
    return (int)(1 ^ ((any | (0 - any)) >> 63));
}

/* Opens the blobs of the one key that all are expected to be of: those that start as its blobs do. */
static int open_expected(void *arg, int64_t begin, int64_t end) {
    open_batch *b = arg;
    const open_group *g = &b->groups[0];
    int64_t served = 0, bad = 0, other = 0;
    open_window w;
    w.n = 0;
    for (int64_t i = begin; i < end; i++) {
        const kf_span blob = kf_column_at(b->in, i);
        const int skipped = b->skip && b->skip[i];
        if (!skipped && blob.len >= KF_BLOB_OVERHEAD && same_prefix(blob.at, g->key->prefix)) {
            window_add(&w, b, i, blob, end);
            served++;
            if (w.n == WINDOW) bad += window_open(&w, b, g);
        } else {
            b->status[i] = KF_REC_SKIPPED;
            other += !skipped;
        }
    }
    bad += window_open(&w, b, g);
    add_counts(b, served, bad, other);
    return KF_OK;
}

/* The group of record i, or -1 when this call leaves it alone. */
static int32_t group_of(const open_batch *b, int64_t i) {
    if (b->skip && b->skip[i]) {
        b->status[i] = KF_REC_SKIPPED;
        return -1;
    }
    if (b->group[i] < 0 || !b->groups[b->group[i]].key) return -1;
    if (kf_column_at(b->in, i).len >= KF_BLOB_OVERHEAD) return b->group[i];
    b->status[i] = KF_REC_TRUNCATED;
    return -1;
}

/* Opens blobs that are sorted into groups, a window of the batch at a time. */
static int open_grouped(void *arg, int64_t begin, int64_t end) {
    open_batch *b = arg;
    int64_t index[WINDOW], served = 0, bad = 0;
    int32_t group[WINDOW];
    open_window w;
    w.n = 0;
    for (int64_t i = begin; i < end;) {
        size_t n = 0;
        for (; n < WINDOW && i < end; i++) {
            const int32_t g = group_of(b, i);
            if (g >= 0) index[n] = i, group[n++] = g;
        }
        served += (int64_t)n;
        while (n) { /* one pass per group that the window holds */
            const int32_t g = group[0];
            size_t rest = 0;
            for (size_t k = 0; k < n; k++) {
                if (group[k] == g)
                    window_add(&w, b, index[k], kf_column_at(b->in, index[k]), end);
                else
                    index[rest] = index[k], group[rest++] = group[k];
            }
            bad += window_open(&w, b, &b->groups[g]);
            n = rest;
        }
    }
    add_counts(b, served, bad, 0);
    return KF_OK;
}

/* Pins the keys of the served groups and makes their digests; unpins them again on an error. */
static int open_groups(open_group *groups, const uint64_t *keys, const uint8_t *prefixes, int32_t num_groups,
                       int grouped, const uint8_t *context, size_t context_len) {
    for (int32_t g = 0; g < num_groups; g++) {
        void *slot;
        if (!keys[g]) continue;
        const int status = kf_slot_pin(&slot, keys[g], KF_KIND_KEY);
        if (status != KF_OK) {
            while (g--)
                if (keys[g]) kf_slot_unpin(keys[g]);
            return status;
        }
        groups[g].key = slot;
        /* without groups, each record's whole prefix is compared with the key's (open_expected) */
        groups[g].committed =
            !grouped || kf_equal(prefixes + (size_t)g * KF_PREFIX_LEN, groups[g].key->prefix, KF_PREFIX_LEN);
        kf_blob_digest(groups[g].digest, groups[g].key->prefix, context, context_len);
    }
    return KF_OK;
}

int kf_blob_open(uint8_t *out, int64_t out_len, const void *out_offsets, uint8_t *const *out_ptrs,
                 uint8_t *status, int64_t *num_bad, int64_t *num_other, const uint64_t *keys,
                 const uint8_t *prefixes, int32_t num_groups, const int32_t *group,
                 const struct kf_column *in, int64_t num, const uint8_t *skip, const uint8_t *context,
                 size_t context_len, const struct kf_column *aad, int threads) {
    open_batch b = {.group = group, .in = in, .aad = aad, .skip = skip, .status = status};
    const uint64_t begun = kf_metrics_now();
    int result = kf_init();
    if (result == KF_OK && (num_groups < 1 || (!group && !keys[0]))) result = KF_ERR_ARGUMENT;
    if (result == KF_OK) result = kf_column_check(in, num, 0);
    if (result == KF_OK && aad) result = kf_column_check(aad, num, 0);
    if (result == KF_OK)
        result = kf_sink_init(&b.sink, out, out_len, out_offsets, out_ptrs, in, num, skip, -KF_BLOB_OVERHEAD);
    if (result == KF_OK && group)
        for (int64_t i = 0; i < num; i++)
            if (group[i] >= num_groups) result = KF_ERR_ARGUMENT;
    if (result != KF_OK) return result;
    open_group *groups = calloc((size_t)num_groups, sizeof *groups);
    if (!groups) return KF_ERR_MEMORY;
    result = open_groups(groups, keys, prefixes, num_groups, group != NULL, context, context_len);
    if (result == KF_OK) {
        b.groups = groups;
        result = kf_parallel(group ? open_grouped : open_expected, &b, num, GRAIN, threads);
        for (int32_t g = 0; g < num_groups; g++)
            if (keys[g]) kf_slot_unpin(keys[g]);
        kf_metrics_records(KF_TIMER_OPEN, begun, b.num_served, result == KF_OK ? b.num_bad : -1);
    }
    free(groups);
    *num_bad = b.num_bad;
    *num_other = b.num_other;
    return result;
}
