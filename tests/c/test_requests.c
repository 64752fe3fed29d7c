/* Base64 beside a plain one, usual requests and what is none, and their replies. */
#include <stdlib.h>

#include "kf_base64.h"
#include "kf_request.h"
#include "kft_buffer.h"
#include "kft_calls.h"

/* ---- base64 ------------------------------------------------------------------------------------------------ */

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 4648, section 4, by its table. */
static void plain_encode(uint8_t *out, const uint8_t *in, size_t len) {
    for (size_t i = 0; i < len; i += 3, out += 4) {
        const size_t left = len - i < 3 ? len - i : 3;
        uint32_t x = 0;
        for (size_t k = 0; k < 3; k++) x = x << 8 | (k < left ? in[i + k] : 0);
        for (size_t k = 0; k < 4; k++) out[k] = k <= left ? (uint8_t)ALPHABET[x >> (18 - 6 * k) & 63] : '=';
    }
}

enum { MOST = 100, MOST_CHARS = KF_BASE64_LEN(MOST) };

static void check_both_ways(const uint8_t *bytes, size_t len, enum kft_placement placement) {
    uint8_t expected[MOST_CHARS];
    kft_random random = {len};
    const size_t chars = KF_BASE64_LEN(len);
    const kft_buffer in = kft_buffer_of(placement, bytes, len, &random);
    const kft_buffer text = kft_buffer_new(placement, chars, &random), back = kft_buffer_new(placement, len, &random);
    plain_encode(expected, bytes, len);
    kf_base64_encode(text.bytes, in.bytes, len);
    CHECK(kft_buffer_intact(&text) && (!chars || memcmp(text.bytes, expected, chars) == 0), "base64 of %zu bytes", len);
    CHECK(kf_base64_decoded_len(text.bytes, chars) == len, "the length of %zu bytes", len);
    CHECK(kf_base64_decode(back.bytes, text.bytes, chars), "base64 of %zu bytes is refused", len);
    CHECK(kft_buffer_intact(&back) && (!len || memcmp(back.bytes, bytes, len) == 0), "%zu bytes come back", len);
    free(in.allocation), free(text.allocation), free(back.allocation);
    kft_pages_free();
}

/* A text is accepted exactly when encoding what it stands for gives it again. */
static void check_one_character_changed(const uint8_t *bytes, size_t len) {
    uint8_t text[MOST_CHARS], back[MOST + 2], again[MOST_CHARS]; /* changed padding stands for bytes */
    const size_t chars = KF_BASE64_LEN(len);
    plain_encode(text, bytes, len);
    for (size_t at = 0; at < chars; at++) {
        const uint8_t before = text[at];
        for (int c = 0; c < 256; c++) {
            text[at] = (uint8_t)c;
            const size_t size = kf_base64_decoded_len(text, chars);
            const int accepted = size != SIZE_MAX && kf_base64_decode(back, text, chars);
            int same = 0;
            if (size != SIZE_MAX && KF_BASE64_LEN(size) == chars) {
                plain_encode(again, back, size);
                same = memcmp(again, text, chars) == 0;
            }
            CHECK(accepted == same, "%zu bytes with character %zu as %02x: %d", len, at, (unsigned)c, accepted);
        }
        text[at] = before;
    }
}

void test_base64(const kft_env *env) {
    uint8_t bytes[MOST];
    kft_random random = {64};
    (void)env;
    for (size_t len = 0; len <= MOST; len++) {
        kft_fill(&random, bytes, len);
        for (int p = 0; p < KFT_NUM_PLACEMENTS; p++) check_both_ways(bytes, len, (enum kft_placement)p);
        if (len && (len < 30 || len > 97)) check_one_character_changed(bytes, len);
    }
    for (size_t i = 0; i < MOST; i++) bytes[i] = (uint8_t)(i * 17);
    for (size_t len = 1; len < 4; len++) CHECK(kf_base64_decoded_len(bytes, len) == SIZE_MAX, "%zu characters", len);
}

/* ---- what is a usual request --------------------------------------------------------------------------------- */

typedef struct {
    int kind;
    const char *body;
    size_t key_len, payload_len; /* 0: it is not usual */
} request_case;

enum { E = KF_REQUEST_ENCRYPT, D = KF_REQUEST_DECRYPT, K = KF_REQUEST_DATA_KEY };

