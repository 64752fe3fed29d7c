/*
 * Verification of every implementation against the textbook: signatures good and bad, and equations that meet the
 * exceptions of its sums, made by someone who chose key, digest and signature for it. Encodings.
 */
#include <stdlib.h>

#include "kf_p256_der.h"
#include "kf_p256_words.h"
#include "kft_p256.h"

enum { NUM = 560 };

static kf_p256_equation equations[NUM] __attribute__((aligned(32)));
static kf_p256_point keys[NUM];
static uint8_t expected[NUM], outcome[NUM];

/* r for which the equation u1 G + u2 Q has it as x coordinate modulo n; 0 when there is none: infinity. */
static int solve(uint64_t r[4], const kf_p256_equation *e, const kft_point *q) {
    kft_point a, b;
    kft_point_mul(&a, e->u1.v, &KFT_G), kft_point_mul(&b, e->u2.v, q);
    kft_point_add(&a, &a, &b);
    memcpy(r, a.x, sizeof a.x);
    if (!kft_less(r, KFT_N)) kf_words_sub(r, r, KFT_N);
    return !a.infinity;
}

/* Equation i under one key, true or false; crafted: such that it may meet exceptions. */
static void make_equation(int i, const kft_point *q, int crafted, kft_random *random) {
    kf_p256_equation *e = &equations[i];
    uint64_t r[4];
    for (int w = 0; w < 4; w++) e->u1.v[w] = kft_next(random), e->u2.v[w] = kft_next(random);
    e->u1.v[3] >>= 1, e->u2.v[3] >>= 1;
    if (crafted) {
        switch (kft_below(random, 6)) {
        case 0: e->u1 = (kf_p256_scalar){{0}}; break;
        case 1: e->u1 = e->u2; break;
        case 2: kft_mod_sub(e->u1.v, (const uint64_t[4]){0}, e->u2.v, KFT_N); break;
        case 3: e->u1 = (kf_p256_scalar){{kft_below(random, 300)}}; break;
        case 4: e->u2 = (kf_p256_scalar){{kft_below(random, 300) + 1}}; break;
        }
    }
    const int finite = solve(r, e, q);
    memcpy(e->r.v, r, sizeof r);
    if (kft_below(random, 3) == 0) e->r.v[kft_below(random, 3)] ^= UINT64_C(1) << kft_below(random, 64);
    if (!finite || !kft_less(e->r.v, KFT_N) || kf_words_zero(e->r.v)) e->r = (kf_p256_scalar){{1}};
    expected[i] = finite && memcmp(e->r.v, r, sizeof r) == 0;
    keys[i] = kft_point_to(q);
}

static void check_outcomes(const kf_p256_impl *impl, const char *what, int num, int crafted) {
    int exceptions = 0;
    for (int i = 0; i < num; i++) {
        exceptions += outcome[i] == KF_P256_EXCEPTION;
        CHECK(outcome[i] == KF_P256_EXCEPTION || outcome[i] == expected[i], "%s: %s, item %d of %d: %d", impl->name, what, i,
              num, outcome[i]);
        CHECK(impl->arith->verify_var(&equations[i].u1, &equations[i].u2, &equations[i].r, &keys[i]) == expected[i],
              "%s: verify_var, item %d", impl->name, i);
    }
    CHECK(crafted || exceptions == 0, "%s: %s, %d exceptions among ordinary items", impl->name, what, exceptions);
}

enum { UNIQUE = 64, OF_ONE_KEY = 128 };

