/*
 * Template: the sum of a[i] P[i] with odd 64-bit a[i], by buckets (Pippenger), on additions of affine points.
 * a = 2 c - (2^64 - 1), so that the digits of c in base 2^w say the digits of a: 2 digit - (2^w - 1), odd and never 0.
 * The point joins the bucket of its digit's absolute value, as it is or negated, once for each window. A window's sum
 * is that of (2 j + 1) B[j] over its buckets: with S = the sum of B[j] and O[t] = the sum of those B[j] whose j has bit
 * t, it is S + 2 (O[0] + 2 O[1] + 4 O[2] + ...). Halving the list of buckets gives all: pairs are added, and the odd
 * ones of each length are what O[t] needs. A bit position has one point of all this, and 64 doublings join them.
 */

enum { SUM_BITS = 64, SUM_POSITIONS = 64, WIDE = 8, NARROW = 4, WIDE_FROM = 300 };

static int sum_width(int num) { return num >= WIDE_FROM ? WIDE : NARROW; }

typedef struct {
    int width, windows, buckets; /* bits of a digit, digits, buckets of a window */
    kf_p256_point *pool;         /* a place for each point of each window, bucket by bucket */
    kf_p256_point *halves;       /* sums of pairs of buckets */
    kf_p256_point *odd;          /* what the O[t] are sums of */
    affine_term *terms;
    uint32_t *begin, *len;       /* places of each list in its pool */
    const kf_p256_point **list;
    affine_work work;
} sum_scratch;

static size_t sum_layout(sum_scratch *s, int num, const void *base) {
    uintptr_t at = (uintptr_t)base;
    s->width = sum_width(num), s->windows = SUM_BITS / s->width, s->buckets = 1 << (s->width - 1);
    const size_t all = (size_t)(s->windows * s->buckets), points = (size_t)(num * s->windows);
    const size_t pairs = (points > all ? points : all) / 2 + CHAINS;
    s->pool = carve(&at, points * sizeof *s->pool);
    s->halves = carve(&at, all * sizeof *s->halves), s->odd = carve(&at, all * sizeof *s->odd);
    s->terms = carve(&at, pairs * sizeof *s->terms);
    s->begin = carve(&at, (all + 1) * sizeof *s->begin), s->len = carve(&at, all * sizeof *s->len);
    s->list = carve(&at, all * sizeof *s->list);
    carve_work(&s->work, &at, pairs);
    s->work.flags = carve(&at, 1);
    return (size_t)(at - (uintptr_t)base);
}

static size_t sum_scratch_len(int num) {
    sum_scratch s;
    return sum_layout(&s, num, NULL);
}

/* Sums each list, pair by pair, in place: its sum is then its first point. The terms go from the last pair to the
 * first, so that add_list_var, which finishes them the other way and reads four before it writes them, writes no place
 * before it is read. */
static void sum_lists_var(kf_p256_point *pool, const uint32_t *begin, uint32_t *len, int num_lists,
                          affine_term *terms, const affine_work *work) {
    for (;;) {
        size_t num = 0;
        for (int l = num_lists - 1; l >= 0; l--) {
            kf_p256_point *list = pool + begin[l];
            for (uint32_t i = len[l] / 2; i-- > 0;)
                terms[num++] = (affine_term){&list[i], &list[2 * i], &list[2 * i + 1], 0, 0};
        }
        if (num == 0) return;
        add_list_var(terms, num, work);
        for (int l = 0; l < num_lists; l++) {
            if (len[l] > 1 && len[l] % 2) pool[begin[l] + len[l] / 2] = pool[begin[l] + len[l] - 1];
            len[l] = (len[l] + 1) / 2;
        }
    }
}

/* The bucket of digit i of c, and a mask that says negated. */
static uint32_t bucket_of(const sum_scratch *s, uint64_t *negative, uint64_t c, int i) {
    const uint32_t digit = c >> (s->width * i) & ((1u << s->width) - 1);
    *negative = digit < (uint32_t)s->buckets ? ~UINT64_C(0) : 0;
    return (uint32_t)(i * s->buckets) + ((digit ^ (uint32_t)*negative) & (uint32_t)(s->buckets - 1));
}

