/* The short path of one record: bindings, against batches, and every way in which one must not open. */
#include <stdlib.h>

#include "kf_blob.h"
#include "kf_column.h"
#include "kft_buffer.h"
#include "kft_calls.h"

enum { MAX_LEN = 5000, MAX_BLOB = MAX_LEN + KF_BLOB_OVERHEAD, CONTEXT_LEN = 7 };

static const size_t LENS[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 100, 127, 128, 129, 240, 255, 256,
                              257, 500, 512, 1000, 1024, 4096, MAX_LEN};
enum { NUM_LENS = sizeof LENS / sizeof LENS[0] };

static const uint8_t CONTEXT[CONTEXT_LEN] = "context";

/* Bindings of one key with and without a context, and one of its next version. */
typedef struct {
    kft_library library;
    struct kf_binding bound, bare, other;
} fixture;

static void fixture_open(fixture *f) {
    kft_library *l = &f->library;
    uint8_t wrapped[KF_WRAPPED_LEN];
    uint64_t other = 0;
    CHECK(kft_library_open(l) == KF_OK, "the library does not open");
    CHECK(kf_key_generate(wrapped, l->store, l->key_id, 2, 0) == KF_OK &&
          kf_key_load(&other, l->store, wrapped, l->key_id, 2, 0) == KF_OK, "the next version");
    CHECK(kf_bind(&f->bound, l->key, CONTEXT, CONTEXT_LEN) == KF_OK && kf_bind(&f->bare, l->key, NULL, 0) == KF_OK &&
          kf_bind(&f->other, other, CONTEXT, CONTEXT_LEN) == KF_OK, "bind");
}

static void fixture_close(fixture *f) {
    kf_key_release(f->other.key);
    kft_library_close(&f->library);
}

/* ---- one call between guards ---------------------------------------------------------------------------- */

/* Seals into a buffer of exactly the blob's size, between guards or canaries, and copies it out. */
static int seal_guarded(struct kf_binding *binding, enum kft_placement placement, uint8_t *blob,
                        const uint8_t *text, size_t len) {
    kft_random random = {len};
    const kft_buffer in = kft_buffer_of(placement, text, len, &random);
    const kft_buffer out = kft_buffer_new(placement, len + KF_BLOB_OVERHEAD, &random);
    const int status = kf_bound_seal(binding, out.bytes, in.bytes, len);
    CHECK(kft_buffer_intact(&in) && kft_buffer_intact(&out), "seal of %zu bytes wrote beside its output", len);
    CHECK(len == 0 || memcmp(in.bytes, text, len) == 0, "seal of %zu bytes changed its input", len);
    CHECK(status == KF_OK || kft_buffer_is(&out, KFT_CANARY), "a refused seal of %zu bytes wrote", len);
    memcpy(blob, out.bytes, out.len);
    free(in.allocation), free(out.allocation);
    kft_pages_free();
    return status;
}

/* Opens likewise. A blob that does not open leaves its output as it was, or zeros. */
static int open_guarded(struct kf_binding *binding, enum kft_placement placement, uint8_t *text,
                        const uint8_t *blob, size_t blob_len) {
    kft_random random = {blob_len};
    const size_t len = blob_len < KF_BLOB_OVERHEAD ? 0 : blob_len - KF_BLOB_OVERHEAD;
    const kft_buffer in = kft_buffer_of(placement, blob, blob_len, &random);
    const kft_buffer out = kft_buffer_new(placement, len, &random);
    const int status = kf_bound_open(binding, out.bytes, in.bytes, blob_len);
    CHECK(kft_buffer_intact(&in) && kft_buffer_intact(&out), "open of %zu bytes wrote beside its output", blob_len);
    CHECK(blob_len == 0 || memcmp(in.bytes, blob, blob_len) == 0, "open of %zu bytes changed its input", blob_len);
    if (status != KF_OK)
        CHECK(kft_buffer_is(&out, status == KF_REC_AUTH ? 0 : KFT_CANARY),
              "open of %zu bytes: %d, and more than zeros in its output", blob_len, status);
    if (len) memcpy(text, out.bytes, len);
    free(in.allocation), free(out.allocation);
    kft_pages_free();
    return status;
}