static const request_case CASES[] = {
    {E, "{\"KeyId\":\"alias/a\",\"Plaintext\":\"AAAA\"}", 7, 3},
    {E, "\t{ \"Plaintext\" :\r\n\"AA==\" , \"KeyId\": \"k\" }\n", 1, 1},
    {E, "{\"EncryptionContext\":{},\"KeyId\":\"k\",\"Plaintext\":\"AAA=\"}", 1, 2},
    {E, "{\"EncryptionContext\":{\"b\":\"\",\"a\":\"2\"},\"KeyId\":\"k\",\"Plaintext\":\"AAA=\"}", 1, 2},
    {D, "{\"CiphertextBlob\":\"AAAA\"}", 0, 3},
    {D, "{\"CiphertextBlob\":\"AAAA\",\"KeyId\":\"k\"}", 1, 3},
    {K, "{\"KeyId\":\"k\",\"KeySpec\":\"AES_256\"}", 1, 9},
    {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":1024}", 1, 4},
    /* members that are missing, there twice, unknown, or of another type */
    {E, "", 0, 0}, {E, "{}", 0, 0}, {E, "[]", 0, 0}, {E, "null", 0, 0}, {K, "{\"KeyId\":\"k\"}", 0, 0},
    {E, "{\"KeyId\":\"k\"}", 0, 0}, {E, "{\"Plaintext\":\"AAAA\"}", 0, 0}, {D, "{\"KeyId\":\"k\"}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"KeyId\":\"k\"}", 0, 0},
    {E, "{\"Plaintext\":\"AAAA\",\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}", 0, 0},
    {E, "{\"EncryptionContext\":{},\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":{}}", 0, 0},
    {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":32,\"NumberOfBytes\":32}", 0, 0},
    {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":32,\"KeySpec\":\"AES_256\"}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"DryRun\":true}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"X\":\"y\"}", 0, 0},
    {E, "{\"keyId\":\"k\",\"Plaintext\":\"AAAA\"}", 0, 0}, {E, "{\"KeyI\":\"k\",\"Plaintext\":\"AAAA\"}", 0, 0},
    {E, "{\"KeyId\":null,\"Plaintext\":\"AAAA\"}", 0, 0}, {E, "{\"KeyId\":7,\"Plaintext\":\"AAAA\"}", 0, 0},
    {E, "{\"KeyId\":\"\",\"Plaintext\":\"AAAA\"}", 0, 0}, {E, "{\"KeyId\":\"k\",\"Plaintext\":7}", 0, 0},
    {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":\"32\"}", 0, 0}, {K, "{\"KeyId\":\"k\",\"KeySpec\":32}", 0, 0},
    {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":032}", 0, 0}, {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":0}", 0, 0},
    {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":-1}", 0, 0}, {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":3e1}", 0, 0},
    {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":32.0}", 0, 0}, {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":1234567890}", 0, 0},
    {K, "{\"KeyId\":\"k\",\"NumberOfBytes\":}", 0, 0},
    /* escapes, control characters, text beyond ASCII */
    {E, "{\"KeyId\":\"k\\u0041\",\"Plaintext\":\"AAAA\"}", 0, 0}, {E, "{\"KeyId\":\"k\n\",\"Plaintext\":\"AAAA\"}", 0, 0},
    {E, "{\"Key\\u0049d\":\"k\",\"Plaintext\":\"AAAA\"}", 0, 0}, {E, "{\"KeyId\":\"\x7f\",\"Plaintext\":\"AAAA\"}", 0, 0},
    {E, "{\"KeyId\":\"\xc3\xa9\",\"Plaintext\":\"AAAA\"}", 0, 0}, {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AA\\/A\"}", 0, 0},
    /* what no length of base64 is */
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"\"}", 0, 0}, {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAA\"}", 0, 0},
    /* contexts */
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":null}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":[]}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":{\"a\":1}}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":{\"a\":{}}}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":{\"\":\"a\"}}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":{\"a\":\"1\",\"b\":\"\",\"a\":\"1\"}}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":{\"a\":\"1\",}}", 0, 0},
    /* no JSON */
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"", 0, 0}, {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",}", 0, 0},
    {E, "{\"KeyId\":\"k\" \"Plaintext\":\"AAAA\"}", 0, 0}, {E, "{,\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}", 0, 0},
    {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}}", 0, 0}, {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}x", 0, 0},
    {E, "{\"KeyId\"\"k\",\"Plaintext\":\"AAAA\"}", 0, 0}, {E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA}", 0, 0},
    {E, "\xef\xbb\xbf{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}", 0, 0}, {E, "\v{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}", 0, 0},
};

