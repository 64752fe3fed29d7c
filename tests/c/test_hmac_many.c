/* HMAC of many messages: what one message alone gives, in every length, number, form of column and placement. */
#include <stdlib.h>

#include "kf_cpu.h"
#include "kf_hmac_lanes.h"
#include "kf_hmac_many.h"
#include "kft.h"
#include "kft_buffer.h"

enum { MAX_LEN = 300, MAX_NUM = 70, MAC_LEN = 32 };

static kf_hmac_key new_key(kft_random *random) {
    uint8_t bytes[32];
    kf_hmac_key key;
    kft_fill(random, bytes, sizeof bytes);
    kf_hmac_key_init(&key, bytes, sizeof bytes);
    return key;
}

static int is_mac(const kf_hmac_key *key, const uint8_t *mac, const uint8_t *msg, size_t len) {
    uint8_t known[MAC_LEN];
    kf_hmac(key, known, msg, len);
    return memcmp(mac, known, sizeof known) == 0;
}

/* num messages of len bytes between canaries or unmapped pages. */
static void check_uniform(size_t len, size_t num, enum kft_placement placement, kft_random *random) {
    static uint8_t bytes[MAX_LEN * MAX_NUM];
    const kf_hmac_key key = new_key(random);
    kft_fill(random, bytes, len * num);
    kft_buffer msgs = kft_buffer_of(placement, bytes, len * num, random);
    kft_buffer macs = kft_buffer_new(placement, MAC_LEN * num, random);
    kf_hmac_many(&key, macs.bytes, msgs.bytes, len, num);
    for (size_t i = 0; i < num; i++)
        CHECK(is_mac(&key, macs.bytes + MAC_LEN * i, bytes + len * i, len), "message %zu of %zu, %zu bytes", i, num,
              len);
    CHECK(kft_buffer_intact(&msgs) && kft_buffer_intact(&macs), "%zu messages of %zu bytes: written outside", num, len);
    CHECK(memcmp(msgs.bytes, bytes, len * num) == 0, "the messages changed");
    free(msgs.allocation), free(macs.allocation);
    kft_pages_free();
}

static void check_all_lengths(kft_random *random) {
    for (size_t len = 0; len <= MAX_LEN; len++) {
        check_uniform(len, len % 4, (enum kft_placement)(len % KFT_NUM_PLACEMENTS), random);
        check_uniform(len, 7, KFT_PAGE_END, random);
    }
    for (size_t num = 0; num <= MAX_NUM; num++)
        check_uniform(num % 2 ? 68 : 55, num, (enum kft_placement)(num % KFT_NUM_PLACEMENTS), random);
}

/* Records of any length, some long, in one form of column, written to one buffer or to one each. */
static void check_ragged(int64_t num, size_t max_len, int pointers, kft_random *random) {
    enum { MAX_RECORDS = 400 };
    static int64_t offsets[MAX_RECORDS + 1], lens[MAX_RECORDS];
    static uint8_t skip[MAX_RECORDS], out[MAX_RECORDS * MAC_LEN], *out_ptrs[MAX_RECORDS];
    static const uint8_t *ptrs[MAX_RECORDS];
    static const uint8_t untouched[MAC_LEN];
    const kf_hmac_key key = new_key(random);
    for (int64_t i = 0; i < num; i++) {
        lens[i] = (int64_t)kft_below(random, max_len + 1);
        offsets[i + 1] = offsets[i] + lens[i];
        skip[i] = kft_below(random, 10) == 0;
    }
    kft_buffer data = kft_buffer_new(KFT_PLAIN, (size_t)offsets[num], random);
    kft_fill(random, data.bytes, data.len);
    for (int64_t i = 0; i < num; i++) ptrs[i] = data.bytes + offsets[i], out_ptrs[i] = out + MAC_LEN * i;
    const struct kf_column by_offsets = {.data = data.bytes, .data_len = offsets[num], .offsets = offsets};
    const struct kf_column by_pointers = {.ptrs = ptrs, .lens = lens};
    const kf_sink strided = {.data = out, .stride = MAC_LEN}, apart = {.ptrs = out_ptrs};
    memset(out, 0, sizeof out);
    kf_hmac_column(&key, pointers ? &apart : &strided, pointers ? &by_pointers : &by_offsets, 0, num, skip);
    for (int64_t i = 0; i < num; i++) {
        const uint8_t *mac = out + MAC_LEN * i;
        CHECK(skip[i] ? memcmp(mac, untouched, MAC_LEN) == 0 : is_mac(&key, mac, ptrs[i], (size_t)lens[i]),
              "record %lld of %lld, %lld bytes", (long long)i, (long long)num, (long long)lens[i]);
    }
    free(data.allocation);
}

/* Both kernels, asked directly: whatever this CPU would choose. */
static void check_kernels(kft_random *random) {
    uint8_t head[KF_HMAC_LANES][192], tail[KF_HMAC_LANES][128], out[2][KF_HMAC_LANES][MAC_LEN];
    const kf_hmac_key key = new_key(random);
    if (!(kf_cpu() & KF_CPU_SHANI)) return;
    kft_fill(random, &head[0][0], sizeof head), kft_fill(random, &tail[0][0], sizeof tail);
    for (size_t num_head = 0; num_head <= 3; num_head++)
        for (size_t num_tail = 1; num_tail <= 2; num_tail++) {
            for (int k = 0; k < 2; k++) {
                kf_hmac_lane lane[KF_HMAC_LANES];
                for (int l = 0; l < KF_HMAC_LANES; l++) lane[l] = (kf_hmac_lane){head[l], tail[l], out[k][l]};
                (k ? kf_hmac_lanes_shani : kf_hmac_lanes_portable)(&key, lane, num_head, num_tail);
            }
            CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0, "%zu + %zu blocks: kernels differ", num_head, num_tail);
        }
}

void test_hmac_many(const kft_env *env) {
    kft_random random = {41};
    (void)env;
    check_all_lengths(&random);
    for (int i = 0; i < 40; i++) check_ragged((int64_t)kft_below(&random, 401), i % 4 ? 300 : 6000, i % 2, &random);
    check_ragged(400, 0, 0, &random);
    check_kernels(&random);
}
