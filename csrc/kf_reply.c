/*
 * Usual requests answered from body to body: decoded, sealed or opened, and encoded in one call. What is secret is here
 * alone and in the answer, and wiped here. A reply's texts around its values are the caller's (struct kf_reply).
 */
#include <string.h>

#include "kf_base64.h"
#include "kf_blob.h"
#include "kf_metrics.h"
#include "kf_request.h"
#include "kf_rng.h"
#include "kf_util.h"

static uint8_t *put_text(uint8_t *at, const struct kf_text *text) {
    if (text->len) memcpy(at, text->at, text->len);
    return at + text->len;
}

static uint8_t *put_base64(uint8_t *at, const uint8_t *bytes, size_t len) {
    kf_base64_encode(at, bytes, len);
    return at + KF_BASE64_LEN(len);
}

/* What was answered from a template; what was not is counted by whoever answers it. */
static void count(const struct kf_reply *reply, int answered) {
    if (!answered) return;
    kf_metrics_count(KF_COUNTER_USUAL, 1);
    kf_metrics_answered(reply->timer);
}

/* The length of an answer with one value of len bytes. */
static size_t answer_len(const struct kf_reply *reply, size_t len) {
    return reply->before.len + KF_BASE64_LEN(len) + reply->after.len;
}

/* Writes such an answer; returns its length. */
static int put_answer(const struct kf_reply *reply, uint8_t *out, const uint8_t *bytes, size_t len) {
    uint8_t *at = put_text(out, &reply->before);
    at = put_base64(at, bytes, len);
    return (int)(put_text(at, &reply->after) - out);
}

/* The digest of a request's context under a pinned key. */
static void digest_of(uint8_t digest[KF_DIGEST_LEN], const struct kf_binding *binding, const kf_key_slot *key,
                      const kf_request *request) {
    kf_sha256_ctx hash;
    if (!request->num_pairs) {
        memcpy(digest, binding->digest, KF_DIGEST_LEN);
        return;
    }
    kf_blob_digest_begin(&hash, key->prefix);
    kf_request_context(request, &hash);
    kf_sha256_final(&hash, digest);
}

/* Pins the key of a reply and makes the digest for a request; unpinned by the caller. */
static int pin(const kf_key_slot **key, uint8_t digest[KF_DIGEST_LEN], const struct kf_reply *reply,
               const kf_request *request) {
    void *slot;
    int status = kf_init();
    if (status == KF_OK) status = kf_slot_pin(&slot, reply->binding.key, KF_KIND_KEY);
    if (status != KF_OK) return status;
    *key = slot;
    digest_of(digest, &reply->binding, slot, request);
    return KF_OK;
}

static int seal(const struct kf_reply *reply, uint8_t *out, const kf_request *request, const uint8_t *nonce,
                const uint8_t *in, size_t in_len) {
    uint8_t digest[KF_DIGEST_LEN];
    const kf_key_slot *key;
    const int status = pin(&key, digest, reply, request);
    if (status != KF_OK) return status;
    kf_blob_seal_nonce(key, out, nonce, in, in_len, digest, NULL, 0);
    kf_slot_unpin(reply->binding.key);
    return KF_OK;
}

int kf_reply_encrypt(const struct kf_reply *reply, uint8_t *out, size_t out_len, const uint8_t *body,
                     size_t body_len) {
    uint8_t plain[KF_REQUEST_PLAIN], blob[KF_REQUEST_PLAIN + KF_BLOB_OVERHEAD], nonce[KF_NONCE_LEN];
    kf_request r;
    if (!kf_request_parse(&r, KF_REQUEST_ENCRYPT, body, body_len) || r.payload_len > sizeof plain) return KF_ERR_TYPE;
    const size_t blob_len = r.payload_len + KF_BLOB_OVERHEAD;
    if (out_len < answer_len(reply, blob_len)) return KF_ERR_ARGUMENT;
    int status = kf_random(nonce, sizeof nonce);
    if (status != KF_OK) return status;
    status = kf_base64_decode(plain, r.payload.at, r.payload.len)
                 ? seal(reply, blob, &r, nonce, plain, r.payload_len)
                 : KF_ERR_TYPE;
    kf_wipe(plain, r.payload_len);
    kf_wipe_below();
    if (status == KF_OK) kf_metrics_single(KF_TIMER_SEAL, 0);
    count(reply, status == KF_OK);
    return status == KF_OK ? put_answer(reply, out, blob, blob_len) : status;
}

