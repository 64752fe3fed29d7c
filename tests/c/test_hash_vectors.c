/*
 * A file of NIST's form with answers of SHA-2 (Len, Msg, MD) or of HMAC over it (Key as well), whose hash is the one
 * with digests as long as MD: every case in one piece and in two, and, of HMAC-SHA-256, in lanes.
 */
#include <stdlib.h>

#include "kf_hmac.h"
#include "kf_hmac_many.h"
#include "kft.h"

enum { MAX_MSG = 16384, MAX_LINE = 2 * MAX_MSG + 64, MAX_KEY = 256, COPIES = 3 };

typedef struct {
    uint8_t key[MAX_KEY], msg[COPIES * MAX_MSG], digest[KF_HASH_MAX_DIGEST];
    size_t key_len, msg_len, digest_len;
    int seen;
} hash_case;

static const char *value_of(const char *line, const char *name) {
    const size_t len = strlen(name);
    return strncmp(line, name, len) == 0 && strncmp(line + len, " = ", 3) == 0 ? line + len + 3 : NULL;
}

static void parse_line(hash_case *c, const char *line) {
    const char *value;
    if ((value = value_of(line, "Len"))) c->msg_len = (size_t)atoi(value) / 8; /* with 0, Msg is 00 */
    if ((value = value_of(line, "Key"))) c->key_len = kft_from_hex(c->key, MAX_KEY, value);
    if ((value = value_of(line, "Msg"))) kft_from_hex(c->msg, MAX_MSG, value);
    if ((value = value_of(line, "MD"))) c->digest_len = kft_from_hex(c->digest, sizeof c->digest, value), c->seen = 1;
}

static void run_hash(const hash_case *c, const kf_hash *hash) {
    uint8_t out[KF_HASH_MAX_DIGEST];
    for (size_t cut = 0; cut <= c->msg_len; cut += c->msg_len / 3 + 1) {
        kf_hash_ctx ctx;
        hash->init(&ctx);
        hash->update(&ctx, c->msg, cut);
        hash->update(&ctx, c->msg + cut, c->msg_len - cut);
        hash->final(&ctx, out);
        CHECK(memcmp(out, c->digest, c->digest_len) == 0, "SHA-%d of %zu bytes cut at %zu", hash->bits, c->msg_len,
              cut);
    }
}

static void run_lanes(hash_case *c) {
    uint8_t out[COPIES][32];
    kf_hmac_key key;
    for (size_t i = 1; i < COPIES; i++) memcpy(c->msg + i * c->msg_len, c->msg, c->msg_len);
    kf_hmac_key_init(&key, c->key, c->key_len);
    kf_hmac_many(&key, out[0], c->msg, c->msg_len, COPIES);
    for (int i = 0; i < COPIES; i++) CHECK(memcmp(out[i], c->digest, 32) == 0, "lanes, %zu bytes", c->msg_len);
}

static void run_hmac(hash_case *c, const kf_hash *hash) {
    uint8_t out[KF_HASH_MAX_DIGEST];
    kf_hmac_any_key key;
    kf_hmac_any_key_init(&key, hash, c->key, c->key_len);
    kf_hmac_any(&key, out, c->msg, c->msg_len);
    CHECK(memcmp(out, c->digest, c->digest_len) == 0, "HMAC-SHA-%d of %zu bytes", hash->bits, c->msg_len);
    if (hash->bits == 256) run_lanes(c);
}

static void run_case(hash_case *c) {
    const kf_hash *hash = kf_hash_of((int)c->digest_len * 8);
    CHECK(hash != NULL && c->msg_len <= MAX_MSG, "a case of another hash, or too long");
    if (!hash || c->msg_len > MAX_MSG) return;
    if (c->key_len)
        run_hmac(c, hash);
    else
        run_hash(c, hash);
}

void test_hash_vectors(const kft_env *env) {
    static char line[MAX_LINE];
    static hash_case c;
    int cases = 0;
    FILE *file = env->rsp ? fopen(env->rsp, "r") : NULL;
    CHECK(file != NULL || !env->rsp, "%s cannot be read", env->rsp);
    if (!file) return;
    for (; fgets(line, sizeof line, file); c.seen = 0) {
        parse_line(&c, line);
        if (c.seen) run_case(&c), cases++;
    }
    fclose(file);
    printf("  %d cases of %s\n", cases, env->rsp); /* tests/vectors reads this */
}
