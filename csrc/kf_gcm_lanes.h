/*
 * Groups of short records with the same count of blocks and without own associated data, a record to a lane: part of
 * kf_gcm_engine.h for kernels that have lanes. The kernel file includes its lane kernel before (kf_aesni_lanes.h).
 *
 * A chunk of a batch is sorted by the count of blocks, which is public. Each count's records are taken
 * in groups of KF_LANES; what is left over, and all that does not qualify, goes to the windows. When
 * sealing, a group is hashed while the next, with as many blocks or more, is encrypted. When opening,
 * a group's tags are checked, and its masks made, while the one before is decrypted: a record that fails
 * is never decrypted to where its plaintext belongs.
 */

enum { KF_LANES_CHUNK = 1024, KF_LANES_MIN = 2 * KF_LANES };

typedef struct {
    uint16_t places[KF_LANES_CHUNK];
    uint16_t rest[KF_LANES_CHUNK];
    kf_lanes_group groups[KF_LANES_CHUNK / KF_LANES]; /* by increasing count */
    size_t num_groups, num_rest;
} kf_lanes_order;

/* A call, and the chunk that it is at. */
typedef struct {
    kf_gcm_work *work;
    const uint8_t *nonces;
    const kf_rec *rec;
    size_t products_count;
    __m128i products[16];     /* L * H as bytes, for records of products_count blocks, by length mod 16 */
    __m128i odd_products[16]; /* what so many bytes more add to them */
    kf_lanes lanes[2];
    uint8_t discarded[16 * KF_LANES_MAX_BLOCKS]; /* in place of the plaintext of records that fail */
    kf_lanes_order order;
} kf_lanes_work;

/* ---- bytes of last blocks --------------------------------------------------------------------- */

static const uint8_t kf_lanes_shifts[48] = {
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    0,   1,   2,   3,   4,   5,   6,   7,   8,   9,   10,  11,  12,  13,  14,  15,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128};

/* Byte i becomes byte i + by of x, or zero where there is none; -16 <= by <= 16. */
static inline KF_GCM_TARGET __m128i kf_lanes_shift(__m128i x, ptrdiff_t by) {
    return _mm_shuffle_epi8(x, kf_load128(kf_lanes_shifts + 16 + by));
}
/* The first len bytes of x, then zeros. */
static inline KF_GCM_TARGET __m128i kf_lanes_cut(__m128i x, size_t len) {
    return kf_lanes_shift(kf_lanes_shift(x, (ptrdiff_t)len - 16), 16 - (ptrdiff_t)len);
}
/* The last block of a text, padded with zeros. */
static inline KF_GCM_TARGET __m128i kf_lanes_load_tail(const uint8_t *text, size_t len) {
    const size_t tail = (len - 1) % 16 + 1;
    if (len < 16) return kf_load_partial(text, len);
    return kf_lanes_shift(kf_load128(text + len - 16), 16 - (ptrdiff_t)tail);
}
/* Writes the last block of a text whose other blocks are written, and nothing after it. */
static inline KF_GCM_TARGET void kf_lanes_store_tail(uint8_t *text, size_t len, __m128i x) {
    const size_t tail = (len - 1) % 16 + 1;
    if (len < 16) {
        kf_store_partial(text, x, len);
        return;
    }
    uint8_t *to = text + len - tail;
    if (tail == 16) {
        kf_store128(to, x);
        return;
    }
    const __m128i before = kf_lanes_shift(kf_load128(to - 16), (ptrdiff_t)tail);
    kf_store128(to - 16 + tail, _mm_or_si128(before, kf_lanes_shift(x, (ptrdiff_t)tail - 16)));
}

/* ---- groups ----------------------------------------------------------------------------------- */

static KF_GCM_TARGET void kf_lanes_start(kf_lanes_work *lw, kf_gcm_work *work) {
    const __m128i h = work->powers.h[KF_GCM_POWERS - 1];
    lw->work = work;
    lw->products_count = 0;
    lw->odd_products[0] = _mm_setzero_si128();
    for (size_t i = 1; i < 16; i++)
        lw->odd_products[i] = (i & (i - 1)) == 0 ? kf_bswap128(kf_ghash_mul(kf_ghash_lengths(0, i), h))
                                              : _mm_xor_si128(lw->odd_products[i & (i - 1)], lw->odd_products[i & -i]);
    for (int g = 0; g < 2; g++)
        for (size_t i = 0; i < KF_LANES; i++) {
            uint8_t *mask = (uint8_t *)&lw->lanes[g].mask[i], *tail = lw->lanes[g].tail[i];
            lw->lanes[g].mask_io[i] = (kf_rec){.in = mask, .out = mask};
            lw->lanes[g].tail_io[i] = (kf_rec){.in = tail, .out = tail};
        }
}

