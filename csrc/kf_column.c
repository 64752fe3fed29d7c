/*
 * Checks of the caller's buffers, made once per batch and before anything is written: offsets come
 * from files and other processes, so a bad one is an error and never a wild pointer.
 */
#include "kf_column.h"

int kf_column_check(const struct kf_column *col, int64_t num, int64_t growth) {
    const int64_t max = KF_RECORD_MAX - growth;
    if (num < 0) return KF_ERR_ARGUMENT;
    if (col->ptrs) {
        if (!col->lens || col->data) return KF_ERR_ARGUMENT;
        for (int64_t i = 0; i < num; i++)
            if (col->lens[i] < 0 || col->lens[i] > max) return KF_ERR_OFFSETS;
        return KF_OK;
    }
    if (col->data_len < 0 || (!col->data && col->data_len > 0)) return KF_ERR_ARGUMENT;
    if (!col->offsets) {
        if (col->width < 0 || col->width > max) return KF_ERR_ARGUMENT;
        if (col->width && num > col->data_len / col->width) return KF_ERR_OFFSETS;
        return KF_OK;
    }
    int64_t wrong = col->offsets[0] < 0 || col->offsets[num] > col->data_len;
    for (int64_t i = 0; i < num; i++) {
        const int64_t len = (int64_t)((uint64_t)col->offsets[i + 1] - (uint64_t)col->offsets[i]);
        wrong |= len < 0 || len > max;
    }
    return wrong ? KF_ERR_OFFSETS : KF_OK;
}

int kf_offsets_plan(int64_t *out_offsets, int64_t *bad, const int64_t *offsets, int64_t num,
                    int64_t data_len, int64_t delta, const uint8_t *skip) {
    const int64_t max = KF_RECORD_MAX - (delta > 0 ? delta : 0);
    int64_t at = 0;
    if (num < 0 || data_len < 0) return KF_ERR_ARGUMENT;
    for (int64_t i = 0; i < num; i++) {
        const int64_t begin = offsets[i], end = offsets[i + 1];
        if (begin < 0 || end < begin || end > data_len || end - begin > max) {
            *bad = i;
            return KF_ERR_OFFSETS;
        }
        const int64_t len = end - begin + delta;
        out_offsets[i] = at;
        if (len > 0 && !(skip && skip[i])) at += len;
    }
    out_offsets[num] = at;
    return KF_OK;
}

int kf_sink_init(kf_sink *sink, uint8_t *out, int64_t out_len, const int64_t *out_offsets,
                 uint8_t *const *out_ptrs, const struct kf_column *in, int64_t num,
                 const uint8_t *skip, int64_t delta) {
    *sink = (kf_sink){.data = out, .len = out_len, .offsets = out_offsets, .ptrs = out_ptrs};
    if (out_ptrs) return out || out_offsets ? KF_ERR_ARGUMENT : KF_OK;
    if (out_len < 0 || (!out && out_len > 0)) return KF_ERR_ARGUMENT;
    if (!out_offsets) {
        if (in->ptrs || in->offsets) return KF_ERR_ARGUMENT;
        sink->stride = in->width + delta > 0 ? in->width + delta : 0;
        return sink->stride && num > out_len / sink->stride ? KF_ERR_OFFSETS : KF_OK;
    }
    for (int64_t i = 0; i < num; i++) {
        const int64_t begin = out_offsets[i], end = out_offsets[i + 1];
        int64_t need = kf_column_at(in, i).len + delta;
        if (need < 0 || (skip && skip[i])) need = 0;
        if (begin < 0 || begin > end || end > out_len || end - begin < need) return KF_ERR_OFFSETS;
    }
    return KF_OK;
}
