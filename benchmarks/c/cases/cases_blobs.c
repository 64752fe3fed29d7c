/* Blobs with their frames: batches under an encryption context, on one thread, and single records. */
#include "cases.h"

enum { MOST = 256, SINGLES = 32 };

static struct {
    const cases_keys *keys;
    struct kf_column texts, blobs, sealed;
    struct kf_binding binding;
    int64_t offsets[MOST + 1], blob_offsets[MOST + 1];
    int32_t group[MOST], num_groups;
    uint8_t status[MOST], prefixes[4 * KF_PREFIX_LEN], header[KF_SEALED_HEADER_LEN];
    uint64_t batch;
} state;

static size_t seal(const cases_case *c) {
    const int status = kf_blob_seal(state.keys->key, cases_out, state.blobs.data_len, state.blob_offsets, NULL, &state.texts,
                                    c->num, NULL, CASES_CONTEXT, CASES_CONTEXT_LEN, NULL, 1);
    return status == KF_OK ? 0 : (size_t)c->num;
}

static size_t open_all(const cases_case *c) {
    int64_t bad = 0, other = 0;
    const int status = kf_blob_open(cases_back, state.texts.data_len, state.offsets, NULL, state.status, &bad, &other,
                                    &state.keys->key, state.keys->prefix, 1, NULL, &state.blobs, c->num, NULL, CASES_CONTEXT,
                                    CASES_CONTEXT_LEN, NULL, 1);
    return status == KF_OK ? (size_t)(bad + other) : (size_t)c->num;
}

static size_t scan(const cases_case *c) {
    const int status = kf_blob_scan(state.prefixes, 4, &state.num_groups, state.group, state.status, &state.blobs, c->num, NULL);
    return status == KF_OK && state.num_groups == 1 ? 0 : (size_t)c->num;
}

static int batch(const cases_case *c) {
    int64_t bad;
    state.keys = cases_open_keys();
    if (!state.keys) return 0;
    cases_lay_out(state.offsets, c);
    const int64_t len = state.offsets[c->num];
    if (kf_offsets_plan(state.blob_offsets, &bad, state.offsets, c->num, len, KF_BLOB_OVERHEAD, NULL) != KF_OK) return 0;
    state.texts = (struct kf_column){.data = cases_in, .data_len = len, .offsets = state.offsets};
    state.blobs = (struct kf_column){.data = cases_out, .data_len = state.blob_offsets[c->num], .offsets = state.blob_offsets};
    return seal(c) == 0 && open_all(c) == 0 && memcmp(cases_in, cases_back, (size_t)len) == 0;
}

/* ---- one record, several times ------------------------------------------------------------------------------------- */

static size_t seal_one(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_blob_seal_one(state.keys->key, cases_out, cases_in, (size_t)c->len, CASES_CONTEXT, CASES_CONTEXT_LEN, NULL,
                                   0) != KF_OK;
    return failed;
}

static size_t open_one(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_blob_open_one(state.keys->key, cases_back, state.status, cases_out, (size_t)c->len + KF_BLOB_OVERHEAD,
                                   CASES_CONTEXT, CASES_CONTEXT_LEN, NULL, 0) != KF_OK;
    return failed;
}

static size_t bound_seal(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++) failed += kf_bound_seal(&state.binding, cases_out, cases_in, (size_t)c->len) != KF_OK;
    return failed;
}

static size_t bound_open(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_bound_open(&state.binding, cases_back, cases_out, (size_t)c->len + KF_BLOB_OVERHEAD) != KF_OK;
    return failed;
}

static size_t data_key(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_data_key(state.keys->key, cases_back, cases_out, (size_t)c->len, CASES_CONTEXT, CASES_CONTEXT_LEN) != KF_OK;
    return failed;
}

static int single(const cases_case *c) {
    state.keys = cases_open_keys();
    if (!state.keys) return 0;
    cases_fill(cases_in, (size_t)c->len, 5);
    return kf_bind(&state.binding, state.keys->key, CASES_CONTEXT, CASES_CONTEXT_LEN) == KF_OK && seal_one(c) == 0 &&
           bound_open(c) == 0 && memcmp(cases_in, cases_back, (size_t)c->len) == 0;
}

/* ---- sealed batches ------------------------------------------------------------------------------------------------ */

static size_t sealed_seal(const cases_case *c) {
    const int status = kf_sealed_seal(state.batch, cases_out, c->num * (int64_t)(c->len + KF_TAG_LEN), NULL, NULL, &state.texts,
                                      c->num, 0, 1);
    return status == KF_OK ? 0 : (size_t)c->num;
}

static int sealed(const cases_case *c) {
    state.keys = cases_open_keys();
    if (!state.keys) return 0;
    cases_fill(cases_in, (size_t)(c->num * c->len), 6);
    state.texts = (struct kf_column){.data = cases_in, .data_len = c->num * (int64_t)c->len, .width = c->len};
    return kf_sealed_create(&state.batch, state.header, state.keys->key, (uint32_t)c->len, NULL, 0) == KF_OK;
}

static size_t sealed_open(const cases_case *c) {
    int64_t bad = 0;
    const int status = kf_sealed_open(state.batch, cases_back, state.texts.data_len, NULL, NULL, state.status, &bad, 0,
                                      &state.sealed, c->num, 0, 1);
    return status == KF_OK ? (size_t)bad : (size_t)c->num;
}

static int sealed_before(const cases_case *c) {
    const int64_t width = c->len + KF_TAG_LEN;
    state.sealed = (struct kf_column){.data = cases_out, .data_len = c->num * width, .width = width};
    return sealed(c) && sealed_seal(c) == 0 && sealed_open(c) == 0 &&
           memcmp(cases_in, cases_back, (size_t)state.texts.data_len) == 0;
}

const cases_case CASES_BLOBS[] = {
    {"blobs seal 64 B", 256, 64, batch, seal},
    {"blobs seal 1 KiB", 64, 1024, batch, seal},
    {"blobs seal 1 to 512 B", 256, -512, batch, seal},
    {"blobs open 64 B", 256, 64, batch, open_all},
    {"blobs open 1 KiB", 64, 1024, batch, open_all},
    {"blobs open 1 to 512 B", 256, -512, batch, open_all},
    {"blobs scan 64 B", 256, 64, batch, scan},
    {"blob seal one of 64 B", SINGLES, 64, single, seal_one},
    {"blob open one of 64 B", SINGLES, 64, single, open_one},
    {"bound seal one of 64 B", SINGLES, 64, single, bound_seal},
    {"bound open one of 64 B", SINGLES, 64, single, bound_open},
    {"data key of 32 B", SINGLES, 32, single, data_key},
    {"sealed batch seal 64 B", 256, 64, sealed, sealed_seal},
    {"sealed batch open 64 B", 256, 64, sealed_before, sealed_open},
    {0},
};
