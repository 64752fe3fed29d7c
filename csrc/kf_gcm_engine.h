/*
 * AES-256-GCM of many records under one key (SP 800-38D 7.1 and 7.2), for the x86 kernels. A template:
 * each kernel file defines the macros below, its two kernels, and includes this file once.
 *
 *   KF_GCM_TARGET    target attribute of all functions here
 *   KF_GCM_POWERS    powers of H that the kernels use
 *   KF_GCM_FEW_POWERS, KF_GCM_MANY_MIN
 *                    those that it has at least; from how many bytes of bulk on it has all
 *   KF_GCM_LANES     blocks that one AES step of the window kernel covers
 *   KF_GCM_BULK_MIN  shortest record, in bytes, whose 128-byte multiples go to the bulk kernel
 *   kf_gcm_kernel    encrypts keystream blocks in place while hashing units of another window
 *   kf_gcm_bulk      encrypts or decrypts a multiple of KF_GCM_BULK_STEP bytes and hashes them
 *   KF_GCM_HAS_LANES if there is a lane kernel: groups of records of one length go there (kf_gcm_lanes.h)
 *
 * How windows work. Records are taken a window at a time. Their counter blocks, E(J0) first, are laid
 * one record after the other in one array, so that the AES units are full whatever the lengths are.
 * GHASH work is cut into units of four blocks that read the ciphertext where it lies; only a
 * record's last, incomplete unit is copied and padded with zeros. A unit
 *     y_out = (y_in ^ B1) * P1 ^ B2 * P2 ^ B3 * P3 ^ B4 * P4
 * names its powers by a pointer into the descending table H^n .. H^1, so that one code serves every
 * count of blocks. Kernels therefore have no branch per record. When sealing, the units of one window
 * are hashed during the AES of the next; when opening, during the AES of the same window, and a tag
 * is checked before any plaintext of its window is written.
 *
 * The block of lengths L takes a free place in the last unit. If that holds four blocks already, its powers are one
 * higher instead, and L * H, which is the same for all records of a length, joins at the end.
 */

enum {
    KF_GCM_WINDOW = 128,  /* keystream blocks of a window */
    KF_GCM_MESSAGES = 64, /* records of a window */
    /* a record has at most a unit of associated data, one per 64 bytes, and one of the rest */
    KF_GCM_UNITS = 2 * KF_GCM_MESSAGES + KF_GCM_WINDOW / 4
};

/* One record in a window: what the bulk kernel left of it, and how its tag comes about. */
typedef struct {
    __m128i y0;             /* GHASH before the first unit */
    __m128i length_product; /* L * H, or 0 when L is in the last unit */
    const __m128i *keystream;
    const __m128i *y; /* GHASH after the last unit */
    const uint8_t *in;
    uint8_t *out;
    size_t len;
} kf_gcm_message;

typedef struct {
    alignas(64) __m128i keystream[KF_GCM_WINDOW + 2 * KF_GCM_LANES];
    uint8_t padded[2 * KF_GCM_MESSAGES][64];
    kf_gcm_unit units[KF_GCM_UNITS];
    kf_gcm_message messages[KF_GCM_MESSAGES];
    size_t num_blocks, num_units, num_messages, num_padded, first;
} kf_gcm_window;

typedef struct {
    const __m128i *rk;
    __m128i y_digest; /* GHASH after the digest */
    __m128i length_product;
    size_t digest_len, product_len, product_aad_len; /* what length_product is for */
    kf_gcm_powers powers;
    size_t bulk_bytes; /* what the bulk kernel has had */
    size_t most_blocks, most_units, most_messages; /* used so far: to be wiped */
    kf_gcm_window window[2];
} kf_gcm_work;

/* ---- the key and the call ------------------------------------------------------------------- */

/* Makes the powers up to H^most available. */
static KF_GCM_TARGET void kf_gcm_raise(kf_gcm_work *work, size_t most) {
    __m128i *h = work->powers.h + KF_GCM_POWERS, *folded = work->powers.folded + KF_GCM_POWERS;
    for (size_t i = work->powers.count + 1; i <= most; i++) {
        size_t half = i / 2;
        __m128i power = kf_ghash_mul(h[-(ptrdiff_t)half], h[-(ptrdiff_t)(i - half)]);
        h[-(ptrdiff_t)i] = power;
        folded[-(ptrdiff_t)i] = kf_fold_halves(power);
    }
    if (most > work->powers.count) work->powers.count = most;
}

