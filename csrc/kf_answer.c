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
