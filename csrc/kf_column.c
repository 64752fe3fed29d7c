/*
 * Checks of the caller's buffers, made once per batch and before anything is written: offsets come
 * from files and other processes, so a bad one is an error and never a wild pointer.
 */
#include "kf_column.h"

enum width { NARROW = 4, WIDE = 8 };

static inline int64_t offset_at(const void *offsets, int64_t i, enum width width) {
    return width == NARROW ? ((const int32_t *)offsets)[i] : ((const int64_t *)offsets)[i];
}
static inline void put_offset(void *offsets, int64_t i, uint64_t x, enum width width) {
    if (width == NARROW)
        ((int32_t *)offsets)[i] = (int32_t)x;
    else
        ((int64_t *)offsets)[i] = (int64_t)x;
}

static inline int64_t minus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

static inline int64_t length_at(const void *offsets, int64_t i, enum width width) {
    return minus(offset_at(offsets, i + 1, width), offset_at(offsets, i, width));
}
/* Offsets that never decrease lie within the data when the first and the last do. None may be negative, or steps that
 * are small enough could lead round 2^64 and back. */
static inline int ends_lie_within(const void *offsets, int64_t num, int64_t data_len, enum width width) {
    return offset_at(offsets, 0, width) >= 0 && offset_at(offsets, num, width) <= data_len;
}

static inline int check_offsets(const void *offsets, int64_t num, int64_t data_len, int64_t max, enum width width) {
    int64_t negative = 0; /* when something was */
    for (int64_t i = 0; i < num; i++) {
        const int64_t len = length_at(offsets, i, width);
        negative |= offset_at(offsets, i, width) | len | minus(max, len);
    }
    return negative < 0 || !ends_lie_within(offsets, num, data_len, width) ? KF_ERR_OFFSETS : KF_OK;
}

static int has_several_forms(const struct kf_column *col) {
    return (col->ptrs != NULL) + (col->offsets != NULL) + (col->offsets32 != NULL) + (col->width != 0) > 1;
}

int kf_column_check(const struct kf_column *col, int64_t num, int64_t growth) {
    const int64_t max = KF_RECORD_MAX - growth;
    if (num < 0 || has_several_forms(col)) return KF_ERR_ARGUMENT;
    if (col->ptrs) {
        if (!col->lens || col->data) return KF_ERR_ARGUMENT;
        for (int64_t i = 0; i < num; i++)
            if (col->lens[i] < 0 || col->lens[i] > max) return KF_ERR_OFFSETS;
        return KF_OK;
    }
    if (col->data_len < 0 || (!col->data && col->data_len > 0)) return KF_ERR_ARGUMENT;
    if (!kf_has_offsets(col)) {
        if (col->width < 0 || col->width > max) return KF_ERR_ARGUMENT;
        if (col->width && num > col->data_len / col->width) return KF_ERR_OFFSETS;
        return KF_OK;
    }
    return col->offsets32 ? check_offsets(col->offsets32, num, col->data_len, max, NARROW)
                          : check_offsets(col->offsets, num, col->data_len, max, WIDE);
}

/* ---- where results go ----------------------------------------------------------------------- */

/* The first record that does not lie within the data or is too long. */
static int64_t first_wrong(const void *offsets, int64_t num, int64_t data_len, int64_t max, enum width width) {
    int64_t i = 0;
    for (; i < num; i++) {
        const int64_t begin = offset_at(offsets, i, width), end = offset_at(offsets, i + 1, width);
        if (begin < 0 || end > data_len || (uint64_t)length_at(offsets, i, width) > (uint64_t)max) break;
    }
    return i;
}