static KF_GCM_TARGET void kf_gcm_start(kf_gcm_work *work, const kf_gcm_key *key,
                                       const uint8_t *digest) {
    work->rk = (const __m128i *)key->aes.rk;
    __m128i h = kf_ghash_key(kf_load128(key->h));
    work->powers.h[KF_GCM_POWERS - 1] = h;
    work->powers.folded[KF_GCM_POWERS - 1] = kf_fold_halves(h);
    for (int i = 0; i < 4; i++)
        work->powers.h[KF_GCM_POWERS + i] = work->powers.folded[KF_GCM_POWERS + i] = _mm_setzero_si128();
    work->powers.count = 1;
    work->bulk_bytes = 0;
    kf_gcm_raise(work, 5);
    work->y_digest = _mm_setzero_si128();
    work->digest_len = 0;
    if (digest != NULL) {
        kf_ghash_sum sum = kf_ghash_zero();
        for (int i = 0; i < 2; i++)
            kf_ghash_add(&sum, kf_bswap128(kf_load128(digest + 16 * i)),
                         work->powers.h[KF_GCM_POWERS - 2 + i],
                         work->powers.folded[KF_GCM_POWERS - 2 + i]);
        work->y_digest = kf_ghash_reduce(sum);
        work->digest_len = 32;
    }
    work->product_len = work->product_aad_len = SIZE_MAX;
    work->most_blocks = work->most_units = work->most_messages = 0;
}

static void kf_gcm_finish(kf_gcm_work *work) {
    for (int i = 0; i < 2; i++) {
        kf_wipe(work->window[i].keystream, work->most_blocks * 16);
        kf_wipe(work->window[i].units, work->most_units * sizeof(kf_gcm_unit));
        kf_wipe(work->window[i].messages, work->most_messages * sizeof(kf_gcm_message));
    }
    kf_wipe(work, offsetof(kf_gcm_work, window));
}

/* ---- GHASH units ---------------------------------------------------------------------------- */

/* Adds a unit that starts from *y_in; its first block has the power H^power. */
static inline const __m128i *kf_gcm_add_unit(kf_gcm_work *work, kf_gcm_window *window,
                                             const __m128i *y_in, const uint8_t *blocks,
                                             size_t power) {
    kf_gcm_unit *unit = &window->units[window->num_units++];
    unit->blocks = blocks;
    unit->powers = &work->powers.h[KF_GCM_POWERS - power];
    unit->y_in = y_in;
    return &unit->y_out;
}

/* Copies len < 64 bytes into a unit of four blocks, padded with zeros; returns its blocks. */
static inline KF_GCM_TARGET uint8_t *kf_gcm_pad(kf_gcm_window *window, const uint8_t *data, size_t len) {
    uint8_t *to = window->padded[window->num_padded++];
    size_t i = 0;
    for (; i + 16 <= len; i += 16) kf_store128(to + i, kf_load128(data + i));
    kf_store128(to + i, kf_load_partial(data + i, len - i));
    for (i += 16; i < 64; i += 16) kf_store128(to + i, _mm_setzero_si128());
    return to;
}

/* Hashes a record's own associated data: multiples of 64 bytes here, the rest in a unit. */
static KF_GCM_TARGET const __m128i *kf_gcm_hash_aad(kf_gcm_work *work, kf_gcm_window *window,
                                                    kf_gcm_message *message, const uint8_t *aad,
                                                    size_t aad_len) {
    const __m128i *h = &work->powers.h[KF_GCM_POWERS - 4], *folded = &work->powers.folded[KF_GCM_POWERS - 4];
    for (; aad_len >= 64; aad += 64, aad_len -= 64) {
        kf_ghash_sum sum = kf_ghash_zero();
        kf_ghash_add(&sum, _mm_xor_si128(message->y0, kf_bswap128(kf_load128(aad))), h[0], folded[0]);
        for (int i = 1; i < 4; i++) kf_ghash_add(&sum, kf_bswap128(kf_load128(aad + 16 * i)), h[i], folded[i]);
        message->y0 = kf_ghash_reduce(sum);
    }
    if (aad_len == 0) return &message->y0;
    return kf_gcm_add_unit(work, window, &message->y0, kf_gcm_pad(window, aad, aad_len),
                           (aad_len + 15) / 16);
}

