/*
 * Constant time of P-256, as in ctime.c and with the same usage and exit codes; names are those of implementations of
 * P-256.
 *
 * Secret: private keys, nonces and all that derives from them, digests, every random byte. Published: signatures, public
 * keys, wrapped keys. What csrc declassifies itself, each with its reason: points of signatures, the signatures, public
 * keys, and whether one of them failed its check.
 */
#define _GNU_SOURCE
#include <string.h>

#include "kf.h"
#include "kf_arena.h"
#include "kf_p256_batch.h"
#include "kf_p256_nonce.h"
#include "kf_p256_words.h"
#include "secrets.h"

enum { MOST = 140 };

static void ok_or_end(int status, const char *what) { require(status == KF_OK, what); }

static void fill(uint8_t *out, size_t len, unsigned seed) {
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
}

/* ---- numbers and points --------------------------------------------------------------------------------- */

static void check_arithmetic(const kf_p256_impl *impl) {
    static kf_p256_scalar k[MOST], inverse[MOST], before[MOST];
    static kf_p256_point points[MOST];
    uint8_t wide[48];
    kf_p256_point p;
    void *scratch = aligned_alloc(64, impl->scratch_len(impl->chunk));
    require(scratch != NULL, "no memory");
    for (unsigned i = 0; i < MOST; i++) {
        fill(wide, sizeof wide, i);
        KF_SECRET(wide, sizeof wide);
        kf_scalar_from_wide(&k[i], wide);
        require_secret(&k[i], sizeof k[i], "a scalar from 48 bytes");
    }
    impl->arith->scalar_inverse_many(inverse, k, MOST, before);
    require_secret(inverse, sizeof inverse, "inverses");
    impl->arith->scalar_inverse(inverse, k);
    require_secret(inverse, sizeof inverse[0], "an inverse");
    impl->arith->base_mul(&p, k);
    require_secret(&p, sizeof p, "a multiple of G");
    leak((const uint8_t *)k, (const uint8_t *)inverse);
    impl->arith->point_mul(&p, k, &kf_p256_g);
    require_secret(&p, sizeof p, "a multiple of a point");
    const int sizes[] = {1, 31, 33, impl->chunk < MOST ? impl->chunk : MOST};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        impl->base_mul(points, k, sizes[s], scratch);
        require_secret(points, (size_t)sizes[s] * sizeof points[0], "multiples of G");
    }
    free(scratch);
}

static void check_nonces(void) {
    enum { NUM = 20 };
    kf_p256_scalar d = {{1, 2, 3, 4}}, k, many[NUM];
    uint8_t digest[32] = {1}, entropy[NUM * 32] = {2};
    const uint8_t *ptrs[NUM];
    int64_t lens[NUM];
    const struct kf_column digests = {.ptrs = ptrs, .lens = lens};
    kf_hmac_key key;
    KF_SECRET(&d, sizeof d), KF_SECRET(digest, sizeof digest), KF_SECRET(entropy, sizeof entropy);
    kf_hmac_key_init(&key, (const uint8_t *)&d, sizeof d);
    for (int i = 0; i < NUM; i++) ptrs[i] = digest, lens[i] = sizeof digest;
    kf_p256_nonces_hedged(many, &key, entropy, &digests, 0, NUM);
    require_secret(many, sizeof many, "hedged nonces");
    for (int skip = 0; skip < 3; skip++) {
        kf_p256_nonce_rfc6979(&k, &d, digest, skip);
        require_secret(&k, sizeof k, "a nonce of RFC 6979");
    }
}

/* ---- the library ------------------------------------------------------------------------------------------ */

typedef struct {
    uint64_t root, store, key;
    uint8_t store_id[16], key_id[16], public_key[64];
} keys;

