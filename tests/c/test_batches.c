/* Lengths, associated data, batch sizes and corruption, against the textbook or portable. */
#include "kft_batch.h"

enum { MAX_LEN = 1024 };

/* Both modes, with and without a digest. */
static void check_all_kinds(const kft_env *env, kft_batch_spec spec) {
    for (int kind = 0; kind < 2 * KFT_NUM_MODES; kind++) {
        spec.mode = (enum kft_mode)(kind / 2);
        spec.with_digest = kind % 2;
        kft_batch_check(env, &spec);
    }
}

/* Every length up to 1,024: one by one, and all in one ragged batch in an order that mixes them. */
void test_lengths(const kft_env *env) {
    enum { STEP = 459 }; /* has no factor in common with 1025 */
    size_t lens[MAX_LEN + 1], aad_lens[MAX_LEN + 1];
    for (size_t i = 0; i <= MAX_LEN; i++) {
        lens[i] = i * STEP % (MAX_LEN + 1);
        aad_lens[i] = i % 37;
        check_all_kinds(env, (kft_batch_spec){.n = 1, .lens = &lens[i], .aad_lens = &aad_lens[i], .seed = i,
                                              .placement = KFT_UNALIGNED});
    }
    check_all_kinds(env, (kft_batch_spec){.n = MAX_LEN + 1, .lens = lens, .seed = 1});
    check_all_kinds(env, (kft_batch_spec){.n = MAX_LEN + 1, .lens = lens, .aad_lens = aad_lens, .seed = 2});
}

/* Around 2^20 bytes, alone and between short neighbours. */
void test_long_records(const kft_env *env) {
    const size_t mib = 1 << 20;
    const size_t lens[] = {5, mib - 1, 0, mib, 64, mib + 1, 17, 33, 1, 250, 16, 4096, 4095, 65537};
    const size_t n = sizeof lens / sizeof lens[0];
    check_all_kinds(env, (kft_batch_spec){.n = n, .lens = lens, .seed = 3, .placement = KFT_UNALIGNED});
    for (size_t i = 1; i < 6; i += 2)
        check_all_kinds(env, (kft_batch_spec){.n = 1, .lens = &lens[i], .seed = i, .placement = KFT_PAGE_END});
}

/* Every length of associated data up to 300, and a long one. */
void test_aad(const kft_env *env) {
    enum { N = 302 };
    size_t lens[N], aad_lens[N];
    for (size_t i = 0; i < N; i++) {
        lens[i] = i * 7 % 90;
        aad_lens[i] = i < N - 1 ? i : 100000;
        check_all_kinds(env, (kft_batch_spec){.n = 1, .lens = &lens[i], .aad_lens = &aad_lens[i], .seed = i});
    }
    check_all_kinds(env, (kft_batch_spec){.n = N, .lens = lens, .aad_lens = aad_lens, .seed = 4});
}

/* ---- batch sizes ---------------------------------------------------------------------------------------- */

enum { NUM_SHAPES = 8, MAX_BATCH = 1100 };

/* How long the records of a batch are, from uniform to one long among many. */
static size_t shape_len(int shape, size_t i, size_t n, kft_random *random) {
    static const size_t uniform[] = {0, 16, 64, 61};
    if (shape < 4) return uniform[shape];
    if (shape == 4) return kft_below(random, 20);
    if (shape == 5) return kft_below(random, 257);
    if (shape == 6) return i == n / 2 ? 3000 : 8 + kft_below(random, 9);
    return kft_below(random, 4) ? 0 : kft_below(random, 100);
}

static void check_batch_size(const kft_env *env, size_t n) {
    size_t lens[MAX_BATCH], aad_lens[MAX_BATCH];
    kft_random random = {n};
    for (int shape = 0; shape < NUM_SHAPES; shape++) {
        for (size_t i = 0; i < n; i++) {
            lens[i] = shape_len(shape, i, n, &random);
            aad_lens[i] = kft_below(&random, 3) ? 0 : kft_below(&random, 50);
        }
        check_all_kinds(env, (kft_batch_spec){.n = n, .lens = lens, .seed = n,
                                              .aad_lens = shape % 2 ? aad_lens : NULL});
    }
}

/* Every size near the lanes of any implementation, and near the window that sorts by length. */
void test_batch_sizes(const kft_env *env) {
    static const size_t large[] = {63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1025};
    for (size_t n = 0; n <= 40; n++) check_batch_size(env, n);
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) check_batch_size(env, large[i]);
}

/* ---- runs of one length ------------------------------------------------------------------------------------ */

