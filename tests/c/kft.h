/*
 * The frame of the C tests.
 * Rules:
 * - a test is a function over an implementation; main runs it on each that this CPU has;
 * - CHECK counts and goes on, so that one run shows all that is wrong;
 * - all inputs come from a generator with a fixed seed: a failure repeats.
 */
#ifndef KFT_H
#define KFT_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kf.h"
#include "kf_aead.h"

typedef struct {
    const kf_aead_impl *impl;
    const char *vectors;  /* directory of test vectors */
    const char *rsp;      /* one more file of the NIST form, or NULL */
    int full;             /* run the long forms */
} kft_env;

/* ---- checks ------------------------------------------------------------------------------------ */

extern int kft_failures;
void kft_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define CHECK(condition, ...)                                      \
    do {                                                           \
        if (!(condition)) kft_fail(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

/* ---- data ---------------------------------------------------------------------------------------- */

typedef struct {
    uint64_t state;
} kft_random;

uint64_t kft_next(kft_random *random);
size_t kft_below(kft_random *random, size_t limit);
void kft_fill(kft_random *random, uint8_t *out, size_t len);

/* Decodes hex digits up to the first other character; returns the number of bytes. */
size_t kft_from_hex(uint8_t *out, size_t max, const char *hex);

/* As malloc, but a failure ends the program. */
void *kft_alloc(size_t len);

/* ---- memory beside unmapped pages ------------------------------------------------------------------ */

/* len bytes that end where an unmapped page begins, or begin where one ends. */
uint8_t *kft_page_end(size_t len);
uint8_t *kft_page_start(size_t len);
/* Releases all of them. */
void kft_pages_free(void);

/* ---- GCM and XAES as one ----------------------------------------------------------------------------- */

enum kft_mode { KFT_GCM, KFT_XAES, KFT_NUM_MODES };

typedef struct {
    enum kft_mode mode;
    uint8_t bytes[32];
    kf_gcm_key gcm;
    kf_xaes_key xaes;
} kft_key;

const char *kft_mode_name(enum kft_mode mode);
size_t kft_nonce_len(enum kft_mode mode);
void kft_key_init(const kf_aead_impl *impl, kft_key *key, enum kft_mode mode, const uint8_t bytes[32]);
void kft_seal(const kf_aead_impl *impl, const kft_key *key, const uint8_t *digest, const uint8_t *nonces,
              const kf_rec *rec, size_t n);
size_t kft_open(const kf_aead_impl *impl, const kft_key *key, uint8_t *ok, const uint8_t *digest,
                const uint8_t *nonces, const kf_rec *rec, size_t n);

/* ---- textbook AES-256, GCM and XAES, independent of csrc ---------------------------------------------- */

void kft_ref_aes256(uint8_t out[16], const uint8_t key[32], const uint8_t in[16]);
void kft_ref_seal(enum kft_mode mode, uint8_t *out, const uint8_t key[32], const uint8_t *digest,
                  const uint8_t *nonce, const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len);

/* ---- SHAKE128 (FIPS 202) -------------------------------------------------------------------------------- */

typedef struct {
    uint64_t lane[25];
    size_t at;      /* position in the rate */
    int squeezing;
} kft_shake128;

void kft_shake128_init(kft_shake128 *shake);
void kft_shake128_absorb(kft_shake128 *shake, const uint8_t *in, size_t len);
void kft_shake128_squeeze(kft_shake128 *shake, uint8_t *out, size_t len);

/* ---- tests of the kernels, each run on every implementation ---------------------------------------------- */

void test_aes_blocks(const kft_env *env);
void test_nist_vectors(const kft_env *env);
void test_xaes_vectors(const kft_env *env);
void test_xaes_accumulated(const kft_env *env);
void test_lengths(const kft_env *env);
void test_long_records(const kft_env *env);
void test_aad(const kft_env *env);
void test_batch_sizes(const kft_env *env);
void test_runs(const kft_env *env);
void test_unaligned(const kft_env *env);
void test_page_ends(const kft_env *env);
void test_in_place(const kft_env *env);
void test_corruption(const kft_env *env);
void test_tiny(const kft_env *env);
void test_residue(const kft_env *env);
void test_selftest_of_impl(const kft_env *env);

/* ---- tests of the library, run once under the implementation in use ---------------------------------------- */

void test_arena(const kft_env *env);
void test_hashes(const kft_env *env);
void test_private(const kft_env *env);
void test_hash_vectors(const kft_env *env);
void test_hmac_many(const kft_env *env);
void test_mac(const kft_env *env);
void test_mac_residue(const kft_env *env);
void test_dispatch(const kft_env *env);
void test_blobs(const kft_env *env);
void test_bound(const kft_env *env);
void test_base64(const kft_env *env);
void test_requests(const kft_env *env);
void test_sigv4(const kft_env *env);
void test_replies(const kft_env *env);
void test_tiny_columns(const kft_env *env);
void test_import(const kft_env *env);
void test_room(const kft_env *env);
void test_metrics(const kft_env *env);
void test_log(const kft_env *env);
void test_calls_by_number(const kft_env *env);
void test_reactor(const kft_env *env);
void test_reactor_bounds(const kft_env *env);
void test_reactor_timeouts(const kft_env *env);
void test_reactor_recorded(const kft_env *env);
void test_reactor_holds(const kft_env *env);
void test_reactor_residue(const kft_env *env);
void test_workroom(const kft_env *env);
void test_fork(const kft_env *env);
void test_selftest_faults(const kft_env *env);

/* ---- tests of P-256, each of which runs on all its implementations --------------------------------------------- */

void test_p256_field_portable(const kft_env *env);
void test_p256_field_mulx(const kft_env *env);
void test_p256_lanes_one(const kft_env *env);
void test_p256_lanes_fma(const kft_env *env);
void test_p256_lanes_ifma(const kft_env *env);
void test_p256_lanes_residue(const kft_env *env);
void test_p256_scalars(const kft_env *env);
void test_p256_points(const kft_env *env);
void test_p256_additions(const kft_env *env);
void test_p256_sums(const kft_env *env);
void test_p256_rfc6979(const kft_env *env);
void test_p256_nonces(const kft_env *env);
void test_p256_signing(const kft_env *env);
void test_p256_faults(const kft_env *env);
void test_p256_verifying(const kft_env *env);
void test_p256_many_keys(const kft_env *env);
void test_p256_encodings(const kft_env *env);
void test_p256_dispatch(const kft_env *env);
void test_p256_selftest(const kft_env *env);
void test_p256_library(const kft_env *env);
void test_p256_residue(const kft_env *env);

#endif
