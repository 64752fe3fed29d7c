/*
 * Signatures, DER and raw, under one key, under many, and one by one. Laws: all ways give one answer, whatever stands beside
 * a signature; valid is exactly what was signed under that key, with s or n - s; what DER reads it would write so; a
 * public key is accepted or refused alike everywhere.
 */
#include "fuzz.h"
#include "kf_p256_der.h"
#include "kf_p256_ecdsa.h"
#include "kf_p256_words.h"

enum { NUM_SIGNED = 6, FEW = 4, MANY = 26 /* which are verified at once */, MAX_RECORDS = MANY };

static uint64_t store, unused[2], keys[2];
static uint8_t public_keys[2][64], digests[NUM_SIGNED][32];
static fuzz_record signatures[2][NUM_SIGNED]; /* raw and DER; signature i is under key i % 2 */

static void set_up(void) {
    uint8_t wrapped[KF_WRAPPED_LEN], scalar[32] = {0}, id[16] = {4};
    if (store) return;
    fuzz_open_library(&store, unused);
    for (uint32_t k = 0; k < 2; k++) {
        scalar[31] = (uint8_t)(7 + k);
        LAW(kf_p256_import(wrapped, public_keys[k], store, scalar, id, k, 0) == KF_OK, "import");
        LAW(kf_p256_load(&keys[k], public_keys[k], store, wrapped, id, k, 0) == KF_OK, "load");
    }
    for (int i = 0; i < NUM_SIGNED; i++) {
        memset(digests[i], i, 32);
        for (int der = 0; der < 2; der++) {
            int64_t len;
            LAW(kf_p256_sign(keys[i % 2], signatures[der][i].bytes, &len, digests[i], der, 1) == KF_OK, "sign");
            signatures[der][i].len = (size_t)len;
        }
    }
}

/* ---- what is right ------------------------------------------------------------------------------- */

static int read_any(kf_p256_scalar *r, kf_p256_scalar *s, const fuzz_record *record, int der) {
    return (der ? kf_p256_der_read : kf_p256_raw_read)(r, s, record->bytes, record->len);
}

/* Signature i's numbers, s or n - s. */
static int is_genuine(const kf_p256_scalar *r, const kf_p256_scalar *s, int i) {
    kf_p256_scalar r0, s0, minus;
    LAW(kf_p256_raw_read(&r0, &s0, signatures[0][i].bytes, 64), "a genuine signature is not read");
    kf_scalar_minus(&minus, s);
    return memcmp(r, &r0, sizeof r0) == 0 && (memcmp(s, &s0, sizeof s0) == 0 || memcmp(&minus, &s0, sizeof s0) == 0);
}

typedef struct {
    fuzz_record records[MAX_RECORDS];
    int digest[MAX_RECORDS], key[MAX_RECORDS];
    uint8_t *copies[MAX_RECORDS], publics[MAX_RECORDS * 64];
    const uint8_t *digest_ptrs[MAX_RECORDS];
    int64_t lens[MAX_RECORDS], digest_lens[MAX_RECORDS];
} batch;

static void make_batch(fuzz_input *in, batch *b, int64_t n, int der) {
    for (int64_t i = 0; i < n; i++) {
        fuzz_make_record(in, &b->records[i], signatures[der], NUM_SIGNED);
        const uint8_t choice = fuzz_u8(in);
        b->digest[i] = choice % NUM_SIGNED, b->key[i] = choice / NUM_SIGNED % 2;
        for (int k = 0; choice & 0x80 && k < NUM_SIGNED; k++) /* more often what belongs together */
            if (b->records[i].len == signatures[der][k].len
                && memcmp(b->records[i].bytes, signatures[der][k].bytes, b->records[i].len) == 0)
                b->digest[i] = k, b->key[i] = k % 2;
        b->copies[i] = fuzz_copy(b->records[i].bytes, b->records[i].len);
        b->lens[i] = (int64_t)b->records[i].len;
        b->digest_ptrs[i] = digests[b->digest[i]], b->digest_lens[i] = 32;
        memcpy(b->publics + 64 * i, public_keys[b->key[i]], 64);
        if (fuzz_u8(in) == 1) b->publics[64 * i + fuzz_u8(in) % 64] ^= fuzz_u8(in);
    }
}

/* What must come of record i under the key at public64; counts how far it came. */
static int expected(const batch *b, int64_t i, int der, const uint8_t *public64) {
    kf_p256_scalar r, s;
    uint8_t raw[64], again[KF_P256_DER_MAX];
    fuzz_p256.tried++;
    if (!read_any(&r, &s, &b->records[i], der)) return 0;
    fuzz_p256.past_header++;
    kf_words_to_be(raw, r.v), kf_words_to_be(raw + 32, s.v);
    if (der)
        LAW(kf_p256_der_write(again, raw) == b->records[i].len && memcmp(again, b->records[i].bytes, b->records[i].len) == 0,
            "DER is read that would be written otherwise");
    const int k = b->digest[i];
    const int good = memcmp(public64, public_keys[k % 2], 64) == 0 && is_genuine(&r, &s, k);
    fuzz_p256.opened += (uint64_t)good;
    return good;
}

static void run(const uint8_t *data, size_t len) {
    static batch b;
    uint8_t valid[MAX_RECORDS];
    fuzz_input in = {data, len};
    set_up();
    const int der = fuzz_u8(&in) & 1, common = fuzz_u8(&in) & 1;
    const int64_t n = fuzz_u8(&in) % 32 == 5 ? MANY : fuzz_u8(&in) % (FEW + 1);
    make_batch(&in, &b, n, der);
    const struct kf_column signed_digests = {.ptrs = b.digest_ptrs, .lens = b.digest_lens};
    const struct kf_column column = {.ptrs = (const uint8_t *const *)b.copies, .lens = b.lens};

    memset(valid, 9, sizeof valid);
    LAW(kf_p256_verify_many(valid, b.publics, &signed_digests, &column, n, der, 1) == KF_OK, "many");
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *public64 = b.publics + 64 * i;
        LAW(valid[i] == expected(&b, i, der, public64), "many keys: record %d is %d", (int)i, valid[i]);
        if (i >= FEW) continue;
        const int one = kf_p256_verify(public64, b.digest_ptrs[i], b.copies[i], b.lens[i], der);
        kf_p256_point q;
        LAW(one == (kf_p256_public_read(&q, kf_p256(), public64) != KF_OK ? KF_ERR_FORMAT : valid[i] ? KF_OK : KF_ERR_AUTH),
            "one: record %d gives %d", (int)i, one);
    }
    memset(valid, 9, sizeof valid);
    LAW(kf_p256_verify_batch(valid, public_keys[common], &signed_digests, &column, n, der, 1) == KF_OK, "one key");
    for (int64_t i = 0; i < n; i++)
        LAW(valid[i] == expected(&b, i, der, public_keys[common]), "one key: record %d is %d", (int)i, valid[i]);
    for (int64_t i = 0; i < n; i++) free(b.copies[i]);
}

fuzz_target fuzz_p256 = {.name = "p256", .run = run};
