/*
 * GCM and XAES on any CPU: bit-sliced AES of four blocks, GHASH by multiplication.
 * Rules:
 * - constant time; only lengths and the results of finished tag comparisons steer the flow;
 * - open computes the tag before it decrypts anything;
 * - the four blocks of a pass come from several records where records are short: under one key
 *   (GCM) as a stream of blocks, under a key per record (XAES) with a record in each lane.
 */
#include "kf_aead.h"
#include "kf_aes_ct.h"
#include "kf_ghash_ct.h"
#include "kf_util.h"

enum { LANES = KF_AES_CT_LANES };

static const uint8_t ZERO_PASS[KF_AES_CT_BYTES];

/* The block nonce || counter (SP 800-38D 7.1 step 2: J0 has counter 1; the text starts at 2). */
static void counter_block(uint8_t out[16], const uint8_t nonce[12], uint32_t counter) {
    memcpy(out, nonce, 12);
    kf_store32_be(out + 12, counter);
}

/* The 16 bytes (or what is left) of a record from at on, which is a multiple of 16. */
static void add_keystream(const kf_rec *rec, size_t at, const uint8_t keystream[16]) {
    const size_t len = rec->len - at < 16 ? rec->len - at : 16;
    for (size_t i = 0; i < len; i++) rec->out[at + i] = rec->in[at + i] ^ keystream[i];
}

/* What a record that failed leaves behind. */
static void zero_record(const kf_rec *rec) {
    if (rec->len) memset(rec->out, 0, rec->len);
}

/* ---- counter mode under one key: blocks of all records in one stream --------------------------- */

typedef struct {
    const kf_aes_ct_keys *keys;
    uint8_t pass[KF_AES_CT_BYTES];
    const kf_rec *rec[LANES];
    size_t at[LANES];
    int used;
} ctr_stream;

static void ctr_flush(ctr_stream *stream) {
    kf_aes_ct_encrypt4(stream->keys, stream->pass, stream->pass);
    for (int k = 0; k < stream->used; k++) add_keystream(stream->rec[k], stream->at[k], stream->pass + 16 * k);
    stream->used = 0;
}

static void ctr_push(ctr_stream *stream, const uint8_t nonce[12], const kf_rec *rec, size_t at) {
    const int k = stream->used++;
    counter_block(stream->pass + 16 * k, nonce, (uint32_t)(2 + at / 16));
    stream->rec[k] = rec;
    stream->at[k] = at;
    if (stream->used == LANES) ctr_flush(stream);
}

/* Encrypts or decrypts; records with ok[i] = 0 become zeros. */
static void ctr_records(const kf_aes_ct_keys *keys, const uint8_t *ok, const uint8_t *nonces,
                        const kf_rec *rec, size_t n) {
    ctr_stream stream = {.keys = keys};
    for (size_t i = 0; i < n; i++) {
        if (ok && !ok[i]) {
            zero_record(&rec[i]);
            continue;
        }
        for (size_t at = 0; at < rec[i].len; at += 16) ctr_push(&stream, nonces + 12 * i, &rec[i], at);
    }
    if (stream.used) ctr_flush(&stream);
    kf_wipe(&stream, sizeof stream);
}

/* ---- tags --------------------------------------------------------------------------------------- */

/* SP 800-38D 7.1 steps 5 and 6, with mask = AES_K(J0): mask becomes the tag. */
static void tag_from_mask(uint8_t mask[16], const uint8_t h[16], const uint8_t *digest, const kf_rec *rec,
                          const uint8_t *ciphertext) {
    kf_ghash_ct ghash;
    uint8_t sum[16];
    kf_ghash_ct_init(&ghash, h);
    if (digest) kf_ghash_ct_update(&ghash, digest, 32);
    kf_ghash_ct_update(&ghash, rec->aad, rec->aad_len);
    kf_ghash_ct_update(&ghash, ciphertext, rec->len);
    kf_ghash_ct_final(&ghash, sum, rec->aad_len + (digest ? 32 : 0), rec->len);
    for (int i = 0; i < 16; i++) mask[i] ^= sum[i];
    kf_wipe(&ghash, sizeof ghash);
    kf_wipe(sum, sizeof sum);
}

/* 1 when tag is what follows the ciphertext. Whether a record is authentic is published by design:
 * the caller sees ok[i] and the zeros. */
static uint8_t tag_matches(const uint8_t tag[16], const kf_rec *rec) {
    int equal = kf_equal(tag, rec->in + rec->len, 16);
    KF_DECLASSIFY(&equal, sizeof equal); /* the result: see above */
    return (uint8_t)equal;
}

/* ---- GCM ------------------------------------------------------------------------------------------ */