/* Every point into its bucket of every window. */
static void distribute(sum_scratch *s, const kf_p256_point *points, const uint64_t *c, int num) {
    const int all = s->windows * s->buckets;
    uint64_t negative;
    memset(s->len, 0, (size_t)all * sizeof *s->len);
    for (int i = 0; i < num; i++)
        for (int w = 0; w < s->windows; w++) s->len[bucket_of(s, &negative, c[i], w)]++;
    s->begin[0] = 0;
    for (int b = 0; b < all; b++) s->begin[b + 1] = s->begin[b] + s->len[b];
    memset(s->len, 0, (size_t)all * sizeof *s->len);
    for (int i = 0; i < num; i++) {
        for (int w = 0; w < s->windows; w++) {
            const uint32_t b = bucket_of(s, &negative, c[i], w);
            kf_p256_point *to = &s->pool[s->begin[b] + s->len[b]++];
            *to = points[i];
            kf_fe_negate_if(&to->y, negative);
        }
    }
}

/* Halves the lists of buckets level by level. at_bit gets S of each window; s->odd, s->begin and s->len the lists of
 * the O[t], for window w and bit t as list w * width + t. */
static void halve_buckets(sum_scratch *s, const kf_p256_point *at_bit[SUM_POSITIONS]) {
    kf_p256_point *fresh = s->halves;
    uint32_t used = 0;
    for (int b = 0; b < s->windows * s->buckets; b++) s->list[b] = s->len[b] ? &s->pool[s->begin[b]] : NULL;
    for (int t = 0, size = s->buckets; size > 1; t++, size /= 2) {
        size_t num = 0;
        for (int w = 0; w < s->windows; w++) {
            const kf_p256_point **list = s->list + w * s->buckets;
            const int odd_list = w * s->width + t;
            s->begin[odd_list] = used;
            for (int j = 0; j < size / 2; j++) {
                const kf_p256_point *even = list[2 * j], *odd = list[2 * j + 1];
                if (odd) s->odd[used++] = *odd;
                list[j] = even ? even : odd;
                if (!even || !odd) continue;
                s->terms[num++] = (affine_term){fresh, even, odd, 0, 0};
                list[j] = fresh++;
            }
            s->len[odd_list] = used - s->begin[odd_list];
        }
        add_list_var(s->terms, num, &s->work);
    }
    for (int w = 0; w < s->windows; w++) {
        at_bit[w * s->width] = s->list[w * s->buckets];
        s->len[w * s->width + s->width - 1] = 0;
        s->begin[w * s->width + s->width - 1] = 0;
    }
}

static int sum_var(kf_p256_jacobian *r, const kf_p256_point *points, const uint64_t *c, int num, void *scratch) {
    const kf_p256_point *at_bit[SUM_POSITIONS] = {NULL};
    sum_scratch s;
    sum_layout(&s, num, scratch);
    s.work.flags[0] = 0;
    distribute(&s, points, c, num);
    sum_lists_var(s.pool, s.begin, s.len, s.windows * s.buckets, s.terms, &s.work);
    halve_buckets(&s, at_bit);
    sum_lists_var(s.odd, s.begin, s.len, SUM_POSITIONS, s.terms, &s.work);
    for (int w = 0; w < s.windows; w++) {
        for (int t = 0; t < s.width - 1; t++) {
            const int list = w * s.width + t;
            if (s.len[list]) at_bit[list + 1] = &s.odd[s.begin[list]];
        }
    }
    memset(r, 0, sizeof *r);
    for (int bit = SUM_POSITIONS - 1; bit >= 0; bit--) {
        jacobian_double(r, r);
        if (at_bit[bit]) jacobian_add_point_var(r, at_bit[bit], 0);
    }
    return !s.work.flags[0];
}