int kf_reply_decrypt(const struct kf_reply *reply, uint8_t *out, size_t out_len, const uint8_t *body,
                     size_t body_len) {
    uint8_t blob[KF_REQUEST_BLOB], plain[KF_REQUEST_BLOB], digest[KF_DIGEST_LEN];
    const kf_key_slot *key;
    kf_request r;
    if (!kf_request_parse(&r, KF_REQUEST_DECRYPT, body, body_len) || r.payload_len > sizeof blob ||
        r.payload_len < KF_BLOB_OVERHEAD || !kf_base64_decode(blob, r.payload.at, r.payload.len))
        return KF_ERR_TYPE;
    const size_t plain_len = r.payload_len - KF_BLOB_OVERHEAD;
    if (out_len < answer_len(reply, plain_len)) return KF_ERR_ARGUMENT;
    int status = pin(&key, digest, reply, &r);
    if (status != KF_OK) return status;
    if (kf_blob_open_with(key, plain, blob, r.payload_len, digest, NULL, 0) != KF_REC_OK) status = KF_ERR_AUTH;
    kf_slot_unpin(reply->binding.key);
    if (status == KF_OK) kf_metrics_single(KF_TIMER_OPEN, 0);
    count(reply, status == KF_OK);
    if (status == KF_OK) status = put_answer(reply, out, plain, plain_len);
    kf_wipe(plain, plain_len);
    kf_wipe_below();
    return status;
}

int kf_reply_data_key(const struct kf_reply *reply, uint8_t *out, size_t out_len, const uint8_t *body,
                      size_t body_len, size_t num_bytes) {
    uint8_t drawn[KF_NONCE_LEN + KF_REPLY_RANDOM], blob[KF_REPLY_RANDOM + KF_BLOB_OVERHEAD], *at = out;
    const uint8_t *const fresh = drawn + KF_NONCE_LEN; /* nonce and data key by one system call */
    kf_request r;
    if (!kf_request_parse(&r, KF_REQUEST_DATA_KEY, body, body_len)) return KF_ERR_TYPE;
    if (num_bytes < 1 || num_bytes > KF_REPLY_RANDOM) return KF_ERR_ARGUMENT;
    const size_t blob_len = num_bytes + KF_BLOB_OVERHEAD;
    const size_t plain_len = reply->between.len ? reply->between.len + KF_BASE64_LEN(num_bytes) : 0;
    if (out_len < answer_len(reply, blob_len) + plain_len) return KF_ERR_ARGUMENT;
    int status = kf_random(drawn, KF_NONCE_LEN + num_bytes);
    if (status == KF_OK) status = seal(reply, blob, &r, drawn, fresh, num_bytes);
    if (status == KF_OK) kf_metrics_single(KF_TIMER_DATA_KEY, 0);
    count(reply, status == KF_OK);
    if (status == KF_OK) {
        at = put_base64(put_text(at, &reply->before), blob, blob_len);
        if (plain_len) at = put_base64(put_text(at, &reply->between), fresh, num_bytes);
        status = (int)(put_text(at, &reply->after) - out);
    }
    kf_wipe(drawn, KF_NONCE_LEN + num_bytes);
    kf_wipe_below();
    return status;
}

int kf_reply_random(const struct kf_reply *reply, uint8_t *out, size_t out_len, size_t num_bytes) {
    uint8_t fresh[KF_REPLY_RANDOM];
    int status = kf_init();
    if (status != KF_OK) return status;
    if (num_bytes < 1 || num_bytes > sizeof fresh || out_len < answer_len(reply, num_bytes)) return KF_ERR_ARGUMENT;
    status = kf_random(fresh, num_bytes);
    count(reply, status == KF_OK);
    if (status == KF_OK) status = put_answer(reply, out, fresh, num_bytes);
    kf_wipe(fresh, num_bytes);
    kf_wipe_below();
    return status;
}
