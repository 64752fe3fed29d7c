/*
 * Template: lanes of one make, which the file that includes this has included before, against the textbook. LANES_TEST
 * names the test, LANES_RUN says whether this CPU has them.
 * Numbers are chosen for what random ones never meet: limbs of equal bits, sums that carry through all limbs, values at
 * the ends of what kf_p256_lanes.h allows.
 */

typedef union {
    kf_lane vector[5];
    uint64_t limb[5][KF_LANES];
} lanes_limbs;

enum { LANES_ROUNDS = 12000 };

static void lanes_r(uint64_t r[4]) { /* 2^260 mod p */
    const uint64_t one[4] = {1};
    memcpy(r, one, sizeof one);
    for (int i = 0; i < 260; i++) kft_mod_add(r, r, r, KFT_P);
}

/* The value of one lane modulo p. Of a number that was negated the last limb may be negative. */
static void lane_value(uint64_t r[4], const lanes_limbs *limbs, int lane) {
    uint64_t value[4] = {0};
    for (int i = 4; i >= 0; i--) {
        const int64_t signed_limb = (int64_t)limbs->limb[i][lane];
        const uint64_t limb[4] = {(uint64_t)(signed_limb < 0 ? -signed_limb : signed_limb)};
        for (int bit = 0; bit < 52; bit++) kft_mod_add(value, value, value, KFT_P);
        (signed_limb < 0 ? kft_mod_sub : kft_mod_add)(value, value, limb, KFT_P);
    }
    memcpy(r, value, sizeof value);
}

/* One of the numbers that are hard, or any: five limbs of which the last is up to the given one. */
static void lanes_pick(lanes_limbs *limbs, kft_random *random, uint64_t last) {
    static const uint64_t hard[] = {0, 1, KF_LIMB_MASK, KF_LIMB_MASK - 1, 1ULL << 51, (1ULL << 44) - 1, 1ULL << 36, 1ULL << 8};
    enum { HARD = sizeof hard / sizeof hard[0] };
    for (int lane = 0; lane < KF_LANES; lane++) {
        const size_t kind = kft_below(random, 8);
        for (int i = 0; i < 5; i++) {
            uint64_t x = kft_next(random) & KF_LIMB_MASK;
            if (kind < 5) x = hard[kft_below(random, HARD)];
            if (kind == 5) x = KF_LIMB_MASK;
            if (kind == 6) x = KF_P_LIMB(i);
            if (i == 4 && x > last) x = kind < 6 ? last - kft_below(random, 2) : x % (last + 1);
            limbs->limb[i][lane] = x;
        }
    }
}

/* Limb 4 of the largest factor and the largest number. */
#define LANES_LAST_FACTOR ((1ULL << 51) - (1ULL << 20)) /* below 8 p */
#define LANES_LAST_NUMBER ((1ULL << 48) + (1ULL << 21) - 1)

KF_LANE_FN void lanes_to_factor(kf_factor *r, const lanes_limbs *limbs) {
    for (int i = 0; i < 5; i++) r->limb[i] = kf_lane_operand(limbs->vector[i]);
}
KF_LANE_FN void lanes_from_factor(lanes_limbs *limbs, const kf_factor *a) {
    for (int i = 0; i < 5; i++) limbs->vector[i] = kf_lane_integer(a->limb[i]);
}

/* The five operations: a b, a a, a b - c, a a - c - d, c - d; c may be negated before. */
typedef struct {
    lanes_limbs a, b, c, d, mul, sqr, mul_sub, sqr_sub, sub, zero;
} lanes_case;

KF_LANE_CALL void lanes_compute(lanes_case *t, int negated) {
    kf_factor a, b, r;
    kf_number c, d, n;
    lanes_to_factor(&a, &t->a), lanes_to_factor(&b, &t->b);
    memcpy(&c, &t->c, sizeof c), memcpy(&d, &t->d, sizeof d);
    if (negated) kf_lanes_negate(&c, kf_lane_all(~0ULL)), memcpy(&t->c, &c, sizeof c);
    kf_lanes_mul(&r, &a, &b), lanes_from_factor(&t->mul, &r);
    kf_lanes_sqr(&r, &a), lanes_from_factor(&t->sqr, &r);
    kf_lanes_mul_sub(&n, &a, &b, &c), memcpy(&t->mul_sub, &n, sizeof n);
    kf_lanes_sqr_sub(&n, &a, &c, &d), memcpy(&t->sqr_sub, &n, sizeof n);
    kf_lanes_sub(&r, &c, &d), lanes_from_factor(&t->sub, &r);
    t->zero.vector[0] = kf_lanes_is_zero(&r);
}

