/*
 * Template: the batch operations of kf_p256_batch.h on scalar arithmetic. Needs, besides kf_p256_curve.h and
 * kf_p256_affine.h: look_up(points, window, digits, num), which reads G's table in constant time for num digits, a
 * multiple of PADDING.
 * A sum of many points per item is a tree: points stand window by window, item by item within a window, and each
 * level adds the upper half of the windows to the lower half, all items at once, with one inversion.
 */

enum { PADDING = 32, CHUNK = 128, MANY_CHUNK = 512, BYTES_OF_SCALAR = 32 };

static inline size_t padded(int num) { return ((size_t)num + PADDING - 1) / PADDING * PADDING; }

/* Room for trees of this many points per item, and for what sums of half of them need. */
static kf_p256_point *carve_tree(affine_work *work, uintptr_t *at, size_t points, size_t items) {
    kf_p256_point *tree = carve(at, points * items * sizeof *tree);
    work->d = carve(at, points / 2 * items * sizeof *work->d);
    work->f = carve(at, points / 2 * items * sizeof *work->f);
    work->flags = carve(at, items);
    memset(work->flags, 0, items);
    return tree;
}

static size_t tree_len(size_t points, size_t items) {
    return points * items * (sizeof(kf_p256_point) + sizeof(kf_p256_fe)) + items + 4 * 64;
}

/* ---- k G ---------------------------------------------------------------------------------------------- */

/* The upper windows are added to the lower ones until two are left. Up to there no sum meets an exception: the
 * difference or sum of two partial sums would have to be a multiple of n, and n has no representation by odd digits
 * that leaves out one of the lowest sixteen windows. The last addition meets one, for one k. */
static void base_mul_many(kf_p256_point *r, const kf_p256_scalar *k, int num, void *scratch) {
    const size_t items = padded(num);
    uintptr_t at = (uintptr_t)scratch;
    affine_work work;
    kf_p256_point *points = carve_tree(&work, &at, TABLE_WINDOWS, items);
    uint8_t *digits = carve(&at, items * BYTES_OF_SCALAR);
    uint64_t *even = carve(&at, items * sizeof *even), words[4];
    kf_p256_scalar odd;
    for (size_t i = 0; i < items; i++) {
        kf_scalar_odd(&odd, &even[i], &k[i < (size_t)num ? i : 0]);
        kf_scalar_digits(words, &odd);
        for (size_t w = 0; w < TABLE_WINDOWS; w++) digits[w * items + i] = (uint8_t)(words[w / 8] >> (w % 8 * 8));
    }
    for (size_t w = 0; w < TABLE_WINDOWS; w++) look_up(points + w * items, (int)w, digits + w * items, items);
    for (size_t half = TABLE_WINDOWS / 2; half > 1; half /= 2)
        add_distinct(points, points + half * items, half * items, &work);
    add_last(points, points + items, items, &work);
    for (size_t i = 0; i < (size_t)num; i++) {
        r[i] = points[i];
        kf_fe_negate_if(&r[i].y, even[i]);
    }
    kf_wipe(&odd, sizeof odd), kf_wipe(words, sizeof words);
}

static size_t scratch_len(int num) {
    const size_t items = padded(num);
    const size_t tree = tree_len(2 * TABLE_WINDOWS, items) + items * (BYTES_OF_SCALAR + sizeof(uint64_t)) + 2 * 64;
    return (tree > sizeof(table_scratch) ? tree : sizeof(table_scratch)) / 64 * 64 + 64;
}

/* ---- verification ----------------------------------------------------------------------------------------- */

/* One row of items per window: the terms of u P, read from a table. u: every stride bytes one. */
static void gather_var(kf_p256_point *points, const kf_p256_point *table, const kf_p256_scalar *u, size_t stride,
                       int num, size_t items) {
    for (size_t i = 0; i < items; i++) {
        const kf_p256_scalar *scalar = (const void *)((const uint8_t *)u + stride * (i < (size_t)num ? i : 0));
        kf_p256_scalar odd;
        uint64_t even, digits[4], negative;
        kf_scalar_odd(&odd, &even, scalar);
        kf_scalar_digits(digits, &odd);
        for (size_t w = 0; w < TABLE_WINDOWS; w++) {
            const uint64_t place = kf_digit_place(&negative, digits[w / 8] >> (w % 8 * 8) & 0xff);
            kf_p256_point *to = &points[w * items + i];
            *to = table[w * TABLE_ENTRIES + place];
            kf_fe_negate_if(&to->y, negative ^ even);
        }
    }
}

static void add_up_var(kf_p256_point *points, size_t num_points, size_t items, const affine_work *work) {
    while (num_points > 1) {
        const size_t half = num_points / 2;
        add_checked_var(points, points + (num_points - half) * items, half * items, work, items);
        num_points -= half;
    }
}

/* u1 = 0 has no digits of its own: gather_var has read n G, infinity, which only a flag can follow. */
static void compare_var(uint8_t *outcome, const kf_p256_equation *equations, const kf_p256_point *sums,
                        const uint8_t *flags, int num) {
    for (int i = 0; i < num; i++) {
        if (flags[i] || kf_words_zero(equations[i].u1.v) || kf_words_zero(equations[i].u2.v))
            outcome[i] = KF_P256_EXCEPTION;
        else
            outcome[i] = x_is_var(&sums[i].x, &kf_p256_one, &equations[i].r) ? KF_P256_YES : KF_P256_NO;
    }
}

