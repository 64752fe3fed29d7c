/* Requests by number as they are read: MessagePack, their forms, and everything that is refused. */
#include <stdlib.h>

#include "kf_call.h"
#include "kft_socket.h"

/* ---- MessagePack -------------------------------------------------------------------------------------------- */

static void check_numbers(void) {
    static const uint64_t values[] = {0, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, (uint64_t)1 << 32, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t bytes[KF_MSGPACK_HEAD_MAX];
        const size_t len = (size_t)(kf_msgpack_put_uint(bytes, values[i]) - bytes);
        for (size_t cut = 0; cut <= len; cut++) {
            kf_msgpack in = {bytes, bytes + cut};
            uint64_t x = 1;
            CHECK(kf_msgpack_uint(&in, &x) == (cut == len), "%zu of %zu bytes of a number", cut, len);
            CHECK(cut < len || (x == values[i] && in.at == in.end), "a number came back as another");
        }
    }
    static const struct {
        uint8_t bytes[9];
        int ok;
    } odd[] = {{{0xcc, 1}, 1}, {{0xcf, 0, 0, 0, 0, 0, 0, 0, 1}, 1}, {{0xd0, 0x7f}, 1}, {{0xd0, 0x80}, 0},
               {{0xd3, 0x80}, 0}, {{0xd3, 0x7f}, 1}, {{0xff}, 0}, {{0xe0}, 0}, {{0xca}, 0}, {{0xc0}, 0}, {{0xa0}, 0}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        kf_msgpack in = {odd[i].bytes, odd[i].bytes + 9};
        uint64_t x;
        CHECK(kf_msgpack_uint(&in, &x) == odd[i].ok, "number %zu", i);
    }
}

static void check_giants(void) {
    static const uint8_t heads[][5] = {{0xc6, 255, 255, 255, 255}, {0xdb, 255, 255, 255, 255}, {0xc6, 0, 0, 0, 1},
                                       {0xc5, 255, 255, 0, 0}, {0xd9, 200, 0, 0, 0}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        kf_msgpack in = {heads[i], heads[i] + 5}, same = in;
        struct kf_text text;
        CHECK(!kf_msgpack_bin(&in, &text) && !kf_msgpack_str(&same, &text), "%zu is longer than it is", i);
    }
}

