/*
 * XAES-256-GCM (C2SP) of many records under one key, for the x86 kernels. A template: each kernel file
 * defines the macros below, kf_vec and its helpers, and includes this file once.
 *
 *   KF_XAES_TARGET, KF_XAES_INLINE  attributes of the functions here
 *   KF_XAES_WIDTH                   messages in a register
 *   KF_XAES_STRIDE                  bytes of a register, as text
 *   KF_MM, KF_MM_...                the intrinsics of that width
 *   kf_gcm_seal, kf_gcm_open        GCM under one key, for records that do not go in groups
 *
 * How it works. Every record has a key of its own, so records are taken in groups of KF_XAES_LANES, all of
 * them at the same step: two blocks derive their keys (C2SP, "Derive the AES-256-GCM key"), one pass over
 * transposed words expands all key schedules, then come H, E(J0) and the keystream, two blocks at a time. GHASH
 * is Horner's rule, one row (a block of each message) at a time, and rows are hashed between the rounds
 * of AES steps that come after they are known: the last ones of a group in the first steps and the key
 * schedules of the next group. Rows end together, so that shorter messages of a group begin with rows
 * of zeros, which leave a hash of zero as it is.
 *
 * A product by H is one step of reduction with two forms of it, h and g = h * x^64:
 *     x * H = low(x) * g + high(x) * h, of which the low half is folded once.
 *
 * Records of more than KF_XAES_MAX_TEXT blocks, or that are alone, derive their key here and run as GCM.
 * Lengths are public; nothing else is branched on or indexed with.
 */

enum {
    KF_XAES_REGS = 8,
    KF_XAES_LANES = KF_XAES_REGS * KF_XAES_WIDTH,
    KF_XAES_MAX_TEXT = 64, /* blocks of a record in a group */
    KF_XAES_MAX_AAD = 16,  /* and of its own associated data */
    KF_XAES_DIGEST = 2,    /* rows of the digest */
    KF_XAES_ROWS = KF_XAES_DIGEST + KF_XAES_MAX_AAD + KF_XAES_MAX_TEXT + 1,
    KF_XAES_FETCH = 192,   /* bytes of a record that are fetched early: a blob of 96 and what surrounds it */
    KF_XAES_LATER = 4,     /* twos of rows that the first steps of a group take */
    KF_XAES_MANY = 24,     /* see KF_XAES_STEP */
    KF_XAES_WINDOW = 512, /* records that are sorted by length at a time */
    KF_XAES_GROUP_MIN = 3 /* fewer records run alone */
};

/* What a hash step reads and writes; the assembly below counts on the order. */
typedef struct {
    kf_vec h[KF_XAES_REGS], g[KF_XAES_REGS], y[KF_XAES_REGS];
} kf_xaes_hash;

typedef struct {
    alignas(64) kf_vec rk[15][KF_XAES_REGS];
    kf_xaes_hash hash;
    kf_vec tag_mask[KF_XAES_REGS]; /* E(J0) */
    kf_vec counter[KF_XAES_REGS];  /* nonce, four zero bytes, under the first round key */
    kf_vec spill[KF_XAES_REGS];    /* nonces, then H, then keystream */
    /* what follows is public, or the caller's and not ours to wipe: ciphertext, associated data, lengths */
    const kf_rec *rec; /* of each lane: in the batch where they lie side by side, else own */
    kf_rec own[KF_XAES_LANES];
    const uint16_t *order; /* their places in the batch; NULL: from first on */
    size_t first;
    size_t text_row[KF_XAES_LANES]; /* where the rows of the text begin */
    size_t num_messages, num_rows, most_blocks;
    int uniform, whole;  /* all lanes in use and of equal blocks; no last block is partial */
    int digest_in_place; /* rows 0 and 1 are the digest in all lanes */
    kf_vec rows[KF_XAES_ROWS][KF_XAES_REGS];
} kf_xaes_group;

typedef struct {
    kf_vec key[15]; /* the round keys of the derivation, in every lane */
    kf_vec mask;    /* K1 under the first of them */
    const uint8_t *digest;
    kf_xaes_group group[2];
} kf_xaes_work;

#include "kf_xaes_rounds.h"
#include "kf_xaes_keys.h"