static void verify_key_var(uint8_t *outcome, const kf_p256_equation *equations, const void *table, int num,
                           void *scratch) {
    const size_t items = padded(num), stride = sizeof *equations;
    uintptr_t at = (uintptr_t)scratch;
    affine_work work;
    kf_p256_point *points = carve_tree(&work, &at, 2 * TABLE_WINDOWS, items);
    gather_var(points, kf_p256_base_table, &equations->u1, stride, num, items);
    gather_var(points + TABLE_WINDOWS * items, table, &equations->u2, stride, num, items);
    add_up_var(points, 2 * TABLE_WINDOWS, items, &work);
    compare_var(outcome, equations, points, work.flags, num);
}

typedef struct {
    kf_p256_point *odd;     /* odd multiples of the keys: NAF_ENTRIES rows of items */
    kf_p256_point *sum;     /* 2 Q first, then u2 Q */
    affine_term *terms;
    int8_t (*naf)[NAF_LEN];
    int *len;
    affine_work work;
} many_scratch;

static size_t many_scratch_len(int num) {
    const size_t items = padded(num), part = items < CHUNK ? items : CHUNK;
    return items * ((NAF_ENTRIES + 1) * sizeof(kf_p256_point) + sizeof(affine_term) + NAF_LEN + sizeof(int)
                    + 2 * sizeof(kf_p256_fe) + 1)
           + tree_len(TABLE_WINDOWS + 1, part) + CHAINS * sizeof(affine_term) + 8 * 64;
}

/* Rows of Q, 3 Q, 5 Q, ... for all items. */
static void odd_multiples(many_scratch *s, const kf_p256_point *keys, int num, size_t items) {
    for (size_t i = 0; i < items; i++) s->odd[i] = s->sum[i] = keys[i < (size_t)num ? i : 0];
    double_all(s->sum, items, &s->work);
    for (size_t e = 1; e < NAF_ENTRIES; e++) {
        kf_p256_point *row = s->odd + e * items;
        memcpy(row, row - items, items * sizeof *row);
        add_distinct(row, s->sum, items, &s->work);
    }
}

/* u2 Q for all items: doubled together, then the items whose digit is not 0 take in their multiple. */
static void multiply_keys_var(many_scratch *s, const kf_p256_equation *equations, int num, size_t items) {
    int longest = 0;
    for (size_t i = 0; i < items; i++) {
        s->len[i] = i < (size_t)num ? naf_var(s->naf[i], &equations[i].u2) : 0;
        if (s->len[i] > longest) longest = s->len[i];
    }
    for (int bit = longest - 1; bit >= 0; bit--) {
        size_t num_terms = 0;
        if (bit < longest - 1) double_all(s->sum, items, &s->work);
        for (size_t i = 0; i < items; i++) {
            const int digit = bit < s->len[i] ? s->naf[i][bit] : 0;
            if (!digit) continue;
            const kf_p256_point *multiple = &s->odd[(size_t)((digit < 0 ? -digit : digit) >> 1) * items + i];
            if (bit == s->len[i] - 1) /* the first digit, which is positive */
                s->sum[i] = *multiple;
            else
                s->terms[num_terms++] = (affine_term){&s->sum[i], &s->sum[i], multiple, digit < 0, (uint32_t)i};
        }
        add_list_var(s->terms, num_terms, &s->work);
    }
}

static void verify_many_var(uint8_t *outcome, const kf_p256_equation *equations, const kf_p256_point *keys, int num,
                            void *scratch) {
    const size_t items = padded(num);
    uintptr_t at = (uintptr_t)scratch;
    many_scratch s;
    s.odd = carve(&at, NAF_ENTRIES * items * sizeof *s.odd), s.sum = carve(&at, items * sizeof *s.sum);
    s.terms = carve(&at, (items + CHAINS) * sizeof *s.terms), s.naf = carve(&at, items * sizeof *s.naf);
    s.len = carve(&at, items * sizeof *s.len);
    s.work.d = carve(&at, items * sizeof *s.work.d), s.work.f = carve(&at, items * sizeof *s.work.f);
    s.work.flags = carve(&at, items);
    memset(s.work.flags, 0, items);
    odd_multiples(&s, keys, num, items);
    multiply_keys_var(&s, equations, num, items);
    for (int begin = 0; begin < num; begin += CHUNK) { /* + u1 G */
        const int part = num - begin < CHUNK ? num - begin : CHUNK;
        const size_t part_items = padded(part);
        uintptr_t part_at = at;
        affine_work work;
        kf_p256_point *points = carve_tree(&work, &part_at, TABLE_WINDOWS + 1, part_items);
        memcpy(work.flags, s.work.flags + begin, (size_t)part);
        gather_var(points, kf_p256_base_table, &equations[begin].u1, sizeof *equations, part, part_items);
        memcpy(points + TABLE_WINDOWS * part_items, s.sum + begin, part_items * sizeof *points);
        add_up_var(points, TABLE_WINDOWS + 1, part_items, &work);
        compare_var(outcome + begin, equations + begin, points, work.flags, part);
    }
}
