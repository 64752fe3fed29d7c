/*
 * What a call leaves on its stack. A thread runs it on memory that was zero, which is searched afterwards: no eight
 * words of key schedules (an AES-256 key has as many) and no 8 bytes of keystream may be there. Only of code that is
 * optimised: without that, a compiler keeps all variables in memory that nobody wipes.
 */
#include <stdlib.h>

#include "kft_stack.h"

#if KFT_STACK_TELLS

enum { NUM = 40, MAX_LEN = 640, SCHEDULE = 60 };

typedef struct {
    const kf_aead_impl *impl;
    kft_key key;
    int open;
    uint8_t nonces[24 * NUM], plain[NUM][MAX_LEN], sealed[NUM][MAX_LEN + 16], opened[NUM][MAX_LEN], ok[NUM];
    kf_rec rec[NUM];
} call;

/* XAES's message key (C2SP, "Derive the AES-256-GCM key"), by the textbook. */
static void message_key(uint8_t out[32], const kft_key *key, const uint8_t nonce[24]) {
    for (int half = 0; half < 2; half++) {
        uint8_t block[16] = {0, (uint8_t)(half + 1), 'X', 0};
        memcpy(block + 4, nonce, 12);
        for (int i = 0; i < 16; i++) block[i] ^= key->xaes.k1[i];
        kft_ref_aes256(out + 16 * half, key->bytes, block);
    }
}

/* All words of the schedules that a call uses, but for round keys 0 and 14 of the caller's own key, which stay in
 * registers through whole calls and may be spilled: words of one round key, and not enough of them. */
static size_t schedule_words(uint8_t (*words)[4], const call *c) {
    size_t num = 0;
    kf_aes256 schedule;
    for (size_t i = 0; i < NUM && c->key.mode == KFT_XAES; i++, num += SCHEDULE) {
        uint8_t key[32];
        message_key(key, &c->key, c->nonces + 24 * i);
        c->impl->aes256_expand(&schedule, key);
        memcpy(words[num], schedule.rk, sizeof schedule.rk);
    }
    memcpy(words[num], c->key.mode == KFT_XAES ? c->key.xaes.aes.rk : c->key.gcm.aes.rk, 4 * SCHEDULE);
    return num + SCHEDULE;
}

static void *run(void *arg) {
    call *c = arg;
    if (c->open)
        kft_open(c->impl, &c->key, c->ok, NULL, c->nonces, c->rec, NUM);
    else
        kft_seal(c->impl, &c->key, NULL, c->nonces, c->rec, NUM);
    return NULL;
}

static void check_stack(const uint8_t *stack, const call *c, size_t len) {
    static uint8_t words[(NUM + 1) * SCHEDULE][4], stream[NUM * MAX_LEN / 8][8];
    const char *what = c->open ? "open" : "seal", *mode = kft_mode_name(c->key.mode);
    const size_t num_words = schedule_words(words, c);
    size_t num_eights = 0;
    for (size_t i = 0; i < NUM; i++)
        for (size_t at = 0; at + 8 <= len; at += 8, num_eights++)
            for (size_t k = at; k < at + 8; k++) stream[num_eights][k - at] = c->plain[i][k] ^ c->sealed[i][k];
    const size_t of_keys = kft_stack_found(stack, words, num_words, 4);
    const size_t of_stream = kft_stack_found(stack, stream, num_eights, 8);
    CHECK(of_keys < 8, "%s %s of %zu bytes: %zu words of key schedules are left", mode, what, len, of_keys);
    CHECK(of_stream == 0, "%s %s of %zu bytes: %zu times 8 bytes of keystream are left", mode, what, len, of_stream);
}

void test_residue(const kft_env *env) {
    static const size_t lens[] = {8, 10, 16, 30, 64, 100, 300, 600};
    static call c;
    uint8_t *stack = kft_stack_new();
    kft_random random = {77};
    for (int mode = 0; mode < KFT_NUM_MODES; mode++)
        for (size_t l = 0; l < sizeof lens / sizeof lens[0]; l++) {
            uint8_t key[32];
            c.impl = env->impl;
            kft_fill(&random, key, sizeof key);
            kft_fill(&random, c.nonces, sizeof c.nonces);
            kft_fill(&random, &c.plain[0][0], sizeof c.plain);
            kft_key_init(c.impl, &c.key, (enum kft_mode)mode, key);
            for (c.open = 0; c.open < 2; c.open++) {
                for (size_t i = 0; i < NUM; i++)
                    kf_rec_set(&c.rec[i], c.open ? c.sealed[i] : c.plain[i], c.open ? c.opened[i] : c.sealed[i], lens[l],
                               NULL, 0);
                kft_stack_run(stack, run, &c);
                check_stack(stack, &c, lens[l]);
            }
        }
    free(stack);
}

#else

void test_residue(const kft_env *env) { (void)env; }

#endif
