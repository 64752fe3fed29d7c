/*
 * Blobs in columns of every form. Laws: a wrong column is refused as a whole; statuses and groups are in
 * range; a record opens exactly when it is, byte for byte, one that was sealed under that key and
 * context, and gives its text; one that fails leaves zeros; counts are right.
 */
#include "fuzz.h"

enum { NUM_SEALED = 12, MAX_RECORDS = 40, MAX_GROUPS = MAX_RECORDS };

static uint64_t store, keys[2];
static uint8_t prefixes_of[2][KF_PREFIX_LEN];
static fuzz_record sealed[NUM_SEALED], texts[NUM_SEALED];
static const uint8_t context[7] = "context";

/* Record i is sealed under key i % 2. */
static void set_up(void) {
    static const size_t lens[NUM_SEALED / 2] = {0, 1, 16, 33, 100, 300};
    if (store) return;
    fuzz_open_library(&store, keys);
    for (int k = 0; k < 2; k++) LAW(kf_key_prefix(keys[k], prefixes_of[k]) == KF_OK, "prefix");
    for (size_t i = 0; i < NUM_SEALED; i++) {
        texts[i].len = lens[i / 2], sealed[i].len = lens[i / 2] + KF_BLOB_OVERHEAD;
        memset(texts[i].bytes, (int)i + 1, texts[i].len);
        LAW(kf_blob_seal_one(keys[i % 2], sealed[i].bytes, texts[i].bytes, texts[i].len, context, sizeof context, NULL,
                             0) == KF_OK, "seal");
    }
}

/* The text that the blob was sealed from under a key; NULL: it was not. */
static const fuzz_record *text_of(const uint8_t *blob, size_t len, int k) {
    for (size_t i = (size_t)k; i < NUM_SEALED; i += 2)
        if (sealed[i].len == len && memcmp(sealed[i].bytes, blob, len) == 0) return &texts[i];
    return NULL;
}

/* ---- a column ---------------------------------------------------------------------------------- */

typedef struct {
    fuzz_record records[MAX_RECORDS];
    int64_t n, *offsets, *out_offsets, *lens, out_len;
    uint8_t *data, *out, **blobs, **outs, *skip, *status;
    struct kf_column column;
    int sound; /* the column is a right one */
} batch;

enum form { OFFSETS, WIDTH, POINTERS };

static int64_t opened_len(int64_t len) { return len > KF_BLOB_OVERHEAD ? len - KF_BLOB_OVERHEAD : 0; }

static uint8_t *blob_at(const batch *b, int64_t i) {
    if (b->blobs) return b->blobs[i];
    return b->data + (b->offsets ? b->offsets[i] : i * b->column.width);
}
static int64_t len_at(const batch *b, int64_t i) {
    if (b->blobs) return b->lens[i];
    return b->offsets ? b->offsets[i + 1] - b->offsets[i] : b->column.width;
}
static uint8_t *out_at(const batch *b, int64_t i) {
    if (b->outs) return b->outs[i];
    return b->out + (b->out_offsets ? b->out_offsets[i] : i * opened_len(b->column.width));
}

static void make_column(fuzz_input *in, batch *b, enum form form, int hostile) {
    const size_t n = (size_t)b->n;
    int64_t total = 0, width = b->n ? (int64_t)b->records[0].len : 0;
    for (size_t i = 0; i < n; i++) total += form == WIDTH ? width : (int64_t)b->records[i].len;
    b->sound = 1;
    if (form == POINTERS) {
        b->blobs = malloc(n * sizeof *b->blobs + 1), b->outs = malloc(n * sizeof *b->outs + 1);
        b->lens = malloc(n * sizeof *b->lens + 1);
        for (size_t i = 0; i < n; i++) {
            b->lens[i] = (int64_t)b->records[i].len;
            b->blobs[i] = fuzz_copy(b->records[i].bytes, b->records[i].len);
            b->outs[i] = calloc(1, (size_t)opened_len(b->lens[i]) + 1);
        }
        b->column = (struct kf_column){.ptrs = (const uint8_t *const *)b->blobs, .lens = b->lens};
        return;
    }
    b->data = fuzz_copy(NULL, 0);
    b->data = realloc(b->data, (size_t)total + (total == 0));
    b->column = (struct kf_column){.data = b->data, .data_len = total, .width = width};
    int64_t at = 0;
    if (form == OFFSETS) b->offsets = malloc((n + 1) * sizeof *b->offsets);
    for (size_t i = 0; i < n; i++) {
        const int64_t len = form == WIDTH ? width : (int64_t)b->records[i].len;
        if (form == OFFSETS) b->offsets[i] = at;
        memcpy(b->data + at, b->records[i].bytes, (size_t)len);
        at += len;
    }
    if (form == WIDTH) {
        b->out_len = b->n * opened_len(width);
        b->out = malloc((size_t)b->out_len + 1);
        return;
    }
    b->offsets[n] = at;
    b->column.offsets = b->offsets, b->column.width = 0;
    if (hostile) { /* one of them from the input, small or of any size */
        const size_t which = fuzz_u8(in) % (n + 1);
        b->offsets[which] = (int64_t)fuzz_u64(in, fuzz_u8(in) & 1 ? 8 : 2);
        for (size_t i = 0; i < n; i++) b->sound &= b->offsets[i] <= b->offsets[i + 1];
        b->sound &= b->offsets[0] >= 0 && b->offsets[n] <= total;
    }
    b->out_offsets = malloc((n + 1) * sizeof *b->out_offsets);
    int64_t bad = -1;
    const int planned = kf_offsets_plan(b->out_offsets, &bad, b->offsets, b->n, total, -KF_BLOB_OVERHEAD, b->skip);
    /* with no records there is nothing that the plan could name as wrong */
    LAW(b->n == 0 || planned == (b->sound ? KF_OK : KF_ERR_OFFSETS), "plan: %d, sound %d", planned, b->sound);
    LAW(planned == KF_OK || (bad >= 0 && bad < b->n), "plan: record %lld", (long long)bad);
    b->out_len = planned == KF_OK ? b->out_offsets[n] : 0;
    b->out = malloc((size_t)b->out_len + 1);
}