/* L * H for the lengths of a record; the product is kept while they do not change. */
static inline KF_GCM_TARGET __m128i kf_gcm_length_product(kf_gcm_work *work, const kf_rec *rec) {
    if (rec->len != work->product_len || rec->aad_len != work->product_aad_len) {
        work->length_product = kf_ghash_mul(kf_ghash_lengths(work->digest_len + rec->aad_len, rec->len),
                                            work->powers.h[KF_GCM_POWERS - 1]);
        work->product_len = rec->len;
        work->product_aad_len = rec->aad_len;
    }
    return work->length_product;
}

/* Makes the units of what the bulk kernel left of a record's ciphertext, and of the lengths. */
static inline KF_GCM_TARGET void kf_gcm_hash_rest(kf_gcm_work *work, kf_gcm_window *window,
                                                  kf_gcm_message *message, const kf_rec *rec,
                                                  const uint8_t *data) {
    const __m128i *y = message->y;
    size_t len = message->len;
    for (; len > 64; data += 64, len -= 64) y = kf_gcm_add_unit(work, window, y, data, 4);
    size_t count = (len + 15) / 16;
    const uint8_t *blocks = data;
    if (len != 64) {
        uint8_t *padded = kf_gcm_pad(window, data, len);
        __m128i lengths = kf_ghash_lengths(work->digest_len + rec->aad_len, rec->len);
        if (count < 4) kf_store128(padded + 16 * count, kf_bswap128(lengths));
        blocks = padded;
    }
    y = kf_gcm_add_unit(work, window, y, blocks, count + 1);
    message->length_product = count == 4 ? kf_gcm_length_product(work, rec) : _mm_setzero_si128();
    message->y = y;
}

/* ---- counters and the keystream ------------------------------------------------------------- */

/* Counters 1 to 48 as the last four bytes of a block. */
#define KF_GCM_COUNTER(i) {0, 0, 0, (uint32_t)(i) << 24}
#define KF_GCM_COUNTERS4(i) \
    KF_GCM_COUNTER(i), KF_GCM_COUNTER((i) + 1), KF_GCM_COUNTER((i) + 2), KF_GCM_COUNTER((i) + 3)
#define KF_GCM_COUNTERS16(i) \
    KF_GCM_COUNTERS4(i), KF_GCM_COUNTERS4((i) + 4), KF_GCM_COUNTERS4((i) + 8), KF_GCM_COUNTERS4((i) + 12)
static const alignas(32) uint32_t kf_gcm_counters[48][4] = {
    KF_GCM_COUNTERS16(1), KF_GCM_COUNTERS16(17), KF_GCM_COUNTERS16(33)};

/* Lays E(J0)'s block and the counter blocks first .. first + count - 1 of a record, all under the
 * first round key already. May write one block more. base: nonce, four zero bytes, the round key. */
static inline KF_GCM_TARGET void kf_gcm_lay_counters(__m128i *to, __m128i base, uint64_t first,
                                                     size_t count) {
    if (first == 2) {
        const __m256 base2 = _mm256_broadcast_ps((const __m128 *)&base);
        for (size_t i = 0; i <= count; i += 2)
            _mm256_storeu_ps((float *)(to + i),
                             _mm256_xor_ps(base2, _mm256_load_ps((const float *)kf_gcm_counters[i])));
        return;
    }
    *to++ = _mm_xor_si128(base, _mm_load_si128((const __m128i *)kf_gcm_counters[0]));
    for (size_t i = 0; i < count; i++)
        to[i] = _mm_xor_si128(base, _mm_set_epi32((int)__builtin_bswap32((uint32_t)(first + i)), 0, 0, 0));
}

