/* Answers with blobs: Encrypt, data keys, and random bytes, one or many. */
#include "kf_answer_layout.h"
#include "kf_blob.h"

enum { RANDOM_MAX = 1024, ITEM_COST = 300, BYTES_A_NS = 3 };
static const uint64_t most_bytes = (uint64_t)1 << 31; /* of an answer; what is longer is for the server */

static uint64_t cost_of(uint64_t records, uint64_t bytes) { return records * ITEM_COST + bytes / BYTES_A_NS; }

/* ---- one record ------------------------------------------------------------------------------------ */

static uint8_t *seal_one(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const struct kf_text *plain = &a->call->payload[0], *aad = &a->call->aad;
    uint8_t digest[KF_DIGEST_LEN], nonce[KF_NONCE_LEN];
    const size_t len = plain->len + KF_BLOB_OVERHEAD;
    void *slot;
    *status = kf_nonces_next(a->nonces, nonce, a->alone);
    if (*status == KF_OK) *status = kf_slot_pin(&slot, a->ticket->facts.key, KF_KIND_KEY);
    if (*status != KF_OK) return NULL;
    kf_answer_digest(digest, a);
    uint8_t *blob = kf_msgpack_put_bin(at, len);
    kf_blob_seal_nonce(slot, blob, nonce, plain->at, plain->len, digest, aad->at, aad->len);
    kf_slot_unpin(a->ticket->facts.key);
    *data = (kf_answer_data){.at = (size_t)(blob - at), .len = len};
    return blob + len;
}

/* ---- Encrypt ---------------------------------------------------------------------------------------- */

static uint8_t *seal_many(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const kf_call *call = a->call;
    const int64_t num = (int64_t)call->columns[0].num;
    const size_t context_len = kf_answer_context_len(call);
    void *room = a->room;
    kf_layout l;
    uint8_t *context = kf_answer_cut(&room, context_len);
    kf_answer_put_context(context, call);
    at = kf_layout_put(at, &l, data, &call->columns[0], &room, KF_BLOB_OVERHEAD);
    *status = !at ? KF_ERR_ARGUMENT
                  : kf_blob_seal(a->ticket->facts.key, l.out, l.out_len, l.offsets, l.ptrs, &l.in, num, l.left_out,
                                 context, context_len, NULL, a->threads);
    return *status == KF_OK ? at : NULL;
}

static uint64_t longest(const kf_call_column *column) {
    return column->packed && !column->lengths ? column->width : column->data.len;
}

static int plan_blobs(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    const kf_call_column *column = &call->columns[0];
    const uint64_t num = kf_call_records(call), bytes = call->many ? column->data.len : call->payload[0].len;
    if ((call->many ? longest(column) : bytes) > ticket->facts.max_record) return 0;
    /* of each record in a list a header, in a packed column its length */
    const uint64_t bound = bytes + num * (KF_BLOB_OVERHEAD + 8);
    if (bound > most_bytes) return 0;
    plan->bound += bound;
    plan->cost = cost_of(num, bytes);
    if (call->many) plan->room = kf_layout_room(column) + kf_answer_piece(kf_answer_context_len(call));
    return 1;
}

static uint8_t *seal(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    return (a->call->many ? seal_many : seal_one)(at, data, status, a);
}

const kf_answer_maker kf_answer_blobs = {plan_blobs, seal};

/* ---- data keys and random bytes --------------------------------------------------------------------- */

static int has_plain(const kf_call *call) { return call->op == KF_OP_DATA_KEY; }

/* A packed column of count records of width bytes, or of a single call the bin; *bytes: where they go. */
static uint8_t *put_widths(uint8_t *at, uint8_t **bytes, const kf_call *call, uint64_t width) {
    if (call->many) {
        at = kf_msgpack_put_array(at, 3);
        at = kf_msgpack_put_uint(at, call->count);
        at = kf_msgpack_put_uint(at, width);
    }
    const uint64_t len = kf_call_records(call) * width;
    *bytes = kf_msgpack_put_bin(at, len);
    return *bytes + len;
}

static int plan_sizes(kf_answer_plan *plan, const kf_call *call, uint64_t width, uint64_t bytes_cost) {
    const uint64_t num = kf_call_records(call);
    if (call->size < 1 || call->size > RANDOM_MAX || (call->many && !call->count)) return 0;
    const uint64_t bound = num * width;
    if (bound > most_bytes) return 0;
    plan->bound += bound;
    plan->cost = cost_of(num, bound) + bound * bytes_cost;
    return 1;
}

static int plan_data_keys(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    (void)ticket;
    if (!plan_sizes(plan, call, KF_BLOB_OVERHEAD + 2 * call->size, 0)) return 0;
    /* plaintexts that the answer does not have are made in the room */
    plan->room = kf_answer_piece(kf_answer_context_len(call)) +
                 (has_plain(call) ? 0 : kf_answer_piece(kf_call_records(call) * call->size));
    return 1;
}

static int fill_random(uint8_t *out, uint64_t len) {
    kf_rng rng;
    if (len <= RANDOM_MAX) return kf_random(out, len);
    int status = kf_rng_init(&rng);
    if (status == KF_OK) status = kf_rng_fill(&rng, out, len);
    kf_rng_wipe(&rng);
    return status;
}

static int seal_keys(uint8_t *blobs, const uint8_t *plains, const uint8_t *context, const kf_answering *a) {
    const kf_call *call = a->call;
    const int64_t num = (int64_t)kf_call_records(call), len = num * (int64_t)call->size;
    const struct kf_column in = {.data = plains, .data_len = len, .width = (int64_t)call->size};
    return kf_blob_seal(a->ticket->facts.key, blobs, len + num * KF_BLOB_OVERHEAD, NULL, NULL, &in, num, NULL, context,
                        kf_answer_context_len(call), NULL, a->threads);
}

static uint8_t *make_data_keys(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const kf_call *call = a->call;
    const uint64_t len = kf_call_records(call) * call->size;
    void *room = a->room;
    uint8_t *plains, *blobs, *context = kf_answer_cut(&room, kf_answer_context_len(call));
    (void)data;
    kf_answer_put_context(context, call);
    if (has_plain(call)) {
        at = kf_msgpack_put_array(at, 2);
        at = put_widths(at, &plains, call, call->size);
    } else {
        plains = kf_answer_cut(&room, len);
    }
    at = put_widths(at, &blobs, call, call->size + KF_BLOB_OVERHEAD);
    *status = fill_random(plains, len);
    if (*status == KF_OK) *status = seal_keys(blobs, plains, context, a);
    if (!has_plain(call)) kf_wipe(plains, len);
    return *status == KF_OK ? at : NULL;
}

static int plan_random(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    (void)ticket;
    return plan_sizes(plan, call, call->size, 0);
}

static uint8_t *make_random(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    uint8_t *bytes, *const start = at;
    at = put_widths(at, &bytes, a->call, a->call->size);
    *data = (kf_answer_data){.at = (size_t)(bytes - start), .len = (size_t)(at - bytes)};
    *status = fill_random(bytes, data->len);
    return *status == KF_OK ? at : NULL;
}

const kf_answer_maker kf_answer_data_keys = {plan_data_keys, make_data_keys};
const kf_answer_maker kf_answer_random = {plan_random, make_random};