static void check_utf8(void) {
    static const struct {
        const char *text;
        int ok;
    } texts[] = {{"", 1}, {"abcdefghijklmnop", 1}, {"abcdefgh\xc3\xbc", 1}, {"\xe2\x82\xac", 1}, {"\xf0\x9f\x94\x91", 1},
                 {"\xf4\x8f\xbf\xbf", 1}, {"\x80", 0}, {"\xc0\x80", 0}, {"\xc1\xbf", 0}, {"\xc3", 0}, {"\xe0\x9f\xbf", 0},
                 {"\xed\xa0\x80", 0}, {"\xed\x9f\xbf", 1}, {"\xee\x80\x80", 1}, {"\xf0\x8f\xbf\xbf", 0},
                 {"\xf4\x90\x80\x80", 0}, {"\xf5\x80\x80\x80", 0}, {"\xe2\x82", 0}, {"\xe2\x28\xa1", 0},
                 {"abcdefg\xc3", 0}, {"\xff", 0}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(kf_utf8_valid((const uint8_t *)texts[i].text, strlen(texts[i].text)) == texts[i].ok, "text %zu", i);
}

/* ---- requests ------------------------------------------------------------------------------------------------- */

static int parses(const kft_frame *f, size_t len) {
    kf_call call;
    uint8_t *copy = kft_alloc(len - 4); /* so that a sanitizer sees the first byte beyond */
    memcpy(copy, f->bytes + 4, len - 4);
    const int ok = kf_call_parse(&call, copy, len - 4);
    free(copy);
    return ok;
}

static void check_usual(void) {
    kft_frame f;
    kf_call call;
    const size_t len = kft_encrypt_frame(&f, 7, KFT_PAIRS, "hello", 5);
    CHECK(kf_call_parse(&call, f.bytes + 4, len - 4), "a usual request");
    CHECK(call.id == 7 && call.op == KF_OP_ENCRYPT && !call.many && call.key.len == 1, "its members");
    CHECK(call.num_pairs == 2 && call.names[0].at[0] == 'a' && call.values[1].at[0] == '2', "its context is not sorted");
    CHECK(call.payload[0].len == 5 && memcmp(call.payload[0].at, "hello", 5) == 0, "its payload");
    for (size_t cut = 5; cut < len; cut++) CHECK(!parses(&f, cut), "%zu of %zu bytes", cut, len);
    f.bytes[len] = 0xc0;
    CHECK(!parses(&f, len + 1), "a byte too many");
    for (size_t at = 4; at < len; at++) { /* whatever a byte is changed to, nothing beyond is read */
        const uint8_t was = f.bytes[at];
        for (int x = 0; x < 256; x++) {
            f.bytes[at] = (uint8_t)x;
            (void)parses(&f, len);
        }
        f.bytes[at] = was;
    }
}

static int same_text(const struct kf_text *a, const struct kf_text *b) {
    return a->len == b->len && (!a->len || memcmp(a->at, b->at, a->len) == 0);
}

static int same_calls(const kf_call *a, const kf_call *b) {
    int same = a->id == b->id && a->op == b->op && a->many == b->many && same_text(&a->key, &b->key) &&
               same_text(&a->context, &b->context) && a->num_pairs == b->num_pairs &&
               same_text(&a->payload[0], &b->payload[0]) && a->columns[0].num == b->columns[0].num &&
               a->size == b->size && a->deadline == b->deadline && same_text(&a->aad, &b->aad);
    for (size_t i = 0; same && i < a->num_pairs; i++)
        same = same_text(&a->names[i], &b->names[i]) && same_text(&a->values[i], &b->values[i]);
    return same;
}

static size_t with_key(kft_frame *f, uint64_t id, uint64_t op, const char *key, const char *const *pairs, int option) {
    kft_frame_begin(f, id, op, option ? 6 : 5);
    kft_frame_key(f, key, pairs);
    kft_frame_bin(f, "text", id % 5);
    if (option) {
        f->at = kf_msgpack_put_map(f->at, 1);
        f->at = kf_msgpack_put_str(f->at, "deadline", 8);
        f->at = kf_msgpack_put_uint(f->at, id);
    }
    return kft_frame_end(f);
}

/* Requests in any order are read as each would be by itself, whatever the ones before left behind. */
static void check_heads(void) {
    static char longer[KF_CALL_HEAD_MAX + 1];
    static const char *const broken[] = {"a\xff", "1", NULL}, *const other[] = {"a", "2", NULL};
    static const struct {
        uint64_t op;
        const char *key;
        const char *const *pairs;
        int option;
    } kinds[] = {{1, "k", KFT_PAIRS, 0}, {1, "k", KFT_PAIRS, 1}, {1, "k", other, 0}, {1, "kk", KFT_PAIRS, 0},
                 {2, "k", KFT_PAIRS, 0}, {1, "k", broken, 0}, {3, "k", KFT_PAIRS, 0}, {5, "k", NULL, 1},
                 {1, longer, KFT_PAIRS, 0}, {33, "k", KFT_PAIRS, 0}};
    enum { NUM_KINDS = sizeof kinds / sizeof *kinds };
    static kf_call next, alone;
    static kf_call_head head;
    size_t last = 0;
    memset(longer, 'x', sizeof longer - 1);
    for (uint64_t i = 0, draw = 1; i < 5000; i++) {
        kft_frame f;
        draw = draw * 6364136223846793005U + 1442695040888963407U;
        const size_t k = draw >> 33 & 3 ? (size_t)(draw >> 40) % NUM_KINDS : last;
        const size_t len = with_key(&f, i, kinds[k].op, kinds[k].key, kinds[k].pairs, kinds[k].option);
        const uint64_t serial = head.serial;
        uint8_t *copy = kft_alloc(len - 4);
        memcpy(copy, f.bytes + 4, len - 4);
        const int ok = kf_call_parse_next(&next, &head, copy, len - 4);
        CHECK(ok == kf_call_parse(&alone, copy, len - 4), "kind %zu alone is another", k);
        CHECK(!ok || same_calls(&next, &alone), "kind %zu behind %zu is read as another", k, last);
        CHECK(!i || head.serial == serial || k != last || !head.len, "the same head is another");
        CHECK(head.serial != serial || kinds[k].option != kinds[last].option || k == last, "another head is the same");
        free(copy);
        last = k;
    }
}

static void check_contexts(void) {
    static const char *const twice[] = {"a", "1", "b", "2", "a", "1", NULL}, *const empty[] = {"", "1", NULL};
    static const char *const broken[] = {"a\xff", "1", NULL}, *const broken_value[] = {"a", "\xed\xa0\x80", NULL};
    static const char *const *const bad[] = {twice, empty, broken, broken_value};
    const char *many[2 * (KF_PAIRS_MAX + 1) + 1] = {NULL};
    char names[KF_PAIRS_MAX + 1][12];
    kft_frame f;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!parses(&f, kft_encrypt_frame(&f, 1, bad[i], "x", 1)), "context %zu", i);
    for (int i = 0; i <= KF_PAIRS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "%d", 100 + i);
        many[2 * i] = names[i], many[2 * i + 1] = "v";
        CHECK(parses(&f, kft_encrypt_frame(&f, 1, many, "x", 1)) == (i < KF_PAIRS_MAX), "%d pairs", i + 1);
    }
}

