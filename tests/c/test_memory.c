/* Where buffers lie: at odd addresses, against unmapped pages, on top of each other. */
#include "kft_batch.h"

static void check_both_ways(const kft_env *env, kft_batch_spec spec) {
    for (int kind = 0; kind < 4 * KFT_NUM_MODES; kind++) {
        spec.mode = (enum kft_mode)(kind / 4);
        spec.with_digest = kind / 2 % 2;
        spec.in_place = kind % 2;
        kft_batch_check(env, &spec);
    }
}

/* Batches of n ragged records with the given placement; lengths below limit. */
static void check_ragged(const kft_env *env, enum kft_placement placement, size_t n, size_t limit, uint64_t seed) {
    enum { MAX_N = 80 };
    size_t lens[MAX_N], aad_lens[MAX_N];
    kft_random random = {seed};
    for (size_t i = 0; i < n; i++) {
        lens[i] = kft_below(&random, limit);
        aad_lens[i] = kft_below(&random, 40);
    }
    const kft_batch_spec spec = {.placement = placement, .n = n, .lens = lens, .seed = seed};
    check_both_ways(env, spec);
    check_both_ways(env, (kft_batch_spec){.placement = placement, .n = n, .lens = lens, .aad_lens = aad_lens, .seed = seed});
}

void test_unaligned(const kft_env *env) {
    for (uint64_t seed = 0; seed < 60; seed++) check_ragged(env, KFT_UNALIGNED, 1 + seed % 40, 300, seed);
}

/* Reading or writing one byte too many, on either side, ends the program. */
void test_page_ends(const kft_env *env) {
    for (size_t len = 0; len <= 160; len++) {
        const size_t aad_len = len * 5 % 70;
        for (int placement = KFT_PAGE_END; placement <= KFT_PAGE_START; placement++)
            check_both_ways(env, (kft_batch_spec){.placement = (enum kft_placement)placement, .n = 1, .lens = &len,
                                                  .aad_lens = &aad_len, .seed = len});
    }
    for (size_t n = 1; n <= 20; n++) {
        check_ragged(env, KFT_PAGE_END, n, 100, n);
        check_ragged(env, KFT_PAGE_START, n, 100, n);
    }
    check_ragged(env, KFT_PAGE_END, 70, 20, 1);
    check_ragged(env, KFT_PAGE_END, 35, 5000, 2);
    check_ragged(env, KFT_PAGE_START, 9, 5000, 3);
}

void test_in_place(const kft_env *env) {
    for (size_t len = 0; len <= 300; len++)
        check_both_ways(env, (kft_batch_spec){.placement = KFT_PLAIN, .n = 1, .lens = &len, .seed = len});
    for (size_t n = 1; n <= 40; n++) check_ragged(env, KFT_PLAIN, n, 200, n);
}
