/* See kft_batch.h. */
#include "kft_batch.h"

#include <stdlib.h>

enum { LONG_RECORD = 1 << 16 };

/* ---- the batch ------------------------------------------------------------------------------------ */

typedef struct {
    kft_buffer text, sealed, opened, aad; /* sealed: what the kernel wrote, or opens */
    uint8_t *plain, *expected, *aad_copy;
} record;

typedef struct {
    const kft_batch_spec *spec;
    kft_key key;
    uint8_t digest_bytes[32];
    const uint8_t *digest;
    kft_buffer nonces, ok;
    uint8_t *nonces_copy;
    record *records;
    kf_rec *rec;
} batch;

static size_t aad_len_of(const kft_batch_spec *spec, size_t i) { return spec->aad_lens ? spec->aad_lens[i] : 0; }

static uint8_t *copy_of(const uint8_t *bytes, size_t len) {
    uint8_t *copy = kft_alloc(len);
    if (len) memcpy(copy, bytes, len);
    return copy;
}

static void record_init(const kft_env *env, batch *b, size_t i, kft_random *random) {
    const kft_batch_spec *spec = b->spec;
    const size_t len = spec->lens[i], aad_len = aad_len_of(spec, i);
    record *r = &b->records[i];
    r->plain = kft_alloc(len);
    kft_fill(random, r->plain, len);
    r->aad = kft_buffer_new(spec->placement, aad_len, random);
    kft_fill(random, r->aad.bytes, aad_len);
    r->aad_copy = copy_of(r->aad.bytes, aad_len);
    r->sealed = kft_buffer_new(spec->placement, len + 16, random);
    r->opened = kft_buffer_new(spec->placement, len, random);
    r->text = kft_buffer_new(spec->placement, len, random);
    memcpy(r->text.bytes, r->plain, len);
    r->expected = kft_alloc(len + 16);

    const uint8_t *nonce = b->nonces.bytes + i * kft_nonce_len(spec->mode);
    if (len < LONG_RECORD || env->impl == kf_aead_portable()) {
        kft_ref_seal(spec->mode, r->expected, b->key.bytes, b->digest, nonce, r->aad.bytes, aad_len, r->plain, len);
    } else {
        const kf_rec rec = {.in = r->plain, .out = r->expected, .aad = r->aad.bytes, .len = len, .aad_len = aad_len};
        kft_seal(kf_aead_portable(), &b->key, b->digest, nonce, &rec, 1);
    }
}

static void batch_init(const kft_env *env, batch *b, const kft_batch_spec *spec) {
    kft_random random = {spec->seed};
    uint8_t key_bytes[32];
    memset(b, 0, sizeof *b);
    b->spec = spec;
    kft_fill(&random, key_bytes, 32);
    kft_key_init(env->impl, &b->key, spec->mode, key_bytes);
    kft_fill(&random, b->digest_bytes, 32);
    if (spec->with_digest) b->digest = b->digest_bytes;
    const size_t nonces_len = spec->n * kft_nonce_len(spec->mode);
    b->nonces = kft_buffer_new(spec->placement, nonces_len, &random);
    kft_fill(&random, b->nonces.bytes, nonces_len);
    b->nonces_copy = copy_of(b->nonces.bytes, nonces_len);
    b->ok = kft_buffer_new(spec->placement, spec->n, &random);
    b->records = kft_alloc(spec->n * sizeof *b->records);
    b->rec = kft_alloc(spec->n * sizeof *b->rec);
    for (size_t i = 0; i < spec->n; i++) record_init(env, b, i, &random);
}

static void batch_free(batch *b) {
    for (size_t i = 0; i < b->spec->n; i++) {
        record *r = &b->records[i];
        free(r->plain), free(r->expected), free(r->aad_copy);
        free(r->text.allocation), free(r->sealed.allocation), free(r->opened.allocation), free(r->aad.allocation);
    }
    free(b->nonces.allocation), free(b->ok.allocation), free(b->nonces_copy), free(b->records), free(b->rec);
    kft_pages_free();
}

/* ---- checks ------------------------------------------------------------------------------------------ */

#define CHECK_RECORD(b, i, condition, what)                                                                  \
    CHECK(condition, "%s %s: record %zu of %zu (%zu bytes, aad %zu, digest %d, placement %d, in place %d)",  \
          kft_mode_name((b)->spec->mode), what, (size_t)(i), (b)->spec->n, (b)->spec->lens[i],               \
          aad_len_of((b)->spec, i), (b)->spec->with_digest, (b)->spec->placement, (b)->spec->in_place)

