/* Answers with signatures of P-256 and MACs, and whether such verify, one or many. */
#include "kf_answer.h"
#include "kf_hash.h"
#include "kf_metrics.h"

/* About what one costs, in nanoseconds, alone and among many. */
enum { SIGN_COST = 25000, SIGN_MANY_COST = 9000, VERIFY_COST = 60000, VERIFY_MANY_COST = 25000, MAC_COST = 400,
       DIGEST_LEN = 32, DER_MAX = 72, RAW_LEN = 64 };
static const uint64_t most_bytes = (uint64_t)1 << 31;

static uint64_t bytes_of(const kf_call *call, int i) {
    return call->many ? call->columns[i].data.len : call->payload[i].len;
}

static size_t view_room(const kf_call *call, int i) {
    return call->many ? kf_answer_piece(kf_call_view_room(&call->columns[i])) : 0;
}

/* What all plans have in common; width: bytes of each record's result, at most. */
static int plan_records(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket, uint64_t width,
                        uint64_t cost) {
    const uint64_t num = kf_call_records(call), bytes = bytes_of(call, 0);
    if (!call->many && !bytes) return 0; /* one empty message is refused, which has its words elsewhere */
    if (bytes > ticket->facts.max_record && !(call->many && bytes / (num ? num : 1) <= ticket->facts.max_record))
        return 0;
    if (num * (width + 8) > most_bytes) return 0;
    plan->bound += num * (width + 8);
    plan->cost = num * cost + bytes / 2;
    plan->room = view_room(call, 0);
    return 1;
}

/* Records and what they are compared with are as many. */
static int are_pairs(const kf_call *call) { return !call->many || call->columns[0].num == call->columns[1].num; }

static int view(struct kf_column *out, void **room, const kf_call *call, int i) {
    return kf_call_view(out, NULL, kf_answer_cut(room, kf_call_view_room(&call->columns[i])), &call->columns[i]);
}

static int encoding_of(const kf_call *call) { return call->raw ? KF_P256_RAW : KF_P256_DER; }

/* ---- digests ------------------------------------------------------------------------------------------ */

/* The digests of num records: themselves, when they are digests, or theirs by SHA-256, written to room. */
static int digests_of(struct kf_column *out, void **room, const struct kf_column *in, int64_t num, int are_digests) {
    if (kf_column_check(in, num, 0) != KF_OK) return 0;
    if (are_digests) {
        for (int64_t i = 0; i < num; i++)
            if (kf_column_at(in, i).len != DIGEST_LEN) return 0;
        *out = *in;
        return 1;
    }
    uint8_t *digests = kf_answer_cut(room, (size_t)num * DIGEST_LEN);
    for (int64_t i = 0; i < num; i++) {
        const kf_span record = kf_column_at(in, i);
        if (kf_sha256(digests + DIGEST_LEN * i, record.at, (size_t)record.len) != KF_OK) return 0;
    }
    *out = (struct kf_column){.data = digests, .data_len = num * DIGEST_LEN, .width = DIGEST_LEN};
    return 1;
}

static size_t digests_room(const kf_call *call) {
    return call->digest ? 0 : kf_answer_piece(kf_call_records(call) * DIGEST_LEN);
}

/* One record, as a column. */
static struct kf_column single(const struct kf_text *text) {
    return (struct kf_column){.data = text->at, .data_len = (int64_t)text->len, .width = (int64_t)text->len};
}

/* ---- Sign ---------------------------------------------------------------------------------------------- */

static int plan_signatures(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    const uint64_t num = kf_call_records(call);
    if (!plan_records(plan, call, ticket, DER_MAX, call->many ? SIGN_MANY_COST : SIGN_COST))
        return 0;
    plan->room += digests_room(call);
    if (call->many)
        plan->room += kf_answer_piece(num * DER_MAX) + kf_answer_piece(num * sizeof(int64_t)) + kf_answer_piece(num);
    return 1;
}

static uint8_t *sign_one(uint8_t *at, int *status, const kf_answering *a) {
    const struct kf_column message = single(&a->call->payload[0]);
    uint8_t signature[DER_MAX];
    void *room = a->room;
    struct kf_column digest;
    int64_t len;
    *status = KF_ERR_ARGUMENT;
    if (!digests_of(&digest, &room, &message, 1, a->call->digest)) return NULL;
    *status = kf_p256_sign(a->ticket->facts.key, signature, &len, digest.data, encoding_of(a->call),
                           a->call->deterministic);
    if (*status != KF_OK) return NULL;
    at = kf_msgpack_put_bin(at, (uint64_t)len);
    memcpy(at, signature, (size_t)len);
    return at + len;
}