/* n records in both modes, as they are and with about every fifth corrupted. */
static void check_some_corrupted(const kft_env *env, size_t n, const size_t *lens, size_t seed,
                                 enum kft_placement placement) {
    long bits[MAX_BATCH];
    kft_random random = {seed};
    for (size_t i = 0; i < n; i++)
        bits[i] = kft_below(&random, 5) ? -1 : (long)kft_below(&random, 8 * (lens[i] + 16));
    kft_batch_spec spec = {.n = n, .lens = lens, .seed = seed, .placement = placement};
    spec.in_place = (int)(n + seed / 8) % 2, spec.with_digest = (int)(n + seed / 16) % 2;
    for (int mode = 0; mode < KFT_NUM_MODES; mode++) {
        spec.mode = (enum kft_mode)mode;
        kft_batch_check(env, &spec);
        kft_batch_check_corrupted(env, &spec, bits);
    }
}

/* n records of one length, all but those at multiples of odd (0: none), which differ. */
static void check_run(const kft_env *env, size_t n, size_t len, size_t odd, enum kft_placement placement) {
    size_t lens[MAX_BATCH];
    for (size_t i = 0; i < n; i++) lens[i] = odd && i % odd == odd - 1 ? len / 2 : len;
    check_some_corrupted(env, n, lens, len, placement);
}

/* n records of one count of blocks, whose last blocks differ in length. */
static void check_blocks(const kft_env *env, size_t n, size_t count, enum kft_placement placement) {
    size_t lens[MAX_BATCH];
    kft_random random = {count};
    for (size_t i = 0; i < n; i++) lens[i] = 16 * count - kft_below(&random, 16);
    check_some_corrupted(env, n, lens, 16 * count, placement);
}

/* Every length that is short to some kernel; runs that are broken off; runs that end inside a window; as many blocks
 * but other lengths. */
void test_runs(const kft_env *env) {
    for (size_t len = 1; len <= 1060; len += len < 300 ? 1 : 5)
        check_run(env, 16 + len % 31, len, 0, len % 8 ? KFT_UNALIGNED : KFT_PAGE_END);
    for (size_t n = 16; n <= 300; n += 13) check_run(env, n, 64, 0, KFT_UNALIGNED);
    for (size_t odd = 2; odd <= 60; odd += 3) check_run(env, 150, 20 + odd, odd, KFT_PAGE_START);
    for (size_t count = 1; count <= 66; count++)
        check_blocks(env, 17 + count % 11, count, count % 2 ? KFT_UNALIGNED : KFT_PAGE_END);
}

/* ---- corruption ------------------------------------------------------------------------------------------- */

/* Every bit of one record, in each place of a batch in turn. */
static void check_every_bit(const kft_env *env, kft_batch_spec spec) {
    long bits[64];
    const size_t n = spec.n;
    for (size_t i = 0; i < n; i++) bits[i] = -1;
    size_t victim = 0;
    for (long bit = 0;; bit++) {
        const size_t len = spec.lens[victim] + 16 + (spec.aad_lens ? spec.aad_lens[victim] : 0);
        bits[victim] = bit;
        if (bit >= (long)(8 * len)) break;
        spec.mode = (enum kft_mode)(bit % 2);
        spec.in_place = bit / 2 % 2;
        kft_batch_check_corrupted(env, &spec, bits);
        spec.mode = (enum kft_mode)((bit + 1) % 2);
        kft_batch_check_corrupted(env, &spec, bits);
        bits[victim] = -1;
        victim = (victim + 1) % n;
    }
}

static void check_random_victims(const kft_env *env) {
    enum { MAX_N = 48, ROUNDS = 300 };
    size_t lens[MAX_N], aad_lens[MAX_N];
    long bits[MAX_N];
    kft_random random = {5};
    for (int round = 0; round < ROUNDS; round++) {
        const size_t n = 1 + kft_below(&random, MAX_N), odds = 1 + kft_below(&random, 6);
        for (size_t i = 0; i < n; i++) {
            lens[i] = kft_below(&random, round % 3 ? 70 : 400);
            aad_lens[i] = kft_below(&random, 20);
            bits[i] = kft_below(&random, odds) ? -1 : (long)kft_below(&random, 8 * (lens[i] + 16 + aad_lens[i]));
        }
        kft_batch_check_corrupted(env, &(kft_batch_spec){
            .mode = (enum kft_mode)(round % 2), .with_digest = round / 2 % 2, .in_place = round / 4 % 2,
            .placement = KFT_UNALIGNED, .n = n, .lens = lens, .aad_lens = aad_lens, .seed = (uint64_t)round}, bits);
    }
}

/* Failed records are zeros with ok = 0, and their neighbours are unharmed. */
void test_corruption(const kft_env *env) {
    size_t lens[19], aad_lens[19];
    for (size_t i = 0; i < 19; i++) lens[i] = 40, aad_lens[i] = 3;
    check_every_bit(env, (kft_batch_spec){.n = 1, .lens = lens, .aad_lens = aad_lens, .seed = 6});
    check_every_bit(env, (kft_batch_spec){.n = 19, .lens = lens, .aad_lens = aad_lens, .with_digest = 1, .seed = 7});
    for (size_t i = 0; i < 19; i++) lens[i] = i * 5 % 19;
    check_every_bit(env, (kft_batch_spec){.n = 19, .lens = lens, .seed = 8});
    check_random_victims(env);
}