typedef void option(kft_frame *f);
static void number(kft_frame *f) { f->at = kf_msgpack_put_uint(f->at, 5); }
static void zero(kft_frame *f) { f->at = kf_msgpack_put_uint(f->at, 0); }
static void yes(kft_frame *f) { *f->at++ = 0xc3; }
static void text(kft_frame *f) { f->at = kf_msgpack_put_str(f->at, "x", 1); }
static void bytes(kft_frame *f) { kft_frame_bin(f, "x", 1); }
static void nested(kft_frame *f) {
    for (int i = 0; i < 1000; i++) *f->at++ = 0x91;
    *f->at++ = 0xc0;
}

static void longest(kft_frame *f) { f->at = kf_msgpack_put_uint(f->at, UINT32_MAX); }
static void too_long(kft_frame *f) { f->at = kf_msgpack_put_uint(f->at, (uint64_t)UINT32_MAX + 1); }

static size_t with_options(kft_frame *f, uint64_t op, const char *name, option *value, int times) {
    kft_frame_begin(f, 1, op, 6);
    kft_frame_key(f, "k", NULL);
    kft_frame_bin(f, "x", 1);
    f->at = kf_msgpack_put_map(f->at, (uint64_t)times);
    for (int i = 0; i < times; i++) {
        f->at = kf_msgpack_put_str(f->at, name, strlen(name));
        value(f);
    }
    return kft_frame_end(f);
}

static void check_options(void) {
    static const struct {
        uint64_t op;
        const char *name;
        option *value;
        int ok;
    } cases[] = {{1, "deadline", number, 1}, {1, "deadline", zero, 0}, {1, "deadline", longest, 1}, {1, "deadline", too_long, 0}, {1, "deadline", text, 0}, {1, "aad", bytes, 1},
                 {1, "more", number, 1}, {1, "digest", yes, 0}, {5, "digest", yes, 1}, {5, "raw", yes, 1},
                 {5, "raw", number, 0}, {5, "deterministic", yes, 1}, {5, "algorithm", text, 1}, {1, "algorithm", text, 0},
                 {1, "tokens", nested, 0}, {1, "deadlin", number, 0}, {1, "deadlines", number, 0}, {1, "", number, 0},
                 {7, "algorithm", text, 1}, {7, "aad", bytes, 0}, {5, "aad", bytes, 0}, {1, "aad", nested, 0}};
    kft_frame f;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(parses(&f, with_options(&f, cases[i].op, cases[i].name, cases[i].value, 1)) == cases[i].ok,
              "option %s of %d", cases[i].name, (int)cases[i].op);
        CHECK(!parses(&f, with_options(&f, cases[i].op, cases[i].name, cases[i].value, 2)), "%s twice", cases[i].name);
    }
}

