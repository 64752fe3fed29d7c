/*
 * Known answers from outside: FIPS 197, NIST's CAVP files for GCM, and C2SP's for XAES.
 */
#include <stdlib.h>

#include "kft.h"

/* ---- AES ------------------------------------------------------------------------------------------ */

/* FIPS 197 C.3, then every count of blocks up to 40 against the textbook. */
void test_aes_blocks(const kft_env *env) {
    enum { MAX_BLOCKS = 40 };
    uint8_t key_bytes[32], in[16 * MAX_BLOCKS], out[16 * MAX_BLOCKS], expected[16 * MAX_BLOCKS], known[16];
    kf_aes256 key;
    for (int i = 0; i < 32; i++) key_bytes[i] = (uint8_t)i;
    for (int i = 0; i < 16; i++) in[i] = (uint8_t)(i * 0x11);
    kft_from_hex(known, 16, "8ea2b7ca516745bfeafc49904b496089");
    kft_ref_aes256(out, key_bytes, in);
    CHECK(memcmp(out, known, 16) == 0, "the textbook AES misses FIPS 197 C.3");
    env->impl->aes256_expand(&key, key_bytes);
    env->impl->aes256_blocks(&key, out, in, 1);
    CHECK(memcmp(out, known, 16) == 0, "FIPS 197 C.3");

    kft_random random = {1};
    for (size_t n = 0; n <= MAX_BLOCKS; n++) {
        kft_fill(&random, key_bytes, 32);
        kft_fill(&random, in, sizeof in);
        memset(out, 0x5a, sizeof out);
        env->impl->aes256_expand(&key, key_bytes);
        CHECK(memcmp(key.rk, key_bytes, 32) == 0, "round keys do not start with the key");
        env->impl->aes256_blocks(&key, out, in, n);
        for (size_t i = 0; i < n; i++) kft_ref_aes256(expected + 16 * i, key_bytes, in + 16 * i);
        memset(expected + 16 * n, 0x5a, sizeof expected - 16 * n);
        CHECK(memcmp(out, expected, sizeof out) == 0, "%zu blocks", n);
        env->impl->aes256_blocks(&key, in, in, n);
        CHECK(memcmp(in, expected, 16 * n) == 0, "%zu blocks in place", n);
    }
}

/* ---- GCM ------------------------------------------------------------------------------------------- */

enum { MAX_FIELD = 1024, MAX_LINE = 2 * MAX_FIELD + 64 };

typedef struct {
    int key_bits, nonce_bits, tag_bits; /* of the group */
    uint8_t key[32], nonce[12], tag[16], text[MAX_FIELD], sealed[MAX_FIELD], aad[MAX_FIELD];
    size_t text_len, sealed_len, aad_len;
    int seen, fails;
} gcm_case;

/* Seals and opens the case, or only fails to open it. */
static void run_case(const kft_env *env, gcm_case *c) {
    uint8_t out[MAX_FIELD + 16], ok;
    kft_key key;
    kft_key_init(env->impl, &key, KFT_GCM, c->key);
    memcpy(c->sealed + c->sealed_len, c->tag, 16);
    kf_rec rec = {.in = c->text, .out = out, .aad = c->aad, .len = c->sealed_len, .aad_len = c->aad_len};
    if (!c->fails) {
        kft_seal(env->impl, &key, NULL, c->nonce, &rec, 1);
        CHECK(memcmp(out, c->sealed, c->sealed_len + 16) == 0, "seal, plaintext of %zu bytes", c->text_len);
    }
    rec.in = c->sealed;
    memset(out, 0x5a, sizeof out);
    const size_t failed = kft_open(env->impl, &key, &ok, NULL, c->nonce, &rec, 1);
    CHECK(failed == (size_t)c->fails && ok == !c->fails, "open, ciphertext of %zu bytes", c->sealed_len);
    if (c->fails) memset(c->text, 0, sizeof c->text);
    CHECK(memcmp(out, c->text, rec.len) == 0, "plaintext of %zu bytes", rec.len);
}

/* The value after "name = ", or NULL. */
static const char *value_of(const char *line, const char *name) {
    const size_t len = strlen(name);
    return strncmp(line, name, len) == 0 && strncmp(line + len, " = ", 3) == 0 ? line + len + 3 : NULL;
}

static void parse_line(gcm_case *c, const char *line) {
    const char *value;
    if ((value = value_of(line, "[Keylen"))) c->key_bits = atoi(value);
    if ((value = value_of(line, "[IVlen"))) c->nonce_bits = atoi(value);
    if ((value = value_of(line, "[Taglen"))) c->tag_bits = atoi(value);
    if ((value = value_of(line, "Key"))) kft_from_hex(c->key, 32, value), c->seen = 1;
    if ((value = value_of(line, "IV"))) kft_from_hex(c->nonce, 12, value);
    if ((value = value_of(line, "Tag"))) kft_from_hex(c->tag, 16, value);
    if ((value = value_of(line, "PT"))) c->text_len = kft_from_hex(c->text, MAX_FIELD - 16, value);
    if ((value = value_of(line, "CT"))) c->sealed_len = kft_from_hex(c->sealed, MAX_FIELD - 16, value);
    if ((value = value_of(line, "AAD"))) c->aad_len = kft_from_hex(c->aad, MAX_FIELD, value);
    if (strncmp(line, "FAIL", 4) == 0) c->fails = 1;
}