static void free_batch(batch *b) {
    for (int64_t i = 0; b->blobs && i < b->n; i++) free(b->blobs[i]), free(b->outs[i]);
    free(b->blobs), free(b->outs), free(b->lens), free(b->data), free(b->out), free(b->offsets), free(b->out_offsets);
    free(b->skip), free(b->status);
}

/* ---- laws ------------------------------------------------------------------------------------------ */

static int in_use(const batch *b, int64_t i) { return !(b->skip && b->skip[i]); }

static void check_scan(const batch *b, const uint8_t *prefixes, int32_t num_groups, const int32_t *group) {
    for (int64_t i = 0; i < b->n; i++) {
        const uint8_t *blob = blob_at(b, i);
        const int known = in_use(b, i) && len_at(b, i) >= KF_BLOB_OVERHEAD && blob[0] == 0xf5 && blob[1] == 1 &&
                          blob[2] == 1 && !(blob[3] & ~1);
        LAW((group[i] >= 0) == known && group[i] < num_groups, "group %d of %d", group[i], num_groups);
        LAW(b->status[i] >= KF_REC_SKIPPED && b->status[i] <= KF_REC_FLAGS, "status %d", b->status[i]);
        LAW(known ? b->status[i] == KF_REC_SKIPPED : !in_use(b, i) || b->status[i] != KF_REC_SKIPPED, "status");
        LAW(!known || memcmp(prefixes + KF_PREFIX_LEN * (size_t)group[i], blob, KF_PREFIX_LEN) == 0, "prefix");
        fuzz_blob.tried++, fuzz_blob.past_header += (uint64_t)known;
    }
}

/* served[i]: the key that record i was offered to, or -1 */
static void check_opened(const batch *b, const int8_t *served, int right_context, int64_t num_bad) {
    int64_t failed = 0;
    for (int64_t i = 0; i < b->n; i++) {
        const int64_t len = len_at(b, i);
        if (served[i] < 0) {
            LAW(b->status[i] != KF_REC_OK, "a record opened that no key was for");
            continue;
        }
        const fuzz_record *text = right_context ? text_of(blob_at(b, i), (size_t)len, served[i]) : NULL;
        LAW((b->status[i] == KF_REC_OK) == (text != NULL), "status %d of a record that is%s genuine", b->status[i],
            text ? "" : " not");
        LAW(text || b->status[i] == KF_REC_COMMITMENT || b->status[i] == KF_REC_AUTH, "status %d", b->status[i]);
        const uint8_t *out = out_at(b, i);
        LAW(text ? memcmp(out, text->bytes, text->len) == 0 : fuzz_all_zero(out, (size_t)opened_len(len)),
            "what a record left in out");
        failed += text == NULL, fuzz_blob.opened += text != NULL;
    }
    LAW(num_bad == failed, "%lld bad of %lld", (long long)num_bad, (long long)failed);
}