/* Placements in turn, so that every test sees all of them. */
static enum kft_placement next_placement(void) {
    static int next;
    return (enum kft_placement)(next++ % KFT_NUM_PLACEMENTS);
}

/* What became of a blob that must not open, in the placement whose turn it is; what: and how it was spoiled. */
static void check_refused(enum kf_record_status expected, struct kf_binding *binding, const uint8_t *blob,
                          size_t blob_len, const char *what, size_t at) {
    static uint8_t text[MAX_LEN + 1];
    const int status = open_guarded(binding, next_placement(), text, blob, blob_len);
    CHECK(status == (int)expected, "%s: a blob of %zu bytes, %s %zu: %d, not %d", kf_impl_name(), blob_len, what, at,
          status, (int)expected);
}

/* ---- round trips ------------------------------------------------------------------------------------------ */

/* The blobs as records of a batch that are no neighbours in memory. */
typedef struct {
    const uint8_t *in[NUM_LENS];
    uint8_t *out[NUM_LENS];
    int64_t in_lens[NUM_LENS];
    uint8_t status[NUM_LENS];
} pointers;

static uint8_t texts[NUM_LENS][MAX_LEN], blobs[NUM_LENS][MAX_BLOB], opened[NUM_LENS][MAX_LEN];

/* Bound records open in a batch. */
static void check_bound_to_batch(fixture *f, const char *sealer, const char *opener) {
    static pointers p;
    int64_t bad = -1, other = -1;
    kf_impl_force(sealer);
    for (size_t i = 0; i < NUM_LENS; i++) {
        CHECK(seal_guarded(&f->bound, next_placement(), blobs[i], texts[i], LENS[i]) == KF_OK, "seal under %s", sealer);
        CHECK(memcmp(blobs[i], f->library.prefix, KF_PREFIX_LEN) == 0, "%s: not the key's prefix", sealer);
        CHECK(i == 0 || memcmp(blobs[i] + KF_PREFIX_LEN, blobs[i - 1] + KF_PREFIX_LEN, KF_NONCE_LEN), "a nonce repeats");
        p.in[i] = blobs[i], p.in_lens[i] = (int64_t)(LENS[i] + KF_BLOB_OVERHEAD), p.out[i] = opened[i];
    }
    const struct kf_column column = {.ptrs = p.in, .lens = p.in_lens};
    kf_impl_force(opener);
    memset(opened, 0x5a, sizeof opened);
    const int result = kf_blob_open(NULL, 0, NULL, p.out, p.status, &bad, &other, &f->bound.key, f->library.prefix, 1,
                                    NULL, &column, NUM_LENS, NULL, CONTEXT, CONTEXT_LEN, NULL, 1);
    CHECK(result == KF_OK && bad == 0 && other == 0, "%s, to a batch under %s: %d, %d bad", sealer, opener, result,
          (int)bad);
    for (size_t i = 0; i < NUM_LENS; i++)
        CHECK(memcmp(opened[i], texts[i], LENS[i]) == 0, "%zu bytes, %s to %s: another text", LENS[i], sealer, opener);
}

