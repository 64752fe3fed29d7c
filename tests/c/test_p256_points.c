/* Scalars, points and sums of every implementation against the textbook, with the exceptions that its formulas have. */
#include <stdlib.h>

#include "kf_p256_words.h"
#include "kft_p256.h"

/* ---- scalars ----------------------------------------------------------------------------------------- */

static void check_wide(const uint8_t bytes[48]) {
    uint64_t modulus[4], rest[4] = {0};
    const uint64_t one[4] = {1};
    kf_p256_scalar k;
    kft_mod_sub(modulus, KFT_N, one, KFT_P); /* n - 1 */
    for (int i = 0; i < 384; i++) {
        kft_mod_add(rest, rest, rest, modulus);
        if (bytes[i / 8] >> (7 - i % 8) & 1) kft_mod_add(rest, rest, one, modulus);
    }
    kft_mod_add(rest, rest, one, KFT_N);
    kf_scalar_from_wide(&k, bytes);
    CHECK(memcmp(k.v, rest, sizeof rest) == 0, "48 bytes %02x%02x.. to a scalar", bytes[0], bytes[1]);
}

/* Multiples of n - 1, and their neighbours. */
static void check_wide_multiples(kft_random *random) {
    for (int t = 0; t < 300; t++) {
        uint64_t product[6] = {0}, q[2] = {kft_next(random), kft_next(random)};
        if (t % 3 == 0) q[0] = q[1] = UINT64_MAX >> (t % 5);
        for (int i = 0; i < 2; i++) {
            uint64_t carry = 0;
            for (int k = 0; k < 4; k++) {
                const kf_u128 s = (kf_u128)q[i] * (KFT_N[k] - (k == 0)) + product[i + k] + carry;
                product[i + k] = (uint64_t)s, carry = (uint64_t)(s >> 64);
            }
            product[i + 4] += carry;
        }
        for (int delta = -1; delta <= 1; delta++) {
            uint8_t bytes[48];
            uint64_t shifted[6];
            memcpy(shifted, product, sizeof shifted);
            shifted[0] += (uint64_t)delta; /* may wrap: another number then, as good as any */
            for (int i = 0; i < 6; i++) kf_store64_be(bytes + 8 * i, shifted[5 - i]);
            check_wide(bytes);
        }
    }
}

void test_p256_scalars(const kft_env *env) {
    kft_random random = {3};
    uint8_t bytes[48];
    (void)env;
    for (int i = 0; i < 400; i++) {
        kft_fill(&random, bytes, sizeof bytes);
        if (i < 48) memset(bytes, i % 2 ? 0xff : 0, (size_t)i + 1);
        if (i >= 48 && i < 96) memset(bytes + (i - 48), 0xff, (size_t)(96 - i));
        check_wide(bytes);
    }
    check_wide_multiples(&random);
    const kf_p256_impl *impl;
    for (int i = 0; (impl = kft_p256_impl(i)) != NULL; i++) {
        kf_p256_scalar a[40], inverse[40], before[40], product;
        const uint64_t one[4] = {1};
        for (int num = 1; num <= 40; num++) {
            for (int k = 0; k < num; k++) {
                kft_number(&random, a[k].v, KFT_N);
                a[k].v[0] |= kf_words_zero(a[k].v);
            }
            impl->arith->scalar_inverse_many(inverse, a, num, before);
            for (int k = 0; k < num; k++) {
                impl->arith->scalar_mul(&product, &inverse[k], &a[k]);
                CHECK(memcmp(product.v, one, sizeof one) == 0, "%s: inverse %d of %d", impl->name, k, num);
                kf_p256_scalar alone;
                impl->arith->scalar_inverse(&alone, &a[k]);
                CHECK(memcmp(&alone, &inverse[k], sizeof alone) == 0, "%s: inverse alone", impl->name);
            }
        }
        const kf_p256_scalar zero = {{0}};
        impl->arith->scalar_inverse(&product, &zero);
        CHECK(kf_words_zero(product.v), "%s: inverse of 0", impl->name);
    }
}

/* ---- multiples of G and of other points ------------------------------------------------------------------ */

enum { NUM_SCALARS = 300 };

/* 2 * 255 * 2^248 - n: the last addition of the one-scalar form doubles. */
static void exception_of_one(uint64_t k[4]) {
    const uint64_t zero[4] = {0}, twice[4] = {0, 0, 0, UINT64_C(0xfe) << 56}; /* less 2^256 */
    kf_words_sub(k, zero, KFT_N);
    kf_words_add(k, k, twice);
}

/* The last addition of the batch's tree is of the even windows and the odd ones: equal for this k, whose digits are
 * those of n with the even ones negated. */
