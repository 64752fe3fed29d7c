/* See kf_answer_layout.h. */
#include "kf_answer_layout.h"

static const uint32_t no_record = UINT32_MAX; /* the length of one that is nil */

size_t kf_layout_room(const kf_call_column *column) {
    return kf_answer_piece(kf_call_view_room(column)) + kf_answer_piece((column->num + 1) * sizeof(int64_t)) +
           kf_answer_piece(column->num);
}

static int64_t length_of(const kf_layout *l, uint64_t i) { return kf_column_at(&l->in, (int64_t)i).len + l->delta; }

static uint8_t *put_length(uint8_t *at, uint32_t len) {
    for (int k = 0; k < 4; k++) *at++ = (uint8_t)(len >> (8 * k));
    return at;
}

/* ---- results to come ------------------------------------------------------------------------------ */

/* Whether a record is left out, of a length that its result would have. */
static int is_left_out(kf_layout *l, uint64_t i, int64_t len) {
    if (l->left_out[i]) return 1;
    if (len >= 0) return 0;
    l->left_out[i] = KF_IS_SHORT;
    l->num_short++;
    return 1;
}

static uint8_t *put_widths(uint8_t *at, kf_layout *l, const kf_call_column *column) {
    const int64_t width = l->in.width + l->delta;
    if (width < 0) return NULL;
    l->out_len = width * (int64_t)column->num;
    at = kf_msgpack_put_uint(at, (uint64_t)width);
    l->out = kf_msgpack_put_bin(at, (uint64_t)l->out_len);
    return l->out + l->out_len;
}

static uint8_t *put_lengths(uint8_t *at, kf_layout *l, uint64_t num, int64_t *offsets) {
    int64_t sum = 0;
    l->offsets = offsets;
    at = kf_msgpack_put_bin(at, 4 * num);
    for (uint64_t i = 0; i < num; i++) {
        const int64_t len = length_of(l, i);
        const int left_out = is_left_out(l, i, len);
        offsets[i] = sum;
        at = put_length(at, left_out ? no_record : (uint32_t)len);
        if (!left_out) sum += len;
    }
    offsets[num] = l->out_len = sum;
    l->out = kf_msgpack_put_bin(at, (uint64_t)sum);
    return l->out + sum;
}

static uint8_t *put_list(uint8_t *at, kf_layout *l, uint64_t num, uint8_t **ptrs) {
    l->ptrs = ptrs;
    at = kf_msgpack_put_array(at, num);
    for (uint64_t i = 0; i < num; i++) {
        const int64_t len = length_of(l, i);
        ptrs[i] = at;
        if (is_left_out(l, i, len)) {
            at = kf_msgpack_put_nil(at);
        } else {
            ptrs[i] = kf_msgpack_put_bin(at, (uint64_t)len);
            at = ptrs[i] + len;
        }
    }
    return at;
}

uint8_t *kf_layout_put(uint8_t *at, kf_layout *l, kf_answer_data *data, const kf_call_column *column, void **room,
                       int64_t delta) {
    *l = (kf_layout){.start = at, .delta = delta};
    void *view = kf_answer_cut(room, kf_call_view_room(column));
    void *places = kf_answer_cut(room, (column->num + 1) * sizeof(int64_t));
    l->left_out = kf_answer_cut(room, column->num);
    if (!kf_call_view(&l->in, l->left_out, view, column)) return NULL;
    if (!column->packed) return put_list(at, l, column->num, places);
    at = kf_msgpack_put_array(at, 3);
    at = kf_msgpack_put_uint(at, column->num);
    at = column->lengths ? put_lengths(at, l, column->num, places) : put_widths(at, l, column);
    if (at) *data = (kf_answer_data){.at = (size_t)(l->out - l->start), .len = (size_t)l->out_len};
    return at;
}

/* ---- results that are none ------------------------------------------------------------------------- */

static int is_gone(const kf_layout *l, const uint8_t *failed, uint64_t i) { return l->left_out[i] || failed[i]; }

static uint8_t *drop_from_list(const kf_layout *l, uint64_t num, const uint8_t *failed) {
    uint8_t *to = kf_msgpack_put_array(l->start, num);
    for (uint64_t i = 0; i < num; i++) {
        if (is_gone(l, failed, i)) {
            to = kf_msgpack_put_nil(to);
            continue;
        }
        const size_t len = (size_t)length_of(l, i), head = kf_msgpack_bin_head(len);
        memmove(to, l->ptrs[i] - head, head + len);
        to += head + len;
    }
    return to;
}

/* The results that are left, moved together: their bytes. */
static size_t close_gaps(const kf_layout *l, uint64_t num, const uint8_t *failed) {
    uint8_t *to = l->out;
    for (uint64_t i = 0; i < num; i++) {
        if (is_gone(l, failed, i)) continue;
        const size_t len = (size_t)length_of(l, i);
        memmove(to, l->offsets ? l->out + l->offsets[i] : l->out + i * len, len);
        to += len;
    }
    return (size_t)(to - l->out);
}

/* Packed by lengths, whatever it was. */
static uint8_t *drop_from_packed(const kf_layout *l, kf_answer_data *data, uint64_t num, const uint8_t *failed) {
    const size_t len = close_gaps(l, num, failed);
    uint8_t head[2 * KF_MSGPACK_HEAD_MAX], *at = kf_msgpack_put_uint(kf_msgpack_put_array(head, 3), num);
    const size_t head_len = (size_t)(at - head);
    uint8_t *lengths = l->start + head_len + kf_msgpack_bin_head(4 * num), *to = lengths + 4 * num + kf_msgpack_bin_head(len);
    memmove(to, l->out, len);
    memcpy(l->start, head, head_len);
    kf_msgpack_put_bin(l->start + head_len, 4 * num);
    for (uint64_t i = 0; i < num; i++)
        lengths = put_length(lengths, is_gone(l, failed, i) ? no_record : (uint32_t)length_of(l, i));
    kf_msgpack_put_bin(lengths, len);
    *data = (kf_answer_data){.at = (size_t)(to - l->start), .len = len};
    return to + len;
}

uint8_t *kf_layout_drop(uint8_t *end, const kf_layout *l, kf_answer_data *data, const kf_call_column *column,
                        const uint8_t *failed) {
    uint8_t *now = column->packed ? drop_from_packed(l, data, column->num, failed) : drop_from_list(l, column->num, failed);
    if (now < end) kf_wipe(now, (size_t)(end - now));
    return now;
}