/* out = in ^ keystream, exactly len bytes. */
static inline KF_GCM_TARGET void kf_gcm_xor(uint8_t *out, const uint8_t *in, const uint8_t *keystream,
                                            size_t len) {
    if (len < 16) {
        kf_store_partial(out, _mm_xor_si128(kf_load_partial(in, len), kf_load128(keystream)), len);
        return;
    }
    /* The last 16 bytes overlap the block before; in may be out, so they are read first. */
    __m128i last = _mm_xor_si128(kf_load128(in + len - 16), kf_load128(keystream + len - 16));
    size_t i = 0;
    for (; i + 32 <= len; i += 32)
        _mm256_storeu_ps((float *)(out + i), _mm256_xor_ps(_mm256_loadu_ps((const float *)(in + i)),
                                                           _mm256_loadu_ps((const float *)(keystream + i))));
    if (len & 16) kf_store128(out + i, _mm_xor_si128(kf_load128(in + i), kf_load128(keystream + i)));
    if (len & 15) kf_store128(out + len - 16, last);
}

/* ---- windows -------------------------------------------------------------------------------- */

/* Takes one record into the window: bulk kernel, counters, associated data. Returns 0, with nothing
 * done, when the window has no room for it. */
static inline KF_GCM_TARGET int kf_gcm_take(kf_gcm_work *work, kf_gcm_window *window, const kf_rec *rec,
                                            const uint8_t *nonce, int open) {
    size_t bulk_len = rec->len < KF_GCM_BULK_MIN ? 0 : rec->len - rec->len % KF_GCM_BULK_STEP;
    size_t rest = rec->len - bulk_len, count = (rest + 15) / 16;
    if (window->num_messages == KF_GCM_MESSAGES || window->num_blocks + 1 + count > KF_GCM_WINDOW) return 0;

    kf_gcm_message *message = &window->messages[window->num_messages++];
    message->y0 = work->y_digest;
    message->y = &message->y0;
    message->in = rec->in + bulk_len;
    message->out = rec->out + bulk_len;
    message->len = rest;
    message->keystream = window->keystream + window->num_blocks;
    __m128i base = _mm_xor_si128(kf_load96(nonce), work->rk[0]);
    kf_gcm_lay_counters(window->keystream + window->num_blocks, base, 2 + bulk_len / 16, count);
    window->num_blocks += 1 + count;

    if (rec->aad_len != 0) message->y = kf_gcm_hash_aad(work, window, message, rec->aad, rec->aad_len);
    if (bulk_len != 0) {
        work->bulk_bytes += bulk_len;
        kf_gcm_raise(work, work->bulk_bytes >= KF_GCM_MANY_MIN ? KF_GCM_POWERS : KF_GCM_FEW_POWERS);
        if (message->y != &message->y0) { /* the unit of associated data has to come first */
            kf_gcm_kernel(work->rk, NULL, 0, &window->units[--window->num_units], 1);
            message->y0 = *message->y;
            message->y = &message->y0;
        }
        message->y0 = kf_gcm_bulk(work->rk, &work->powers, base, rec->out, rec->in, bulk_len, message->y0, open);
    }
    return 1;
}

static inline void kf_gcm_clear(kf_gcm_window *window, size_t first) {
    window->num_blocks = window->num_units = window->num_messages = window->num_padded = 0;
    window->first = first;
}

/* The tag of a record whose units are hashed (SP 800-38D 7.1 step 6). */
static inline KF_GCM_TARGET __m128i kf_gcm_tag(const kf_gcm_message *message) {
    __m128i y = _mm_xor_si128(_mm_load_si128(message->y), message->length_product);
    return _mm_xor_si128(kf_bswap128(y), _mm_load_si128(message->keystream));
}

static inline void kf_gcm_note_use(kf_gcm_work *work, const kf_gcm_window *window) {
    size_t blocks = window->num_blocks + KF_GCM_LANES;
    if (blocks > work->most_blocks) work->most_blocks = blocks;
    if (window->num_units > work->most_units) work->most_units = window->num_units;
    if (window->num_messages > work->most_messages) work->most_messages = window->num_messages;
}

/* Encrypts the counters of a window and hashes the units of a window (NULL: none). */
static inline void kf_gcm_run(kf_gcm_work *work, kf_gcm_window *keystream, kf_gcm_window *units) {
    size_t steps = (keystream->num_blocks + KF_GCM_LANES - 1) / KF_GCM_LANES;
    kf_gcm_kernel(work->rk, keystream->keystream, steps, units ? units->units : NULL,
                  units ? units->num_units : 0);
}