static void exception_of_batch(uint64_t k[4]) {
    kf_p256_scalar n = KF_P256_N;
    uint64_t digits[4], sum[4] = {0};
    kf_scalar_digits(digits, &n);
    for (int i = 31; i >= 0; i--) { /* sum = 256 sum +- digit, modulo 2^256 */
        const int64_t digit = 2 * (int64_t)(digits[i / 8] >> (i % 8 * 8) & 0xff) - 255;
        const uint64_t term = (uint64_t)(i % 2 ? digit : -digit), sign = 0 - (term >> 63);
        const uint64_t extended[4] = {term, sign, sign, sign};
        for (int w = 3; w >= 0; w--) sum[w] = sum[w] << 8 | (w ? sum[w - 1] >> 56 : 0);
        kf_words_add(sum, sum, extended);
    }
    memcpy(k, sum, sizeof sum);
}

static void make_scalars(kf_p256_scalar *k, kft_random *random) {
    const uint64_t one[4] = {1};
    for (int i = 0; i < NUM_SCALARS; i++) {
        kft_number(random, k[i].v, KFT_N);
        k[i].v[0] |= kf_words_zero(k[i].v);
    }
    for (int i = 0; i < 8; i++) { /* 1 to 4, n - 4 to n - 1 */
        const uint64_t small[4] = {(uint64_t)i % 4 + 1};
        if (i < 4)
            memcpy(k[i].v, small, sizeof small);
        else
            kft_mod_sub(k[i].v, (const uint64_t[4]){0}, small, KFT_N);
    }
    exception_of_one(k[8].v), kft_mod_sub(k[9].v, (const uint64_t[4]){0}, k[8].v, KFT_N);
    exception_of_batch(k[10].v), kft_mod_sub(k[11].v, (const uint64_t[4]){0}, k[10].v, KFT_N);
    kft_mod_add(k[12].v, k[10].v, one, KFT_N), kft_mod_add(k[13].v, k[8].v, one, KFT_N);
}

static void check_batches(const kf_p256_impl *impl, const kf_p256_scalar *k, const kf_p256_point *expected,
                          void *scratch) {
    static const int sizes[] = {1, 2, 7, 31, 32, 33, 63, 64, 65, 127, 128};
    kf_p256_point *points = kft_alloc((size_t)impl->chunk * sizeof *points);
    kf_p256_point *aligned = (void *)(((uintptr_t)points + 31) & ~(uintptr_t)31);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const int num = sizes[s] < impl->chunk ? sizes[s] : impl->chunk - 1;
        impl->base_mul(aligned, k, num, scratch);
        for (int i = 0; i < num; i++)
            CHECK(memcmp(&aligned[i], &expected[i], sizeof *expected) == 0, "%s: multiple %d of a batch of %d", impl->name, i,
                  num);
    }
    free(points);
}

void test_p256_points(const kft_env *env) {
    static kf_p256_scalar k[NUM_SCALARS];
    static kf_p256_point expected[NUM_SCALARS];
    kft_random random = {5};
    kft_point known;
    (void)env;
    make_scalars(k, &random);
    CHECK(kft_less(k[8].v, KFT_N) && kft_less(k[10].v, KFT_N), "exceptional scalars out of range");
    for (int i = 0; i < NUM_SCALARS; i++) {
        kft_point_mul(&known, k[i].v, &KFT_G);
        expected[i] = kft_point_to(&known);
    }
    const kf_p256_impl *impl;
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) {
        void *scratch = kft_p256_scratch(impl);
        kf_p256_point p;
        for (int i = 0; i < NUM_SCALARS; i++) {
            impl->arith->base_mul(&p, &k[i]);
            CHECK(memcmp(&p, &expected[i], sizeof p) == 0, "%s: multiple %d of G", impl->name, i);
            impl->arith->point_mul(&p, &k[i], &kf_p256_g);
            CHECK(memcmp(&p, &expected[i], sizeof p) == 0, "%s: multiple %d of a point", impl->name, i);
            CHECK(impl->arith->on_curve(&p), "%s: on_curve", impl->name);
            p.y.v[i % 4] ^= 2;
            CHECK(!impl->arith->on_curve(&p), "%s: a point beside the curve", impl->name);
        }
        for (int i = 20; i < 28; i++) { /* points other than G */
            kft_point base = kft_point_from(&expected[i]);
            kft_point_mul(&known, k[i - 20 + 8].v, &base);
            const kf_p256_point wanted = kft_point_to(&known);
            impl->arith->point_mul(&p, &k[i - 20 + 8], &expected[i]);
            CHECK(memcmp(&p, &wanted, sizeof p) == 0, "%s: multiple of point %d", impl->name, i);
        }
        check_batches(impl, k, expected, scratch);
        free(scratch);
    }
}

/* ---- additions of any points --------------------------------------------------------------------------------- */

/* The affine point in other coordinates: z is random. */
static kf_p256_jacobian scaled(const kf_p256_impl *impl, const kf_p256_point *p, kft_random *random) {
    kf_p256_jacobian r;
    kf_p256_fe z, power;
    kft_number(random, z.v, KFT_P);
    z.v[0] |= kf_words_zero(z.v);
    impl->arith->fe_mul(&power, &z, &z), impl->arith->fe_mul(&r.x, &p->x, &power);
    impl->arith->fe_mul(&power, &power, &z), impl->arith->fe_mul(&r.y, &p->y, &power);
    r.z = z;
    return r;
}