/* Limbs 0 to 3 below 2^52, limb 4 at most last. */
static void check_limbs(const lanes_limbs *limbs, uint64_t last, const char *what) {
    for (int lane = 0; lane < KF_LANES; lane++) {
        uint64_t high = 0;
        for (int i = 0; i < 4; i++) high |= limbs->limb[i][lane] >> 52;
        CHECK(!high && limbs->limb[4][lane] <= last, KF_LANES_NAME ": limbs of %s: %016llx", what,
              (unsigned long long)limbs->limb[4][lane]);
    }
}

/* limbs = expected / R mod p */
static void check_quotient(const lanes_limbs *limbs, int lane, const uint64_t expected[4], const char *what) {
    uint64_t value[4], r[4];
    lanes_r(r);
    lane_value(value, limbs, lane);
    kft_mod_mul(value, value, r, KFT_P);
    CHECK(memcmp(value, expected, sizeof value) == 0, KF_LANES_NAME ": %s", what);
}

static void check_case(lanes_case *t, int negated) {
    uint64_t r[4];
    lanes_r(r);
    unsigned before = kf_lanes_enter();
    lanes_compute(t, negated);
    kf_lanes_leave(before);
    check_limbs(&t->mul, 5ULL << 48, "a b"), check_limbs(&t->sqr, 5ULL << 48, "a a");
    check_limbs(&t->mul_sub, LANES_LAST_NUMBER, "a b - c"), check_limbs(&t->sqr_sub, LANES_LAST_NUMBER, "a a - c - d");
    check_limbs(&t->sub, 4ULL << 48, "c - d");
    for (int lane = 0; lane < KF_LANES; lane++) {
        uint64_t a[4], b[4], c[4], d[4], x[4], y[4];
        lane_value(a, &t->a, lane), lane_value(b, &t->b, lane), lane_value(c, &t->c, lane), lane_value(d, &t->d, lane);
        kft_mod_mul(x, a, b, KFT_P);
        check_quotient(&t->mul, lane, x, "a b");
        kft_mod_mul(y, c, r, KFT_P), kft_mod_sub(x, x, y, KFT_P);
        check_quotient(&t->mul_sub, lane, x, "a b - c");
        kft_mod_mul(x, a, a, KFT_P);
        check_quotient(&t->sqr, lane, x, "a a");
        kft_mod_sub(x, x, y, KFT_P), kft_mod_mul(y, d, r, KFT_P), kft_mod_sub(x, x, y, KFT_P);
        check_quotient(&t->sqr_sub, lane, x, "a a - c - d");
        kft_mod_sub(x, c, d, KFT_P), lane_value(y, &t->sub, lane);
        CHECK(memcmp(x, y, sizeof x) == 0, KF_LANES_NAME ": c - d");
        const uint64_t zero = kf_words_zero(x) ? ~0ULL : 0;
        CHECK(t->zero.limb[0][lane] == zero, KF_LANES_NAME ": c - d = 0");
    }
}

static void check_products(kft_random *random) {
    lanes_case t;
    for (int round = 0; round < LANES_ROUNDS / KF_LANES + 60; round++) {
        lanes_pick(&t.a, random, LANES_LAST_FACTOR), lanes_pick(&t.b, random, LANES_LAST_FACTOR);
        lanes_pick(&t.c, random, LANES_LAST_NUMBER), lanes_pick(&t.d, random, LANES_LAST_NUMBER);
        if (round % 5 == 0) t.d = t.c;
        if (round == 1) memset(&t.a, 0, sizeof t.a);
        for (int i = 0; round == 2 && i < 5; i++) /* the largest of all */
            for (int lane = 0; lane < KF_LANES; lane++)
                t.a.limb[i][lane] = t.b.limb[i][lane] = i < 4 ? KF_LIMB_MASK : LANES_LAST_FACTOR;
        check_case(&t, round % 4 == 3);
    }
}

/* ---- from and to words, zero, inverses ------------------------------------------------------------------------ */

typedef struct {
    kf_p256_fe in[KF_LANES], out[KF_LANES], inverse[KF_LANES];
    lanes_limbs number, zero;
    int invert;
} lanes_words;