/* Makes the products L * H, which end GHASH, and the powers for a count of blocks. */
static KF_GCM_TARGET void kf_lanes_prepare(kf_lanes_work *lw, size_t count) {
    const __m128i h = lw->work->powers.h[KF_GCM_POWERS - 1];
    const size_t digest_len = lw->work->digest_len;
    const __m128i below = kf_bswap128(kf_ghash_mul(kf_ghash_lengths(digest_len, 16 * count - 16), h));
    for (size_t i = 1; i < 16; i++) lw->products[i] = _mm_xor_si128(below, lw->odd_products[i]);
    lw->products[0] = kf_bswap128(kf_ghash_mul(kf_ghash_lengths(digest_len, 16 * count), h));
    lw->products_count = count;
    kf_gcm_raise(lw->work, count + 1 < KF_GCM_POWERS ? count + 1 : KF_GCM_POWERS);
}

/* The place of a group's i-th record. */
static inline size_t kf_lanes_at(const kf_lanes_group *group, size_t i) {
    return group->places ? group->places[i] : group->first + i;
}

/* Puts a group's records into lanes. */
static inline KF_GCM_TARGET void kf_lanes_load(kf_lanes_work *lw, kf_lanes *lanes, const kf_lanes_group *group,
                                               int open) {
    size_t odd = 0;
    if (lw->products_count != group->count) kf_lanes_prepare(lw, group->count);
    lanes->group = *group;
    if (group->places == NULL) {
        const kf_rec *rec = lw->rec + group->first;
        const uint8_t *nonces = lw->nonces + 12 * group->first;
        const __m128i product = lw->products[rec->len % 16];
        lanes->rec = rec;
        odd = rec->len % 16;
        KF_UNROLL
        for (size_t i = 0; i < KF_LANES; i++) {
            lanes->nonce[i] = kf_load96(nonces + 12 * i);
            lanes->mask[i] = product;
        }
    } else {
        lanes->rec = lanes->own;
        for (size_t i = 0; i < KF_LANES; i++) {
            const size_t place = group->places[i], len = lw->rec[place].len;
            lanes->own[i] = lw->rec[place];
            lanes->nonce[i] = kf_load96(lw->nonces + 12 * place);
            lanes->mask[i] = lw->products[len % 16];
            odd |= len % 16;
        }
    }
    lanes->opens = open;
    lanes->has_tails = odd != 0;
    if (odd != 0)
        for (size_t i = 0; i < KF_LANES; i++)
            kf_store128(lanes->tail[i], kf_lanes_load_tail(lanes->rec[i].in, lanes->rec[i].len));
}

/* The tag of a lane whose text is hashed (SP 800-38D 7.1 step 6). */
static inline KF_GCM_TARGET __m128i kf_lanes_tag(const kf_lanes *lanes, size_t i) {
    return _mm_xor_si128(kf_bswap128(lanes->y[i]), lanes->mask[i]);
}

/* Makes the masks of a group and encrypts one, while a group is hashed; each may be NULL. */
static inline void kf_lanes_work_on(kf_lanes_work *lw, const kf_lanes *masks, const kf_lanes *crypt, kf_lanes *hash) {
    if (hash != NULL && (crypt == NULL || masks == NULL || crypt->group.count < hash->group.count)) {
        kf_lanes_hash(&lw->work->powers, &lw->work->y_digest, hash);
        hash = NULL;
    }
    kf_lanes_run(lw->work->rk, &lw->work->powers, &lw->work->y_digest, masks, crypt, hash);
}

/* ---- the order of a chunk ------------------------------------------------------------------------ */

/* Blocks of a record that a lane can take, else 0. */
static inline size_t kf_lanes_count(const kf_rec *rec) {
    return rec->aad_len == 0 && rec->len <= 16 * KF_LANES_MAX_BLOCKS ? (rec->len + 15) / 16 : 0;
}

