/*
 * Bodies of requests. Laws: what is not usual is answered by no operation; what is usual is answered, unless its base64
 * is none; the answer to Encrypt decrypts to the same bytes, under the context and no other; base64 is accepted
 * exactly when encoding gives it again.
 */
#include "fuzz.h"
#include "kf_base64.h"
#include "kf_request.h"

enum { ROOM = 1 << 15, NUM_GENUINE = 6 };

#define TEXT(text) {(const uint8_t *)(text), sizeof(text) - 1}
#define GENUINE(text) {.bytes = text, .len = sizeof(text) - 1}

static const fuzz_record genuine[NUM_GENUINE] = {
    GENUINE("{\"KeyId\": \"alias/a\", \"Plaintext\": \"aGVsbG8gd29ybGQsIGhlbGxvIQ==\"}"),
    GENUINE("{\"Plaintext\":\"AAAA\",\"KeyId\":\"k\",\"EncryptionContext\":{\"b\":\"1\",\"a\":\"2\"}}"),
    GENUINE("{\"EncryptionContext\":{},\"KeyId\":\"k\",\"Plaintext\":\"AAAAAAAAAAAAAAAAAAAAAAA=\"}"),
    GENUINE("{\"KeyId\":\"k\",\"KeySpec\":\"AES_256\"}"),
    GENUINE("{\"NumberOfBytes\":32,\"KeyId\":\"k\",\"EncryptionContext\":{\"a\":\"b\"}}"),
    GENUINE("{\"CiphertextBlob\":\"AAAA\",\"KeyId\":\"k\"}"),
};
static struct kf_reply reply = {.before = TEXT("{\"CiphertextBlob\":\""), .after = TEXT("\"}")};
static const struct kf_reply bare;

static void check_base64(const uint8_t *text, size_t len) {
    const size_t size = kf_base64_decoded_len(text, len);
    if (size == SIZE_MAX) return;
    uint8_t *bytes = malloc(size + 1), *again = malloc(KF_BASE64_LEN(size) + 1);
    if (!bytes || !again) abort();
    const int accepted = kf_base64_decode(bytes, text, len);
    kf_base64_encode(again, bytes, size);
    const int same = KF_BASE64_LEN(size) == len && (!len || memcmp(again, text, len) == 0);
    LAW(accepted == same, "base64 of %zu characters: %d", len, accepted);
    free(bytes), free(again);
}

/* The answer to Encrypt, with the context of its request behind it, is a request to decrypt. */
static void check_back(const kf_request *r, const uint8_t *blob, size_t blob_len) {
    static uint8_t body[ROOM], opened[ROOM];
    uint8_t plain[KF_REQUEST_PLAIN];
    struct kf_reply back = bare;
    size_t len = blob_len - 1; /* without the brace that ends it */
    back.binding = reply.binding;
    memcpy(body, blob, len);
    for (int with = 1; with >= 0; with--, len = blob_len - 1) {
        len += (size_t)sprintf((char *)body + len, ",\"EncryptionContext\":{");
        for (size_t i = 0; with && i < r->num_pairs; i++)
            len += (size_t)sprintf((char *)body + len, "%s\"%.*s\":\"%.*s\"", i ? "," : "", (int)r->names[i].len,
                                   (const char *)r->names[i].at, (int)r->values[i].len, (const char *)r->values[i].at);
        body[len++] = '}', body[len++] = '}';
        const int made = kf_reply_decrypt(&back, opened, sizeof opened, body, len);
        if (with || !r->num_pairs)
            LAW(made == (int)r->payload.len && memcmp(opened, r->payload.at, r->payload.len) == 0, "back: %d", made);
        else
            LAW(made == KF_ERR_AUTH, "without the context: %d", made);
    }
    LAW(kf_base64_decode(plain, r->payload.at, r->payload.len), "what was encrypted is no base64");
}

static void run(const uint8_t *data, size_t len) {
    static uint8_t out[ROOM], event[ROOM];
    static uint64_t store, keys[2];
    fuzz_input in = {data, len};
    fuzz_record made;
    if (!store) {
        fuzz_open_library(&store, keys);
        LAW(kf_bind(&reply.binding, keys[0], NULL, 0) == KF_OK, "bind");
    }
    fuzz_make_record(&in, &made, genuine, NUM_GENUINE);
    uint8_t *body = fuzz_copy(made.bytes, made.len);
    for (int kind = KF_REQUEST_ENCRYPT; kind <= KF_REQUEST_DATA_KEY; kind++) {
        kf_request r;
        const int usual = kf_request_parse(&r, (enum kf_request_kind)kind, body, made.len);
        LAW(usual == (kf_request_scan(kind, body, made.len) != 0), "parse and scan");
        const int status = kind == KF_REQUEST_ENCRYPT   ? kf_reply_encrypt(&reply, out, sizeof out, body, made.len)
                           : kind == KF_REQUEST_DECRYPT ? kf_reply_decrypt(&reply, out, sizeof out, body, made.len)
                                                        : kf_reply_data_key(&reply, out, sizeof out, body, made.len, 32);
        LAW(usual || status == KF_ERR_TYPE, "not usual, and %d", status);
        LAW(status > 0 || status == KF_ERR_TYPE || (kind == KF_REQUEST_DECRYPT && status == KF_ERR_AUTH), "%d", status);
        LAW(kind != KF_REQUEST_DATA_KEY || !usual || status > 0, "no data key: %d", status);
        const int recorded = kf_request_recorded(event, made.len + 64, kind, body, made.len);
        LAW(usual ? recorded > 0 : recorded == KF_ERR_TYPE, "recorded: %d", recorded);
        if (kind != KF_REQUEST_DATA_KEY && usual) check_base64(r.payload.at, r.payload.len);
        if (kind == KF_REQUEST_ENCRYPT && status > 0) check_back(&r, out, (size_t)status);
        fuzz_request.tried++, fuzz_request.past_header += (uint64_t)usual;
        fuzz_request.opened += kind == KF_REQUEST_ENCRYPT && status > 0;
    }
    free(body);
}

fuzz_target fuzz_request = {.name = "request", .run = run};