KF_LANE_CALL void lanes_through(lanes_words *t) {
    const kf_p256_fe *from[KF_LANES];
    kf_p256_fe *to[KF_LANES];
    kf_number a;
    kf_factor f;
    for (int i = 0; i < KF_LANES; i++) from[i] = &t->in[i], to[i] = &t->out[i];
    kf_lanes_load(&a, from), memcpy(&t->number, &a, sizeof a);
    kf_lanes_store(to, &a);
    if (!t->invert) return;
    kf_lanes_factor(&f, &a);
    kf_lanes_invert(&f, &f);
    for (int i = 0; i < 5; i++) a.limb[i] = kf_lane_integer(f.limb[i]);
    for (int i = 0; i < KF_LANES; i++) to[i] = &t->inverse[i];
    kf_lanes_store(to, &a);
}

KF_LANE_CALL void lanes_store_limbs(kf_p256_fe out[KF_LANES], const lanes_limbs *limbs) {
    kf_p256_fe *to[KF_LANES];
    kf_number a;
    for (int i = 0; i < KF_LANES; i++) to[i] = &out[i];
    memcpy(&a, limbs, sizeof a);
    kf_lanes_store(to, &a);
}

KF_LANE_CALL void lanes_zero(lanes_limbs *zero, const lanes_limbs *limbs) {
    kf_factor a;
    lanes_to_factor(&a, limbs);
    zero->vector[0] = kf_lanes_is_zero(&a);
}

static void check_words(kft_random *random) {
    for (int round = 0; round < 60; round++) {
        lanes_words t = {.invert = round > 3 && round < 20};
        for (int i = 0; i < KF_LANES; i++) {
            kft_number(random, t.in[i].v, KFT_P);
            if (round == 0) memset(t.in[i].v, 0, sizeof t.in[i].v);
            if (round == 1) kft_mod_sub(t.in[i].v, (const uint64_t[4]){0}, (const uint64_t[4]){(uint64_t)i + 1}, KFT_P);
            if (round == 2) memcpy(t.in[i].v, (const uint64_t[4]){(uint64_t)i + 1}, sizeof t.in[i].v);
            if (t.invert) t.in[i].v[0] |= kf_words_zero(t.in[i].v);
        }
        const unsigned before = kf_lanes_enter();
        lanes_through(&t);
        kf_lanes_leave(before);
        check_limbs(&t.number, LANES_LAST_NUMBER, "a loaded number");
        for (int i = 0; i < KF_LANES; i++) {
            uint64_t expected[4], value[4];
            kft_mod_mul(expected, t.in[i].v, (const uint64_t[4]){16}, KFT_P), lane_value(value, &t.number, i);
            CHECK(memcmp(expected, value, sizeof value) == 0, KF_LANES_NAME ": load");
            CHECK(memcmp(&t.in[i], &t.out[i], sizeof t.in[i]) == 0, KF_LANES_NAME ": load and store");
            if (!t.invert) continue;
            kft_from_mont(value, t.in[i].v, KFT_P), kft_mod_inverse(value, value, KFT_P), kft_to_mont(value, value, KFT_P);
            CHECK(memcmp(value, t.inverse[i].v, sizeof value) == 0, KF_LANES_NAME ": inverse");
        }
    }
}

/* What is stored of numbers from p to 2 p - 1, and which of the neighbours of multiples of p are zero. */
static void check_ends(void) {
    for (uint64_t k = 1; k <= 3; k++) {
        for (int delta = -2; delta <= 2; delta++) {
            for (int at = 0; at < 5; at++) {
                lanes_limbs limbs, zero;
                uint64_t limb[5], carry = 0;
                for (int i = 0; i < 5; i++) { /* k p, carried */
                    limb[i] = k * KF_P_LIMB(i) + carry;
                    carry = limb[i] >> 52, limb[i] &= KF_LIMB_MASK;
                }
                limb[at] = (limb[at] + (uint64_t)(int64_t)delta) & KF_LIMB_MASK;
                if (limb[4] >> 50) continue;
                for (int i = 0; i < 5; i++)
                    for (int lane = 0; lane < KF_LANES; lane++) limbs.limb[i][lane] = limb[i];
                lanes_zero(&zero, &limbs);
                uint64_t value[4];
                lane_value(value, &limbs, KF_LANES - 1);
                CHECK(zero.limb[0][KF_LANES - 1] == (kf_words_zero(value) ? ~0ULL : 0), KF_LANES_NAME ": %d p %+d at limb %d", (int)k,
                      delta, at);
                if (k > 1) continue;
                kf_p256_fe out[KF_LANES];
                lanes_store_limbs(out, &limbs);
                kft_mod_mul(out[0].v, out[0].v, (const uint64_t[4]){16}, KFT_P);
                CHECK(memcmp(out[0].v, value, sizeof value) == 0, KF_LANES_NAME ": store of p %+d at limb %d", delta, at);
            }
        }
    }
}

