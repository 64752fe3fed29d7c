/*
 * Template: the field of one implementation, which the file that includes this has included before, against the
 * textbook. FIELD_TEST names the test.
 */

static void check_field(const uint64_t a[4], const uint64_t b[4]) {
    kf_p256_fe x, y, r;
    uint64_t expected[4], got[4];
    memcpy(x.v, a, sizeof x.v), memcpy(y.v, b, sizeof y.v);

    fe_mul(&r, &x, &y); /* a b / R */
    kft_mod_mul(expected, a, b, KFT_P), kft_from_mont(expected, expected, KFT_P);
    CHECK(memcmp(r.v, expected, sizeof expected) == 0, "fe_mul of %016llx.. %016llx..", (unsigned long long)a[3],
          (unsigned long long)b[3]);
    fe_sqr(&r, &x);
    kft_mod_mul(expected, a, a, KFT_P), kft_from_mont(expected, expected, KFT_P);
    CHECK(memcmp(r.v, expected, sizeof expected) == 0, "fe_sqr of %016llx..", (unsigned long long)a[3]);
    fe_add(&r, &x, &y), kft_mod_add(expected, a, b, KFT_P);
    CHECK(memcmp(r.v, expected, sizeof expected) == 0, "fe_add");
    fe_sub(&r, &x, &y), kft_mod_sub(expected, a, b, KFT_P);
    CHECK(memcmp(r.v, expected, sizeof expected) == 0, "fe_sub");

    fe_mul(&x, &x, &y), fe_add(&y, &y, &y), fe_sub(&y, &y, &y); /* in place */
    kft_mod_mul(expected, a, b, KFT_P), kft_from_mont(got, x.v, KFT_P), kft_from_mont(expected, expected, KFT_P);
    kft_from_mont(expected, expected, KFT_P);
    CHECK(memcmp(got, expected, sizeof expected) == 0, "fe_mul in place");
    CHECK(kf_words_zero(y.v), "fe_sub of equal numbers in place");
}

static void check_scalars(const uint64_t a[4], const uint64_t b[4]) {
    kf_p256_scalar x, y, r;
    uint64_t expected[4];
    memcpy(x.v, a, sizeof x.v), memcpy(y.v, b, sizeof y.v);
    scalar_mul(&r, &x, &y);
    kft_mod_mul(expected, a, b, KFT_N), kft_from_mont(expected, expected, KFT_N);
    CHECK(memcmp(r.v, expected, sizeof expected) == 0, "scalar_mul of %016llx.. %016llx..", (unsigned long long)a[3],
          (unsigned long long)b[3]);
}

/* Numbers whose words are all equal bits, or whose values are at the ends, in all pairs; then random ones. */
void FIELD_TEST(const kft_env *env) {
    static const uint64_t words[] = {0, UINT64_MAX, 1, UINT64_C(1) << 63};
    enum { WORDS = sizeof words / sizeof words[0], EDGES = WORDS * WORDS * WORDS * WORDS };
    uint64_t edges[EDGES][4], a[4], b[4];
    kft_random random = {17};
    (void)env;
    if (!FIELD_RUNS) return;
    for (int i = 0; i < EDGES; i++)
        for (int k = 0, rest = i; k < 4; k++, rest /= WORDS) edges[i][k] = words[rest % WORDS];
    for (int i = 0; i < EDGES; i++) {
        for (int k = i % 7; k < EDGES; k += 7) {
            if (kft_less(edges[i], KFT_P) && kft_less(edges[k], KFT_P)) check_field(edges[i], edges[k]);
            if (kft_less(edges[i], KFT_N) && kft_less(edges[k], KFT_N)) check_scalars(edges[i], edges[k]);
        }
    }
    for (int i = 0; i < 4000; i++) {
        kft_number(&random, a, KFT_P), kft_number(&random, b, KFT_P);
        check_field(a, b);
        kft_number(&random, a, KFT_N), kft_number(&random, b, KFT_N);
        check_scalars(a, b);
    }
}
