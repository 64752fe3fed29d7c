/*
 * Runs of short records of one length, without own associated data, through windows: part of kf_gcm_engine.h for
 * kernels that have no lanes. All that
 * depends on the length alone is made once per run: the units' powers and chains, and the product L * H that
 * ends every tag. A unit that is not whole is copied and padded, as in other windows.
 */

enum { KF_GCM_RUN_MIN = 16 }; /* shorter runs are not worth their preparation */

typedef struct {
    size_t len, count;      /* bytes and blocks of each record */
    size_t units;           /* of each record */
    size_t padded;          /* 1: the last of them is padded */
    size_t window_messages; /* whole records that fit a window */
} kf_gcm_run_shape;

static inline size_t kf_gcm_run_length(const kf_rec *rec, size_t n) {
    size_t run = 0;
    if (rec->len == 0 || rec->len >= KF_GCM_BULK_MIN) return 0;
    while (run < n && rec[run].len == rec->len && rec[run].aad_len == 0) run++;
    return run;
}

static inline kf_gcm_run_shape kf_gcm_shape(size_t len) {
    const size_t count = (len + 15) / 16;
    size_t fit = KF_GCM_WINDOW / (count + 1);
    return (kf_gcm_run_shape){len, count, (len + 63) / 64, len % 64 != 0,
                              fit < KF_GCM_MESSAGES ? fit : KF_GCM_MESSAGES};
}

/* Powers and chains of all units of a window; the last data block of a record is multiplied by H^2. */
static void kf_gcm_prepare_run(kf_gcm_work *work, kf_gcm_window *window, const kf_gcm_run_shape *shape) {
    const size_t last_power = shape->count - 4 * (shape->units - 1) + 1;
    kf_gcm_unit *unit = window->units;
    for (size_t m = 0; m < shape->window_messages; m++) {
        const __m128i *y = &work->y_digest;
        for (size_t k = 1; k <= shape->units; k++, unit++) {
            unit->powers = &work->powers.h[KF_GCM_POWERS - (k < shape->units ? 4 : last_power)];
            unit->y_in = y;
            unit->blocks = window->padded[m];
            y = &unit->y_out;
        }
    }
    kf_gcm_clear(window, 0);
}

static inline KF_GCM_TARGET void kf_gcm_lay_run(const kf_gcm_work *work, kf_gcm_window *window,
                                                const kf_gcm_run_shape *shape, const uint8_t *nonces, size_t m) {
    for (size_t i = 0; i < m; i++)
        kf_gcm_lay_counters(window->keystream + i * (shape->count + 1),
                            _mm_xor_si128(kf_load96(nonces + 12 * i), work->rk[0]),
                            2, shape->count);
    window->num_blocks = m * (shape->count + 1);
    window->num_units = m * shape->units;
    window->num_messages = m;
}

/* Points the units of record i at its ciphertext. */
static inline KF_GCM_TARGET void kf_gcm_point_units(kf_gcm_window *window, const kf_gcm_run_shape *shape, size_t i,
                                                    const uint8_t *data) {
    kf_gcm_unit *unit = window->units + i * shape->units;
    const size_t whole = shape->units - shape->padded;
    for (size_t k = 0; k < whole; k++) unit[k].blocks = data + 64 * k;
    if (shape->padded) {
        window->num_padded = i;
        kf_gcm_pad(window, data + 64 * whole, shape->len - 64 * whole);
    }
}

/* The tag of record i (SP 800-38D 7.1 step 6). */
static inline KF_GCM_TARGET __m128i kf_gcm_run_tag(const kf_gcm_window *window, const kf_gcm_run_shape *shape, size_t i,
                                                   __m128i length_product) {
    const __m128i y = window->units[(i + 1) * shape->units - 1].y_out;
    return _mm_xor_si128(kf_bswap128(_mm_xor_si128(y, length_product)), window->keystream[i * (shape->count + 1)]);
}

static inline KF_GCM_TARGET void kf_gcm_run_tags(const kf_gcm_window *window, const kf_gcm_run_shape *shape,
                                                 const kf_rec *rec, __m128i length_product) {
    for (size_t i = 0; i < window->num_messages; i++)
        kf_store128(rec[i].out + shape->len, kf_gcm_run_tag(window, shape, i, length_product));
}

static inline const uint8_t *kf_gcm_run_keystream(const kf_gcm_window *window, const kf_gcm_run_shape *shape,
                                                  size_t i) {
    return (const uint8_t *)(window->keystream + i * (shape->count + 1) + 1);
}

