/* Usual requests over HTTP from body to body, their signatures, and the audit log's records. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "cases.h"
#include "kf_base64.h"
#include "kf_sha256.h"

enum { ROOM = 1 << 15, REPEAT = 32 };

#define TEXT(text) {(const uint8_t *)(text), sizeof(text) - 1}

static struct {
    const cases_keys *keys;
    struct kf_reply reply;
    uint8_t body[ROOM], answer[ROOM], key[32], signature[64], event[256];
    size_t body_len;
    int log, lock;
    struct kf_log_end end;
} state;

/* ---- bodies ---------------------------------------------------------------------------------------------------------- */

static void put(const void *bytes, size_t len) {
    memcpy(state.body + state.body_len, bytes, len);
    state.body_len += len;
}

static void put_text(const char *text) { put(text, strlen(text)); }

static void put_base64(const uint8_t *bytes, size_t len) {
    kf_base64_encode(state.body + state.body_len, bytes, len);
    state.body_len += KF_BASE64_LEN(len);
}

#define ENCRYPTION_CONTEXT "\"EncryptionContext\":{\"table\":\"orders\",\"column\":\"email\"}"

static int replies(void) {
    state.keys = cases_open_keys();
    state.reply = (struct kf_reply){.before = TEXT("{\"CiphertextBlob\":\""), .between = TEXT("\",\"Plaintext\":\""),
                                    .after = TEXT("\",\"KeyId\":\"arn\",\"EncryptionAlgorithm\":\"SYMMETRIC_DEFAULT\"}")};
    state.body_len = 0;
    return state.keys && kf_bind(&state.reply.binding, state.keys->key, NULL, 0) == KF_OK;
}

static int encrypt_body(const cases_case *c) {
    cases_fill(cases_in, (size_t)c->len, 9);
    if (!replies()) return 0;
    put_text("{\"KeyId\":\"alias/orders\",\"Plaintext\":\""), put_base64(cases_in, (size_t)c->len);
    put_text("\"," ENCRYPTION_CONTEXT "}");
    return 1;
}

static int decrypt_body(const cases_case *c) {
    const size_t len = (size_t)c->len;
    cases_fill(cases_in, len, 9);
    if (!replies() || kf_blob_seal_one(state.keys->key, cases_out, cases_in, len, CASES_CONTEXT, CASES_CONTEXT_LEN, NULL, 0) !=
                          KF_OK)
        return 0;
    put_text("{\"CiphertextBlob\":\""), put_base64(cases_out, len + KF_BLOB_OVERHEAD);
    put_text("\"," ENCRYPTION_CONTEXT "}");
    return 1;
}

static int data_key_body(const cases_case *c) {
    (void)c;
    if (!replies()) return 0;
    put_text("{\"KeyId\":\"alias/orders\",\"KeySpec\":\"AES_256\"," ENCRYPTION_CONTEXT "}");
    return 1;
}

static size_t encrypt(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_request_scan(KF_REQUEST_ENCRYPT, state.body, state.body_len) == 0 ||
                  kf_reply_encrypt(&state.reply, state.answer, ROOM, state.body, state.body_len) <= 0;
    return failed;
}

static size_t decrypt(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_request_scan(KF_REQUEST_DECRYPT, state.body, state.body_len) == 0 ||
                  kf_reply_decrypt(&state.reply, state.answer, ROOM, state.body, state.body_len) <= 0;
    return failed;
}

static size_t data_key(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_request_scan(KF_REQUEST_DATA_KEY, state.body, state.body_len) == 0 ||
                  kf_reply_data_key(&state.reply, state.answer, ROOM, state.body, state.body_len, (size_t)c->len) <= 0;
    return failed;
}

static size_t recorded(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_request_recorded(state.answer, ROOM, KF_REQUEST_ENCRYPT, state.body, state.body_len) <= 0;
    return failed;
}

/* ---- signatures of requests ------------------------------------------------------------------------------------------ */

static const char SCOPE[] = "AWS4-HMAC-SHA256\n20261128T100000Z\n20261128/us-east-1/kms/aws4_request\n";
static const char HEAD[] = "POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:kms.us-east-1.amazonaws.com\n"
                           "x-amz-date:20261128T100000Z\nx-amz-target:TrentService.Encrypt\n\n"
                           "content-type;host;x-amz-date;x-amz-target\n";

static void put_hex(uint8_t out[64], const uint8_t in[32]) {
    for (int i = 0; i < 64; i++) out[i] = (uint8_t)"0123456789abcdef"[i & 1 ? in[i / 2] & 15 : in[i / 2] >> 4];
}

/* What a client does, with the key of one day, region and service. */
static int signed_body(const cases_case *c) {
    uint8_t text[sizeof HEAD + sizeof SCOPE + 64], hash[32];
    kf_hmac_key key;
    if (!encrypt_body(c)) return 0;
    cases_fill(state.key, sizeof state.key, 10);
    memcpy(text, HEAD, sizeof HEAD - 1);
    if (kf_sha256(hash, state.body, state.body_len) != KF_OK) return 0;
    put_hex(text + sizeof HEAD - 1, hash);
    if (kf_sha256(hash, text, sizeof HEAD - 1 + 64) != KF_OK) return 0;
    memcpy(text, SCOPE, sizeof SCOPE - 1);
    put_hex(text + sizeof SCOPE - 1, hash);
    kf_hmac_key_init(&key, state.key, sizeof state.key);
    kf_hmac(&key, hash, text, sizeof SCOPE - 1 + 64);
    put_hex(state.signature, hash);
    return 1;
}

static size_t check_signature(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_sigv4_check(state.key, (const uint8_t *)SCOPE, sizeof SCOPE - 1, (const uint8_t *)HEAD, sizeof HEAD - 1,
                                 state.body, state.body_len, state.signature) != KF_OK;
    return failed;
}

/* ---- audit log --------------------------------------------------------------------------------------------------------- */

static int open_log(const cases_case *c) {
    (void)c;
    state.log = cases_new_file(), state.lock = cases_new_file();
    state.end = (struct kf_log_end){.segment = 1};
    cases_fill(state.event, sizeof state.event, 11);
    return state.log >= 0 && state.lock >= 0;
}

/* Each by a call of its own, as requests that come one at a time are recorded. */
static size_t append(const cases_case *c) {
    size_t failed = 0;
    const uint32_t len = (uint32_t)c->len;
    uint64_t num;
    for (int i = 0; i < c->num; i++)
        failed += kf_log_append(&state.end, &num, state.lock, state.log, 1, 1ULL << 40, 1, state.event, &len, 1) != KF_OK;
    return failed;
}

const cases_case CASES_REQUESTS[] = {
    {"HTTP Encrypt 64 B", REPEAT, 64, encrypt_body, encrypt},
    {"HTTP Encrypt 4 KiB", REPEAT, 4096, encrypt_body, encrypt},
    {"HTTP Decrypt 64 B", REPEAT, 64, decrypt_body, decrypt},
    {"HTTP Decrypt 4 KiB", REPEAT, 4096, decrypt_body, decrypt},
    {"HTTP GenerateDataKey", REPEAT, 32, data_key_body, data_key},
    {"HTTP Encrypt for the audit log", REPEAT, 64, encrypt_body, recorded},
    {"SigV4 of Encrypt 64 B", REPEAT, 64, signed_body, check_signature},
    {"audit log append 200 B", REPEAT, 200, open_log, append},
    {0},
};