/* Whether n records have one length and no associated data of their own. */
static inline int kf_lanes_is_run(const kf_rec *rec, size_t n) {
    const size_t len = rec->len;
    size_t i = 0, other = 0;
    for (; other == 0 && i + 4 <= n; i += 4) {
        KF_UNROLL
        for (size_t k = 0; k < 4; k++) other |= (rec[i + k].len ^ len) | rec[i + k].aad_len;
    }
    for (; i < n; i++) other |= (rec[i].len ^ len) | rec[i].aad_len;
    return other == 0;
}

/* Adds the groups of records of one count: of n whose places are given, or of a run from `first` on. */
static void kf_lanes_add_groups(kf_lanes_order *order, const uint16_t *places, size_t first, size_t n, size_t count) {
    size_t i = 0;
    for (; count > 0 && i + KF_LANES <= n; i += KF_LANES)
        order->groups[order->num_groups++] = (kf_lanes_group){places ? places + i : NULL, first + i, count};
    for (; i < n; i++) order->rest[order->num_rest++] = places ? places[i] : (uint16_t)(first + i);
}

/* Sorts n records into groups and the rest. */
static void kf_lanes_sort(kf_lanes_order *order, const kf_rec *rec, size_t n) {
    size_t counts[KF_LANES_MAX_BLOCKS + 1] = {0}, ends[KF_LANES_MAX_BLOCKS + 1];
    order->num_groups = order->num_rest = 0;
    if (kf_lanes_is_run(rec, n)) {
        kf_lanes_add_groups(order, NULL, 0, n, kf_lanes_count(rec));
        return;
    }
    for (size_t i = 0; i < n; i++) counts[kf_lanes_count(rec + i)]++;
    for (size_t count = 0, end = 0; count <= KF_LANES_MAX_BLOCKS; count++) {
        ends[count] = end;
        end += counts[count];
    }
    for (size_t i = 0; i < n; i++) order->places[ends[kf_lanes_count(rec + i)]++] = (uint16_t)i;
    for (size_t count = 0; count <= KF_LANES_MAX_BLOCKS; count++)
        kf_lanes_add_groups(order, order->places + ends[count] - counts[count], 0, counts[count], count);
}

/* ---- sealing ---------------------------------------------------------------------------------- */

/* Writes the last blocks of ciphertext, with zeros where the tag will be: so they are hashed. */
static inline KF_GCM_TARGET void kf_lanes_write_tails(const kf_lanes *lanes) {
    if (!lanes->has_tails) return;
    for (size_t i = 0; i < KF_LANES; i++) {
        const size_t len = lanes->rec[i].len, tail = (len - 1) % 16 + 1;
        kf_store128(lanes->rec[i].out + len - tail, kf_lanes_cut(kf_load128(lanes->tail[i]), tail));
    }
}

static inline KF_GCM_TARGET void kf_lanes_write_tags(const kf_lanes *lanes) {
    KF_UNROLL
    for (size_t i = 0; i < KF_LANES; i++) kf_store128(lanes->rec[i].out + lanes->rec[i].len, kf_lanes_tag(lanes, i));
}