static void open_keys(keys *k) {
    uint64_t secret;
    uint8_t *bytes, wrapped[KF_WRAPPED_LEN], scalar[32];
    void *slot;
    memset(k, 0, sizeof *k);
    ok_or_end(kf_arena_open(0), "kf_arena_open");
    ok_or_end(kf_secret_new(&secret, &bytes), "kf_secret_new");
    KF_SECRET(bytes, MATERIAL_LEN);
    ok_or_end(kf_root_from_secret(&k->root, secret), "kf_root_from_secret");
    ok_or_end(kf_store_create(&k->store, wrapped, k->root, k->store_id), "kf_store_create");

    ok_or_end(kf_p256_generate(wrapped, k->public_key, k->store, k->key_id, 1, 0), "kf_p256_generate");
    publish(wrapped, sizeof wrapped, sizeof wrapped, "a wrapped private key");
    fill(scalar, sizeof scalar, 5);
    scalar[0] = 0;
    KF_SECRET(scalar, sizeof scalar);
    ok_or_end(kf_p256_import(wrapped, k->public_key, k->store, scalar, k->key_id, 2, 0), "kf_p256_import");
    publish(wrapped, sizeof wrapped, sizeof wrapped, "an imported private key");
    ok_or_end(kf_p256_load(&k->key, k->public_key, k->store, wrapped, k->key_id, 2, 0), "kf_p256_load");
    ok_or_end(kf_slot_pin(&slot, k->key, KF_KIND_P256), "pin");
    const kf_p256_slot *p256 = slot;
    require_secret(&p256->d, 31, "the private key in the arena"); /* its top byte is 0 and checked to be below n */
    require_secret(&p256->d_mont, sizeof p256->d_mont, "its other copy");
    require_secret(&p256->nonce, sizeof p256->nonce, "the nonce key");
    kf_slot_unpin(k->key);
}

/* num digests, all secret; the signatures come back published, and verify. */
static void check_signing(const keys *k, int num, int encoding, int deterministic) {
    static uint8_t digests[MOST * 32], signatures[MOST * 72], status[MOST], valid[MOST];
    static int64_t lens[MOST];
    static const uint8_t *ptrs[MOST];
    const struct kf_column in = {.data = digests, .data_len = num * 32, .width = 32};
    const struct kf_column der = {.ptrs = ptrs, .lens = lens}, raw = {.data = signatures, .data_len = num * 64, .width = 64};
    int64_t bad;
    fill(digests, (size_t)num * 32, (unsigned)num);
    KF_SECRET(digests, (size_t)num * 32);
    ok_or_end(kf_p256_sign_batch(k->key, signatures, lens, status, &bad, &in, num, encoding, deterministic, 1), "sign");
    require(bad == 0, "a signature was refused");
    KF_DECLASSIFY(digests, (size_t)num * 32); /* to verify */
    for (int i = 0; i < num; i++) ptrs[i] = signatures + 72 * i;
    ok_or_end(kf_p256_verify_batch(valid, k->public_key, &in, encoding == KF_P256_DER ? &der : &raw, num, encoding, 1),
              "verify");
    for (int i = 0; i < num; i++) require(valid[i], "a signature is not valid");
}

static void check_ecdh(const keys *k) {
    uint8_t shared[32];
    ok_or_end(kf_p256_ecdh(k->key, shared, k->public_key), "kf_p256_ecdh");
    require_secret(shared, sizeof shared, "a shared secret");
}

/* ---- one implementation at a time ---------------------------------------------------------------------------- */

static int list(void) {
    for (int i = 0; kf_p256_impl_available(i); i++) printf("%s\n", kf_p256_impl_available(i));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) return list();
    if (argc != 2 || !under_memcheck() || kf_p256_impl_force(argv[1]) != KF_OK) {
        fprintf(stderr, "ctime: needs the name of an implementation of P-256 that runs here, and memcheck\n");
        return EXIT_USAGE;
    }
    const int sizes[] = {1, 2, 9, 12, 40, MOST};
    keys k;
    check_arithmetic(kf_p256());
    check_nonces();
    open_keys(&k);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int encoding = KF_P256_RAW; encoding <= KF_P256_DER; encoding++)
            check_signing(&k, sizes[s], encoding, (int)s % 2 ^ encoding);
    check_ecdh(&k);
    const unsigned errors = VALGRIND_COUNT_ERRORS;
    printf("ctime: %s ran to its end, %u errors\n", argv[1], errors);
    return errors ? EXIT_LEAK : EXIT_SUCCESS;
}