static inline KF_GCM_TARGET void kf_gcm_write_tags(const kf_gcm_window *window) {
    for (size_t i = 0; i < window->num_messages; i++) {
        const kf_gcm_message *message = &window->messages[i];
        kf_store128(message->out + message->len, kf_gcm_tag(message));
    }
}

/* Compares the tag; writes the plaintext of the len bytes at in to out if it is right, else zeros the
 * whole record. Returns 1 or 0. */
static inline KF_GCM_TARGET uint8_t kf_gcm_release(const kf_rec *rec, __m128i tag, const uint8_t *in,
                                                   const uint8_t *keystream, uint8_t *out, size_t len) {
    __m128i diff = _mm_xor_si128(tag, kf_load128(in + len));
    int equal = _mm_testz_si128(diff, diff);
    KF_DECLASSIFY(&equal, sizeof equal); /* whether a record is authentic is the result */
    if (__builtin_expect(equal, 1))
        kf_gcm_xor(out, in, keystream, len);
    else if (rec->len != 0)
        memset(rec->out, 0, rec->len);
    return (uint8_t)equal;
}

/* Finishes the window whose units still wait. */
static KF_GCM_TARGET void kf_gcm_drain(kf_gcm_work *work, kf_gcm_window *window) {
    kf_gcm_kernel(work->rk, NULL, 0, window->units, window->num_units);
    kf_gcm_write_tags(window);
    kf_gcm_clear(window, 0);
}

/* The place of the i-th record: order, if there is one, says which of the records come in which order. */
static inline size_t kf_gcm_place(const uint16_t *order, size_t i) {
    return order ? order[i] : i;
}

static KF_GCM_TARGET void kf_gcm_seal_windows(kf_gcm_work *work, const uint8_t *nonces, const kf_rec *rec,
                                              const uint16_t *order, size_t n) {
    kf_gcm_window *now = &work->window[0], *before = &work->window[1];
    kf_gcm_clear(before, 0);
    for (size_t i = 0; i < n;) {
        kf_gcm_clear(now, i);
        for (; i < n; i++) {
            const size_t place = kf_gcm_place(order, i);
            if (!kf_gcm_take(work, now, rec + place, nonces + 12 * place, 0)) break;
        }
        kf_gcm_run(work, now, before);
        kf_gcm_write_tags(before);
        for (size_t m = 0; m < now->num_messages; m++) {
            kf_gcm_message *message = &now->messages[m];
            kf_gcm_xor(message->out, message->in, (const uint8_t *)(message->keystream + 1), message->len);
            kf_gcm_hash_rest(work, now, message, rec + kf_gcm_place(order, now->first + m), message->out);
        }
        kf_gcm_note_use(work, now);
        kf_gcm_window *other = before;
        before = now;
        now = other;
    }
    kf_gcm_drain(work, before);
}

/* Returns the number of records that failed. */
static KF_GCM_TARGET size_t kf_gcm_open_windows(kf_gcm_work *work, uint8_t *ok, const uint8_t *nonces,
                                                const kf_rec *rec, const uint16_t *order, size_t n) {
    kf_gcm_window *now = &work->window[0];
    size_t bad = 0;
    for (size_t i = 0; i < n;) {
        kf_gcm_clear(now, i);
        for (; i < n; i++) {
            const size_t place = kf_gcm_place(order, i);
            if (!kf_gcm_take(work, now, rec + place, nonces + 12 * place, 1)) break;
            kf_gcm_message *message = &now->messages[now->num_messages - 1];
            kf_gcm_hash_rest(work, now, message, rec + place, message->in);
        }
        kf_gcm_note_use(work, now);
        kf_gcm_run(work, now, now);
        for (size_t m = 0; m < now->num_messages; m++) {
            const kf_gcm_message *message = &now->messages[m];
            const size_t place = kf_gcm_place(order, now->first + m);
            ok[place] = kf_gcm_release(rec + place, kf_gcm_tag(message), message->in,
                                       (const uint8_t *)(message->keystream + 1), message->out, message->len);
            bad += !ok[place];
        }
    }
    return bad;
}

#ifdef KF_GCM_HAS_LANES
#include "kf_gcm_lanes.h"
#else
#include "kf_gcm_uniform.h"
#endif
