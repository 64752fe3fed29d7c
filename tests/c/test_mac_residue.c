/*
 * What MACs leave on the stack: no 8 bytes of the key's states or its material, of a message (which may be a token, or
 * randomness for a nonce) or, after a verification, of a MAC that was computed. On the path that this CPU takes.
 */
#include <stdlib.h>

#include "kf_arena.h"
#include "kf_hmac_many.h"
#include "kf_util.h"
#include "kft_calls.h"
#include "kft_stack.h"

#if KFT_STACK_TELLS

enum { NUM = 70, MAX_LEN = 200, MAX_MAC = 64, NUM_EIGHTS = NUM * MAX_LEN / 8 };

typedef struct {
    kft_library opened;
    uint64_t key;
    int bits;
    size_t mac_len, len;
    uint8_t material[MAX_MAC], wrapped[MAX_MAC + 40], msgs[NUM * MAX_LEN], macs[NUM * MAX_MAC], out[NUM * MAX_MAC];
    uint8_t status[NUM];
} calls;

static void *run_load(void *arg) {
    calls *c = arg;
    uint64_t key;
    const kft_library *l = &c->opened;
    CHECK(kf_mac_load(&key, l->store, c->wrapped, c->mac_len + 40, l->key_id, 1, 0, c->bits) == KF_OK, "load");
    kf_key_release(key);
    return NULL;
}

static void *run_batch(void *arg) {
    calls *c = arg;
    const struct kf_column in = {.data = c->msgs, .data_len = (int64_t)(NUM * c->len), .width = (int64_t)c->len};
    CHECK(kf_mac_batch(c->key, c->out, sizeof c->out, NULL, c->mac_len, &in, NUM, NULL, 1) == KF_OK, "batch");
    return NULL;
}

static void *run_many(void *arg) {
    calls *c = arg;
    kf_hmac_key key;
    kf_hmac_key_init(&key, c->material, 32);
    kf_hmac_many(&key, c->out, c->msgs, c->len, NUM);
    kf_wipe(&key, sizeof key);
    return NULL;
}

/* Of MACs that are all wrong: the right ones are secrets. */
static void *run_verify(void *arg) {
    calls *c = arg;
    const struct kf_column in = {.data = c->msgs, .data_len = (int64_t)(NUM * c->len), .width = (int64_t)c->len};
    const struct kf_column none = {.data = c->macs, .data_len = 0, .width = 0};
    CHECK(kf_mac_verify_batch(c->key, c->status, &in, &none, NUM, NULL, 1) == KF_OK, "verify");
    return NULL;
}

static void *run_one(void *arg) {
    calls *c = arg;
    CHECK(kf_mac_one(c->key, c->out, c->mac_len, c->msgs, c->len) == KF_OK, "one");
    return NULL;
}

static void *run_verify_one(void *arg) {
    calls *c = arg;
    CHECK(kf_mac_verify_one(c->key, c->out, 0, c->msgs, c->len) == KF_ERR_AUTH, "verify one");
    return NULL;
}

static const struct {
    const char *name;
    void *(*run)(void *arg);
} RUNS[] = {{"load", run_load},     {"batch", run_batch}, {"many", run_many},
            {"verify", run_verify}, {"one", run_one},     {"verify one", run_verify_one}};

/* How many 8 bytes in a row, from every fourth byte on, stand in the secret. */
static size_t eights(uint8_t (*out)[8], const void *secret, size_t len) {
    size_t num = 0;
    for (size_t at = 0; at + 8 <= len; at += 4) memcpy(out[num++], (const uint8_t *)secret + at, 8);
    return num;
}

static void check_stack(const uint8_t *stack, const calls *c, const char *name) {
    static uint8_t found[4 * NUM_EIGHTS][8];
    void *body;
    CHECK(kf_slot_pin(&body, c->key, KF_KIND_HMAC) == KF_OK, "pin");
    const kf_hmac_any_key *key = &((const kf_mac_slot *)body)->hmac;
    size_t num = eights(found, &key->states, 2u * key->hash->state_len);
    CHECK(kft_stack_found(stack, found, num, 8) == 0, "%s, %d bits, %zu bytes: key states", name, c->bits, c->len);
    kf_slot_unpin(c->key);
    num = eights(found, c->material, c->mac_len);
    CHECK(kft_stack_found(stack, found, num, 8) == 0, "%s, %d bits, %zu bytes: key material", name, c->bits, c->len);
    num = eights(found, c->msgs, NUM * c->len);
    CHECK(kft_stack_found(stack, found, num, 8) == 0, "%s, %d bits, %zu bytes: messages", name, c->bits, c->len);
    num = eights(found, c->macs, NUM * c->mac_len);
    CHECK(kft_stack_found(stack, found, num, 8) == 0, "%s, %d bits, %zu bytes: MACs", name, c->bits, c->len);
}

static void check_calls(calls *c, uint8_t *stack, int bits, kft_random *random) {
    static const size_t lens[] = {8, 30, 55, 64, 100, 200};
    const kft_library *l = &c->opened;
    uint8_t given[MAX_MAC];
    kf_hmac_any_key known;
    c->bits = bits, c->mac_len = (size_t)bits / 8;
    kft_fill(random, c->material, sizeof c->material);
    memcpy(given, c->material, sizeof given);
    CHECK(kf_mac_import(c->wrapped, l->store, l->key_id, 1, 0, bits, given, c->mac_len) == KF_OK, "import");
    CHECK(kf_mac_load(&c->key, l->store, c->wrapped, c->mac_len + 40, l->key_id, 1, 0, bits) == KF_OK, "load");
    kf_hmac_any_key_init(&known, kf_hash_of(bits), c->material, c->mac_len);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        c->len = lens[i];
        kft_fill(random, c->msgs, sizeof c->msgs);
        for (size_t k = 0; k < NUM; k++) kf_hmac_any(&known, c->macs + k * c->mac_len, c->msgs + k * c->len, c->len);
        for (size_t r = 0; r < sizeof RUNS / sizeof RUNS[0]; r++) {
            kft_stack_run(stack, RUNS[r].run, c);
            check_stack(stack, c, RUNS[r].name);
        }
    }
    kf_key_release(c->key);
}

void test_mac_residue(const kft_env *env) {
    static const int bits[] = {224, 256, 384, 512};
    static calls c;
    uint8_t *stack = kft_stack_new();
    kft_random random = {53};
    (void)env;
    CHECK(kft_library_open(&c.opened) == KF_OK, "the library does not open");
    for (int h = 0; h < 4; h++) check_calls(&c, stack, bits[h], &random);
    kft_library_close(&c.opened);
    free(stack);
}

#else

void test_mac_residue(const kft_env *env) { (void)env; }

#endif