/* AES_K(J0) of up to four records. */
static void gcm_masks(const kf_aes_ct_keys *keys, uint8_t masks[KF_AES_CT_BYTES], const uint8_t *nonces,
                      size_t num) {
    memset(masks, 0, KF_AES_CT_BYTES);
    for (size_t k = 0; k < num; k++) counter_block(masks + 16 * k, nonces + 12 * k, 1);
    kf_aes_ct_encrypt4(keys, masks, masks);
}

static size_t group_len(size_t first, size_t n) { return n - first < LANES ? n - first : LANES; }

static void gcm_seal(const kf_gcm_key *key, const uint8_t *digest, const uint8_t *nonces,
                     const kf_rec *rec, size_t n) {
    kf_aes_ct_keys keys;
    uint8_t tags[KF_AES_CT_BYTES];
    kf_aes_ct_load(&keys, &key->aes);
    ctr_records(&keys, NULL, nonces, rec, n);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t num = group_len(i, n);
        gcm_masks(&keys, tags, nonces + 12 * i, num);
        for (size_t k = 0; k < num; k++) {
            const kf_rec *r = &rec[i + k];
            tag_from_mask(tags + 16 * k, key->h, digest, r, r->out);
            memcpy(r->out + r->len, tags + 16 * k, 16);
        }
    }
    kf_wipe(&keys, sizeof keys);
    kf_wipe(tags, sizeof tags);
    kf_wipe_below();
}

static size_t gcm_open(const kf_gcm_key *key, uint8_t *ok, const uint8_t *digest,
                       const uint8_t *nonces, const kf_rec *rec, size_t n) {
    kf_aes_ct_keys keys;
    uint8_t tags[KF_AES_CT_BYTES];
    size_t failed = 0;
    kf_aes_ct_load(&keys, &key->aes);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t num = group_len(i, n);
        gcm_masks(&keys, tags, nonces + 12 * i, num);
        for (size_t k = 0; k < num; k++) {
            tag_from_mask(tags + 16 * k, key->h, digest, &rec[i + k], rec[i + k].in);
            ok[i + k] = tag_matches(tags + 16 * k, &rec[i + k]);
            failed += !ok[i + k];
        }
    }
    ctr_records(&keys, ok, nonces, rec, n);
    kf_wipe(&keys, sizeof keys);
    kf_wipe(tags, sizeof tags);
    kf_wipe_below();
    return failed;
}

/* ---- XAES ----------------------------------------------------------------------------------------- */

/* Up to four records, each under its own derived key. */
typedef struct {
    kf_aes256 derived[LANES];
    kf_aes_ct_keys keys;            /* lane k: derived[k] */
    uint8_t h[KF_AES_CT_BYTES];     /* lane k: the hash key of record k */
    uint8_t tags[KF_AES_CT_BYTES];
    uint8_t nonces[LANES][12];      /* the last 12 bytes of each nonce */
} xaes_group;

/* C2SP XAES-256-GCM: K_x = AES_K(M1 + K1) || AES_K(M2 + K1), M_i = 00 0i "X" 00 || N[:12]. */
static void xaes_derive(uint8_t derived[LANES * 32], const kf_aes_ct_keys *keys, const uint8_t k1[16],
                        const uint8_t *nonces, size_t num) {
    memset(derived, 0, LANES * 32);
    for (size_t k = 0; k < num; k++) {
        for (uint8_t half = 0; half < 2; half++) {
            uint8_t *m = derived + 32 * k + 16 * half;
            m[1] = (uint8_t)(half + 1);
            m[2] = 'X';
            memcpy(m + 4, nonces + 24 * k, 12);
            for (int i = 0; i < 16; i++) m[i] ^= k1[i];
        }
    }
    kf_aes_ct_encrypt4(keys, derived, derived);
    if (num > 2) kf_aes_ct_encrypt4(keys, derived + 64, derived + 64);
}

/* Derives the keys of the group; its tags become AES_K(J0), to be made tags later. */
static void xaes_group_init(xaes_group *group, const kf_aes_ct_keys *keys, const uint8_t k1[16],
                            const uint8_t *nonces, size_t num) {
    uint8_t derived[LANES * 32];
    xaes_derive(derived, keys, k1, nonces, num);
    kf_aes_ct_expand4(group->derived, derived);
    kf_aes_ct_load4(&group->keys, group->derived);
    kf_aes_ct_encrypt4(&group->keys, group->h, ZERO_PASS);
    memset(group->nonces, 0, sizeof group->nonces);
    for (size_t k = 0; k < num; k++) memcpy(group->nonces[k], nonces + 24 * k + 12, 12);
    for (int k = 0; k < LANES; k++) counter_block(group->tags + 16 * k, group->nonces[k], 1);
    kf_aes_ct_encrypt4(&group->keys, group->tags, group->tags);
    kf_wipe(derived, sizeof derived);
}

