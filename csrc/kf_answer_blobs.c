/* Answers with blobs: Encrypt, Decrypt, data keys, and random bytes, one or many. */
#include "kf_answer.h"
#include "kf_blob.h"

enum { RANDOM_MAX = 1024, ITEM_COST = 300, BYTES_A_NS = 3 };
static const uint64_t most_bytes = (uint64_t)1 << 31; /* of an answer; what is longer is for the server */

static uint64_t cost_of(uint64_t records, uint64_t bytes) { return records * ITEM_COST + bytes / BYTES_A_NS; }

/* The digest of a request's context under the ticket's key. */
static void digest_of(uint8_t digest[KF_DIGEST_LEN], const kf_answering *a) {
    kf_known_digest *known = a->digest;
    if (!known || !known->is_known) {
        kf_sha256_ctx hash = a->ticket->begun;
        kf_pairs_hash(a->call->names, a->call->values, a->call->num_pairs, &hash);
        kf_sha256_final(&hash, digest);
        if (!known) return;
        memcpy(known->bytes, digest, KF_DIGEST_LEN);
        known->is_known = 1;
    }
    memcpy(digest, known->bytes, KF_DIGEST_LEN);
}

/* The canonical context, for the functions on batches. */
static size_t context_len(const kf_call *call) {
    size_t len = 0;
    for (size_t i = 0; i < call->num_pairs; i++) len += 8 + call->names[i].len + call->values[i].len;
    return len;
}

static uint8_t *put_framed(uint8_t *at, const struct kf_text *text) {
    kf_store32_be(at, (uint32_t)text->len);
    memcpy(at + 4, text->at, text->len);
    return at + 4 + text->len;
}

static void put_context(uint8_t *at, const kf_call *call) {
    for (size_t i = 0; i < call->num_pairs; i++) {
        at = put_framed(at, &call->names[i]);
        at = put_framed(at, &call->values[i]);
    }
}

/* ---- one record ------------------------------------------------------------------------------------ */

static const struct kf_text *aad_of(const kf_call *call) { return &call->aad; }

static uint8_t *seal_one(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const struct kf_text *plain = &a->call->payload[0], *aad = aad_of(a->call);
    uint8_t digest[KF_DIGEST_LEN], nonce[KF_NONCE_LEN];
    const size_t len = plain->len + KF_BLOB_OVERHEAD;
    void *slot;
    *status = kf_nonces_next(a->nonces, nonce, a->alone);
    if (*status == KF_OK) *status = kf_slot_pin(&slot, a->ticket->facts.key, KF_KIND_KEY);
    if (*status != KF_OK) return NULL;
    digest_of(digest, a);
    uint8_t *blob = kf_msgpack_put_bin(at, len);
    kf_blob_seal_nonce(slot, blob, nonce, plain->at, plain->len, digest, aad->at, aad->len);
    kf_slot_unpin(a->ticket->facts.key);
    *data = (kf_answer_data){.at = (size_t)(blob - at), .len = len};
    return blob + len;
}

static uint8_t *open_one(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const struct kf_text *blob = &a->call->payload[0], *aad = aad_of(a->call);
    uint8_t digest[KF_DIGEST_LEN];
    const size_t len = blob->len - KF_BLOB_OVERHEAD; /* as planned, it is not shorter */
    void *slot;
    *status = kf_slot_pin(&slot, a->ticket->facts.key, KF_KIND_KEY);
    if (*status != KF_OK) return NULL;
    digest_of(digest, a);
    uint8_t *plain = kf_msgpack_put_bin(at, len);
    if (kf_blob_open_with(slot, plain, blob->at, blob->len, digest, aad->at, aad->len) != KF_REC_OK)
        *status = KF_ERR_AUTH;
    kf_slot_unpin(a->ticket->facts.key);
    *data = (kf_answer_data){.at = (size_t)(plain - at), .len = len};
    return *status == KF_OK ? plain + len : NULL;
}

/* ---- columns --------------------------------------------------------------------------------------- */

/* Where the results of a column go: the bytes of a packed one, or each into the list. */
typedef struct {
    struct kf_column in;
    uint8_t *out;
    int64_t out_len;
    int64_t *offsets;
    uint8_t **ptrs;
} layout;

/* Packed, of records that all have delta bytes more. NULL: one would have fewer than none. */
static uint8_t *lay_packed(uint8_t *at, layout *l, const kf_call_column *column, void **room, int64_t delta) {
    const uint64_t num = column->num;
    int64_t bad;
    at = kf_msgpack_put_array(at, 3);
    at = kf_msgpack_put_uint(at, num);
    if (!column->lengths) {
        const int64_t width = l->in.width + delta;
        if (width < 0) return NULL;
        l->out_len = width * (int64_t)num;
        at = kf_msgpack_put_uint(at, (uint64_t)width);
    } else {
        l->offsets = kf_answer_cut(room, (num + 1) * sizeof *l->offsets);
        if (kf_offsets_plan(l->offsets, &bad, l->in.offsets, (int64_t)num, l->in.data_len, delta, NULL) != KF_OK)
            return NULL;
        at = kf_msgpack_put_bin(at, 4 * num);
        for (uint64_t i = 0; i < num; i++, at += 4) {
            const int64_t len = l->in.offsets[i + 1] - l->in.offsets[i] + delta;
            if (len < 0) return NULL;
            for (int k = 0; k < 4; k++) at[k] = (uint8_t)((uint64_t)len >> (8 * k));
        }
        l->out_len = l->offsets[num];
    }
    l->out = kf_msgpack_put_bin(at, (uint64_t)l->out_len);
    return l->out + l->out_len;
}

