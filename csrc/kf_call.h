/* Requests by number (docs/socket.md), found in their frames. */
#ifndef KF_CALL_H
#define KF_CALL_H

#include "kf_column.h"
#include "kf_msgpack.h"
#include "kf_pairs.h"

enum kf_operation {
    KF_OP_ENCRYPT = 1,
    KF_OP_DECRYPT = 2,
    KF_OP_DATA_KEY = 3,
    KF_OP_DATA_KEY_BLOB = 4, /* GenerateDataKeyWithoutPlaintext */
    KF_OP_SIGN = 5,
    KF_OP_VERIFY = 6,
    KF_OP_MAC = 7,
    KF_OP_VERIFY_MAC = 8,
    KF_OP_REENCRYPT = 9, /* never read here */
    KF_OP_RANDOM = 10,
    KF_OP_LAST_SINGLE = KF_OP_RANDOM,
    KF_OP_BATCH = 32 /* added for many records */
};

enum { KF_CALL_CONTEXT_MAX = 65536, KF_CALL_LIST_MAX = 65536, KF_CALL_ITEMS_MAX = 1048576 };

/* A column as it was sent. */
typedef struct {
    uint64_t num;
    int packed;
    uint64_t width;         /* packed, when lengths is NULL */
    const uint8_t *lengths; /* packed: 4 bytes each, little-endian, or NULL */
    struct kf_text data;    /* packed: the records; else the elements of the list, headers and all */
} kf_call_column;

typedef struct {
    uint64_t id;
    /* the head, which many requests have in common */
    int op;                   /* enum kf_operation, of one record */
    int many;                 /* whether it is the batch of that */
    struct kf_text key;       /* at = NULL: none */
    struct kf_text context;   /* the map as it was sent; len 0: no pairs */
    struct kf_text names[KF_PAIRS_MAX], values[KF_PAIRS_MAX];
    size_t num_pairs;
    /* the rest */
    struct kf_text payload[2];      /* bins: the record; with what it is compared */
    kf_call_column columns[2];      /* the same of batches */
    uint64_t count, size;           /* of batches: how many; bytes that are asked for */
    uint64_t more, deadline;        /* options; 0: none */
    struct kf_text algorithm, aad;  /* at = NULL: none */
    int digest, raw, deterministic;
} kf_call;

/* 1, or 0 when the frame is anything else than a request by number in its usual form: another operation, an option that
 * is not known here, a name that is no UTF-8, bytes behind it, ... */
int kf_call_parse(kf_call *call, const uint8_t *frame, size_t frame_len);

/* The head of the request that was read last, operation, key and context, which points into bytes. */
enum { KF_CALL_HEAD_MAX = 1024 };
typedef struct {
    size_t len;      /* 0: it was longer, or there is none */
    uint64_t serial; /* of a head, however often it came again */
    uint8_t bytes[KF_CALL_HEAD_MAX];
} kf_call_head;

/* The same where requests follow each other, whose heads are the same more often than not: call has the one before, read
 * by this function with this head, or nothing when head->len is 0. */
int kf_call_parse_next(kf_call *call, kf_call_head *head, const uint8_t *frame, size_t frame_len);

/* Whether a frame, of which len bytes are there, begins as [id, 0, bin] does; then its id, the length of what
 * precedes the bytes of the bin, and their number. */
int kf_call_chunk(uint64_t *id, size_t *head_len, uint64_t *part_len, const uint8_t *frame, size_t len);

/* How many records a call has. */
static inline uint64_t kf_call_records(const kf_call *call) {
    return !call->many ? 1 : call->columns[0].data.at ? call->columns[0].num : call->count;
}

/* The records of a column as kf_column.h has them. room: kf_call_view_room(column) bytes, aligned to 8, for what that
 * needs. nil: for each record 1 when it is not there, which is seen as one without bytes; or NULL. 0: its lengths are
 * not those of its data, or a record is not there and nil is NULL. */
size_t kf_call_view_room(const kf_call_column *column);
int kf_call_view(struct kf_column *out, uint8_t *nil, void *room, const kf_call_column *column);
/* Where the first len bytes of record i are, of one that has as many and needs at least least; or NULL: it has not, or
 * they are not there yet. Records are asked for in their order: *at is kept from one to the next, at first 0. */
const uint8_t *kf_call_peek(const kf_call_column *column, uint64_t i, uint64_t *at, size_t len, uint64_t least);

#endif