/* Records of a batch open one by one, as do bound ones. */
static void check_batch_to_bound(fixture *f, const char *sealer, const char *opener) {
    static pointers p;
    static uint8_t text[MAX_LEN], again[MAX_BLOB];
    kf_impl_force(sealer);
    for (size_t i = 0; i < NUM_LENS; i++) p.in[i] = texts[i], p.in_lens[i] = (int64_t)LENS[i], p.out[i] = blobs[i];
    const struct kf_column column = {.ptrs = p.in, .lens = p.in_lens};
    CHECK(kf_blob_seal(f->bound.key, NULL, 0, NULL, p.out, &column, NUM_LENS, NULL, CONTEXT, CONTEXT_LEN, NULL, 1) == KF_OK,
          "a batch under %s", sealer);
    for (size_t i = 0; i < NUM_LENS; i++) {
        const size_t len = LENS[i], blob_len = len + KF_BLOB_OVERHEAD;
        for (int placement = 0; placement < KFT_NUM_PLACEMENTS; placement++) {
            kf_impl_force(sealer);
            CHECK(seal_guarded(&f->bound, (enum kft_placement)placement, again, texts[i], len) == KF_OK, "seal");
            kf_impl_force(opener);
            CHECK(open_guarded(&f->bound, (enum kft_placement)placement, text, blobs[i], blob_len) == KF_OK &&
                  memcmp(text, texts[i], len) == 0, "%zu bytes of a batch, %s to %s", len, sealer, opener);
            CHECK(open_guarded(&f->bound, (enum kft_placement)placement, text, again, blob_len) == KF_OK &&
                  memcmp(text, texts[i], len) == 0, "%zu bytes, %s to %s", len, sealer, opener);
        }
    }
}

/* ---- what must not open ----------------------------------------------------------------------------------- */

static enum kf_record_status expected_of_byte(size_t at, int bit) {
    static const enum kf_record_status start[] = {KF_REC_MAGIC, KF_REC_VERSION, KF_REC_SUITE, KF_REC_FLAGS};
    if (at == 3 && 1 << bit == KF_FLAG_MULTI_REGION) return KF_REC_COMMITMENT; /* a flag that there is */
    if (at < sizeof start / sizeof start[0]) return start[at];
    return at < KF_PREFIX_LEN ? KF_REC_COMMITMENT : KF_REC_AUTH;
}

