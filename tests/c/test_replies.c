/* Replies to usual requests beside the functions on blobs, and what they leave behind. */
#include <stdlib.h>

#include "kf_base64.h"
#include "kf_blob.h"
#include "kf_request.h"
#include "kft_buffer.h"
#include "kft_calls.h"
#include "kft_stack.h"

enum { MOST = KF_REQUEST_PLAIN, MOST_BLOB = MOST + KF_BLOB_OVERHEAD, ROOM = 2 * MOST_BLOB + 200 };

static const char CONTEXT[] = ",\"EncryptionContext\":{\"b\":\"2\",\"a\":\"1\"}";
static const uint8_t CANONICAL[] = "\0\0\0\1a\0\0\0\0011\0\0\0\1b\0\0\0\0012";

#define TEXT(text) {(const uint8_t *)(text), sizeof(text) - 1}

static struct kf_reply reply_of(const kft_library *l) {
    return (struct kf_reply){l->binding, TEXT("<"), TEXT("|"), TEXT(">")};
}

static size_t put(char *body, size_t at, const char *text) {
    memcpy(body + at, text, strlen(text));
    return at + strlen(text);
}

static size_t put_base64(char *body, size_t at, const uint8_t *bytes, size_t len) {
    kf_base64_encode((uint8_t *)body + at, bytes, len);
    return at + KF_BASE64_LEN(len);
}

static size_t request(char *body, const char *payload, const uint8_t *bytes, size_t len, int with_context) {
    size_t at = put(body, 0, "{\"KeyId\":\"k\",\"");
    at = put(body, at, payload);
    at = put(body, at, "\":\"");
    at = put_base64(body, at, bytes, len);
    at = put(body, at, "\"");
    at = put(body, at, with_context ? CONTEXT : "");
    return put(body, at, "}");
}

/* The bytes between two characters of an answer. */
static size_t between(uint8_t *bytes, const uint8_t *answer, size_t len, int from, int to) {
    const uint8_t *start = memchr(answer, from, len), *end = memchr(answer, to, len);
    CHECK(start && end && start < end, "an answer has no %c and %c", from, to);
    if (!start || !end || start >= end) return 0;
    const size_t chars = (size_t)(end - start - 1), size = kf_base64_decoded_len(start + 1, chars);
    CHECK(size != SIZE_MAX && kf_base64_decode(bytes, start + 1, chars), "an answer is no base64");
    return size;
}

static void check_length(const kft_library *l, size_t len, int with_context) {
    static uint8_t text[MOST], blob[MOST_BLOB], opened[MOST], answer[ROOM];
    static char body[ROOM];
    const struct kf_reply reply = reply_of(l);
    const size_t context_len = with_context ? sizeof CANONICAL - 1 : 0;
    uint8_t status;
    kft_random random = {len};
    kft_fill(&random, text, len);
    size_t body_len = request(body, "Plaintext", text, len, with_context);
    const size_t room = KF_BASE64_LEN(len + KF_BLOB_OVERHEAD) + 2;
    int made = kf_reply_encrypt(&reply, answer, room, (const uint8_t *)body, body_len);
    CHECK(made == (int)room, "encrypting %zu bytes: %d", len, made);
    CHECK(kf_reply_encrypt(&reply, answer, room - 1, (const uint8_t *)body, body_len) == KF_ERR_ARGUMENT, "no room");
    CHECK(between(blob, answer, room, '<', '>') == len + KF_BLOB_OVERHEAD, "a blob of %zu bytes", len);
    CHECK(kf_blob_open_one(l->key, opened, &status, blob, len + KF_BLOB_OVERHEAD, CANONICAL, context_len, NULL, 0) ==
                  KF_OK && memcmp(opened, text, len) == 0, "the blob of %zu bytes does not open", len);

    CHECK(kf_blob_seal_one(l->key, blob, text, len, CANONICAL, context_len, NULL, 0) == KF_OK, "seal");
    body_len = request(body, "CiphertextBlob", blob, len + KF_BLOB_OVERHEAD, with_context);
    const size_t room_back = KF_BASE64_LEN(len) + 2;
    made = kf_reply_decrypt(&reply, answer, room_back, (const uint8_t *)body, body_len);
    CHECK(made == (int)room_back && between(opened, answer, room_back, '<', '>') == len &&
          memcmp(opened, text, len) == 0, "decrypting %zu bytes: %d", len, made);
    CHECK(kf_reply_decrypt(&reply, answer, room_back - 1, (const uint8_t *)body, body_len) == KF_ERR_ARGUMENT, "no room");
    body_len = request(body, "CiphertextBlob", blob, len + KF_BLOB_OVERHEAD, !with_context);
    CHECK(kf_reply_decrypt(&reply, answer, room_back, (const uint8_t *)body, body_len) == KF_ERR_AUTH, "another context");
}

