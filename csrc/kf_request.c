/*
 * The members of a usual request. Whatever is not read here is left to the general way, which validates it and says
 * what is wrong with it; so a body that is refused here costs time and nothing else, and one that is accepted must
 * mean the same there. Lengths and names are checked by whoever knows AWS's service model.
 */
#include "kf_request.h"

#include <string.h>

#include "kf_base64.h"

typedef int reader(kf_request *request, kf_json *json);

static int read_key(kf_request *request, kf_json *json) {
    return kf_json_string(json, &request->key) && request->key.len > 0;
}

static int read_base64(kf_request *request, kf_json *json) {
    if (!kf_json_string(json, &request->payload)) return 0;
    request->payload_len = kf_base64_decoded_len(request->payload.at, request->payload.len);
    return request->payload_len > 0 && request->payload_len != SIZE_MAX;
}

/* A data key has one of these: the other finds the payload there. */
static int read_spec(kf_request *request, kf_json *json) {
    if (request->payload.at || !kf_json_string(json, &request->payload)) return 0;
    request->payload.at--, request->payload.len += 2;
    request->payload_len = request->payload.len;
    return 1;
}

static int read_number(kf_request *request, kf_json *json) {
    if (request->payload.at || !kf_json_number(json, &request->payload)) return 0;
    request->payload_len = request->payload.len;
    return 1;
}

static int read_context(kf_request *request, kf_json *json) {
    kf_json_text name, value;
    enum kf_json_next next;
    if (!kf_json_open(json)) return 0;
    request->has_context = 1;
    for (int first = 1; (next = kf_json_member(json, &name, first)) == KF_JSON_MEMBER; first = 0)
        if (!kf_json_string(json, &value) ||
            !kf_pairs_insert(request->names, request->values, &request->num_pairs, &name, &value))
            return 0;
    return next == KF_JSON_END;
}

typedef struct {
    const char *name;
    reader *read;
} member;

enum { MOST_MEMBERS = 4 };

static const member members[][MOST_MEMBERS] = {
    [KF_REQUEST_ENCRYPT] = {{"KeyId", read_key}, {"Plaintext", read_base64}, {"EncryptionContext", read_context}},
    [KF_REQUEST_DECRYPT] = {{"CiphertextBlob", read_base64}, {"KeyId", read_key}, {"EncryptionContext", read_context}},
    [KF_REQUEST_DATA_KEY] = {{"KeyId", read_key}, {"KeySpec", read_spec}, {"NumberOfBytes", read_number},
                             {"EncryptionContext", read_context}},
};

/* The index of a name among the members, or MOST_MEMBERS. */
static size_t member_of(const member known[MOST_MEMBERS], const kf_json_text *name) {
    size_t i = 0;
    while (i < MOST_MEMBERS && (!known[i].name || strlen(known[i].name) != name->len ||
                                memcmp(known[i].name, name->at, name->len) != 0))
        i++;
    return i;
}

int kf_request_parse(kf_request *request, enum kf_request_kind kind, const uint8_t *body, size_t body_len) {
    const member *known = members[kind];
    kf_json json = {body, body + body_len};
    kf_json_text name;
    enum kf_json_next next;
    unsigned seen = 0;
    request->key.at = request->payload.at = NULL;
    request->key.len = request->num_pairs = 0;
    request->has_context = 0;
    if (body_len > KF_REQUEST_MAX || !kf_json_open(&json)) return 0;
    for (int first = 1; (next = kf_json_member(&json, &name, first)) == KF_JSON_MEMBER; first = 0) {
        const size_t i = member_of(known, &name);
        if (i == MOST_MEMBERS || seen >> i & 1 || !known[i].read(request, &json)) return 0;
        seen |= 1U << i;
    }
    return next == KF_JSON_END && kf_json_done(&json) && request->payload.at &&
           (request->key.at || kind == KF_REQUEST_DECRYPT);
}

void kf_request_context(const kf_request *request, kf_sha256_ctx *hash) {
    kf_pairs_hash(request->names, request->values, request->num_pairs, hash);
}

uint64_t kf_request_scan(int kind, const uint8_t *body, size_t body_len) {
    kf_request r;
    if (kind < KF_REQUEST_ENCRYPT || kind > KF_REQUEST_DATA_KEY) return 0;
    if (!kf_request_parse(&r, (enum kf_request_kind)kind, body, body_len)) return 0;
    const uint64_t key_at = r.key.at ? (uint64_t)(r.key.at - body) : 0;
    return key_at | (uint64_t)r.key.len << 16 | (uint64_t)(r.payload.at - body) << 32 | (uint64_t)r.payload_len << 48;
}