static void check_case(const request_case *c) {
    const size_t len = strlen(c->body);
    uint8_t *body = kft_page_end(len);
    memcpy(body, c->body, len);
    const uint64_t found = kf_request_scan(c->kind, body, len);
    const size_t key_len = found >> 16 & 0xffff, payload_len = found >> 48;
    CHECK(key_len == c->key_len && payload_len == c->payload_len && (found != 0) == (payload_len != 0),
          "%s: %zu, %zu", c->body, key_len, payload_len);
    if (key_len) CHECK(body[(found & 0xffff) - 1] == '"' && body[(found & 0xffff) + key_len] == '"', "%s: key", c->body);
    for (size_t cut = 0; found && cut < len; cut++) { /* no beginning of one is one, but for white space behind it */
        uint8_t *part = kft_page_end(cut);
        memcpy(part, c->body, cut);
        CHECK(!kf_request_scan(c->kind, part, cut) || strspn(c->body + cut, " \t\r\n") == len - cut, "%s cut to %zu",
              c->body, cut);
    }
    kft_pages_free();
}

/* Pairs of a context in any order have one canonical form: that of docs/blob-format.md. */
static void check_context(void) {
    static const char body[] = "{\"EncryptionContext\":{\"b\":\"1\",\"ab\":\"\",\"a\":\"xyz\"},\"KeyId\":\"k\","
                               "\"Plaintext\":\"AAAA\"}";
    static const uint8_t canonical[] = "\0\0\0\1a\0\0\0\3xyz\0\0\0\2ab\0\0\0\0\0\0\0\1b\0\0\0\0011";
    uint8_t expected[32], digest[32];
    kf_sha256_ctx hash;
    kf_request r;
    CHECK(kf_request_parse(&r, KF_REQUEST_ENCRYPT, (const uint8_t *)body, sizeof body - 1), "a context is refused");
    kf_sha256_init(&hash);
    kf_request_context(&r, &hash);
    kf_sha256_final(&hash, digest);
    CHECK(kf_sha256(expected, canonical, sizeof canonical - 1) == KF_OK && memcmp(digest, expected, 32) == 0,
          "the canonical form of a context");
}

/* As many pairs as are taken, and one more; a body as long as is taken, and longer. */
static void check_bounds(void) {
    static char body[KF_REQUEST_MAX + 2];
    for (int num = KF_PAIRS_MAX; num <= KF_PAIRS_MAX + 1; num++) {
        size_t len = (size_t)sprintf(body, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":{");
        for (int i = 0; i < num; i++) len += (size_t)sprintf(body + len, "%s\"%d\":\"v\"", i ? "," : "", 1000 - i);
        len += (size_t)sprintf(body + len, "}}");
        CHECK((kf_request_scan(E, (const uint8_t *)body, len) != 0) == (num == KF_PAIRS_MAX), "%d pairs", num);
    }
    const size_t len = (size_t)sprintf(body, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}");
    memset(body + len, ' ', sizeof body - len);
    CHECK(kf_request_scan(E, (const uint8_t *)body, KF_REQUEST_MAX) != 0, "the longest body is refused");
    CHECK(kf_request_scan(E, (const uint8_t *)body, KF_REQUEST_MAX + 1) == 0, "a longer body is usual");
    CHECK(kf_request_scan(-1, (const uint8_t *)body, len) == 0 && kf_request_scan(3, (const uint8_t *)body, len) == 0,
          "kinds that are none");
}

typedef struct {
    int kind;
    const char *body, *recorded; /* msgpack, written by hand */
    size_t recorded_len;
} recorded_case;

#define CASE(kind, body, recorded) {kind, body, recorded, sizeof(recorded) - 1}
#define TEXT_256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
                 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
                 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* The specification of msgpack, "Formats": fixmap 8x, fixstr ax, str 8 d9, str 16 da, uint 8 cc, uint 16 cd, uint 32 ce. */
