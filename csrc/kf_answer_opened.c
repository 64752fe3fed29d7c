/*
 * Answers to Decrypt, of one record or many. Rules:
 * - a batch may name several key versions: each has a ticket of its own, which must hold as the first one does;
 * - records fail one by one. What is wrong with a blob is not said, so all have the same error;
 * - a record whose key has no ticket, and a batch of which nearly nothing opens, is for the server.
 */
#include "kf_answer_layout.h"
#include "kf_blob.h"

enum { MAX_ERRORS = 1024, ITEM_COST = 300, BYTES_A_NS = 3 };
static const uint64_t most_bytes = (uint64_t)1 << 31;
static const char error_code[] = "InvalidCiphertextException"; /* AWS sends no message with it */
enum { CODE_LEN = sizeof error_code - 1, ERROR_LEN = CODE_LEN + 12 };

/* ---- one ------------------------------------------------------------------------------------------- */

static uint8_t *open_one(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const struct kf_text *blob = &a->call->payload[0], *aad = &a->call->aad;
    uint8_t digest[KF_DIGEST_LEN];
    const size_t len = blob->len - KF_BLOB_OVERHEAD; /* as planned, it is not shorter */
    void *slot;
    *status = kf_slot_pin(&slot, a->ticket->facts.key, KF_KIND_KEY);
    if (*status != KF_OK) return NULL;
    kf_answer_digest(digest, a);
    uint8_t *plain = kf_msgpack_put_bin(at, len);
    if (kf_blob_open_with(slot, plain, blob->at, blob->len, digest, aad->at, aad->len) != KF_REC_OK)
        *status = KF_ERR_AUTH;
    kf_slot_unpin(a->ticket->facts.key);
    *data = (kf_answer_data){.at = (size_t)(plain - at), .len = len};
    return *status == KF_OK ? plain + len : NULL;
}

/* ---- many ------------------------------------------------------------------------------------------ */

/* A batch on its way. */
typedef struct {
    kf_layout layout;
    uint64_t num;
    uint8_t *status;            /* enum kf_record_status of each record */
    uint8_t *context;
    size_t context_len;
    /* for records that name other keys than the first one */
    uint8_t *done, *found;      /* which are left alone; as status */
    int32_t *group;
    uint8_t *prefixes;
} opening;

static size_t others_room(uint64_t num) {
    return 2 * kf_answer_piece(num) + kf_answer_piece(num * sizeof(int32_t)) +
           kf_answer_piece(KF_ANSWER_KEYS_MAX * KF_PREFIX_LEN);
}

static int open_with(opening *o, uint8_t *status, int64_t *num_other, const uint64_t *keys, int32_t num_groups,
                     const int32_t *group, const uint8_t *skip, int threads) {
    const kf_layout *l = &o->layout;
    int64_t num_bad;
    return kf_blob_open(l->out, l->out_len, l->offsets, l->ptrs, status, &num_bad, num_other, keys,
                        group ? o->prefixes : NULL, num_groups, group, &l->in, (int64_t)o->num, skip, o->context,
                        o->context_len, NULL, threads);
}

/* The tickets of the key versions that blobs name, which are kept in a->others, and their keys. */
static int keys_of(uint64_t keys[KF_ANSWER_KEYS_MAX], const opening *o, int32_t num, const kf_answering *a) {
    for (int32_t g = 0; g < num; g++) {
        const uint8_t *header = o->prefixes + (size_t)g * KF_PREFIX_LEN;
        const kf_ticket_entry *ticket = a->ticket;
        if (memcmp(ticket->fact.at, header, KF_HEADER_LEN) != 0) ticket = kf_answer_other(a, header);
        if (!ticket) return 0;
        keys[g] = ticket->facts.key;
    }
    return 1;
}

/* Opens the records that the first key's pass has left: they are sorted by their keys. */
static int open_others(opening *o, const kf_answering *a) {
    uint64_t keys[KF_ANSWER_KEYS_MAX];
    int32_t num_groups;
    int64_t none;
    for (uint64_t i = 0; i < o->num; i++) o->done[i] = o->layout.left_out[i] || o->status[i] != KF_REC_SKIPPED;
    int status = kf_blob_scan(o->prefixes, KF_ANSWER_KEYS_MAX, &num_groups, o->group, o->found, &o->layout.in,
                              (int64_t)o->num, o->done);
    if (status != KF_OK) return status;
    if (num_groups && !keys_of(keys, o, num_groups, a)) return KF_ERR_STALE;
    if (num_groups) status = open_with(o, o->found, &none, keys, num_groups, o->group, o->done, a->threads);
    for (uint64_t i = 0; i < o->num; i++)
        if (!o->done[i]) o->status[i] = o->found[i];
    return status;
}