/* ---- a group's records ---------------------------------------------------------------------- */

static inline size_t kf_blocks_of(size_t len) { return (len + 15) / 16; }

/* The rows of lane i but those of its text: zeros, digest, its own associated data, lengths. */
static KF_XAES_TARGET void kf_xaes_lay_rows(const kf_xaes_work *work, kf_xaes_group *group, size_t i) {
    const uint8_t *aad = group->rec[i].aad;
    const size_t aad_len = group->rec[i].aad_len, digest_len = work->digest ? 16 * KF_XAES_DIGEST : 0;
    size_t row = group->text_row[i] - kf_blocks_of(aad_len);
    __m128i *lengths = kf_lane(group->rows[group->num_rows - 1], i);
    *lengths = kf_bswap128(kf_ghash_lengths(digest_len + aad_len, group->rec[i].len));
    for (size_t at = 0; at < aad_len; at += 16, row++)
        *kf_lane(group->rows[row], i) = kf_load_partial(aad + at, aad_len - at < 16 ? aad_len - at : 16);
    row = group->text_row[i] - kf_blocks_of(aad_len) - digest_len / 16;
    for (size_t k = 0; k < row; k++) *kf_lane(group->rows[k], i) = _mm_setzero_si128();
    for (size_t at = 0; at < digest_len; at += 16, row++)
        *kf_lane(group->rows[row], i) = kf_load128(work->digest + at);
}

/* Where the rows of a group's records lie, and those rows. */
static KF_XAES_TARGET void kf_xaes_lay_any(const kf_xaes_work *work, kf_xaes_group *group) {
    const size_t digest_rows = work->digest ? KF_XAES_DIGEST : 0;
    size_t most_rows = 0, fewest_blocks = SIZE_MAX, most_blocks = 0;
    for (size_t i = 0; i < KF_XAES_LANES; i++) {
        const size_t blocks = kf_blocks_of(group->rec[i].len);
        const size_t rows = digest_rows + kf_blocks_of(group->rec[i].aad_len) + blocks + 1;
        most_rows = rows > most_rows ? rows : most_rows;
        most_blocks = blocks > most_blocks ? blocks : most_blocks;
        fewest_blocks = blocks < fewest_blocks ? blocks : fewest_blocks;
    }
    group->num_rows = most_rows, group->most_blocks = most_blocks;
    group->uniform = group->num_messages == KF_XAES_LANES && most_blocks == fewest_blocks;
    group->whole = 0;
    group->digest_in_place = 0;
    for (size_t i = 0; i < KF_XAES_LANES; i++) {
        group->text_row[i] = most_rows - 1 - kf_blocks_of(group->rec[i].len);
        kf_xaes_lay_rows(work, group, i);
    }
}

/* The same when all lanes have len bytes and no associated data of their own: the rows are equal in all lanes. */
KF_XAES_INLINE void kf_xaes_lay_equal(const kf_xaes_work *work, kf_xaes_group *group, size_t len) {
    const size_t digest_rows = work->digest ? KF_XAES_DIGEST : 0, blocks = kf_blocks_of(len);
    const kf_vec lengths = kf_all(kf_bswap128(kf_ghash_lengths(16 * digest_rows, len)));
    for (int i = 0; i < KF_XAES_REGS; i++) group->rows[digest_rows + blocks][i] = lengths;
    group->num_rows = digest_rows + blocks + 1, group->most_blocks = blocks;
    group->uniform = 1, group->whole = len % 16 == 0;
    group->text_row[0] = digest_rows;
    if (!group->whole)
        for (size_t i = 1; i < KF_XAES_LANES; i++) group->text_row[i] = digest_rows;
    if (group->digest_in_place) return;
    for (size_t k = 0; k < digest_rows; k++)
        for (int i = 0; i < KF_XAES_REGS; i++) group->rows[k][i] = kf_all(kf_load128(work->digest + 16 * k));
    group->digest_in_place = 1;
}

static inline size_t kf_xaes_place(const kf_xaes_group *group, size_t i) {
    return group->order != NULL ? group->order[i] : group->first + i;
}