/* ---- points ------------------------------------------------------------------------------------------------------ */

enum { LANES_VECTORS = 5, LANES_POINTS = LANES_VECTORS * KF_LANES };

typedef struct {
    kf_points p[LANES_VECTORS], q[LANES_VECTORS];
    kf_factor difference[LANES_VECTORS], before[LANES_VECTORS + KF_CHAINS];
    kf_jacobians jacobian;
    lanes_limbs zero;
    kf_p256_point a[LANES_POINTS], b[LANES_POINTS], sum[LANES_POINTS];
    kf_p256_fe x[KF_LANES], zz[KF_LANES];
} lanes_points;

KF_LANE_FN void lanes_load_points(kf_points *r, const kf_p256_point *from) {
    const kf_p256_fe *x[KF_LANES], *y[KF_LANES];
    for (int i = 0; i < KF_LANES; i++) x[i] = &from[i].x, y[i] = &from[i].y;
    kf_lanes_load(&r->x, x), kf_lanes_load(&r->y, y);
}
KF_LANE_FN void lanes_store_points(kf_p256_point *r, const kf_points *from) {
    kf_p256_fe *x[KF_LANES], *y[KF_LANES];
    for (int i = 0; i < KF_LANES; i++) x[i] = &r[i].x, y[i] = &r[i].y;
    kf_lanes_store(x, &from->x), kf_lanes_store(y, &from->y);
}

/* num vectors of a + b, or of 2 a. */
KF_LANE_CALL void lanes_add(lanes_points *t, size_t num, int twice) {
    const kf_quotients quotients = {t->difference, t->before};
    kf_lane zero = kf_lane_all(0);
    for (size_t v = 0; v < num; v++)
        lanes_load_points(&t->p[v], &t->a[v * KF_LANES]), lanes_load_points(&t->q[v], &t->b[v * KF_LANES]);
    if (twice)
        kf_lanes_double_all(t->p, num, &quotients);
    else
        kf_lanes_add_checked(t->p, t->q, num, &quotients, &zero, 1);
    for (size_t v = 0; v < num; v++) lanes_store_points(&t->sum[v * KF_LANES], &t->p[v]);
    t->zero.vector[0] = zero;
}

/* 4 a + b as x and z^2 of each lane. */
KF_LANE_CALL void lanes_jacobian(lanes_points *t) {
    lanes_load_points(&t->p[0], t->a), lanes_load_points(&t->q[0], t->b);
    t->jacobian.x = t->p[0].x, t->jacobian.y = t->p[0].y;
    kf_lanes_one(&t->jacobian.z);
    kf_lanes_jacobian_double(&t->jacobian), kf_lanes_jacobian_double(&t->jacobian);
    kf_join_var(t->x, t->zz, &t->jacobian, &t->q[0]);
}

static void pick_points(lanes_points *t, kft_random *random, int num) {
    for (int i = 0; i < num; i++) {
        kf_p256_scalar k[2];
        for (int j = 0; j < 2; j++) {
            kft_number(random, k[j].v, KFT_N);
            k[j].v[0] |= kf_words_zero(k[j].v);
            KF_LANES_ARITH.base_mul(j ? &t->b[i] : &t->a[i], &k[j]);
        }
    }
}

