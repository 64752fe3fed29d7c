/*
 * What is recorded of a usual request, as the msgpack that the audit log has it in (docs/audit.md): the key's name, the
 * size of a data key, the encryption context. Of plaintexts and ciphertexts nothing is looked at.
 */
#include "kf_request.h"
#include "kf_util.h"

enum { TINY = 0x80, FIX_MAP = 0x80, MAP16 = 0xde, FIX_STR = 0xa0, STR8 = 0xd9, STR16 = 0xda };
enum { UINT8 = 0xcc, UINT16 = 0xcd, UINT32 = 0xce };

/* What is written, and what is not written any more when it does not fit. */
typedef struct {
    uint8_t *at, *end;
    int full;
} writer;

static void put(writer *to, const void *bytes, size_t len) {
    if (to->full || (size_t)(to->end - to->at) < len) {
        to->full = 1;
        return;
    }
    memcpy(to->at, bytes, len);
    to->at += len;
}

/* A byte that says what comes, and a number in 0, 1, 2 or 4 bytes, big-endian. */
static void put_head(writer *to, int kind, uint32_t number, size_t num_bytes) {
    uint8_t head[5] = {(uint8_t)kind}, word[4];
    kf_store32_be(word, number);
    memcpy(head + 1, word + sizeof word - num_bytes, num_bytes);
    put(to, head, 1 + num_bytes);
}

static void put_map(writer *to, size_t num) {
    if (num < 16) put_head(to, FIX_MAP | (int)num, 0, 0);
    else put_head(to, MAP16, (uint32_t)num, 2);
}

/* Of at most KF_REQUEST_MAX bytes. */
static void put_text(writer *to, const void *text, size_t len) {
    if (len < 32) put_head(to, FIX_STR | (int)len, 0, 0);
    else if (len <= UINT8_MAX) put_head(to, STR8, (uint32_t)len, 1);
    else put_head(to, STR16, (uint32_t)len, 2);
    put(to, text, len);
}

static void put_number(writer *to, uint32_t number) {
    if (number < TINY) put_head(to, (int)number, 0, 0);
    else if (number <= UINT8_MAX) put_head(to, UINT8, number, 1);
    else if (number <= UINT16_MAX) put_head(to, UINT16, number, 2);
    else put_head(to, UINT32, number, 4);
}

#define PUT_NAME(to, name) put_text(to, name, sizeof(name) - 1)

/* KeySpec, which stands there with its quotes, or NumberOfBytes, which has at most nine digits. */
static void put_size(writer *to, const kf_json_text *payload) {
    if (*payload->at == '"') {
        PUT_NAME(to, "KeySpec");
        put_text(to, payload->at + 1, payload->len - 2);
        return;
    }
    uint32_t number = 0;
    for (size_t i = 0; i < payload->len; i++) number = number * 10 + (payload->at[i] - '0');
    PUT_NAME(to, "NumberOfBytes");
    put_number(to, number);
}

static void put_context(writer *to, const kf_request *request) {
    PUT_NAME(to, "EncryptionContext");
    put_map(to, request->num_pairs);
    for (size_t i = 0; i < request->num_pairs; i++) {
        put_text(to, request->names[i].at, request->names[i].len);
        put_text(to, request->values[i].at, request->values[i].len);
    }
}

int kf_request_recorded(uint8_t *out, size_t out_len, int kind, const uint8_t *body, size_t body_len) {
    kf_request r;
    writer to = {out, out + out_len, 0};
    if (kind < KF_REQUEST_ENCRYPT || kind > KF_REQUEST_DATA_KEY) return KF_ERR_ARGUMENT;
    if (!kf_request_parse(&r, (enum kf_request_kind)kind, body, body_len)) return KF_ERR_TYPE;
    put_map(&to, (size_t)(r.key.at != NULL) + (kind == KF_REQUEST_DATA_KEY) + (r.has_context != 0));
    if (r.key.at) {
        PUT_NAME(&to, "KeyId");
        put_text(&to, r.key.at, r.key.len);
    }
    if (kind == KF_REQUEST_DATA_KEY) put_size(&to, &r.payload);
    if (r.has_context) put_context(&to, &r);
    return to.full ? KF_ERR_ARGUMENT : (int)(to.at - out);
}
