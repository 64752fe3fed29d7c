/*
 * GCM and XAES with the ARMv8 Cryptographic Extension: AESE/AESMC and PMULL, eight blocks at once.
 * Compiles to nothing on other processors.
 * Rules:
 * - the instructions take a time that does not depend on their operands (Arm, PSTATE.DIT), and
 *   nothing else touches secrets;
 * - records run one after another; the first pass of a record makes its hash key, the mask of its
 *   tag and the keystream of its first bytes together, so that a short record takes one pass.
 *
 * GHASH reverses the bits of each byte, so that bit i of the little-endian number is the coefficient
 * of x^i and x^128 = 0x87.
 */
#include "kf_aead.h"
#include "kf_cpu.h"
#include "kf_util.h"

#if defined(__aarch64__) && (!defined(__clang__) || __clang_major__ >= 16 || defined(__ARM_FEATURE_AES))

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("aes"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("+crypto")
#endif

#include <arm_neon.h>

enum { WIDE = 8, WIDE_BYTES = 16 * WIDE, HEAD_BLOCKS = 2, HEAD_TEXT = 16 * (WIDE - HEAD_BLOCKS) };

/* ---- AES ----------------------------------------------------------------------------------------- */

typedef struct {
    uint8x16_t rk[15];
} round_keys;

static void load_round_keys(round_keys *keys, const kf_aes256 *key) {
    for (int i = 0; i < 15; i++) keys->rk[i] = vld1q_u8(key->rk + 16 * i);
}

/* FIPS 197 5.1: AESE adds the round key, then substitutes and shifts; AESMC mixes columns. */
static inline void encrypt_wide(const round_keys *keys, uint8x16_t block[WIDE]) {
    for (int round = 0; round < 13; round++) {
#pragma GCC unroll 8
        for (int i = 0; i < WIDE; i++) block[i] = vaesmcq_u8(vaeseq_u8(block[i], keys->rk[round]));
    }
#pragma GCC unroll 8
    for (int i = 0; i < WIDE; i++) block[i] = veorq_u8(vaeseq_u8(block[i], keys->rk[13]), keys->rk[14]);
}

/* SubWord of FIPS 197 5.2: with four equal columns, the shift of rows changes nothing. */
static inline uint32_t sub_word(uint32_t w) {
    const uint8x16_t columns = vreinterpretq_u8_u32(vdupq_n_u32(w));
    return vgetq_lane_u32(vreinterpretq_u32_u8(vaeseq_u8(columns, vdupq_n_u8(0))), 0);
}

/* FIPS 197 5.2 with Nk = 8 on little-endian words. */
static void aes256_expand(kf_aes256 *key, const uint8_t key_bytes[32]) {
    uint32_t w[60], rcon = 1;
    memcpy(w, key_bytes, 32);
    for (int i = 8; i < 60; i++) {
        uint32_t t = w[i - 1];
        if (i % 4 == 0) t = sub_word(t);
        if (i % 8 == 0) {
            t = (t >> 8 | t << 24) ^ rcon;
            rcon <<= 1;
        }
        w[i] = w[i - 8] ^ t;
    }
    memcpy(key->rk, w, sizeof w);
    kf_wipe(w, sizeof w);
}

static void aes256_blocks(const kf_aes256 *key, uint8_t *out, const uint8_t *in, size_t num_blocks) {
    round_keys keys;
    uint8x16_t block[WIDE];
    load_round_keys(&keys, key);
    for (size_t at = 0; at < num_blocks; at += WIDE) {
        for (size_t i = 0; i < WIDE; i++)
            block[i] = at + i < num_blocks ? vld1q_u8(in + 16 * (at + i)) : vdupq_n_u8(0);
        encrypt_wide(&keys, block);
        for (size_t i = 0; i < WIDE && at + i < num_blocks; i++) vst1q_u8(out + 16 * (at + i), block[i]);
    }
    kf_wipe(&keys, sizeof keys);
    kf_wipe(block, sizeof block);
}

/* ---- GHASH ---------------------------------------------------------------------------------------- */

typedef struct {
    poly64x2_t power[4]; /* H^(i + 1) */
    poly64x2_t y;
} ghash_state;

/* A sum of products before reduction: low, high and Karatsuba's middle. */
typedef struct {
    uint8x16_t low, middle, high;
} ghash_sum;

static inline uint8x16_t multiply_low(poly64x2_t a, poly64x2_t b) {
    return vreinterpretq_u8_p128(vmull_p64(vgetq_lane_p64(a, 0), vgetq_lane_p64(b, 0)));
}

static inline uint8x16_t multiply_high(poly64x2_t a, poly64x2_t b) {
    return vreinterpretq_u8_p128(vmull_high_p64(a, b));
}

/* Both words: the sum of the two. */
static inline poly64x2_t add_halves(poly64x2_t a) {
    const uint8x16_t bytes = vreinterpretq_u8_p64(a);
    return vreinterpretq_p64_u8(veorq_u8(bytes, vextq_u8(bytes, bytes, 8)));
}

static inline void multiply_add(ghash_sum *sum, poly64x2_t a, poly64x2_t b) {
    sum->low = veorq_u8(sum->low, multiply_low(a, b));
    sum->high = veorq_u8(sum->high, multiply_high(a, b));
    sum->middle = veorq_u8(sum->middle, multiply_low(add_halves(a), add_halves(b)));
}

static inline ghash_sum empty_sum(void) {
    const uint8x16_t zero = vdupq_n_u8(0);
    return (ghash_sum){zero, zero, zero};
}

static inline poly64x2_t reduce(const ghash_sum *sum) {
    const uint8x16_t zero = vdupq_n_u8(0);
    const poly64x2_t x128 = vreinterpretq_p64_u64(vdupq_n_u64(0x87));
    const uint8x16_t middle = veorq_u8(sum->middle, veorq_u8(sum->low, sum->high));
    uint8x16_t low = veorq_u8(sum->low, vextq_u8(zero, middle, 8));
    uint8x16_t high = veorq_u8(sum->high, vextq_u8(middle, zero, 8));
    const uint8x16_t top = multiply_high(vreinterpretq_p64_u8(high), x128); /* belongs 64 bits up */
    low = veorq_u8(low, vextq_u8(zero, top, 8));
    high = veorq_u8(high, vextq_u8(top, zero, 8));
    return vreinterpretq_p64_u8(veorq_u8(low, multiply_low(vreinterpretq_p64_u8(high), x128)));
}

static inline poly64x2_t multiply(poly64x2_t a, poly64x2_t b) {
    ghash_sum sum = empty_sum();
    multiply_add(&sum, a, b);
    return reduce(&sum);
}

static inline poly64x2_t load_block(const uint8_t *p) { return vreinterpretq_p64_u8(vrbitq_u8(vld1q_u8(p))); }

static inline poly64x2_t add(poly64x2_t a, poly64x2_t b) {
    return vreinterpretq_p64_u8(veorq_u8(vreinterpretq_u8_p64(a), vreinterpretq_u8_p64(b)));
}

static void ghash_init(ghash_state *ghash, const uint8_t h[16]) {
    ghash->power[0] = load_block(h);
    for (int i = 1; i < 4; i++) ghash->power[i] = multiply(ghash->power[i - 1], ghash->power[0]);
    ghash->y = vreinterpretq_p64_u8(vdupq_n_u8(0));
}

/* Absorbs msg, filled up with zeros to whole blocks. */
static void ghash_update(ghash_state *ghash, const uint8_t *msg, size_t msg_len) {
    for (; msg_len >= 64; msg += 64, msg_len -= 64) {
        ghash_sum sum = empty_sum();
        multiply_add(&sum, add(ghash->y, load_block(msg)), ghash->power[3]);
        for (int i = 1; i < 4; i++) multiply_add(&sum, load_block(msg + 16 * i), ghash->power[3 - i]);
        ghash->y = reduce(&sum);
    }
    for (; msg_len >= 16; msg += 16, msg_len -= 16)
        ghash->y = multiply(add(ghash->y, load_block(msg)), ghash->power[0]);
    if (msg_len == 0) return;
    uint8_t block[16] = {0};
    memcpy(block, msg, msg_len);
    ghash->y = multiply(add(ghash->y, load_block(block)), ghash->power[0]);
}

/* SP 800-38D 7.1 steps 5 and 6; mask = AES_K(J0). */
static void compute_tag(uint8_t tag[16], ghash_state *ghash, const uint8_t mask[16], const uint8_t *digest,
                        const kf_rec *rec, const uint8_t *ciphertext) {
    uint8_t lengths[16];
    ghash->y = vreinterpretq_p64_u8(vdupq_n_u8(0));
    if (digest) ghash_update(ghash, digest, 32);
    ghash_update(ghash, rec->aad, rec->aad_len);
    ghash_update(ghash, ciphertext, rec->len);
    kf_store64_be(lengths, 8 * (uint64_t)(rec->aad_len + (digest ? 32 : 0)));
    kf_store64_be(lengths + 8, 8 * (uint64_t)rec->len);
    ghash_update(ghash, lengths, 16);
    vst1q_u8(tag, veorq_u8(vrbitq_u8(vreinterpretq_u8_p64(ghash->y)), vld1q_u8(mask)));
}

/* ---- counter mode ----------------------------------------------------------------------------------- */

static inline uint8x16_t counter_block(const uint8_t nonce[12], uint32_t counter) {
    uint8_t block[16];
    memcpy(block, nonce, 12);
    kf_store32_be(block + 12, counter);
    return vld1q_u8(block);
}

/* The keystream of eight counters from first on. */
static inline void keystream_wide(const round_keys *keys, uint8x16_t block[WIDE], const uint8_t nonce[12],
                                  uint32_t first) {
    const uint32x4_t base = vreinterpretq_u32_u8(counter_block(nonce, 0));
    for (uint32_t i = 0; i < WIDE; i++)
        block[i] = vreinterpretq_u8_u32(vsetq_lane_u32(__builtin_bswap32(first + i), base, 3));
    encrypt_wide(keys, block);
}

static void add_bytes(uint8_t *out, const uint8_t *in, const uint8_t *keystream, size_t len) {
    for (size_t i = 0; i < len; i++) out[i] = in[i] ^ keystream[i];
}

/* The first HEAD_TEXT bytes of a record come from its head, the others from here. */
static void crypt(const round_keys *keys, const uint8_t head_text[HEAD_TEXT], const uint8_t nonce[12],
                  const kf_rec *rec) {
    uint8x16_t block[WIDE];
    uint8_t last[WIDE_BYTES];
    size_t at = rec->len < HEAD_TEXT ? rec->len : HEAD_TEXT;
    uint32_t counter = WIDE - HEAD_BLOCKS + 2;
    add_bytes(rec->out, rec->in, head_text, at);
    if (at == rec->len) return;
    for (; rec->len - at >= WIDE_BYTES; at += WIDE_BYTES, counter += WIDE) {
        keystream_wide(keys, block, nonce, counter);
        for (size_t i = 0; i < WIDE; i++)
            vst1q_u8(rec->out + at + 16 * i, veorq_u8(block[i], vld1q_u8(rec->in + at + 16 * i)));
    }
    if (at < rec->len) {
        keystream_wide(keys, block, nonce, counter);
        for (int i = 0; i < WIDE; i++) vst1q_u8(last + 16 * i, block[i]);
        add_bytes(rec->out + at, rec->in + at, last, rec->len - at);
        kf_wipe(last, sizeof last);
    }
    kf_wipe(block, sizeof block);
}

/* ---- records ------------------------------------------------------------------------------------------ */

/* What the first pass of a record makes, in the order of the blocks. */
typedef struct {
    uint8_t h[16], mask[16], text[HEAD_TEXT];
} record_head;

static void make_head(const round_keys *keys, record_head *head, const uint8_t nonce[12]) {
    uint8x16_t block[WIDE];
    block[0] = vdupq_n_u8(0);
    for (uint32_t i = 1; i < WIDE; i++) block[i] = counter_block(nonce, i);
    encrypt_wide(keys, block);
    vst1q_u8(head->h, block[0]);
    vst1q_u8(head->mask, block[1]);
    for (int i = HEAD_BLOCKS; i < WIDE; i++) vst1q_u8(head->text + 16 * (i - HEAD_BLOCKS), block[i]);
    kf_wipe(block, sizeof block);
}

/* One record under one key; ghash has the powers of its hash key. */
static void seal_record(const round_keys *keys, ghash_state *ghash, const record_head *head,
                        const uint8_t *digest, const uint8_t nonce[12], const kf_rec *rec) {
    crypt(keys, head->text, nonce, rec);
    compute_tag(rec->out + rec->len, ghash, head->mask, digest, rec, rec->out);
}

static uint8_t open_record(const round_keys *keys, ghash_state *ghash, const record_head *head,
                           const uint8_t *digest, const uint8_t nonce[12], const kf_rec *rec) {
    uint8_t tag[16];
    compute_tag(tag, ghash, head->mask, digest, rec, rec->in);
    int ok = kf_equal(tag, rec->in + rec->len, 16);
    KF_DECLASSIFY(&ok, sizeof ok); /* the caller sees ok[i] and the zeros */
    kf_wipe(tag, sizeof tag);
    if (ok)
        crypt(keys, head->text, nonce, rec);
    else if (rec->len)
        memset(rec->out, 0, rec->len);
    return (uint8_t)ok;
}

/* Everything secret that a batch needs, so that one wipe ends it. */
typedef struct {
    round_keys main, record;
    kf_aes256 derived;
    ghash_state ghash;
    record_head head;
} scratch;

/* ok NULL: seal. Returns the number of failed records. */
static size_t run_gcm(const kf_gcm_key *key, uint8_t *ok, const uint8_t *digest, const uint8_t *nonces,
                      const kf_rec *rec, size_t n) {
    scratch s;
    size_t failed = 0;
    load_round_keys(&s.main, &key->aes);
    ghash_init(&s.ghash, key->h);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *nonce = nonces + 12 * i;
        make_head(&s.main, &s.head, nonce);
        if (!ok) {
            seal_record(&s.main, &s.ghash, &s.head, digest, nonce, &rec[i]);
        } else {
            ok[i] = open_record(&s.main, &s.ghash, &s.head, digest, nonce, &rec[i]);
            failed += !ok[i];
        }
    }
    kf_wipe(&s, sizeof s);
    return failed;
}

