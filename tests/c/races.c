/*
 * What several threads do at once, for ThreadSanitizer: batches that split over threads, a sealed
 * batch with several writers, keys that are loaded, released and evicted while others use them, and the reactor with its
 * workers and a server's thread.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>

#include "kft_calls.h"

enum { NUM = 20000, WIDTH = 10, BLOB = WIDTH + KF_BLOB_OVERHEAD, SEALED = WIDTH + KF_TAG_LEN, THREADS = 4, KEYS = 24, ROUNDS = 300 };

static kft_library library;
static uint8_t wrapped_keys[KEYS][KF_WRAPPED_LEN];
static uint8_t texts[NUM * WIDTH];
static const struct kf_column text_column = {.data = texts, .data_len = sizeof texts, .width = WIDTH};

static void check_split_batch(void) {
    uint8_t *blobs = kft_alloc((size_t)NUM * BLOB), *opened = kft_alloc(sizeof texts), *status = kft_alloc(NUM);
    const struct kf_column blob_column = {.data = blobs, .data_len = (int64_t)NUM * BLOB, .width = BLOB};
    int64_t bad = -1, other = -1;
    CHECK(kf_blob_seal(library.key, blobs, (int64_t)NUM * BLOB, NULL, NULL, &text_column, NUM, NULL, NULL, 0, NULL,
                       THREADS) == KF_OK, "seal");
    for (int i = 0; i < NUM; i += 1000) blobs[i * BLOB + BLOB - 1] ^= 1;
    CHECK(kf_blob_open(opened, sizeof texts, NULL, NULL, status, &bad, &other, &library.key, library.prefix, 1, NULL,
                       &blob_column, NUM, NULL, NULL, 0, NULL, THREADS) == KF_OK, "open");
    CHECK(bad == NUM / 1000 && other == 0, "%d bad records", (int)bad);
    free(blobs), free(opened), free(status);
}

static void check_split_macs(void) {
    uint8_t *macs = kft_alloc((size_t)NUM * KFT_MAC_LEN), *status = kft_alloc(NUM);
    const struct kf_column column = {.data = macs, .data_len = (int64_t)NUM * KFT_MAC_LEN, .width = KFT_MAC_LEN};
    int64_t bad = 0;
    CHECK(kf_mac_batch(library.mac_key, macs, (int64_t)NUM * KFT_MAC_LEN, NULL, KFT_MAC_LEN, &text_column, NUM, NULL,
                       THREADS) == KF_OK, "MACs");
    for (int i = 0; i < NUM; i += 1000) macs[i * KFT_MAC_LEN] ^= 1;
    CHECK(kf_mac_verify_batch(library.mac_key, status, &text_column, &column, NUM, NULL, THREADS) == KF_OK, "verify");
    for (int i = 0; i < NUM; i++) bad += status[i] == KF_REC_AUTH;
    CHECK(bad == NUM / 1000, "%d bad MACs", (int)bad);
    free(macs), free(status);
}

/* Signed and verified on several threads; the table of the public key is made by the first of them. */
static void *sign_and_verify(void *arg) {
    enum { FEW = 300 };
    static const struct kf_column digests = {.data = texts, .data_len = FEW * 32, .width = 32};
    uint8_t *out = kft_alloc(FEW * 64), status[FEW], valid[FEW];
    const struct kf_column signatures = {.data = out, .data_len = FEW * 64, .width = 64};
    int64_t bad = -1, good = 0;
    (void)arg;
    CHECK(kf_p256_sign_batch(library.p256, out, NULL, status, &bad, &digests, FEW, KF_P256_RAW, 0, 2) == KF_OK && bad == 0,
          "sign");
    for (int round = 0; round < 3; round++)
        CHECK(kf_p256_verify_batch(valid, library.public_key, &digests, &signatures, FEW, KF_P256_RAW, 2) == KF_OK, "verify");
    for (int i = 0; i < FEW; i++) good += valid[i];
    CHECK(good == FEW, "%d of %d are valid", (int)good, FEW);
    free(out);
    return NULL;
}

static uint64_t batch;

/* Writers take indices from one batch; where two overlap, records would repeat a nonce. */
static void *write_records(void *out) {
    static const struct kf_column few = {.data = texts, .data_len = 100 * WIDTH, .width = WIDTH};
    for (int i = 0; i < 50; i++)
        CHECK(kf_sealed_seal(batch, out, 100 * SEALED, NULL, NULL, &few, 100, 0, 1) == KF_OK, "write records");
    return NULL;
}

/* Each thread loads keys of its own, which pushes out those of others, and uses what it has. */
static void *churn_keys(void *arg) {
    kft_random random = {(uint64_t)(uintptr_t)arg};
    uint64_t keys[KEYS] = {0};
    for (int i = 0; i < ROUNDS; i++) {
        const size_t k = kft_below(&random, KEYS);
        uint8_t blob[BLOB];
        int status = keys[k] ? kf_blob_seal_one(keys[k], blob, texts, WIDTH, NULL, 0, NULL, 0) : KF_ERR_STALE;
        if (status == KF_ERR_STALE)
            status = kf_key_load(&keys[k], library.store, wrapped_keys[k], library.key_id, (uint32_t)k + 1, 0);
        else if (kft_below(&random, 4) == 0)
            kf_key_release(keys[k]);
        CHECK(status == KF_OK, "a key among others: %d", status);
    }
    return NULL;
}

static void run(void *(*what)(void *), int with_output) {
    pthread_t threads[THREADS];
    uint8_t *out[THREADS];
    for (int i = 0; i < THREADS; i++) {
        out[i] = kft_alloc(100 * SEALED);
        if (pthread_create(&threads[i], NULL, what, with_output ? out[i] : (void *)(uintptr_t)(i + 1))) abort();
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL), free(out[i]);
}

int main(void) {
    uint8_t header[KF_SEALED_HEADER_LEN];
    struct kf_arena_info info;
    CHECK(kf_arena_open(1) == KF_OK && kft_library_open(&library) == KF_OK, "the library does not open");
    for (int k = 0; k < KEYS; k++)
        CHECK(kf_key_generate(wrapped_keys[k], library.store, library.key_id, (uint32_t)k + 1, 0) == KF_OK, "key %d", k);
    check_split_batch();
    check_split_macs();
    CHECK(kf_sealed_create(&batch, header, library.key, WIDTH, NULL, 0) == KF_OK, "create");
    run(write_records, 1);
    run(sign_and_verify, 0);
    run(churn_keys, 0);
    CHECK(kf_arena_describe(&info) == KF_OK && info.evictions > 0, "no key was evicted");
    kft_library_close(&library);
    test_reactor(NULL);
    test_reactor_recorded(NULL);
    test_reactor_holds(NULL);
    printf("races: %s; %d evictions\n", kft_failures ? "FAILED" : "passed", (int)info.evictions);
    return kft_failures != 0;
}