/* Turns statuses to 1 for each record that failed, or else 0; returns how many did. */
static uint64_t count_failed(opening *o) {
    uint64_t num = 0;
    for (uint64_t i = 0; i < o->num; i++) {
        const uint8_t left_out = o->layout.left_out[i];
        o->status[i] = left_out ? left_out == KF_IS_SHORT : o->status[i] != KF_REC_OK;
        num += o->status[i];
    }
    return num;
}

/* [index, code, retryable, message] of each. */
static uint8_t *put_errors(uint8_t *at, const opening *o, uint64_t num_failed) {
    at = kf_msgpack_put_array(at, num_failed);
    for (uint64_t i = 0; i < o->num; i++) {
        if (!o->status[i]) continue;
        at = kf_msgpack_put_array(at, 4);
        at = kf_msgpack_put_uint(at, i);
        at = kf_msgpack_put_str(at, error_code, CODE_LEN);
        *at++ = 0xc2;
        at = kf_msgpack_put_str(at, "", 0);
    }
    return at;
}

static uint8_t *end_opened(uint8_t *at, kf_answer_data *data, int *status, opening *o, const kf_answering *a) {
    const uint64_t num_failed = count_failed(o);
    if (num_failed > MAX_ERRORS) {
        *status = KF_ERR_CAPACITY;
        return NULL;
    }
    if (num_failed > o->layout.num_short)
        at = kf_layout_drop(at, &o->layout, data, &a->call->columns[0], o->status);
    data->failed = num_failed;
    if (!num_failed) return at;
    data->has_errors = 1;
    return put_errors(at, o, num_failed);
}

static uint8_t *open_many(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const kf_call_column *column = &a->call->columns[0];
    opening o = {.num = column->num, .context_len = kf_answer_context_len(a->call)};
    int64_t num_other = 0;
    void *room = a->room;
    o.context = kf_answer_cut(&room, o.context_len);
    kf_answer_put_context(o.context, a->call);
    at = kf_layout_put(at, &o.layout, data, column, &room, -KF_BLOB_OVERHEAD);
    *status = KF_ERR_ARGUMENT;
    if (!at) return NULL;
    o.status = kf_answer_cut(&room, column->num), o.done = kf_answer_cut(&room, column->num);
    o.found = kf_answer_cut(&room, column->num), o.group = kf_answer_cut(&room, column->num * sizeof *o.group);
    o.prefixes = room;
    *status = open_with(&o, o.status, &num_other, &a->ticket->facts.key, 1, NULL, o.layout.left_out, a->threads);
    if (*status == KF_OK && num_other) *status = open_others(&o, a);
    return *status == KF_OK ? end_opened(at, data, status, &o, a) : NULL;
}

/* ---- both ------------------------------------------------------------------------------------------- */

static int plan(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    const kf_call_column *column = &call->columns[0];
    const uint64_t num = kf_call_records(call), bytes = call->many ? column->data.len : call->payload[0].len;
    if (!call->many && bytes < KF_BLOB_OVERHEAD) return 0;
    if (bytes > ticket->facts.max_record || bytes + num * 8 > most_bytes) return 0;
    plan->bound += bytes + num * 8; /* of each record in a list a header, in a packed column its length */
    plan->cost = num * ITEM_COST + bytes / BYTES_A_NS;
    if (!call->many) return 1;
    plan->around = (num < MAX_ERRORS ? num : MAX_ERRORS) * ERROR_LEN;
    plan->bound += plan->around;
    plan->room = kf_layout_room(column) + kf_answer_piece(num) + others_room(num) +
                 kf_answer_piece(kf_answer_context_len(call));
    return 1;
}

static uint8_t *open_(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    return (a->call->many ? open_many : open_one)(at, data, status, a);
}

const kf_answer_maker kf_answer_opened = {plan, open_};