/* Copies the records of a group that do not lie side by side. Spare lanes repeat the first one's key, without text. */
static KF_XAES_TARGET void kf_xaes_copy_records(kf_xaes_group *group, const kf_rec *rec, size_t count) {
    for (size_t i = 0; i < KF_XAES_LANES; i++) {
        const kf_rec *r = &rec[kf_xaes_place(group, i < count ? i : 0)];
        kf_rec_set(&group->own[i], r->in, r->out, i < count ? r->len : 0, r->aad, i < count ? r->aad_len : 0);
        group->own[i].next = r->next;
    }
    group->rec = group->own;
}

/* Whether all lanes have as many bytes, and no associated data of their own. */
static KF_XAES_TARGET int kf_xaes_alike(const kf_xaes_group *group) {
    size_t unlike = group->num_messages ^ KF_XAES_LANES;
    for (size_t i = 0; i < KF_XAES_LANES; i++)
        unlike |= (group->rec[i].len ^ group->rec[0].len) | group->rec[i].aad_len;
    return unlike == 0;
}

/* Puts the count records rec[order[first]], .. (order NULL: rec[first], ..) into a group. alike: all of them have as
 * many bytes, and no associated data of their own. */
static inline KF_XAES_TARGET void kf_xaes_take(const kf_xaes_work *work, kf_xaes_group *group, const uint8_t *nonces,
                                               const kf_rec *rec, const uint16_t *order, size_t first, size_t count,
                                               int alike) {
    group->order = order != NULL ? order + first : NULL;
    group->first = first;
    group->num_messages = count;
    group->rec = rec + first;
    if (order != NULL || count < KF_XAES_LANES) kf_xaes_copy_records(group, rec, count);
    for (size_t i = 0; i < KF_XAES_LANES; i++) {
        const uint8_t *nonce = nonces + 24 * kf_xaes_place(group, i < count ? i : 0);
        *kf_lane(group->spill, i) = _mm_slli_si128(kf_load128(nonce), 4);
        *kf_lane(group->counter, i) = _mm_srli_si128(kf_load128(nonce + 8), 4);
    }
    if ((alike && count == KF_XAES_LANES) || kf_xaes_alike(group))
        kf_xaes_lay_equal(work, group, group->rec[0].len);
    else
        kf_xaes_lay_any(work, group);
}

/* ---- text ----------------------------------------------------------------------------------- */

