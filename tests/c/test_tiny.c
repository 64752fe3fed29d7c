/*
 * Records of no byte and of one: smaller than anything that a kernel loads or stores at once. Nothing may be
 * written outside a record's own output: not beside a column, not over a neighbour, not by another thread.
 */
#include <stdlib.h>

#include "kft_batch.h"
#include "kft_calls.h"

/* ---- kernels ------------------------------------------------------------------------------------------------ */

enum pattern { ZEROS, ONES, MIXED, AMONG_BLOCKS, NUM_PATTERNS };

static size_t len_in(enum pattern pattern, size_t i, kft_random *random) {
    if (pattern == ZEROS || pattern == ONES) return pattern == ONES;
    if (pattern == MIXED) return kft_below(random, 2);
    return i % 3 ? i % 2 : 16 * (1 + kft_below(random, 4)) + kft_below(random, 2);
}

/* Every placement, mode and order, opened whole and with one record damaged. */
static void check_batch(const kft_env *env, enum pattern pattern, size_t n) {
    enum { MAX_N = 257 };
    size_t lens[MAX_N];
    long bits[MAX_N];
    kft_random random = {n};
    for (size_t i = 0; i < n; i++) {
        lens[i] = len_in(pattern, i, &random);
        bits[i] = i == n / 2 ? (long)kft_below(&random, 8 * (lens[i] + 16)) : -1;
    }
    for (int kind = 0; kind < 4 * KFT_NUM_PLACEMENTS; kind++) {
        const kft_batch_spec spec = {
            .mode = (enum kft_mode)(kind % 2), .in_place = kind / 2 % 2, .placement = (enum kft_placement)(kind / 4),
            .with_digest = (int)((n + (size_t)kind / 4) % 2), .n = n, .lens = lens, .seed = n};
        if (n > 65 && spec.placement >= KFT_PAGE_END) continue; /* pages take their time: canaries watch large ones */
        kft_batch_check(env, &spec);
        if (n) kft_batch_check_corrupted(env, &spec, bits);
    }
}

void test_tiny(const kft_env *env) {
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 16, 17, 24, 31, 33, 65, 257};
    for (int pattern = 0; pattern < NUM_PATTERNS; pattern++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) check_batch(env, (enum pattern)pattern, sizes[i]);
}

/* ---- columns ------------------------------------------------------------------------------------------------- */

enum { MAX_NUM = 9000, TAG = KF_TAG_LEN }; /* more than the grain that threads share out */

enum form { OFFSETS, OFFSETS32, WIDTH, POINTERS, NUM_FORMS };

/* A column of num records, all in one buffer that ends, or begins, where a page does. */
typedef struct {
    kft_buffer data;
    int64_t offsets[MAX_NUM + 1], lens[MAX_NUM];
    int32_t offsets32[MAX_NUM + 1];
    uint8_t *ptrs[MAX_NUM];
    struct kf_column column;
} tiny_column;

/* Lengths of in, each delta bytes longer; records that are skipped have none. */
static void column_make(tiny_column *c, enum form form, enum kft_placement placement, const int64_t *lens, int64_t num,
                        int64_t delta, const uint8_t *skip) {
    kft_random random = {(uint64_t)num};
    c->offsets[0] = 0;
    for (int64_t i = 0; i < num; i++) {
        c->lens[i] = skip && skip[i] ? 0 : lens[i] + delta;
        c->offsets[i + 1] = c->offsets[i] + c->lens[i];
    }
    c->data = kft_buffer_new(placement, (size_t)c->offsets[num], &random);
    for (int64_t i = 0; i < num; i++) c->ptrs[i] = c->data.bytes + c->offsets[i];
    c->column = (struct kf_column){.data = c->data.bytes, .data_len = c->offsets[num]};
    for (int64_t i = 0; i <= num; i++) c->offsets32[i] = (int32_t)c->offsets[i];
    if (form == OFFSETS) c->column.offsets = c->offsets;
    if (form == OFFSETS32) c->column.offsets32 = c->offsets32;
    if (form == WIDTH) c->column.width = lens[0] + delta;
    if (form == POINTERS) c->column = (struct kf_column){.ptrs = (const uint8_t *const *)c->ptrs, .lens = c->lens};
}

typedef struct {
    uint8_t *out;
    int64_t out_len;
    const void *offsets;
    uint8_t *const *ptrs;
} output;

/* How the functions of the interface take the column as an output. */
static output output_of(const tiny_column *c, enum form form, int64_t num) {
    if (form == POINTERS) return (output){.ptrs = c->ptrs};
    const void *offsets = form == OFFSETS ? (const void *)c->offsets : form == OFFSETS32 ? c->offsets32 : NULL;
    return (output){.out = c->data.bytes, .out_len = c->offsets[num], .offsets = offsets};
}

typedef struct {
    enum form form;
    enum kft_placement placement;
    int64_t num, len; /* len -1: 0 and 1 in turn */
    int with_skip, threads;
} shape;

static tiny_column text, sealed, opened;
static int64_t lens[MAX_NUM];
static uint8_t status[MAX_NUM], skips[MAX_NUM];

static const uint8_t *columns_make(const shape *s, int64_t delta) {
    kft_random random = {(uint64_t)s->num + 1};
    const uint8_t *skip = s->with_skip ? skips : NULL;
    for (int64_t i = 0; i < s->num; i++) {
        lens[i] = s->len >= 0 ? s->len : i % 2;
        skips[i] = i % 5 == 2;
        status[i] = KF_REC_SKIPPED;
    }
    column_make(&text, s->form, s->placement, lens, s->num, 0, skip);
    column_make(&sealed, s->form, s->placement, lens, s->num, delta, skip);
    column_make(&opened, s->form, s->placement, lens, s->num, 0, skip);
    kft_fill(&random, text.data.bytes, text.data.len);
    return skip;
}

