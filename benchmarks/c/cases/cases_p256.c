/* ECDSA P-256: signatures with their check before release, and verification with and without a table of the key. */
#include "cases.h"

enum { MOST = 64 };

static struct {
    const cases_keys *keys;
    struct kf_column digests, signatures;
    uint8_t raw[64 * MOST], status[MOST], valid[MOST], public_keys[64 * MOST];
} state;

static size_t sign(const cases_case *c) {
    int64_t bad = 0;
    const int status = kf_p256_sign_batch(state.keys->p256, state.raw, NULL, state.status, &bad, &state.digests, c->num,
                                          KF_P256_RAW, 0, 1);
    return status == KF_OK ? (size_t)bad : (size_t)c->num;
}

static size_t sign_one(const cases_case *c) {
    size_t failed = 0;
    int64_t len;
    for (int i = 0; i < c->num; i++)
        failed += kf_p256_sign(state.keys->p256, cases_out, &len, cases_in + 32 * i, KF_P256_DER, 0) != KF_OK;
    return failed;
}

static size_t valid(const cases_case *c, int status) {
    size_t failed = status == KF_OK ? 0 : (size_t)c->num;
    for (int i = 0; i < c->num; i++) failed += !state.valid[i];
    return failed;
}

static size_t verify(const cases_case *c) {
    return valid(c, kf_p256_verify_batch(state.valid, state.keys->public64, &state.digests, &state.signatures, c->num,
                                         KF_P256_RAW, 1));
}

static size_t verify_many(const cases_case *c) {
    return valid(c, kf_p256_verify_many(state.valid, state.public_keys, &state.digests, &state.signatures, c->num, KF_P256_RAW,
                                        1));
}

static size_t verify_one(const cases_case *c) {
    size_t failed = 0;
    for (int i = 0; i < c->num; i++)
        failed += kf_p256_verify(state.keys->public64, cases_in + 32 * i, state.raw + 64 * i, 64, KF_P256_RAW) != KF_OK;
    return failed;
}

/* Signatures that are the same every time (RFC 6979): how long verifying takes depends on them. */
static int ready(const cases_case *c) {
    int64_t bad = 0;
    state.keys = cases_open_keys();
    if (!state.keys) return 0;
    cases_fill(cases_in, 32 * (size_t)c->num, 8);
    state.digests = (struct kf_column){.data = cases_in, .data_len = 32 * c->num, .width = 32};
    state.signatures = (struct kf_column){.data = state.raw, .data_len = 64 * c->num, .width = 64};
    for (int i = 0; i < c->num; i++) memcpy(state.public_keys + 64 * i, state.keys->public64, 64);
    if (kf_p256_sign_batch(state.keys->p256, state.raw, NULL, state.status, &bad, &state.digests, c->num, KF_P256_RAW, 1, 1) !=
            KF_OK || bad)
        return 0;
    for (int i = 0; i < 64; i += c->num) /* so often that the table of the public key is there */
        if (verify(c)) return 0;
    return verify_many(c) == 0;
}

const cases_case CASES_P256[] = {
    {"P-256 sign", MOST, 32, ready, sign},
    {"P-256 sign one", 4, 32, ready, sign_one},
    {"P-256 verify, one key", MOST, 32, ready, verify},
    {"P-256 verify, many keys", MOST, 32, ready, verify_many},
    {"P-256 verify one", 4, 32, ready, verify_one},
    {0},
};