/* Block j of the messages in registers first to first + 3, whose keystream is key. */
KF_XAES_INLINE void kf_xaes_text_whole(kf_xaes_group *group, size_t j, size_t first, const kf_words key,
                                       const int open) {
    kf_vec *row = group->rows[group->text_row[0] + j] + first;
    const kf_rec *rec = group->rec + KF_XAES_WIDTH * first;
#define KF_TEXT(i)                                                            \
    do {                                                                      \
        const kf_vec from = kf_gather(rec + KF_XAES_WIDTH * i, 16 * j);       \
        const kf_vec to = kf_xor_vec(from, key.w##i);                         \
        kf_scatter(rec + KF_XAES_WIDTH * i, 16 * j, to);                      \
        row[i] = open ? from : to;                                            \
    } while (0)
    KF_TEXT(0);
    KF_TEXT(1);
    KF_TEXT(2);
    KF_TEXT(3);
#undef KF_TEXT
}

/* The same for those that have such a block, whose keystream begins in register at of spill, which is wiped, unlike
 * what is passed to a function. When sealing, a partial block is written whole: the tag comes after. */
static KF_XAES_TARGET void kf_xaes_text_any(kf_xaes_group *group, size_t j, size_t first, size_t at, const int open) {
    const size_t begin = 16 * j, lane = KF_XAES_WIDTH * first;
    for (size_t k = 0; k < 4 * KF_XAES_WIDTH; k++) {
        const kf_rec *rec = &group->rec[lane + k];
        if (begin >= rec->len) continue;
        const size_t len = rec->len - begin < 16 ? rec->len - begin : 16;
        const __m128i from = kf_load_partial(rec->in + begin, len);
        const __m128i to = kf_keep(_mm_xor_si128(from, *kf_lane(group->spill + at, k)), len);
        if (open)
            kf_store_partial(rec->out + begin, to, len);
        else
            kf_store128(rec->out + begin, to);
        *kf_lane(group->rows[group->text_row[lane + k] + j], lane + k) = open ? from : to;
    }
}

/* Block j as one or the other; the keystream is in spill. */
KF_XAES_INLINE void kf_xaes_text(kf_xaes_group *group, size_t j, size_t first, size_t at, const int open) {
    const kf_vec *key = group->spill + at;
    if (group->uniform && j + 1 < group->most_blocks)
        kf_xaes_text_whole(group, j, first, (kf_words){key[0], key[1], key[2], key[3]}, open);
    else
        kf_xaes_text_any(group, j, first, at, open);
}

/* Two blocks of text, from j on, of the messages in registers first to first + 3. */
KF_XAES_INLINE void kf_xaes_text_pair(kf_xaes_group *group, size_t j, size_t first, const kf_vec8 *s, const int open) {
    if (group->whole) {
        kf_xaes_text_whole(group, j, first, (kf_words){s->b0, s->b1, s->b2, s->b3}, open);
        kf_xaes_text_whole(group, j + 1, first, (kf_words){s->b4, s->b5, s->b6, s->b7}, open);
    } else {
        kf_put8(group->spill, s);
        kf_xaes_text(group, j, first, 0, open);
        kf_xaes_text(group, j + 1, first, KF_XAES_REGS / 2, open);
    }
}

/* All blocks of text: two at a time, of half of the messages after the other. */
KF_XAES_INLINE void kf_xaes_texts(kf_xaes_group *group, kf_xaes_pending *pending, const int open) {
    enum { HALF = KF_XAES_REGS / 2 };
    size_t j = 0;
    kf_vec8 s;
    for (; j + 2 <= group->most_blocks; j += 2, pending->left += 8) {
        for (size_t first = 0; first < KF_XAES_REGS; first += HALF) {
            const kf_vec *counter = group->counter + first;
            kf_get_pair(&s, counter, kf_counter_block(2 + j), counter, kf_counter_block(3 + j));
            kf_step_pair(&s, group->rk[0] + first, pending);
            kf_xaes_text_pair(group, j, first, &s, open);
        }
    }
    if (j == group->most_blocks) return;
    kf_get8(&s, group->counter, kf_counter_block(2 + j));
    kf_step_own_key(&s, group->rk[0], pending);
    if (group->whole) {
        kf_xaes_text_whole(group, j, 0, (kf_words){s.b0, s.b1, s.b2, s.b3}, open);
        kf_xaes_text_whole(group, j, HALF, (kf_words){s.b4, s.b5, s.b6, s.b7}, open);
    } else {
        kf_put8(group->spill, &s);
        kf_xaes_text_any(group, j, 0, 0, open);
        kf_xaes_text_any(group, j, HALF, HALF, open);
    }
    pending->left += 4;
}

/* The tags of a group, once its rows are hashed. */
KF_XAES_INLINE __m128i kf_xaes_tag(kf_xaes_group *group, size_t i) {
    return _mm_xor_si128(kf_bswap128(*kf_lane(group->hash.y, i)), *kf_lane(group->tag_mask, i));
}

static KF_XAES_TARGET void kf_xaes_write_tags(kf_xaes_group *group) {
    for (size_t i = 0; i < group->num_messages; i++)
        kf_store128(group->rec[i].out + group->rec[i].len, kf_xaes_tag(group, i));
}

/* Compares the tags (SP 800-38D 7.2 step 7). Returns the number that differ; their plaintext is wiped. */
static KF_XAES_TARGET size_t kf_xaes_check_tags(kf_xaes_group *group, uint8_t *ok) {
    __m128i diff[KF_XAES_LANES], all = _mm_setzero_si128();
    size_t bad = 0;
    for (size_t i = 0; i < group->num_messages; i++) {
        diff[i] = _mm_xor_si128(kf_xaes_tag(group, i), kf_load128(group->rec[i].in + group->rec[i].len));
        all = _mm_or_si128(all, diff[i]);
        ok[kf_xaes_place(group, i)] = 1;
    }
    int equal = _mm_testz_si128(all, all);
    KF_DECLASSIFY(&equal, sizeof equal); /* whether records are authentic is the result */
    if (__builtin_expect(equal, 1)) return 0;
    for (size_t i = 0; i < group->num_messages; i++) {
        equal = _mm_testz_si128(diff[i], diff[i]);
        KF_DECLASSIFY(&equal, sizeof equal);
        if (equal) continue;
        ok[kf_xaes_place(group, i)] = 0;
        if (group->rec[i].len != 0) memset(group->rec[i].out, 0, group->rec[i].len);
        bad++;
    }
    kf_wipe(diff, sizeof diff); /* with the tag that was presented, it gives the right one */
    return bad;
}

/* What is left to do with a group: its last rows and its tags. Returns the number of records that failed. */
static inline KF_XAES_TARGET size_t kf_xaes_finish(kf_xaes_group *group, uint8_t *ok, kf_xaes_pending *pending,
                                                   const int open) {
    size_t bad = 0;
    kf_xaes_drain(pending);
    if (open)
        bad = kf_xaes_check_tags(group, ok);
    else
        kf_xaes_write_tags(group);
    group->num_messages = 0;
    return bad;
}

/* Seals or opens n records in groups (alike: kf_xaes_take). Returns the number that failed. */
KF_XAES_INLINE size_t kf_xaes_groups(kf_xaes_work *work, uint8_t *ok, const uint8_t *nonces, const kf_rec *rec,
                                     const uint16_t *order, size_t n, int alike, const int open) {
    kf_xaes_group *now = &work->group[0], *before = &work->group[1];
    kf_xaes_pending pending = {.row = *before->rows, .hash = &before->hash};
    size_t bad = 0;
    before->num_messages = 0;
    for (size_t first = 0; first < n; first += KF_XAES_LANES) {
        const size_t count = n - first < KF_XAES_LANES ? n - first : KF_XAES_LANES;
        kf_xaes_take(work, now, nonces, rec, order, first, count, alike);
        pending.fetch = now->rec, pending.num_fetch = now->rec[0].next ? KF_XAES_REGS : 0;
        kf_xaes_derive(work, now, &pending);
        kf_xaes_start(now, &pending);
        bad += kf_xaes_finish(before, ok, &pending, open);
        for (int i = 0; i < KF_XAES_REGS; i++) kf_xaes_hash_key(&now->hash, i, now->spill[i]);
        pending.row = *now->rows, pending.at = 0, pending.hash = &now->hash;
        pending.left = 4 * (now->num_rows - 1 - now->most_blocks);
        kf_xaes_texts(now, &pending, open);
        pending.left += 4; /* the lengths */
        kf_xaes_group *other = before;
        before = now;
        now = other;
    }
    return bad + kf_xaes_finish(before, ok, &pending, open);
}

/* ---- the call ------------------------------------------------------------------------------- */

/* One record: short, or as GCM under its derived key. ok NULL: seals. Returns 1 if it failed. */
static KF_XAES_TARGET size_t kf_xaes_alone(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest,
                                           const uint8_t *nonce, const kf_rec *rec) {
    kf_gcm_key derived;
    uint8_t blocks[32];
    size_t bad = 0;
    if (kf_is_short(rec)) {
        if (ok == NULL) {
            kf_xaes_short_seal(key, digest, nonce, rec);
            return 0;
        }
        *ok = (uint8_t)kf_xaes_short_open(key, digest, nonce, rec);
        return !*ok;
    }
    const __m128i base = _mm_xor_si128(_mm_slli_si128(kf_load128(nonce), 4), kf_load128(key->k1));
    kf_store128(blocks, _mm_xor_si128(base, _mm_set_epi32(0, 0, 0, 0x00580100)));
    kf_store128(blocks + 16, _mm_xor_si128(base, _mm_set_epi32(0, 0, 0, 0x00580200)));
    kf_aesni_blocks(&key->aes, blocks, blocks, 2);
    kf_aesni_expand(&derived.aes, blocks);
    kf_store128(derived.h, kf_aes_block((const __m128i *)derived.aes.rk, _mm_setzero_si128()));
    if (ok != NULL)
        bad = kf_gcm_open(&derived, ok, digest, nonce + 12, rec, 1);
    else
        kf_gcm_seal(&derived, digest, nonce + 12, rec, 1);
    kf_wipe(&derived, sizeof derived);
    kf_wipe(blocks, sizeof blocks);
    return bad;
}

/* Sorts up to KF_XAES_WINDOW records by their blocks of text. Those that do not go in groups come last; returns the
 * number of the others. *sorted: 0 when the order is that of the records; *alike: 1 when all
 * have as many bytes and no associated data of their own. */
static size_t kf_xaes_sort(uint16_t *order, int *sorted, int *alike, const kf_rec *rec, size_t n) {
    enum { CLASSES = KF_XAES_MAX_TEXT + 2, ALONE = KF_XAES_MAX_TEXT + 1 };
    size_t unlike = rec[0].len > 16 * KF_XAES_MAX_TEXT;
    for (size_t i = 0; i < n; i++) unlike |= (rec[i].len ^ rec[0].len) | rec[i].aad_len;
    *sorted = 0, *alike = unlike == 0;
    if (*alike) return n;
    uint8_t class[KF_XAES_WINDOW];
    uint16_t at[CLASSES + 1] = {0};
    for (size_t i = 0; i < n; i++) {
        const int fits = rec[i].len <= 16 * KF_XAES_MAX_TEXT && rec[i].aad_len <= 16 * KF_XAES_MAX_AAD;
        class[i] = (uint8_t)(fits ? kf_blocks_of(rec[i].len) : ALONE);
        at[class[i] + 1]++;
    }
    const size_t num_alone = at[ALONE + 1];
    *sorted = at[class[0] + 1] != n;
    for (size_t c = 1; c <= CLASSES; c++) at[c] = (uint16_t)(at[c] + at[c - 1]);
    if (*sorted || num_alone)
        for (size_t i = 0; i < n; i++) order[at[class[i]]++] = (uint16_t)i;
    return n - num_alone;
}

KF_XAES_INLINE size_t kf_xaes_run(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest, const uint8_t *nonces,
                                  const kf_rec *rec, size_t n, const int open) {
    kf_xaes_work work;
    uint16_t order[KF_XAES_WINDOW];
    size_t bad = 0;
    int used = 0;
    for (size_t base = 0; base < n; base += KF_XAES_WINDOW) {
        const size_t num = n - base < KF_XAES_WINDOW ? n - base : KF_XAES_WINDOW;
        int sorted = 0, alike = 0;
        size_t grouped = 0;
        if (num >= KF_XAES_GROUP_MIN) grouped = kf_xaes_sort(order, &sorted, &alike, rec + base, num);
        if (grouped > 0 && !used) {
            used = 1;
            for (int r = 0; r < 15; r++) work.key[r] = kf_all(kf_load128(key->aes.rk + 16 * r));
            work.mask = kf_xor_vec(kf_all(kf_load128(key->k1)), work.key[0]);
            work.digest = digest;
            work.group[0].digest_in_place = work.group[1].digest_in_place = 0;
        }
        if (grouped > 0)
            bad += kf_xaes_groups(&work, open ? ok + base : NULL, nonces + 24 * base, rec + base,
                                  sorted ? order : NULL, grouped, alike, open);
        for (size_t k = grouped; k < num; k++) {
            const size_t i = base + (grouped > 0 || sorted ? order[k] : k);
            bad += kf_xaes_alone(key, open ? ok + i : NULL, digest, nonces + 24 * i, rec + i);
        }
    }
    if (used) {
        kf_wipe(work.key, sizeof work.key);
        kf_wipe(&work.mask, sizeof work.mask);
        for (int i = 0; i < 2; i++) kf_wipe(&work.group[i], offsetof(kf_xaes_group, rec));
    }
    return bad;
}

static KF_XAES_TARGET void kf_xaes_seal_all(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonces,
                                            const kf_rec *rec, size_t n) {
    kf_xaes_run(key, NULL, digest, nonces, rec, n, 0);
}

static KF_XAES_TARGET size_t kf_xaes_open_all(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest,
                                              const uint8_t *nonces, const kf_rec *rec, size_t n) {
    return kf_xaes_run(key, ok, digest, nonces, rec, n, 1);
}
