/*
 * What an implementation of the AEAD kernels offers, and the keys that they all share.
 *
 * A kernel sees records as an array of kf_rec, so that it knows nothing of frames, columns or
 * Python. Rules that every kernel keeps:
 * - constant time in keys, nonces' derived values, plaintext and tags; lengths are public;
 * - seal writes out[0 .. len + 16): ciphertext, then the tag. It may write past the ciphertext
 *   only where the tag follows, never past out + len + 16;
 * - open reads in[0 .. len + 16), writes out[0 .. len) exactly, and leaves zeros there when the tag
 *   does not verify (ok[i] = 0);
 * - no byte outside in, aad and out is read that could lie on another page;
 * - in and out of one record are equal or do not overlap;
 * - len is below 2^36 - 32 and aad_len below 2^61 (SP 800-38D 5.2.1.1): callers check;
 * - scratch memory that held secrets is wiped before return.
 */
#ifndef KF_AEAD_H
#define KF_AEAD_H

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

/* AES-256 key schedule: 15 round keys in the byte order of FIPS 197, the same for all
 * implementations. */
typedef struct {
    alignas(16) uint8_t rk[240];
} kf_aes256;

/* XAES-256-GCM (C2SP): the key schedule and the CMAC subkey K1. */
typedef struct {
    kf_aes256 aes;
    alignas(16) uint8_t k1[16];
} kf_xaes_key;

/* AES-256-GCM: the key schedule and H = AES_K(0^128) as bytes. */
typedef struct {
    kf_aes256 aes;
    alignas(16) uint8_t h[16];
} kf_gcm_key;

typedef struct {
    const uint8_t *in;
    uint8_t *out;
    const uint8_t *aad; /* the record's own associated data, after the batch's digest */
    size_t len;         /* of the plaintext */
    size_t aad_len;
    const uint8_t *next; /* what the caller will read soon, or NULL: a hint for the cache, never read here */
} kf_rec;

/* Member by member: a struct that is made elsewhere and copied here is loaded in wider pieces than it was stored in,
 * for which x86 processors wait until the stores have left. */
static inline void kf_rec_set(kf_rec *rec, const uint8_t *in, uint8_t *out, size_t len, const uint8_t *aad,
                              size_t aad_len) {
    rec->in = in, rec->out = out, rec->aad = aad;
    rec->len = len, rec->aad_len = aad_len, rec->next = NULL;
}

typedef struct {
    const char *name;
    /* FIPS 197 5.2 */
    void (*aes256_expand)(kf_aes256 *key, const uint8_t key_bytes[32]);
    /* num_blocks independent blocks (ECB), for derivations and the generator; in may equal out */
    void (*aes256_blocks)(const kf_aes256 *key, uint8_t *out, const uint8_t *in, size_t num_blocks);
    /* n records under one key. digest: 32 bytes that come first in the associated data of every
     * record, or NULL. nonces: 12 bytes each, back to back. */
    void (*gcm_seal)(const kf_gcm_key *key, const uint8_t *digest, const uint8_t *nonces,
                     const kf_rec *rec, size_t n);
    /* Returns the number of records that failed; ok[i] = 1 or 0. */
    size_t (*gcm_open)(const kf_gcm_key *key, uint8_t *ok, const uint8_t *digest,
                       const uint8_t *nonces, const kf_rec *rec, size_t n);
    /* The same for XAES-256-GCM; nonces: 24 bytes each. */
    void (*xaes_seal)(const kf_xaes_key *key, const uint8_t *digest, const uint8_t *nonces,
                      const kf_rec *rec, size_t n);
    size_t (*xaes_open)(const kf_xaes_key *key, uint8_t *ok, const uint8_t *digest,
                        const uint8_t *nonces, const kf_rec *rec, size_t n);
} kf_aead_impl;

/* Each returns its implementation, or NULL when it was not compiled in or the CPU lacks it. */
const kf_aead_impl *kf_aead_portable(void);
const kf_aead_impl *kf_aead_aesni(void); /* AES-NI, PCLMULQDQ, AVX */
const kf_aead_impl *kf_aead_vaes(void);  /* VAES and VPCLMULQDQ on 256 bits, AVX2 */
const kf_aead_impl *kf_aead_armv8(void); /* ARMv8 Crypto Extensions */

/* The implementation in use; set by kf_init. */
extern const kf_aead_impl *kf_aead;

/* Completes the keys from 32 bytes with an implementation's primitives. */
void kf_xaes_key_init(const kf_aead_impl *impl, kf_xaes_key *key, const uint8_t key_bytes[32]);
void kf_gcm_key_init(const kf_aead_impl *impl, kf_gcm_key *key, const uint8_t key_bytes[32]);

#endif
