/*
 * Sealed batches. Laws: a header loads exactly when its data key opens, under its key and context; a
 * record opens exactly when the whole header is right and it is the one of its index, and the final one
 * only as the final; one that fails leaves zeros; counts are right.
 */
#include "fuzz.h"

enum { NUM = 12, MAX_RECORDS = 20 };

static uint64_t store, keys[2];
static fuzz_record header, sealed[NUM], texts[NUM];
static const uint8_t context[7] = "context";

static void set_up(void) {
    uint64_t writer;
    if (store) return;
    fuzz_open_library(&store, keys);
    header.len = KF_SEALED_HEADER_LEN;
    LAW(kf_sealed_create(&writer, header.bytes, keys[0], 0, context, sizeof context) == KF_OK, "create");
    for (size_t i = 0; i < NUM; i++) {
        texts[i].len = i * i % 50, sealed[i].len = texts[i].len + KF_TAG_LEN;
        memset(texts[i].bytes, (int)i + 1, texts[i].len);
        const struct kf_column in = {.data = texts[i].bytes, .data_len = (int64_t)texts[i].len,
                                     .width = (int64_t)texts[i].len};
        LAW(kf_sealed_seal(writer, sealed[i].bytes, (int64_t)sealed[i].len, NULL, NULL, &in, 1, i == NUM - 1, 1) == KF_OK,
            "seal");
    }
    kf_key_release(writer);
}

static void check_records(fuzz_input *in, uint64_t reader, int right_header) {
    const uint8_t mode = fuzz_u8(in);
    const int64_t n = fuzz_u8(in) % (MAX_RECORDS + 1);
    const uint64_t first = mode % 16 == 0 ? fuzz_u64(in, 8) : fuzz_u8(in) % (NUM + 1);
    const int last = mode >> 4 & 1, in_order = mode >> 5 & 1;
    static fuzz_record records[MAX_RECORDS];
    uint8_t *blobs[MAX_RECORDS], *outs[MAX_RECORDS], *status = malloc((size_t)n + 1);
    int64_t lens[MAX_RECORDS], bad = -1, failed = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t index = first + (uint64_t)i;
        if (in_order && index < NUM && fuzz_u8(in) % 8)
            records[i] = sealed[index];
        else
            fuzz_make_record(in, &records[i], sealed, NUM);
        lens[i] = (int64_t)records[i].len;
        blobs[i] = fuzz_copy(records[i].bytes, records[i].len);
        outs[i] = calloc(1, records[i].len + 1);
    }
    const struct kf_column column = {.ptrs = (const uint8_t *const *)blobs, .lens = lens};
    LAW(kf_sealed_open(reader, NULL, 0, NULL, outs, status, &bad, first, &column, n, last, 1) == KF_OK, "open");
    for (int64_t i = 0; i < n; i++) {
        const uint64_t index = first + (uint64_t)i;
        const int final = last && i == n - 1;
        const int genuine = right_header && index < NUM && final == (index == NUM - 1) && records[i].len == sealed[index].len &&
                            memcmp(records[i].bytes, sealed[index].bytes, records[i].len) == 0;
        LAW(status[i] == (genuine ? KF_REC_OK : records[i].len < KF_TAG_LEN ? KF_REC_TRUNCATED : KF_REC_AUTH),
            "status %d of a record that is%s genuine", status[i], genuine ? "" : " not");
        LAW(genuine ? memcmp(outs[i], texts[index].bytes, texts[index].len) == 0
                    : fuzz_all_zero(outs[i], records[i].len), "what a record left in out");
        failed += !genuine, fuzz_sealed.opened += (uint64_t)genuine;
        free(blobs[i]), free(outs[i]);
    }
    LAW(bad == failed, "%lld bad of %lld", (long long)bad, (long long)failed);
    fuzz_sealed.tried += (uint64_t)n, fuzz_sealed.past_header += (uint64_t)n;
    free(status);
}

static void run(const uint8_t *data, size_t len) {
    fuzz_input in = {data, len};
    fuzz_record made;
    uint64_t reader = 0;
    set_up();
    const size_t context_len = fuzz_u8(&in) % 8 ? sizeof context : sizeof context - 1;
    const int k = fuzz_u8(&in) % 8 == 0;
    if (fuzz_u8(&in) % 4)
        made = header;
    else
        fuzz_make_record(&in, &made, &header, 1);
    uint8_t *copy = fuzz_copy(made.bytes, KF_SEALED_HEADER_LEN);
    /* the record size, bytes 4 to 7, is authenticated by the records, not by the data key's blob */
    const int right_size = memcmp(copy + 4, header.bytes + 4, 4) == 0;
    const int genuine = memcmp(copy, header.bytes, 4) == 0 && k == 0 && context_len == sizeof context &&
                        memcmp(copy + 8, header.bytes + 8, KF_SEALED_HEADER_LEN - 8) == 0;
    const int status = kf_sealed_load(&reader, keys[k], copy, context, context_len);
    fuzz_sealed.tried++;
    LAW(genuine ? status == KF_OK : status == KF_ERR_AUTH || status == KF_ERR_FORMAT, "load: %d", status);
    if (status == KF_OK) {
        check_records(&in, reader, right_size);
        LAW(kf_key_release(reader) == KF_OK, "release");
    }
    free(copy);
}

fuzz_target fuzz_sealed = {.name = "sealed", .run = run};