/* At the sizes of chunks, by all ways that verify under one key. */
static void check_one_key(const kf_p256_impl *impl, const kf_p256_point *q, int crafted) {
    static const int sizes[] = {1, 3, 10, 31, 32, 33, 127, OF_ONE_KEY};
    void *scratch = kft_p256_scratch(impl), *table = aligned_alloc(64, impl->key_table_len);
    void *one_table = aligned_alloc(64, impl->arith->table_len);
    impl->key_table_var(table, q, scratch);
    impl->arith->fill_table_var(one_table, q, scratch);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const int num = sizes[s] < impl->chunk ? sizes[s] : impl->chunk;
        memset(outcome, 0x5a, sizeof outcome);
        impl->verify_key_var(outcome, equations, table, num, scratch);
        check_outcomes(impl, "one key", num, crafted);
        CHECK(outcome[num] == 0x5a, "%s: written beyond %d", impl->name, num);
        memset(outcome, 0x5a, sizeof outcome);
        impl->verify_many_var(outcome, equations, keys, num, scratch);
        check_outcomes(impl, "many keys", num, crafted);
    }
    for (int i = 0; i < UNIQUE; i++) {
        const int found = impl->arith->verify_table_var(&equations[i].u1, &equations[i].u2, &equations[i].r, one_table);
        CHECK(found == expected[i], "%s: verify_table_var, item %d", impl->name, i);
    }
    free(scratch), free(table), free(one_table);
}

/* every: 0 for ordinary items only, else how many of them to a crafted one. */
static void check_verification(const kft_point *q, int every, kft_random *random) {
    const kf_p256_point key = kft_point_to(q);
    const kf_p256_impl *impl;
    for (int i = 0; i < OF_ONE_KEY; i++) {
        if (i < UNIQUE) {
            make_equation(i, q, every && i % every == 0, random);
        } else {
            equations[i] = equations[i - UNIQUE];
            expected[i] = expected[i - UNIQUE], keys[i] = keys[i - UNIQUE];
        }
    }
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) check_one_key(impl, &key, every);
}

void test_p256_verifying(const kft_env *env) {
    const uint64_t shifted[4] = {256};
    kft_random random = {13};
    uint64_t d[4];
    kft_point q;
    (void)env;
    kft_number(&random, d, KFT_N);
    kft_point_mul(&q, d, &KFT_G);
    check_verification(&q, 0, &random);
    check_verification(&q, 3, &random);
    check_verification(&KFT_G, 1, &random); /* Q = G: both tables are the same */
    q = KFT_G;
    kft_mod_sub(q.y, (const uint64_t[4]){0}, KFT_G.y, KFT_P);
    check_verification(&q, 2, &random); /* Q = -G */
    kft_point_mul(&q, shifted, &KFT_G);
    check_verification(&q, 2, &random); /* Q = 256 G: a window of one table is the next of the other */
}

/* Many keys at the sizes of many_chunk, each its own, a crafted one now and then. */
void test_p256_many_keys(const kft_env *env) {
    const kf_p256_impl *impl;
    kft_random random = {14};
    kft_point q = KFT_G;
    (void)env;
    for (int i = 0; i < NUM; i++) {
        kft_point_add(&q, &q, &KFT_G); /* 2 G, 3 G, ... */
        make_equation(i, &q, i % 5 == 0, &random);
    }
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) {
        const int most = impl->many_chunk < NUM ? impl->many_chunk : NUM;
        const int sizes[] = {24, 129, most - 1, most};
        void *scratch = kft_p256_scratch(impl);
        for (int s = 0; s < 4; s++) {
            memset(outcome, 0x5a, sizeof outcome);
            impl->verify_many_var(outcome, equations, keys, sizes[s], scratch);
            check_outcomes(impl, "many keys", sizes[s], 1);
            int exceptions = 0;
            for (int i = 0; i < sizes[s]; i++) exceptions += outcome[i] == KF_P256_EXCEPTION && i % 5;
            CHECK(exceptions == 0, "%s: %d ordinary items beside crafted ones became exceptions", impl->name, exceptions);
        }
        free(scratch);
    }
}

/* ---- encodings --------------------------------------------------------------------------------------------------- */

/* n - 1, and small numbers, as DER: 30 len 02 len r 02 len s. */
#define N_LESS_1 "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"
#define N_ITSELF "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define N_PLUS_1 "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552"