static uint8_t *lay_list(uint8_t *at, layout *l, uint64_t num, void **room, int64_t delta) {
    l->ptrs = kf_answer_cut(room, num * sizeof *l->ptrs);
    at = kf_msgpack_put_array(at, num);
    for (uint64_t i = 0; i < num; i++) {
        const int64_t len = l->in.lens[i] + delta;
        if (len < 0) return NULL;
        l->ptrs[i] = kf_msgpack_put_bin(at, (uint64_t)len);
        at = l->ptrs[i] + len;
    }
    return at;
}

/* Writes all of a column's answer but the results, and says where these go. */
static uint8_t *lay(uint8_t *at, layout *l, kf_answer_data *data, const kf_call_column *column, void **room,
                    int64_t delta) {
    const uint8_t *const start = at;
    *l = (layout){0};
    if (!kf_call_view(&l->in, kf_answer_cut(room, kf_call_view_room(column)), column)) return NULL;
    if (!column->packed) return lay_list(at, l, column->num, room, delta);
    at = lay_packed(at, l, column, room, delta);
    if (at) *data = (kf_answer_data){.at = (size_t)(l->out - start), .len = (size_t)l->out_len};
    return at;
}

static uint8_t *seal_many(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const kf_call *call = a->call;
    const int64_t num = (int64_t)call->columns[0].num;
    void *room = a->room;
    layout l;
    uint8_t *context = kf_answer_cut(&room, context_len(call));
    put_context(context, call);
    at = lay(at, &l, data, &call->columns[0], &room, KF_BLOB_OVERHEAD);
    *status = !at ? KF_ERR_ARGUMENT
                  : kf_blob_seal(a->ticket->facts.key, l.out, l.out_len, l.offsets, l.ptrs, &l.in, num, NULL, context,
                                 context_len(call), NULL, a->threads);
    return *status == KF_OK ? at : NULL;
}

static uint8_t *open_many(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const kf_call *call = a->call;
    const int64_t num = (int64_t)call->columns[0].num;
    int64_t bad = 0, other = 0;
    void *room = a->room;
    layout l;
    uint8_t *context = kf_answer_cut(&room, context_len(call)), *statuses = kf_answer_cut(&room, (size_t)num);
    put_context(context, call);
    at = lay(at, &l, data, &call->columns[0], &room, -KF_BLOB_OVERHEAD);
    *status = !at ? KF_ERR_ARGUMENT
                  : kf_blob_open(l.out, l.out_len, l.offsets, l.ptrs, statuses, &bad, &other, &a->ticket->facts.key, NULL,
                                 1, NULL, &l.in, num, NULL, context, context_len(call), NULL, a->threads);
    if (*status == KF_OK && (bad || other)) *status = KF_ERR_AUTH; /* the server says which, or with which other keys */
    return *status == KF_OK ? at : NULL;
}

/* ---- Encrypt and Decrypt --------------------------------------------------------------------------- */

static uint64_t longest(const kf_call_column *column) {
    return column->packed && !column->lengths ? column->width : column->data.len;
}

static int plan_records(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket, uint64_t growth) {
    const kf_call_column *column = &call->columns[0];
    const uint64_t num = kf_call_records(call), bytes = call->many ? column->data.len : call->payload[0].len;
    if ((call->many ? longest(column) : bytes) > ticket->facts.max_record) return 0;
    /* of each record in a list a header, in a packed column its length */
    const uint64_t bound = bytes + num * (growth + 8);
    if (bound > most_bytes) return 0;
    plan->bound += bound;
    plan->cost = cost_of(num, bytes);
    if (call->many)
        plan->room = kf_answer_piece(kf_call_view_room(column)) + kf_answer_piece((num + 1) * sizeof(int64_t)) +
                     kf_answer_piece(num) + kf_answer_piece(context_len(call));
    return 1;
}

static int plan_blobs(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    return plan_records(plan, call, ticket, KF_BLOB_OVERHEAD);
}

static int plan_opened(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    return (call->many || call->payload[0].len >= KF_BLOB_OVERHEAD) && plan_records(plan, call, ticket, 0);
}

static uint8_t *seal(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    return (a->call->many ? seal_many : seal_one)(at, data, status, a);
}

static uint8_t *open_(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    return (a->call->many ? open_many : open_one)(at, data, status, a);
}

const kf_answer_maker kf_answer_blobs = {plan_blobs, seal}, kf_answer_opened = {plan_opened, open_};

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
    plan->room = kf_answer_piece(context_len(call)) +
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
                        context_len(call), NULL, a->threads);
}

static uint8_t *make_data_keys(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const kf_call *call = a->call;
    const uint64_t len = kf_call_records(call) * call->size;
    void *room = a->room;
    uint8_t *plains, *blobs, *context = kf_answer_cut(&room, context_len(call));
    (void)data;
    put_context(context, call);
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