static void check_surroundings(const batch *b, const char *when) {
    const size_t nonces_len = b->spec->n * kft_nonce_len(b->spec->mode);
    CHECK(kft_buffer_intact(&b->nonces) && kft_buffer_intact(&b->ok), "%s: bytes around nonces or ok changed", when);
    CHECK(memcmp(b->nonces.bytes, b->nonces_copy, nonces_len) == 0, "%s: nonces changed", when);
    for (size_t i = 0; i < b->spec->n; i++) {
        const record *r = &b->records[i];
        const int whole = kft_buffer_intact(&r->text) && kft_buffer_intact(&r->sealed) &&
                          kft_buffer_intact(&r->opened) && kft_buffer_intact(&r->aad);
        CHECK_RECORD(b, i, whole, when);
    }
}

static void seal(const kft_env *env, batch *b) {
    for (size_t i = 0; i < b->spec->n; i++) {
        record *r = &b->records[i];
        if (b->spec->in_place) memcpy(r->sealed.bytes, r->plain, b->spec->lens[i]);
        kf_rec_set(&b->rec[i], b->spec->in_place ? r->sealed.bytes : r->text.bytes, r->sealed.bytes, b->spec->lens[i],
                   r->aad.bytes, aad_len_of(b->spec, i));
        b->rec[i].next = b->spec->n % 2 ? r->text.bytes : NULL; /* near a page's end, too: a hint reads nothing */
    }
    kft_seal(env->impl, &b->key, b->digest, b->nonces.bytes, b->rec, b->spec->n);
    for (size_t i = 0; i < b->spec->n; i++) {
        const record *r = &b->records[i];
        CHECK_RECORD(b, i, memcmp(r->sealed.bytes, r->expected, b->spec->lens[i] + 16) == 0, "sealed wrongly");
        CHECK_RECORD(b, i, memcmp(r->text.bytes, r->plain, b->spec->lens[i]) == 0, "input changed by seal");
    }
    check_surroundings(b, "bytes around changed by seal");
}

/* Opens what expected holds, with the chosen bits flipped. */
static void open_and_check(const kft_env *env, batch *b, const long *bits) {
    size_t num_bad = 0;
    for (size_t i = 0; i < b->spec->n; i++) {
        record *r = &b->records[i];
        const size_t len = b->spec->lens[i];
        if (bits && bits[i] >= 0) {
            const size_t at = (size_t)bits[i] / 8;
            uint8_t *target = at < len + 16 ? r->expected + at : r->aad.bytes + (at - len - 16);
            *target ^= (uint8_t)(1 << bits[i] % 8);
            memset(r->plain, 0, len);
            num_bad++;
        }
        memcpy(r->sealed.bytes, r->expected, len + 16);
        b->rec[i].in = r->sealed.bytes;
        b->rec[i].out = b->spec->in_place ? r->sealed.bytes : r->opened.bytes;
    }
    memset(b->ok.bytes, 0x5a, b->spec->n);
    const size_t failed = kft_open(env->impl, &b->key, b->ok.bytes, b->digest, b->nonces.bytes, b->rec, b->spec->n);
    CHECK(failed == num_bad, "%s: open reports %zu failures of %zu", kft_mode_name(b->spec->mode), failed, num_bad);
    for (size_t i = 0; i < b->spec->n; i++) {
        const record *r = &b->records[i];
        const size_t len = b->spec->lens[i];
        const int expected_ok = !(bits && bits[i] >= 0);
        CHECK_RECORD(b, i, b->ok.bytes[i] == expected_ok, "wrong flag from open");
        CHECK_RECORD(b, i, memcmp(b->rec[i].out, r->plain, len) == 0, "opened wrongly");
        const size_t kept = b->spec->in_place ? len : 0; /* the tag, or all of the input */
        CHECK_RECORD(b, i, memcmp(r->sealed.bytes + kept, r->expected + kept, len + 16 - kept) == 0,
                     "input changed by open");
    }
    check_surroundings(b, "bytes around changed by open");
}

void kft_batch_check_corrupted(const kft_env *env, const kft_batch_spec *spec, const long *bits) {
    batch b;
    batch_init(env, &b, spec);
    seal(env, &b);
    open_and_check(env, &b, bits);
    batch_free(&b);
}

void kft_batch_check(const kft_env *env, const kft_batch_spec *spec) { kft_batch_check_corrupted(env, spec, NULL); }