static const struct {
    const char *hex;
    int good;
    const char *what;
} DER[] = {
    {"3006020101020101", 1, "r = s = 1"},
    {"30080202008002020080", 1, "r = s = 128"},
    {"3046022100" N_LESS_1 "022100" N_LESS_1, 1, "r = s = n - 1"},
    {"3026020101022100" N_LESS_1, 1, "s = n - 1"},
    {"3006020100020101", 0, "r = 0"},
    {"3006020101020100", 0, "s = 0"},
    {"3026020101022100" N_ITSELF, 0, "s = n"},
    {"3026022100" N_ITSELF "020101", 0, "r = n"},
    {"3026022100" N_PLUS_1 "020101", 0, "r = n + 1"},
    {"302602210100000000000000000000000000000000000000000000000000000000000000000020101", 0, "r of 33 bytes"},
    {"3006020181020101", 0, "r negative"},
    {"3006020101020180", 0, "s negative"},
    {"300702020001020101", 0, "r with a zero too many"},
    {"300702010102020001", 0, "s with a zero too many"},
    {"3005020002020101", 0, "r without bytes"},
    {"30060201010201", 0, "cut short"},
    {"3006020101020101" "00", 0, "a byte behind"},
    {"3007020101020101" "00", 0, "a byte within, behind s"},
    {"300602010102010101", 0, "an INTEGER longer than said"},
    {"3106020101020101", 0, "not a SEQUENCE"},
    {"3006030101020101", 0, "r not an INTEGER"},
    {"3006020101030101", 0, "s not an INTEGER"},
    {"308106020101020101", 0, "a long length"},
    {"30800201010201010000", 0, "an indefinite length"},
    {"300902010102010102010" "1", 0, "three INTEGERs"},
    {"3003020101", 0, "one INTEGER"},
    {"3000", 0, "an empty SEQUENCE"},
    {"30", 0, "one byte"},
    {"", 0, "no bytes"},
};

void test_p256_encodings(const kft_env *env) {
    kft_random random = {15};
    kf_p256_scalar r, s, r2, s2;
    uint8_t raw[64], der[KF_P256_DER_MAX];
    (void)env;
    for (size_t i = 0; i < sizeof DER / sizeof DER[0]; i++) {
        uint8_t bytes[100];
        const size_t len = kft_from_hex(bytes, sizeof bytes, DER[i].hex);
        uint8_t *edge = kft_page_end(len);
        memcpy(edge, bytes, len);
        CHECK(kf_p256_der_read(&r, &s, edge, len) == DER[i].good, "DER: %s", DER[i].what);
    }
    kft_pages_free();
    for (int i = 0; i < 3000; i++) {
        kft_number(&random, r.v, KFT_N), kft_number(&random, s.v, KFT_N);
        if (i % 3 == 0) r.v[3] = r.v[2] = 0, r.v[1] >>= i % 64; /* short ones */
        kf_words_to_be(raw, r.v), kf_words_to_be(raw + 32, s.v);
        const int good = !kf_words_zero(r.v) && !kf_words_zero(s.v);
        const size_t len = kf_p256_der_write(der, raw);
        CHECK(kf_p256_der_read(&r2, &s2, der, len) == good, "DER of its own");
        CHECK(!good || (memcmp(&r, &r2, sizeof r) == 0 && memcmp(&s, &s2, sizeof s) == 0), "DER there and back");
        CHECK(kf_p256_raw_read(&r2, &s2, raw, 64) == good, "raw");
        CHECK(!kf_p256_raw_read(&r2, &s2, raw, 63) && !kf_p256_raw_read(&r2, &s2, raw, 65), "raw of another length");
        if (!good) continue;
        der[kft_below(&random, len)] ^= (uint8_t)(1 << kft_below(&random, 8)); /* never read as the same signature */
        CHECK(!kf_p256_der_read(&r2, &s2, der, len) || memcmp(&r, &r2, sizeof r) || memcmp(&s, &s2, sizeof s),
              "two encodings of one signature");
    }
}
