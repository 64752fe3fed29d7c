/*
 * What P-256 leaves on the stack: no 8 bytes in a row of a private key, a nonce, the forms in which these are computed with,
 * or a shared secret. On each implementation that this CPU has.
 */
#include <stdlib.h>

#include "kf_p256_nonce.h"
#include "kf_p256_words.h"
#include "kf_util.h"
#include "kft_calls.h"
#include "kft_p256.h"
#include "kft_stack.h"

#if KFT_STACK_TELLS

enum { MOST = 40, WORDS = 4, PER_NUMBER = 6 * WORDS, ROOM = (MOST + 2) * PER_NUMBER };

typedef struct {
    kft_library opened;
    uint64_t key;
    int num;
    uint8_t scalar[32], wrapped[KF_WRAPPED_LEN], public_key[64], digests[MOST * 32], out[MOST * 72], status[MOST];
    int64_t lens[MOST];
    uint64_t secrets[ROOM];
    size_t num_secrets;
} calls;

static void *run_import(void *arg) {
    calls *c = arg;
    uint8_t public_key[64];
    CHECK(kf_p256_import(c->wrapped, public_key, c->opened.store, c->scalar, c->opened.key_id, 1, 0) == KF_OK, "import");
    return NULL;
}

static void *run_load(void *arg) {
    calls *c = arg;
    uint64_t key;
    CHECK(kf_p256_load(&key, c->public_key, c->opened.store, c->wrapped, c->opened.key_id, 1, 0) == KF_OK, "load");
    kf_key_release(key);
    return NULL;
}

static void *run_sign(void *arg) {
    calls *c = arg;
    const struct kf_column in = {.data = c->digests, .data_len = 32 * c->num, .width = 32};
    int64_t bad;
    CHECK(kf_p256_sign_batch(c->key, c->out, c->lens, c->status, &bad, &in, c->num, KF_P256_DER, 1, 1) == KF_OK, "sign");
    return NULL;
}

static void *run_ecdh(void *arg) {
    calls *c = arg;
    CHECK(kf_p256_ecdh(c->key, c->out, c->opened.public_key) == KF_OK, "ECDH");
    return NULL;
}

/* A number as it is, in Montgomery form, negated, halved as its digits are, as bytes the other way round, inverted. */
static void add_secret(calls *c, const uint64_t a[4]) {
    uint64_t form[6][WORDS];
    kf_p256_scalar odd;
    uint64_t even;
    memcpy(form[0], a, sizeof form[0]);
    kft_to_mont(form[1], a, KFT_N);
    kft_mod_sub(form[2], (const uint64_t[4]){0}, a, KFT_N);
    memcpy(odd.v, a, sizeof odd.v), kf_scalar_odd(&odd, &even, &odd), kf_scalar_digits(form[3], &odd);
    kf_words_to_be((uint8_t *)form[4], a);
    kft_mod_inverse(form[5], a, KFT_N), kft_to_mont(form[5], form[5], KFT_N);
    memcpy(c->secrets + c->num_secrets, form, sizeof form);
    c->num_secrets += PER_NUMBER;
}

static void check(calls *c, const kf_p256_impl *impl, const char *what, void *(*run)(void *arg)) {
    uint8_t *stack = kft_stack_new();
    uint64_t secrets[ROOM];
    kft_stack_run(stack, run, c);
    memcpy(secrets, c->secrets, sizeof secrets);
    const size_t found = kft_stack_found(stack, secrets, c->num_secrets, 8);
    CHECK(found == 0, "%s: %s of %d leaves %zu secret words on the stack", impl->name, what, c->num, found);
    free(stack);
}

static void check_all(calls *c, const kf_p256_impl *impl) {
    static const int sizes[] = {1, 5, 12, MOST};
    kf_p256_scalar d, k;
    c->num_secrets = 0, c->num = 1;
    kf_words_from_be(d.v, c->scalar);
    add_secret(c, d.v);
    check(c, impl, "import", run_import);
    check(c, impl, "load", run_load);
    CHECK(kf_p256_load(&c->key, c->public_key, c->opened.store, c->wrapped, c->opened.key_id, 1, 0) == KF_OK, "load");
    CHECK(kf_p256_ecdh(c->key, c->out, c->opened.public_key) == KF_OK, "ECDH");
    kf_words_from_be(k.v, c->out);
    memcpy(c->secrets + c->num_secrets, k.v, sizeof k.v), c->num_secrets += WORDS;
    memset(c->out, 0, 32);
    check(c, impl, "ECDH", run_ecdh);
    for (int i = 0; i < MOST; i++) {
        kf_p256_nonce_rfc6979(&k, &d, c->digests + 32 * i, 0);
        add_secret(c, k.v);
    }
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        c->num = sizes[s];
        check(c, impl, "a batch", run_sign);
    }
    kf_key_release(c->key);
}

void test_p256_residue(const kft_env *env) {
    static calls c;
    kft_random random = {31};
    const kf_p256_impl *impl;
    (void)env;
    CHECK(kft_library_open(&c.opened) == KF_OK, "open");
    kft_fill(&random, c.scalar, sizeof c.scalar), kft_fill(&random, c.digests, sizeof c.digests);
    c.scalar[0] &= 0x7f;
    for (int n = 0; (impl = kft_p256_impl(n)) != NULL; n++) check_all(&c, impl);
    kft_library_close(&c.opened);
}

#else

void test_p256_residue(const kft_env *env) { (void)env; }

#endif