/* Signatures in the form of the messages' column; lens NULL: all of RAW_LEN bytes. */
static uint8_t *put_list(uint8_t *at, const uint8_t *signatures, const int64_t *lens, uint64_t num) {
    const size_t stride = lens ? DER_MAX : RAW_LEN;
    at = kf_msgpack_put_array(at, num);
    for (uint64_t i = 0; i < num; i++) {
        const size_t len = lens ? (size_t)lens[i] : RAW_LEN;
        at = kf_msgpack_put_bin(at, len);
        memcpy(at, signatures + stride * i, len);
        at += len;
    }
    return at;
}

static uint8_t *put_packed(uint8_t *at, const uint8_t *signatures, const int64_t *lens, uint64_t num) {
    uint64_t total = num * RAW_LEN;
    at = kf_msgpack_put_array(at, 3);
    at = kf_msgpack_put_uint(at, num);
    if (!lens) {
        at = kf_msgpack_put_uint(at, RAW_LEN);
        at = kf_msgpack_put_bin(at, total);
        if (total) memcpy(at, signatures, total);
        return at + total;
    }
    at = kf_msgpack_put_bin(at, 4 * num);
    total = 0;
    for (uint64_t i = 0; i < num; i++, at += 4) {
        for (int k = 0; k < 4; k++) at[k] = (uint8_t)((uint64_t)lens[i] >> (8 * k));
        total += (uint64_t)lens[i];
    }
    at = kf_msgpack_put_bin(at, total);
    for (uint64_t i = 0; i < num; i++) {
        memcpy(at, signatures + (size_t)DER_MAX * i, (size_t)lens[i]);
        at += lens[i];
    }
    return at;
}

static uint8_t *sign_many(uint8_t *at, int *status, const kf_answering *a) {
    const kf_call *call = a->call;
    const uint64_t num = call->columns[0].num;
    struct kf_column messages, digests;
    int64_t bad = 0;
    void *room = a->room;
    *status = KF_ERR_ARGUMENT;
    if (!view(&messages, &room, call, 0)) return NULL;
    if (!digests_of(&digests, &room, &messages, (int64_t)num, call->digest)) return NULL;
    uint8_t *signatures = kf_answer_cut(&room, num * DER_MAX);
    int64_t *lens = kf_answer_cut(&room, num * sizeof *lens);
    uint8_t *statuses = kf_answer_cut(&room, num);
    if (call->raw) lens = NULL;
    *status = kf_p256_sign_batch(a->ticket->facts.key, signatures, lens, statuses, &bad, &digests, (int64_t)num,
                                 encoding_of(call), call->deterministic, a->threads);
    if (*status == KF_OK && bad) *status = KF_ERR_FAULT;
    if (*status != KF_OK) return NULL;
    return call->columns[0].packed ? put_packed(at, signatures, lens, num) : put_list(at, signatures, lens, num);
}

static uint8_t *sign(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    (void)data;
    return (a->call->many ? sign_many : sign_one)(at, status, a);
}

const kf_answer_maker kf_answer_signatures = {plan_signatures, sign};

/* ---- Verify -------------------------------------------------------------------------------------------- */

static int plan_verified(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    if (!are_pairs(call)) return 0;
    if (!plan_records(plan, call, ticket, 1, call->many ? VERIFY_MANY_COST : VERIFY_COST)) return 0;
    plan->room += view_room(call, 1) + digests_room(call);
    return 1;
}

static uint8_t *put_true(uint8_t *at) {
    *at++ = 0xc3;
    return at;
}

/* A signature that does not verify is for the server, which knows what is to be recorded of it. */
static uint8_t *verify_one(uint8_t *at, int *status, const kf_answering *a) {
    const struct kf_column message = single(&a->call->payload[0]);
    const struct kf_text *signature = &a->call->payload[1];
    void *room = a->room;
    struct kf_column digest;
    *status = KF_ERR_ARGUMENT;
    if (!digests_of(&digest, &room, &message, 1, a->call->digest)) return NULL;
    *status = kf_p256_verify(a->ticket->facts.public64, digest.data, signature->at, (int64_t)signature->len,
                             encoding_of(a->call));
    return *status == KF_OK ? put_true(at) : NULL;
}

/* Of num answers, 1 for each record that verifies and else 0, behind them; those that do not are counted. */
static uint8_t *end_truths(uint8_t *truths, uint64_t num, kf_answer_data *data) {
    data->failed = (uint64_t)kf_num_equal(truths, (int64_t)num, 0);
    return truths + num;
}