/* Counter mode with a record in each lane: as many passes as the longest record has blocks. */
static void xaes_ctr_lanes(const xaes_group *group, const uint8_t *ok, const kf_rec *rec, size_t num,
                           size_t num_passes) {
    uint8_t pass[KF_AES_CT_BYTES] = {0};
    for (size_t at = 0; at < 16 * num_passes; at += 16) {
        for (size_t k = 0; k < num; k++)
            counter_block(pass + 16 * k, group->nonces[k], (uint32_t)(2 + at / 16));
        kf_aes_ct_encrypt4(&group->keys, pass, pass);
        for (size_t k = 0; k < num; k++)
            if (at < rec[k].len && (!ok || ok[k])) add_keystream(&rec[k], at, pass + 16 * k);
    }
    for (size_t k = 0; k < num; k++)
        if (ok && !ok[k]) zero_record(&rec[k]);
    kf_wipe(pass, sizeof pass);
}

/* Counter mode for the group: in lanes, or record after record where lanes would idle too much.
 * Loading a key costs about one pass. */
static void xaes_ctr(const xaes_group *group, const uint8_t *ok, const kf_rec *rec, size_t num) {
    size_t longest = 0, separate = 0;
    for (size_t k = 0; k < num; k++) {
        const size_t blocks = rec[k].len / 16 + (rec[k].len % 16 != 0);
        longest = blocks > longest ? blocks : longest;
        separate += 1 + (blocks + LANES - 1) / LANES;
    }
    if (longest <= separate) {
        xaes_ctr_lanes(group, ok, rec, num, longest);
        return;
    }
    kf_aes_ct_keys keys;
    for (size_t k = 0; k < num; k++) {
        kf_aes_ct_load(&keys, &group->derived[k]);
        ctr_records(&keys, ok ? ok + k : NULL, group->nonces[k], rec + k, 1);
    }
    kf_wipe(&keys, sizeof keys);
}

static void xaes_seal(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonces,
                      const kf_rec *rec, size_t n) {
    kf_aes_ct_keys keys;
    xaes_group group;
    kf_aes_ct_load(&keys, &key->aes);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t num = group_len(i, n);
        xaes_group_init(&group, &keys, key->k1, nonces + 24 * i, num);
        xaes_ctr(&group, NULL, rec + i, num);
        for (size_t k = 0; k < num; k++) {
            const kf_rec *r = &rec[i + k];
            tag_from_mask(group.tags + 16 * k, group.h + 16 * k, digest, r, r->out);
            memcpy(r->out + r->len, group.tags + 16 * k, 16);
        }
    }
    kf_wipe(&keys, sizeof keys);
    kf_wipe(&group, sizeof group);
    kf_wipe_below();
}

static size_t xaes_open(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest,
                        const uint8_t *nonces, const kf_rec *rec, size_t n) {
    kf_aes_ct_keys keys;
    xaes_group group;
    size_t failed = 0;
    kf_aes_ct_load(&keys, &key->aes);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t num = group_len(i, n);
        xaes_group_init(&group, &keys, key->k1, nonces + 24 * i, num);
        for (size_t k = 0; k < num; k++) {
            tag_from_mask(group.tags + 16 * k, group.h + 16 * k, digest, &rec[i + k], rec[i + k].in);
            ok[i + k] = tag_matches(group.tags + 16 * k, &rec[i + k]);
            failed += !ok[i + k];
        }
        xaes_ctr(&group, ok + i, rec + i, num);
    }
    kf_wipe(&keys, sizeof keys);
    kf_wipe(&group, sizeof group);
    kf_wipe_below();
    return failed;
}

/* ---- the vtable ------------------------------------------------------------------------------------ */

static void aes256_blocks(const kf_aes256 *key, uint8_t *out, const uint8_t *in, size_t num_blocks) {
    kf_aes_ct_keys keys;
    uint8_t pass[KF_AES_CT_BYTES] = {0};
    kf_aes_ct_load(&keys, key);
    for (size_t i = 0; i < num_blocks; i += LANES) {
        const size_t len = 16 * group_len(i, num_blocks);
        memcpy(pass, in + 16 * i, len);
        kf_aes_ct_encrypt4(&keys, pass, pass);
        memcpy(out + 16 * i, pass, len);
    }
    kf_wipe(&keys, sizeof keys);
    kf_wipe(pass, sizeof pass);
}

const kf_aead_impl *kf_aead_portable(void) {
    static const kf_aead_impl impl = {
        .name = "portable",
        .aes256_expand = kf_aes_ct_expand,
        .aes256_blocks = aes256_blocks,
        .gcm_seal = gcm_seal,
        .gcm_open = gcm_open,
        .xaes_seal = xaes_seal,
        .xaes_open = xaes_open,
    };
    return &impl;
}