static KF_GCM_TARGET void kf_lanes_seal(kf_lanes_work *lw) {
    kf_lanes *now = &lw->lanes[0], *before = NULL;
    for (size_t g = 0; g < lw->order.num_groups; g++) {
        kf_lanes_load(lw, now, &lw->order.groups[g], 0);
        kf_lanes_work_on(lw, now, now, before);
        kf_lanes_write_tails(now);
        if (before != NULL) kf_lanes_write_tags(before);
        before = now;
        now = now == lw->lanes ? lw->lanes + 1 : lw->lanes;
    }
    if (before == NULL) return;
    kf_lanes_hash(&lw->work->powers, &lw->work->y_digest, before);
    kf_lanes_write_tags(before);
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* Zeros the records that failed and lets what is decrypted of them be discarded; returns their number. */
static KF_NOINLINE size_t kf_lanes_refuse(kf_lanes_work *lw, kf_lanes *lanes, const uint8_t *ok) {
    size_t bad = 0;
    for (size_t i = 0; i < KF_LANES; i++) {
        lanes->own[i] = lanes->rec[i];
        if (ok[kf_lanes_at(&lanes->group, i)]) continue;
        bad++;
        memset(lanes->own[i].out, 0, lanes->own[i].len);
        lanes->own[i].out = lw->discarded;
    }
    lanes->rec = lanes->own;
    return bad;
}

/* Checks the tags; returns the number of records that failed. */
static inline KF_GCM_TARGET size_t kf_lanes_check(kf_lanes_work *lw, kf_lanes *lanes, uint8_t *ok) {
    uint8_t all = 1;
    KF_UNROLL
    for (size_t i = 0; i < KF_LANES; i++) {
        const __m128i diff = _mm_xor_si128(kf_lanes_tag(lanes, i), kf_load128(lanes->rec[i].in + lanes->rec[i].len));
        int equal = _mm_testz_si128(diff, diff);
        KF_DECLASSIFY(&equal, sizeof equal); /* whether a record is authentic is the result */
        all &= ok[kf_lanes_at(&lanes->group, i)] = (uint8_t)equal;
    }
    return __builtin_expect(all, 1) ? 0 : kf_lanes_refuse(lw, lanes, ok);
}

static inline KF_GCM_TARGET void kf_lanes_release_tails(const kf_lanes *lanes) {
    if (!lanes->has_tails) return;
    for (size_t i = 0; i < KF_LANES; i++)
        kf_lanes_store_tail(lanes->rec[i].out, lanes->rec[i].len, kf_load128(lanes->tail[i]));
}

/* Returns the number of records that failed. */
static KF_GCM_TARGET size_t kf_lanes_open(kf_lanes_work *lw, uint8_t *ok) {
    kf_lanes *next = &lw->lanes[0], *now = NULL;
    size_t bad = 0;
    for (size_t g = lw->order.num_groups; g-- > 0;) {
        kf_lanes_load(lw, next, &lw->order.groups[g], 1);
        kf_lanes_work_on(lw, next, now, next);
        if (now != NULL) kf_lanes_release_tails(now);
        bad += kf_lanes_check(lw, next, ok);
        now = next;
        next = next == lw->lanes ? lw->lanes + 1 : lw->lanes;
    }
    if (now == NULL) return bad;
    kf_lanes_work_on(lw, NULL, now, NULL);
    kf_lanes_release_tails(now);
    return bad;
}

/* ---- batches ---------------------------------------------------------------------------------- */

/* Sorts the next chunk of a batch that has n records left; returns how many it takes. */
static KF_GCM_TARGET size_t kf_lanes_take_chunk(kf_lanes_work *lw, const uint8_t *nonces, const kf_rec *rec, size_t n) {
    const size_t num = n < KF_LANES_CHUNK ? n : KF_LANES_CHUNK;
    lw->nonces = nonces;
    lw->rec = rec;
    kf_lanes_sort(&lw->order, rec, num);
    return num;
}

static KF_GCM_TARGET void kf_gcm_seal_all(kf_gcm_work *work, const uint8_t *nonces, const kf_rec *rec, size_t n) {
    kf_lanes_work lw;
    if (n < KF_LANES_MIN) {
        kf_gcm_seal_windows(work, nonces, rec, NULL, n);
        return;
    }
    kf_lanes_start(&lw, work);
    for (size_t i = 0, m; i < n; i += m) {
        m = kf_lanes_take_chunk(&lw, nonces + 12 * i, rec + i, n - i);
        kf_lanes_seal(&lw);
        if (lw.order.num_rest != 0)
            kf_gcm_seal_windows(work, lw.nonces, lw.rec, lw.order.rest, lw.order.num_rest);
    }
    kf_wipe(&lw, offsetof(kf_lanes_work, discarded));
}

/* Returns the number of records that failed. */
static KF_GCM_TARGET size_t kf_gcm_open_all(kf_gcm_work *work, uint8_t *ok, const uint8_t *nonces, const kf_rec *rec,
                                            size_t n) {
    kf_lanes_work lw;
    size_t bad = 0;
    if (n < KF_LANES_MIN) return kf_gcm_open_windows(work, ok, nonces, rec, NULL, n);
    kf_lanes_start(&lw, work);
    for (size_t i = 0, m; i < n; i += m) {
        m = kf_lanes_take_chunk(&lw, nonces + 12 * i, rec + i, n - i);
        bad += kf_lanes_open(&lw, ok + i);
        if (lw.order.num_rest != 0)
            bad += kf_gcm_open_windows(work, ok + i, lw.nonces, lw.rec, lw.order.rest, lw.order.num_rest);
    }
    kf_wipe(&lw, bad == 0 ? offsetof(kf_lanes_work, discarded) : offsetof(kf_lanes_work, order));
    return bad;
}