static uint8_t *verify_many(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const kf_call *call = a->call;
    const uint64_t num = call->columns[0].num;
    struct kf_column messages, digests, signatures;
    void *room = a->room;
    *status = KF_ERR_ARGUMENT;
    if (!view(&messages, &room, call, 0) || !view(&signatures, &room, call, 1)) return NULL;
    if (!digests_of(&digests, &room, &messages, (int64_t)num, call->digest)) return NULL;
    at = kf_msgpack_put_bin(at, num);
    *status = kf_p256_verify_batch(at, a->ticket->facts.public64, &digests, &signatures, (int64_t)num,
                                   encoding_of(call), a->threads);
    return *status == KF_OK ? end_truths(at, num, data) : NULL;
}

static uint8_t *verify(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    return a->call->many ? verify_many(at, data, status, a) : verify_one(at, status, a);
}

const kf_answer_maker kf_answer_verified = {plan_verified, verify};

/* ---- GenerateMac and VerifyMac --------------------------------------------------------------------------- */

static int plan_macs(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    const uint64_t num = kf_call_records(call), mac_len = ticket->facts.mac_len;
    if (mac_len > KF_HASH_MAX_DIGEST) return 0;
    if (!plan_records(plan, call, ticket, mac_len, MAC_COST)) return 0;
    if (call->many && !call->columns[0].packed) plan->room += kf_answer_piece(num * sizeof(uint8_t *));
    return 1;
}

static uint8_t *mac_one(uint8_t *at, int *status, const kf_answering *a) {
    const struct kf_text *message = &a->call->payload[0];
    const size_t len = a->ticket->facts.mac_len;
    at = kf_msgpack_put_bin(at, len);
    *status = kf_mac_one(a->ticket->facts.key, at, len, message->at, message->len);
    return *status == KF_OK ? at + len : NULL;
}

static uint8_t *mac_many(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const kf_call_column *column = &a->call->columns[0];
    const uint64_t num = column->num, len = a->ticket->facts.mac_len;
    const uint8_t *const start = at;
    struct kf_column messages;
    uint8_t *out = NULL, **ptrs = NULL;
    void *room = a->room;
    *status = KF_ERR_ARGUMENT;
    if (!view(&messages, &room, a->call, 0)) return NULL;
    if (column->packed) {
        at = kf_msgpack_put_array(at, 3);
        at = kf_msgpack_put_uint(at, num);
        at = kf_msgpack_put_uint(at, len);
        out = kf_msgpack_put_bin(at, num * len);
        at = out + num * len;
        *data = (kf_answer_data){.at = (size_t)(out - start), .len = num * len};
    } else {
        ptrs = kf_answer_cut(&room, num * sizeof *ptrs);
        at = kf_msgpack_put_array(at, num);
        for (uint64_t i = 0; i < num; i++, at += len) ptrs[i] = at = kf_msgpack_put_bin(at, len);
    }
    *status = kf_mac_batch(a->ticket->facts.key, out, (int64_t)(num * len), ptrs, len, &messages, (int64_t)num, NULL,
                           a->threads);
    return *status == KF_OK ? at : NULL;
}

static uint8_t *mac(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    return a->call->many ? mac_many(at, data, status, a) : mac_one(at, status, a);
}

const kf_answer_maker kf_answer_macs = {plan_macs, mac};

static int plan_macs_verified(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    if (!are_pairs(call) || !plan_records(plan, call, ticket, 1, MAC_COST)) return 0;
    plan->room += view_room(call, 1);
    return 1;
}

static uint8_t *verify_macs(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const uint64_t num = a->call->columns[0].num;
    struct kf_column messages, macs;
    void *room = a->room;
    *status = KF_ERR_ARGUMENT;
    if (!view(&messages, &room, a->call, 0) || !view(&macs, &room, a->call, 1)) return NULL;
    at = kf_msgpack_put_bin(at, num);
    *status = kf_mac_verify_batch(a->ticket->facts.key, at, &messages, &macs, (int64_t)num, NULL, a->threads);
    if (*status != KF_OK) return NULL;
    for (uint64_t i = 0; i < num; i++) at[i] = at[i] == KF_REC_OK;
    return end_truths(at, num, data);
}

static uint8_t *verify_mac(uint8_t *at, kf_answer_data *data, int *status, const kf_answering *a) {
    const struct kf_text *message = &a->call->payload[0], *given = &a->call->payload[1];
    if (a->call->many) return verify_macs(at, data, status, a);
    *status = kf_mac_verify_one(a->ticket->facts.key, given->at, given->len, message->at, message->len);
    return *status == KF_OK ? put_true(at) : NULL;
}

const kf_answer_maker kf_answer_macs_verified = {plan_macs_verified, verify_mac};
