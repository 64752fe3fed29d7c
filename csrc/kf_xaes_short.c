/*
 * One short record: two blocks derive its key, one pass of eight blocks gives H, E(J0) and all of the keystream, and
 * GHASH takes the blocks by fours. What a batch spreads over many records (powers of H, windows) is left out.
 */
#include "kf_xaes_short.h"

#include "kf_aes_aesni.h"
#include "kf_util.h"
#include "kf_x86.h"

#if defined(__x86_64__)

enum { PASS = 2 + KF_SHORT_TEXT, DIGEST = 2, MOST_HASHED = DIGEST + KF_SHORT_TEXT + 1 };

typedef struct {
    kf_aes256 derived;
    __m128i pass[PASS]; /* H, E(J0), keystream */
    __m128i power[4];   /* H^4 .. H^1, as kf_ghash_key gives H */
    __m128i hashed[MOST_HASHED];
    size_t num_hashed;
} short_work;

#define ALL(step) step(0) step(1) step(2) step(3) step(4) step(5) step(6) step(7)
#define FIRST(i) \
    __m128i s##i = _mm_xor_si128(i == 0 ? _mm_setzero_si128() : _mm_insert_epi32(nonce, i << 24, 3), rk[0]);
#define ROUND(i) s##i = _mm_aesenc_si128(s##i, k);
#define LAST(i) w->pass[i] = _mm_aesenclast_si128(s##i, rk[14]);

/* The derived key, and with it AES of zeros and of the counters 1 to 7. */
static KF_AESNI void encrypt(short_work *w, const kf_xaes_key *key, const uint8_t *nonce_bytes) {
    const __m128i *main = (const __m128i *)key->aes.rk, *rk = (const __m128i *)w->derived.rk;
    const __m128i base = _mm_xor_si128(_mm_slli_si128(kf_load128(nonce_bytes), 4),
                                       _mm_xor_si128(kf_load128(key->k1), main[0]));
    __m128i a = _mm_xor_si128(base, _mm_set_epi32(0, 0, 0, 0x00580100));
    __m128i b = _mm_xor_si128(base, _mm_set_epi32(0, 0, 0, 0x00580200));
    for (int r = 1; r < 14; r++) a = _mm_aesenc_si128(a, main[r]), b = _mm_aesenc_si128(b, main[r]);
    uint8_t bytes[32];
    kf_store128(bytes, _mm_aesenclast_si128(a, main[14]));
    kf_store128(bytes + 16, _mm_aesenclast_si128(b, main[14]));
    kf_aesni_expand(&w->derived, bytes);
    kf_wipe(bytes, sizeof bytes);

    const __m128i nonce = _mm_srli_si128(kf_load128(nonce_bytes + 8), 4);
    ALL(FIRST)
    for (int r = 1; r < 14; r++) {
        const __m128i k = rk[r];
        ALL(ROUND)
    }
    ALL(LAST)
    const __m128i h = kf_ghash_key(w->pass[0]), h2 = kf_ghash_mul(h, h);
    w->power[0] = kf_ghash_mul(h2, h2), w->power[1] = kf_ghash_mul(h2, h), w->power[2] = h2, w->power[3] = h;
}

static KF_AESNI void hash_bytes(short_work *w, const uint8_t *bytes, size_t len) {
    for (; len >= 16; bytes += 16, len -= 16) w->hashed[w->num_hashed++] = kf_bswap128(kf_load128(bytes));
    if (len > 0) w->hashed[w->num_hashed++] = kf_bswap128(kf_load_partial(bytes, len));
}

/* The tag of len bytes of ciphertext (SP 800-38D 7.1 steps 5 and 6). */
static KF_AESNI __m128i tag_of(short_work *w, const uint8_t *digest, const uint8_t *text, size_t len) {
    w->num_hashed = 0;
    if (digest) hash_bytes(w, digest, 16 * DIGEST);
    hash_bytes(w, text, len);
    w->hashed[w->num_hashed++] = kf_ghash_lengths(digest ? 16 * DIGEST : 0, len);
    __m128i y = _mm_setzero_si128();
    for (size_t i = 0; i < w->num_hashed;) {
        const size_t left = w->num_hashed - i, take = left % 4 ? left % 4 : 4;
        kf_ghash_sum sum = kf_ghash_zero();
        for (size_t k = 0; k < take; k++, i++) {
            const __m128i h = w->power[4 - take + k];
            kf_ghash_add(&sum, _mm_xor_si128(w->hashed[i], y), h, kf_fold_halves(h));
            y = _mm_setzero_si128();
        }
        y = kf_ghash_reduce(sum);
    }
    return _mm_xor_si128(kf_bswap128(y), w->pass[1]);
}

/* out = in ^ keystream, exactly len bytes. */
static KF_AESNI void xor_text(const short_work *w, uint8_t *out, const uint8_t *in, size_t len) {
    const __m128i *keystream = w->pass + 2;
    for (; len >= 16; in += 16, out += 16, len -= 16)
        kf_store128(out, _mm_xor_si128(kf_load128(in), *keystream++));
    if (len > 0) kf_store_partial(out, _mm_xor_si128(kf_load_partial(in, len), *keystream), len);
}

KF_AESNI void kf_xaes_short_seal(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonce,
                                 const kf_rec *rec) {
    short_work w;
    encrypt(&w, key, nonce);
    xor_text(&w, rec->out, rec->in, rec->len);
    kf_store128(rec->out + rec->len, tag_of(&w, digest, rec->out, rec->len));
    kf_wipe(&w, sizeof w);
}

KF_AESNI int kf_xaes_short_open(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonce,
                                const kf_rec *rec) {
    short_work w;
    encrypt(&w, key, nonce);
    const __m128i diff = _mm_xor_si128(tag_of(&w, digest, rec->in, rec->len), kf_load128(rec->in + rec->len));
    int equal = _mm_testz_si128(diff, diff);
    KF_DECLASSIFY(&equal, sizeof equal); /* whether a record is authentic is the result */
    if (equal)
        xor_text(&w, rec->out, rec->in, rec->len);
    else if (rec->len != 0)
        memset(rec->out, 0, rec->len);
    kf_wipe(&w, sizeof w);
    return equal;
}

#endif
