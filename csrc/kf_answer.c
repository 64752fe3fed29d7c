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
    if (a->call->many && !data->has_errors) at = kf_msgpack_put_nil(at);
    if (data->len) data->at += head_len;
    const size_t len = (size_t)(at - out);
    kf_store32_be(out, (uint32_t)(len - KF_FRAME_LEN));
    return (int64_t)len;
}

/* ---- what the files of answers share ------------------------------------------------------------- */

void kf_answer_digest(uint8_t digest[KF_DIGEST_LEN], const kf_answering *a) {
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

size_t kf_answer_context_len(const kf_call *call) {
    size_t len = 0;
    for (size_t i = 0; i < call->num_pairs; i++) len += 8 + call->names[i].len + call->values[i].len;
    return len;
}

static uint8_t *put_framed(uint8_t *at, const struct kf_text *text) {
    kf_store32_be(at, (uint32_t)text->len);
    memcpy(at + 4, text->at, text->len);
    return at + 4 + text->len;
}

void kf_answer_put_context(uint8_t *at, const kf_call *call) {
    for (size_t i = 0; i < call->num_pairs; i++) {
        at = put_framed(at, &call->names[i]);
        at = put_framed(at, &call->values[i]);
    }
}

const kf_ticket_entry *kf_answer_other(const kf_answering *a, const uint8_t header[KF_HEADER_LEN]) {
    kf_answer_others *others = a->others;
    for (size_t i = 0; i < others->num; i++)
        if (memcmp(others->tickets[i]->fact.at, header, KF_HEADER_LEN) == 0) return others->tickets[i];
    if (others->num == KF_ANSWER_KEYS_MAX - 1 || !a->ticket->arns.at) return NULL;
    kf_ticket_entry *found = kf_ticket_of_blobs(a->source, a->ticket->caller, a->call, header);
    if (found) others->tickets[others->num++] = found;
    return found;
}

void kf_answer_let_go(kf_answer_others *others) {
    while (others->num) kf_ticket_let_go(others->tickets[--others->num]);
}
