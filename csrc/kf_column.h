/* Records of a struct kf_column, one by one, and where a record's output goes. Every function here
 * is called after kf_column_check has accepted the column. */
#ifndef KF_COLUMN_H
#define KF_COLUMN_H

#include "kf.h"

/* Longest blob, and longest record of a sealed batch: less than one AES-GCM message may hold (SP 800-38D 5.2.1.1). */
#define KF_RECORD_MAX ((int64_t)0xfffffffe0 - 128)

typedef struct {
    const uint8_t *at;
    int64_t len;
} kf_span;

/* KF_OK, KF_ERR_ARGUMENT (no form, or more than one) or KF_ERR_OFFSETS (which includes records of more than
 * KF_RECORD_MAX bytes, or whose output would be, growth bytes longer). */
int kf_column_check(const struct kf_column *col, int64_t num, int64_t growth);

static inline int kf_has_offsets(const struct kf_column *col) { return col->offsets || col->offsets32; }

/* A column of empty records may have no data: in C, NULL + 0 is undefined; of integers it is not. */
static inline const uint8_t *kf_bytes_at(const uint8_t *data, int64_t offset) {
    return (const uint8_t *)((uintptr_t)data + (uintptr_t)offset);
}

static inline kf_span kf_column_at(const struct kf_column *col, int64_t i) {
    if (col->ptrs) return (kf_span){col->ptrs[i], col->lens[i]};
    if (col->offsets) {
        const int64_t begin = col->offsets[i];
        return (kf_span){kf_bytes_at(col->data, begin), col->offsets[i + 1] - begin};
    }
    if (col->offsets32) {
        const int64_t begin = col->offsets32[i];
        return (kf_span){kf_bytes_at(col->data, begin), col->offsets32[i + 1] - begin};
    }
    return (kf_span){kf_bytes_at(col->data, i * col->width), col->width};
}

/* Where the results of a batch go: one buffer with offsets, one with a fixed stride, or a buffer
 * per record. */
typedef struct {
    uint8_t *data;
    const int64_t *offsets;
    const int32_t *offsets32;
    int64_t stride;
    uint8_t *const *ptrs;
} kf_sink;

/* Fills sink from the arguments that the batch functions share; delta: output length less input
 * length. Checks that every record that is not skipped has room for exactly its output. */
int kf_sink_init(kf_sink *sink, uint8_t *out, int64_t out_len, const void *out_offsets, uint8_t *const *out_ptrs,
                 const struct kf_column *in, int64_t num, const uint8_t *skip, int64_t delta);

static inline uint8_t *kf_sink_at(const kf_sink *sink, int64_t i) {
    if (sink->ptrs) return sink->ptrs[i];
    const int64_t at = sink->offsets ? sink->offsets[i] : sink->offsets32 ? sink->offsets32[i] : i * sink->stride;
    return (uint8_t *)((uintptr_t)sink->data + (uintptr_t)at); /* as kf_bytes_at */
}

#endif