static inline int plan(void *out_offsets, int64_t *bad, const void *offsets, int64_t num, int64_t data_len,
                       int64_t delta, const uint8_t *skip, enum width width) {
    const int64_t max = KF_RECORD_MAX - (delta > 0 ? delta : 0);
    uint64_t at = 0;
    if (num < 0 || data_len < 0) return KF_ERR_ARGUMENT;
    int wrong = num > 0 && !ends_lie_within(offsets, num, data_len, width);
    int64_t begin = offset_at(offsets, 0, width);
    for (int64_t i = 0; i < num; i++) {
        const int64_t end = offset_at(offsets, i + 1, width), len = minus(end, begin), grown = minus(len, -delta);
        wrong |= begin < 0 || (uint64_t)len > (uint64_t)max;
        put_offset(out_offsets, i, at, width);
        at += grown > 0 && !(skip && skip[i]) ? (uint64_t)grown : 0;
        begin = end;
    }
    put_offset(out_offsets, num, at, width);
    if (wrong) {
        *bad = first_wrong(offsets, num, data_len, max, width);
        return KF_ERR_OFFSETS;
    }
    return width == NARROW && at > INT32_MAX ? KF_ERR_CAPACITY : KF_OK;
}

int kf_offsets_plan(int64_t *out_offsets, int64_t *bad, const int64_t *offsets, int64_t num, int64_t data_len,
                    int64_t delta, const uint8_t *skip) {
    return plan(out_offsets, bad, offsets, num, data_len, delta, skip, WIDE);
}

int kf_offsets_plan32(int32_t *out_offsets, int64_t *bad, const int32_t *offsets, int64_t num, int64_t data_len,
                      int64_t delta, const uint8_t *skip) {
    return plan(out_offsets, bad, offsets, num, data_len, delta, skip, NARROW);
}

/* Whether each record's results have room: len + delta bytes, none for those that are skipped or too short. */
static inline int check_room(const void *out_offsets, int64_t out_len, const struct kf_column *in, int64_t num,
                             const uint8_t *skip, int64_t delta, enum width width) {
    int wrong = !ends_lie_within(out_offsets, num, out_len, width);
    for (int64_t i = 0; i < num; i++) {
        int64_t need = kf_column_at(in, i).len + delta;
        if (need < 0 || (skip && skip[i])) need = 0;
        wrong |= offset_at(out_offsets, i, width) < 0 || length_at(out_offsets, i, width) < need;
    }
    return wrong ? KF_ERR_OFFSETS : KF_OK;
}

/* The same for the common case, a column with offsets and nothing skipped, without a choice for each record. */
static inline int check_room_all(const void *out_offsets, int64_t out_len, const void *offsets, int64_t num,
                                 int64_t delta, enum width width) {
    int64_t negative = 0; /* when something was */
    for (int64_t i = 0; i < num; i++) {
        const int64_t room = length_at(out_offsets, i, width);
        negative |= offset_at(out_offsets, i, width) | room | minus(room, length_at(offsets, i, width) + delta);
    }
    return negative < 0 || !ends_lie_within(out_offsets, num, out_len, width) ? KF_ERR_OFFSETS : KF_OK;
}

int kf_sink_init(kf_sink *sink, uint8_t *out, int64_t out_len, const void *out_offsets, uint8_t *const *out_ptrs,
                 const struct kf_column *in, int64_t num, const uint8_t *skip, int64_t delta) {
    *sink = (kf_sink){.data = out, .ptrs = out_ptrs};
    if (out_ptrs) return out || out_offsets ? KF_ERR_ARGUMENT : KF_OK;
    if (out_len < 0 || (!out && out_len > 0)) return KF_ERR_ARGUMENT;
    if (!out_offsets) {
        if (in->ptrs || kf_has_offsets(in)) return KF_ERR_ARGUMENT;
        sink->stride = in->width + delta > 0 ? in->width + delta : 0;
        return sink->stride && num > out_len / sink->stride ? KF_ERR_OFFSETS : KF_OK;
    }
    if (in->offsets32) {
        sink->offsets32 = out_offsets;
        if (!skip) return check_room_all(out_offsets, out_len, in->offsets32, num, delta, NARROW);
        return check_room(out_offsets, out_len, in, num, skip, delta, NARROW);
    }
    sink->offsets = out_offsets;
    if (!skip && in->offsets) return check_room_all(out_offsets, out_len, in->offsets, num, delta, WIDE);
    return check_room(out_offsets, out_len, in, num, skip, delta, WIDE);
}