static void check_flipped_bits(fixture *f, size_t len) {
    static uint8_t blob[MAX_BLOB];
    CHECK(kf_bound_seal(&f->bound, blob, texts[0], len) == KF_OK, "seal");
    for (size_t bit = 0; bit < 8 * (len + KF_BLOB_OVERHEAD); bit++) {
        blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
        check_refused(expected_of_byte(bit / 8, (int)(bit % 8)), &f->bound, blob, len + KF_BLOB_OVERHEAD, "bit", bit);
        blob[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void check_lengths(fixture *f, size_t len) {
    static uint8_t blob[MAX_BLOB + 1];
    const size_t blob_len = len + KF_BLOB_OVERHEAD;
    CHECK(kf_bound_seal(&f->bound, blob, texts[0], len) == KF_OK, "seal");
    for (size_t cut = 0; cut < blob_len; cut++)
        check_refused(cut < KF_BLOB_OVERHEAD ? KF_REC_TRUNCATED : KF_REC_AUTH, &f->bound, blob, cut, "cut from", blob_len);
    blob[blob_len] = 0;
    check_refused(KF_REC_AUTH, &f->bound, blob, blob_len + 1, "grown from", blob_len);
}

/* Another context, any bit of the digest, another version, and a binding put together of two. */
static void check_other_bindings(fixture *f, size_t len) {
    static uint8_t blob[MAX_BLOB];
    const size_t blob_len = len + KF_BLOB_OVERHEAD;
    struct kf_binding wrong = f->bound;
    CHECK(kf_bound_seal(&f->bound, blob, texts[0], len) == KF_OK, "seal");
    check_refused(KF_REC_AUTH, &f->bare, blob, blob_len, "without context", 0);
    check_refused(KF_REC_COMMITMENT, &f->other, blob, blob_len, "under version", 2);
    wrong.key = f->other.key;
    check_refused(KF_REC_COMMITMENT, &wrong, blob, blob_len, "with its digest under version", 2);
    wrong = f->bound;
    for (size_t bit = 0; bit < 8 * sizeof wrong.digest; bit++) {
        wrong.digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
        check_refused(KF_REC_AUTH, &wrong, blob, blob_len, "bit of the digest", bit);
        wrong.digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < CONTEXT_LEN; cut++) {
        CHECK(kf_bind(&wrong, f->bound.key, CONTEXT, cut) == KF_OK, "bind");
        check_refused(KF_REC_AUTH, &wrong, blob, blob_len, "context cut to", cut);
    }
}

/* ---- dead handles ------------------------------------------------------------------------------------------ */

static void check_dead(struct kf_binding *dead, int expected, const uint8_t *blob, const char *what) {
    static uint8_t out[MAX_BLOB], text[MAX_LEN];
    struct kf_binding none = {.key = 77};
    const int bound = kf_bind(&none, dead->key, CONTEXT, CONTEXT_LEN);
    CHECK(bound == expected && none.key == 77, "bind of %s: %d", what, bound);
    const int sealed = seal_guarded(dead, next_placement(), out, texts[0], 40);
    CHECK(sealed == expected, "seal under %s: %d", what, sealed);
    const int opened_one = open_guarded(dead, next_placement(), text, blob, 40 + KF_BLOB_OVERHEAD);
    CHECK(opened_one == expected, "open under %s: %d", what, opened_one);
}

static void check_handles(fixture *f) {
    static uint8_t blob[MAX_BLOB], text[MAX_LEN];
    kft_library *l = &f->library;
    struct kf_binding no_key = {.key = 0}, store = {.key = l->store}, batch = {.key = l->batch};
    CHECK(kf_bound_seal(&f->bound, blob, texts[0], 40) == KF_OK, "seal");
    check_dead(&no_key, KF_ERR_STALE, blob, "no key");
    check_dead(&store, KF_ERR_KIND, blob, "a store");
    check_dead(&batch, KF_ERR_KIND, blob, "a sealed batch");
    const size_t too_long = (size_t)KF_RECORD_MAX + 1;
    CHECK(kf_bound_seal(&f->bound, blob, texts[0], too_long - KF_BLOB_OVERHEAD) == KF_ERR_ARGUMENT &&
          kf_bound_open(&f->bound, text, blob, too_long) == KF_ERR_ARGUMENT, "longer than a record can be");
    CHECK(kf_key_release(l->key) == KF_OK, "release");
    check_dead(&f->bound, KF_ERR_STALE, blob, "a released key");
    CHECK(kf_key_load(&l->key, l->store, l->wrapped_key, l->key_id, 1, 0) == KF_OK, "load it again");
    check_dead(&f->bound, KF_ERR_STALE, blob, "the handle of before");
    struct kf_binding before = f->bound;
    CHECK(kf_bind(&f->bound, l->key, CONTEXT, CONTEXT_LEN) == KF_OK && f->bound.key != before.key &&
          memcmp(f->bound.digest, before.digest, sizeof before.digest) == 0, "bound again");
    CHECK(open_guarded(&f->bound, KFT_PLAIN, text, blob, 40 + KF_BLOB_OVERHEAD) == KF_OK &&
          memcmp(text, texts[0], 40) == 0, "the blob of before does not open");
    CHECK(kf_bind(&f->bare, l->key, NULL, 0) == KF_OK, "bind");
}

/* After a fork: test_fork, which makes every call of the interface. */
void test_bound(const kft_env *env) {
    (void)env;
    fixture f;
    char first[32];
    kft_random random = {21};
    snprintf(first, sizeof first, "%s", kf_impl_name());
    kft_fill(&random, texts[0], sizeof texts);
    fixture_open(&f);
    for (int i = 0; kf_impl_available(i); i++) {
        for (int k = 0; kf_impl_available(k); k++) {
            check_bound_to_batch(&f, kf_impl_available(i), kf_impl_available(k));
            check_batch_to_bound(&f, kf_impl_available(i), kf_impl_available(k));
        }
        kf_impl_force(kf_impl_available(i));
        static const size_t lens[] = {0, 1, 16, 61, 300};
        for (size_t k = 0; k < sizeof lens / sizeof lens[0]; k++) {
            check_flipped_bits(&f, lens[k]);
            check_lengths(&f, lens[k]);
            check_other_bindings(&f, lens[k]);
        }
        check_handles(&f);
    }
    kf_impl_force(first);
    fixture_close(&f);
}
