/* The frame of an answer, and which file makes what is in it. */
#include "kf_answer.h"

#include "kf_blob.h"

static const kf_answer_maker *const makers[KF_OP_LAST_SINGLE + 1] = {
    [KF_OP_ENCRYPT] = &kf_answer_blobs,
    [KF_OP_DECRYPT] = &kf_answer_opened,
    [KF_OP_DATA_KEY] = &kf_answer_data_keys,
    [KF_OP_DATA_KEY_BLOB] = &kf_answer_data_keys,
    [KF_OP_SIGN] = &kf_answer_signatures,
    [KF_OP_VERIFY] = &kf_answer_verified,
    [KF_OP_MAC] = &kf_answer_macs,
    [KF_OP_VERIFY_MAC] = &kf_answer_macs_verified,
    [KF_OP_RANDOM] = &kf_answer_random,
};

int kf_nonces_next(kf_nonces *nonces, uint8_t nonce[KF_NONCE_LEN], int alone) {
    if (!nonces->left) {
        if (alone && !nonces->seeded) return kf_random(nonce, KF_NONCE_LEN);
        int status = nonces->seeded ? KF_OK : kf_rng_init(&nonces->rng);
        nonces->seeded = status == KF_OK;
        if (status == KF_OK) status = kf_rng_fill(&nonces->rng, nonces->drawn, sizeof nonces->drawn);
        if (status != KF_OK) return status;
        nonces->left = KF_NONCES;
    }
    memcpy(nonce, nonces->drawn + (size_t)KF_NONCE_LEN * --nonces->left, KF_NONCE_LEN);
    return KF_OK;
}

void kf_nonces_end(kf_nonces *nonces) {
    if (nonces->seeded) kf_rng_wipe(&nonces->rng);
    nonces->seeded = 0, nonces->left = 0;
}

int kf_answer_plan_for(kf_answer_plan *plan, const kf_call *call, const kf_ticket_entry *ticket) {
    *plan = (kf_answer_plan){.bound = KF_FRAME_LEN + KF_ANSWER_HEADS};
    return makers[call->op]->plan(plan, call, ticket);
}

int64_t kf_answer(uint8_t *out, kf_answer_data *data, const kf_answering *a) {
    int status = KF_OK;
    *data = (kf_answer_data){.at = 0};
    uint8_t *at = kf_msgpack_put_array(out + KF_FRAME_LEN, 3);
    at = kf_msgpack_put_uint(at, a->call->id);
    at = kf_msgpack_put_uint(at, 0);
    if (a->call->many) at = kf_msgpack_put_array(at, 2);
    const size_t head_len = (size_t)(at - out);
    at = makers[a->call->op]->make(at, data, &status, a);
    if (!at) return status;
    if (a->call->many) at = kf_msgpack_put_nil(at); /* no errors */
    if (data->len) data->at += head_len;
    const size_t len = (size_t)(at - out);
    kf_store32_be(out, (uint32_t)(len - KF_FRAME_LEN));
    return (int64_t)len;
}

/* ---- events -------------------------------------------------------------------------------------- */

static const char context_name[] = "EncryptionContext", size_name[] = "NumberOfBytes", digest_name[] = "MessageType";
enum { EVENT_MEMBERS = 13, EVENT_HEADS = 160 /* of what is in no text */ };

static int has_size(const kf_call *call) {
    return call->op == KF_OP_DATA_KEY || call->op == KF_OP_DATA_KEY_BLOB || call->op == KF_OP_RANDOM;
}

static uint8_t *put_text(uint8_t *at, const struct kf_text *text) {
    if (text->len) memcpy(at, text->at, text->len);
    return at + text->len;
}

static uint8_t *put_request(uint8_t *at, const kf_call *call, const struct kf_ticket *t) {
    at = kf_msgpack_put_map(at, t->num_members + (uint64_t)has_size(call) + (call->num_pairs > 0) + (call->digest != 0));
    at = put_text(at, &t->members);
    if (has_size(call)) {
        at = kf_msgpack_put_str(at, size_name, sizeof size_name - 1);
        at = kf_msgpack_put_uint(at, call->size);
    }
    if (call->digest) {
        at = kf_msgpack_put_str(at, digest_name, sizeof digest_name - 1);
        at = kf_msgpack_put_str(at, "DIGEST", 6);
    }
    if (!call->num_pairs) return at;
    at = kf_msgpack_put_str(at, context_name, sizeof context_name - 1);
    return put_text(at, &call->context);
}

static char *put_decimal(char *end, uint64_t x) {
    do *--end = (char)('0' + x % 10);
    while (x /= 10);
    return end;
}

/* CONNECTION-ID: what the request is called, here and where the server answers one itself. */
static uint8_t *put_request_id(uint8_t *at, uint64_t conn, uint64_t id) {
    char text[44], *end = text + sizeof text, *start = put_decimal(end, id);
    *--start = '-';
    start = put_decimal(start, conn);
    return kf_msgpack_put_str(at, start, (size_t)(end - start));
}

size_t kf_answer_event_bound(const kf_call *call, const kf_ticket_entry *ticket) {
    return EVENT_HEADS + ticket->facts.event.len + ticket->facts.members.len + call->context.len;
}

size_t kf_answer_event(uint8_t *out, const kf_call *call, const kf_ticket_entry *ticket, uint64_t failed, uint64_t now,
                       uint64_t conn) {
    const struct kf_ticket *t = &ticket->facts;
    uint8_t *at = kf_msgpack_put_array(out, EVENT_MEMBERS);
    at = kf_msgpack_put_uint(at, now);
    at = put_text(at, &t->event);
    at = put_request(at, call, t);
    at = kf_msgpack_put_map(at, 0); /* response: none of an operation that uses a key */
    at = kf_msgpack_put_uint(at, kf_call_records(call));
    at = kf_msgpack_put_uint(at, failed);
    *at++ = t->is_read_only ? 0xc3 : 0xc2;
    at = put_request_id(at, conn, call->id);
    return (size_t)(at - out);
}
