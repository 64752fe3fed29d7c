/*
 * Where the results of a column's records go in an answer: in the form that the column has (docs/socket.md). A record
 * that is nil has a nil as its result.
 */
#ifndef KF_ANSWER_LAYOUT_H
#define KF_ANSWER_LAYOUT_H

#include "kf_answer.h"

/* Why a record is left out. */
enum kf_left_out { KF_IS_THERE, KF_IS_NIL, KF_IS_SHORT /* its result would have fewer bytes than none */ };

typedef struct {
    struct kf_column in;
    uint8_t *left_out;   /* enum kf_left_out of each record; the batch functions' skip */
    uint64_t num_short;
    uint8_t *out;        /* packed: the results, back to back */
    int64_t out_len;
    int64_t *offsets;
    uint8_t **ptrs;      /* a list: each result */
    uint8_t *start;      /* of all */
    int64_t delta;       /* bytes that a result has more than its record */
} kf_layout;

/* Bytes that a layout takes of the answer's room. */
size_t kf_layout_room(const kf_call_column *column);
/* Writes all of a column's answer but the results. NULL: its lengths are not those of its data. */
uint8_t *kf_layout_put(uint8_t *at, kf_layout *layout, kf_answer_data *data, const kf_call_column *column, void **room,
                       int64_t delta);
/* Takes back results of records that failed, 1 for each in failed, of an answer that ends at end; what is beyond the new
 * end, which it returns, is wiped. */
uint8_t *kf_layout_drop(uint8_t *end, const kf_layout *layout, kf_answer_data *data, const kf_call_column *column,
                        const uint8_t *failed);

#endif