/* Sums where some lanes meet a point twice, or its negative: they are told, and the others do not notice. */
static void check_additions(kft_random *random) {
    static lanes_points t;
    for (int round = 0; round < 40; round++) {
        const int num = 1 + round % LANES_VECTORS, lane = (int)kft_below(random, KF_LANES);
        pick_points(&t, random, num * KF_LANES);
        for (int v = 0; round % 3 && v < num; v += 2) {
            t.b[v * KF_LANES + lane] = t.a[v * KF_LANES + lane];
            if (round % 3 == 2) kf_fe_negate_if(&t.b[v * KF_LANES + lane].y, UINT64_MAX);
        }
        for (int twice = 0; twice <= 1; twice++) {
            const unsigned before = kf_lanes_enter();
            lanes_add(&t, (size_t)num, twice);
            kf_lanes_leave(before);
            for (int i = 0; !twice && i < KF_LANES; i++) {
                int met = 0;
                for (int v = 0; v < num; v++)
                    met |= memcmp(&t.a[v * KF_LANES + i].x, &t.b[v * KF_LANES + i].x, sizeof t.a[0].x) == 0;
                CHECK(met || !(round % 3 && i == lane), "the test makes no exception");
                CHECK(t.zero.limb[0][i] == (met ? ~0ULL : 0), KF_LANES_NAME ": lane %d and exceptions", i);
            }
            for (int i = 0; i < num * KF_LANES; i++) {
                const kft_point a = kft_point_from(&t.a[i]), b = kft_point_from(&t.b[i]);
                kft_point sum;
                kft_point_add(&sum, &a, twice ? &a : &b);
                if (!twice && (sum.infinity || memcmp(a.x, b.x, sizeof a.x) == 0)) continue;
                const kf_p256_point expected = kft_point_to(&sum);
                CHECK(memcmp(&expected, &t.sum[i], sizeof expected) == 0, KF_LANES_NAME ": %s %d of %d vectors",
                      twice ? "double" : "sum", i, num);
            }
        }
    }
}

static void check_jacobians(kft_random *random) {
    static lanes_points t;
    for (int round = 0; round < 30; round++) {
        kft_point four[KF_LANES], sum;
        pick_points(&t, random, KF_LANES);
        for (int i = 0; i < KF_LANES; i++) {
            const kft_point a = kft_point_from(&t.a[i]);
            kft_point_add(&four[i], &a, &a), kft_point_add(&four[i], &four[i], &four[i]);
            if (round % 3 == 1 && i == round % KF_LANES) t.b[i] = kft_point_to(&four[i]);
            if (round % 3 == 2) t.b[i] = kft_point_to(&four[i]), kf_fe_negate_if(&t.b[i].y, UINT64_MAX);
        }
        const unsigned before = kf_lanes_enter();
        lanes_jacobian(&t);
        kf_lanes_leave(before);
        for (int i = 0; i < KF_LANES; i++) {
            const kft_point b = kft_point_from(&t.b[i]);
            uint64_t wanted[4];
            kft_point_add(&sum, &four[i], &b);
            if (memcmp(four[i].x, b.x, sizeof b.x) == 0) {
                CHECK(kf_words_zero(t.zz[i].v), KF_LANES_NAME ": an exception leaves z");
                continue;
            }
            uint64_t x[4], zz[4];
            kft_from_mont(x, t.x[i].v, KFT_P), kft_from_mont(zz, t.zz[i].v, KFT_P);
            kft_mod_mul(wanted, sum.x, zz, KFT_P);
            CHECK(memcmp(wanted, x, sizeof x) == 0, KF_LANES_NAME ": 4 a + b");
        }
    }
}

/* A sum of many that has an exception somewhere says so, and is otherwise that of the scalar implementation. */
static void check_sums(kft_random *random) {
    enum { MOST = 330 };
    static kf_p256_point points[MOST];
    static uint64_t c[MOST];
    const kf_p256_impl *other = kf_p256_impl_portable();
    void *scratch = kft_p256_scratch(&kf_lanes_impl), *other_scratch = kft_p256_scratch(other);
    static const int sizes[] = {1, 2, 3, 7, 40, MOST};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        kf_p256_jacobian sum, known;
        for (int i = 0; i < sizes[s]; i++) {
            const kf_p256_scalar k = {{kft_next(random) | 1, kft_next(random), kft_next(random), kft_next(random) >> 1}};
            KF_LANES_ARITH.base_mul(&points[i], &k);
            c[i] = i % 9 ? kft_next(random) : i % 2 ? UINT64_MAX : 0;
        }
        const int got = kf_lanes_impl.sum_var(&sum, points, c, sizes[s], scratch);
        const int expected = other->sum_var(&known, points, c, sizes[s], other_scratch);
        kf_fe_negate_if(&known.y, UINT64_MAX);
        KF_LANES_ARITH.add_var(&sum, &sum, &known);
        CHECK(got == 1 && expected == 1 && kf_words_zero(sum.z.v), KF_LANES_NAME ": sum of %d points", sizes[s]);
        if (sizes[s] < 2) continue;
        points[1] = points[0], c[1] = c[0]; /* in one bucket everywhere */
        CHECK(kf_lanes_impl.sum_var(&sum, points, c, sizes[s], scratch) == 0, KF_LANES_NAME ": a point twice in %d", sizes[s]);
    }
    free(scratch), free(other_scratch);
}