void test_p256_additions(const kft_env *env) {
    kft_random random = {6};
    const kf_p256_impl *impl;
    (void)env;
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) {
        for (int i = 0; i < 60; i++) {
            kf_p256_scalar k[2];
            kf_p256_point p[2];
            for (int j = 0; j < 2; j++) {
                kft_number(&random, k[j].v, KFT_N);
                k[j].v[0] |= kf_words_zero(k[j].v);
                impl->arith->base_mul(&p[j], &k[j]);
            }
            if (i % 4 == 1) p[1] = p[0];
            if (i % 4 == 2) p[1] = p[0], kf_fe_negate_if(&p[1].y, UINT64_MAX);
            const kft_point a = kft_point_from(&p[0]), b = kft_point_from(&p[1]);
            kft_point known;
            kft_point_add(&known, &a, &b);
            kf_p256_jacobian x = scaled(impl, &p[0], &random), y = scaled(impl, &p[1], &random), sum;
            impl->arith->add_var(&sum, &x, &y);
            const kf_p256_point wanted = kft_point_to(&known);
            CHECK(known.infinity ? (int)kf_words_zero(sum.z.v) : impl->arith->is_point_var(&sum, &wanted), "%s: sum %d",
                  impl->name, i);
            const kf_p256_jacobian infinity = {.x = kf_p256_one};
            impl->arith->add_var(&sum, &x, &infinity);
            CHECK(impl->arith->is_point_var(&sum, &p[0]), "%s: p + 0", impl->name);
            impl->arith->add_var(&x, &infinity, &x);
            CHECK(impl->arith->is_point_var(&x, &p[0]), "%s: 0 + p in place", impl->name);
            CHECK(!impl->arith->is_point_var(&infinity, &p[0]), "%s: infinity is a point", impl->name);
            kf_fe_negate_if(&p[0].y, UINT64_MAX);
            CHECK(!impl->arith->is_point_var(&x, &p[0]), "%s: p is -p", impl->name);
        }
    }
}

/* ---- sums of many points ---------------------------------------------------------------------------------------- */

/* The sum of a[i] k[i] for a[i] = 2 c[i] - (2^64 - 1). */
static void weighted_sum(uint64_t r[4], const kf_p256_scalar *k, const uint64_t *c, int num) {
    const uint64_t most[4] = {UINT64_MAX};
    memset(r, 0, 32);
    for (int i = 0; i < num; i++) {
        uint64_t a[4] = {c[i]};
        kft_mod_add(a, a, a, KFT_N), kft_mod_sub(a, a, most, KFT_N), kft_mod_mul(a, a, k[i].v, KFT_N);
        kft_mod_add(r, r, a, KFT_N);
    }
}

void test_p256_sums(const kft_env *env) {
    static const int sizes[] = {1, 2, 3, 17, 64, 299, 300, 301, 777, 1023, KF_P256_SUM_MAX};
    static kf_p256_scalar k[KF_P256_SUM_MAX];
    static kf_p256_point points[KF_P256_SUM_MAX];
    static uint64_t c[KF_P256_SUM_MAX];
    kft_random random = {8};
    const kf_p256_impl *impl;
    (void)env;
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) {
        void *scratch = kft_p256_scratch(impl);
        for (int i = 0; i < KF_P256_SUM_MAX; i++) {
            for (int w = 0; w < 4; w++) k[i].v[w] = kft_next(&random);
            k[i].v[3] >>= 1;
            c[i] = kft_next(&random);
        }
        c[0] = 0, c[1] = UINT64_MAX, c[2] = UINT64_C(1) << 63, c[3] = UINT64_MAX >> 1;
        for (int i = 0; i < KF_P256_SUM_MAX; i += 64) impl->base_mul(points + i, k + i, 64, scratch);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            kf_p256_jacobian sum;
            kf_p256_scalar total;
            kf_p256_point wanted;
            weighted_sum(total.v, k, c, sizes[s]);
            impl->arith->base_mul(&wanted, &total);
            CHECK(impl->sum_var(&sum, points, c, sizes[s], scratch) && impl->arith->is_point_var(&sum, &wanted),
                  "%s: sum of %d", impl->name, sizes[s]);
            points[sizes[s] / 2].y = kf_p256_one; /* one wrong point */
            CHECK(!impl->sum_var(&sum, points, c, sizes[s], scratch) || !impl->arith->is_point_var(&sum, &wanted),
                  "%s: sum of %d with a wrong point", impl->name, sizes[s]);
            impl->base_mul(&points[sizes[s] / 2], &k[sizes[s] / 2], 1, scratch);
        }
        for (int i = 1; i < 40; i++) points[i] = points[0], k[i] = k[0]; /* repeated: right, or said to be an exception */
        kf_p256_jacobian sum;
        kf_p256_scalar total;
        kf_p256_point wanted;
        weighted_sum(total.v, k, c, 40);
        impl->arith->base_mul(&wanted, &total);
        CHECK(!impl->sum_var(&sum, points, c, 40, scratch) || impl->arith->is_point_var(&sum, &wanted),
              "%s: sum of one point", impl->name);
        free(scratch);
    }
}