static void check_operations(void) {
    kft_frame f;
    for (uint64_t op = 0; op < 100; op++) {
        kft_frame_begin(&f, 1, op, 5);
        kft_frame_key(&f, "k", NULL);
        kft_frame_bin(&f, "x", 1);
        CHECK(parses(&f, kft_frame_end(&f)) == (op == 1 || op == 2 || op == 5 || op == 7), "operation %d", (int)op);
    }
}

/* ---- columns ---------------------------------------------------------------------------------------------------- */

static size_t packed(kft_frame *f, uint64_t num, const uint8_t *lengths, size_t lengths_len, uint64_t width, size_t len) {
    static const uint8_t zeros[64];
    kft_frame_begin(f, 1, 33, 5);
    kft_frame_key(f, "k", NULL);
    f->at = kf_msgpack_put_array(f->at, 3);
    f->at = kf_msgpack_put_uint(f->at, num);
    if (lengths)
        kft_frame_bin(f, lengths, lengths_len);
    else
        f->at = kf_msgpack_put_uint(f->at, width);
    kft_frame_bin(f, zeros, len);
    return kft_frame_end(f);
}

/* Whether a packed column is read, and its records are where they should be. */
static int views(const kft_frame *f, size_t len) {
    struct kf_column column;
    kf_call call;
    if (!kf_call_parse(&call, f->bytes + 4, len - 4)) return 0;
    void *room = kft_alloc(kf_call_view_room(&call.columns[0]) + 1);
    const int ok = kf_call_view(&column, NULL, room, &call.columns[0]);
    CHECK(!ok || kf_column_check(&column, (int64_t)call.columns[0].num, 0) == KF_OK, "a column that is none");
    free(room);
    return ok;
}

static void check_columns(void) {
    static const uint8_t good[] = {1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0}, absent[] = {1, 0, 0, 0, 255, 255, 255, 255, 5, 0, 0, 0};
    static const uint8_t huge[] = {254, 255, 255, 255, 254, 255, 255, 255, 10, 0, 0, 0};
    kft_frame f;
    CHECK(views(&f, packed(&f, 3, good, 12, 0, 6)), "lengths");
    CHECK(!views(&f, packed(&f, 3, good, 12, 0, 5)) && !views(&f, packed(&f, 3, good, 12, 0, 7)), "another total");
    CHECK(!views(&f, packed(&f, 2, good, 12, 0, 6)) && !views(&f, packed(&f, 3, good, 8, 0, 6)), "another number");
    CHECK(!views(&f, packed(&f, 3, absent, 12, 0, 6)) && !views(&f, packed(&f, 3, huge, 12, 0, 6)), "nil and huge");
    CHECK(views(&f, packed(&f, 3, NULL, 0, 2, 6)) && !views(&f, packed(&f, 3, NULL, 0, 3, 6)), "a width");
    CHECK(!views(&f, packed(&f, 1U << 20, NULL, 0, UINT32_MAX - 1, 6)), "a giant product");
    CHECK(!views(&f, packed(&f, (1U << 20) + 1, NULL, 0, 0, 0)) && views(&f, packed(&f, 1U << 20, NULL, 0, 0, 0)), "too many");
    CHECK(!views(&f, packed(&f, UINT64_MAX, NULL, 0, 1, 6)) && !views(&f, packed(&f, 1, NULL, 0, UINT64_MAX, 6)), "64 bits");
}

void test_calls_by_number(const kft_env *env) {
    (void)env;
    check_numbers();
    check_giants();
    check_utf8();
    check_usual();
    check_heads();
    check_contexts();
    check_options();
    check_operations();
    check_columns();
}