/* Runs the cases with 256-bit keys, 96-bit nonces and 128-bit tags of a file of NIST's form. */
static int run_file(const kft_env *env, const char *path) {
    FILE *file = fopen(path, "r");
    char line[MAX_LINE];
    gcm_case c = {0};
    int cases = 0;
    if (!file) return 0;
    for (int more = 1; more;) {
        more = fgets(line, sizeof line, file) != NULL;
        const int ends = !more || line[0] == '\n' || line[0] == '\r';
        if (!ends) parse_line(&c, line);
        if (!ends || !c.seen) continue;
        if (c.key_bits == 256 && c.nonce_bits == 96 && c.tag_bits == 128) {
            run_case(env, &c);
            cases++;
        }
        c.seen = c.fails = 0;
    }
    fclose(file);
    return cases;
}

void test_nist_vectors(const kft_env *env) {
    char path[1024];
    snprintf(path, sizeof path, "%s/gcm256.rsp", env->vectors);
    int cases = run_file(env, path);
    CHECK(cases == 150, "%s: %d cases of 150", path, cases);
    if (!env->rsp) return;
    cases = run_file(env, env->rsp);
    printf("  %d cases of %s\n", cases, env->rsp); /* tests/vectors reads this */
    CHECK(cases == 375, "%s: %d cases of 375", env->rsp, cases);
}

/* ---- XAES -------------------------------------------------------------------------------------------- */

static void check_xaes(const kft_env *env, uint8_t key_byte, const char *aad, const char *sealed_hex) {
    uint8_t key_bytes[32], known[28], out[28], ok;
    const uint8_t *nonce = (const uint8_t *)"ABCDEFGHIJKLMNOPQRSTUVWX", *text = (const uint8_t *)"XAES-256-GCM";
    kft_key key;
    memset(key_bytes, key_byte, 32);
    kft_from_hex(known, sizeof known, sealed_hex);
    kft_key_init(env->impl, &key, KFT_XAES, key_bytes);
    kf_rec rec = {.in = text, .out = out, .aad = (const uint8_t *)aad, .len = 12, .aad_len = strlen(aad)};
    kft_seal(env->impl, &key, NULL, nonce, &rec, 1);
    CHECK(memcmp(out, known, sizeof out) == 0, "seal under key %d", key_byte);
    rec.in = known;
    const size_t failed = kft_open(env->impl, &key, &ok, NULL, nonce, &rec, 1);
    CHECK(failed == 0 && ok && memcmp(out, text, 12) == 0, "open under key %d", key_byte);
}

/* C2SP XAES-256-GCM, "Test vectors". */
void test_xaes_vectors(const kft_env *env) {
    check_xaes(env, 1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    check_xaes(env, 3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

/* C2SP XAES-256-GCM, "Accumulated randomized tests": one SHAKE128 supplies the inputs, another
 * takes in the outputs. */
void test_xaes_accumulated(const kft_env *env) {
    const int rounds = env->full ? 1000000 : 10000;
    uint8_t known[32], got[32], key_bytes[32], nonce[24], text_len, aad_len, text[255], aad[255], out[271], ok;
    kft_shake128 source, sink;
    kft_key key;
    kft_shake128_init(&source);
    kft_shake128_init(&sink);
    for (int i = 0; i < rounds; i++) {
        kft_shake128_squeeze(&source, key_bytes, 32);
        kft_shake128_squeeze(&source, nonce, 24);
        kft_shake128_squeeze(&source, &text_len, 1);
        kft_shake128_squeeze(&source, text, text_len);
        kft_shake128_squeeze(&source, &aad_len, 1);
        kft_shake128_squeeze(&source, aad, aad_len);
        kft_key_init(env->impl, &key, KFT_XAES, key_bytes);
        kf_rec rec = {.in = text, .out = out, .aad = aad, .len = text_len, .aad_len = aad_len};
        kft_seal(env->impl, &key, NULL, nonce, &rec, 1);
        kft_shake128_absorb(&sink, out, (size_t)text_len + 16);
        rec.in = out;
        const size_t failed = kft_open(env->impl, &key, &ok, NULL, nonce, &rec, 1);
        CHECK(failed == 0 && memcmp(out, text, text_len) == 0, "round %d does not open", i);
    }
    kft_from_hex(known, 32, env->full ? "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15"
                                      : "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
    kft_shake128_squeeze(&sink, got, 32);
    CHECK(memcmp(got, known, 32) == 0, "after %d rounds", rounds);
}