static void check_batch(fuzz_input *in, batch *b, int grouped) {
    const int32_t max_groups = fuzz_u8(in) % 4 == 3 ? 1 + fuzz_u8(in) % 6 : MAX_GROUPS;
    const size_t context_len = fuzz_u8(in) % 8 ? sizeof context : sizeof context - 1;
    uint8_t *prefixes = malloc((size_t)max_groups * KF_PREFIX_LEN);
    int32_t *group = malloc((size_t)b->n * sizeof *group + 1), num_groups = -1;
    int8_t served[MAX_RECORDS];
    uint64_t group_keys[MAX_GROUPS] = {0};
    int key_of[MAX_GROUPS];
    int64_t bad = -1, other = -1;
    int status = kf_blob_scan(prefixes, max_groups, &num_groups, group, b->status, &b->column, b->n, b->skip);
    LAW(b->sound ? status == KF_OK || (status == KF_ERR_CAPACITY && num_groups == max_groups)
                 : status == KF_ERR_OFFSETS, "scan: %d, sound %d", status, b->sound);
    if (status == KF_OK) check_scan(b, prefixes, num_groups, group);
    for (int32_t g = 0; g < max_groups; g++) { /* the right key, another, or none */
        const uint8_t choice = fuzz_u8(in);
        key_of[g] = g < num_groups && memcmp(prefixes + KF_PREFIX_LEN * (size_t)g, prefixes_of[1], KF_PREFIX_LEN) == 0;
        if (choice % 16 == 0) key_of[g] ^= 1;
        if (choice % 16 == 1) key_of[g] = -1;
        if (!grouped && g == 0 && key_of[g] < 0) key_of[g] = 0;
        group_keys[g] = key_of[g] < 0 ? 0 : keys[key_of[g]];
    }
    if (status == KF_OK || !b->sound) {
        const int use_groups = grouped && status == KF_OK && num_groups > 0;
        const int32_t num = use_groups ? num_groups : 1;
        status = kf_blob_open(b->out, b->outs ? 0 : b->out_len, b->out_offsets, b->outs, b->status, &bad, &other,
                              group_keys, prefixes, num, use_groups ? group : NULL, &b->column, b->n, b->skip, context,
                              context_len, NULL, 1);
        LAW(!use_groups && group_keys[0] == 0 ? status != KF_OK : status == (b->sound ? KF_OK : KF_ERR_OFFSETS),
            "open: %d, sound %d", status, b->sound);
        for (int64_t i = 0; status == KF_OK && i < b->n; i++) {
            if (use_groups) {
                served[i] = (int8_t)(group[i] < 0 ? -1 : key_of[group[i]]);
            } else {
                const int mine = in_use(b, i) && len_at(b, i) >= KF_BLOB_OVERHEAD &&
                                 memcmp(blob_at(b, i), prefixes_of[key_of[0]], KF_PREFIX_LEN) == 0;
                served[i] = (int8_t)(mine ? key_of[0] : -1);
            }
        }
        if (status == KF_OK) check_opened(b, served, context_len == sizeof context, bad);
    }
    free(prefixes), free(group);
}

static void check_one_by_one(const batch *b) {
    for (int64_t i = 0; b->sound && i < b->n; i++) {
        const size_t len = (size_t)len_at(b, i);
        uint8_t *out = calloc(1, (size_t)opened_len((int64_t)len) + 1), status = 0xff;
        const int k = (int)(i & 1), result = kf_blob_open_one(keys[k], out, &status, blob_at(b, i), len, context,
                                                             sizeof context, NULL, 0);
        const fuzz_record *text = text_of(blob_at(b, i), len, k);
        LAW(text ? result == KF_OK && status == KF_REC_OK && memcmp(out, text->bytes, text->len) == 0
                 : result == KF_ERR_AUTH && status >= KF_REC_TRUNCATED && status <= KF_REC_AUTH &&
                   fuzz_all_zero(out, (size_t)opened_len((int64_t)len)),
            "one record: %d, status %d", result, status);
        free(out);
    }
}

static void run(const uint8_t *data, size_t len) {
    fuzz_input in = {data, len};
    static batch b;
    set_up();
    memset(&b, 0, sizeof b);
    const uint8_t mode = fuzz_u8(&in);
    b.n = fuzz_u8(&in) % (MAX_RECORDS + 1);
    b.status = malloc((size_t)b.n + 1);
    if (mode & 8) b.skip = malloc((size_t)b.n + 1);
    for (int64_t i = 0; i < b.n; i++) fuzz_make_record(&in, &b.records[i], sealed, NUM_SEALED);
    for (int64_t i = 0; b.skip && i < b.n; i++) b.skip[i] = fuzz_u8(&in) % 4 == 0;
    make_column(&in, &b, mode % 4 < 2 ? OFFSETS : mode % 4 == 2 ? WIDTH : POINTERS, mode & 16 && mode & 32);
    check_batch(&in, &b, mode & 4);
    check_one_by_one(&b);
    free_batch(&b);
}

fuzz_target fuzz_blob = {.name = "blob", .run = run};