static const recorded_case RECORDED[] = {
    CASE(E, "{\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}", "\x81\xa5KeyId\xa1k"),
    CASE(E, "{\"EncryptionContext\":{},\"KeyId\":\"k\",\"Plaintext\":\"AAAA\"}",
         "\x82\xa5KeyId\xa1k\xb1" "EncryptionContext\x80"),
    CASE(D, "{\"CiphertextBlob\":\"AAAA\"}", "\x80"),
    CASE(D, "{\"CiphertextBlob\":\"AAAA\",\"EncryptionContext\":{\"b\":\"1\",\"a\":\"\"}}",
         "\x81\xb1" "EncryptionContext\x82\xa1" "a\xa0\xa1" "b\xa1" "1"),
    CASE(K, "{\"KeyId\":\"k\",\"KeySpec\":\"AES_256\"}", "\x82\xa5KeyId\xa1k\xa7KeySpec\xa7" "AES_256"),
    CASE(K, "{\"KeyId\":\"k\",\"NumberOfBytes\":127}", "\x82\xa5KeyId\xa1k\xadNumberOfBytes\x7f"),
    CASE(K, "{\"KeyId\":\"k\",\"NumberOfBytes\":128}", "\x82\xa5KeyId\xa1k\xadNumberOfBytes\xcc\x80"),
    CASE(K, "{\"KeyId\":\"k\",\"NumberOfBytes\":256}", "\x82\xa5KeyId\xa1k\xadNumberOfBytes\xcd\x01\x00"),
    CASE(K, "{\"KeyId\":\"k\",\"NumberOfBytes\":65536}",
         "\x82\xa5KeyId\xa1k\xadNumberOfBytes\xce\x00\x01\x00\x00"),
    CASE(D, "{\"CiphertextBlob\":\"AAAA\",\"KeyId\":\"01234567890123456789012345678901\"}",
         "\x81\xa5KeyId\xd9\x20" "01234567890123456789012345678901"),
    CASE(D, "{\"CiphertextBlob\":\"AAAA\",\"KeyId\":\"" TEXT_256 "\"}", "\x81\xa5KeyId\xda\x01\x00" TEXT_256),
};

/* What is recorded of a request, in a room of any size. */
static void check_recorded(const recorded_case *c) {
    const size_t body_len = strlen(c->body);
    for (size_t room = 0; room <= c->recorded_len; room++) {
        uint8_t *out = kft_page_end(room);
        const int made = kf_request_recorded(out, room, c->kind, (const uint8_t *)c->body, body_len);
        CHECK(made == (room < c->recorded_len ? KF_ERR_ARGUMENT : (int)room), "%s in %zu: %d", c->body, room, made);
        if (made > 0) CHECK(memcmp(out, c->recorded, room) == 0, "what is recorded of %s", c->body);
        kft_pages_free();
    }
}

static void check_all_recorded(void) {
    static char body[1000];
    uint8_t out[1000];
    size_t len = (size_t)sprintf(body, "{\"CiphertextBlob\":\"AAAA\",\"EncryptionContext\":{");
    for (size_t i = 0; i < sizeof RECORDED / sizeof RECORDED[0]; i++) check_recorded(&RECORDED[i]);
    for (int i = 0; i < KF_PAIRS_MAX; i++) len += (size_t)sprintf(body + len, "%s\"%d\":\"\"", i ? "," : "", 10 + i);
    len += (size_t)sprintf(body + len, "}}");
    CHECK(kf_request_recorded(out, sizeof out, D, (const uint8_t *)body, len) > 0 &&
              memcmp(out + 19, "\xde\x00\x10\xa2" "10\xa0", 7) == 0, "16 pairs are a map 16");
    CHECK(kf_request_recorded(out, sizeof out, E, (const uint8_t *)body, len) == KF_ERR_TYPE, "not usual");
    CHECK(kf_request_recorded(out, sizeof out, 3, (const uint8_t *)body, len) == KF_ERR_ARGUMENT, "no kind");
}

void test_requests(const kft_env *env) {
    (void)env;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) check_case(&CASES[i]);
    check_context();
    check_bounds();
    check_all_recorded();
}
