/* The kernels: AES-256-GCM and XAES-256-GCM, records side by side, as batches hand them over. */
#include "cases.h"
#include "kf_aead.h"

enum { MOST = 256 };

static struct {
    kf_gcm_key gcm;
    kf_xaes_key xaes;
    uint8_t digest[32], nonces[24 * MOST], ok[MOST];
    kf_rec seal[MOST], open[MOST];
    int64_t offsets[MOST + 1];
} state;

/* Plaintexts in cases_in, sealed records in cases_out, opened ones in cases_back. */
static void lay_out(const cases_case *c) {
    uint8_t key[32];
    cases_fill(key, sizeof key, 1), cases_fill(state.digest, 32, 2), cases_fill(state.nonces, sizeof state.nonces, 3);
    kf_gcm_key_init(kf_aead, &state.gcm, key);
    kf_xaes_key_init(kf_aead, &state.xaes, key);
    cases_lay_out(state.offsets, c);
    for (int i = 0; i < c->num; i++) {
        const size_t at = (size_t)state.offsets[i], len = (size_t)state.offsets[i + 1] - at;
        uint8_t *sealed = cases_out + at + 16 * (size_t)i;
        kf_rec_set(&state.seal[i], cases_in + at, sealed, len, NULL, 0);
        kf_rec_set(&state.open[i], sealed, cases_back + at, len, NULL, 0);
    }
}

static size_t gcm_seal(const cases_case *c) {
    kf_aead->gcm_seal(&state.gcm, state.digest, state.nonces, state.seal, (size_t)c->num);
    return 0;
}

static size_t gcm_open(const cases_case *c) {
    return kf_aead->gcm_open(&state.gcm, state.ok, state.digest, state.nonces, state.open, (size_t)c->num);
}

static size_t xaes_seal(const cases_case *c) {
    kf_aead->xaes_seal(&state.xaes, state.digest, state.nonces, state.seal, (size_t)c->num);
    return 0;
}

static size_t xaes_open(const cases_case *c) {
    return kf_aead->xaes_open(&state.xaes, state.ok, state.digest, state.nonces, state.open, (size_t)c->num);
}

static int opens(const cases_case *c, size_t failed) {
    return failed == 0 && memcmp(cases_in, cases_back, (size_t)state.offsets[c->num]) == 0;
}

static int gcm(const cases_case *c) {
    lay_out(c);
    gcm_seal(c);
    return opens(c, gcm_open(c));
}

static int xaes(const cases_case *c) {
    lay_out(c);
    xaes_seal(c);
    return opens(c, xaes_open(c));
}

const cases_case CASES_AEAD[] = {
    {"GCM seal 64 B", 256, 64, gcm, gcm_seal},
    {"GCM seal 1 KiB", 64, 1024, gcm, gcm_seal},
    {"GCM seal 16 KiB", 8, 16384, gcm, gcm_seal},
    {"GCM seal 1 to 512 B", 256, -512, gcm, gcm_seal},
    {"GCM open 64 B", 256, 64, gcm, gcm_open},
    {"GCM open 1 KiB", 64, 1024, gcm, gcm_open},
    {"GCM open 16 KiB", 8, 16384, gcm, gcm_open},
    {"XAES seal 64 B", 256, 64, xaes, xaes_seal},
    {"XAES seal 1 KiB", 64, 1024, xaes, xaes_seal},
    {"XAES seal 16 KiB", 8, 16384, xaes, xaes_seal},
    {"XAES seal 1 to 512 B", 256, -512, xaes, xaes_seal},
    {"XAES seal one of 64 B", 1, 64, xaes, xaes_seal},
    {"XAES open 64 B", 256, 64, xaes, xaes_open},
    {"XAES open 1 KiB", 64, 1024, xaes, xaes_open},
    {"XAES open 16 KiB", 8, 16384, xaes, xaes_open},
    {"XAES open one of 64 B", 1, 64, xaes, xaes_open},
    {0},
};