static void columns_free(void) {
    free(text.data.allocation), free(sealed.data.allocation), free(opened.data.allocation);
    kft_pages_free();
}

static void check_columns(const shape *s, const char *what, const char *sealer, const char *opener) {
    CHECK(kft_buffer_intact(&text.data) && kft_buffer_intact(&sealed.data) && kft_buffer_intact(&opened.data),
          "%s: bytes beside a column were written", what);
    CHECK(memcmp(opened.data.bytes, text.data.bytes, text.data.len) == 0,
          "%s: %d records of %d, form %d, placement %d, %d threads, skipped %d: %s to %s gives another text", what,
          (int)s->num, (int)s->len, (int)s->form, (int)s->placement, s->threads, s->with_skip, sealer, opener);
}

static void check_blob_columns(const kft_library *l, const shape *s, const char *sealer, const char *opener) {
    int64_t bad = -1, other = -1;
    const uint8_t *skip = columns_make(s, KF_BLOB_OVERHEAD);
    const output blobs = output_of(&sealed, s->form, s->num), texts = output_of(&opened, s->form, s->num);
    kf_impl_force(sealer);
    const int made = kf_blob_seal(l->key, blobs.out, blobs.out_len, blobs.offsets, blobs.ptrs, &text.column, s->num, skip,
                                  NULL, 0, NULL, s->threads);
    CHECK(made == KF_OK, "blobs: seal %d", made);
    kf_impl_force(opener);
    const int got = kf_blob_open(texts.out, texts.out_len, texts.offsets, texts.ptrs, status, &bad, &other, &l->key,
                                 l->prefix, 1, NULL, &sealed.column, s->num, skip, NULL, 0, NULL, s->threads);
    CHECK(got == KF_OK && bad == 0 && other == 0, "blobs: open %d, %d bad", got, (int)bad);
    check_columns(s, "blobs", sealer, opener);

    /* A damaged neighbour is zeroed; no other is. */
    const int64_t victim = s->num / 2;
    if (!(skip && skip[victim])) {
        sealed.ptrs[victim][KF_BLOB_OVERHEAD - 1 + lens[victim]] ^= 1;
        kf_blob_open(texts.out, texts.out_len, texts.offsets, texts.ptrs, status, &bad, &other, &l->key, l->prefix, 1,
                     NULL, &sealed.column, s->num, skip, NULL, 0, NULL, s->threads);
        CHECK(bad == 1 && status[victim] == KF_REC_AUTH, "blobs: %d bad, status %d", (int)bad, status[victim]);
        if (lens[victim]) *text.ptrs[victim] = 0;
        check_columns(s, "blobs, one damaged", sealer, opener);
    }
    columns_free();
}

static void check_sealed_columns(const kft_library *l, const shape *s, const char *sealer, const char *opener) {
    uint8_t header[KF_SEALED_HEADER_LEN];
    uint64_t writer = 0, reader = 0;
    int64_t bad = -1;
    columns_make(s, TAG);
    const output records = output_of(&sealed, s->form, s->num), texts = output_of(&opened, s->form, s->num);
    kf_impl_force(sealer);
    CHECK(kf_sealed_create(&writer, header, l->key, 0, NULL, 0) == KF_OK, "create");
    const int made = kf_sealed_seal(writer, records.out, records.out_len, records.offsets, records.ptrs, &text.column,
                                    s->num, 1, s->threads);
    CHECK(made == KF_OK, "sealed: seal %d", made);
    kf_impl_force(opener);
    CHECK(kf_sealed_load(&reader, l->key, header, NULL, 0) == KF_OK, "load");
    const int got = kf_sealed_open(reader, texts.out, texts.out_len, texts.offsets, texts.ptrs, status, &bad, 0,
                                   &sealed.column, s->num, 1, s->threads);
    CHECK(got == KF_OK && bad == 0, "sealed: open %d, %d bad", got, (int)bad);
    check_columns(s, "sealed", sealer, opener);
    kf_key_release(writer), kf_key_release(reader);
    columns_free();
}

static void check_shapes(const kft_library *l, const char *sealer, const char *opener) {
    static const int64_t nums[] = {1, 2, 7, 8, 9, 16, 17, 33, 257, MAX_NUM};
    for (size_t i = 0; i < sizeof nums / sizeof nums[0]; i++) {
        for (int kind = 0; kind < NUM_FORMS * KFT_NUM_PLACEMENTS; kind++) {
            shape s = {.form = (enum form)(kind % NUM_FORMS), .placement = (enum kft_placement)(kind / NUM_FORMS),
                       .num = nums[i], .threads = nums[i] == MAX_NUM ? 2 : 1};
            if (s.num == MAX_NUM && s.placement != KFT_PAGE_END) continue;
            for (s.len = s.num == MAX_NUM ? 1 : s.form == WIDTH ? 0 : -1; s.len <= 1; s.len++) {
                check_blob_columns(l, &s, sealer, opener);
                check_sealed_columns(l, &s, sealer, opener);
                if (s.form == WIDTH) continue; /* records of one width are all there */
                s.with_skip = 1;
                check_blob_columns(l, &s, sealer, opener);
                s.with_skip = 0;
            }
        }
    }
}

void test_tiny_columns(const kft_env *env) {
    (void)env;
    kft_library library;
    char first[32];
    snprintf(first, sizeof first, "%s", kf_impl_name());
    CHECK(kft_library_open(&library) == KF_OK, "the library does not open");
    for (int i = 0; kf_impl_available(i); i++)
        for (int k = 0; kf_impl_available(k); k++) check_shapes(&library, kf_impl_available(i), kf_impl_available(k));
    kf_impl_force(first);
    kft_library_close(&library);
}