static void check_data_keys(const kft_library *l, size_t len, int with_plaintext) {
    static const char body[] = "{\"KeyId\":\"k\",\"NumberOfBytes\":5}"; /* the caller reads the number */
    static uint8_t answer[ROOM], blob[MOST_BLOB], opened[MOST], plain[MOST];
    struct kf_reply reply = reply_of(l);
    uint8_t status;
    if (!with_plaintext) reply.between.len = 0;
    const size_t room = KF_BASE64_LEN(len + KF_BLOB_OVERHEAD) + 2 + (with_plaintext ? 1 + KF_BASE64_LEN(len) : 0);
    const int made = kf_reply_data_key(&reply, answer, room, (const uint8_t *)body, sizeof body - 1, len);
    CHECK(made == (int)room, "a data key of %zu bytes: %d", len, made);
    CHECK(between(blob, answer, room, '<', with_plaintext ? '|' : '>') == len + KF_BLOB_OVERHEAD, "its blob");
    CHECK(kf_blob_open_one(l->key, opened, &status, blob, len + KF_BLOB_OVERHEAD, NULL, 0, NULL, 0) == KF_OK, "it opens");
    if (with_plaintext)
        CHECK(between(plain, answer, room, '|', '>') == len && memcmp(plain, opened, len) == 0, "its plaintext");
    CHECK(kf_reply_data_key(&reply, answer, room - 1, (const uint8_t *)body, sizeof body - 1, len) == KF_ERR_ARGUMENT,
          "no room");
}

static void check_refusals(const kft_library *l) {
    static const uint8_t longer[MOST + 1];
    static uint8_t answer[ROOM];
    static char body[ROOM];
    struct kf_reply reply = reply_of(l);
    const uint8_t *text = (const uint8_t *)body;
    size_t len = request(body, "Plaintext", longer, sizeof longer, 0);
    CHECK(kf_reply_encrypt(&reply, answer, sizeof answer, text, len) == KF_ERR_TYPE, "a plaintext too long");
    len = request(body, "Plaintext", longer, 30, 0);
    CHECK(kf_reply_decrypt(&reply, answer, sizeof answer, text, len) == KF_ERR_TYPE, "of another operation");
    CHECK(kf_reply_data_key(&reply, answer, sizeof answer, text, len, 32) == KF_ERR_TYPE, "of another operation");
    body[len - 4] = '*';
    CHECK(kf_reply_encrypt(&reply, answer, sizeof answer, text, len) == KF_ERR_TYPE, "no base64");
    len = request(body, "CiphertextBlob", longer, KF_BLOB_OVERHEAD - 1, 0);
    CHECK(kf_reply_decrypt(&reply, answer, sizeof answer, text, len) == KF_ERR_TYPE, "shorter than a blob");
    len = request(body, "CiphertextBlob", l->blob, KFT_BLOB_LEN, 0);
    CHECK(kf_reply_decrypt(&reply, answer, sizeof answer, text, len) > 0, "a blob");
    CHECK(kf_reply_encrypt(&reply, answer, sizeof answer, text, len) == KF_ERR_TYPE, "of another operation");
    reply.binding.key = l->mac_key;
    CHECK(kf_reply_decrypt(&reply, answer, sizeof answer, text, len) == KF_ERR_KIND, "a key of another kind");
    reply.binding.key = 77;
    CHECK(kf_reply_decrypt(&reply, answer, sizeof answer, text, len) == KF_ERR_STALE, "no key");
    CHECK(kf_reply_random(&reply, answer, 42, 30) == 42 && kf_reply_random(&reply, answer, 41, 30) == KF_ERR_ARGUMENT,
          "random bytes");
    CHECK(kf_reply_random(&reply, answer, sizeof answer, 0) == KF_ERR_ARGUMENT &&
          kf_reply_random(&reply, answer, sizeof answer, 1025) == KF_ERR_ARGUMENT, "bounds of random bytes");
}