/* ---- whole batches ---------------------------------------------------------------------------------------------- */

enum { BATCH = 19 };

/* u1 G + u2 Q = (x, y) with r = x mod n, for small numbers, large ones and any, and keys that have nothing to do with
 * them; item 5 is 0 G. */
static void pick_equations(kf_p256_equation *equations, kf_p256_point *keys, kft_random *random, int one_key) {
    for (int i = 0; i < BATCH; i++) {
        kft_point q, a, b;
        const uint64_t k[4] = {kft_next(random), kft_next(random), kft_next(random), kft_next(random) >> 1};
        kft_number(random, equations[i].u1.v, KFT_N), kft_number(random, equations[i].u2.v, KFT_N);
        equations[i].u2.v[0] |= kf_words_zero(equations[i].u2.v);
        if (i == 5) memset(&equations[i].u1, 0, sizeof equations[i].u1);
        kft_point_mul(&q, k, &KFT_G);
        keys[i] = kft_point_to(&q);
        if (one_key && i > 0) keys[i] = keys[0], q = kft_point_from(&keys[0]);
        kft_point_mul(&a, equations[i].u1.v, &KFT_G), kft_point_mul(&b, equations[i].u2.v, &q);
        kft_point_add(&a, &a, &b);
        kf_scalar_reduce(&equations[i].r, a.x);
        equations[i].r.v[0] ^= (uint64_t)(i % 3 == 1);
    }
}

/* Of such items partial sums do not meet, but for the sums of none. */
static void check_outcomes(const uint8_t *outcome, const kf_p256_equation *equations, const kf_p256_point *keys,
                           const char *what) {
    for (int i = 0; i < BATCH; i++) {
        const kf_p256_equation *e = &equations[i];
        const int known = KF_LANES_ARITH.verify_var(&e->u1, &e->u2, &e->r, &keys[i]);
        CHECK(outcome[i] == (known ? KF_P256_YES : KF_P256_NO) || outcome[i] == KF_P256_EXCEPTION, KF_LANES_NAME ": %s %d", what,
              i);
        const uint64_t none = kf_words_zero(e->u1.v);
        CHECK(none == (outcome[i] == KF_P256_EXCEPTION), KF_LANES_NAME ": %s %d and exceptions", what, i);
    }
}

static void check_batches(kft_random *random) {
    static kf_p256_equation equations[BATCH];
    static kf_p256_point keys[BATCH], points[BATCH];
    static kf_p256_scalar k[BATCH];
    uint8_t outcome[BATCH];
    void *scratch = kft_p256_scratch(&kf_lanes_impl);
    uint8_t *table = aligned_alloc(64, kf_lanes_impl.key_table_len);
    if (!table) abort();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < BATCH; i++) {
            kft_number(random, k[i].v, KFT_N);
            k[i].v[0] |= kf_words_zero(k[i].v);
        }
        kf_lanes_impl.base_mul(points, k, BATCH - round, scratch);
        for (int i = 0; i < BATCH - round; i++) {
            kf_p256_point known;
            KF_LANES_ARITH.base_mul(&known, &k[i]);
            CHECK(memcmp(&known, &points[i], sizeof known) == 0, KF_LANES_NAME ": multiple %d of G", i);
        }
        pick_equations(equations, keys, random, 1);
        kf_lanes_impl.key_table_var(table, &keys[0], scratch);
        kf_lanes_impl.verify_key_var(outcome, equations, table, BATCH, scratch);
        check_outcomes(outcome, equations, keys, "equation under one key");
        pick_equations(equations, keys, random, 0);
        kf_lanes_impl.verify_many_var(outcome, equations, keys, BATCH, scratch);
        check_outcomes(outcome, equations, keys, "equation under many keys");
    }
    free(scratch), free(table);
}

void LANES_TEST(const kft_env *env) {
    kft_random random = {29};
    (void)env;
    if (!LANES_RUN) return;
    CHECK(kf_p256_ready() == KF_OK, "kf_p256_ready");
    kf_lanes_impl.prepare();
    check_products(&random);
    check_words(&random);
    check_ends();
    check_additions(&random);
    check_jacobians(&random);
    check_sums(&random);
    check_batches(&random);
}