static KF_GCM_TARGET void kf_gcm_seal_run(kf_gcm_work *work, const uint8_t *nonces, const kf_rec *rec, size_t n) {
    const kf_gcm_run_shape shape = kf_gcm_shape(rec->len);
    const __m128i length_product = kf_gcm_length_product(work, rec);
    kf_gcm_window *now = &work->window[0], *before = &work->window[1];
    const kf_rec *rec_before = rec;
    kf_gcm_prepare_run(work, now, &shape);
    kf_gcm_prepare_run(work, before, &shape);
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < shape.window_messages ? n - i : shape.window_messages;
        kf_gcm_lay_run(work, now, &shape, nonces + 12 * i, m);
        kf_gcm_run(work, now, before);
        kf_gcm_run_tags(before, &shape, rec_before, length_product);
        rec_before = rec + i;
        for (size_t k = 0; k < m; k++) {
            kf_gcm_xor(rec_before[k].out, rec_before[k].in, kf_gcm_run_keystream(now, &shape, k), shape.len);
            kf_gcm_point_units(now, &shape, k, rec_before[k].out);
        }
        kf_gcm_note_use(work, now);
        kf_gcm_window *other = before;
        before = now;
        now = other;
    }
    kf_gcm_kernel(work->rk, NULL, 0, before->units, before->num_units);
    kf_gcm_run_tags(before, &shape, rec_before, length_product);
}

/* Returns the number of records that failed. */
static KF_GCM_TARGET size_t kf_gcm_open_run(kf_gcm_work *work, uint8_t *ok, const uint8_t *nonces, const kf_rec *rec,
                                            size_t n) {
    const kf_gcm_run_shape shape = kf_gcm_shape(rec->len);
    const __m128i length_product = kf_gcm_length_product(work, rec);
    kf_gcm_window *now = &work->window[0];
    size_t bad = 0;
    kf_gcm_prepare_run(work, now, &shape);
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < shape.window_messages ? n - i : shape.window_messages;
        kf_gcm_lay_run(work, now, &shape, nonces + 12 * i, m);
        for (size_t k = 0; k < m; k++) kf_gcm_point_units(now, &shape, k, rec[i + k].in);
        kf_gcm_note_use(work, now);
        kf_gcm_run(work, now, now);
        for (size_t k = 0; k < m; k++) {
            const kf_rec *r = rec + i + k;
            const __m128i tag = kf_gcm_run_tag(now, &shape, k, length_product);
            ok[i + k] = kf_gcm_release(r, tag, r->in, kf_gcm_run_keystream(now, &shape, k), r->out, shape.len);
            bad += !ok[i + k];
        }
    }
    return bad;
}

/* ---- batches ---------------------------------------------------------------------------------- */

/* How many of n records that do not begin with a run are for the windows: to the next run, which is looked for
 * at every KF_GCM_MESSAGES. */
static inline size_t kf_gcm_mixed_length(const kf_rec *rec, size_t n) {
    size_t mixed = KF_GCM_MESSAGES;
    while (mixed < n && kf_gcm_run_length(rec + mixed, n - mixed) < KF_GCM_RUN_MIN) mixed += KF_GCM_MESSAGES;
    return mixed < n ? mixed : n;
}

static KF_GCM_TARGET void kf_gcm_seal_all(kf_gcm_work *work, const uint8_t *nonces, const kf_rec *rec, size_t n) {
    for (size_t i = 0, m; i < n; i += m) {
        m = kf_gcm_run_length(rec + i, n - i);
        if (m >= KF_GCM_RUN_MIN) {
            kf_gcm_seal_run(work, nonces + 12 * i, rec + i, m);
        } else {
            m = kf_gcm_mixed_length(rec + i, n - i);
            kf_gcm_seal_windows(work, nonces + 12 * i, rec + i, NULL, m);
        }
    }
}

/* Returns the number of records that failed. */
static KF_GCM_TARGET size_t kf_gcm_open_all(kf_gcm_work *work, uint8_t *ok, const uint8_t *nonces, const kf_rec *rec,
                                            size_t n) {
    size_t bad = 0;
    for (size_t i = 0, m; i < n; i += m) {
        m = kf_gcm_run_length(rec + i, n - i);
        if (m >= KF_GCM_RUN_MIN) {
            bad += kf_gcm_open_run(work, ok + i, nonces + 12 * i, rec + i, m);
        } else {
            m = kf_gcm_mixed_length(rec + i, n - i);
            bad += kf_gcm_open_windows(work, ok + i, nonces + 12 * i, rec + i, NULL, m);
        }
    }
    return bad;
}
