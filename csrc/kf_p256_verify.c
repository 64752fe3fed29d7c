/*
 * Verifying a range of signatures (FIPS 186-5 6.4.2, SEC 1 4.1.4), under one public key or a key for each.
 * Everything here is public and its time may vary, but not without bound: an item that meets an exception costs what
 * one signature costs alone, and no item changes the result or the way of another.
 */
#include <stdlib.h>

#include "kf.h"
#include "kf_p256_der.h"
#include "kf_p256_ecdsa.h"
#include "kf_p256_words.h"

enum { MANY_FROM = 24 /* keys: up to there one after the other is faster */ };

int kf_p256_public_read(kf_p256_point *q, const kf_p256_impl *impl, const uint8_t bytes[64]) {
    kf_words_from_be(q->x.v, bytes), kf_words_from_be(q->y.v, bytes + 32);
    if (!kf_words_less(q->x.v, kf_p256_p.v) || !kf_words_less(q->y.v, kf_p256_p.v)) return KF_ERR_FORMAT;
    impl->arith->fe_mul(&q->x, &q->x, &kf_p256_r2), impl->arith->fe_mul(&q->y, &q->y, &kf_p256_r2);
    return impl->arith->on_curve(q) ? KF_OK : KF_ERR_FORMAT;
}

/* A part of the range on its way. */
typedef struct {
    kf_p256_equation *equations;
    kf_p256_scalar *s, *inverse, *before;
    kf_p256_point *keys; /* NULL with one key for all */
    uint8_t *outcome;
    void *scratch;
    void *memory;
    int room;
} part;

static size_t round_up(size_t len) { return (len + 63) / 64 * 64; }

/* Whether several at once are worth it. */
static int at_once(const kf_p256_verifying *v, int num) {
    return v->public_keys ? num >= MANY_FROM : v->key_table != NULL;
}

static int begin_part(part *p, const kf_p256_verifying *v, int64_t num) {
    const kf_p256_impl *impl = v->impl;
    const int most = v->public_keys ? impl->many_chunk : impl->chunk;
    p->room = num < most ? (int)num : most;
    const size_t n = (size_t)p->room, scalars = round_up(n * sizeof *p->s), keys = v->public_keys ? n : 0;
    const size_t equations = round_up(n * sizeof *p->equations), points = round_up(keys * sizeof *p->keys);
    const size_t scratch = !at_once(v, p->room) ? 0
                           : v->public_keys     ? impl->many_scratch_len(p->room)
                                                : impl->scratch_len(p->room);
    uint8_t *at = p->memory = aligned_alloc(64, equations + 3 * scalars + points + round_up(n) + round_up(scratch));
    if (!at) return KF_ERR_MEMORY;
    p->equations = (void *)at, at += equations;
    p->s = (void *)at, at += scalars;
    p->inverse = (void *)at, at += scalars;
    p->before = (void *)at, at += scalars;
    p->keys = keys ? (void *)at : NULL, at += points;
    p->outcome = at, at += round_up(n);
    p->scratch = at;
    return KF_OK;
}

/* Reads the signatures and keys; outcome[i] is KF_P256_NO for those that are none, which go on as others. */
static void read_all(part *p, const kf_p256_verifying *v, int64_t first, int num) {
    for (int i = 0; i < num; i++) {
        const kf_span signature = kf_column_at(v->signatures, first + i);
        int good = (v->der ? kf_p256_der_read : kf_p256_raw_read)(&p->equations[i].r, &p->s[i], signature.at,
                                                                  (size_t)signature.len);
        if (v->public_keys) {
            const uint8_t *bytes = v->public_keys + 64 * (first + i);
            if (kf_p256_public_read(&p->keys[i], v->impl, bytes) != KF_OK) good = 0, p->keys[i] = kf_p256_g;
        }
        if (!good) p->equations[i].r = p->s[i] = kf_p256_n_raw_one;
        p->outcome[i] = good ? KF_P256_YES : KF_P256_NO;
    }
}

/* u1 = z / s, u2 = r / s */
static void divide(part *p, const kf_p256_verifying *v, int64_t first, int num) {
    const kf_p256_arith *arith = v->impl->arith;
    if (num == 1)
        arith->scalar_inverse(p->inverse, p->s);
    else
        arith->scalar_inverse_many(p->inverse, p->s, num, p->before);
    for (int i = 0; i < num; i++) {
        kf_p256_scalar z;
        kf_words_from_be(z.v, kf_column_at(v->digests, first + i).at);
        kf_scalar_reduce(&z, z.v);
        arith->scalar_mul(&p->equations[i].u1, &p->inverse[i], &z);
        arith->scalar_mul(&p->equations[i].u2, &p->inverse[i], &p->equations[i].r);
    }
}

static int decide_alone(const part *p, const kf_p256_verifying *v, int i) {
    const kf_p256_equation *e = &p->equations[i];
    if (v->one_table) return v->impl->arith->verify_table_var(&e->u1, &e->u2, &e->r, v->one_table);
    return v->impl->arith->verify_var(&e->u1, &e->u2, &e->r, p->keys ? &p->keys[i] : v->key);
}

static void decide_part(part *p, const kf_p256_verifying *v, int64_t first, int num) {
    uint8_t *valid = v->valid + first;
    read_all(p, v, first, num);
    divide(p, v, first, num);
    for (int i = 0; i < num; i++) valid[i] = p->outcome[i] == KF_P256_YES;
    if (!at_once(v, num)) {
        for (int i = 0; i < num; i++) valid[i] = valid[i] && decide_alone(p, v, i);
        return;
    }
    if (v->public_keys)
        v->impl->verify_many_var(p->outcome, p->equations, p->keys, num, p->scratch);
    else
        v->impl->verify_key_var(p->outcome, p->equations, v->key_table, num, p->scratch);
    for (int i = 0; i < num; i++) {
        if (!valid[i] || p->outcome[i] == KF_P256_YES) continue;
        valid[i] = p->outcome[i] == KF_P256_EXCEPTION && decide_alone(p, v, i);
    }
}

int kf_p256_verify_range(void *ctx, int64_t begin, int64_t end) {
    const kf_p256_verifying *v = ctx;
    part p;
    const int status = begin_part(&p, v, end - begin);
    if (status != KF_OK) return status;
    for (int64_t at = begin; at < end; at += p.room)
        decide_part(&p, v, at, (int)(end - at < p.room ? end - at : p.room));
    free(p.memory);
    return KF_OK;
}