/* C2SP XAES-256-GCM: K_x = AES_K(M1 + K1) || AES_K(M2 + K1), M_i = 00 0i "X" 00 || N[:12]. */
static void derive(scratch *s, const uint8_t k1[16], const uint8_t nonce[24]) {
    uint8_t m[32] = {0, 1, 'X', 0};
    uint8x16_t block[WIDE];
    memcpy(m + 4, nonce, 12);
    memcpy(m + 16, m, 16);
    m[17] = 2;
    for (int i = 0; i < WIDE; i++) block[i] = veorq_u8(vld1q_u8(m + 16 * (i % 2)), vld1q_u8(k1));
    encrypt_wide(&s->main, block);
    vst1q_u8(m, block[0]);
    vst1q_u8(m + 16, block[1]);
    aes256_expand(&s->derived, m);
    load_round_keys(&s->record, &s->derived);
    kf_wipe(m, sizeof m);
    kf_wipe(block, sizeof block);
}

/* ok NULL: seal. Returns the number of failed records. */
static size_t run_xaes(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest, const uint8_t *nonces,
                       const kf_rec *rec, size_t n) {
    scratch s;
    size_t failed = 0;
    load_round_keys(&s.main, &key->aes);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *nonce = nonces + 24 * i + 12;
        derive(&s, key->k1, nonces + 24 * i);
        make_head(&s.record, &s.head, nonce);
        ghash_init(&s.ghash, s.head.h);
        if (!ok) {
            seal_record(&s.record, &s.ghash, &s.head, digest, nonce, &rec[i]);
        } else {
            ok[i] = open_record(&s.record, &s.ghash, &s.head, digest, nonce, &rec[i]);
            failed += !ok[i];
        }
    }
    kf_wipe(&s, sizeof s);
    return failed;
}

static void gcm_seal(const kf_gcm_key *key, const uint8_t *digest, const uint8_t *nonces, const kf_rec *rec, size_t n) {
    run_gcm(key, NULL, digest, nonces, rec, n);
}

static void xaes_seal(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonces, const kf_rec *rec,
                      size_t n) {
    run_xaes(key, NULL, digest, nonces, rec, n);
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

const kf_aead_impl *kf_aead_armv8(void) {
    static const kf_aead_impl impl = {
        .name = "armv8",
        .aes256_expand = aes256_expand,
        .aes256_blocks = aes256_blocks,
        .gcm_seal = gcm_seal,
        .gcm_open = run_gcm,
        .xaes_seal = xaes_seal,
        .xaes_open = run_xaes,
    };
    return kf_cpu() & KF_CPU_ARM_AES ? &impl : NULL;
}

#else

const kf_aead_impl *kf_aead_armv8(void) { return NULL; }

#endif