#if KFT_STACK_TELLS

/* Of a plaintext, in the clear or in base64, no eight bytes are left on the stack. */
typedef struct {
    struct kf_reply reply;
    const char *body;
    size_t body_len;
    int decrypting;
    uint8_t answer[1000];
} call;

static void *run(void *arg) {
    call *c = arg;
    const uint8_t *body = (const uint8_t *)c->body;
    if (c->decrypting)
        kf_reply_decrypt(&c->reply, c->answer, sizeof c->answer, body, c->body_len);
    else
        kf_reply_encrypt(&c->reply, c->answer, sizeof c->answer, body, c->body_len);
    return NULL;
}

static void check_residue(const kft_library *l) {
    static uint8_t text[100], chars[KF_BASE64_LEN(sizeof text)], blob[sizeof text + KF_BLOB_OVERHEAD];
    static uint8_t eights[sizeof text + sizeof chars][8];
    static char body[ROOM];
    uint8_t *stack = kft_stack_new();
    kft_random random = {5};
    kft_fill(&random, text, sizeof text);
    kf_base64_encode(chars, text, sizeof text);
    size_t num = 0;
    for (size_t i = 0; i + 8 <= sizeof text; i++) memcpy(eights[num++], text + i, 8);
    for (size_t i = 0; i + 8 <= sizeof chars; i++) memcpy(eights[num++], chars + i, 8);
    CHECK(kf_bound_seal(&l->binding, blob, text, sizeof text) == KF_OK, "seal");
    for (int decrypting = 0; decrypting <= 1; decrypting++) {
        call c = {.reply = reply_of(l), .body = body, .decrypting = decrypting};
        c.body_len = decrypting ? request(body, "CiphertextBlob", blob, sizeof blob, 0)
                                : request(body, "Plaintext", text, sizeof text, 0);
        kft_stack_run(stack, run, &c);
        const size_t left = kft_stack_found(stack, eights, num, 8);
        CHECK(left == 0, "%s: %zu times 8 bytes of a plaintext are left", decrypting ? "decrypt" : "encrypt", left);
    }
    free(stack);
}

#endif

void test_replies(const kft_env *env) {
    kft_library l;
    (void)env;
    CHECK(kft_library_open(&l) == KF_OK, "the library does not open");
    for (size_t len = 1; len <= MOST; len = len < 100 ? len + 1 : len * 2 > MOST && len < MOST ? MOST : len * 2)
        for (int with_context = 0; with_context <= 1; with_context++) check_length(&l, len, with_context);
    for (size_t len = 1; len <= KF_REPLY_RANDOM; len = len < 70 ? len + 1 : len + 53)
        for (int with_plaintext = 0; with_plaintext <= 1; with_plaintext++) check_data_keys(&l, len, with_plaintext);
    check_refusals(&l);
#if KFT_STACK_TELLS
    check_residue(&l);
#endif
    kft_library_close(&l);
}
